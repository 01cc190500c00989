"""How much memory a program and its processes take at most while it runs a map.

Counted is what exists because of them: their private memory (Pss_Anon, so that pages shared by a fork
count once) and the memory behind their memory files (memfd), mapped or not.

SPDX-License-Identifier: MIT
"""

import os
import select
import subprocess
import time

from common.harness import Failed, expect


def children(pid):
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
    except OSError:  # it has ended
        pass
    return found


def tree(pid):
    found = [pid]
    for known in found:  # grows while it is walked
        found += children(known)
    return found


def private_bytes(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return 1024 * sum(int(line.split()[1]) for line in file if line.startswith("Pss_Anon:"))
    except OSError:
        return 0


def memory_files(pid):
    """{(device, inode): bytes} for each memory file that is open in or mapped by the process."""
    found = {}
    for folder in ("fd", "map_files"):
        try:
            names = os.listdir(f"/proc/{pid}/{folder}")
        except OSError:
            continue
        for name in names:
            path = f"/proc/{pid}/{folder}/{name}"
            try:
                target = os.readlink(path)
                if target.startswith(("/memfd:", "/dev/shm/", "/dev/zero")):
                    status = os.stat(path)
                    found[status.st_dev, status.st_ino] = status.st_blocks * 512
            except OSError:
                continue
    return found


def bytes_now(pid):
    processes = tree(pid)
    files = {}
    for process in processes:
        files.update(memory_files(process))
    return sum(map(private_bytes, processes)) + sum(files.values())


def peak_ratio(command, limit):
    """Runs a program that says "ready BYTES", waits for a line, works, says "done"; its peak in units of BYTES."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as program:
        size = expect(program, b"ready")
        # Until every worker has settled, the shares of the pages that they have in common move.
        time.sleep(0.3)
        before = peak = bytes_now(program.pid)
        program.stdin.write(b"go\n")
        end = time.monotonic() + limit
        while not select.select([program.stdout], [], [], 0.001)[0]:
            peak = max(peak, bytes_now(program.pid))
            if time.monotonic() > end:
                program.kill()
                raise Failed(f"no end after {limit} s: {command}")
        expect(program, b"done")
        peak = max(peak, bytes_now(program.pid))
        program.stdin.write(b"end\n")
        if program.wait(limit) != 0:
            raise Failed(f"status {program.returncode}: {command}")
    return (peak - before) / size
