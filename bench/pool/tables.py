"""The tables of this benchmark: rows of what was measured, beside the peer and the target; and loops.

SPDX-License-Identifier: MIT
"""

import statistics

from common.report import Report, nanoseconds, number, spread, table, verdict


class PoolReport(Report):
    """Collects rows, and prints them as Markdown."""

    def __init__(self, facts):
        super().__init__("Pools: Salp and its peers", facts)
        self.rows = []
        self.loops = []

    def failed(self, work, failure):
        self.row(work, f"failed: {failure}", "", "", "", False)

    def row(self, work, ours, peer, ratio, target, held):
        self.rows.append((work, ours, peer, ratio, target, verdict(held)))

    def slower(self, work, ours, peer, theirs, target):
        """Salp's time as a multiple of the peer's: at most the target."""
        ratios = [a / b for a, b in zip(ours, theirs)]
        self.row(work, nanoseconds(ours), f"{peer} {nanoseconds(theirs)}", f"time × {spread(ratios)}",
                 f"≤ {target:g}" if target else "", statistics.median(ratios) <= target if target else None)

    def faster(self, work, ours, peer, theirs, target):
        """How many times as fast as the peer: at least the target."""
        ratios = [b / a for a, b in zip(ours, theirs)]
        self.row(work, nanoseconds(ours), f"{peer} {nanoseconds(theirs)}", f"speed × {spread(ratios)}",
                 f"≥ {target:g}" if target else "", statistics.median(ratios) >= target if target else None)

    def more(self, work, ours, peer, theirs, target):
        """How much longer than the peer: at most so many nanoseconds, when there is a target."""
        differences = [a - b for a, b in zip(ours, theirs)]
        middle, low, high = statistics.median(differences), min(differences), max(differences)
        text = f"{nanoseconds(middle)} more"
        if len(differences) > 1:
            text += f" ({nanoseconds(low)} to {nanoseconds(high)})"
        self.row(work, nanoseconds(ours), f"{peer} {nanoseconds(theirs)}", text,
                 "" if target is None else f"≤ {nanoseconds(target)} more", None if target is None else middle <= target)

    def loop(self, length, shape, times):
        """A row of the table of loops: times, and ratios to OpenMP's dynamic schedule."""
        def cell(label):
            if label not in times:
                return "not built"
            if "dynamic" not in times or label == "dynamic":
                return nanoseconds(times[label])
            ratio = statistics.median(a / b for a, b in zip(times[label], times["dynamic"]))
            return f"{nanoseconds(times[label])} ({number(ratio)})"

        columns = ("in line", "static", "dynamic", "guided", "threads", "threads, chunk 1", "processes",
                   "processes, chunk 1")
        self.loops.append((length, shape) + tuple(cell(label) for label in columns))

    def sections(self):
        lines = table(("work", "Salp", "peer", "measured", "target", "held"), self.rows)
        lines += ["", "## Loops", "",
                  "The time of one whole map or loop; in brackets its ratio to OpenMP's dynamic schedule (chunks of one",
                  "item) in the same round. Salp's chunks are chosen by itself, or of one item.", ""]
        return lines + table(("items", "shape", "in line", "OpenMP static", "OpenMP dynamic", "OpenMP guided",
                              "threads", "threads, chunk 1", "processes", "processes, chunk 1"), self.loops)
