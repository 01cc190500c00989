"""What every benchmark does: finds its programs, runs them in turn, and says what was measured where.

A benchmark is bench/NAME/run: groups of rows, each a function that runs programs and reports.

SPDX-License-Identifier: MIT
"""

import argparse
import datetime
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIMIT = 120  # seconds for one run of one program: far more than any needs


class Failed(Exception):
    """A program that computed a wrong result, crashed or did not end."""


class OtherLoad:
    """What everybody else did meanwhile: the share of the processors' time that was used by no program of ours."""

    def __init__(self):
        self.start = self.used()

    @staticmethod
    def used():
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(tick) for tick in file.readline().split()[1:9]]
        tick = os.sysconf("SC_CLK_TCK")
        idle = (ticks[3] + ticks[4]) / tick
        own = 0.0
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            usage = resource.getrusage(who)
            own += usage.ru_utime + usage.ru_stime
        return sum(ticks) / tick, idle, own

    def share(self):
        total, idle, own = (now - then for now, then in zip(self.used(), self.start))
        return max(0.0, (total - idle - own) / total)


def arguments(purpose):
    """The parser of what every benchmark can be told."""
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("build", metavar="BUILD_DIR")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--save", action="store_true")
    return parser


def processors(count):
    """Something to call in a new process: it stays on one processor, or on two that are far from each other."""
    allowed = sorted(os.sched_getaffinity(0))
    chosen = {allowed[-1]} if count == 1 else {allowed[0], allowed[-1]}
    return lambda: os.sched_setaffinity(0, chosen)


class Bench:
    """Where the programs are, and how to run them in turn."""

    def __init__(self, name, options):
        self.name = name
        self.options = options
        self.build = Path(options.build).resolve()
        self.rounds = 1 if options.quick else 6
        self.warm_up = 0 if options.quick else 1

    def program(self, name, needed=True):
        path = self.build / "bench" / name
        if path.exists():
            return str(path)
        if needed:
            sys.exit(f"run: {path} is not there: build it first (ninja -C {self.options.build})")
        return None

    def run(self, command, before=None):
        """One run of one program: its lines "name number" as {name: [numbers]}."""
        try:
            ended = subprocess.run(command, stdout=subprocess.PIPE, timeout=LIMIT, check=False, preexec_fn=before)
        except subprocess.TimeoutExpired as hung:
            raise Failed(f"no end after {LIMIT} s: {' '.join(command)}") from hung
        if ended.returncode != 0:
            raise Failed(f"status {ended.returncode}: {' '.join(command)}")
        found = {}
        for line in ended.stdout.decode().splitlines():
            name, value = line.split()
            found.setdefault(name, []).append(int(value))
        return found

    def in_turn(self, title, commands, rounds=None, before=None):
        """Runs the commands {label: command} in turn; {label: {name: [the median of each round]}}.

        A command that is None, of a program that is not built, is left out. `before` is called in each program's
        process before it becomes the program.
        """
        print(f"{title} ...", file=sys.stderr, flush=True)
        commands = {label: command for label, command in commands.items() if command}
        found = {label: {} for label in commands}
        labels = list(commands)
        for turn in range(rounds or self.rounds):
            for label in labels:
                lines = self.run(commands[label], before)
                if turn >= self.warm_up:
                    for name, values in lines.items():
                        found[label].setdefault(name, []).append(statistics.median(values))
            labels.append(labels.pop(0))  # nobody is always first
        return found

    # ---- what was measured, where ----

    @staticmethod
    def compiler(program):
        """What has compiled a program that has the case "about"."""
        said = subprocess.run([program, "about"], capture_output=True, text=True, check=True).stdout
        return said.split(" ", 1)[1].strip()

    def about(self, compiler, words=()):
        """Facts for the report, {name: value}; `words` are options that belong to the command."""
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            facts = dict(line.split(":", 1) for line in file if ":" in line)
        facts = {name.strip(): value.strip() for name, value in facts.items()}
        virtual = ", virtual" if "hypervisor" in facts.get("flags", "") else ""
        processors = len(os.sched_getaffinity(0))
        git = ["git", "-C", str(HERE)]
        commit = subprocess.run(git + ["rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
        changes = subprocess.run(git + ["status", "--porcelain", "--untracked-files=no"], capture_output=True,
                                 text=True, check=False)
        name = commit.stdout.strip() if commit.returncode == 0 else "none"
        words = (["--quick"] if self.options.quick else []) + list(words)
        return {
            "date": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %z"),
            "machine": f"{facts.get('model name', platform.machine())}, {processors} processors{virtual}",
            "kernel": f"{platform.system()} {platform.release()}",
            "compiler": f"{compiler}, {build_options(self.build)}",
            "commit": name + (" with changes" if changes.stdout.strip() else ""),
            "again": f"`{' '.join([self.again()] + words)}`",
        }

    def again(self):
        """The command that measures once more, as it is typed at the root of the repository."""
        root = HERE.parent.parent
        if self.build == root / "build" / "release":
            return f"./dev bench {self.name}"
        build = self.build.relative_to(root) if self.build.is_relative_to(root) else "BUILD_DIR"
        return f"bench/{self.name}/run {build}"

    def measure(self, report, groups):
        """Calls each group with this and the report, prints the report, saves it if asked; the exit status."""
        start, load = time.monotonic(), OtherLoad()
        failures = 0
        for group in groups:
            try:
                group(self, report)
            except Failed as failure:
                failures += 1
                print(f"run: {failure}", file=sys.stderr)
                report.failed(group.__name__.replace("_", " "), failure)
        report.facts["other programs"] = f"{100 * load.share():.1f} % of the processors' time"
        report.facts["again"] = f"{report.facts.pop('again')} ({time.monotonic() - start:.0f} s)"
        text = report.text(self.rounds - self.warm_up)
        print(text, end="")
        if self.options.save:
            folder = HERE.parent / "results"
            folder.mkdir(exist_ok=True)
            path = folder / f"{self.name}-{datetime.date.today().isoformat()}.md"
            path.write_text(text, encoding="utf-8")
            print(f"saved to {path}", file=sys.stderr)
        return 1 if failures else 0


def build_options(build):
    """How the library was built; a build with sanitizers is not measured."""
    listed = json.loads((build / "meson-info" / "intro-buildoptions.json").read_text(encoding="utf-8"))
    values = {option["name"]: option["value"] for option in listed}
    if values.get("b_sanitize", "none") != "none":
        sys.exit("run: this build has sanitizers: nothing measured on it would mean anything")
    return (f"optimization={values['optimization']}, debug={str(values['debug']).lower()}, "
            f"lto={str(values.get('b_lto', False)).lower()}")


def expect(program, word):
    """The number in the program's next line, which must begin with the word."""
    line = program.stdout.readline().split()
    if line[:1] != [word]:
        program.kill()
        raise Failed(f"said {line} and not {word}: {program.args}")
    return int(line[1])
