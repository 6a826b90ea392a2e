"""The journal, the counters and the lines of the log: why was it deferred, and
what became of it?"""

import collections
import json
import os
import re
import shutil
import threading
import time
import unittest

from lib import daemon, farm, mta_case
from lib.ctl import Ctl
from lib.daemon import Daemon, wait_for
from lib.milterclient import MAIL
from lib.mta import Postfix
from lib.pace import pace
from lib.policies import OWN_NETWORKS, defer_all, response
from lib.redis_servers import start_cluster, start_sentinel_set, start_single

CLIENT, NAME = "198.51.100.7", "mail.sender.example"
NAMES = {CLIENT: NAME}
ALICE, BOB, CAROL = "alice@sender.example", "bob@local.test", "carol@local.test"
REFERENCE = r"\b[0-9A-HJKMNP-TV-Z]{16}\b"


def told(text):
    """The reference in a reply."""
    return re.search(REFERENCE, text).group()


def greylisting(delay="1s", more=""):
    return (more + response("greylisted", "451 4.7.1 Later, see %{reference}")
            + OWN_NETWORKS + 'rule "strangers" { verdict = greylist  '
            f'by = triplet  delay = {delay}  response = "greylisted"  '
            'at = data }\n')


def mail(milter, sender=ALICE, recipients=(BOB,), address=CLIENT, name=NAME):
    with milter.client() as client:
        client.begin(name=name, address=address)
        return client.message(f"<{sender}>", [f"<{one}>" for one in recipients])


def reach(milter):
    """One that has just begun may not have found its Redis yet."""
    wait_for(lambda: "Later" in mail(milter, "probe@probe.test",
                                     address="203.0.113.99").text,
             "Redis is reached")


def serve(milter):
    """Nor may the tool be answered yet."""
    wait_for(lambda: Ctl(milter).run("why", "K3T9D0VE7Q2M9XAB")[0] == 1,
             "the tool is answered")


def ask(ctl, *words):
    """What `why` finds, without its remarks."""
    return [one for one in ctl.ask("why", *words)[1]
            if one["kind"] in ("decision", "entry")]


def find(ctl, *words):
    return wait_for(lambda: ask(ctl, *words), "the journal has it")


class Why(unittest.TestCase):
    """What `why` tells, with both stores."""

    def life(self, milter):
        ctl = Ctl(milter)
        serve(milter)
        reference = told(mail(milter, recipients=(BOB, CAROL)).text)
        first, = find(ctl, reference)
        self.assertEqual(
            [first[key] for key in ("what", "rule", "client", "name", "stage",
                                    "recipients", "response", "wait", "known")],
            ["defer", "strangers", CLIENT, NAME, "data", 2, "greylisted", 1,
             "no"])
        self.assertEqual(first["reply"], f"451 4.7.1 Later, see {reference}")
        self.assertEqual(first["session"], milter.log()[-1].split(
            "session=")[1].split()[0])
        self.assertIn(first["after"], ("waits", "may come back"))
        grouped = "-".join(re.findall("....", reference.lower()))
        self.assertEqual(find(ctl, grouped)[0]["reference"], reference)
        time.sleep(1.2)
        self.assertTrue(mail(milter, recipients=(CAROL,)).accepted)
        wait_for(lambda: ask(ctl, reference)[0]["after"] == "passed",
                 "the journal tells that it passed")
        self.passed(ctl, reference)
        self.by_address(ctl)
        self.assertIn("passed", ctl.say("why", reference))
        for words in ((), ("a b c d",), ("192.0.2.0/99",), ("--to", BOB),
                      ("--from", ALICE, "--since", "soon")):
            self.assertEqual(ctl.run("why", *words)[0], 2, words)

    def passed(self, ctl, reference):
        first, = ask(ctl, reference)
        self.assertGreaterEqual(first["waited_in_all"], 1)
        self.assertLessEqual(first["waited_in_all"], 30)
        self.assertGreaterEqual(first["passed_at"], first["at"])
        pass_, = [one for one in ask(ctl, CLIENT) if one["what"] == "pass"]
        self.assertEqual(pass_["rule"], "strangers")
        self.assertEqual(pass_["waited"], first["waited_in_all"])

    def by_address(self, ctl):
        for words, count in (((CLIENT,), 2), (("198.51.100.0/24",), 2),
                             (("--from", ALICE), 2),
                             (("--from", f"<{ALICE.upper()}>"), 0),
                             (("--from", ALICE, "--to", BOB), 1),
                             (("--from", ALICE, "--to", CAROL), 2),
                             (("--from", ALICE, "--last", "1"), 1),
                             (("--from", ALICE, "--to", "eve@local.test"), 0),
                             (("--from", "eve@sender.example"), 0),
                             (("192.0.2.1",), 0)):
            self.assertEqual(len(ask(ctl, *words)), count, words)
            status, _, err = ctl.run("why", *words)
            self.assertEqual(status, 0 if count else 1, (words, err))

    def test_embedded(self):
        with Daemon(greylisting()) as milter:
            self.life(milter)

    def on(self, mode, servers, **options):
        section = farm.redis(servers, **options, mode=mode)
        with farm.daemon(section, greylisting()) as milter:
            reach(milter)
            self.life(milter)

    def test_redis(self):
        with start_single() as server:
            self.on("single", server.where)
            stored = " ".join(server.ask(
                "ZRANGE", "mdefer:1:journal", 0, -1)).lower()
            for word in ("alice", "bob", "carol", "local.test"):
                self.assertNotIn(word, stored)

    def test_sentinel(self):
        with start_sentinel_set() as servers:
            self.on("sentinel", servers.addresses,
                    master_name=servers.master_name)

    def test_cluster(self):
        with start_cluster() as cluster:
            self.on("cluster", cluster.addresses)

    def test_without_a_journal(self):
        with Daemon("journal { entries = 0 }\n" + greylisting()) as milter:
            reference = told(mail(milter).text)
            ctl = Ctl(milter)
            wait_for(lambda: "no journal" in ctl.run("why", reference)[2],
                     "the tool says so")
            self.assertEqual(ctl.run("why", reference)[:2], (2, ""))

    def test_no_more_are_kept_than_is_said(self):
        with Daemon("journal { entries = 20 }\n" + greylisting()) as milter:
            ctl = Ctl(milter)
            first = told(mail(milter).text)
            find(ctl, first)
            time.sleep(1.1)  # within a second there is no order
            for number in range(30):
                mail(milter, f"{number}x{number}@a.test")
            time.sleep(1.1)
            last = told(mail(milter, "last@a.test").text)
            find(ctl, last)
            self.assertEqual(len(ask(ctl, CLIENT)), 20)
            self.assertEqual(ask(ctl, first), [])

    def test_a_rule_on_trial(self):
        policy = (response("no", "451 4.7.1 No")
                  + 'rule "trial" { verdict = defer  response = "no"  '
                  'observe = true }\n')
        with Daemon(policy) as milter:
            self.assertTrue(mail(milter).accepted)
            line = [one for one in milter.decisions()
                    if one["verdict"] == "observe"][0]
            entry, = find(Ctl(milter), line["reference"])
            self.assertEqual((entry["what"], entry["rule"]),
                             ("observe", "trial"))


class Trace(unittest.TestCase):
    """Steps as they come."""

    def setUp(self):
        self.steps = []

    def follow(self, tool, wanted):
        """Read what it says until there is a step of this name."""
        timer = threading.Timer(daemon.PATIENCE, tool.kill)
        timer.start()
        try:
            for line in tool.stdout:
                step = json.loads(line)
                self.assertEqual(step["kind"], "step", step)
                self.steps.append(step)
                if step["step"] == wanted:
                    return step
        finally:
            timer.cancel()
        raise AssertionError(f"no {wanted}: {self.steps}")

    def end(self, tool):
        tool.terminate()
        tool.wait(daemon.PATIENCE)
        tool.stdout.close()

    def trace(self, ctl, milter, hosts=1):
        tool = ctl.start("--json", "trace", "--client", "198.51.100.0/24")
        self.addCleanup(self.end, tool)
        for _ in range(hosts):  # each says so
            self.follow(tool, "ready")
        mail(milter, address="192.0.2.1", name="[192.0.2.1]")
        mail(milter)
        reply = self.follow(tool, "reply")
        self.follow(tool, "close")
        self.assertIn('reply="451 4.7.1 Later, see ', reply["text"])
        self.assertEqual({step["client"] for step in self.steps
                          if step["step"] != "ready"}, {CLIENT})
        self.assertEqual(len({step["session"] for step in self.steps
                              if step["session"]}), 1)
        names = [step["step"] for step in self.steps if step["step"] in (
            "connect", "helo", "mail", "rcpt", "data", "reply", "close")]
        self.assertEqual(names, ["connect", "helo", "mail", "rcpt", "data",
                                 "reply", "close"])
        rules = [step["text"] for step in self.steps if step["step"] == "rule"]
        self.assertIn(f'recipient=<{BOB}> rule="strangers" answer=yes', rules)
        since = [step["since_ms"] for step in self.steps
                 if step["step"] != "ready"]
        self.assertEqual(since, sorted(since))
        self.assertLess(since[-1], 10000)

    def test_embedded(self):
        with Daemon(greylisting("1h")) as milter:
            serve(milter)
            self.trace(Ctl(milter), milter)

    def test_on_another_host(self):
        with start_single() as server:
            section = farm.redis(server.where)
            with farm.daemon(section, greylisting("1h")) as one, farm.daemon(
                    section, greylisting("1h")) as other:
                reach(one)
                reach(other)
                self.trace(Ctl(one), other, hosts=2)

    def test_it_ends_by_itself(self):
        with Daemon(greylisting("1h")) as milter:
            serve(milter)
            ctl = Ctl(milter)
            status, objects = ctl.ask("trace", "--client", CLIENT,
                                      "--for", "3s")
            self.assertEqual(status, 0)
            self.assertEqual([one["step"] for one in objects], ["ready"])
            for words in ((), ("--client", "here"),
                          ("--client", "192.0.2.0/99")):
                self.assertEqual(ctl.run("trace", *words)[0], 2, words)


class Redis(unittest.TestCase):
    """What is wrong with the journal is nobody's fault."""

    def test_an_old_list_of_permissions_costs_the_journal_alone(self):
        with start_single() as server:
            server.ask("ACL", "SETUSER", "default", "-zrevrangebyscore",
                       "-zremrangebyscore", "-zremrangebyrank")
            with farm.daemon(farm.redis(server.where), greylisting("1h"),
                             faults=True) as milter:
                reach(milter)
                end = time.monotonic() + 2
                while time.monotonic() < end:
                    self.assertIn("Later", mail(milter).text)
                milter.wait_log("Redis at .* NOPERM")
                self.assertEqual(Ctl(milter).run("why", CLIENT)[0], 2)

    def test_the_permissions_of_the_manual_suffice(self):
        source = os.environ.get("srcdir", ".")
        with open(f"{source}/milter/man/milter-defer-redis.5") as file:
            words = re.search(r"ACL SETUSER mdefer (.*?)\n\.Ed", file.read(),
                              re.DOTALL).group(1).split()
        with start_single() as server:
            server.ask("ACL", "SETUSER", "mdefer", "on",
                       *(">secret" if one == ">password" else one
                         for one in words))
            section = farm.redis(server.where, user="mdefer",
                                 password_file="@DIR@/password")
            milter = farm.daemon(section, greylisting())
            farm.put(milter, "password", "secret")
            with milter:
                ctl = Ctl(milter)
                reach(milter)
                reference = told(mail(milter).text)
                self.assertEqual(find(ctl, reference)[0]["rule"], "strangers")
                self.assertEqual(
                    ctl.run("trace", "--client", CLIENT, "--for", "2s")[0], 0)
                time.sleep(1)
                self.assertTrue(mail(milter).accepted)
                wait_for(lambda: ask(ctl, reference)[0]["after"] == "passed",
                         "the journal tells that it passed")
                self.assertEqual(ctl.run("status")[0], 0)

    def test_a_foreign_key_under_its_name_is_removed(self):
        with start_single() as server:
            for name in ("journal", "journal:last"):
                server.ask("SET", f"mdefer:1:{name}", "no journal")
            with farm.daemon(farm.redis(server.where),
                             greylisting("1h")) as milter:
                milter.expect("holds nothing of ours")
                reach(milter)
                reference = told(mail(milter).text)
                self.assertEqual(
                    find(Ctl(milter), reference)[0]["rule"], "strangers")

    def test_what_was_decided_while_it_was_away_comes_later(self):
        with start_single() as server:
            policy = greylisting("1h") + defer_all("451 No, %{reference}",
                                                   "at = data")
            with farm.daemon(farm.redis(server.where, deadline="200ms"),
                             policy, faults=True) as milter:
                ctl = Ctl(milter)
                reach(milter)
                find(ctl, told(mail(milter).text))
                server.kill()
                wait_for(lambda: "No, " in mail(milter).text,
                         "the store is away")
                reference = told(mail(milter).text)
                server.start()
                self.assertEqual(find(ctl, reference)[0]["rule"], "all")

    def test_it_does_not_hold_up_the_end(self):
        with start_single() as server:
            with farm.daemon(farm.redis(server.where, deadline="200ms"),
                             greylisting("1h"), faults=True) as milter:
                reach(milter)
                server.freeze()
                for number in range(20):
                    mail(milter, f"{number}@a.test")
                milter.end_in_time()
                server.thaw()

    def test_what_was_decided_last_is_kept(self):
        with start_single() as server:
            section = farm.redis(server.where)
            with farm.daemon(section, greylisting("1h")) as milter:
                reach(milter)
                reference = told(mail(milter).text)
                milter.stop()
                self.assertEqual(
                    len(ask(Ctl(milter), reference)), 1)
                milter.start()


class Log(unittest.TestCase):
    """A line tells all of its message, and nobody can forge one."""

    def line(self, milter):
        return milter.decisions()[-1]

    def test_user_name_and_recipients(self):
        with Daemon(greylisting("1h")) as milter:
            with milter.client() as client:
                client.negotiate()
                client.connect(NAME, CLIENT)
                client.helo("mail.sender.example")
                client.macros(MAIL, auth_type="PLAIN", auth_authen="an na=")
                client.message(f"<{ALICE}>", [f"<{BOB}>"])
            self.assertIn(r" user=an\x20na", milter.log()[-1])
            mail(milter, recipients=(BOB, CAROL))
            line = self.line(milter)
            self.assertEqual(line["recipient"], f"<{BOB}>,<{CAROL}>")
            self.assertEqual(line["recipients"], "2")
            self.assertEqual(line["name_status"], "verified")
            self.assertEqual(line["user"], "")
            self.assertIn("load_source", line)
            mail(milter, name="[198.51.100.9]", address="198.51.100.9")
            self.assertEqual(self.line(milter)["name_status"], "none")

    def test_a_long_list_is_cut_with_a_count(self):
        many = [f"{number:03}{'x' * 50}@local.test" for number in range(100)]
        with Daemon(greylisting("1h")) as milter:
            mail(milter, recipients=many)
            line = self.line(milter)
            shown = line["recipient"].split(",")
            self.assertRegex(shown[-1], r"^\+\d+$")
            self.assertEqual(len(shown) - 1 + int(shown[-1]), 100)
            self.assertEqual(line["recipients"], "100")
            self.assertIn("id", line)

    def test_nobody_forges_a_field(self):
        evil = 'x verdict=accept rule="a",<b>\n\tq=1'
        with Daemon(greylisting("1h")) as milter:
            with milter.client() as client:
                client.begin(name=NAME, address=CLIENT, helo=evil)
                client.message(f'<"{evil}"@a.test>',
                               [f'<"{evil}"@local.test>', f"<{BOB}>"])
            lines = [one for one in milter.log() if "verdict=" in one]
            self.assertEqual(len(lines), 1)
            self.assertEqual(lines[0].count(" verdict="), 1)
            self.assertEqual(lines[0].count(" rule="), 1)
            self.assertEqual(lines[0].count(" q="), 0)
            self.assertEqual(self.line(milter)["verdict"], "defer")

    def test_what_had_waited(self):
        with Daemon(greylisting()) as milter:
            mail(milter)
            time.sleep(1.2)
            self.assertTrue(mail(milter).accepted)
            line = self.line(milter)
            self.assertEqual((line["verdict"], line["passed"]),
                             ("accept", "strangers"))
            self.assertGreaterEqual(int(line["waited"]), 1)
            self.assertTrue(mail(milter).accepted)
            self.assertNotIn("passed", self.line(milter))

    def test_the_summary(self):
        with Daemon(greylisting("1h", "log_summary = 1s\n")) as milter:
            mail(milter)
            milter.wait_log(r"summary span=\d+ .*deferred=1 .*"
                            r'rules="strangers":1$')


class Counters(unittest.TestCase):
    """They equal the log."""

    SESSIONS = int(os.environ.get("COUNTED_SESSIONS", "400"))

    def count(self, milter):
        """All kinds of outcomes, again and again."""
        verdicts = collections.Counter()
        for number in range(self.SESSIONS):
            address = (f"10.0.0.{number % 100}" if number % 5 == 0
                       else f"198.51.{number % 7}.{number % 200}")
            with milter.client() as client:
                client.begin(name=NAME, address=address)
                client.message(f"<a{number % 3}@{number % 50}.test>",
                               [f"<{BOB}>", f"<{CAROL}>"])
        for line in milter.log():
            if "verdict=" in line:
                verdict = re.search(r"verdict=(\w+)", line).group(1)
                rule = re.search(r'rule="([^"]*)"', line).group(1)
                verdicts[verdict, rule] += 1
        return verdicts

    def test_rules_that_have_no_room_are_told(self):
        def policy(round_):
            return "".join(f'rule "r{round_}-{i}" {{ client = "203.0.113.{i}"  '
                           "verdict = accept }\n" for i in range(100))

        with Daemon(policy(0)) as milter:
            milter.expect("rules have had more than 320 names")
            for round_ in range(1, 4):
                line = milter.reload(policy(round_), "reloaded")
            self.assertTrue(line)
            milter.wait_log("not counted by name until a restart")

    def summary(self, milter):
        """The sum of all lines since it began."""
        sums = collections.Counter()
        for line in milter.log():
            if "summary span=" in line:
                for name, value in re.findall(r"(\w+)=(\d+)\b", line):
                    sums[name] += int(value)
                for rule, value in re.findall(r'"([^"]*)":(\d+)', line):
                    sums[rule] += int(value)
        return sums

    def said(self, milter):
        sums = self.summary(milter)
        return sums["deferred"] + sums["accepted"]

    def agree(self, milter):
        verdicts = self.count(milter)
        total = collections.Counter()
        for (verdict, _), number in verdicts.items():
            total[verdict] += number
        wait_for(lambda: self.said(milter) >= sum(total.values()),
                 "the summary has all of them")
        sums = self.summary(milter)
        self.assertGreaterEqual(sums["sessions"], self.SESSIONS)
        self.assertGreater(total["defer"], 0)
        self.assertGreater(total["accept"], 0)
        self.assertEqual(sums["deferred"], total["defer"])
        self.assertEqual(sums["accepted"], total["accept"])
        self.assertEqual(sums["strangers"], verdicts["defer", "strangers"])
        self.assertEqual(sums["dropped"], 0)

    POLICY = greylisting("1h", "log_summary = 1s\n")

    def test_embedded(self):
        with Daemon(self.POLICY) as milter:
            self.agree(milter)

    def test_redis(self):
        with start_single() as server:
            with farm.daemon(farm.redis(server.where), self.POLICY) as milter:
                reach(milter)
                self.agree(milter)
                length = server.ask("ZCARD", "mdefer:1:journal")
                self.assertEqual(length, len(
                    [one for one in milter.decisions()
                     if one["verdict"] == "defer"]))


class Received:
    """A reference that a real client received at one mail server is known at
    another within a second."""

    def test_asked_at_another_server(self):
        if not shutil.which("redis-server"):
            self.skipTest("no redis-server here")
        redis = start_single()
        self.addCleanup(redis.stop)
        policy = greylisting("1h")
        with self.milter(policy, redis), farm.daemon(
                farm.redis(redis.where), policy) as other:
            ctl = Ctl(other)
            wait_for(lambda: ask(ctl, told(self.deliver())),
                     "both have reached Redis")
            for sender in ("a@one.test", "b@two.test", "c@three.test"):
                reference = told(self.deliver(sender=sender))
                received = time.monotonic()
                entry, = find(ctl, reference)
                self.assert_lately(received)
                self.assertEqual(entry["client"], CLIENT)
                self.assertIn(reference, entry["reply"])

    def test_asked_where_it_was_received(self):
        with self.milter(greylisting("1h")) as milter:
            reference = told(self.deliver())
            received = time.monotonic()
            find(Ctl(milter), reference)
            self.assert_lately(received)

    def assert_lately(self, moment):
        """Within a second, on an idle machine."""
        seconds = time.monotonic() - moment
        self.assertLess(seconds, pace() + 10 * daemon.reference())


class Header:
    """Mail that had waited says so, if that is wanted."""

    def server_of(self, where):
        """One that keeps its mail in the queue."""
        return self.kind(where, "defer_transports = discard\n"
                         if self.kind is Postfix else "")

    def queued(self, server, wanted):
        found = b""
        for folder, _, names in os.walk(server.path("queue")):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        found += file.read()
        return re.findall(wanted, found)

    def passed(self, more):
        where = mta_case.tcp_socket()
        with self.server_of(where) as server, Daemon(
                greylisting("1s", more), where=where):
            for _ in range(2):
                with server.session(CLIENT, NAME) as session:
                    session.ehlo()
                    reply = session.deliver(ALICE, (BOB,))
                time.sleep(1.2)
            self.assertTrue(reply.ok, reply)
            wait_for(lambda: self.queued(server, b"Subject|Hello|Received"),
                     "it is in the queue")
            return self.queued(
                server, rb"X-Greylist: delayed \d+ seconds by milter-defer at "
                rb"\S+\s+\(reference [0-9A-Z]{16}\)")

    def test_it_says_so(self):
        self.assertEqual(len(self.passed('passed_header = "X-Greylist"\n')), 1)

    def test_and_not_by_default(self):
        self.assertEqual(self.passed(""), [])


mta_case.on_both(globals(), Received, Header)

if __name__ == "__main__":
    mta_case.main(NAMES)
