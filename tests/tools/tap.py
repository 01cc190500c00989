# SPDX-License-Identifier: MIT
"""TAP for the tests that are Python scripts."""

import signal
import subprocess
import sys

# Programs that are tried get signals as at a terminal, also where the tests run in the background of a script.
signal.pthread_sigmask(signal.SIG_SETMASK, [])
signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(_number, signal.SIG_DFL)

_failed = 0
_count = 0


def check(name, passed, *explanation):
    """One test. The explanation is shown when it failed."""
    global _failed, _count
    _count += 1
    print("%s %d - %s" % ("ok" if passed else "not ok", _count, name))
    if not passed:
        _failed += 1
        for text in explanation:
            for line in str(text).splitlines():
                print("# " + line)
    sys.stdout.flush()


def skip(name, reason):
    global _count
    _count += 1
    print("ok %d - %s # SKIP %s" % (_count, name, reason), flush=True)


def run(*command, **options):
    """Runs a command; returns its exit status and its output, standard error included."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          errors="replace", **options)
    return done.returncode, done.stdout


def done():
    print("1..%d" % _count)
    sys.exit(1 if _failed or not _count else 0)
