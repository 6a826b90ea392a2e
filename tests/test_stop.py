"""SIGTERM: it ends within two seconds, whatever hangs, and what was learned is
saved.  Meanwhile mail goes on."""

import os
import signal
import socket
import subprocess
import time
import unittest

from lib import cases, daemon, netns
from lib.daemon import Daemon
from lib.policies import GREYLISTED, greylisting
from lib.table import Table

ALICE, BOB = "<alice@sender.example>", "<bob@local.test>"
WITHIN = 2.0  # seconds
STORE = 'store { file = "@DIR@/records" }\n'

TABLE = Table("SIGTERM", "what hangs", "ends after s")


def tearDownModule():
    TABLE.print()


def ask(milter, timeout=5):
    with milter.client(timeout=timeout) as client:
        return client.begin().message(ALICE, [BOB]).text


def reference():
    """The seconds that starting a process takes at this moment: a measure of
    how busy the machine is."""
    began = time.monotonic()
    subprocess.run([daemon.binary(), "-V"], stdout=subprocess.DEVNULL,
                   check=True)
    return time.monotonic() - began


def saved(milter):
    """Was a client learned of?  The size of an empty file is below 200."""
    path = os.path.join(milter.directory, "records")
    return os.path.exists(path) and os.path.getsize(path) > 200


class Case(unittest.TestCase):
    def run_daemon(self, milter):
        self.milter = milter
        self.addCleanup(milter.remove)
        self.addCleanup(milter.kill)
        return milter.start()

    def assert_ends(self, what, saves=True):
        """SIGTERM ends it in time, with status 0."""
        slack = 10 * reference()
        began = time.monotonic()
        self.milter.signal(signal.SIGTERM)
        status = self.milter.process.wait(daemon.PATIENCE)
        took = time.monotonic() - began
        TABLE.add(what, took)
        self.assertEqual(status, 0, "\n".join(self.milter.log()[-20:]))
        self.assertLess(took, WITHIN + slack, what)
        if saves:
            self.assertTrue(saved(self.milter), what)


@unittest.skipUnless(netns.possible(), "needs root and namespaces")
class Syslog(Case):
    """/dev/log of the daemon alone is a socket of ours."""

    HEAD = daemon.HEAD.replace("log = stderr", "log = syslog")

    def setUp(self):
        milter = Daemon(STORE + greylisting(), head=self.HEAD)
        self.path = os.path.join(milter.directory, "dev", "log")
        os.mkdir(os.path.dirname(self.path))
        for name in ("null", "zero", "urandom", "random"):
            subprocess.run(["cp", "-a", f"/dev/{name}",
                            os.path.dirname(self.path)], check=True)
        milter.prefix = ["unshare", "-m", "sh", "-c", "mount --make-rprivate /"
                         f" && mount --bind {milter.directory}/dev /dev"
                         ' && exec "$0" "$@"']
        self.milter = milter

    def listen(self, kind=socket.SOCK_DGRAM):
        syslog = socket.socket(socket.AF_UNIX, kind)
        syslog.bind(self.path)
        syslog.settimeout(5)
        self.addCleanup(syslog.close)
        return syslog

    def receive(self, syslog, part):
        while True:
            line = syslog.recv(9000).decode()
            if part in line:
                return line

    def test_a_reader_that_stalls_stops_nothing(self):
        syslog = self.listen()
        self.run_daemon(self.milter)
        for _ in range(50):
            self.assertEqual(ask(self.milter), GREYLISTED)
        self.assert_ends("syslog's reader")
        self.assertIn("starts with", syslog.recv(9000).decode())

    def test_the_lines_are_those_of_syslog(self):
        syslog = self.listen()
        self.run_daemon(self.milter)
        line = self.receive(syslog, "serving")
        pid = self.milter.process.pid
        stamp = time.strftime("%b %e %H:")
        self.assertRegex(line, rf"^<22>{stamp}\d\d:\d\d milter-defer\[{pid}\]: "
                               r"serving [^\n]*$")
        self.assert_ends("nothing", saves=False)

    def test_syslog_may_be_started_anew_and_nothing_is_lost(self):
        syslog = self.listen()
        self.run_daemon(self.milter)
        self.receive(syslog, "serving")
        syslog.close()
        os.unlink(self.path)
        self.assertEqual(ask(self.milter), GREYLISTED)
        syslog = self.listen()
        self.receive(syslog, "verdict=")
        self.assert_ends("nothing, after syslog was started anew")

    def test_a_server_without_syslog_serves(self):
        self.run_daemon(self.milter)
        self.assertEqual(ask(self.milter), GREYLISTED)
        self.assert_ends("syslog, which is not there")


class StandardError(Case):
    def test_a_pipe_that_nobody_reads_stops_nothing(self):
        milter = Daemon(STORE + greylisting())
        os.mkfifo(f"{milter.directory}/pipe")
        end = os.open(f"{milter.directory}/pipe", os.O_RDWR)
        self.addCleanup(os.close, end)
        milter.prefix = ["sh", "-c",
                         f'exec "$0" "$@" 2>{milter.directory}/pipe']
        self.run_daemon(milter)
        for _ in range(300):  # 64 KB of lines
            self.assertEqual(ask(milter), GREYLISTED)
        self.assert_ends("the reader of standard error")


if __name__ == "__main__":
    cases.main()
