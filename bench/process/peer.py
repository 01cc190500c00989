#!/usr/bin/python3
"""The peers in Python: multiprocessing's processes, queues, pipes, locks and semaphores.

    peer.py CASE name=value...

Measures what process-plain measures (the cases are told in measure.h) and prints the same lines.

  start how=fork|forkserver|spawn
  stream over=Queue|SimpleQueue|Pipe, echo over=...
  lock of=Lock|Semaphore

SPDX-License-Identifier: MIT
"""

import multiprocessing
import os
import platform
import sys
import time

END = -1  # the number of the last message of one time
OPTIONS = {}


def option(name, otherwise):
    return int(OPTIONS.get(name, otherwise))


def end_of_time(start):
    return start + 1000000 * option("milliseconds", 50)


def say(name, nanoseconds, count):
    print(name, 1000 * nanoseconds // count, flush=True)


# ---- two sides that work together ----


def play(number, side, together, results):
    """One side: sends what it did in each time, as (start, end, count, nanoseconds that it took itself or 0)."""
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {allowed[-1 if number else 0]})
    done = []
    for _ in range(1 + option("times", 3)):
        together.wait()
        start = time.monotonic_ns()
        count, nanoseconds = side(number, end_of_time(start))
        done.append((start, time.monotonic_ns(), count, nanoseconds))
    results.send(done)


def both(name, side):
    together = multiprocessing.Barrier(2)
    ends, processes = [], []
    for number in range(2):
        ours, theirs = multiprocessing.Pipe(duplex=False)
        processes.append(multiprocessing.Process(target=play, args=(number, side, together, theirs), daemon=True))
        processes[-1].start()
        theirs.close()
        ends.append(ours)
    times = list(zip(*(end.recv() for end in ends)))
    for process in processes:
        process.join()
        assert process.exitcode == 0
    for (start, end, count, taken), (other_start, other_end, other_count, other_taken) in times[1:]:
        say(name, taken + other_taken or max(end, other_end) - min(start, other_start), count + other_count)


# ---- messages ----


class Queues:
    """A queue of multiprocessing for each direction."""

    def __init__(self, queues):
        self.queues = queues

    def send(self, number, message):
        self.queues[number].put(message)

    def receive(self, number):
        return self.queues[1 - number].get()


class Pipe:
    """A pipe of multiprocessing, in the way that is quickest there: bytes that need not be pickled."""

    def __init__(self):
        self.ends = multiprocessing.Pipe()

    def send(self, number, message):
        self.ends[number].send_bytes(message)

    def receive(self, number):
        return self.ends[number].recv_bytes()


def open_link():
    over, capacity = OPTIONS["over"], option("capacity", 1024)
    if over == "Queue":
        return Queues([multiprocessing.Queue(capacity) for _ in range(2)])
    if over == "SimpleQueue":
        return Queues([multiprocessing.SimpleQueue() for _ in range(2)])
    assert over == "Pipe", f"messages are not sent over={over} here"
    return Pipe()


class Messages:
    """Messages with a number: made before, in a few kinds, as making one of a MiB takes longer than sending it."""

    KINDS = 16

    def __init__(self):
        self.link = open_link()
        filling = b"Z" * (option("size", 8) - 16)
        self.made = {number: self.text(number) + filling + self.text(number)[:option("size", 8) - 8]
                     for number in range(END, self.KINDS)}

    @staticmethod
    def text(number):
        return number.to_bytes(8, "little", signed=True)

    def send(self, side, number):
        self.link.send(side, self.made[number if number == END else number % self.KINDS])

    def receive(self, side, expected):
        """Whether it was a message, and not the end."""
        message = self.link.receive(side)
        assert len(message) == option("size", 8) and message[-8:] == message[:8]
        number = int.from_bytes(message[:8], "little", signed=True)
        assert number in (END, expected % self.KINDS)
        return number != END


def case_stream():
    messages = Messages()

    def produce_or_consume(side, until):
        count = 0
        if side == 0:
            while not count or time.monotonic_ns() < until:
                messages.send(side, count)
                count += 1
            messages.send(side, END)
            return 0, 0
        while messages.receive(side, count):
            count += 1
        return count, 0

    both("stream", produce_or_consume)


def case_echo():
    messages, pause = Messages(), option("pause", 0) / 1e6

    def ask(until):
        count = taken = 0
        while not count or time.monotonic_ns() < until:
            if pause:
                time.sleep(pause)
                start = time.monotonic_ns()
            messages.send(0, count)
            assert messages.receive(0, count + 1)
            if pause:
                taken += time.monotonic_ns() - start
            count += 1
        messages.send(0, END)
        return count, taken

    def ask_or_answer(side, until):
        if side == 0:
            return ask(until)
        count = 0
        while messages.receive(side, count):
            count += 1
            messages.send(side, count)
        return 0, 0

    both("echo", ask_or_answer)


# ---- locks ----


def case_lock():
    lock = {"Lock": multiprocessing.Lock, "Semaphore": multiprocessing.Semaphore}[OPTIONS["of"]]()
    counted = multiprocessing.RawValue("q", 0)
    claims = multiprocessing.RawArray("q", 2)
    alone = option("by", 1) == 1

    def fight(side, until):
        if side == 1 and alone:
            return 0, 0
        done = 0
        while not done or done % 256 or time.monotonic_ns() < until:
            lock.acquire()
            counted.value += 1
            lock.release()
            done += 1
        claims[side] += done
        return done, 0

    both("lock", fight)
    assert counted.value == sum(claims)


# ---- starting ----


def end_with(status):
    sys.exit(status)


def case_start():
    context = multiprocessing.get_context(OPTIONS["how"])
    memory = b"Z" * (option("resident", 0) << 20)
    for turn in range(1 + option("times", 3)):
        count, start = 0, time.monotonic_ns()
        until = end_of_time(start)
        while not count or time.monotonic_ns() < until:
            process = context.Process(target=end_with, args=(count % 100,))
            process.start()
            process.join()
            assert process.exitcode == count % 100
            count += 1
        if turn > 0:
            say("start", time.monotonic_ns() - start, count)
    assert len(memory) == option("resident", 0) << 20


def main():
    if sys.argv[1] == "about":
        print(f"Python {platform.python_version()}")
        return
    OPTIONS.update(word.split("=", 1) for word in sys.argv[2:])
    {"stream": case_stream, "echo": case_echo, "lock": case_lock, "start": case_start}[sys.argv[1]]()


if __name__ == "__main__":
    main()
