"""The tables of a benchmark: rows of what was measured, beside the peer and the target.

SPDX-License-Identifier: MIT
"""

import statistics


def nanoseconds(values):
    """A time in the unit that suits it: "0.71 ns", "12.7 µs", "5.7 ms"."""
    value = statistics.median(values) if isinstance(values, list) else values
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(value) >= size:
            return f"{number(value / size)} {unit}"
    return f"{number(value)} ns"


def number(value):
    """Three digits that count, without an exponent."""
    magnitude = abs(value)
    return f"{value:.0f}" if magnitude >= 99.95 else f"{value:.1f}" if magnitude >= 9.995 else f"{value:.2f}"


def spread(values):
    """The median with the lowest and the highest."""
    middle = number(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({number(min(values))} to {number(max(values))})"


class Report:
    """Collects rows, and prints them as Markdown."""

    def __init__(self, facts):
        self.facts = facts
        self.rows = []
        self.loops = []

    def row(self, work, ours, peer, ratio, target, held):
        verdict = "" if held is None else "yes" if held else "**no**"
        self.rows.append((work, ours, peer, ratio, target, verdict))

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

    def text(self, pairs, duration, other_load):
        facts = self.facts
        lines = [
            "# Pools: Salp and its peers",
            "",
            f"- date: {facts['date']}",
            f"- machine: {facts['machine']}",
            f"- kernel: {facts['kernel']}",
            f"- compiler: {facts['compiler']}; Python {facts['python']}",
            f"- commit: {facts['commit']}",
            f"- workers: {facts['workers']} in every program; other programs took {100 * other_load:.1f} % of the processors' time",
            f"- again: `{facts['again']}` ({duration:.0f} s)",
            "",
            f"Programs run in turn, in one go, {pairs} times; each time is the median, each ratio the median of the ratios of",
            "one turn, with the lowest and the highest.",
            "",
        ]
        lines += table(("work", "Salp", "peer", "measured", "target", "held"), self.rows)
        lines += ["", "## Loops", "",
                  "The time of one whole map or loop; in brackets its ratio to OpenMP's dynamic schedule (chunks of one",
                  "item) in the same round. Salp's chunks are chosen by itself, or of one item.", ""]
        lines += table(("items", "shape", "in line", "OpenMP static", "OpenMP dynamic", "OpenMP guided", "threads",
                        "threads, chunk 1", "processes", "processes, chunk 1"), self.loops)
        return "\n".join(lines) + "\n"


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]
