"""The table of this benchmark: a row for each work, Salp beside its target and its peers.

SPDX-License-Identifier: MIT
"""

from common.peers import PeerReport
from common.report import in_units, middle, number

SHARED, ALONE = "shared library", "no other thread"
PEERS = ("Go", "GLib", "libuv", "pthreads")


def size(values):
    """Bytes, in the units of 1000."""
    return in_units(middle(values), (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)), "bytes")


def plain(values):
    return number(middle(values))


class TaskReport(PeerReport):
    def __init__(self, facts):
        super().__init__("Tasks: Salp and its peers", facts, (SHARED, ALONE) + PEERS, [
            "Behind each peer's figure: how many times Salp's it is. All programs of a row are held on so many",
            "processors as it says. Every program has more than one thread, be it one that sleeps; what Salp takes in",
            "a program that never had a second one is beside it, as is Salp's shared library."])
