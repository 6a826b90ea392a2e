"""What comes from outside is bounded, and a fault of one key or call concerns
nobody else: other programs write to Redis and to files, clocks are wrong, and a
Redis may lie."""

import os
import signal
import threading
import time
import unittest

from lib import cases, crowd, farm
from lib.crowd import BOB, nameless
from lib.daemon import wait_for
from lib.farm import redis, stranger
from lib.lying_proxy import DelayingProxy, LyingProxy
from lib.pace import milliseconds, pace, sleep
from lib.policies import BUSY, GREYLISTED, response
from lib.redis_servers import start_single
from lib.table import Table

ALICE = "<alice@sender.example>"
YEAR = 365 * 86400
SHORT = farm.RESPONSES + farm.STORE_IS_AWAY + farm.strangers("1s")
LISTED = (farm.RESPONSES + farm.STORE_IS_AWAY
          + 'rule "listed" { listed = "bad"  verdict = defer  '
          'response = "internal-resource"  at = data }\n'
          + farm.strangers("1s"))
REPORTS = 'reputation { reports_file = "@DIR@/reports" }\n'
POINTS = "198.51.100.9 report_trap 5\n"

TABLE = Table("What comes from outside", "what", "figure")


def tearDownModule():
    TABLE.print()


def ask(milter, address, sender=ALICE):
    with milter.client() as client:
        outcome = client.begin(nameless(address), address).message(
            sender, [BOB])
    return "accepted" if outcome.accepted else outcome.text


def resident(milter):
    """Octets of memory that it uses."""
    with open(f"/proc/{milter.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Case(unittest.TestCase):
    def setUp(self):
        self.server = start_single()
        self.addCleanup(self.server.stop)

    def daemon(self, policy=SHORT, where=None, own_secret=True, expect=(),
               secret=None, **options):
        milter = farm.daemon(redis(where or self.server.where, **options),
                             policy, own_secret=own_secret)
        if secret:
            farm.put(milter, "secret", secret)
        for pattern in expect:
            milter.expect(pattern)
        self.addCleanup(milter.remove)
        self.addCleanup(milter.kill)
        milter.start()
        self.number = 0
        wait_for(lambda: self.new_pair(milter) == GREYLISTED,
                 "Redis is reached", milter.log)
        return milter

    def new_pair(self, milter, address="192.0.2.1"):
        """The answer about a pair of which nobody has heard."""
        self.number += 1
        return ask(milter, address, crowd.sender(
            1000 * milter.process.pid + self.number))

    def keys(self, pattern="*"):
        return self.server.ask("KEYS", pattern)

    def passes(self, first, second, address, sender=ALICE):
        """Does `second` let in who was deferred by `first`?"""
        self.assertEqual(ask(first, address, sender), GREYLISTED)
        time.sleep(1.3)
        return ask(second, address, sender) == "accepted"


class OneKey(Case):
    def test_a_record_of_the_wrong_type_stops_nobody_else(self):
        """One session a second of its network, and each time it is there
        again: all others are judged by what the store tells."""
        milter = self.daemon(expect=["holds nothing of ours"])
        answers, end = [], time.monotonic() + 3
        number = 0
        while time.monotonic() < end or len(answers) <= 100:
            self.server.ask("DEL", farm.record(stranger(0)))
            self.server.ask("SET", farm.record(stranger(0)), "foreign")
            self.assertIn(ask(milter, stranger(0)), (GREYLISTED, "accepted"))
            for _ in range(20):
                number += 1
                answers.append(self.new_pair(milter, stranger(number % 50 + 1)))
        self.assertEqual(set(answers), {GREYLISTED})
        self.assertEqual(len([line for line in milter.log()
                              if "holds nothing of ours" in line]), 1)
        milter.stop()

    def test_a_field_of_a_megabyte(self):
        milter = self.daemon(expect=["holds nothing of ours"])
        long = "x" * (1200 * 1024)
        self.server.ask("HSET", "mdefer:1:load", "mx9", long)
        self.server.ask("HSET", farm.record(stranger(0)), "p", long)
        ask(milter, stranger(0))
        for number in range(1, 40):
            self.assertEqual(ask(milter, stranger(number)), GREYLISTED)
            time.sleep(0.05)
        # it was remembered, in a record that begins anew
        self.assertEqual(ask(milter, stranger(0)), "accepted")
        wait_for(lambda: self.server.ask("HLEN", "mdefer:1:load") == 1,
                 "the load is published again")
        milter.stop()


class Endless(Case):
    """SSCAN that gives 4,000 more members each time, and never ends."""

    longest = 900  # seconds; to read a million takes six of a CPU, and few have one

    PAGE = b"*2\r\n$1\r\n7\r\n*4000\r\n" + b"".join(
        b"$20\r\nd<page>-%04d.example\r\n" % i for i in range(4000))

    def endless(self, connection, words, reply):
        if words[0].upper() == b"SSCAN":
            self.pages += 1
            reply = self.PAGE.replace(b"<page>", b"%06d" % self.pages)
        connection.sendall(reply)

    def run_endless(self):
        self.pages = 0
        proxy = LyingProxy(self.server)
        self.addCleanup(proxy.stop)
        self.server.ask("SADD", "mdefer:1:list:bad", "192.0.2.0/24")
        milter = farm.daemon(redis(proxy.where), LISTED)
        milter.expect("shared list bad ")
        self.addCleanup(milter.remove)
        self.addCleanup(milter.kill)
        milter.start()
        wait_for(lambda: ask(milter, "192.0.2.1") == farm.INTERNAL
                 and "rule=\"listed\"" in milter.log()[-1],
                 "the list is read", milter.log)
        proxy.lie = self.endless
        self.server.ask("HINCRBY", "mdefer:1:lists", "bad", 1)
        wait_for(lambda: self.pages > 3, "the list is read again")
        return milter

    def test_memory_time_and_mail(self):
        milter = self.run_endless()
        before = resident(milter)
        wait_for(lambda: "shared list bad " in "\n".join(milter.log()),
                 "the list is given up", milter.log, patience=self.longest / 2)
        self.assertLess(resident(milter) - before, 256 << 20)
        pages = self.pages
        self.assertEqual(ask(milter, stranger(1)), GREYLISTED)
        time.sleep(3)
        self.assertLess(self.pages, 2 * pages)  # it does not go on at once
        milter.signal(signal.SIGHUP)
        milter.wait_log("reloaded")
        self.assertEqual(len([line for line in milter.log()
                              if "shared list bad " in line]), 1)

    def test_the_end_comes_in_time(self):
        milter = self.run_endless()
        milter.end_in_time(2.5)


class Reports(Case):
    def put(self, milter, text):
        """All at once: what is taken away while somebody writes may lack its end."""
        path = os.path.join(milter.directory, "reports")
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def counted(self):
        return self.server.ask("EXISTS", "mdefer:1:{198.51.100.0/24}") == 1

    def test_those_of_a_time_without_redis_count_afterwards(self):
        milter = self.daemon(REPORTS + SHORT,
                             expect=[farm.FAULT])
        self.server.kill()
        milter.wait_log(farm.FAULT)
        self.put(milter, POINTS)
        time.sleep(2.5)
        self.assertTrue(os.path.exists(
            os.path.join(milter.directory, "reports")))
        self.server.start()
        wait_for(self.counted, "the report counts", milter.log)
        milter.stop()

    def test_a_line_without_an_end(self):
        """It is read in pieces, skipped and counted; what follows counts."""
        milter = self.daemon(REPORTS + SHORT,
                             expect=["malformed report"])
        before = resident(milter)
        self.put(milter, "x" * (40 << 20) + "\n" + POINTS)
        self.assertEqual(ask(milter, stranger(1)), GREYLISTED)
        wait_for(self.counted, "the next line counts", milter.log)
        milter.wait_log("1 malformed report")
        self.assertLess(resident(milter) - before, 32 << 20)
        milter.stop()

    def test_huge_entries_in_redis(self):
        milter = self.daemon(SHORT, expect=["malformed report"])
        with self.server.client() as client:
            for _ in range(20):
                client.ask("RPUSH", "mdefer:1:reports", "x" * (1200 * 1024))
        wait_for(lambda: not self.keys("*reports"), "they are gone",
                 milter.log)
        self.assertEqual(ask(milter, stranger(1)), GREYLISTED)
        self.server.ask("RPUSH", "mdefer:1:reports", POINTS.strip())
        wait_for(self.counted, "the next one counts", milter.log)
        milter.wait_log("malformed report")
        self.assertEqual(farm.said_of_redis(milter), [])
        milter.stop()


class Clocks(Case):
    def told(self, ahead):
        def lie(connection, words, reply):
            if words[0].upper() == b"TIME":
                reply = time_reply(ahead if ahead is not None else
                                   2 ** 63 - 1 - time.time())
            connection.sendall(reply)
        return lie

    def run_lie(self, ahead, expect):
        proxy = LyingProxy(self.server)
        self.addCleanup(proxy.stop)
        milter = self.daemon(where=proxy.where, expect=[expect])
        self.assertEqual(ask(milter, stranger(1)), GREYLISTED)
        proxy.lie = self.told(ahead)
        milter.wait_log(expect)
        time.sleep(1.3)
        self.assertEqual(ask(milter, stranger(1)), "accepted")
        self.assertEqual(ask(milter, stranger(2)), GREYLISTED)
        proxy.lie = None
        time.sleep(2.5)
        self.assertEqual(ask(milter, stranger(2)), "accepted")
        milter.stop()

    def test_a_year_ahead_is_not_followed(self):
        self.run_lie(YEAR, "Redis's clock jumped")

    def test_the_end_of_time_is_no_time(self):
        self.run_lie(None, "does not tell its time")

    def test_six_hours_ahead_and_set_right(self):
        """Who was first seen meanwhile waits no longer than others."""
        proxy = LyingProxy(self.server)
        self.addCleanup(proxy.stop)
        proxy.lie = self.told(6 * 3600)
        milter = self.daemon(where=proxy.where, expect=["Redis's clock"])
        self.assertEqual(ask(milter, stranger(1)), GREYLISTED)
        proxy.lie = None
        milter.wait_log("is followed")
        self.assertEqual(ask(milter, stranger(1)), GREYLISTED)
        self.assertLessEqual(int(milter.decisions()[-1]["wait"]), 1)
        time.sleep(1.3)
        self.assertEqual(ask(milter, stranger(1)), "accepted")
        milter.stop()


def time_reply(ahead):
    seconds = b"%d" % int(time.time() + ahead) if ahead < 2 ** 62 \
        else b"%d" % (2 ** 63 - 1)
    return b"*2\r\n$%d\r\n%s\r\n$1\r\n0\r\n" % (len(seconds), seconds)


class Agreement(Case):
    """All servers hash with the same key, or say that they do not."""

    KEY = "key for hashing"

    def servers(self):
        return [self.daemon(own_secret=False, expect=[self.KEY])
                for _ in range(2)]

    def assert_agree(self, one, other):
        for first, second in ((one, other), (other, one)):
            self.number += 1
            sender = crowd.sender(7 * 10 ** 6 + self.number)
            self.assertTrue(self.passes(first, second, stranger(self.number),
                                        sender), first.log() + second.log())

    def test_after_flushall_and_a_restart(self):
        one, other = self.servers()
        self.assert_agree(one, other)
        self.server.ask("FLUSHALL")
        other.stop()
        other.start()
        wait_for(lambda: self.new_pair(other) == GREYLISTED,
                 "Redis is reached", other.log)
        sleep(3)
        self.assert_agree(one, other)
        for milter in (one, other):
            milter.stop()

    def test_after_another_key_was_put_there(self):
        one, other = self.servers()
        self.server.ask("SET", "mdefer:1:key", "f" * 64)
        for milter in (one, other):
            milter.wait_log("was replaced")
            # if one of them has it a second before the other
            milter.expect("hashes with another secret")
            wait_for(lambda milter=milter: self.has_said_that_they_agree(milter),
                     "they agree", milter.log)
        self.assert_agree(one, other)
        self.assertGreater(self.server.ask("TTL", "mdefer:1:key"), -2)
        for milter in (one, other):
            milter.stop()

    def has_said_that_they_agree(self, milter):
        """If it has said that they do not."""
        log = "\n".join(milter.log())
        return log.count("hashes with another secret") \
            == log.count("hash with the same secret again")

    def test_two_secret_files(self):
        differ = "hashes with another secret"
        one = self.daemon(expect=[differ])
        other = self.daemon(expect=[differ], secret="f" * 64)
        for milter in (one, other):
            milter.wait_log(differ)
        other.stop()
        one.wait_log("hash with the same secret again")
        one.stop()


class Late(Case):
    """A Redis that answers every call, and each after its deadline."""

    SESSIONS = int(os.environ.get("LATE_SESSIONS", "16"))
    SECONDS = float(os.environ.get("LATE_SECONDS", "2"))
    RECIPIENTS = [f"<user{i}@local.test>" for i in range(128)]
    POLICY = (farm.RESPONSES
              + 'rule "away" { store_down = true  verdict = accept }\n'
              + farm.strangers())

    def flood(self, milter, number, end, texts):
        with milter.client() as client:
            client.begin(nameless(stranger(number)), stranger(number))
            serial = 0
            while time.monotonic() < end or serial < 2:
                serial += 1
                outcome = client.message(
                    crowd.sender(1000 * number + serial), self.RECIPIENTS)
                texts.append("accepted" if outcome.accepted else outcome.text)

    def test_nobody_is_let_in_by_lateness(self):
        texts, threads = [], []
        with DelayingProxy(self.server) as proxy:
            milter = self.daemon(self.POLICY, where=proxy.where,
                                 deadline=milliseconds(200),
                                 expect=[farm.FAULT])
            proxy.delay = 0.5 * pace()
            end = time.monotonic() + self.SECONDS
            for number in range(self.SESSIONS):
                threads.append(threading.Thread(
                    target=self.flood, args=(milter, number, end, texts)))
                threads[-1].start()
            for thread in threads:
                thread.join()
            late = [one for one in milter.decisions()
                    if one.get("score") == "unknown"]
            self.assertGreater(len(late), self.SESSIONS)
            self.assertEqual(set(texts), {GREYLISTED})
            proxy.delay = 0
            began = time.monotonic()
            wait_for(lambda: self.is_told(milter), "the store tells again")
            TABLE.add(f"{self.SESSIONS} sessions of 128 recipients, Redis "
                      "late: decisions, late, let in, told again after s",
                      f"{len(texts)}, {len(late)}, 0, "
                      f"{time.monotonic() - began:.2f}")
            milter.stop()

    def is_told(self, milter):
        """Is a decision made by what the store tells?"""
        ask(milter, stranger(200))
        return milter.decisions()[-1]["score"] != "unknown"

    def test_a_retry_counts_although_the_first_answer_was_late(self):
        with DelayingProxy(self.server) as proxy:
            milter = self.daemon(where=proxy.where, deadline=milliseconds(200),
                                 expect=[farm.FAULT])
            proxy.delay = 0.4 * pace()
            self.assertEqual(ask(milter, stranger(1)), GREYLISTED)
            self.assertEqual(milter.decisions()[-1]["score"], "unknown")
            time.sleep(1.5)
            proxy.delay = 0
            wait_for(lambda: self.is_told(milter), "the store tells again")
            while (answer := ask(milter, stranger(1))) != "accepted":
                self.assertEqual(milter.decisions()[-1]["score"], "unknown")
            self.assertEqual(answer, "accepted")
            milter.stop()

    def test_one_deadline_for_all_that_a_decision_asks(self):
        """At a fresh start it asks for the time, the key and the record."""
        with DelayingProxy(self.server) as proxy:
            proxy.delay = 0.6 * pace()
            milter = farm.daemon(redis(proxy.where, deadline=milliseconds(1000)),
                                 self.POLICY, faults=True, own_secret=False)
            self.addCleanup(milter.remove)
            self.addCleanup(milter.kill)
            milter.start()
            slowest = max(self.seconds(milter, number) for number in range(3))
            proxy.delay = 0
            busy = max(self.seconds(milter, number) for number in range(3))
            # Four trips would take 2.4.
            self.assertLess(slowest, 1.8 * pace() + 3 * busy)
            milter.stop()

    def seconds(self, milter, number):
        """That a decision takes."""
        began = time.monotonic()
        ask(milter, stranger(number))
        return time.monotonic() - began


class Blind(Case):
    """Load rules need no store."""

    POLICY = (farm.RESPONSES + response("busy", BUSY.format("%{client_addr}"))
              + 'load { load_average = 0  pressure_cpu = 0  pressure_io = 0  '
              'pressure_memory = 0  dwell = 1s  figure_file = "@DIR@/load" }\n'
              'rule "known" { known = true  at = data  verdict = accept }\n'
              'rule "busy" { load_above = 0.80  at = data  verdict = defer  '
              'response = "busy" }\n'
              'rule "away" { store_down = true  at = data  verdict = accept }\n'
              + farm.strangers())

    def test_a_busy_and_blind_server_sheds(self):
        milter = farm.daemon(redis(self.server.where), self.POLICY, faults=True)
        milter.expect("load source figure")
        self.addCleanup(milter.remove)
        self.addCleanup(milter.kill)
        farm.put(milter, "load", "0.10")
        milter.start()
        wait_for(lambda: ask(milter, stranger(1)) == GREYLISTED,
                 "Redis is reached", milter.log)
        self.server.kill()
        wait_for(lambda: ask(milter, stranger(1)) == "accepted",
                 "it is away, and mail passes", milter.log)
        farm.put(milter, "load", "1.20")
        wait_for(lambda: ask(milter, stranger(2))
                 == BUSY.format(stranger(2)), "it sheds", milter.log)
        farm.put(milter, "load", "0.10")
        wait_for(lambda: ask(milter, stranger(3)) == "accepted",
                 "it sheds no longer", milter.log)
        milter.stop()


if __name__ == "__main__":
    cases.main()
