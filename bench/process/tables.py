"""The table of this benchmark: a row for each work, Salp beside its target and its peers.

SPDX-License-Identifier: MIT
"""

from common.peers import PeerReport

PRIVATE, PLAIN, PYTHON = "Salp, private", "plain C", "Python"


class ProcessReport(PeerReport):
    def __init__(self, facts):
        super().__init__("Processes, and what they share: Salp and its peers", facts, (PRIVATE, PLAIN, PYTHON), [
            "Behind each peer's figure: how many times Salp's it is. All programs of a row are held on so many",
            "processors as it says; of two that work together, each is held on one of its own then. The target “bare",
            "pipe × 10” is a speed: ten times as fast at least. Round trips are awake in close succession, where who",
            "can waits awake, and asleep after a pause of 1 ms. The ring and the single futex are shared memory",
            "without all that makes it safe; copying alone is one process that copies in while another copies out,",
            "neither ever waiting for the other. Salp's private objects are the same ones, between the threads of",
            "one process."])
