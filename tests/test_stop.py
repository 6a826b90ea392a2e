"""SIGTERM: it ends within two seconds, whatever hangs, and what was learned is
saved.  Meanwhile mail goes on."""

import os
import signal
import socket
import subprocess
import sys
import time
import unittest

from lib import cases, daemon, farm, netns
from lib.daemon import Daemon
from lib.policies import GREYLISTED, greylisting, response
from lib.table import Table

ALICE, BOB = "<alice@sender.example>", "<bob@local.test>"
WITHIN = 2.0  # seconds
STORE = 'store { file = "@DIR@/records" }\n'

# TSan would let each process sleep for a second at its end.
os.environ["TSAN_OPTIONS"] = (os.environ.get("TSAN_OPTIONS", "")
                              + " atexit_sleep_ms=0")

TABLE = Table("SIGTERM", "what hangs", "ends after s")


def tearDownModule():
    TABLE.print()


# Binds the ports of name servers, reads from none, and becomes the command.
SILENT_SERVERS = """
import os, socket, sys
for address in ("127.0.0.1", "127.0.0.2"):
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((address, 53))
    os.set_inheritable(silent.detach(), True)
os.execv(sys.argv[1], sys.argv[1:])
"""


def ask(milter):
    with milter.client() as client:
        return client.begin().message(ALICE, [BOB]).text


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
        TABLE.add(what, self.milter.end_in_time(WITHIN))
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
        syslog.settimeout(daemon.PATIENCE)
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


HERE = os.path.dirname(os.path.abspath(__file__))

LISTED = """rule "listed" {
    client_list = "%s"  at = data  verdict = defer  response = "listed"
}
"""


def hang_shim(milter, part):
    """The environment of a daemon for which what begins with `part` of its
    directory hangs, and the file that says so while it exists."""
    shim = os.path.join(milter.directory, "hang_shim.so")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", shim,
                    os.path.join(HERE, "lib", "hang_shim.c"), "-ldl"],
                   check=True)
    flag = os.path.join(milter.directory, "hangs")
    options = os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": shim, "HANG_WHILE": flag,
            "HANG_PATH": os.path.join(milter.directory, part),
            "ASAN_OPTIONS": options + ":verify_asan_link_order=0"}, flag


class FileSystem(Case):
    """Some directory or file is on a file system that does not answer."""

    BUSY = response("busy", "451 4.3.2 Busy.")
    LOAD = BUSY + """load {
    pressure_cpu = 0  pressure_io = 0  pressure_memory = 0  dwell = 0
    %s
}
rule "busy" { load_above = 0.5  at = data  verdict = defer  response = "busy" }
"""

    def start(self, policy, part, hangs=True):
        milter = Daemon(STORE + policy + greylisting())
        os.mkdir(os.path.join(milter.directory, "far"))
        milter.environment, self.flag = hang_shim(milter, part)
        self.put(milter, "far/figure", "1.0\n")
        self.put(milter, "figure", "1.0\n")
        self.put(milter, "far/list", "198.51.100.0/24\n")
        if hangs:
            self.hang()
        return self.run_daemon(milter)

    def put(self, milter, name, text):
        with open(os.path.join(milter.directory, name), "w") as file:
            file.write(text)

    def hang(self):
        open(self.flag, "w").close()

    def answers(self):
        os.unlink(self.flag)

    def test_queue_directory(self):
        """Load is sampled on: by the figure, which is elsewhere."""
        self.start(self.LOAD % 'queue_directory = "@DIR@/far"\n'
                   'figure_file = "@DIR@/figure"', "far")
        milter = self.milter
        daemon.wait_for(lambda: ask(milter) == "451 4.3.2 Busy.", "it is busy")
        self.put(milter, "figure", "0.1\n")
        daemon.wait_for(lambda: ask(milter) == GREYLISTED, "no more")
        line = milter.wait_log("load source queue .*is ignored")
        self.assertIn(f"queue_directory = {milter.directory}/far", line)
        self.assertIn("does not answer", line)
        self.assert_ends("queue_directory")

    def test_it_heals(self):
        self.start(self.LOAD % 'queue_directory = "@DIR@/far"', "far")
        self.milter.wait_log("load source queue .*is ignored")
        self.answers()
        self.milter.wait_log("load source queue .*can be read again")
        self.assertEqual(ask(self.milter), GREYLISTED)
        self.assert_ends("nothing any more")

    def test_disk_directory(self):
        self.start(self.LOAD % 'disk_free = 0.1\ndisk_directory = "@DIR@/far"',
                   "far")
        for source in ("space", "inodes"):
            self.milter.wait_log(
                f"load source {source} .*disk_directory.*is ignored")
        self.assertEqual(ask(self.milter), GREYLISTED)
        self.assert_ends("disk_directory")

    def test_figure_file(self):
        self.start(self.LOAD % 'figure_file = "@DIR@/far/figure"', "far")
        self.milter.wait_log("load source figure .*figure_file.*is ignored")
        self.assertEqual(ask(self.milter), GREYLISTED)
        self.assert_ends("figure_file")

    def test_a_list_at_the_start(self):
        """It waits for it, but not for ever."""
        self.start(response("listed", "451 4.7.1 Listed.")
                   + LISTED % "@DIR@/far/list" + LISTED.replace(
                       "listed", "near") % "@DIR@/near"
                   + response("near", "451 4.7.1 Near."), "far")
        milter = self.milter
        milter.wait_log("list .*far/list: its file system does not answer")
        self.assertEqual(ask(milter), GREYLISTED)
        self.put(milter, "near", "198.51.100.0/24\n")
        daemon.wait_for(lambda: ask(milter) == "451 4.7.1 Near.",
                        "the other list is read")
        self.answers()
        daemon.wait_for(lambda: ask(milter) == "451 4.7.1 Listed.",
                        "it is read when it can be")
        self.assert_ends("nothing any more, where a list did at the start")

    def test_a_list_while_it_is_loaded_anew(self):
        """SIGHUP waits for nothing: mail, load and the end go on."""
        policy = (self.LOAD % 'figure_file = "@DIR@/figure"'
                  + response("listed", "451 4.7.1 Listed.")
                  + LISTED % "@DIR@/far/list")
        milter = self.start(policy, "far", hangs=False)
        daemon.wait_for(lambda: ask(milter) == "451 4.3.2 Busy.", "it is busy")
        self.hang()
        for _ in range(3):
            milter.signal(signal.SIGHUP)
        self.put(milter, "figure", "0.1\n")
        daemon.wait_for(lambda: ask(milter) == "451 4.7.1 Listed.", "no more")
        self.assert_ends("a list, while it is reloaded")

    def test_the_configuration_itself(self):
        milter = self.start("", "milter-defer.conf", hangs=False)
        self.assertEqual(ask(milter), GREYLISTED)
        self.hang()
        milter.signal(signal.SIGHUP)
        time.sleep(0.2)
        self.assertEqual(ask(milter), GREYLISTED)
        self.assert_ends("the configuration, while it is reloaded")

    def test_reports_file(self):
        milter = self.start('reputation { reports_file = "@DIR@/far/r" }\n'
                            + self.LOAD % 'figure_file = "@DIR@/figure"',
                            "far")
        daemon.wait_for(lambda: ask(milter) == "451 4.3.2 Busy.", "it is busy")
        self.put(milter, "figure", "0.1\n")
        daemon.wait_for(lambda: ask(milter) == GREYLISTED, "no more")
        self.assert_ends("reports_file")

    def test_a_start_that_hangs_can_be_ended(self):
        milter = Daemon(STORE + greylisting())
        self.addCleanup(milter.remove)
        milter.environment, self.flag = hang_shim(milter, "records")
        self.hang()
        with open(milter.log_file, "a") as log:
            process = subprocess.Popen(
                [daemon.binary(), "-f", "-c", milter.config],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=milter.variables())
        self.addCleanup(process.kill)
        milter.wait_log("open files")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(daemon.PATIENCE)
        TABLE.add("the store's file, at the start", time.monotonic() - began)
        self.assertLess(time.monotonic() - began,
                        WITHIN + 10 * daemon.reference())


class Signals(Case):
    def test_a_thousand_reloads_under_load(self):
        """With a list that changes; each session has one policy or the other."""
        policy = (response("listed", "451 4.7.1 Listed.")
                  + LISTED % "@DIR@/list")
        milter = self.run_daemon(Daemon(STORE + policy + greylisting()))
        path = os.path.join(milter.directory, "list")
        milter.expect("list .*No such file")
        for number in range(1000):
            if number % 10 == 0:
                with open(path + ".new", "w") as file:
                    file.write("198.51.100.0/24\n" * (number % 20 // 10))
                os.rename(path + ".new", path)
                self.assertIn(ask(milter), (GREYLISTED, "451 4.7.1 Listed."))
            milter.signal(signal.SIGHUP)
        milter.wait_log("reloaded")
        self.assert_ends("nothing, amid a thousand reloads")

    def test_an_end_during_a_reload(self):
        milter = self.run_daemon(Daemon(STORE + greylisting()))
        ask(milter)
        milter.signal(signal.SIGHUP)
        self.assert_ends("nothing, at a reload")


class Redis(Case):
    def test_a_black_hole(self):
        """Redis takes the connection, and answers nothing."""
        with socket.create_server(("127.0.0.1", 0)) as hole:
            where = f"127.0.0.1:{hole.getsockname()[1]}"
            milter = farm.daemon(farm.redis(where), faults=True)
            self.run_daemon(milter)
            with milter.client() as client:
                client.begin(address=farm.stranger(1)).message(ALICE, [BOB])
            self.assert_ends("Redis", saves=False)

    @unittest.skipUnless(netns.possible(), "needs root and namespaces")
    def test_silent_name_servers(self):
        """Redis goes by a host name, and two name servers say nothing."""
        milter = farm.daemon(farm.redis("redis.farm.example:6379"), faults=True)
        resolver = os.path.join(milter.directory, "resolv.conf")
        with open(resolver, "w") as file:
            file.write("nameserver 127.0.0.1\nnameserver 127.0.0.2\n")
        os.chmod(resolver, 0o644)
        milter.prefix = [
            "unshare", "-n", "-m", "sh", "-c", "ip link set lo up"
            f" && mount --bind {resolver} /etc/resolv.conf"
            ' && exec "$0" "$@"', sys.executable, "-c", SILENT_SERVERS]
        self.run_daemon(milter)
        self.assertEqual(ask(milter), "")
        self.assert_ends("DNS", saves=False)


if __name__ == "__main__":
    cases.main()
