"""Let redis_probe ask a Redis, and judge what it saw: that nobody waited longer
than the deadline, that no answer was taken for another's, and what was reported.

What has to happen is waited for, by looking at what it has seen so far.  Times,
also those of what it saw, are for an idle machine: see pace.py.
"""

import json
import os
import resource
import select
import subprocess
import time
import unittest

from lib.pace import PATIENCE, pace, sleep
from lib.redis_servers import wait_until

CALL_MS = 200
UNHURRIED_MS = 20000  # the deadline where all is well: any machine keeps it
SLACK_MS = 50
HEALS = 5.0  # seconds
QUIET = 0.9  # seconds after which a server that lets us in is told to be well
TIMES = "first_ok_ms", "last_ok_ms", "last_failed_ms", "gap_ms"


def probe_path():
    milter = os.environ.get("MILTER_DEFER") or os.path.abspath("milter-defer")
    return os.environ.get("REDIS_PROBE") or os.path.join(
        os.path.dirname(milter), "tests", "redis_probe")


class Probe:
    """A running redis_probe; finish() gives what it saw."""

    def __init__(self, *arguments, threads=50, pause_ms=100, call_ms=None,
                 files=None):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        self.threads = threads
        self.call_ms = call_ms or int(CALL_MS * pace())
        self.process = subprocess.Popen(
            [probe_path(), "-j", str(threads),
             "-i", str(int(pause_ms * pace())), "-w", str(self.call_ms), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, bufsize=1,
            preexec_fn=limit if files is not None else None)

    def look(self):
        """What it has seen so far."""
        try:
            self.process.stdin.write("\n")
        except BrokenPipeError:
            return self.finish()  # which says why it ended
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            raise AssertionError(f"redis_probe says nothing for {PATIENCE} s")
        line = self.process.stdout.readline()
        return self._read(line) if line else self.finish()

    def wait(self, holds, what):
        """Look until it holds of what is seen; that."""
        deadline = time.monotonic() + PATIENCE
        while not holds(saw := self.look()):
            if time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"in vain for {PATIENCE} s: {what}: {saw}")
            time.sleep(0.02)
        return saw

    def calm(self, what="all is well"):
        """Wait until each thread was answered twice or so, and none of them was
        not, since the last failure; what is seen then."""
        mark = {"ok": 0, "failed": -1}

        def is_calm(saw):
            if saw["failed"] != mark["failed"]:
                mark.update(saw)
            return saw["ok"] - mark["ok"] >= 2 * self.threads

        return self.wait(is_calm, what)

    def run(self, seconds):
        """So long at least."""
        time.sleep(seconds)
        return self

    def finish(self):
        try:
            out, errors = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"redis_probe does not end within {PATIENCE} s")
        if self.process.returncode != 0 or errors:
            raise AssertionError(f"redis_probe failed: {errors}")
        return self._read(out)

    def _read(self, line):
        saw = json.loads(line)
        for name in TIMES:
            saw[name] /= pace()
        return {**saw, "call_ms": self.call_ms}


def downs(saw):
    return [report for report in saw["reports"] if not report["up"]]


def has_failed(saw):
    """A fault is told, and calls have failed by it."""
    return downs(saw) and saw["failed"] > 0


def is_well_told(saw):
    """No fault is told, or its end, too."""
    return not saw["reports"] or saw["reports"][-1]["up"] or saw["reports"][-1]["gone"]


def during(begin, end, *arguments, fault=0.0, noticed=has_failed, is_well=True,
           **settings):
    """Probe while `begin` happens, and `end` when the fault is `noticed` and has
    lasted so many seconds; until all is well again.  It is well at first, too,
    unless that is said."""
    probe = Probe(*arguments, **settings)
    if is_well:
        probe.calm("all is well at first")
    began = time.monotonic()
    try:
        begin()
        sleep(fault)
        probe.wait(noticed, "the fault is noticed")
    finally:
        end()
    lasted = time.monotonic() - began
    probe.wait(is_well_told, "the end of the fault is told")
    healed = probe.calm("all is well again")
    saw = probe.finish()
    # Those that were under way when it was told to end are not asked about.
    return {**saw, **{name: healed[name] for name in TIMES}, "lasted": lasted}


class LinkTest(unittest.TestCase):
    def assert_in_time(self, saw):
        """A thread that waits for an answer may wake up as late as one that
        does nothing but sleep: the probe measures that of the same threads."""
        late_ms = saw["worst_sleep_us"] / 1000
        self.assertLessEqual(saw["worst_us"] / 1000,
                             saw["call_ms"] + SLACK_MS + 3 * late_ms, saw)
        self.assertEqual(saw["mixed"], 0)

    def assert_healthy(self, *arguments, seconds=0.5, **settings):
        """Well from the first answer to the end, which is so much later; what it
        saw.  It is not about the deadline."""
        probe = Probe(*arguments, call_ms=UNHURRIED_MS, **settings)
        before = probe.calm()
        probe.run(seconds)
        return self.assert_stays_well(probe, before)

    def assert_stays_well(self, probe, before):
        """To its end, since the look `before`."""
        probe.wait(lambda saw: saw["ok"] > before["ok"], "it is asked again")
        saw = probe.finish()
        self.assert_in_time(saw)
        self.assertEqual(saw["failed"], before["failed"], saw)
        self.assertEqual(saw["reports"], [])
        return saw

    def assert_healed(self, saw, words, where=None):
        """One fault with these words, and one end of it."""
        self.assert_in_time(saw)
        self.assertGreater(saw["ok"], 0, saw)
        self.assertGreater(saw["failed"], 0, saw)
        self.assertGreater(saw["last_ok_ms"], saw["last_failed_ms"], saw)
        down, up = self.two_reports(saw)
        self.assertRegex(down["why"], words)
        if where is not None:
            self.assertEqual(down["where"], where)
            self.assertEqual(up["where"], where)

    def assert_heals_after(self, probe, holds, what):
        """All is well soon after that holds, which Redis takes its time for."""
        wait_until(holds, PATIENCE, what)
        began = time.monotonic()
        saw = probe.calm("all is well again")
        took = time.monotonic() - began
        probe.wait(is_well_told, "the end of the fault is told")
        self.assertLess(took, HEALS * pace()
                        + 3 * saw["worst_sleep_us"] / 1e6, saw)

    def two_reports(self, saw):
        """A fault and its end.  Where a thread that only sleeps wakes up late by
        a good part of the deadline, so does a server, and more may follow.  So it
        may where the fault lasts: who is let in each time is well for a while."""
        is_late = saw["worst_sleep_us"] / 1000 > saw["call_ms"] / 10 \
            or saw.get("lasted", 0) > QUIET
        # One that lasts may be told again, with another cause.
        told = [report for place, report in enumerate(saw["reports"])
                if place == 0 or report["up"]
                or saw["reports"][place - 1]["up"]]
        count = 2 if is_late else len(told)
        self.assertEqual([report["up"] for report in told[:count]],
                         [False, True], saw["reports"])
        return told[:2]

    def assert_never_up(self, words, *arguments, seconds=0.5, **settings):
        """No call is answered, and that is told once, with these words."""
        probe = Probe(*arguments, **settings).run(seconds)
        probe.wait(lambda saw: saw["reports"] and saw["failed"] >= probe.threads,
                   "the fault is told")
        saw = probe.finish()
        self.assert_in_time(saw)
        self.assertEqual(saw["ok"], 0, saw)
        self.assertEqual([report["up"] for report in saw["reports"]], [False],
                         saw["reports"])
        self.assertRegex(saw["reports"][0]["why"], words)
        return saw
