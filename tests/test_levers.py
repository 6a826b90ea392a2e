"""What a postmaster sets by hand: lists, forgetting, reputation, load, observing.

Each lever is tried with two daemons that share a real Redis, the tool talking to
Redis, and with the embedded store, the tool talking to the daemon.  An effect has
to be there within two seconds of the command's end, on an idle machine: see
lib/pace.py.
"""

import json
import os
import pwd
import re
import time
import unittest

from lib import farm, mta, mta_case
from lib.ctl import Ctl
from lib.daemon import PATIENCE, Daemon, reference, wait_for
from lib.pace import pace
from lib.policies import GREYLISTED, POOR, response
from lib.redis_servers import start_single

BLOCKED = "451 4.2.0 blocked."
BUSY = "451 4.7.500 busy."
AWAY = "451 away."
IN_TIME = 2.0

POLICY = (response("blocked", BLOCKED) + response("busy", BUSY)
          + response("away", AWAY) + response("greylisted", GREYLISTED)
          + response("ip-reputation", POOR) + '''
load { pressure_cpu = 0  pressure_io = 0  pressure_memory = 0 }
known_after = 1
reputation { greylist_passed = 0  accepted = 0  abandoned = 0 }
rule "own" { client = "10.0.0.0/8"  verdict = accept }
rule "passed" { listed = "passlist"  verdict = accept }
rule "blocked" {
    listed = "blocklist"  at = data  verdict = defer  uncapped = true
    response = "blocked"
}
rule "busy" { load_above = 0.80  at = data  verdict = defer  response = "busy" }
rule "poor" { reputation_below = -30  at = data  verdict = defer
              response = "ip-reputation" }
rule "known" { known = true  at = data  verdict = accept }
rule "away" { store_down = true  at = data  verdict = defer  response = "away" }
rule "strangers" { verdict = greylist  by = triplet  delay = 1s  at = data
                   response = "greylisted" }
''')
SLOW = POLICY.replace("delay = 1s", "delay = 1h")
BOB = "<bob@local.test>"
CLIENT = "198.51.100.7"
NEIGHBOUR = "198.51.100.8"

SENDERS = iter(range(10**9))


def attempt(milter, address=CLIENT, sender=None, name=None):
    """What one message is told; "" if it is accepted.  Without a name the client
    is of no organisation."""
    name = name or f"[{address}]"
    sender = sender or f"<s{next(SENDERS)}@sender.example>"
    with milter.client() as client:
        client.begin(name=name, address=address)
        return client.message(sender, [BOB]).text


class Levers:
    """The tests, for either store."""

    def levers(self, *words, status=0, stdin=None):
        """Run the tool; its objects.  What it logs is kept."""
        done = self.ctl.run("--json", *words, stdin=stdin)
        objects = [json.loads(line) for line in done[1].splitlines()]
        self.said = done[2]
        self.assertEqual(done[0], status, (words, done))
        return objects

    def within(self, asks, expected):
        """Each daemon soon answers so."""
        began = time.monotonic()
        for milter in self.milters:
            wait_for(lambda milter=milter: asks(milter) == expected,
                     f"it says {expected!r}", milter.log)
        seconds = time.monotonic() - began
        self.assertLess(seconds, IN_TIME * pace() + 0.3 + 10 * reference())

    def audits(self, command):
        """The lines in the log about a command."""
        lines = [line for milter in self.milters for line in milter.log()]
        return [line for line in [*lines, *self.said.splitlines()]
                if "control user=" in line and f'"{command}' in line]

    def assert_audited(self, command, result="done"):
        user = pwd.getpwuid(os.geteuid()).pw_name
        wait_for(lambda: self.audits(command), f"the log tells of {command}")
        lines = self.audits(command)
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], rf"control user={user} uid={os.geteuid()} "
                         rf'result={result} command="{re.escape(command)}')

    def make_known(self, address=CLIENT, name=None):
        """Wait, pass, and be known on all of them."""
        milter = self.milters[0]
        wait_for(lambda: attempt(milter, address, "<first@sender.example>",
                                 name) == "", "it has waited", milter.log)
        self.within(lambda m: attempt(m, address, name=name), "")

    # ---- pass and block

    def test_pass_and_back(self):
        self.start(SLOW)
        self.within(attempt, GREYLISTED)
        (entry,) = self.levers("pass", CLIENT, "--for", "1h", "--note", "help")
        self.assertEqual((entry["kind"], entry["entry"], entry["change"],
                          entry["note"]),
                         ("entry", CLIENT, "added", "help"))
        self.within(attempt, "")
        self.assert_audited(f"pass {CLIENT} --for 1h --note help")
        for milter in self.milters:
            self.assertEqual(attempt(milter, NEIGHBOUR), GREYLISTED)
        self.levers("pass", "--remove", CLIENT)
        self.within(attempt, GREYLISTED)
        self.levers("pass", "--remove", CLIENT, status=1)

    def test_block_ends_by_itself(self):
        self.start(SLOW)
        self.levers("block", "198.51.100.0/24", "--for", "3s")
        self.within(attempt, BLOCKED)
        self.assert_audited("block 198.51.100.0/24 --for 3s")
        for milter in self.milters:
            wait_for(lambda milter=milter: attempt(milter) == GREYLISTED,
                     "the block is over", milter.log)
        self.levers("list", "show", "blocklist", status=1)

    def test_names_and_senders(self):
        self.start(SLOW)
        self.levers("block", "Bad.Example", "worse@sender.example")
        self.within(lambda m: attempt(m, name="mx.bad.example"), BLOCKED)
        self.within(lambda m: attempt(m, sender="<worse@sender.example>"),
                    BLOCKED)
        self.assertEqual(attempt(self.milters[0]), GREYLISTED)
        self.levers("block", "--remove", "bad.example", "worse@sender.example")
        self.within(lambda m: attempt(m, name="mx.bad.example"), GREYLISTED)

    def test_wrong_entries_are_told_and_change_nothing(self):
        self.start(SLOW)
        for word, why in (("192.0.2.1/24", "host bits are set"),
                          ("*.example.org", "no \\* in a list"),
                          ("bob@", "not a complete mail address"),
                          ("<>", "not an IP address"), ("", "empty"),
                          ("a b", "more than one word"),
                          ("bücher.example", "DNS has it as xn--"),
                          ("x" * 600, "not an IP address")):
            *_, error = self.levers("pass", "192.0.2.9", word, status=2)
            self.assertEqual(error["kind"], "error")
            self.assertRegex(error["text"], why)
        self.levers("pass", "192.0.2.9", "--for", "0s", status=2)
        self.levers("pass", "192.0.2.9", "--for", "soon", status=2)
        self.levers("list", "show", "passlist", status=1)

    def test_what_has_no_effect_is_told(self):
        self.start(SLOW)
        for words, why in (
                (("list", "add", "friends", "192.0.2.1"), "no effect"),
                (("block", "10.1.2.3"), 'rule "own" accepts this client'),
                (("pass", "bob@sender.example"), "easily forged"),
                (("block", "0.0.0.0/0"), "large part of the Internet"),
                (("block", "com"), "top-level domain")):
            warning, *_ = self.levers(*words)
            self.assertEqual(warning["kind"], "warning", words)
            self.assertRegex(warning["text"], why)
        for name in ("a/b", ".levers", "x" * 65, "{a}"):
            self.levers("list", "add", name, "192.0.2.1", status=2)

    # ---- lists

    def test_export_and_import(self):
        self.start(SLOW)
        self.levers("list", "add", "passlist", "192.0.2.7", "example.org",
                    "--note", "a # b")
        self.levers("list", "add", "passlist", CLIENT, "--for", "1h")
        before = self.shown("passlist")
        self.assertEqual(len(before), 3)
        self.assertEqual(self.levers("list", "show"),
                         [{"kind": "list", "list": "passlist", "entries": 3},
                          {"kind": "list", "list": "blocklist", "entries": 0}])
        text = self.ctl.run("list", "export", "passlist")[1]
        objects = self.ctl.run("--json", "list", "export", "passlist")[1]
        for exported in (text, objects):
            self.levers("list", "remove", "passlist", *before)
            self.levers("list", "show", "passlist", status=1)
            (done,) = self.levers("list", "import", "passlist", stdin=exported)
            self.assertEqual((done["added"], done["bad"]), (3, 0))
            self.assertEqual(self.shown("passlist"), before)
        self.within(attempt, "")

    def shown(self, name):
        return {entry["entry"]: (entry.get("until"), entry["by"], entry["at"],
                                 entry.get("note"))
                for entry in self.levers("list", "show", name)}

    def test_import_of_a_file_with_faults(self):
        self.start(SLOW)
        path = os.path.join(self.milters[0].directory, "list")
        with open(path, "wb") as file:
            file.write(b"# comment\n\n198.51.100.0/24 # a network\r\n"
                       b"192.0.2.1/8\n\xff\xfe\n{broken\n"
                       b'{"entry": "Example.ORG", "until": 5}\n'
                       + b"x" * 5000 + b"\n"
                       b"example.com until 2199-01-31T12:00Z # far away\n")
        *warnings, done, error = self.levers("list", "import", "passlist",
                                             path, "--for", "1h", status=2)
        self.assertEqual((done["added"], done["over"], done["bad"]), (2, 1, 4))
        self.assertEqual([w["text"].split(":")[0] for w in warnings],
                         ["line 4", "line 5", "line 6", "line 8"])
        self.assertEqual(error["kind"], "error")
        shown = self.shown("passlist")
        self.assertEqual((shown["example.com"][0], shown["example.com"][3]),
                         (7229217600, "far away"))
        self.assertLess(shown["198.51.100.0/24"][0], time.time() + 3700)
        self.within(attempt, "")

    # ---- forget

    def test_forget_an_address(self):
        self.start(POLICY)
        self.make_known()
        self.make_known(NEIGHBOUR)
        (done,) = self.levers("forget", CLIENT, "--name", "")
        self.assertGreater(done["count"], 0)
        self.within(attempt, GREYLISTED)
        self.assert_audited(f"forget {CLIENT}")
        self.assertEqual(attempt(self.milters[-1], NEIGHBOUR), "")

    def test_forget_a_network(self):
        self.start(POLICY)
        self.make_known()
        self.levers("forget", "198.51.0.0/16")
        self.within(attempt, GREYLISTED)
        self.levers("forget", "192.0.2.0/24", status=1)

    def test_forget_a_name(self):
        self.start(POLICY)
        self.make_known(name="mx.example.org")
        other = "203.0.113.5"
        self.within(lambda m: attempt(m, other, name="mx2.example.org"), "")
        self.levers("forget", CLIENT, other, "--name", "mx.example.org")
        for address in (CLIENT, other):
            self.within(lambda m, address=address: attempt(
                m, address, name="mx.example.org"), GREYLISTED)

    def test_forget_a_pair(self):
        self.start(POLICY.replace("known_after = 1", "known_after = 99"))
        sender = "<Anne+tag@sender.example>"
        wait_for(lambda: attempt(self.milters[0], sender=sender) == "",
                 "it has waited")
        other = "<other@sender.example>"
        wait_for(lambda: attempt(self.milters[0], sender=other) == "",
                 "it has waited")
        self.within(lambda m: attempt(m, sender=sender), "")
        self.levers("forget", "--from", "Anne@sender.example", status=2)
        (done,) = self.levers("forget", "--from", "Anne@sender.example",
                              "--to", "Bob@local.test")
        self.assertGreater(done["count"], 0)
        self.within(lambda m: attempt(m, sender=other), "")
        self.assertEqual(attempt(self.milters[0], sender=sender), GREYLISTED)

    def test_wrong_targets(self):
        self.start(POLICY)
        for words in ((), ("bob@example.org",), ("192.0.2.300",),
                      ("2001:db8::/96",), ("--from", "a@b.example", CLIENT)):
            *_, error = self.levers("forget", *words, status=2)
            self.assertEqual(error["kind"], "error", words)

    # ---- reputation

    def test_reputation(self):
        self.start(SLOW)
        (found,) = self.levers("reputation", CLIENT)
        self.assertEqual((found["score"], found["poor"]), (0, False))
        (found,) = self.levers("reputation", "set", CLIENT, "-60")
        self.assertAlmostEqual(found["score"], -60, 0)
        self.within(attempt, POOR)
        self.assert_audited(f"reputation set {CLIENT} -60")
        (found,) = self.levers("reputation", "add", CLIENT, "1000")
        self.assertGreater(found["score"], 50)
        self.within(attempt, GREYLISTED)
        (found,) = self.levers("reputation", "set", CLIENT, "0")
        self.assertAlmostEqual(found["score"], 0, 0)
        for words in (("set", CLIENT, "100"), ("add", CLIENT, "many"),
                      ("add", CLIENT, "0x10"), ("add", CLIENT, "inf"),
                      ("set", "198.51.100.0/24", "5")):
            self.levers("reputation", *words, status=2)

    def test_report(self):
        self.start(SLOW)
        for _ in range(3):
            (found,) = self.levers("report", "trap", CLIENT)
        self.assertLess(found["score"], -50)
        self.within(attempt, POOR)
        self.assertGreater(
            self.levers("report", "ham", "192.0.2.7")[0]["score"], 0)
        self.levers("report", "eggs", CLIENT, status=2)

    # ---- load and observe

    def explained(self):
        """The rule that the next mail would meet, and its verdict."""
        (verdict,) = [one for one in self.levers(
            "explain", "--client", CLIENT, "--from", "a@sender.example",
            "--to", "bob@local.test") if one["kind"] == "verdict"]
        return verdict["rule"], verdict["verdict"]

    def test_load(self):
        self.start(SLOW)
        (lever,) = self.levers("load", "set", "0.9")
        self.assertLess(abs(lever["until"] - time.time() - 3600), 60)
        self.within(attempt, BUSY)
        self.assert_audited("load set 0.9")
        self.assertEqual(self.levers("levers")[0]["value"], "0.900")
        self.assertIn("0.900", self.ctl.say("status"))
        self.assertEqual(self.explained(), ("busy", "defer"))
        self.levers("load", "set", "clear")
        self.within(attempt, GREYLISTED)
        self.levers("load", "set", "clear", status=1)
        self.levers("load", "set", "1.5", "--for", "2s")
        self.within(attempt, BUSY)
        for milter in self.milters:
            wait_for(lambda milter=milter: attempt(milter) == GREYLISTED,
                     "that is over", milter.log)
        for word in ("nan", "-1", "1000", "high", "0x1", " 1", "1e1"):
            self.levers("load", "set", word, status=2)

    def test_load_of_one_host(self):
        self.start(SLOW)
        self.levers("load", "set", "0.9", "--host", "mx0.example")
        wait_for(lambda: attempt(self.milters[0]) == BUSY, "it is busy")
        for milter in self.milters[1:]:
            self.assertEqual(attempt(milter), GREYLISTED)
        self.levers("load", "set", "0.1", "--host", "mx0.example")
        self.within(attempt, GREYLISTED)

    def test_observe(self):
        self.start(SLOW)
        self.within(attempt, GREYLISTED)
        self.levers("observe", "on", "--for", "1h")
        self.within(attempt, "")
        self.assert_audited("observe on --for 1h")
        for milter in self.milters:
            self.assertIn("observe", [one["verdict"] for one in
                                      milter.decisions()[-2:]])
            self.assertTrue(any("everything only observes for" in line
                                for line in milter.log()))
        self.assertEqual(self.explained(), ("", "accept"))
        self.levers("observe", "off")
        self.within(attempt, GREYLISTED)
        self.assertEqual(self.explained(), ("strangers", "defer"))
        self.levers("observe", "off", status=1)
        self.levers("observe", "perhaps", status=2)


class WithRedis(Levers, unittest.TestCase):
    def start(self, policy, faults=True):
        self.server = start_single()
        self.addCleanup(self.server.stop)
        self.milters = []
        for number in range(2):
            section = (f'server_name = "mx{number}.example"\n'
                       + farm.redis(self.server.where))
            milter = farm.daemon(section, policy, faults=faults).start()
            self.addCleanup(milter.remove)
            self.addCleanup(milter.stop)
            self.milters.append(milter)
            wait_for(lambda milter=milter: attempt(milter, "203.0.113.99")
                     != AWAY, "Redis is reached", milter.log)
        self.said = ""
        self.ctl = Ctl(self.milters[0])

    def test_what_others_put_in_the_set_goes_on_working(self):
        self.start(SLOW)
        self.server.ask("SADD", "mdefer:1:list:blocklist", "198.51.100.0/24",
                        "Odd.Example", "no entry at all")
        for milter in self.milters:
            milter.expect("1 entries are no network")
        self.within(attempt, BLOCKED)
        self.assertIn("Odd.Example", [e["entry"] for e in
                                      self.levers("list", "show", "blocklist")])
        self.levers("block", "--remove", "198.51.100.0/24", "Odd.Example",
                    "no entry at all")
        self.within(attempt, GREYLISTED)
        self.assertEqual(self.server.ask("EXISTS", "mdefer:1:list:blocklist"),
                         0)

    def test_entries_end_while_redis_is_away(self):
        self.start(SLOW)
        self.levers("block", CLIENT, "--for", "4s")
        self.within(attempt, BLOCKED)
        self.server.kill()
        self.within(attempt, BLOCKED)
        for milter in self.milters:
            wait_for(lambda milter=milter: attempt(milter) == AWAY,
                     "the block is over", milter.log)

    def test_what_is_forgotten_is_unknown_while_redis_is_away(self):
        self.start(POLICY)
        self.make_known()
        self.make_known("203.0.113.5")
        self.levers("forget", CLIENT, "--name", "")
        time.sleep(IN_TIME * pace())
        self.server.kill()
        for milter in self.milters:
            wait_for(lambda milter=milter:
                     attempt(milter, "192.0.2.77") == AWAY, "Redis is away",
                     milter.log)
            self.assertEqual(attempt(milter), AWAY)
            self.assertEqual(attempt(milter, "203.0.113.5"), "")

    def test_forget_waits_for_a_page_that_does_not_come_at_once(self):
        self.start(POLICY)
        self.make_known()
        self.server.ask("ACL", "SETUSER", "default", "-scan")
        tool = self.ctl.start("--json", "forget", "198.51.0.0/16")
        wait_for(lambda: self.server.ask("ACL", "LOG"), "it has asked")
        self.server.ask("ACL", "SETUSER", "default", "+scan")
        said = tool.communicate(timeout=PATIENCE)[0]
        self.assertEqual(tool.returncode, 0, said)
        self.within(attempt, GREYLISTED)

    def test_a_user_of_redis_without_the_new_rights(self):
        self.start(SLOW)
        self.server.ask("SADD", "mdefer:1:list:blocklist", CLIENT)
        self.server.ask("ACL", "SETUSER", "default", "-zcard", "-zrange")
        self.server.ask("SADD", "mdefer:1:list:blocklist", NEIGHBOUR)
        self.within(lambda m: attempt(m, NEIGHBOUR), BLOCKED)


    def test_the_rights_in_the_manual_suffice(self):
        self.start(POLICY, faults=False)
        with open(os.path.join(os.environ.get("srcdir", "."), "milter", "man",
                               "milter-defer-redis.5")) as file:
            manual = file.read()
        rights = re.search(r"ACL SETUSER mdefer reset on >password (.*?)\n\.Ed",
                           manual, re.DOTALL).group(1).split()
        self.server.ask("ACL", "SETUSER", "default", "resetkeys",
                        "resetchannels", "nocommands", *rights)
        self.make_known()
        self.levers("block", NEIGHBOUR, "--for", "1h")
        self.within(lambda m: attempt(m, NEIGHBOUR), BLOCKED)
        exported = self.ctl.run("list", "export", "blocklist")[1]
        self.levers("block", "--remove", NEIGHBOUR)
        self.levers("list", "import", "blocklist", stdin=exported)
        self.levers("list", "show")
        self.levers("forget", CLIENT, "--name", "")
        self.levers("forget", "--from", "a@b.example", "--to", "c@d.example",
                    status=1)
        self.levers("reputation", "add", CLIENT, "-500")
        self.within(attempt, POOR)
        self.levers("load", "set", "0.9")
        self.within(attempt, BUSY)


class WithTheEmbeddedStore(Levers, unittest.TestCase):
    def start(self, policy):
        milter = Daemon('server_name = "mx0.example"\n'
                        'store { file = "@DIR@/state" }\n' + policy)
        milter.start()
        self.addCleanup(milter.remove)
        self.addCleanup(milter.stop)
        self.milters = [milter]
        self.said = ""
        self.ctl = Ctl(milter)

    def test_a_restart_forgets_no_lever(self):
        self.start(SLOW)
        self.levers("pass", CLIENT, "--for", "1h")
        self.levers("load", "set", "0.9", "--for", "1h")
        self.within(lambda m: attempt(m, NEIGHBOUR), BUSY)
        self.milters[0].stop()
        self.milters[0].start()
        self.within(attempt, "")
        self.within(lambda m: attempt(m, NEIGHBOUR), BUSY)


class Mail:
    """By real mail."""

    def test_pass_and_block(self):
        with self.milter(SLOW) as milter:
            ctl = Ctl(milter)
            self.assertEqual(self.deliver(), GREYLISTED)
            ctl.say("pass", mta_case.CLIENT, "--for", "1h")
            wait_for(lambda: self.deliver().startswith("250"), "it passes")
            ctl.say("pass", "--remove", mta_case.CLIENT)
            ctl.say("block", "sender.example", "--for", "1h")
            wait_for(lambda: self.deliver() == BLOCKED, "it is blocked")
            ctl.say("block", "--remove", "sender.example")
            wait_for(lambda: self.deliver() == GREYLISTED, "as at first")


class MailOnPostfix(Mail, mta_case.MtaTest):
    kind = mta.Postfix


if __name__ == "__main__":
    mta_case.main()
