"""The tables of this benchmark: one for each work, with a row for each program that does it.

What was found is {label: {name: [one value for each round]}}, with times in picoseconds. A target is {label: least
ratio to the reference}: how many times as fast as that.

SPDX-License-Identifier: MIT
"""

import statistics

from common.report import Report, in_units, middle, nanoseconds, number, spread, table, verdict


def rate(values):
    """How many a second, from picoseconds each: "184 k"."""
    each = 1e12 / middle(values)
    return f"{number(each / 1000)} k" if each >= 10000 else number(each)


def mebibytes(values):
    """The same, for those that are a MiB long."""
    return f"{number(1e12 / middle(values))} MiB"


def picoseconds(values, reference):
    """A time, and how many times the reference's it is."""
    text = nanoseconds(middle(values) / 1000)
    return text if values is reference else f"{text} × {spread([a / b for a, b in zip(values, reference)])}"


def thousandths(values, _):
    return number(middle(values) / 1000)


def size(values):
    return in_units(middle(values), (("KiB", 1024),), "bytes").replace(".00 ", " ")


def speeds(ours, reference):
    """How many times as fast as the reference, in each round."""
    return [b / a for a, b in zip(ours, reference)]


class StreamReport(Report):
    """Collects the tables."""

    def __init__(self, facts):
        super().__init__("Streams, commands, files: Salp and its peers", facts)
        self.lines = []

    def work(self, title, heads, rows):
        self.lines += [f"## {title}", ""] + table(heads, rows) + [""]

    def failed(self, work, failure):
        self.lines += [f"## {work}", "", f"**no**: failed: {failure}", ""]

    def skipped(self, work, reason):
        self.lines += [f"## {work}", "", f"Not measured: {reason}.", ""]

    def compared(self, title, found, reference, targets, name="request", unit=rate, others=()):
        """How fast each is, beside the reference; `others` are (head, name of a value, what shows it) for more columns.

        They are shown by a function of the values and the reference's.
        """
        rows = []
        for label, values in found.items():
            ratios = speeds(values[name], found[reference][name])
            target = targets.get(label)
            rows.append((label, unit(values[name]), "" if label == reference else spread(ratios),
                         f"≥ {target:g}" if target else "",
                         verdict(statistics.median(ratios) >= target if target else None))
                        + tuple(show(values[other], found[reference][other]) for _, other, show in others))
        heads = ("program", "a second", f"× {reference}", "target", "held")
        self.work(title, heads + tuple(head for head, _, _ in others), rows)

    def crowded(self, title, alone, crowd, least, most):
        """Without and with many idle connections: at least so much speed is left, each has so much memory at most."""
        rows = []
        for label, values in crowd.items():
            ratios = speeds(values["request"], alone[label]["request"])
            has_targets = label.startswith("Salp")
            rows.append((label, rate(alone[label]["request"]), rate(values["request"]), spread(ratios),
                         f"≥ {least:g}" if has_targets else "",
                         verdict(statistics.median(ratios) >= least if has_targets else None),
                         size(values["idle"]), f"≤ {size(most)}" if has_targets else "",
                         verdict(statistics.median(values["idle"]) <= most if has_targets else None)))
        self.work(title, ("program", "50 alone, a second", "among the idle", "× alone", "target", "held",
                          "memory of one idle", "target", "held"), rows)

    def sections(self):
        return self.lines[:-1]
