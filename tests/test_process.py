"""The process: its configuration, its reload, its socket, its start and end."""

import os
import signal
import socket
import stat
import subprocess
import unittest

from lib import cases, daemon
from lib.daemon import Daemon
from lib.policies import GREYLISTED, defer_all, greylisting

ALICE, BOB = "<alice@sender.example>", "<bob@local.test>"


def ask(milter):
    with milter.client() as client:
        return client.begin().message(ALICE, [BOB])


def line_of(text, part):
    """The number of the line in which `part` stands."""
    return text[:text.index(part)].count("\n") + 1


class BadConfiguration(unittest.TestCase):
    """Refused with file and line, exit status 1; on reload the old one stays."""

    GOOD = greylisting()
    CASES = {  # what is wrong -> (what to replace in GOOD, by what)
        "an unknown key": ('pid_file = ""', 'pid_fool = ""'),
        "an unknown condition": ("authenticated = true", "autenticated = true"),
        "a permanent reply": ("451 4.7.1 Greylisted", "550 4.7.1 Greylisted"),
        "a success as a reply": ("451 4.7.1 Greylisted", "250 2.0.0 Greylisted"),
        "an enhanced code of another class": ("451 4.7.1", "451 5.7.1"),
        "a line break in a text": ("try again", "try\\nagain"),
        "an unknown placeholder": ("try again", "try %{agian}"),
        "/40 for IPv4": ("10.0.0.0/8", "10.0.0.0/40"),
        "no such response": ('response = "greylisted"', 'response = "nosuch"'),
        "a greylist rule without a delay in time": ("delay = 1h", "delay = 1x"),
        "a brace that is never closed": ("at = data }", "at = data"),
    }

    def setUp(self):
        self.milter = Daemon(self.GOOD)
        self.addCleanup(self.milter.remove)

    def spoil(self, old, new):
        with open(self.milter.config) as file:
            good = file.read()
        self.assertIn(old, good)
        with open(self.milter.config, "w") as file:
            file.write(good.replace(old, new, 1))
        return line_of(good, old)

    def test_each_is_refused_with_file_and_line(self):
        for what, (old, new) in self.CASES.items():
            with self.subTest(what):
                self.milter.configure(self.GOOD)
                line = self.spoil(old, new)
                for mode in (["-t"], ["-f"]):
                    status, out, err = daemon.run(*mode, "-c",
                                                  self.milter.config)
                    self.assertEqual(status, 1, out + err)
                    self.assertIn(f"{self.milter.config}:{line}: ", err)

    def test_on_reload_the_old_policy_stays(self):
        with self.milter as milter:
            for what, (old, new) in self.CASES.items():
                with self.subTest(what):
                    milter.configure(self.GOOD)
                    line = self.spoil(old, new)
                    where = rf"{milter.config}:{line}: "
                    milter.expect(where)
                    milter.expect("old policy")
                    seen = len(milter.log())
                    milter.signal(signal.SIGHUP)
                    milter.wait_log(where, seen)
                    self.assertEqual(ask(milter).text, GREYLISTED)

    def test_a_missing_file_is_named(self):
        status, _, err = daemon.run("-t", "-c", "/nonexistent/x.conf")
        self.assertEqual(status, 1)
        self.assertIn("/nonexistent/x.conf", err)


class Check(unittest.TestCase):
    def test_the_rule_table_is_printed_as_it_will_be_applied(self):
        milter = Daemon(greylisting())
        self.addCleanup(milter.remove)
        status, out, err = daemon.run("-t", "-c", milter.config)
        self.assertEqual((status, err), (0, ""))
        self.assertLess(out.index("own networks"), out.index("strangers"))

    def test_version_and_help(self):
        for option in ("-V", "-h"):
            status, out, err = daemon.run(option)
            self.assertEqual((status, err), (0, ""))
            self.assertIn("milter-defer", out)

    def test_a_wrong_option_is_an_error_of_usage(self):
        status, _, err = daemon.run("-Z")
        self.assertNotEqual(status, 0)
        self.assertIn("usage", err.lower())


class Preflight(unittest.TestCase):
    """What a start would refuse, -t refuses; what is dangerous, both tell."""

    HEAD = daemon.HEAD
    SECRET = "0123456789abcdef" * 4 + "\n"

    def setUp(self):
        self.milter = Daemon(greylisting())
        self.addCleanup(self.milter.remove)
        for name in ("secret", "open"):
            self.put(name, self.SECRET)
        os.chmod(self.at("open"), 0o644)
        self.put("short", "short\n")
        os.mkfifo(self.at("fifo"))
        os.mkdir(self.at("folder"))
        os.link(self.at("secret"), self.at("linked"))
        os.symlink(self.at("secret"), self.at("link"))

    def at(self, name):
        return os.path.join(self.milter.directory, name)

    def put(self, name, text):
        with open(self.at(name), "w", opener=lambda path, flags:
                  os.open(path, flags, 0o600)) as file:
            file.write(text)

    def run_with(self, settings, mode="-t"):
        """(status, stderr) with these settings in the place of the head's."""
        name = settings.split("=")[0].strip()
        head = "".join(line + "\n" for line in self.HEAD.splitlines()
                       if not line.startswith(name))
        self.milter.head = head + settings + "\n"
        self.milter.configure(greylisting())
        status, _, err = daemon.run(mode, "-c", self.milter.config)
        return status, err

    REDIS = 'redis { servers = {"127.0.0.1:1"}  %s }'
    BAD = {  # settings -> what is said of them, also by a start
        'secret_file = "@DIR@/none"': "secret_file.*none: No such file",
        'secret_file = "@DIR@/short"': "secret_file.*short: needs at least",
        'secret_file = "@DIR@/fifo"': "secret_file.*fifo: it is not a regular",
        'secret_file = "@DIR@/folder"': "folder: it is a directory",
        'secret_file = "/dev/zero"': "/dev/zero: it is not a regular",
        REDIS % 'password_file = "@DIR@/none"': "none: No such file",
        REDIS % 'password_file = "@DIR@/fifo"': "fifo: it is not a regular",
        REDIS % 'sentinel_password_file = "@DIR@/none"': "none: No such file",
        REDIS % 'tls = true  tls_ca_file = "@DIR@/none"': "none: ",
        'store { file = "@DIR@/folder" }': "store.file.*folder: it is",
        'store { file = "@DIR@/fifo" }': "store.file.*fifo: it is not",
        'store { file = "/dev/null" }': "store.file = /dev/null: it is not",
        'pid_file = "@DIR@/fifo"': "pid file .*fifo is not a regular file",
        'pid_file = "@DIR@/link"': "pid file .*link is a symbolic link",
        'pid_file = "@DIR@/linked"': "pid file .*linked .*another name",
    }
    BAD_AS_ROOT = {'user = "nosuchuser"': "user nosuchuser: no such user"}

    def test_what_does_not_start_is_not_good(self):
        bad = dict(self.BAD)
        if os.geteuid() == 0:
            bad.update(self.BAD_AS_ROOT)
        for settings, words in bad.items():
            for mode in ("-t", "-f"):
                with self.subTest(settings, mode=mode):
                    status, err = self.run_with(settings, mode)
                    self.assertEqual(status, 1, err)
                    self.assertRegex(err, f"(?m)^error: .*{words}")
        self.assertTrue(os.path.exists("/dev/null"))
        with open(self.at("secret")) as file:
            self.assertEqual(file.read(), self.SECRET)

    NO_LOAD = {  # errors of -t, with which it serves all the same
        'load { figure_file = "@DIR@/fifo" }': "figure_file.*not a regular",
        'load { figure_file = "@DIR@/folder" }': "figure_file.*it is a directory",
        'reputation { reports_file = "@DIR@/fifo" }':
            "reports.*not a regular",
    }

    def test_what_is_no_file_is_told_and_left_alone(self):
        for settings, words in self.NO_LOAD.items():
            with self.subTest(settings):
                status, err = self.run_with(settings)
                self.assertEqual(status, 1)
                self.assertRegex(err, f"(?m)^error: {words}")
                self.milter.expect(words)
                self.milter.start()
                self.milter.wait_log(words)
                self.assertEqual(ask(self.milter).text, GREYLISTED)
                self.milter.stop()
        self.assertTrue(stat.S_ISFIFO(os.stat(self.at("fifo")).st_mode))

    DOUBTFUL = {  # settings -> the warning
        'secret_file = "@DIR@/open"': "secret_file.*open: every user",
        REDIS % 'password_file = "@DIR@/open"': "password_file.*every user",
        'load { queue_directory = "@DIR@/none" }':
            "queue_directory = .*none: No such file",
        'store { file = "@DIR@/none/records" }':
            "store.file = .*none: No such file .*lost at each restart",
        'store { file = "" }': "store.file is empty: .*lost at each restart",
    }

    def test_what_is_dangerous_is_told(self):
        doubtful = dict(self.DOUBTFUL)
        if os.geteuid() == 0:
            doubtful['user = "root"'] = "user = root: .*should not be root"
        for settings, words in doubtful.items():
            with self.subTest(settings):
                status, err = self.run_with(settings)
                self.assertEqual(status, 0, err)
                self.assertRegex(err, f"(?m)^warning: {words}")
                self.assertEqual(len(err.splitlines()), 1, err)

    def test_a_start_tells_it_too(self):
        self.run_with('secret_file = "@DIR@/open"')
        with self.milter as milter:
            milter.expect("every user")
            milter.wait_log("warning: secret_file.*every user")

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_it_is_looked_at_as_the_user_that_it_becomes(self):
        settings = 'secret_file = "@DIR@/secret"\nuser = "nobody"'
        self.HEAD = self.HEAD.replace('user = ""\n', "")
        for mode in ("-t", "-f"):
            status, err = self.run_with(settings, mode)
            self.assertEqual(status, 1)
            self.assertRegex(err, "error: .*secret: Permission denied")

    def test_without_a_public_suffix_list_there_are_no_pools(self):
        shim = self.at("no_psl.so")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o",
                        shim, "-x", "c", "-"], check=True, input=b"""
                        void *psl_latest(const char *file)
                        { return file == 0 ? 0 : (void *)0; }""")
        options = os.environ.get("ASAN_OPTIONS", "")
        self.milter.environment = {
            "LD_PRELOAD": shim,
            "ASAN_OPTIONS": options + ":verify_asan_link_order=0"}
        with self.milter as milter:
            milter.expect("no public suffix list")
            milter.wait_log("warning: .*no public suffix list")
            ask(milter)
            ask(milter)
            self.assertEqual("\n".join(milter.log()).count("suffix list"), 1)


class Reload(unittest.TestCase):
    def test_new_sessions_get_the_new_policy_and_old_ones_keep_theirs(self):
        with Daemon(defer_all("451 4.7.1 Old.")) as milter:
            with milter.client() as old:
                old.begin()
                milter.reload(defer_all("451 4.7.1 New."), "reload")
                self.assertEqual(ask(milter).text, "451 4.7.1 New.")
                self.assertEqual(old.message(ALICE, [BOB]).text,
                                 "451 4.7.1 Old.")

    def test_a_rule_may_come_that_needs_more_steps_than_before(self):
        """libmilter knows one set of steps; a reload must not outgrow it."""
        header = defer_all("451 4.3.0 Header.", 'header = {"X-Spam: yes"}')
        with Daemon(defer_all("451 4.7.1 Old.")) as milter:
            milter.reload(header, "reload")
            with milter.client() as client:
                outcome = client.begin().message(ALICE, [BOB],
                                                 [("X-Spam", "yes")])
            self.assertEqual((outcome.stage, outcome.text),
                             ("eom", "451 4.3.0 Header."))

    def test_what_was_learned_survives(self):
        with Daemon(greylisting("1s")) as milter:
            daemon.wait_for(lambda: ask(milter).accepted, "it passes")
            milter.reload(greylisting("1h"), "reload")
            self.assertTrue(ask(milter).accepted)

    def test_many_at_once_do_no_harm(self):
        with Daemon(greylisting()) as milter:
            ask(milter)
            before = milter.descriptors()
            for _ in range(200):
                milter.signal(signal.SIGHUP)
            self.assertEqual(ask(milter).text, GREYLISTED)
            daemon.wait_for(lambda: milter.descriptors() <= before, "no leak")


class StartAndEnd(unittest.TestCase):
    def test_sigterm_ends_it_cleanly_and_removes_its_socket(self):
        with Daemon(greylisting()) as milter:
            ask(milter)
            milter.stop()
            self.assertFalse(os.path.exists(milter.where[5:]))
            milter.start()

    def test_sigterm_ends_open_sessions(self):
        with Daemon(greylisting()) as milter:
            with milter.client() as client:
                client.begin()
                milter.stop()
                with self.assertRaises((EOFError, ConnectionError)):
                    client.message(ALICE, [BOB])
            milter.start()

    def test_a_stale_socket_is_replaced(self):
        with Daemon(greylisting()) as milter:
            milter.kill()
            self.assertTrue(os.path.exists(milter.where[5:]))
            milter.start()
            self.assertEqual(ask(milter).text, GREYLISTED)

    def test_a_file_in_place_of_the_socket_is_kept(self):
        milter = Daemon(greylisting())
        self.addCleanup(milter.remove)
        with open(milter.where[5:], "w") as file:
            file.write("precious\n")
        status, _, err = daemon.run("-f", "-c", milter.config)
        self.assertEqual(status, 1)
        self.assertIn(milter.where[5:], err)
        with open(milter.where[5:]) as file:
            self.assertEqual(file.read(), "precious\n")

    def test_a_second_one_leaves_the_first_alone(self):
        with Daemon(greylisting()) as milter:
            status, _, err = daemon.run("-f", "-c", milter.config)
            self.assertEqual(status, 1)
            self.assertTrue(err)
            self.assertEqual(ask(milter).text, GREYLISTED)

    def test_a_tcp_port_in_use_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            milter = Daemon(greylisting(), where=f"inet:{port}@127.0.0.1")
            self.addCleanup(milter.remove)
            status, _, err = daemon.run("-f", "-c", milter.config)
            self.assertEqual(status, 1)
            self.assertIn(str(port), err)

    def test_the_pid_file_is_locked_and_removed(self):
        head = daemon.HEAD.replace('pid_file = ""', 'pid_file = "@DIR@/pid"')
        with Daemon(greylisting(), head=head) as milter:
            path = os.path.join(milter.directory, "pid")
            with open(path) as file:
                self.assertEqual(int(file.read()), milter.process.pid)
            self.assertEqual(daemon.run("-f", "-c", milter.config)[0], 1)
            milter.stop()
            self.assertFalse(os.path.exists(path))
            milter.start()

    def test_the_socket_gets_its_mode(self):
        head = daemon.HEAD + "socket_mode = 0600\n"
        with Daemon(greylisting(), head=head) as milter:
            mode = os.stat(milter.where[5:]).st_mode & 0o777
            self.assertEqual(mode, 0o600)

    def test_inet_without_a_host_would_be_open_to_all(self):
        """libmilter would listen on 0.0.0.0, and take any number modulo 65536."""
        for where in ("inet:8891", "inet:99999@127.0.0.1"):
            with self.subTest(where):
                milter = Daemon(greylisting(), where=where)
                self.addCleanup(milter.remove)
                status, _, err = daemon.run("-t", "-c", milter.config)
                self.assertEqual(status, 1)
                self.assertIn(f"{milter.config}:1: ", err)


if __name__ == "__main__":
    cases.main()
