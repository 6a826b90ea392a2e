"""Runs the cases of a test program side by side: most of them wait.

    if __name__ == "__main__":
        cases.main()

With arguments it is unittest.main(), in one process.  Without, each test has a
process of its own; those of a class with setUpClass share one.  What all of
them said comes at the end in the form of unittest, tables in one piece.

How many run at once is one number for all programs which are run with the same
directory $TESTS_SLOTS: AT_ONCE, and up to MOST while a CPU has nothing to do, since
most of them wait.  A class with `waits = True` does nothing else nearly all of the
time: AT_ONCE such run beside the others.  One with `alone = True` waits until nothing
else runs: what it measures is the whole machine.  One with `first = True` takes
longer than all others, and has the next slot that is free.

With $TESTS_TIMES set, how long each took is told, and the seconds of CPU of all
that ran in one process.

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
MOST = 2 * AT_ONCE
ALL = MOST + AT_ONCE  # with those that wait
LONGEST = 300  # seconds of a test until it is taken for hung, and says where it is
LATE = 0.1  # seconds; an idle machine wakes a sleeper within 0.005
TRIES = 4
LOOK = 0.1  # seconds after which a test looks again for a free slot
IDLE = 0.15  # of all CPUs meanwhile, so that one more does not disturb
HAS_SLOT = b"+"  # no number of a signal that a program gets
# A program has one test in the queue for each so many, so that one with many does
# not go on when all others have ended.
QUEUED_OF = 8


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
        self.cpu = 0.0  # seconds

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

    PIECE = 0.05

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
        self.alone = getattr(cases[0], "alone", False)
        self.first = getattr(cases[0], "first", False)
        self.waits = getattr(cases[0], "waits", False)
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
        self.news = os.pipe()  # a byte of each child that ends, or has its slot
        self.queueing = 0  # children that wait for their slot
        self.queue_most = 1 + len(self.waiting) // QUEUED_OF
        self.outcomes = []
        self.started = 0
        self.pid = os.getpid()
        self.began = time.monotonic()

    def run(self):
        """Whether all is well."""
        os.set_blocking(self.news[1], False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.news[1], warn_on_full_buffer=False)
        try:
            while self.waiting or self.running:
                while self.waiting and self.queueing < self.queue_most:
                    self.start(self.waiting.pop(0))
                self.queueing -= os.read(self.news[0], 100).count(HAS_SLOT)
                self.reap()
        finally:
            for pid in self.running:
                end_group(pid)
        return self.report()

    def start(self, unit):
        """In a process that waits for its slots, and holds them while it lives."""
        self.started += 1
        unit.tries += 1
        path = os.path.join(self.directory, f"outcome.{self.started}")
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            run_unit(unit, path, self)
        self.running[pid] = (unit, path)
        self.queueing += 1

    def reap(self):
        """Take in what has ended."""
        for pid in list(self.running):
            ended, _, used = os.wait4(pid, os.WNOHANG)
            if not ended:
                continue
            unit, path = self.running.pop(pid)
            if not os.path.exists(path + ".said"):
                self.queueing -= 1  # it never had its slot
            end_group(pid)
            outcome = read_outcome(unit, path)
            outcome.cpu = used.ru_utime + used.ru_stime
            if outcome.bad and outcome.late > LATE and unit.tries < TRIES:
                self.repeat(unit, outcome)
            else:
                self.outcomes.append(outcome)

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
            for seconds, cpu, test in sorted(
                    (seconds, outcome.cpu, test) for outcome in self.outcomes
                    for seconds, test in outcome.times):
                print(f"{seconds:8.2f} s {cpu:8.2f} s of CPU  {test}",
                      file=sys.stderr)
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
    return sorted(map(Unit, [*shared.values(), *single]),
                  key=lambda unit: (unit.alone, not unit.first))


def flat(suite):
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from flat(one)
        else:
            yield one


def run_unit(unit, path, program):
    """The whole life of a child."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setpgid(0, 0)
        slots = wait_for_slots(program.slots, unit)
        if os.getppid() != program.pid:
            os._exit(status)  # nobody waits for it any more
        os.write(program.news[1], HAS_SLOT)
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


def wait_for_slots(directory, unit):
    """The locked file of one slot, or of all.  One process at a time looks whether
    any is free, and the others wait for it without using the CPU."""
    if unit.alone:
        return poll_for_slots(directory, 0, ALL, ALL)
    if unit.first:
        return poll_for_slots(directory, 0, MOST, 1)
    queue = "queue.waits" if unit.waits else "queue"
    with open(os.path.join(directory, queue), "w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if unit.waits:
            return poll_for_slots(directory, MOST, ALL, 1)
        while not (slots := take_slots(directory, 0, AT_ONCE, 1)):
            before = idle_seconds()
            time.sleep(LOOK)
            idle = (idle_seconds() - before) / LOOK / os.cpu_count()
            if idle > IDLE and (slots := take_slots(directory, AT_ONCE, MOST, 1)):
                break
        return slots


def poll_for_slots(directory, first, end, wanted):
    while not (slots := take_slots(directory, first, end, wanted)):
        time.sleep(LOOK)
    return slots


def take_slots(directory, first, end, wanted):
    """The locked files of so many slots of these; [] if there are not as many."""
    taken = []
    for number in range(first, end):
        slot = os.open(os.path.join(directory, f"slot.{number}"),
                       os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken.append(slot)
        except BlockingIOError:
            os.close(slot)
        if len(taken) == wanted:
            return taken
        if len(taken) + end - number - 1 < wanted:
            break
    for slot in taken:
        os.close(slot)
    return []


def idle_seconds():
    """For how long CPUs have had nothing to do, all together; 0: not known."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            return int(file.readline().split()[4]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0


def end_group(pid):
    """What a test has left running, and the test itself."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
