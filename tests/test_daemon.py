"""The daemon in the background: who starts it learns how that went."""

import os
import re
import signal
import subprocess
import unittest

from lib import cases, daemon, farm
from lib.daemon import Daemon
from lib.policies import GREYLISTED, greylisting
from lib.redis_servers import start_single

ALICE, BOB = "<alice@sender.example>", "<bob@local.test>"
HEAD = daemon.HEAD.replace('pid_file = ""', 'pid_file = "@DIR@/pid"')


class Background(unittest.TestCase):
    def setUp(self):
        self.milter = Daemon(greylisting(), head=HEAD)
        self.addCleanup(self.milter.remove)
        self.pid_file = os.path.join(self.milter.directory, "pid")

    def begin(self):
        """Start it without -f; the starter's exit status."""
        with open(self.milter.log_file, "a") as log:
            return subprocess.run(
                [daemon.binary(), "-c", self.milter.config], cwd="/tmp",
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.milter.variables(),
                timeout=daemon.PATIENCE).returncode

    def pid(self):
        with open(self.pid_file) as file:
            return int(file.read())

    def end(self):
        pid = self.pid()
        os.kill(pid, signal.SIGTERM)
        daemon.wait_for(lambda: not os.path.exists(self.pid_file),
                        "the pid file goes", self.milter.log)

    def test_it_answers_as_soon_as_the_starter_ends(self):
        self.assertEqual(self.begin(), 0, self.milter.log())
        self.addCleanup(self.end)
        with self.milter.client() as client:
            self.assertEqual(client.begin().message(ALICE, [BOB]).text,
                             GREYLISTED)

    def test_it_lives_in_a_session_of_its_own(self):
        self.assertEqual(self.begin(), 0, self.milter.log())
        self.addCleanup(self.end)
        self.assertEqual(os.getsid(self.pid()), self.pid())
        self.assertEqual(os.readlink(f"/proc/{self.pid()}/cwd"), "/")

    def test_a_second_one_fails_and_names_the_first(self):
        self.assertEqual(self.begin(), 0, self.milter.log())
        self.addCleanup(self.end)
        self.assertEqual(self.begin(), 1)
        self.assertIn(f"process {self.pid()}", "\n".join(self.milter.log()))

    def test_a_start_that_fails_is_told_where_it_was_wanted(self):
        """Also if the log goes to syslog."""
        self.milter.head = HEAD.replace("log = stderr", "log = syslog")
        self.milter.where = "unix:/nonexistent/milter.sock"
        self.milter.configure(greylisting())
        self.assertEqual(self.begin(), 1)
        self.assertIn("/nonexistent", "\n".join(self.milter.log()))
        self.assertFalse(os.path.exists(self.pid_file))

    def test_a_relative_file_can_be_reloaded_from_the_background(self):
        with open(self.milter.log_file, "a") as log:
            status = subprocess.run(
                [daemon.binary(), "-c", "milter-defer.conf"],
                cwd=self.milter.directory, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=self.milter.variables(),
                timeout=daemon.PATIENCE).returncode
        self.assertEqual(status, 0, self.milter.log())
        self.addCleanup(self.end)
        os.kill(self.pid(), signal.SIGHUP)
        self.milter.wait_log("reloaded " + self.milter.config)


class Reload(unittest.TestCase):
    def test_what_waits_for_a_restart_is_told(self):
        with Daemon(greylisting()) as milter:
            milter.expect("takes effect at a restart")
            milter.head = milter.head.replace(
                'pid_file = ""', 'pid_file = "@DIR@/pid"')
            milter.reload(greylisting("2h"), "pid_file takes effect")
            milter.wait_log("reloaded")

    def test_signals_of_several_kinds_do_no_harm(self):
        """libmilter would take the one that the main thread is late to take."""
        with Daemon(greylisting()) as milter:
            for _ in range(2000):
                milter.signal(signal.SIGHUP)
                milter.signal(signal.SIGCONT)
            with milter.client() as client:
                self.assertEqual(client.begin().message(ALICE, [BOB]).text,
                                 GREYLISTED)


def stacks(milter):
    """How many KB are in use of each stack of a thread of libmilter; None: a
    sanitizer has made them larger."""
    with open(f"/proc/{milter.process.pid}/smaps") as file:
        text = file.read()
    if re.search(r"lib[a-z]*san\.so", text):
        return None
    return [int(used) for used in re.findall(
        r"^Size: +512 kB$(?:.*\n)*?Rss: +(\d+) kB$", text, re.MULTILINE)]


class Stack(unittest.TestCase):
    def hold(self, milter):
        with milter:
            for number in range(5):
                with milter.client() as client:
                    client.begin(address=f"198.51.{number}.7").message(
                        ALICE, [BOB])
            used = stacks(milter)
        if used is None:
            self.skipTest("built with a sanitizer")
        self.assertTrue(used)
        self.assertLessEqual(max(used), 28, used)

    def test_a_decision_takes_no_more_than_a_thread_keeps(self):
        """The C library takes back what ended threads used above 16 KB, and every
        third session is by a new thread: page faults for all that is above.  8 KB
        are in use from the start."""
        self.hold(Daemon(greylisting()))

    def test_with_redis_it_does_neither(self):
        server = start_single()
        self.addCleanup(server.stop)
        self.hold(farm.daemon(farm.redis(server.where), greylisting()))


if __name__ == "__main__":
    cases.main()
