"""DNS lists and the resolver, against a name server that is slow, silent or
wrong: no mail waits for it, and none is put off because of what it says."""

import contextlib
import os
import re
import shutil
import signal
import tempfile
import time
import unittest

from lib import cases, mmdb
from lib.daemon import Daemon, wait_for
from lib.dns import Dns, listed_name
from lib.pace import milliseconds, pace
from lib.policies import GREYLISTED, response
from lib.ports import free_port
from lib.redis_servers import start_single

ALICE, BOB = "<alice@sender.example>", "<bob@local.test>"
CLEAN, TRUSTED, LISTED = "198.51.100.1", "198.51.100.2", "198.51.100.3"
CLEAN6, LISTED6 = "2001:db8::1", "2001:db8::3"
BLOCKED = "451 4.2.0 [{}] blocked AUP#CDRBL."
# For an answer that does not come: one that comes has to come sooner, or the
# name server passes for dead.
TIMEOUT = f"timeout = {milliseconds(400)}"
GOOD, GOOD2 = "good.example", "good2.example"
BAD, BAD2 = "bad.example", "bad2.example"
ZONES = GOOD, GOOD2, BAD, BAD2
NONE_OF_IPV6 = r"no entry for tests of IPv6"

LISTS = f'''
dnsbl "trusted" {{
	zones = {{"{GOOD}=127.0.[0..255].[1..3]*-2", "{GOOD2}=127.0.0.2*-1"}}
}}
dnsbl "blocked" {{ zones = {{"{BAD}=127.0.0.[2..11]*3", "{BAD2}=127.0.0.2"}} }}
'''
RULES = response("greylisted", GREYLISTED) + response(
    "blocklisted", BLOCKED.format("%{client_addr}")) + '''
rule "well known" { dnsbl_below = "trusted: -1"  verdict = accept }
rule "listed" { dnsbl_above = "blocked: 2"  uncapped = true  verdict = defer
	response = "blocklisted" }
rule "strangers" { verdict = greylist  at = data  delay = 1h }
'''
# Who is not listed passes, so that a wrong listing shows.
OPEN = RULES.replace("verdict = greylist  at = data  delay = 1h",
                     "verdict = accept  at = data")


class Case(unittest.TestCase):
    """A name server that has four lists; two clients are on two of them each."""

    waits = True  # for lists to pass their tests, for answers, for silence

    def setUp(self):
        self.dns = Dns(port=free_port()).start()
        self.addCleanup(self.dns.stop)
        for zone in ZONES:
            self.dns.open_list(zone)
        for zone in GOOD, GOOD2:
            self.dns.list(zone, TRUSTED, "127.0.0.2")
        for zone in BAD, BAD2:
            self.dns.list(zone, LISTED, "127.0.0.2")
            self.dns.list(zone, LISTED6, "127.0.0.2")

    def milter(self, rules=OPEN, lists=LISTS, settings=""):
        milter = Daemon(f'dns {{ servers = "{self.dns.where}"  {settings} }}\n'
                        + lists + rules)
        self.addCleanup(milter.remove)
        self.addCleanup(milter.kill)
        return milter.start()

    def all_on(self, milter, count=len(ZONES)):
        wait_for(lambda: sum("passes its test" in line
                             for line in milter.log()) >= count,
                 "all lists are on", milter.log)

    def assert_told(self, milter, address, text, **begin):
        """What a message is told once DNS has said all that it will."""
        self.learn(milter, address, **begin)
        wait_for(lambda: send(milter, address, **begin) == text,
                 f"{address} is told {text!r}", milter.log)

    def learn(self, milter, address, **begin):
        """Say who is there, and wait until nothing more is asked."""
        with milter.client() as client:
            client.begin(address=address, **begin).mail(ALICE)
            self.quiet()

    def quiet(self):
        seen = -1
        while seen != len(self.dns.asked):
            seen = len(self.dns.asked)
            time.sleep(0.05 * pace())


def send(milter, address=CLEAN, sender=ALICE, **begin):
    """The text of a deferral, or "" for none."""
    with milter.client() as client:
        return client.begin(address=address, **begin).message(
            sender, [BOB]).text


class Lists(Case):
    def test_two_lists_decide(self):
        milter = self.milter()
        self.all_on(milter)
        self.assert_told(milter, LISTED, BLOCKED.format(LISTED))
        self.assert_told(milter, LISTED6, BLOCKED.format(LISTED6))
        self.assert_told(milter, CLEAN, "")
        self.assert_told(milter, CLEAN6, "")
        sums = {line["client"]: line["dnsbl"] for line in milter.decisions()}
        self.assertEqual(sums, {
            LISTED: "trusted:0,blocked:4", LISTED6: "trusted:0,blocked:4",
            CLEAN: "trusted:0,blocked:0", CLEAN6: "trusted:0,blocked:0"})
        milter.stop()

    def test_who_is_well_known_passes_at_its_first_attempt(self):
        milter = self.milter(RULES)
        self.all_on(milter)
        self.assert_told(milter, TRUSTED, "")
        self.assert_told(milter, CLEAN, GREYLISTED)
        milter.stop()

    def test_one_list_alone_decides_nothing(self):
        self.dns.list(BAD, CLEAN, "127.0.0.4")
        self.dns.list(GOOD, CLEAN6, "127.0.9.3")
        milter = self.milter(RULES)
        self.all_on(milter)
        self.assert_told(milter, CLEAN, GREYLISTED)
        self.assert_told(milter, CLEAN6, GREYLISTED)
        lists = LISTS.replace('zones', 'alone = true  zones')
        milter.configure(f'dns {{ servers = "{self.dns.where}" }}\n' + lists
                         + RULES)
        milter.signal(signal.SIGHUP)
        milter.wait_log("reloaded")
        self.assert_told(milter, CLEAN, BLOCKED.format(CLEAN))
        self.assert_told(milter, CLEAN6, "")
        milter.stop()

    def test_only_codes_that_are_named_count(self):
        self.dns.list(BAD, CLEAN, "127.0.0.12")
        self.dns.list(BAD2, CLEAN, "127.0.0.3", "127.0.0.9")
        milter = self.milter()
        self.all_on(milter)
        self.assert_told(milter, CLEAN, "")
        milter.stop()

    def test_a_listing_that_ends_is_forgotten(self):
        milter = self.milter(settings="cache = 100")
        self.all_on(milter)
        self.assert_told(milter, LISTED, BLOCKED.format(LISTED))
        # More answers than are kept; its own are among those that go.
        for i in range(60):
            send(milter, f"203.0.113.{i}")
        self.quiet()
        for zone in BAD, BAD2:
            self.dns.list(zone, LISTED)
        self.assert_told(milter, LISTED, "")
        milter.stop()

    def test_names_are_looked_up_too(self):
        lists, rules = "", ""
        for of, zone in (("helo", "h"), ("client_name", "n"),
                         ("sender_domain", "s")):
            self.dns.open_list(f"{zone}1.example")
            self.dns.open_list(f"{zone}2.example")
            for i in 1, 2:
                self.dns.list(f"{zone}{i}.example", f"{zone}.spam.example",
                              "127.0.0.2")
            lists += (f'dnsbl "{of}" {{ of = {of}  zones = {{'
                      f'"{zone}1.example=127.0.0.2", '
                      f'"{zone}2.example=127.0.0.2"}} }}\n')
            rules += (f'rule "{of}" {{ dnsbl_above = "{of}: 1"  '
                      'uncapped = true  verdict = defer '
                      f'response = "{of}" }}\n')
            rules += response(of, f"451 4.7.1 {of}")
        milter = self.milter(rules, lists)
        self.all_on(milter, 6)
        for of, arguments in (("helo", {"helo": "h.spam.example"}),
                              ("client_name", {"name": "n.spam.example"})):
            self.assert_told(milter, CLEAN, f"451 4.7.1 {of}", **arguments)
        spam = "<eve@s.spam.example>"
        wait_for(lambda: send(milter, sender=spam), "its sender is listed")
        self.assertEqual(send(milter, sender=spam), "451 4.7.1 sender_domain")
        self.assert_told(milter, CLEAN, "")
        self.assertEqual(send(milter, sender="<>"), "")
        self.assertEqual(send(milter, helo="[198.51.100.1]"), "")
        milter.stop()

    def test_private_addresses_are_asked_of_nobody(self):
        milter = self.milter()
        self.all_on(milter)
        before = len(self.dns.asked)
        for address in "10.0.0.1", "127.0.0.1", "192.168.1.1", "fd00::1":
            self.assert_told(milter, address, "")
        self.assertEqual(len(self.dns.asked), before)
        milter.stop()

    def test_an_answer_is_asked_for_once(self):
        milter = self.milter()
        self.all_on(milter)
        before = len(self.dns.asked)
        self.learn(milter, CLEAN)
        for _ in range(20):
            send(milter)
        wait_for(lambda: len(self.dns.asked) >= before + len(ZONES),
                 "all lists are asked")
        self.quiet()
        self.assertEqual(len(self.dns.asked), before + len(ZONES))
        milter.stop()

    def test_a_long_answer_comes_by_tcp(self):
        self.dns.mode(BAD, "truncated")
        milter = self.milter()
        self.all_on(milter)
        self.assert_told(milter, LISTED, BLOCKED.format(LISTED))
        self.assertGreater(self.dns.by_tcp, 0)
        milter.stop()

    def test_observing_it_changes_nothing(self):
        rules = RULES.replace("verdict = accept",
                              "verdict = accept  observe = true").replace(
            "uncapped = true", "uncapped = true  observe = true")
        milter = self.milter(rules)
        self.all_on(milter)
        self.assert_told(milter, TRUSTED, GREYLISTED)
        self.assert_told(milter, LISTED, GREYLISTED)
        would = {line["client"]: line["rule"] for line in milter.decisions()
                 if line["verdict"] == "observe"}
        self.assertEqual(would[TRUSTED], "well known")
        self.assertEqual(would[LISTED], "listed")
        milter.stop()


# What a zone may do wrong: the mode and its arguments.
WRONG = (("silent",), ("servfail",), ("garbage",), ("short",),
         ("always", "192.0.2.80"), ("always", "127.0.0.1"),
         ("always", "127.255.255.254"), ("always", "127.255.255.255"),
         ("always", "127.0.0.2", "192.0.2.80"))


class Shipped(unittest.TestCase):
    """The shipped policy, once it has a name server."""

    TRUSTED, BLOCKED = (("list.dnswl.org", "wl.mailspike.net"),
                        ("zen.spamhaus.org", "bl.spamcop.net",
                         "b.barracudacentral.org"))
    GREY = "451 4.7.1 Greylisted, try again after some time."
    POOR = "451 4.7.1 IP Reputation Greylisted."
    WELL = {"address": CLEAN, "name": "mx1.sender.example",
            "helo": "out.sender.example"}

    @classmethod
    def setUpClass(cls):
        with open(os.path.join(os.environ.get("srcdir", ".."), "conf",
                               "milter-defer.conf")) as file:
            cls.text = file.read()

    def setUp(self):
        self.dns = Dns(port=free_port()).start()
        self.addCleanup(self.dns.stop)
        for zone in self.TRUSTED + self.BLOCKED:
            self.dns.open_list(zone)
        self.dns.list("list.dnswl.org", TRUSTED, "127.0.5.2")
        self.dns.list("wl.mailspike.net", TRUSTED, "127.0.0.19")
        for zone in self.BLOCKED[:2]:
            self.dns.list(zone, LISTED, "127.0.0.2")
        self.dns.text("sender.example", f"v=spf1 ip4:{CLEAN} -all")

    def milter(self):
        milter = Daemon(self.text.replace(
            "\n\tservers = {}",
            f'\n\tservers = "{self.dns.where}"\n\tpatience = 5s')
            .replace("\t# deadline = 200ms", "\tdeadline = 10s"))
        self.addCleanup(milter.remove)
        self.addCleanup(milter.kill)
        milter.start()
        count = len(self.TRUSTED + self.BLOCKED)
        wait_for(lambda: sum("passes its test" in line
                             for line in milter.log()) >= count,
                 "all lists are on", milter.log)
        return milter

    def test_evidence_comes_instead_of_a_delay(self):
        milter = self.milter()
        nobody = {"address": "198.51.100.9", "name": "[198.51.100.9]",
                  "helo": "pc"}
        rows = (
            ("well known to others", {**nobody, "address": TRUSTED}, ""),
            ("blocked by others", {**nobody, "address": LISTED}, self.POOR),
            ("a bot", nobody, self.GREY),
            ("well set up", self.WELL, ""),
            ("another's HELO", {**self.WELL, "helo": "mx.else.example"},
             self.GREY),
            ("another's address", {**self.WELL, "address": "198.51.101.1"},
             self.GREY),
            ("a customer's line",
             {**self.WELL, "name": "198-51-100-1.dyn.sender.example"},
             self.GREY))
        for number, (what, client, told) in enumerate(rows):
            with self.subTest(what):
                sender = f"<a{chr(97 + number)}@sender.example>"
                self.assertEqual(
                    send(milter, sender=sender, **client), told)
        milter.stop()

    def test_without_it_everybody_is_a_stranger(self):
        milter = self.milter()
        self.dns.stop()
        wait_for(lambda: send(milter, sender="<b@else.example>",
                              **self.WELL) == self.GREY,
                 "nothing is known", milter.log)
        milter.expect(r"DNS|name server")
        milter.stop()


class Farm(Case):
    def test_what_one_server_was_told_the_others_know(self):
        redis = start_single()
        self.addCleanup(redis.stop)
        policy = f'redis {{ servers = "{redis.where}" }}\n' + OPEN
        here, there = (self.milter(f'server_name = "{name}"\n' + policy)
                       for name in ("here", "there"))
        for milter in here, there:
            milter.expect("no secret_file is set")
            self.all_on(milter)
        self.assertTrue(any(self.is_told(redis, here, there, number)
                            for number in range(1, 5)), there.log())
        here.stop()
        there.stop()

    def is_told(self, redis, here, there, number):
        """Does one know what the other was told some seconds ago?"""
        address = f"203.0.113.{number}"
        name = listed_name(BAD, address)
        for zone in BAD, BAD2:
            self.dns.list(zone, address, "127.0.0.2")
        before = int(redis.ask("XLEN", "mdefer:1:dns"))
        self.learn(here, address)
        wait_for(lambda: int(redis.ask("XLEN", "mdefer:1:dns")) > before,
                 "it is told", here.log)
        self.quiet()
        self.assertEqual(self.dns.count(name), 1)
        time.sleep(3 * number)
        send(there, address)
        return self.dns.count(name) == 1 and \
            there.decisions()[-1]["dnsbl"] == "trusted:0,blocked:4"


class Places(unittest.TestCase):
    """Countries and autonomous systems, by databases of our own making."""

    HERE, THERE, SIX = "198.51.100.1", "203.0.113.1", "2001:db8::1"
    RULES = "".join(response(name, f"451 4.7.1 {name}") for name in
                    ("foreign", "other")) + '''
rule "foreign" { country = {"XA", "XB"}  verdict = defer  response = "foreign" }
rule "other" { asn = "64501"  verdict = defer  response = "other" }
'''

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.country = os.path.join(self.folder, "country.mmdb")
        self.asn = os.path.join(self.folder, "asn.mmdb")

    def milter(self):
        milter = Daemon(f'geo {{ country_file = "{self.country}"  '
                        f'asn_file = "{self.asn}" }}\n{self.RULES}')
        self.addCleanup(milter.remove)
        self.addCleanup(milter.kill)
        return milter.start()

    def write(self, here="XA"):
        mmdb.write(self.country + "~", "Test-Country", {
            "198.51.100.0/24": {"country": {"iso_code": here}},
            "203.0.113.0/24": {"continent": {"code": "XX"}}})
        os.rename(self.country + "~", self.country)
        mmdb.write(self.asn, "Test-ASN", {
            "203.0.113.0/25": {
                "autonomous_system_number": mmdb.uint32(64501)},
            "2001:db8::/32": {
                "autonomous_system_number": mmdb.uint32(64501)}})

    def read(self, milter, file, times=1):
        wait_for(lambda: sum(f"{file} is read" in line
                             for line in milter.log()) == times,
                 "it is read", milter.log)

    def test_clients_have_a_country_and_a_network(self):
        self.write()
        milter = self.milter()
        for file in self.country, self.asn:
            self.read(milter, file)
        self.assertEqual(send(milter, self.HERE), "451 4.7.1 foreign")
        self.assertEqual(send(milter, self.THERE), "451 4.7.1 other")
        self.assertEqual(send(milter, self.SIX), "451 4.7.1 other")
        self.assertEqual(send(milter, "203.0.113.200"), "")
        self.write("XC")
        self.read(milter, self.country, 2)
        self.assertEqual(send(milter, self.HERE), "")
        milter.stop()

    def test_what_is_no_database_is_told_and_nothing_is_known(self):
        with open(self.country, "w") as file:
            file.write("no database" * 100)
        milter = self.milter()
        milter.expect(r"_file: .* cannot be read|asn_file = .*: No such file")
        wait_for(lambda: any(self.asn + " cannot be read: No such file" in line
                             for line in milter.log()) and
                 any(self.country + " cannot be read" in line
                     for line in milter.log()), "it is told", milter.log)
        self.assertEqual(send(milter, self.HERE), "")
        self.write()
        self.read(milter, self.country)
        self.assertEqual(send(milter, self.HERE), "451 4.7.1 foreign")
        milter.stop()


class Wrong(Case):
    """Whatever the lists say: a clean client passes where only the listed are
    put off, and waits as a stranger, no longer, where strangers are."""

    def check(self, mode, zones, start_wrong):
        for zone in zones if start_wrong else ():
            self.dns.mode(zone, *mode)
        milter = self.milter(settings=TIMEOUT)
        self.all_on(milter, len(ZONES) - (len(zones) if start_wrong else 0))
        if start_wrong:
            milter.expect(r"DNS list .* it is off until")
            for zone in zones:
                milter.wait_log(rf"DNS list {zone}: .* it is off")
        for zone in zones:
            self.dns.mode(zone, *mode)
        for address in CLEAN, CLEAN6, TRUSTED:
            self.learn(milter, address)
            for _ in range(3):
                self.assertEqual(send(milter, address), "")
        milter.stop()

    def check_trusted(self, mode):
        """Who is well known passes whatever the block lists say."""
        milter = self.milter(RULES, settings=TIMEOUT)
        self.all_on(milter)
        for zone in BAD, BAD2:
            self.dns.mode(zone, *mode)
        self.assert_told(milter, TRUSTED, "")
        milter.stop()

    def test_a_wildcard_trusts_nobody(self):
        for zone in GOOD, GOOD2:
            self.dns.mode(zone, "always", "127.0.0.2")
        milter = self.milter(RULES)
        self.all_on(milter, 2)
        milter.expect(r"DNS list good")
        for zone in GOOD, GOOD2:
            milter.wait_log(rf"DNS list {zone}: it lists whatever one asks")
        self.assert_told(milter, TRUSTED, GREYLISTED)
        milter.stop()

    def test_a_list_without_its_test_entry_is_off_unless_that_is_said(self):
        del self.dns.records["2.0.0.127." + BAD, 1]
        milter = self.milter()
        self.all_on(milter, 3)
        milter.expect(rf"DNS list {BAD}: its entry for tests")
        milter.wait_log(rf"DNS list {BAD}: its entry for tests, 127.0.0.2")
        self.assert_told(milter, LISTED, "")
        milter.configure(
            f'dns {{ servers = "{self.dns.where}" }}\n'
            + LISTS.replace("zones", "test_entry = false  zones") + OPEN)
        milter.signal(signal.SIGHUP)
        milter.wait_log(rf"DNS list {BAD}: it passes its test again")
        self.assert_told(milter, LISTED, BLOCKED.format(LISTED))
        milter.stop()

    def test_a_list_without_ipv6_is_not_asked_for_it(self):
        for zone in ZONES:
            del self.dns.records[self.ipv6_test(zone), 1]
        milter = self.milter()
        self.all_on(milter)
        self.assert_told(milter, LISTED6, "")
        self.assert_told(milter, LISTED, BLOCKED.format(LISTED))
        self.assertEqual(len([line for line in milter.log()
                              if re.search(NONE_OF_IPV6, line)]), len(ZONES))
        milter.stop()

    def test_a_test_of_ipv6_that_fails_tells_nothing_of_the_list(self):
        for zone in ZONES:
            self.dns.broken.add(self.ipv6_test(zone))
        milter = self.milter()
        self.all_on(milter)
        self.assert_told(milter, LISTED, BLOCKED.format(LISTED))
        self.assert_told(milter, LISTED6, "")
        self.assertNotRegex("\n".join(milter.log()), NONE_OF_IPV6)
        milter.stop()

    @staticmethod
    def ipv6_test(zone):
        from lib.dns import IPV6_TEST, listed_name
        return listed_name(zone, IPV6_TEST)


def add_wrong(mode):
    """A test each, so that they run side by side."""
    name = "_".join(mode).replace(".", "_")
    in_time = mode != ("always", "127.0.0.2")  # only a test tells it apart
    tests = {"from_the_start": lambda self: self.check(mode, (BAD, BAD2), True)}
    if in_time:
        tests["later"] = lambda self: self.check(mode, (BAD, BAD2), False)
        tests["for_the_trusted"] = lambda self: self.check_trusted(mode)
    for when, test in tests.items():
        setattr(Wrong, f"test_{name}_{when}", test)


for one in WRONG + (("always", "127.0.0.2"),):
    add_wrong(one)


class Waiting(Case):
    """Counted, not timed: answers are held back until the filter has spoken."""

    def test_nobody_waits_for_an_answer(self):
        milter = self.milter(RULES, settings="timeout = 30s")
        self.all_on(milter)
        self.dns.hold()
        for i in range(20):
            self.assertEqual(send(milter, f"203.0.113.{i}"), GREYLISTED)
        self.assertEqual(send(milter, TRUSTED), GREYLISTED)
        wait_for(lambda: self.dns.held, "it was asked")
        self.dns.release()
        # It is there when the client comes again.
        wait_for(lambda: send(milter, TRUSTED) == "", "it is well known")
        milter.stop()

    def test_patience_waits_for_the_answer_and_no_longer(self):
        milter = self.milter(RULES, settings="timeout = 30s  patience = "
                             + milliseconds(1500),
                             lists="redis { deadline = 10s }\n" + LISTS)
        self.all_on(milter)
        answers = self.dns.hold_until_asked(len(ZONES))
        self.assertEqual(send(milter, TRUSTED), "")
        answers.join()
        self.dns.hold()
        self.assertEqual(send(milter, "203.0.113.9"), GREYLISTED)
        self.assertTrue(self.dns.held)
        self.dns.release()
        milter.stop()

    def test_the_stop_waits_for_no_answer(self):
        milter = self.milter(settings="timeout = 30s")
        self.all_on(milter)
        self.dns.hold()
        send(milter, CLEAN)
        milter.end_in_time()
        milter.stop()


class Resolver(Case):
    def threads(self, milter):
        tasks = f"/proc/{milter.process.pid}/task"
        found = []
        for task in os.listdir(tasks):
            with contextlib.suppress(FileNotFoundError,
                                     ProcessLookupError):  # it has ended
                with open(f"{tasks}/{task}/comm") as file:
                    found.append(file.read().strip())
        return found

    def test_a_policy_that_asks_no_dns_has_no_thread_for_it(self):
        milter = self.milter('rule "all" { verdict = accept }\n', "")
        self.assertEqual(send(milter), "")
        self.assertNotIn("dns", self.threads(milter))
        self.assertEqual(self.dns.asked, [])
        self.assertNotIn("dnsbl=", "".join(milter.log()))
        milter.configure(f'dns {{ servers = "{self.dns.where}" }}\n' + LISTS
                         + OPEN)
        milter.signal(signal.SIGHUP)
        self.all_on(milter)
        self.assertIn("dns", self.threads(milter))
        self.assert_told(milter, LISTED, BLOCKED.format(LISTED))
        milter.configure('rule "all" { verdict = accept }\n')
        seen = len(milter.log())
        milter.signal(signal.SIGHUP)
        milter.wait_log("reloaded", seen)
        before = len(self.dns.asked)
        self.assertEqual(send(milter, "203.0.113.5"), "")
        self.assertEqual(len(self.dns.asked), before)
        milter.stop()

    def test_a_dead_one_is_one_line_and_changes_nothing_else(self):
        milter = self.milter(RULES, settings=TIMEOUT)
        self.all_on(milter)
        self.dns.stop()
        milter.expect(r"DNS: .* mail goes on without it")
        for i in range(200):
            self.assertEqual(send(milter, f"203.0.113.{i}"), GREYLISTED)
        milter.wait_log(rf"DNS: {self.dns.where}: .*mail goes on without it")
        for i in range(50):
            self.assertEqual(send(milter, f"198.51.100.{i + 100}"), GREYLISTED)
        self.assertEqual(len(self.about_dns(milter)), 1, self.about_dns(milter))
        self.dns.start()
        milter.wait_log(rf"DNS: {self.dns.where}: answers again")
        self.assert_told(milter, TRUSTED, "")
        self.assertEqual(len(self.about_dns(milter)), 2, self.about_dns(milter))
        milter.stop()

    def test_a_silent_one_is_asked_now_and_then_only(self):
        milter = self.milter(RULES, settings=TIMEOUT)
        self.all_on(milter)
        self.dns.mode("", "silent")
        milter.expect(r"DNS: .* mail goes on without it")
        for i in range(5):
            send(milter, f"203.0.113.{i}")
        milter.wait_log(r"DNS: .*: no answer in time")
        self.quiet()
        before = len(self.dns.asked)
        for i in range(100):
            self.assertEqual(send(milter, f"198.51.100.{i + 100}"), GREYLISTED)
        self.assertLess(len(self.dns.asked) - before, 20)
        milter.stop()

    def test_slow_lists_are_no_dead_server(self):
        milter = self.milter(RULES, settings=TIMEOUT)
        self.all_on(milter)
        for zone in BAD, BAD2:
            self.dns.mode(zone, "silent")
        for i in range(20):
            self.learn(milter, f"203.0.113.{i}")
        self.assertEqual(self.about_dns(milter), [])
        self.assert_told(milter, TRUSTED, "")
        milter.stop()

    def test_one_that_is_dead_from_the_start(self):
        self.dns.stop()
        milter = self.milter(RULES, settings=TIMEOUT)
        milter.expect(r"DNS: .* mail goes on without it")
        self.assertEqual(send(milter), GREYLISTED)
        milter.wait_log(r"DNS: .* mail goes on without it")
        self.dns.start()
        milter.wait_log(r"DNS: .*: answers again")
        self.all_on(milter)
        self.assertFalse([line for line in milter.log() if "is off" in line])
        self.assert_told(milter, TRUSTED, "")
        milter.stop()

    def test_the_second_server_stands_in_for_the_first(self):
        dead = free_port()
        milter = Daemon(
            f'dns {{ servers = {{"127.0.0.1:{dead}", "{self.dns.where}"}} }}\n'
            + LISTS + OPEN)
        self.addCleanup(milter.remove)
        self.addCleanup(milter.kill)
        milter.start()
        self.all_on(milter)
        self.assert_told(milter, LISTED, BLOCKED.format(LISTED))
        milter.stop()

    def about_dns(self, milter):
        return [line for line in milter.log() if "DNS: " in line]


if __name__ == "__main__":
    cases.main()
