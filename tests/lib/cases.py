"""Runs the cases of a test program side by side: most of them wait.

    if __name__ == "__main__":
        cases.main()

With arguments it is unittest.main(), in one process.  Without, each test has a
process of its own; those of a class with setUpClass share one.  What all of
them said comes at the end in the form of unittest, tables in one piece.

How many run at once is one number for all programs which are run with the same
directory $TESTS_SLOTS.  A class with `alone = True` waits until nothing else
runs: what it measures is the whole machine.

With $TESTS_TIMES set, how long each took is told, too.

Beside each test a thread does nothing but sleep.  If the machine woke it up very
late and the test failed, that proves nothing about what was tested: it is said,
and the test is run again.
"""

import faulthandler
import fcntl
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import traceback
import unittest

from lib import table

AT_ONCE = int(os.environ.get("TESTS_AT_ONCE") or 4 * os.cpu_count())
LONGEST = 300  # seconds of a test until it is taken for hung, and says where it is
LATE = 0.1  # seconds; an idle machine wakes a sleeper within 0.005
TRIES = 4
# Seconds after which an end is noticed, and a free slot: by one of all programs,
# of which each that looks too often costs the others time.
LOOK, TRY = 0.03, 0.15


def main():
    if len(sys.argv) > 1:
        unittest.main()
    cases = unittest.defaultTestLoader.loadTestsFromModule(
        sys.modules["__main__"])
    with tempfile.TemporaryDirectory() as own:
        sys.exit(0 if Program(cases, own).run() else 1)


class Outcome:
    """What one process reports.  `bad` are pairs of a heading and a text."""

    def __init__(self):
        self.ran = self.failures = self.errors = self.skipped = 0
        self.bad = []
        self.tables = []
        self.said = ""
        self.late = 0.0  # seconds by which a sleeper woke up too late, at worst
        self.times = []  # (seconds, test)

    def add(self, result, count):
        """What a whole class fails or skips counts for each of its tests."""
        once = 1 if result.testsRun else count
        self.ran = result.testsRun or count
        self.failures = tests_in(result.failures) * once \
            + len(result.unexpectedSuccesses)
        self.errors = tests_in(result.errors) * once
        self.skipped = tests_in(result.skipped) * once
        self.bad = [(f"{kind}: {test}", text)
                    for kind, found in (("FAIL", result.failures),
                                        ("ERROR", result.errors))
                    for test, text in found]
        self.bad += [(f"UNEXPECTED SUCCESS: {test}", "")
                     for test in result.unexpectedSuccesses]


class Sleeper(threading.Thread):
    """Sleeps in short pieces, and knows by how much the worst was too long."""

    PIECE = 0.02

    def __init__(self):
        super().__init__(daemon=True)
        self.late = 0.0

    def run(self):
        while True:
            began = time.monotonic()
            time.sleep(self.PIECE)
            self.late = max(self.late, time.monotonic() - began - self.PIECE)


class Result(unittest.TestResult):
    """Each test has its time, and at its end a process that hangs tells where each
    of its threads is, and is over."""

    def __init__(self, said, longest):
        super().__init__()
        self.said, self.longest = said, longest
        self.times = []
        self.watch()

    def watch(self):
        self.began = time.monotonic()
        faulthandler.dump_traceback_later(self.longest, exit=True, file=self.said)

    def startTest(self, test):
        super().startTest(test)
        self.watch()

    def stopTest(self, test):
        self.times.append((time.monotonic() - self.began, test.id()))
        super().stopTest(test)
        self.watch()


class Unit:
    """Tests that share a process."""

    def __init__(self, cases):
        self.cases = cases
        self.longest = getattr(cases[0], "longest", LONGEST)
        self.tries = 0

    def suite(self):
        return unittest.TestSuite(self.cases)


def tests_in(found):
    """How many tests these are: a test may fail in several subtests."""
    return len({getattr(test, "test_case", test).id() for test, _ in found})


class Program:
    def __init__(self, suite, directory):
        self.waiting = list(units(suite))
        self.directory = directory
        self.slots = os.environ.get("TESTS_SLOTS") or directory
        os.makedirs(self.slots, exist_ok=True)
        self.running = {}  # pid -> (unit, file of its outcome)
        self.outcomes = []
        self.started = 0
        self.began = time.monotonic()

    def run(self):
        """Whether all is well."""
        next_try = 0.0
        try:
            while self.waiting or self.running:
                slots = []
                if self.waiting and time.monotonic() >= next_try:
                    slots = self.take_slots()
                    next_try = time.monotonic() + TRY
                if slots or self.reap():
                    next_try = 0.0
                else:
                    time.sleep(LOOK)
                if slots:
                    self.start(self.waiting.pop(0), slots)
        finally:
            for pid in self.running:
                end_group(pid)
        return self.report()

    def take_slots(self):
        """What the next unit needs, or nothing if that is not to be had."""
        alone = getattr(self.waiting[0].cases[0], "alone", False)
        return take_slots(self.slots, alone)

    def start(self, unit, slots):
        """In a process that holds its slots as long as it lives."""
        self.started += 1
        unit.tries += 1
        path = os.path.join(self.directory, f"outcome.{self.started}")
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            run_unit(unit, path)
        for slot in slots:
            os.close(slot)
        self.running[pid] = (unit, path)

    def reap(self):
        """Take in what has ended; whether anything has."""
        ended = [pid for pid in self.running if has_ended(pid)]
        for pid in ended:
            unit, path = self.running.pop(pid)
            end_group(pid)
            outcome = read_outcome(unit, path)
            if outcome.bad and outcome.late > LATE and unit.tries < TRIES:
                self.repeat(unit, outcome)
            else:
                self.outcomes.append(outcome)
        return bool(ended)

    def repeat(self, unit, outcome):
        print(f"again, as a sleeper woke up {outcome.late:.2f} s too late:",
              *(f"{heading}: {text.strip().rpartition(chr(10))[2][:300]}"
                for heading, text in outcome.bad), sep="\n  ", file=sys.stderr)
        self.waiting.append(unit)

    def report(self):
        for outcome in self.outcomes:
            sys.stderr.write(outcome.said)
        table.print_all(table for outcome in self.outcomes
                        for table in outcome.tables)
        for heading, text in (bad for outcome in self.outcomes
                              for bad in outcome.bad):
            print("=" * 70, heading, "-" * 70, text, sep="\n", file=sys.stderr)
        if os.environ.get("TESTS_TIMES"):
            for seconds, test in sorted(one for outcome in self.outcomes
                                        for one in outcome.times):
                print(f"{seconds:8.2f} s  {test}", file=sys.stderr)
        counts = {name: sum(getattr(outcome, name) for outcome in self.outcomes)
                  for name in ("ran", "failures", "errors", "skipped")}
        ran = counts.pop("ran")
        is_well = counts["failures"] + counts["errors"] == 0
        more = ", ".join(f"{name}={count}" for name, count in counts.items()
                         if count)
        print("-" * 70, f"Ran {ran} tests in "
              f"{time.monotonic() - self.began:.3f}s\n",
              ("OK" if is_well else "FAILED") + (f" ({more})" if more else ""),
              sep="\n", file=sys.stderr)
        return is_well


def units(suite):
    """What runs in one process each: single tests, and the tests together
    whose class has something to set up.  Those come first, and last what has
    to be alone."""
    single, shared = [], {}
    for case in flat(suite):
        kind = type(case)
        if kind.setUpClass.__func__ is unittest.TestCase.setUpClass.__func__:
            single.append([case])
        else:
            shared.setdefault(kind, []).append(case)
    groups = sorted([*shared.values(), *single],
                    key=lambda group: getattr(group[0], "alone", False))
    return map(Unit, groups)


def flat(suite):
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from flat(one)
        else:
            yield one


def run_unit(unit, path):
    """The whole life of a child."""
    status = 1
    try:
        os.setpgid(0, 0)
        table.collect()
        outcome = Outcome()
        sleeper = Sleeper()
        sleeper.start()
        with open(path + ".said", "w+", encoding="utf-8") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            result = Result(said, unit.longest)
            unit.suite().run(result)
            outcome.add(result, len(unit.cases))
            faulthandler.cancel_dump_traceback_later()
            outcome.late = sleeper.late
            outcome.times = result.times
            sys.stdout.flush()
            sys.stderr.flush()
            with open(path + ".said", encoding="utf-8",
                      errors="replace") as text:
                outcome.said = text.read()
        outcome.tables = table.collected()
        with open(path, "wb") as file:
            pickle.dump(outcome, file)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def read_outcome(unit, path):
    try:
        with open(path, "rb") as file:
            return pickle.load(file)
    except (OSError, EOFError, pickle.UnpicklingError):
        outcome = Outcome()
        outcome.ran, outcome.errors = len(unit.cases), 1
        names = "\n".join(map(str, unit.cases))
        try:
            with open(path + ".said", encoding="utf-8",
                      errors="replace") as said:
                text = said.read()
        except OSError:
            text = ""
        outcome.bad = [("ERROR: a process died, or did not end", names + "\n"
                        + text)]
        return outcome


def take_slots(directory, all_of_them):
    """The locked files of one slot, or of all; [] if there are not as many."""
    taken = []
    for number in range(AT_ONCE):
        slot = os.open(os.path.join(directory, f"slot.{number}"),
                       os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken.append(slot)
            if not all_of_them:
                return taken
        except BlockingIOError:
            os.close(slot)
    if len(taken) < AT_ONCE:
        for slot in taken:
            os.close(slot)
        return []
    return taken


def has_ended(pid):
    return os.waitpid(pid, os.WNOHANG)[0] != 0


def end_group(pid):
    """What a test has left running, and the test itself."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
