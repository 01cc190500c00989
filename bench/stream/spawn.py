#!/usr/bin/python3
"""The peer in Python of commands: subprocess.

    spawn.py run name=value...

The arguments are told in command.h.

SPDX-License-Identifier: MIT
"""

import subprocess
import sys
import time
from collections import deque


def run(argv, count, at_once):
    """Waits for the one that was started first: the module cannot wait for whichever is the next to end."""
    running = deque()
    for _ in range(count):
        if len(running) == at_once:
            end(running.popleft())
        running.append(subprocess.Popen(argv))
    while running:
        end(running.popleft())


def end(command):
    status = command.wait()
    if status != 0:
        sys.exit(f"bench: a command ended with status {status}")


def main():
    assert sys.argv[1] == "run"
    options = {"program": "/bin/true", "count": 500, "at_once": 2, "resident": 0, "times": 3}
    for word in sys.argv[2:]:
        name, value = word.split("=", 1)
        options[name] = type(options[name])(value)
    memory = b"\1" * (options["resident"] << 20)
    for turn in range(1 + options["times"]):
        start = time.monotonic_ns()
        run([options["program"]], options["count"], options["at_once"])
        duration = time.monotonic_ns() - start
        if turn > 0:
            print("command", 1000 * duration // options["count"], flush=True)
    del memory


if __name__ == "__main__":
    main()
