# SPDX-License-Identifier: MIT
"""Journals for tests, written by tests/cli/journal_sample.c, which tells the form of a line."""

import subprocess

BEGIN = 1700000000 * 10 ** 9


def _hex(text):
    return "-" if text is None else (text if isinstance(text, bytes) else text.encode("utf-8")).hex()


def attempt(how="final", number=1, slot=1, attempt=1, state="done", exit=0, signal=0, error=0, started=0, wall=0, user=0,
            system=0, memory=0, line=None, out=None, err=None, values=(), block=None):
    """A line of input. `started` counts from some moment of 2023; texts are str or bytes."""
    fields = [how, number, slot, attempt, state, exit, signal, error, BEGIN + started, wall, user, system, memory,
              _hex(line), _hex(out or None), _hex(err or None)]
    fields += [_hex(value) for value in values] + ([] if block is None else ["=" + block.hex()])
    return "\t".join(str(field) for field in fields).encode() + b"\n"


def write(sample, path, lines, words=(), how="new", slots=1, memory=0):
    """Runs journal_sample to its end."""
    return subprocess.run([sample, path, how, str(slots), str(memory), *words], input=b"".join(lines),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
