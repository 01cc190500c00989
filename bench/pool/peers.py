#!/usr/bin/python3
"""The peers in Python: multiprocessing.Pool and concurrent.futures.ProcessPoolExecutor.

    peers.py CASE pool|executor name=value...

Measures what pool-salp measures, on the same inputs, and prints lines "name number" too.

SPDX-License-Identifier: MIT
"""

import concurrent.futures
import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor


def square(x):
    return x * x


def wait_or_die(item):
    """An item of about a millisecond; the one in the middle kills its worker."""
    if item < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.001)
    return item


class Pool:
    """multiprocessing.Pool with the few calls that are measured."""

    def __init__(self, workers):
        self.pool = multiprocessing.Pool(workers)

    def map(self, count, chunk):
        return self.pool.map(square, range(count), chunk or None)

    def apply(self, x):
        return self.pool.apply(square, (x,))

    def close(self):
        self.pool.close()
        self.pool.join()


class Executor:
    """The same for ProcessPoolExecutor, whose default chunk is 1: it gets the one that Pool would take."""

    def __init__(self, workers):
        self.workers = workers
        self.pool = ProcessPoolExecutor(workers)

    def map(self, count, chunk):
        numbers = range(count)
        return list(self.pool.map(square, numbers, chunksize=chunk or -(-count // (4 * self.workers))))

    def apply(self, x):
        return self.pool.submit(square, x).result()

    def close(self):
        self.pool.shutdown()


def say(name, value):
    print(name, int(value), flush=True)


def case_map(peer, options):
    """Prints "map NANOSECONDS" for each of `maps` maps after a first one."""
    count, chunk = options.get("count", 1000), options.get("chunk", 0)
    expected = [x * x for x in range(count)]
    pool = peer(options.get("workers", 2))
    assert pool.map(1000, 0) == expected[:1000] or count < 1000  # the workers are there
    for turn in range(options.get("first", 1) + options.get("maps", 3)):
        start = time.monotonic_ns()
        result = pool.map(count, chunk)
        duration = time.monotonic_ns() - start
        assert result == expected
        if turn >= options.get("first", 1):
            say("map", duration)
    pool.close()


def case_apply(peer, options):
    """Prints "apply NANOSECONDS", the mean of `calls` calls, `count` times."""
    calls = options.get("calls", 1000)
    pool = peer(options.get("workers", 2))
    for turn in range(1 + options.get("count", 3)):
        start = time.monotonic_ns()
        for x in range(calls):
            assert pool.apply(x) == x * x
        duration = time.monotonic_ns() - start
        if turn > 0:
            say("apply", duration // calls)
    pool.close()


def case_open(peer, options):
    """Prints "open NANOSECONDS" for opening, one apply and closing, `count` times."""
    for turn in range(1 + options.get("count", 10)):
        start = time.monotonic_ns()
        pool = peer(options.get("workers", 2))
        assert pool.apply(turn) == turn * turn
        pool.close()
        duration = time.monotonic_ns() - start
        if turn > 0:
            say("open", duration)


def case_kill(peer, options):
    """Prints "results ITEMS", those that came back within `patience` milliseconds, and "ended 0|1"."""
    count, patience = options.get("count", 400), options.get("patience", 3000) / 1000
    items = list(range(count))
    items[count // 2] = -1
    ended, results = 1, 0
    if peer is Pool:
        pool = multiprocessing.Pool(options.get("workers", 2))
        try:
            results = len(pool.map_async(wait_or_die, items).get(patience))
        except multiprocessing.TimeoutError:
            ended = 0
    else:
        pool = ProcessPoolExecutor(options.get("workers", 2))
        futures = [pool.submit(wait_or_die, item) for item in items]
        done, waiting = concurrent.futures.wait(futures, patience)
        ended = int(not waiting)
        results = sum(future.exception() is None for future in done)
    say("results", results)
    say("ended", ended)
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(0)  # a pool that hangs would hang here too


def main():
    cases = {"map": case_map, "apply": case_apply, "open": case_open, "kill": case_kill}
    peers = {"pool": Pool, "executor": Executor}
    options = {name: int(value) for name, value in (word.split("=", 1) for word in sys.argv[3:])}
    cases[sys.argv[1]](peers[sys.argv[2]], options)


if __name__ == "__main__":
    main()
