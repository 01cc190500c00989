"""The table of this benchmark: a row for each work, Salp beside its target and its peers.

SPDX-License-Identifier: MIT
"""

import statistics

from common.report import Report, in_units, middle, nanoseconds, number, spread, table, verdict

SALP, SHARED, ALONE = "Salp", "shared library", "no other thread"
PEERS = ("Go", "GLib", "libuv", "pthreads")


def size(values):
    """Bytes, in the units of 1000."""
    return in_units(middle(values), (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)), "bytes")


def plain(values):
    return number(middle(values))


class AtMost:
    """A target: so much at most."""

    def __init__(self, limit):
        self.limit = limit

    def text(self, unit):
        return "≤ " + unit(self.limit).replace(".00", "").replace(".0 ", " ")

    def held(self, ours, _):
        return statistics.median(ours) <= self.limit


class TimesAsFast:
    """A target: so many times as fast as a peer, in the median of the rounds."""

    def __init__(self, peer, factor):
        self.peer = peer
        self.factor = factor

    def text(self, _):
        return f"{self.peer} × {self.factor:g}" if self.factor != 1 else f"≤ {self.peer}"

    def held(self, ours, found):
        theirs = [values for label, values in found.items() if label.split(":")[0] == self.peer]
        if not theirs:
            return None
        return all(statistics.median(b / a for a, b in zip(ours, values)) >= self.factor for values in theirs)


class TaskReport(Report):
    """Collects rows. What was found is {label: [one value for each round]}; a label is "column" or "column: variant"."""

    def __init__(self, facts):
        super().__init__("Tasks: Salp and its peers", facts)
        self.rows = []

    def failed(self, work, failure):
        self.rows.append((work, "", f"failed: {failure}", "", "**no**") + ("",) * (2 + len(PEERS)))

    def work(self, title, found, target=None, salp=SALP, unit=nanoseconds, on=1):
        """Salp's values have the label `salp`, other variants of Salp have rows of their own; on so many processors."""
        ours = found[salp]

        def cell(column):
            return "; ".join(self.against(ours, values, unit, label) for label, values in found.items()
                             if label.split(":")[0] == column)

        self.rows.append((title, str(on), unit(ours), target.text(unit) if target else "",
                          verdict(target.held(ours, found)) if target else "")
                         + tuple(cell(column) for column in (SHARED, ALONE) + PEERS))

    @staticmethod
    def against(ours, theirs, unit, label):
        variant = label.partition(": ")[2]
        text = f"{variant}: {unit(theirs)}" if variant else unit(theirs)
        if all(ours) and all(theirs):
            text += f" × {spread([b / a for a, b in zip(ours, theirs)])}"
        return text

    def sections(self):
        lines = ["Behind each peer's figure: how many times Salp's it is. All programs of a row are held on so many",
                 "processors as it says. Every program has more than one thread, be it one that sleeps; what Salp takes in",
                 "a program that never had a second one is beside it, as is Salp's shared library.", ""]
        return lines + table(("work", "on", SALP, "target", "held", SHARED, ALONE) + PEERS, self.rows)
