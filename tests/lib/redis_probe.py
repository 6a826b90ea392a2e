"""Let redis_probe ask a Redis for some seconds, and judge what it saw: that
nobody waited longer than the deadline, that no answer was taken for another's,
and what was reported."""

import json
import os
import subprocess
import time
import unittest

CALL_MS = 200
SLACK_MS = 50


def probe_path():
    milter = os.environ.get("MILTER_DEFER") or os.path.abspath("milter-defer")
    return os.environ.get("REDIS_PROBE") or os.path.join(
        os.path.dirname(milter), "tests", "redis_probe")


class Probe:
    """A running redis_probe; finish() gives what it saw."""

    def __init__(self, *arguments, seconds=2.5, threads=50, pause_ms=100):
        self.process = subprocess.Popen(
            [probe_path(), "-s", str(seconds), "-j", str(threads),
             "-i", str(pause_ms), "-w", str(CALL_MS), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self):
        out, errors = self.process.communicate(timeout=60)
        if self.process.returncode != 0 or errors:
            raise AssertionError(f"redis_probe failed: {errors}")
        return json.loads(out)


class LinkTest(unittest.TestCase):
    def assert_in_time(self, saw):
        self.assertLessEqual(saw["worst_us"] / 1000, CALL_MS + SLACK_MS)
        self.assertEqual(saw["mixed"], 0)

    def assert_healthy(self, saw):
        """Well from the first answer to the end."""
        self.assert_in_time(saw)
        self.assertGreater(saw["ok"], 0, saw)
        self.assertLessEqual(saw["last_failed_ms"], saw["first_ok_ms"], saw)
        self.assertEqual(saw["reports"], [])

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
        self.assertEqual([report["up"] for report in saw["reports"]],
                         [False, True], saw["reports"])
        return saw["reports"]

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
        time.sleep(0.3)
        begin()
        time.sleep(fault)
    finally:
        end()
    return probe.finish()
