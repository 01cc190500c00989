"""What reports of benchmarks are made of: numbers, tables, and the lines that say where and how.

SPDX-License-Identifier: MIT
"""

import statistics


def middle(values):
    return statistics.median(values) if isinstance(values, list) else values


def nanoseconds(values):
    """A time in the unit that suits it: "0.71 ns", "12.7 µs", "5.7 ms"."""
    return in_units(middle(values), (("s", 1e9), ("ms", 1e6), ("µs", 1e3)), "ns")


def in_units(value, units, least):
    for unit, size in units:
        if abs(value) >= size:
            return f"{number(value / size)} {unit}"
    return f"{number(value)} {least}"


def number(value):
    """Three digits that count or so, without an exponent."""
    for limit, digits in ((99.95, 0), (9.995, 1), (0.0995, 2)):
        if abs(value) >= limit:
            return f"{value:.{digits}f}"
    return f"{value:.4f}" if value else "0"


def spread(values):
    """The median with the lowest and the highest."""
    text = number(statistics.median(values))
    return text if len(values) == 1 else f"{text} ({number(min(values))} to {number(max(values))})"


def verdict(held):
    return "" if held is None else "yes" if held else "**no**"


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


class Report:
    """A page of Markdown: a title, facts {name: value}, and what the benchmark has to say in sections()."""

    def __init__(self, title, facts):
        self.title = title
        self.facts = facts

    def text(self, pairs):
        lines = [f"# {self.title}", ""]
        lines += [f"- {name}: {value}" for name, value in self.facts.items()]
        lines += ["", f"Programs run in turn, in one go, {pairs} times; each time is the median, each ratio the median "
                  "of the ratios of", "one turn, with the lowest and the highest.", ""]
        return "\n".join(lines + self.sections()) + "\n"
