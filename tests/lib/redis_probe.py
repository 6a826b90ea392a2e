"""Let redis_probe ask a Redis for some seconds, and judge what it saw: that
nobody waited longer than the deadline, that no answer was taken for another's,
and what was reported.

All times, also those of what it saw, are for an idle machine: see pace.py.
"""

import json
import os
import resource
import subprocess
import unittest

from lib.pace import pace, sleep

CALL_MS = 200
SLACK_MS = 50
UP_MS = 500  # until all links are up
TIMES = "first_ok_ms", "last_ok_ms", "last_failed_ms", "gap_ms"


def probe_path():
    milter = os.environ.get("MILTER_DEFER") or os.path.abspath("milter-defer")
    return os.environ.get("REDIS_PROBE") or os.path.join(
        os.path.dirname(milter), "tests", "redis_probe")


class Probe:
    """A running redis_probe; finish() gives what it saw."""

    def __init__(self, *arguments, seconds=2.5, threads=50, pause_ms=100,
                 files=None):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        self.call_ms = int(CALL_MS * pace())
        self.process = subprocess.Popen(
            [probe_path(), "-s", str(seconds * pace()), "-j", str(threads),
             "-i", str(int(pause_ms * pace())), "-w", str(self.call_ms), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=limit if files is not None else None)

    def finish(self):
        out, errors = self.process.communicate(timeout=300)
        if self.process.returncode != 0 or errors:
            raise AssertionError(f"redis_probe failed: {errors}")
        saw = json.loads(out)
        for name in TIMES:
            saw[name] /= pace()
        return {**saw, "call_ms": self.call_ms}


class LinkTest(unittest.TestCase):
    def assert_in_time(self, saw):
        """A thread that waits for an answer may wake up as late as one that
        does nothing but sleep: the probe measures that of the same threads."""
        late_ms = saw["worst_sleep_us"] / 1000
        self.assertLessEqual(saw["worst_us"] / 1000,
                             saw["call_ms"] + SLACK_MS + 3 * late_ms, saw)
        self.assertEqual(saw["mixed"], 0)

    def assert_healthy(self, saw):
        """Well from the first answer to the end."""
        self.assert_in_time(saw)
        self.assertGreater(saw["ok"], 0, saw)
        self.assert_nothing_failed(saw)
        self.assertEqual(saw["reports"], [])

    def assert_nothing_failed(self, saw):
        """Since it was up; the links to several masters come up one by one."""
        self.assertLessEqual(saw["last_failed_ms"],
                             max(saw["first_ok_ms"], UP_MS), saw)

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

    def two_reports(self, saw):
        """A fault and its end.  Where a thread that only sleeps wakes up late by
        a good part of the deadline, so does a server, and more may follow."""
        is_late = saw["worst_sleep_us"] / 1000 > saw["call_ms"] / 10
        # One that lasts may be told again, with another cause.
        told = [report for place, report in enumerate(saw["reports"])
                if place == 0 or report["up"]
                or saw["reports"][place - 1]["up"]]
        count = 2 if is_late else len(told)
        self.assertEqual([report["up"] for report in told[:count]],
                         [False, True], saw["reports"])
        return told[:2]

    def assert_never_up(self, saw, words):
        self.assert_in_time(saw)
        self.assertEqual(saw["ok"], 0, saw)
        self.assertEqual([report["up"] for report in saw["reports"]], [False],
                         saw["reports"])
        self.assertRegex(saw["reports"][0]["why"], words)


def during(begin, end, *arguments, seconds=2.5, fault=0.6, **settings):
    """Probe while `begin` happens after a while, and `end` some time later."""
    probe = Probe(*arguments, seconds=seconds, **settings)
    try:
        sleep(0.3)
        begin()
        sleep(fault)
    finally:
        end()
    return probe.finish()
