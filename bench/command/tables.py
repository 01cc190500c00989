"""The table of this benchmark: a row for each work, Salp beside its target and its peers.

SPDX-License-Identifier: MIT
"""

import statistics

from common.peers import SALP, PeerReport, column_of
from common.report import in_units, middle

MAKE, MOREUTILS, XARGS, GNU, PLAIN = "make", "moreutils", "xargs", "GNU parallel", "plain"


def memory(values):
    return in_units(middle(values), (("MiB", 1 << 20), ("KiB", 1 << 10)), "bytes")


class TimesFastest:
    """A target: so many times the time of whichever other program is the fastest, at most. In the median of the rounds."""

    def __init__(self, factor):
        self.factor = factor

    def text(self, _):
        return f"≤ {self.factor:g} × the fastest" if self.factor != 1 else "≤ the fastest"

    def held(self, ours, found):
        others = [values for label, values in found.items() if column_of(label) != SALP]
        if not others:
            return None
        fastest = min(others, key=statistics.median)
        return statistics.median(a / b for a, b in zip(ours, fastest)) <= self.factor


class CommandReport(PeerReport):
    def __init__(self, facts):
        super().__init__("The command: salp map and its peers", facts, (MAKE, MOREUTILS, XARGS, GNU, PLAIN), [
            "Behind each peer's figure: how many times Salp's it is. All run two jobs at a time. “Kept” is with grouped",
            "and ordered output and a journal on the disk; of GNU parallel with -k and --joblog. xargs and make do not",
            "group what jobs write, so they have no place where there is output. What is written goes to a file on the",
            "disk, or through a pipe to cat, which writes that file. Plain: cat of the same files, tr of the same lines,",
            "in one process. From file to file cat has the system copy (copy_file_range); jobs write into pipes, and what",
            "that costs without any jobs shows cat to cat."])
