"""milter-deferctl: its table of commands, and the control socket."""

import json
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import time
import unittest

from lib import cases, daemon, farm
from lib.ctl import BothStores, Ctl
from lib.daemon import Daemon
from lib.policies import GREYLISTED, greylisting
from lib.redis_servers import start_single

SOURCE = os.environ.get("srcdir", ".")


def manual():
    with open(f"{SOURCE}/milter/man/milter-deferctl.8") as file:
        return file.read()


class Table(unittest.TestCase):
    """Table, usage, manual and completion tell of the same commands."""

    @classmethod
    def setUpClass(cls):
        cls.ctl = Ctl(None)
        cls.commands = cls.ctl.objects("command", "help")

    def test_usage_lists_each(self):
        status, out, err = self.ctl.run("--help")
        self.assertEqual((status, err), (0, ""))
        for command in self.commands:
            self.assertRegex(out, rf"(?m)^  {command['name']} +"
                             + re.escape(command["help"]))

    def test_help_tells_each_option(self):
        for command in self.commands:
            out = self.ctl.say(*command["name"].split(), "--help")
            self.assertIn(command["help"], out)
            for option in command["options"]:
                self.assertRegex(out, rf"(?m)^  --{option['name']}\b.*"
                                 + re.escape(option["help"]))

    def test_the_manual_has_each_with_its_options(self):
        parts = re.split(r"(?m)^\.It Cm ", manual())[1:]
        described = {}
        for part in parts:
            head, _, text = part.partition("\n")
            name = re.split(r" (?:Op|Ar|Fl|Pq|\|)\b", head)[0]
            described[name.strip()] = head + "\n" + text
        self.assertEqual(sorted(described),
                         sorted(command["name"] for command in self.commands))
        for command in self.commands:
            for option in command["options"]:
                self.assertIn(f"Fl -{option['name']}",
                              described[command["name"]], command["name"])

    def complete(self, *words):
        """What bash offers for the last of these words."""
        script = (self.ctl.say("completion")
                  + "COMP_WORDS=(milter-deferctl \"$@\")\n"
                  "COMP_CWORD=$#\n_milter_deferctl\n"
                  "printf '%s\\n' \"${COMPREPLY[@]}\"\n")
        done = subprocess.run(["bash", "-c", script, "-", *words],
                              capture_output=True, text=True, check=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_completion_offers_each(self):
        offered = self.complete("")
        for command in self.commands:
            first, _, second = command["name"].partition(" ")
            self.assertIn(first, offered)
            if second:
                self.assertIn(second, self.complete(first, ""))
            options = self.complete(first, *second.split(), "--")
            self.assertEqual(
                sorted(options),
                sorted(["--help", "--json"]
                       + [f"--{one['name']}" for one in command["options"]]))


class Usage(unittest.TestCase):
    def test_a_wrong_command_line_is_told(self):
        for words, said in (((), "Usage"), (("nosuch",), "no command nosuch"),
                            (("hlep",), "did you mean help"),
                            (("help", "a", "b", "c"), "too many words"),
                            (("help", "--nosuch"), "no such option"),
                            (("-x",), "Usage")):
            status, out, err = Ctl(None).run(*words)
            self.assertEqual((status, out), (2, ""), words)
            self.assertIn(said, err)

    def test_too_much(self):
        status, _, err = Ctl(None).run("help", *["x"] * 300)
        self.assertEqual(status, 2)
        self.assertIn("too many words", err)
        with Daemon(greylisting()) as milter:
            status, _, err = Ctl(milter).run("show", "x" * 100000)
            self.assertEqual(status, 2)
            self.assertNotEqual(err, "")
            self.assertEqual(Ctl(milter).run("status")[0], 0)

    def test_version(self):
        self.assertIn("milter-deferctl", Ctl(None).say("--version"))


class Show(BothStores, unittest.TestCase):
    """What was learned of a client, with both stores."""

    CLIENT, NAME = "192.0.2.7", "mail.sender.example"
    PAIR = "a@sender.example", "bob@local.test"

    def mail(self, milter):
        with milter.client() as client:
            client.begin(name=self.NAME, address=self.CLIENT)
            sender, recipient = self.PAIR
            return client.message(f"<{sender}>", [f"<{recipient}>"])

    def look(self, milter):
        ctl = Ctl(milter)
        self.assertEqual(ctl.run("show", self.CLIENT)[0], 1)
        self.assertEqual(ctl.run("show", "sender.example")[0], 1)
        self.mail(milter)
        first = daemon.wait_for(
            lambda: ctl.objects("clock", "show", self.CLIENT),
            "the first attempt is remembered")
        pair = [one for one in first if one["pair"] != "client"][0]
        self.assertEqual(pair["state"], "waiting")
        self.assertEqual(pair["may_pass"] - pair["at"], 1)
        self.assertEqual(pair["until"] - pair["at"], 25 * 3600)
        time.sleep(1.2)
        self.assertTrue(self.mail(milter).accepted)
        daemon.wait_for(
            lambda: ctl.objects("trust", "show", self.CLIENT),
            "the pass is remembered")
        self.told_of_a_pass(ctl)
        for network in ("192.0.2.0/23", "192.0.2.0/33", "a b", ""):
            self.assertEqual(ctl.run("show", network)[0], 2, network)

    def told_of_a_pass(self, ctl):
        words = ("--from", self.PAIR[0], "--to", self.PAIR[1])
        of_address = ctl.ask("show", self.CLIENT, "--name", self.NAME, *words)
        of_network = ctl.ask("show", "192.0.2.0/24", *words)
        of_name = ctl.ask("show", self.NAME, *words)
        for status, objects in (of_address, of_network, of_name):
            self.assertEqual(status, 0)
            clock = [one for one in objects if one["kind"] == "clock"
                     and one["pair"] != "client" and not one["of"]][0]
            self.assertEqual(clock["state"], "passed")
            self.assertEqual(clock["until"] - clock["at"], 36 * 86400)
            trust = [one for one in objects if one["kind"] == "trust"]
            self.assertEqual([one["passes"] for one in trust],
                             [1] * len(trust))
        client = [one for one in of_address[1] if one["kind"] == "client"][0]
        self.assertEqual((client["known"], client["passes"], client["pool"],
                          client["network"], client["host"]),
                         (True, 1, "sender.example", "192.0.2.0/24", 7))
        self.assertGreater(client["score"], 0)
        other = ctl.objects("clock", "show", self.CLIENT, "--from", "x@y.test",
                            "--to", self.PAIR[1])
        self.assertEqual([one for one in other if one["pair"] != "client"], [])
        self.assertIn("known client", ctl.say("show", self.CLIENT))

    POLICY = "known_after = 1\n" + greylisting("1s")


class Counts(BothStores, unittest.TestCase):
    """status and top, with both stores."""

    POLICY = ("known_after = 1\n"
              'rule "never" { sender = "x@*"  verdict = accept }\n'
              + greylisting("1s"))

    def mail(self, milter, client, sender="a@sender.example"):
        with milter.client() as one:
            one.begin(name="unknown", address=client)
            return one.message(f"<{sender}>", ["<bob@local.test>"])

    def look(self, milter):
        ctl = Ctl(milter)
        for number in range(5):
            self.mail(milter, f"192.0.2.{number}")
        for number in range(3):
            self.mail(milter, f"198.51.100.{number}")
        self.mail(milter, "10.0.0.1")
        time.sleep(1.2)
        self.mail(milter, "192.0.2.1")
        totals = daemon.wait_for(lambda: [
            one for one in ctl.objects("totals", "status")
            if one["passed"] == 1], "all is counted")[0]
        self.assertEqual((totals["accepted"], totals["deferred"]), (2, 8))
        self.assertEqual(sum(totals["deferred_minutes"]), 8)
        self.status(ctl)
        self.top(ctl)

    def status(self, ctl):
        hosts = ctl.objects("host", "status")
        self.assertEqual([one["state"] for one in hosts], ["ok"])
        self.assertGreaterEqual(hosts[0]["load"], 0)
        records = ctl.objects("records", "status")[0]
        self.assertEqual((records["known"], records["pending"],
                          records["passed"], records["complete"]),
                         (1, 7, 1, True))
        rules = {one["rule"]: one for one in ctl.objects("rule", "status",
                                                         "--idle", "1s")}
        self.assertEqual(rules["own networks"]["accepted"], 1)
        self.assertEqual(rules["strangers"]["deferred"], 8)
        self.assertEqual(rules["strangers"]["passed"], 1)
        self.assertTrue(rules["never"]["idle"])
        self.assertFalse(any(one["idle"] for one
                             in ctl.objects("rule", "status")))
        text = ctl.say("status")
        self.assertRegex(text, r"strangers +0 +8 ")
        self.assertNotIn("\x1b", text)

    def top(self, ctl):
        networks = ctl.objects("network", "top", "--rounds", "1")
        self.assertEqual([(one["network"], one["deferred"], one["passed"])
                          for one in networks],
                         [("192.0.2.0/24", 5, 1), ("198.51.100.0/24", 3, 0)])
        networks = ctl.objects("network", "top", "--rounds", "1", "--network",
                               "198.51.100.0/25")
        self.assertEqual([one["network"] for one in networks],
                         ["198.51.100.0/24"])
        self.assertEqual(ctl.objects("network", "top", "--rounds", "1",
                                     "--rule", "never"), [])
        lines = ctl.say("top", "--rounds", "1").splitlines()
        self.assertEqual(len(lines), 2)
        self.assertIn("strangers", lines[1])

    def test_two_servers(self):
        """Either tells of both, and of what they did together."""
        if not shutil.which("redis-server"):
            self.skipTest("no redis-server here")
        redis = start_single()
        self.addCleanup(redis.stop)
        one, other = (farm.daemon(farm.redis(redis.where)
                                  + f'server_name = "{name}.local.test"\n',
                                  self.POLICY) for name in ("mx1", "mx2"))
        with one, other:
            daemon.wait_for(lambda: redis.ask("HLEN", "mdefer:1:load") == 2,
                            "both have found Redis")
            self.mail(one, "192.0.2.1")
            self.mail(other, "192.0.2.2")
            self.mail(other, "192.0.2.3")
            for ctl in map(Ctl, (one, other)):
                daemon.wait_for(lambda: ctl.objects("totals", "status")[0]
                                ["deferred"] == 3, "all is counted")
                hosts = {row["host"]: row for row
                         in ctl.objects("host", "status")}
                self.assertEqual(
                    {name: (row["state"], row["deferred"])
                     for name, row in hosts.items()},
                    {"mx1.local.test": ("ok", 1), "mx2.local.test": ("ok", 2)})
                networks = ctl.objects("network", "top", "--rounds", "1",
                                       "--server", "mx2.local.test")
                self.assertEqual([row["deferred"] for row in networks], [2])

    def test_top_on_a_terminal(self):
        """In place, within 80 columns; no colour where it is not wanted."""
        with Daemon(self.POLICY) as milter:
            self.mail(milter, "192.0.2.1")
            ctl = Ctl(milter)
            shown = on_terminal([*ctl.head, "top", "--rounds", "2", "--every",
                                 "1s"])
            plain = on_terminal([*ctl.head, "status"], NO_COLOR="1")
        self.assertEqual(shown.count("\x1b[H\x1b[J"), 2)
        self.assertIn("\x1b[1m", shown)
        lines = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", shown).splitlines()
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertNotIn("\x1b", plain)

    def test_top_ends_when_nobody_reads(self):
        with Daemon(self.POLICY) as milter:
            process = Ctl(milter).start("top", "--every", "1s")
            self.assertTrue(process.stdout.readline().startswith("TIME"))
            process.stdout.close()
            process.wait(daemon.PATIENCE)


def on_terminal(command, **environment):
    """What it writes to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs,
                               stdin=subprocess.DEVNULL,
                               env={**os.environ, **environment})
    os.close(theirs)
    said = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:  # its end
            more = b""
        if not more:
            break
        said += more
    os.close(ours)
    process.wait(daemon.PATIENCE)
    return said.decode()


class Socket(unittest.TestCase):
    """Whatever is done to the control socket, mail is answered meanwhile."""

    def setUp(self):
        self.milter = Daemon(greylisting())
        self.addCleanup(self.milter.remove)
        self.where = f"{self.milter.directory}/control.sock"
        self.links = []

    def connect(self):
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(daemon.PATIENCE)
        # It listens a moment after the socket of the filter does.
        daemon.wait_for(lambda: link.connect_ex(self.where) == 0,
                        "the control socket listens")
        self.links.append(link)
        return link

    def tearDown(self):
        for link in self.links:
            link.close()

    def ask(self, text):
        """All that is answered to these octets."""
        link = self.connect()
        try:
            link.sendall(text)
            with link.makefile("rb") as answer:
                return answer.read().decode()
        except (BrokenPipeError, ConnectionResetError):
            return ""

    def assert_well(self):
        """Mail and the tool are served."""
        with self.milter.client() as client:
            self.assertEqual(client.begin().message(
                "<a@sender.example>", ["<bob@local.test>"]).text, GREYLISTED)
        self.assertEqual(Ctl(self.milter).run("status")[0], 0)

    def test_its_mode_and_end(self):
        with self.milter:
            self.assertEqual(os.stat(self.where).st_mode & 0o777, 0o660)
        self.assertFalse(os.path.exists(self.where))

    def test_what_is_no_request(self):
        many = json.dumps({"argv": ["show"] * 257}).encode() + b"\n"
        with self.milter:
            for text in (b"\n", b"{\n", b"[]\n", b'{"argv": 1}\n',
                         b'{"argv": []}\n', b'{"argv": [1]}\n',
                         b'{"argv": ["nosuch"]}\n', b"\0\0\0\n", many,
                         b'{"argv": ["help"]}\n', b'{"argv": ["show"]}\n',
                         b'{"argv": ["status", "--nosuch"]}\n',
                         b'{"argv": ["show", "\\u0000"]}\n',
                         b'{"argv": ["show", "\xff"]}\n',
                         b"[" * 60000 + b"\n"):
                answer = self.ask(text)
                objects = [json.loads(line) for line in answer.splitlines()]
                self.assertEqual([one["kind"] for one in objects],
                                 ["error", "end"], text[:60])
                self.assertEqual(objects[-1]["status"], 2)
            # Longer than any request: it is cut off, and not kept.
            self.assertEqual(self.ask(b"x" * 200000), "")
            self.assert_well()

    def test_a_request_in_pieces(self):
        with self.milter:
            link = self.connect()
            for octet in b'{"argv": ["status"]}\n':
                link.sendall(bytes([octet]))
            with link.makefile() as answer:
                kinds = [json.loads(line)["kind"] for line in answer]
            self.assertIn("store", kinds)
            self.assertEqual(kinds[-1], "end")

    def test_who_says_nothing_is_cut_off(self):
        with self.milter:
            link = self.connect()
            link.sendall(b'{"argv": [')
            self.assertEqual(link.recv(100), b"")

    def test_a_flood(self):
        """More than there are places for; those who come are told."""
        with self.milter:
            for _ in range(100):
                link = self.connect()
                link.setblocking(False)
            daemon.wait_for(lambda: self.count_refused() >= 100 - 16,
                            "those beyond the places are refused")
            self.assertLessEqual(self.milter.descriptors(), 100)
            with self.milter.client() as client:
                self.assertEqual(client.begin().message(
                    "<a@sender.example>", ["<bob@local.test>"]).text,
                    GREYLISTED)
            status, out, err = Ctl(self.milter).run("status")
            self.assertEqual((status, out), (2, ""))
            self.assertIn("too many", err)
            for link in self.links:
                link.close()
            daemon.wait_for(lambda: Ctl(self.milter).run("status")[0] == 0,
                            "there are places again")

    def count_refused(self):
        self.told = getattr(self, "told", set())
        for link in self.links:
            try:
                if link not in self.told and b"too many" in link.recv(1000):
                    self.told.add(link)
            except BlockingIOError:
                pass
            except ConnectionResetError:
                self.told.add(link)
        return len(self.told)

    def test_who_does_not_read(self):
        """Holds up nobody, and not the end of the daemon either."""
        with self.milter:
            for _ in range(3):
                link = self.connect()
                link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                link.sendall(b'{"argv": ["top", "--every", "1s"]}\n')
            self.assert_well()
            began = time.monotonic()
        self.assertLess(time.monotonic() - began, 30)

    def test_who_goes_away(self):
        with self.milter:
            for _ in range(20):
                link = self.connect()
                link.sendall(b'{"argv": ["top", "--every", "1h"]}\n')
                link.recv(10)
                link.close()
            daemon.wait_for(lambda: self.connections() == 0,
                            "nothing is left of them")

    def connections(self):
        """Threads that serve one, besides the one that listens."""
        tasks = f"/proc/{self.milter.process.pid}/task"
        names = []
        for task in os.listdir(tasks):
            try:
                with open(f"{tasks}/{task}/comm") as file:
                    names.append(file.read().strip())
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has ended
        return names.count("control") - 1

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_who_may_not_change_anything(self):
        """Others than root and the daemon's user may look, if the socket lets
        them; they are refused what changes something."""
        changing = [one["name"].split() for one
                    in Ctl(None).objects("command", "help") if one["changes"]]
        with self.milter:
            os.chmod(self.where, 0o666)
            for words in [["status"], *changing]:
                said = self.ask_as_nobody(words + ["192.0.2.7"] * 2)
                if words == ["status"]:
                    continue
                self.assertTrue("only root" in said or "few words" in said
                                or "many words" in said, said)
            self.assertIn("store", self.ask_as_nobody(["status"]))
            self.assertIn("only root", self.ask_as_nobody(
                ["explain", "--client", "192.0.2.7", "--from", "a@b.test",
                 "--to", "c@d.test", "--config", "x"]))

    def ask_as_nobody(self, words):
        script = ("import json, os, socket, sys\nos.setuid(65534)\n"
                  "link = socket.socket(socket.AF_UNIX)\n"
                  "link.connect(sys.argv[1])\n"
                  "link.sendall(json.dumps({'argv': sys.argv[2:]}).encode()"
                  " + b'\\n')\nprint(link.makefile().read())\n")
        done = subprocess.run([sys.executable, "-c", script, self.where,
                               *words], capture_output=True, text=True)
        return done.stdout + done.stderr


class Start(unittest.TestCase):
    def test_without_the_default_socket(self):
        """A start that cannot make it warns; a socket that is asked for has to
        be made."""
        head = daemon.HEAD.replace('control = "@DIR@/control.sock"\n', "")
        if os.path.isdir("/run/milter-defer"):
            self.skipTest("it can be made here")
        milter = Daemon(greylisting(), head=head)
        milter.expect("there is no control socket")
        with milter:
            milter.wait_log("warning: there is no control socket")
        milter = Daemon('control = "/nonexistent/control.sock"\n'
                        + greylisting(), head=head)
        self.addCleanup(milter.remove)
        status, _, err = daemon.run("-f", "-c", milter.config)
        self.assertEqual(status, 1)
        self.assertIn("/nonexistent", err)

    def test_off(self):
        head = daemon.HEAD.replace("@DIR@/control.sock", "")
        with Daemon(greylisting(), head=head) as milter:
            status, _, err = Ctl(milter).run("status")
        self.assertEqual(status, 2)
        self.assertIn("control", err)

    def test_what_is_left_of_a_killed_one_is_removed(self):
        milter = Daemon(greylisting())
        self.addCleanup(milter.remove)
        milter.start()
        milter.kill()
        with milter:
            daemon.wait_for(lambda: Ctl(milter).run("status")[0] == 0,
                            "it listens in its place")


if __name__ == "__main__":
    cases.main()
