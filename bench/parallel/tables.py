"""The tables of this benchmark: a row for each work and number of workers, Salp beside its target and its peers; memory.

SPDX-License-Identifier: MIT
"""

from common.peers import SALP, PeerReport
from common.report import in_units, middle, table

IN_TURN, INLINED, OPENMP, TBB, RAYON = "in turn", "in turn, inlined", "OpenMP", "oneTBB", "Rayon"
PEERS = (IN_TURN, INLINED, OPENMP, TBB, RAYON)


def size(values):
    """Bytes, in the units of 1000."""
    return in_units(middle(values), (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)), "bytes")


class ParallelReport(PeerReport):
    def __init__(self, facts):
        super().__init__("Fork and join, and loops: Salp and its peers", facts, PEERS, [
            "Behind each peer's figure: how many times Salp's it is. All programs of a row have so many workers, and are",
            "held on so many processors, as it says; what runs in turn has one always. “In turn” is the same recursion",
            "without forks, where the compiler may not put calls into each other; “inlined” it may. “Scaled”: the peer",
            "did less of the same work, in which all parts are alike, and its time is multiplied accordingly. All is",
            "compiled for the processor at hand with -O3; the innermost loops are the same code in all programs."])
        self.peaks = []

    def memory(self, title, peaks):
        """{label: [bytes]}: the most that each program had."""
        self.peaks.append((title,) + tuple(size(peaks[column]) if column in peaks else ""
                                           for column in (SALP,) + PEERS))

    def sections(self):
        return super().sections() + ["", "## Memory", "", "The most that each program had, with its data and its code.",
                                     ""] + table(("work", SALP) + PEERS, self.peaks)
