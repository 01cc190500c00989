"""How each program is told to do each work: its words, and what it gets as standard input.

SPDX-License-Identifier: MIT
"""

import os
import shlex
from pathlib import Path

SLOTS = 2


class Work:
    """A folder with what a case needs: lists, files, a makefile; what is written there is gone with it."""

    def __init__(self, folder, count, size, salp, function):
        self.folder = Path(folder)
        self.count = count
        self.size = size
        self.salp = salp
        self.function = function

    def path(self, name):
        return str(self.folder / name)

    def list(self, lines):
        with open(self.path("list"), "w", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in lines)
        return self.path("list")

    def makefile(self, lines):
        """A target for each line, which is its recipe."""
        with open(self.path("Makefile"), "w", encoding="ascii") as file:
            file.write("all:" + "".join(f" {number}" for number in range(len(lines))) + "\n")
            for number, line in enumerate(lines):
                file.write(f"{number}:\n\t@{line}\n")
        return ["make", "--silent", f"-j{SLOTS}", "-f", self.path("Makefile")]

    # The programs, so that they run so many jobs at a time. What follows is the command.

    def salp_map(self, *options):
        return [self.salp, "map", f"-j{SLOTS}", *options]

    @staticmethod
    def xargs(*options):
        return ["xargs", "-d", "\n", f"-P{SLOTS}", *options]

    @staticmethod
    def moreutils():
        return ["parallel.moreutils", f"-j{SLOTS}"]

    @staticmethod
    def gnu(*options):
        return ["perl", "/usr/bin/parallel", "--will-cite", f"-j{SLOTS}", *options]


# ---- the works: each returns (the command's words, the file that is its standard input or None) ----


def true(work, peer):
    """Each input a run of /bin/true with that input: without an argument it does less."""
    numbers = [str(number) for number in range(work.count)]
    if peer == "make":
        return work.makefile([f"/bin/true {number}" for number in numbers]), None
    if peer == "moreutils":
        return [*work.moreutils(), "/bin/true", "--", *numbers], None
    ways = {
        "salp": work.salp_map(),
        "salp-kept": work.salp_map("-k", "--journal", work.path("journal")),
        "salp-ordered": work.salp_map("-k"),
        "salp-one": [work.salp, "map", "-j1"],
        "xargs": work.xargs("-n1"),
        "gnu": work.gnu(),
        "gnu-kept": work.gnu("-k", "--joblog", work.path("joblog")),
    }
    return [*ways[peer], "/bin/true"], work.list(numbers)


def shell(work, peer):
    """Each input a line for the shell."""
    lines = [f"test {number} -ge 0 && :" for number in range(work.count)]
    if peer == "make":
        return work.makefile(lines), None
    if peer == "moreutils":
        return [*work.moreutils(), "--", *lines], None
    ways = {"salp": work.salp_map(), "xargs": [*work.xargs("-n1"), "/bin/sh", "-c"], "gnu": work.gnu()}
    return ways[peer], work.list(lines)


def long(work, peer):
    """Each input is long."""
    lines = ["x" * work.size] * work.count
    ways = {"salp": work.salp_map(), "xargs": work.xargs("-n1"), "gnu": work.gnu()}
    return [*ways[peer], "/bin/true"], work.list(lines)


def output(work, peer):
    """Files that the jobs write out, and that are to stand one behind another, unmixed."""
    names = []
    for number in range(work.count):
        names.append(work.path(f"file{number}"))
        # Each byte tells the file: so it is seen where one is torn.
        Path(names[-1]).write_bytes(bytes([number % 251 + 1]) * (work.size - 1) + b"\n")
    ways = {"salp": work.salp_map(), "salp-ordered": work.salp_map("-k"), "xargs": work.xargs("-n1"), "gnu": work.gnu()}
    if peer == "cat":
        return ["cat", *names], None
    if peer == "cat-cat":
        return ["/bin/sh", "-c", 'cat "$@" | cat', "sh", *names], None
    return [*ways[peer], "cat"], work.list(names)


def function(work, peer):
    """Lines, of which each is to come out with its letters changed."""
    lines = work.list(f"line number {number}" for number in range(work.count))
    ways = {
        "salp": work.salp_map("-k", "--function", work.function),
        "salp-threads": work.salp_map("-k", "--threads", "--function", work.function),
        "tr": ["tr", "a-z", "A-Z"],
        "gnu": work.gnu("-k", "--pipe", "tr", "a-z", "A-Z"),
    }
    return ways[peer], lines


def waiting(work, peer):
    """A list of so many lines, of which none but the first ones are begun. The command is told by the case."""
    ways = {"salp": work.salp_map(), "salp-bar": work.salp_map("--bar"), "xargs": work.xargs("-n1"), "gnu": work.gnu()}
    return ways[peer], work.list(range(work.count))


WORKS = {"true": true, "shell": shell, "long": long, "output": output, "function": function, "waiting": waiting}


def quoted(words):
    return shlex.join(words[:12]) + (" ..." if len(words) > 12 else "")


def found(program):
    """Whether a program is there."""
    return any(os.access(os.path.join(folder, program), os.X_OK) for folder in os.environ["PATH"].split(":"))
