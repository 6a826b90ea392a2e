"""SPF through a name server: the resolver, the conditions and the log.  The rules
themselves are check_spf's; here the test suite for RFC 7208 runs once more, on
answers as they come from the network."""

import ipaddress
import os
import re
import time
import unittest

from lib import cases
from lib.daemon import Daemon, wait_for
from lib.dns import A, AAAA, MX, PTR, TXT, Dns, wire_name, wire_text
from lib.pace import milliseconds
from lib.policies import GREYLISTED, response
from lib.ports import free_port

HERE = os.path.dirname(os.path.abspath(__file__))
ALICE, BOB = "<alice@sender.example>", "<bob@local.test>"
OURS, OTHERS = "198.51.100.1", "198.51.100.2"
FAILED = "451 4.7.1 not from there"
RULES = response("failed", FAILED) + response("greylisted", GREYLISTED) + '''
rule "its own" { spf = pass  verdict = accept }
rule "forged" { spf = {fail, permerror}  verdict = greylist  at = data
	delay = 2h  response = "failed" }
rule "strangers" { verdict = greylist  at = data  delay = 1h }
'''


class Case(unittest.TestCase):
    def setUp(self):
        self.dns = Dns(port=free_port()).start()
        self.addCleanup(self.dns.stop)

    def milter(self, rules=RULES, settings="patience = 5s"):
        milter = Daemon("redis { deadline = 10s }\n"
                        f'dns {{ servers = "{self.dns.where}"  {settings} }}\n'
                        + rules)
        self.addCleanup(milter.remove)
        self.addCleanup(milter.kill)
        return milter.start()

    @staticmethod
    def send(milter, address=OURS, sender=ALICE, helo="client.example",
             name="client.example"):
        """The text of a deferral, or "", and what the log says of SPF."""
        seen = len(milter.decisions())
        with milter.client() as client:
            text = client.begin(name, address, helo).message(
                sender, [BOB]).text
        wait_for(lambda: len(milter.decisions()) > seen, "a line", milter.log)
        return text, milter.decisions()[seen].get("spf")


class Rules(Case):
    def test_a_domain_says_who_sends_its_mail(self):
        self.dns.text("sender.example", "v=spf1 a:mx.sender.example -all")
        self.dns.host(OURS, "mx.sender.example")
        milter = self.milter()
        self.assertEqual(self.send(milter), ("", "pass"))
        self.assertEqual(self.send(milter, OTHERS), (FAILED, "fail"))
        self.assertEqual(self.send(milter, sender="<a@other.example>"),
                         (GREYLISTED, "none"))
        milter.stop()

    def test_the_null_sender_is_judged_by_helo(self):
        self.dns.text("client.example", f"v=spf1 ip4:{OURS} -all")
        milter = self.milter()
        self.assertEqual(self.send(milter, sender="<>"), ("", "pass"))
        self.assertEqual(self.send(milter, OTHERS, "<>"), (FAILED, "fail"))
        self.assertEqual(self.send(milter, sender="<>", helo="[192.0.2.1]"),
                         (GREYLISTED, "none"))
        milter.stop()

    JOINING = response("greylisted", GREYLISTED) + '''
rule "asks" { spf = permerror  verdict = accept }
rule "strangers" { verdict = greylist  at = data  delay = 2s }
'''

    def nameless(self, *arguments):
        return self.send(*arguments, name="unknown")

    def test_a_retry_may_come_from_another_network_of_its_domain(self):
        self.dns.text("sender.example",
                      f"v=spf1 ip4:{OURS} ip4:203.0.113.0/24 -all")
        milter = self.milter(self.JOINING)
        self.assertEqual(self.nameless(milter), (GREYLISTED, "pass"))
        time.sleep(2.1)
        self.assertEqual(self.nameless(milter, "203.0.113.5"), ("", "pass"))
        self.assertEqual(self.nameless(milter, OTHERS), (GREYLISTED, "fail"))
        milter.stop()

    def test_the_answer_may_come_after_the_deferral(self):
        self.dns.text("sender.example",
                      f"v=spf1 ip4:{OURS} ip4:203.0.113.0/24 -all")
        milter = self.milter(self.JOINING, "patience = 0ms")
        self.dns.hold()
        with milter.client() as client:
            client.begin("unknown", OURS)
            self.assertEqual(client.message(ALICE, [BOB]).text, GREYLISTED)
            self.dns.release()
            time.sleep(2.1)
        self.assertEqual(milter.decisions()[0]["spf"], "unknown")
        wait_for(lambda: self.nameless(milter, "203.0.113.5")[0] == "",
                 "it was told in the end", milter.log)
        milter.stop()

    def test_what_a_domain_earned_counts_for_all_of_its_networks(self):
        self.dns.text("sender.example",
                      f"v=spf1 ip4:{OURS} ip4:203.0.113.0/24 -all")
        self.dns.text("bad.example", "v=spf1 ip4:203.0.113.0/24 -all")
        milter = self.milter("reputation { accepted = 100  unknown_command = 30 }"
                             + response("greylisted", GREYLISTED) + '''
rule "first" { client = "198.51.100.1"  sender = "*@sender.example"
	at = eom  reputation_below = 100  verdict = accept }
rule "good domain" { organisation_above = 20  verdict = accept }
rule "bad domain" { organisation_below = -20  verdict = defer }
rule "strangers" { verdict = greylist  at = data  delay = 1h }
''')
        self.assertEqual(self.nameless(milter, "203.0.113.5")[0], GREYLISTED)
        self.assertEqual(self.nameless(milter, OURS)[0], "")
        wait_for(lambda: self.nameless(milter, "203.0.113.5")[0] == "",
                 "the domain has earned it", milter.log)
        self.assertEqual(self.nameless(milter, OTHERS)[0], GREYLISTED)
        with milter.client() as client:
            client.begin("unknown", "203.0.113.6")
            client.mail("<a@bad.example>")
            for _ in range(3):
                client.unknown("MOO")
            client.rcpt(BOB)
            client.data()
        wait_for(lambda: "Try again later" in self.nameless(
            milter, "203.0.113.7", "<a@bad.example>")[0],
                 "its domain is known for it", milter.log)
        milter.stop()

    def test_an_error_of_the_dns_decides_nothing(self):
        self.dns.broken.add("sender.example")
        self.dns.text("broken.example", "v=spf1 moo -all")
        rules = RULES.replace("{fail, permerror}", "{none, neutral, pass, "
                              "fail, softfail}")
        milter = self.milter(rules)
        self.assertEqual(self.send(milter), (GREYLISTED, "temperror"))
        self.assertEqual(self.send(milter, sender="<a@broken.example>"),
                         (GREYLISTED, "permerror"))
        milter.stop()

    def test_a_record_of_many_strings_comes_by_tcp(self):
        text = "v=spf1 " + "ip4:192.0.2.1 " * 250 + f"ip4:{OURS} -all"
        self.dns.text("sender.example", text)
        self.dns.mode("sender.example", "truncated")
        milter = self.milter()
        self.assertEqual(self.send(milter), ("", "pass"))
        self.assertGreater(self.dns.by_tcp, 0)
        milter.stop()

    def test_only_rules_that_ask_have_it_asked(self):
        self.dns.text("sender.example", "v=spf1 +all")
        milter = self.milter(
            response("greylisted", GREYLISTED)
            + 'rule "all" { verdict = greylist  at = data  delay = 1h }\n')
        self.assertEqual(self.send(milter), (GREYLISTED, None))
        self.assertEqual(self.dns.asked, [])
        milter.stop()

    def test_on_trial_it_changes_nothing(self):
        self.dns.text("sender.example", f"v=spf1 ip4:{OURS} -all")
        rules = RULES.replace("verdict = accept",
                              "observe = true  verdict = accept")
        milter = self.milter(rules)
        self.send(milter)
        self.assertEqual(self.send(milter)[0], GREYLISTED)
        self.assertIn("its own", [line["rule"] for line in milter.decisions()
                                  if line["verdict"] == "observe"])
        milter.stop()


class Waiting(Case):
    """Counted, not timed: answers are held back until the filter has spoken."""

    def setUp(self):
        super().setUp()
        self.dns.text("sender.example", "v=spf1 include:a.example -all")
        self.dns.text("a.example", "v=spf1 include:b.example -all")
        self.dns.text("b.example", f"v=spf1 ip4:{OURS} -all")

    def test_nobody_waits_and_the_answer_is_there_for_the_retry(self):
        milter = self.milter(settings="timeout = 30s")
        self.dns.hold()
        for _ in range(20):
            self.assertEqual(self.send(milter), (GREYLISTED, "unknown"))
        wait_for(lambda: self.dns.held, "it was asked")
        self.dns.release()
        # All includes are followed without anybody who asks again.
        wait_for(lambda: ("b.example", TXT) in self.dns.asked, "the last one")
        wait_for(lambda: self.send(milter) == ("", "pass"), "it is known")
        self.assertEqual(len(set(self.dns.asked)), 3)
        milter.stop()

    def test_what_a_record_asks_for_is_asked_at_once(self):
        self.dns.text("many.example", "v=spf1 " + " ".join(
            f"include:{i}.silent.example" for i in range(5)) + " -all")
        self.dns.mode("silent.example", "silent")
        milter = self.milter(settings="timeout = 30s")
        self.send(milter, sender="<a@many.example>")
        wait_for(lambda: len({name for name, _ in self.dns.asked}) == 6,
                 "none waits for another", milter.log)
        milter.stop()

    def test_patience_waits_for_all_answers_and_no_longer(self):
        milter = self.milter(settings=f"timeout = 30s  patience = {milliseconds(1500)}")
        answers = self.dns.hold_until_asked()
        self.assertEqual(self.send(milter), ("", "pass"))
        answers.join()
        self.dns.hold()
        self.assertEqual(self.send(milter, sender="<a@other.example>"),
                         (GREYLISTED, "unknown"))
        self.dns.release()
        milter.stop()

    def test_the_stop_waits_for_no_answer(self):
        milter = self.milter(settings="timeout = 30s")
        self.dns.hold()
        with milter.client() as client:
            client.begin()
            for i in range(300):  # more than go on at once
                client.mail(f"<a@s{i}.example>")
        milter.end_in_time()
        milter.stop()


class Suite(Case):
    """The name server says what a resolver would: aliases are followed, and what
    times out is SERVFAIL."""

    KINDS = {"A": A, "AAAA": AAAA, "MX": MX, "PTR": PTR, "TXT": TXT}

    def test_the_suite_of_rfc_7208(self):
        tried, wrong = 0, []
        for records, tests in suites():
            self.publish(records)
            milter = self.milter(RULES)
            for name, _, client, sender, helo, results in tests:
                tried += 1
                _, spf = self.send(milter, client, f"<{sender}>", helo)
                if spf not in results.split(","):
                    wrong.append(f"{name}: {spf} instead of {results}")
            milter.stop()
        self.assertEqual(wrong, [])
        self.assertEqual(tried, 203)

    def publish(self, records):
        self.dns.records.clear()
        self.dns.modes.clear()
        self.dns.broken.clear()
        for name, kind, value in records:
            if kind in self.KINDS:
                self.dns.add(name, self.KINDS[kind], wire(kind, value))
        for name, kind, value in records:
            if kind == "CNAME":
                self.alias(name, value.rstrip(".").lower())
            elif kind == "TIMEOUT":
                self.time_out(name)

    def alias(self, name, target):
        if name == target or not any(known == target
                                     for known, _ in self.dns.records):
            self.dns.broken.add(name)
        for kind in self.KINDS.values():
            if (target, kind) in self.dns.records:
                self.dns.records[name, kind] = self.dns.records[target, kind]

    def time_out(self, name):
        """Of what it has no records."""
        if not any(known == name for known, _ in self.dns.records):
            self.dns.broken.add(name)


def suites():
    """(records, cases) of each suite."""
    with open(f"{HERE}/rfc7208/suite.tsv", encoding="ascii") as file:
        parts = re.split(r"^suite\t.*\n", file.read(), flags=re.M)[1:]
    for part in parts:
        rows = [[unescape(field) for field in line.split("\t")]
                for line in part.splitlines()]
        yield ([(row + [""])[1:4] for row in rows if row[0] == "rr"],
               [row[1:] for row in rows if row[0] == "case"])


def unescape(text):
    return re.sub(r"\\x(..)", lambda match: chr(int(match[1], 16)), text)


def wire(kind, value):
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(value).packed
    if kind == "TXT":
        return wire_text(value.encode("latin-1"))
    if kind == "PTR":
        return wire_name(value.rstrip("."))
    preference, host = value.split(" ", 1)
    return int(preference).to_bytes(2, "big") + (
        wire_name(host) if host else b"\0")


if __name__ == "__main__":
    cases.main()
