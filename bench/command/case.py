#!/usr/bin/python3
"""case.py WORK PEER SALP [name=value...] - one work, done by one program: how long it took, and its memory.

Prints "wall" (picoseconds; with the work "function" those of a line) for each time; with the work "waiting" instead "first":
from the start of the program to that of its first job, and "memory": bytes at most, of all its processes but the jobs. What came out is
checked each time.

    count=   inputs            size=    bytes of an input's output, or of the input
    times=   how often         to=      "file" or "pipe": where the output goes
    folder=  where all files are: on a disk
    note=    the program that notes its start ("waiting")    function= FILE:NAME ("function")

SPDX-License-Identifier: MIT
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from works import WORKS, Work, quoted  # beside this file


class Wrong(Exception):
    """What came out is not what should have come out."""


def start(command, work, source, target):
    """Spawns it, which costs little, however large we are; in a process group of its own."""
    actions = [(os.POSIX_SPAWN_OPEN, 0, source or os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, target, 1),
               (os.POSIX_SPAWN_OPEN, 2, work.path("errors"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)]
    os.chdir(work.folder)
    # All with the same shell: that of xargs and make is this one.
    environment = dict(os.environ, SHELL="/bin/sh", PARALLEL_SHELL="/bin/sh")
    return os.posix_spawnp(command[0], command, environment, file_actions=actions, setpgroup=0)


def run(command, work, source, to):
    """Nanoseconds of one run, from before its start to its end; with a pipe also to that of its reader."""
    target = os.open(work.path("output"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    reader = None
    if to == "pipe":
        reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=target)
        os.close(target)
        target = os.dup(reader.stdin.fileno())
        reader.stdin.close()
    began = time.monotonic_ns()
    process = start(command, work, source, target)
    os.close(target)
    _, status = os.waitpid(process, 0)
    if reader:
        reader.wait()
    wall = time.monotonic_ns() - began
    if status != 0:
        raise Wrong(f"status {os.waitstatus_to_exitcode(status)}: {quoted(command)}: {errors(work)}")
    return wall


def errors(work):
    """The last of what it has written to standard error."""
    with open(work.path("errors"), "rb") as file:
        return file.read()[-1000:].decode(errors="replace").strip()


def check_output(work, peer):
    """Whole files, each once; in their order where that was asked for."""
    seen = []
    with open(work.path("output"), "rb") as file:
        while piece := file.read(work.size):
            if piece != piece[:1] * (work.size - 1) + b"\n":
                raise Wrong(f"a torn output after {len(seen)} jobs of {peer}")
            seen.append(piece[0])
    expected = [number % 251 + 1 for number in range(work.count)]
    if peer not in ("cat", "cat-cat", "salp-ordered"):
        seen, expected = sorted(seen), sorted(expected)
    if seen != expected:
        raise Wrong(f"{len(seen)} outputs of {peer} are not those of the jobs")


def check_function(work, peer):
    number = 0
    with open(work.path("output"), "rb") as file:
        for number, line in enumerate(file, 1):
            if line != b"LINE NUMBER %d\n" % (number - 1):
                raise Wrong(f"line {number} of {peer}: {line[:100]}")
    if number != work.count:
        raise Wrong(f"{number} lines of {peer}")


def check_nothing(work, peer):
    if os.path.getsize(work.path("output")) != 0:
        raise Wrong(f"{peer} has written something")


CHECKS = {"output": check_output, "function": check_function}


def wait(command, work, source, note):
    """(nanoseconds to the first job's start, bytes of memory) with all inputs waiting behind jobs that do not end."""
    notes = work.path("notes")
    target = os.open(work.path("output"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    began = time.monotonic_ns()
    process = start([*command, note, notes], work, source, target)
    os.close(target)
    while not os.path.exists(notes) or os.path.getsize(notes) == 0:
        time.sleep(0.001)
    # Until it has done all that it wanted to do with its list.
    spent = -1
    while (now := processor_time(process)) != spent:
        spent = now
        time.sleep(0.3)
    memory = sum(map(peak_memory, family(process)))
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    for number in noted(notes, 1):
        stop(number)
    first = min(noted(notes, 0)) - began
    os.unlink(notes)
    return first, memory


def noted(notes, column):
    with open(notes, encoding="ascii") as file:
        return [int(line.split()[column]) for line in file]


def stop(process):
    """A job that its killed program may have left."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pass


def processor_time(process):
    with open(f"/proc/{process}/stat", encoding="ascii") as file:
        return [int(word) for word in file.read().rpartition(")")[2].split()[11:13]]


def family(process):
    """The processes that execute the same program, from that one on: not their jobs."""
    def program(number):
        return os.readlink(f"/proc/{number}/exe")

    members = [process]
    for member in members:
        with open(f"/proc/{member}/task/{member}/children", encoding="ascii") as file:
            members += [child for child in map(int, file.read().split()) if program(child) == program(process)]
    return members


def peak_memory(process):
    with open(f"/proc/{process}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) * 1024


def main():
    name, peer, salp = sys.argv[1:4]
    options = {"count": 1000, "size": 1 << 20, "times": 3, "to": "file", "folder": tempfile.gettempdir(), "note": "",
               "function": ""}
    for word in sys.argv[4:]:
        key, value = word.split("=", 1)
        options[key] = type(options[key])(value)
    folder = tempfile.mkdtemp(prefix="salp-bench-", dir=options["folder"])
    try:
        work = Work(folder, options["count"], options["size"], os.path.abspath(salp), options["function"])
        command, source = WORKS[name](work, peer)
        for _ in range(options["times"]):
            for left in ("journal", "journal-wal", "journal-shm", "joblog"):
                if os.path.exists(work.path(left)):
                    os.unlink(work.path(left))
            if name == "waiting":
                first, memory = wait(command, work, source, options["note"])
                print("first", 1000 * first)
                print("memory", memory, flush=True)
            else:
                wall = run(command, work, source, options["to"])
                CHECKS.get(name, check_nothing)(work, peer)
                print("wall", 1000 * wall // (work.count if name == "function" else 1), flush=True)
    except Wrong as wrong:
        sys.exit(f"bench: {wrong}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
