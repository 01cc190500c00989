"""A table that sets Salp beside its targets and its peers: a row for each work.

What was found is {label: [one value for each round]}; a label is "column" or "column: variant".

SPDX-License-Identifier: MIT
"""

import statistics

from common.report import Report, nanoseconds, spread, table, verdict

SALP = "Salp"


def column_of(label):
    return label.partition(": ")[0]


def times(found, name):
    """{label: [nanoseconds of each round]} of one name that the programs print."""
    return {label: [value / 1000 for value in values[name]] for label, values in found.items() if name in values}


class AtMost:
    """A target: so much at most."""

    def __init__(self, limit):
        self.limit = limit

    def text(self, unit):
        return "≤ " + unit(self.limit).replace(".00", "").replace(".0 ", " ")

    def held(self, ours, _):
        return statistics.median(ours) <= self.limit


class Against:
    """A target that a peer sets: a column, of which every variant counts, or one label."""

    def __init__(self, peer, factor):
        self.peer = peer
        self.factor = factor

    @property
    def name(self):
        return self.peer.partition(": ")[2] or self.peer

    def held(self, ours, found):
        """None if the peer is not there. In the median of the rounds."""
        theirs = [values for label, values in found.items() if self.peer in (label, column_of(label))]
        if not theirs:
            return None
        return all(self.enough(ours, values) for values in theirs)


class TimesAsFast(Against):
    """So many times as fast as the peer at least."""

    def text(self, _):
        return f"{self.name} × {self.factor:g}" if self.factor != 1 else f"≤ {self.name}"

    def enough(self, ours, theirs):
        return statistics.median(b / a for a, b in zip(ours, theirs)) >= self.factor


class TimesAsLong(Against):
    """So many times the peer's time at most."""

    def text(self, _):
        return f"≤ {self.factor:g} × {self.name}"

    def enough(self, ours, theirs):
        return statistics.median(a / b for a, b in zip(ours, theirs)) <= self.factor


class PeerReport(Report):
    """Collects rows. `others` are the columns beside Salp's; `remarks` are lines before the table."""

    def __init__(self, title, facts, others, remarks):
        super().__init__(title, facts)
        self.others = others
        self.remarks = remarks
        self.rows = []

    def failed(self, work, failure):
        self.rows.append((work, "", f"failed: {failure}", "", "**no**") + ("",) * len(self.others))

    def work(self, title, found, *targets, salp=SALP, unit=nanoseconds, on=1):
        """Salp's values have the label `salp`, other variants of Salp have rows of their own; on so many processors."""
        ours = found.get(salp)  # None: not built

        def cell(column):
            return "; ".join(self.against(ours, values, unit, label) for label, values in found.items()
                             if column_of(label) == column and label != salp)

        held = [verdict(target.held(ours, found)) for target in targets if ours]
        self.rows.append((title, str(on), unit(ours) if ours else "not built",
                          ", ".join(target.text(unit) for target in targets), ", ".join(filter(None, held)))
                         + tuple(cell(column) for column in self.others))

    @staticmethod
    def against(ours, theirs, unit, label):
        variant = label.partition(": ")[2]
        text = f"{variant}: {unit(theirs)}" if variant else unit(theirs)
        if ours and all(ours) and all(theirs):
            text += f" × {spread([b / a for a, b in zip(ours, theirs)])}"
        return text

    def sections(self):
        return self.remarks + [""] + table(("work", "on", SALP, "target", "held") + self.others, self.rows)
