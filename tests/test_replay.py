"""milter-deferctl replay: a policy against the log of a mail server.

The log is made here, so that what has to come out is known; or a real mail server
writes it, and what it told its clients is known.
"""

import collections
import gzip
import json
import math
import os
import re
import resource
import subprocess
import tempfile
import time
import unittest

from lib import cases, farm, mta
from lib.ctl import Ctl
from lib.daemon import Daemon, reference, wait_for
from lib.maillog import Log, START, stamp_of
from lib.mta_case import tcp_socket

PAIRS = int(os.environ.get("REPLAY_PAIRS") or 3000)  # 7 lines each, or so
WINDOW = 25 * 3600
DELAYS = {"slow": 1800, "strangers": 300}
POLICY = """\
known_after = 0
delay_cap = 0
store { memory = 1G }  # none of the pairs is to make room
rule "own" { client = "203.0.113.0/24" verdict = accept }
rule "slow" { recipient = "slow*" verdict = greylist delay = 30m response = "greylisted" }
rule "strangers" { verdict = greylist delay = 5m response = "greylisted" }
"""


class Truth:
    """Greylisting of pairs that all differ, worked out in the plainest way."""

    def __init__(self, log, write="postfix"):
        self.taken = getattr(log, write + "_taken")
        self.put_off = getattr(log, write + "_put_off")
        self.rules = collections.defaultdict(collections.Counter)
        self.hours = collections.Counter()
        self.delays = []
        self.ends = []  # (rule, since) of those of whom nothing was heard again
        self.messages = self.deferred = self.last = 0

    def attempt(self, rule, at, is_deferred):
        self.messages += 1
        self.last = max(self.last, at)
        self.rules[rule]["deferred" if is_deferred else "accepted"] += 1
        self.hours[at - at % 3600] += is_deferred
        self.deferred += is_deferred

    def pair(self, since, who, rule, tries, delivered):
        """Tried at `since` and after so many seconds; the log shows it as put off
        each time but the last, or also then."""
        for number, after in enumerate((0, *tries)):
            is_last = number == len(tries)
            write = self.taken if delivered and is_last else self.put_off
            write(since + after, *who)
            waits = rule != "own" and after < DELAYS[rule]
            self.attempt(rule if waits or rule == "own" else "", since + after,
                         waits)
            if rule != "own":
                self.step(rule, since, after, waits, delivered and is_last)
        if rule != "own" and waits and not delivered:
            self.ends.append((rule, since))

    def step(self, rule, since, after, waits, delivered):
        count = self.rules[rule]
        count["pairs"] += after == 0
        count["came_back"] += after > 0 and not self.back
        self.back = after > 0
        if waits:
            count["assumed"] += delivered
        else:
            count["passed"] += 1
            self.delays.append(after)

    back = False

    def end(self):
        for rule, since in self.ends:
            gone = self.last - since > WINDOW
            self.rules[rule]["gave_up" if gone else "waiting"] += 1

    def share(self, share):
        place = math.ceil(share * len(self.delays) - 1e-6)
        return sorted(self.delays)[max(1, place) - 1]


def story(log, truth, pairs):
    """Some two days of mail of all kinds."""
    at = START
    for number in range(pairs):
        at += log.random.randrange(1, 2 * 50 * 3600 // pairs)
        kind = number % 8
        client = f"{198 - number // 62500}.51.{number // 250 % 250}." \
            f"{number % 250 + 1}"
        who = (client, f"mail{number}.s{number}.example" if number % 3 else None,
               f"joe@s{number}.example",
               [("slow" if number % 5 == 0 else "bob") + "@local.test"])
        rule = "slow" if number % 5 == 0 else "strangers"
        wait = DELAYS[rule]
        if kind < 3:  # comes back in time
            truth.pair(at, who, rule, [wait + log.random.randrange(3000)], True)
        elif kind == 3:  # too early at first, and to the second
            truth.pair(at, who, rule, [60, wait - 1, wait], True)
        elif kind == 4:  # never again
            truth.pair(at, who, rule, [], False)
        elif kind == 5:  # too early, and then never again
            truth.pair(at, who, rule, [10], False)
        elif kind == 6:  # was let in at once
            truth.pair(at, who, rule, [], True)
        else:
            truth.pair(at, (f"203.0.113.{number % 250 + 1}", *who[1:]), "own", [],
                       True)
        log.chatter(at)
    truth.end()


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="milter-defer-replay.")
        self.addCleanup(subprocess.run, ["rm", "-rf", self.folder])

    def path(self, name):
        return os.path.join(self.folder, name)

    def config(self, text=POLICY, name="conf"):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def replay(self, *words, policy=POLICY, zone="UTC", **more):
        """(status, objects by kind)"""
        ctl = Ctl(self.config(policy))
        status, out, err = ctl.run("--json", "replay", *words,
                                   env={"TZ": zone}, **more)
        self.assertEqual(err, "")
        objects = collections.defaultdict(list)
        for line in out.splitlines():
            one = json.loads(line)
            objects[one["kind"]].append(one)
        return status, objects


class Figures(Case):
    def check(self, objects, truth, log):
        total, = objects["total"]
        self.assertEqual(total["messages"], truth.messages)
        self.assertEqual(total["deferred"], truth.deferred)
        self.assertEqual(total["garbage"], log.garbage)
        self.assertEqual(total["known.delayed"], 0)
        for one in objects["rule"]:
            wanted = truth.rules[one["rule"]]
            for key in ("accepted", "deferred", "pairs", "came_back", "passed",
                        "gave_up", "waiting", "assumed"):
                self.assertEqual(one[key], wanted[key], (one["rule"], key))
        for key, share in (("p50", .5), ("p90", .9), ("p99", .99)):
            exact = truth.share(share)
            self.assertEqual(total[f"delay.{key}"],
                             exact if exact < 3600 else exact - exact % 60)
        self.assertEqual(total["delay.max"], max(truth.delays))
        self.assertEqual({one["at"]: one["deferred"] for one in objects["hour"]
                          if one["deferred"]},
                         {at: count for at, count in truth.hours.items() if count})

    def test_postfix(self):
        log = Log()
        truth = Truth(log)
        story(log, truth, PAIRS)
        log.write(self.path("log"), garbage=97)
        status, objects = self.replay("--year", "2026", self.path("log"))
        self.assertEqual(status, 0, objects["error"])
        self.check(objects, truth, log)
        # What is not the store's own is bounded, however long the log is.
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.assertLess(used, (100 << 10) + 3 * PAIRS)

    def test_sendmail_with_times_of_a_zone(self):
        log = Log(seed=2)
        truth = Truth(log, "sendmail")
        story(log, truth, PAIRS // 3)
        log.write(self.path("log"), iso=True, garbage=41)
        status, objects = self.replay(self.path("log"), zone="Asia/Tokyo")
        self.assertEqual(status, 0, objects["error"])
        self.check(objects, truth, log)

    def test_local_times_are_of_the_zone(self):
        log = Log()
        log.postfix_taken(START, "198.51.100.1", None, "a@b.example", ["c@d"])
        log.write(self.path("log"))
        for zone, offset in (("UTC", 0), ("Asia/Tokyo", -9 * 3600)):
            _, objects = self.replay("--year", "2026", self.path("log"), zone=zone)
            self.assertEqual(objects["log"][0]["from"], START + offset)


class Files(Case):
    """However the log is cut into files and packed, the figures are the same."""

    @staticmethod
    def figures(objects):
        return objects["total"], objects["rule"], objects["hour"]

    def test_files_packed_in_any_order_and_standard_input(self):
        log = Log(seed=3)
        story(log, Truth(log), 400)
        log.write(self.path("whole"), iso=True)
        with open(self.path("whole"), "rb") as file:
            lines = file.readlines()
        third = len(lines) // 3
        with open(self.path("c.log"), "wb") as file:
            file.writelines(lines[:third])
        with gzip.open(self.path("b.gz"), "wb") as file:
            file.writelines(lines[third:2 * third])
        with open(self.path("a"), "wb") as file:
            file.writelines(lines[2 * third:])
        _, whole = self.replay(self.path("whole"))
        self.assertGreater(whole["total"][0]["deferred"], 100)
        _, parts = self.replay(*map(self.path, ("a", "b.gz", "c.log")))
        self.assertEqual(self.figures(parts), self.figures(whole))
        with open(self.path("whole")) as file:
            _, read = self.replay(stdin=file.read())
        self.assertEqual(self.figures(read), self.figures(whole))

    def test_a_damaged_file_is_told_and_the_rest_is_read(self):
        log = Log(seed=4)
        story(log, Truth(log), 100)
        log.write(self.path("log"), iso=True)
        with open(self.path("log"), "rb") as file:
            packed = gzip.compress(file.read())
        with open(self.path("bad.gz"), "wb") as file:
            file.write(packed[:len(packed) // 2])
        status, objects = self.replay(self.path("bad.gz"))
        self.assertEqual(status, 0)
        self.assertEqual(objects["log"][0]["damaged"], 1)
        self.assertTrue([one for one in objects["warning"]
                         if "bad.gz: it ends in the middle" in one["text"]])
        self.assertGreater(objects["total"][0]["messages"], 10)

    def test_what_nobody_here_can_unpack_is_told(self):
        for magic, tool in ((b"\xfd7zXZ\0", "xzcat"), (b"BZh91AY", "bzcat"),
                            (b"\x04\x22\x4d\x18", "lz4cat"),
                            (b"LPKSHHRH", "journalctl")):
            with open(self.path("packed"), "wb") as file:
                file.write(magic + b"\xff\0\n" * 20)
            status, objects = self.replay(self.path("packed"))
            self.assertEqual(status, 2)
            self.assertIn(tool, objects["error"][0]["text"])

    def test_a_log_without_mail_is_no_success(self):
        with open(self.path("log"), "w") as file:
            file.write("Nov 28 14:56:56 mx1 cron[7]: nothing\n" * 20)
        for more in (), ("--fail-if", "known.delayed > 0"):
            status, objects = self.replay(self.path("log"), *more)
            self.assertEqual(status, 1)
            self.assertIn("no mail", objects["warning"][0]["text"])

    def test_a_year_is_one(self):
        for year in "0", "26", "99999":
            status, objects = self.replay("/dev/null", "--year", year)
            self.assertEqual(status, 2)
            self.assertIn("four digits", objects["error"][0]["text"])

    def test_a_file_that_is_not_there(self):
        status, objects = self.replay("/nowhere/log")
        self.assertEqual(status, 2)
        self.assertIn("/nowhere/log: No such file", objects["error"][0]["text"])


class Comparing(Case):
    def test_who_newly_waits(self):
        log = Log(seed=5)
        at, newly = START, set()
        for number in range(300):
            client = f"198.51.100.{number % 200 + 1}"
            log.postfix_taken(at, client, None, f"a@s{number}.example",
                              [f"{'vip' if number % 3 else 'bob'}@local.test"])
            if number % 3:
                newly.add(number)
            at += 60
        log.write(self.path("log"), iso=True)
        old = POLICY.replace('rule "slow"',
                             'rule "vip" { recipient = "vip@*" verdict = accept }\n'
                             'rule "slow"')
        status, objects = self.replay("--against", self.config(old, "old"),
                                      "--list", "5", self.path("log"))
        self.assertEqual(status, 0, objects["error"])
        total, = objects["total"]
        self.assertEqual(total["newly.delayed"], len(newly))
        self.assertEqual(total["no_longer.delayed"], 0)
        self.assertEqual(total["newly.clients"], 1)  # all of one network
        first = objects["newly"][0]
        self.assertEqual((first["messages"], first["client"], first["recipient"],
                          first["rule"], first["first"]),
                         (len(newly), "198.51.100.2", "vip@local.test",
                          "strangers", START + 60))
        accepted = {one["rule"]: one["accepted"] for one in objects["against"]}
        self.assertEqual(accepted["vip"], len(newly))
        # The other way round.
        _, objects = self.replay("--against", self.config(POLICY, "new"),
                                 self.path("log"), policy=old)
        self.assertEqual(objects["total"][0]["no_longer.delayed"], len(newly))
        self.assertEqual(objects["newly"], [])
        spared, = objects["no_longer"]
        self.assertEqual((spared["messages"], spared["client"]),
                         (len(newly), "198.51.100.2"))

    def write_regular(self):
        """One sender that has shown for a day that it comes back."""
        log = Log(seed=6)
        for number in range(40):
            log.postfix_taken(START + 3600 * number, "198.51.100.1",
                              "mail.regular.example", "news@regular.example",
                              [f"bob{number}@local.test"])
        log.write(self.path("log"), iso=True)

    def test_known_senders_that_would_wait(self):
        self.write_regular()
        good = ('rule "known" { known = true verdict = accept }\n'
                'rule "strangers" { verdict = greylist response = "greylisted" }\n')
        test = "--fail-if", "known.delayed > 0", self.path("log")
        status, objects = self.replay(*test, policy=good)
        self.assertEqual(status, 0, objects["error"])
        self.assertEqual(objects["total"][0]["deferred"], 3)
        self.assertEqual(objects["test"][0]["result"], "ok")
        # A rule above "known" asks nobody whether they are.
        bad = ('rule "night" { sender = "news@*" hours = "00:00-06:00" '
               'verdict = defer wait = 6h response = "try-again" }\n' + good)
        status, objects = self.replay(*test, policy=bad)
        self.assertEqual(status, 1, objects["error"])
        self.assertEqual(objects["test"][0]["result"], "bad")
        known, = objects["known"]
        self.assertEqual((known["rule"], known["client"], known["sender"]),
                         ("night", "198.51.100.1", "news@regular.example"))
        self.assertEqual(known["messages"], objects["total"][0]["known.delayed"])
        self.assertGreater(known["messages"], 5)

    def test_it_begins_with_what_a_daemon_knows(self):
        """A real one: its client has come back three times."""
        policy = ('secret_file = "@DIR@/secret"\n'
                  'rule "known" { known = true verdict = accept }\n'
                  'rule "strangers" { verdict = greylist delay = 1s '
                  'at = data response = "greylisted" }\n')
        milter = Daemon(policy)
        farm.put(milter, "secret", "0123456789abcdef" * 4)
        with milter:
            for _ in range(2):
                for number in range(3):
                    with milter.client() as client:
                        client.begin("mail.regular.example", "198.51.100.1")
                        client.message("<news@regular.example>",
                                       [f"<old{number}@local.test>"])
                time.sleep(1.5)
            out = Ctl(milter).say("export")
            with open(self.path("export"), "w") as file:
                file.write(out)
            with open(milter.config) as file:
                config = file.read()
            self.write_regular()
            for known, wanted in (((), 3), (("--known", self.path("export")), 0)):
                status, objects = self.replay(*known, self.path("log"),
                                              policy=config)
                self.assertEqual(status, 0, objects["error"])
                self.assertEqual(objects["total"][0]["deferred"], wanted)
            status, objects = self.replay(
                "--known", self.path("export"), self.path("log"),
                policy=config.replace("secret_file", "# secret_file"))
            self.assertEqual(status, 2)
            self.assertIn("another secret_file", objects["error"][0]["text"])

    def test_the_first_part_only_teaches(self):
        self.write_regular()
        policy = ('rule "known" { known = true verdict = accept }\n'
                  'rule "strangers" { verdict = greylist '
                  'response = "greylisted" }\n')
        status, objects = self.replay("--ignore", "10h", self.path("log"),
                                      policy=policy)
        self.assertEqual(status, 0, objects["error"])
        total, = objects["total"]
        self.assertEqual((total["messages"], total["deferred"]), (30, 0))

    def test_expressions(self):
        self.write_regular()
        for text, status in (("messages == 40", 1), ("messages != 40", 0),
                             ("messages<40", 0), ("messages <= 40", 1),
                             ("messages >= 40.5", 0), (" deferred.share>99.9", 1),
                             ("mesages > 1", 2), ("messages", 2),
                             ("messages => 1", 2), ("messages > x", 2),
                             ("messages > 1 2", 2), ("", 2)):
            got, objects = self.replay("--fail-if", text, self.path("log"),
                                       "--retry", "0")
            self.assertEqual(got, status, (text, objects["error"]))
        got, objects = self.replay("--fail-if", "messages > 100", "--fail-if",
                                   "garbage < 1", self.path("log"))
        self.assertEqual([one["result"] for one in objects["test"]], ["ok", "bad"])
        self.assertEqual(got, 1)

    def test_each_name_stands_in_the_manual(self):
        self.write_regular()
        _, objects = self.replay("--against", self.config(POLICY, "old"),
                                 self.path("log"))
        source = os.environ.get("srcdir", ".")
        with open(f"{source}/milter/man/milter-deferctl.8") as file:
            manual = file.read()
        for name in set(objects["total"][0]) - {"kind"}:
            self.assertIn(f"\n.It Li {name}\n", manual)


class People(Case):
    def test_tables_and_a_plot(self):
        log = Log(seed=7)
        story(log, Truth(log), 200)
        log.write(self.path("log"), iso=True)
        ctl = Ctl(self.config())
        out = ctl.say("replay", self.path("log"))
        self.assertRegex(out, r"(?m)^RULE +ACCEPTS +DEFERS +PAIRS")
        self.assertRegex(out, r"(?m)^strangers +0 +\d+ +\d+ .*\d+m")
        self.assertRegex(out, r"(?m)^2026-10-2\d \d\d:00:00 +\d+ +\d+ +█+")
        self.assertLessEqual(max(map(len, out.splitlines())), 100)

    def test_progress(self):
        log = Log(seed=8)
        story(log, Truth(log), 3000)
        log.write(self.path("log"), iso=True)
        # Slowly, so that there is something to tell.
        with subprocess.Popen([*Ctl(self.config()).head, "--json", "replay",
                               "--progress"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            with open(self.path("log")) as file:
                lines = file.readlines()
            process.stdin.writelines(lines[:10000])
            process.stdin.flush()
            # It tells once a second, from when it has begun.
            time.sleep(1.1 + 10 * reference())
            process.stdin.writelines(lines[10000:])
            out, err = process.communicate()
        self.assertRegex(err, r"\d+ lines, \d+ messages\n")
        self.assertNotIn("progress", out)


class Real(Case):
    """What a real mail server wrote while a real daemon answered."""

    DELAY = 2
    POLICY = ('known_after = 0\n'
              'rule "shut" { recipient = "shut@*" verdict = defer '
              'response = "policy" }\n'
              'rule "strangers" { verdict = greylist delay = 2s at = data '
              'response = "greylisted" }\n')

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("mail servers need root")

    def converse(self, server):
        """Deferred as the clients were told, recipient by recipient."""
        told = collections.Counter()

        def deliver(sender, recipients):
            with server.session("198.51.100.7") as session:
                session.ehlo("client.example")
                session.mail(sender)
                replies = [session.rcpt(one) for one in recipients]
                told["shut"] += sum(reply.code == 451 for reply in replies)
                if any(reply.ok for reply in replies):
                    reply = session.data()
                    if reply.ok:
                        self.assertTrue(session.content("Subject: x\n\nx\n").ok)
                    told["strangers" if reply.code == 451 else "passed"] += 1
                session.rset()
                session.quit()
        deliver("a@s.example", ["bob@local.test"])
        deliver("a@s.example", ["shut@local.test", "carol@local.test"])
        deliver("b@s.example", ["shut@local.test"])
        deliver("", ["bob@local.test"])
        wait_for(lambda: server.grep("from=<>"), "the first part is logged")
        self.first = len(server.log())
        time.sleep(self.DELAY + 1)
        deliver("a@s.example", ["bob@local.test"])
        deliver("a@s.example", ["carol@local.test", "unknown@local.test"])
        deliver("new@s.example", ["bob@local.test"])
        return told

    def check(self, kind, delivered, settings=""):
        where = tcp_socket()
        with Daemon(self.POLICY, where=where), \
                kind(where, settings=settings) as server:
            told = self.converse(server)
            wait_for(lambda: len(server.grep(delivered)) >= 2
                     and server.grep("from=<new@s.example>"), "all is logged",
                     server.log)
            lines = server.log()
        with open(self.path("log"), "w") as file:
            file.writelines(self.stamped(*each) + "\n" for each in enumerate(lines))
        status, objects = self.replay(self.path("log"), policy=self.POLICY,
                                      zone=os.environ.get("TZ", ""))
        self.assertEqual(status, 0, objects["error"])
        rules = {one["rule"]: one for one in objects["rule"]}
        self.assertEqual(rules["shut"]["deferred"], told["shut"])
        self.assertEqual(rules["strangers"]["deferred"], told["strangers"])
        self.assertEqual(rules["strangers"]["passed"], told["passed"])
        self.assertEqual(told, {"shut": 2, "strangers": 4, "passed": 2})

    def stamped(self, number, line):
        """The shim writes Sendmail's lines with their level, but without time and
        host: what was logged after the wait was logged so much later."""
        match = re.match(r"sendmail\[(\d+)\]: [a-z]+: (.*)", line)
        if not match:
            return line
        at = START + (number >= self.first) * (self.DELAY + 1)
        return f"{stamp_of(at, True)} mx1 sendmail[{match[1]}]: {match[2]}"

    def test_postfix(self):
        self.check(mta.Postfix, "removed$")

    def test_sendmail(self):
        self.check(mta.Sendmail, "stat=Sent",
                   "define(`confDELIVERY_MODE', `background')dnl\n"
                   "define(`LOCAL_MAILER_PATH', `/bin/true')dnl\n")


if __name__ == "__main__":
    cases.main()
