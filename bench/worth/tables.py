"""The tables of this benchmark: predicted against measured, for each kind of work.

SPDX-License-Identifier: MIT
"""

import statistics

from common.report import Report, nanoseconds, number, table, verdict

LIMIT = 1.15  # times the best time that was measured


def title(plan):
    way, workers = plan
    if way == "inline":
        return "in line"
    return f"{workers} {way}" if workers > 1 else {"threads": "1 thread", "processes": "1 process"}[way]


class WorthReport(Report):
    def __init__(self, facts):
        super().__init__("Worth: what was predicted, and what happened", facts)
        self.rows = []
        self.plans = []
        self.failures = []
        self.choices = []  # of each round of each work: how many times the best time
        self.within = []   # of each plan in each round: whether it took between low and high
        self.off = []      # the same: predicted / measured

    def failed(self, work, failure):
        self.failures.append(f"{work}: {failure}")

    def add(self, text, kept, found):
        """`found` is what the program has printed: {name: [a number for each round]}."""
        plans = {}
        for name, values in found.items():
            words = name.split(".")
            if len(words) == 3 and words[0] != "chosen":
                plans.setdefault((words[0], int(words[1])), {})[words[2]] = values
        chosen = {}
        for name, values in found.items():
            words = name.split(".")
            if words[0] == "chosen":
                chosen[(words[1], int(words[2]))] = len(values)
        measured = {plan: statistics.median(values["measured"]) for plan, values in plans.items()}
        best = min(measured, key=measured.get)
        ratios = [measured[plan] / measured[best] for plan, times in chosen.items() for _ in range(times)]
        self.choices += ratios
        work = f"{text}{', pool kept' if kept else ''}"
        most = max(chosen, key=chosen.get)
        said = title(most) + (f" ({chosen[most]} of {len(ratios)})" if len(chosen) > 1 else "")
        share = sum(ratio <= LIMIT for ratio in ratios) / len(ratios)
        self.rows.append((work, said, nanoseconds(plans[most]["predicted"]), nanoseconds(plans[most]["measured"]),
                          title(best), nanoseconds(measured[best]), number(statistics.median(ratios)),
                          verdict(statistics.median(ratios) <= LIMIT) + ("" if share in (0, 1) else f" ({share:.0%})"),
                          nanoseconds(found["sample"])))
        for plan, values in plans.items():
            predicted = statistics.median(values["predicted"])
            inside = [low <= time <= high for low, time, high in zip(values["low"], values["measured"], values["high"])]
            self.within += inside
            self.off.append(predicted / measured[plan])
            self.plans.append((work, title(plan), nanoseconds(predicted),
                               f"{nanoseconds(values['low'])} to {nanoseconds(values['high'])}",
                               nanoseconds(measured[plan]), number(predicted / measured[plan])))

    def sections(self):
        lines = ["The choice, of all ways that were tried; predicted / measured is below, for each of them.", ""]
        lines += table(("work", "chosen", "predicted", "measured", "best", "measured", "chosen / best",
                        f"≤ {LIMIT:g}", "asking took"), self.rows)
        held = sum(ratio <= LIMIT for ratio in self.choices)
        lines += ["", f"{held} of {len(self.choices)} choices held. {sum(self.within)} of {len(self.within)} times were "
                  "where they were said to be; half of the predictions are between "
                  f"{' and '.join(number(x) for x in quartiles(self.off))} times what was measured."]
        lines += [f"- failed: {failure}" for failure in self.failures]
        lines += ["", "## All ways", ""]
        return lines + table(("work", "way", "predicted", "probably between", "measured", "predicted / measured"),
                             self.plans)


def quartiles(values):
    if len(values) < 2:
        return values or [1.0]
    cuts = statistics.quantiles(values, n=4)
    return [cuts[0], cuts[2]]
