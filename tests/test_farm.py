"""Several mail servers that share one Redis, and the ways to reach it."""

import os
import subprocess
import tempfile
import threading
import time
import unittest
from itertools import count
from unittest import mock

from lib import cases, crowd, farm
from lib.crowd import BOB, Crowd, nameless
from lib.daemon import PATIENCE, wait_for
from lib.farm import redis, stranger
from lib.lying_proxy import CuttingProxy
from lib.mta import ipv6_works
from lib.policies import GREYLISTED
from lib.redis_servers import free_port, start_single
from lib.table import Table

HERE = os.path.dirname(os.path.abspath(__file__))
ALICE = "<alice@sender.example>"
FLOOD = int(os.environ.get("FARM_FLOOD", "100000"))  # distinct triplets
KILLS = int(os.environ.get("FARM_KILLS", "3"))
CUTS = int(os.environ.get("FARM_CUTS", "40"))
CAP = 256  # store.network_cap, as it is by default
FULL = 4096  # clocks of a record with which it takes one more a message
AHEAD = 120  # seconds
WAIT = 4  # seconds

TABLE = Table("One Redis for several mail servers", "what", "figure")


def tearDownModule():
    TABLE.print()


def ask(milter, address, sender=ALICE, recipients=(BOB,)):
    """One message; the text of its deferral, or "accepted"."""
    with milter.client() as client:
        outcome = client.begin(nameless(address), address).message(
            sender, recipients)
    return "accepted" if outcome.accepted else outcome.text


def pairs_of(server, address):
    """The fields of a client's record which are clocks of pairs."""
    with server.client() as client:
        fields = client.ask("HKEYS", farm.record(address))
    return [field for field in fields if len(field) == 12 and "." not in field]


def immortal(server):
    """All keys without a time to live."""
    with server.client() as client:
        keys = client.ask("KEYS", "*")
        lives = client.pipeline([("TTL", key) for key in keys])
    return [key for key, life in zip(keys, lives) if life == -1]


class Farm(unittest.TestCase):
    def setUp(self):
        self.server = start_single()
        self.addCleanup(self.server.stop)

    def daemon(self, policy=farm.POLICY, **options):
        milter = farm.daemon(redis(self.server.where), policy,
                             **options).start()
        self.addCleanup(milter.remove)
        self.addCleanup(milter.stop)
        number = count(1000 * milter.process.pid)  # another one each time
        wait_for(lambda: ask(milter, "192.0.2.1", crowd.sender(next(number)))
                 == GREYLISTED, "Redis is reached", milter.log)
        return milter


class Shared(Farm):
    def test_the_retry_may_come_to_another_host(self):
        policy = farm.RESPONSES + farm.strangers("1s")
        one, other = self.daemon(policy), self.daemon(policy)
        self.assertEqual(ask(one, stranger(1)), GREYLISTED)
        wait_for(lambda: ask(other, stranger(1)) == "accepted",
                 "it passes", other.log)
        self.assertEqual(ask(one, stranger(1)), "accepted")

    def test_many_first_contacts_at_once_are_one(self):
        """And later ones do not move it."""
        hosts = [self.daemon(), self.daemon()]
        seen = set()
        for _ in range(2):
            self.assertEqual(at_once(hosts, 20), [GREYLISTED] * 20)
            wait_for(lambda: len(pairs_of(self.server, stranger(1))) == 1,
                     "one pair is stored")
            (field,) = pairs_of(self.server, stranger(1))
            seen.add(self.server.ask("HGET", farm.record(stranger(1)), field))
            time.sleep(1.1)
        self.assertEqual(len(seen), 1)

    def test_hosts_whose_clocks_differ_agree(self):
        """Each in turn sees the client first; both let it pass at once."""
        policy = farm.RESPONSES + farm.strangers(f"{WAIT}s")
        right = self.daemon(policy)
        with tempfile.TemporaryDirectory() as directory:
            with mock.patch.dict(os.environ, clock_ahead(directory)):
                wrong = self.daemon(policy)
        with open(f"/proc/{wrong.process.pid}/maps", encoding="ascii") as maps:
            self.assertIn("clock_shim.so", maps.read())
        for number, (first, other) in enumerate(((right, wrong),
                                                 (wrong, right))):
            client = stranger(number)
            began = time.monotonic()
            self.assertEqual(ask(first, client), GREYLISTED)
            self.assertEqual(ask(other, client), GREYLISTED)
            seconds = time.monotonic() - began
            waits = [int(host.decisions()[-1]["wait"]) for host in
                     (first, other)]
            TABLE.add(f"clocks {AHEAD} s apart: each says to wait",
                      f"{waits[0]} and {waits[1]} s")
            self.assertLessEqual(max(waits), WAIT)
            self.assertLessEqual(abs(waits[0] - waits[1]), 1 + seconds)
            time.sleep(WAIT + 0.5)
            for host in (other, first):
                self.assertEqual(ask(host, client), "accepted")

    def test_redis_may_lose_everything(self):
        """A host that starts afterwards still agrees with the others, also
        where the key for hashing lives in Redis."""
        policy = farm.RESPONSES + farm.strangers("1s")
        one = self.daemon(policy, own_secret=False, faults=True)
        one.expect("the key for hashing was lost")
        time.sleep(2.5)  # until it has settled
        self.server.kill()
        self.server.start()
        one.wait_log(farm.FAULT + " is well again")
        other = self.daemon(policy, own_secret=False)
        self.assertEqual(ask(other, stranger(1)), GREYLISTED)
        time.sleep(1.1)
        self.assertEqual(ask(one, stranger(1)), "accepted")


def at_once(hosts, number):
    """So many first contacts with one triplet; the answers."""
    barrier = threading.Barrier(number)
    answers = []

    def contact(host):
        with host.client() as client:
            client.begin(nameless(stranger(1)), stranger(1))
            barrier.wait(PATIENCE)
            outcome = client.message(ALICE, [BOB])
            answers.append(outcome.text)

    threads = [threading.Thread(target=contact, args=(hosts[i % len(hosts)],))
               for i in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def clock_ahead(directory):
    """The environment of a process whose clock is wrong."""
    shim = os.path.join(directory, "clock_shim.so")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", shim,
                    os.path.join(HERE, "lib", "clock_shim.c")], check=True)
    options = os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": shim, "CLOCK_AHEAD": str(AHEAD),
            "ASAN_OPTIONS": options + ":verify_asan_link_order=0"}


class Flood(Farm):
    def test_a_flood_from_one_network(self):
        """Its record stays small, and nobody else notices."""
        policy = farm.RESPONSES + farm.strangers("1s")
        milter = self.daemon(policy)
        wait_for(lambda: ask(milter, stranger(1)) == "accepted", "it passes",
                 milter.log)
        began = time.monotonic()
        with Flooding(milter) as flooding:
            most, worst = self.watch(milter, flooding)
        seconds = time.monotonic() - began
        wait_for(lambda: len(pairs_of(self.server, stranger(0))) <= CAP,
                 "the record is swept")
        octets = self.server.ask("MEMORY", "USAGE", farm.record(stranger(0)))
        TABLE.add("triplets from one /24", f"{FLOOD} in {seconds:.1f} s")
        TABLE.add("pairs in its record meanwhile, and then",
                  f"{most} and {len(pairs_of(self.server, stranger(0)))}, "
                  f"{octets} octets")
        TABLE.add("worst decision for another network meanwhile",
                  f"{worst:.1f} ms")
        self.assertEqual(set(flooding.answers), {GREYLISTED})
        self.assertEqual(sum(int(decision["recipients"])
                             for decision in milter.decisions()
                             if decision["client"] == stranger(0)), FLOOD)
        # What was under way when the record became full; and from then on one
        # pair of each message, until it is swept.
        self.assertLess(
            most, FULL + CAP + 2 * Flooding.THREADS * Flooding.RECIPIENTS
            + FLOOD / Flooding.RECIPIENTS)
        self.assertEqual(immortal(self.server), [])

    def watch(self, milter, flooding):
        """(most pairs in the record, worst time of somebody else's)."""
        most = worst = 0
        while flooding.goes_on():
            most = max(most, len(pairs_of(self.server, stranger(0))))
            began = time.monotonic()
            self.assertEqual(ask(milter, stranger(1)), "accepted")
            worst = max(worst, (time.monotonic() - began) * 1000)
            time.sleep(0.02)
        return most, worst


class Flooding:
    """Messages with many recipients each, all from one network."""

    THREADS = 4
    RECIPIENTS = 100

    def __init__(self, milter):
        self.milter = milter
        self.answers = []
        self.threads = [threading.Thread(target=self._send, args=(number,))
                        for number in range(self.THREADS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join()

    def goes_on(self):
        return any(thread.is_alive() for thread in self.threads)

    def _send(self, number):
        recipients = [f"<user{i}@local.test>" for i in range(self.RECIPIENTS)]
        with self.milter.client() as client:
            client.begin(nameless(stranger(0)), stranger(0))
            messages = FLOOD // self.RECIPIENTS // self.THREADS
            for serial in range(number * messages, (number + 1) * messages):
                outcome = client.message(crowd.sender(serial), recipients)
                self.answers.append(outcome.text)


class Sudden(unittest.TestCase):
    """A host ends in the middle of its work."""

    LIMIT = ('rule "too many" { messages_above = 1000  within = 1m\n'
             '    verdict = defer  response = "internal-resource" }\n')
    POLICY = farm.RESPONSES + LIMIT + farm.strangers()

    def test_killed_under_load(self):
        addresses = [stranger(number) for number in range(20)]
        sessions = 0
        with start_single() as server:
            milter = farm.daemon(redis(server.where), self.POLICY)
            self.addCleanup(milter.remove)
            self.addCleanup(milter.kill)
            for _ in range(KILLS):
                milter.start()
                with Crowd(milter, addresses, pause=0) as load:
                    time.sleep(0.5)
                    milter.kill()
                sessions += len(load.decisions) - len(load.lost())
                self.assertEqual(immortal(server), [])
            keys = server.ask("DBSIZE")
        TABLE.add("keys without a life after kill -9",
                  f"0 of {keys}, {KILLS} kills, {sessions} sessions")

    def test_cut_off_after_any_octet(self):
        """A host may lose its power when half of what belongs together has
        been sent: either all of it is done, or nothing."""
        left = []
        with start_single() as server, CuttingProxy(server) as proxy:
            milter = farm.daemon(redis(proxy.where), self.POLICY, faults=True)
            with milter:
                for number in range(CUTS):
                    left.append(self.cut(milter, server, proxy, number))
        TABLE.add("keys without a life, cut off at any octet",
                  f"{sum(left)}, {CUTS} cuts")
        self.assertEqual(sum(left), 0)

    def cut(self, milter, server, proxy, number):
        """Cut a message off; how many keys without a life that leaves."""
        recipients = [f"<user{i}@local.test>" for i in range(5)]
        self.reach(milter, stranger(255), (BOB,))
        proxy.arm(40 * number)
        ask(milter, stranger(number), recipients=recipients)
        proxy.cut.wait(0.5)
        return len(immortal(server))

    def reach(self, milter, address, recipients):
        wait_for(lambda: ask(milter, address, recipients=recipients)
                 == GREYLISTED, "Redis is reached", milter.log)


class Access(unittest.TestCase):
    """Each way to a server, and that what is learned lies where it should."""

    def check(self, server, section, database=0):
        with farm.daemon(section) as milter:
            wait_for(lambda: ask(milter, stranger(1)) == GREYLISTED,
                     "Redis is reached", milter.log)
            with server.client() as client:
                client.ask("SELECT", database)
                wait_for(lambda: client.ask("EXISTS",
                                            farm.record(stranger(1))),
                         "the record is there")

    def test_a_password_from_a_file(self):
        with start_single(requirepass="secret") as server:
            self.check_password(server, "secret")

    def test_a_user_with_a_password(self):
        with start_single() as server:
            server.ask("ACL", "SETUSER", "mta", "on", ">pass word",
                       "~mdefer:1:*", "+@all", "-@dangerous")
            self.check_password(server, "pass word", user="mta")

    def check_password(self, server, password, **options):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "password")
            with open(path, "w", encoding="ascii") as file:
                file.write(password + "\n")
            os.chmod(path, 0o600)
            self.check(server, redis(server.where, password_file=path,
                                     **options))

    def test_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "redis.sock")
            with start_single(unixsocket=path) as server:
                self.check(server, redis(path))

    def test_a_database(self):
        with start_single() as server:
            self.check(server, redis(server.where, database=3), database=3)
            self.assertEqual(server.ask("DBSIZE"), 0)

    @unittest.skipUnless(ipv6_works(), "no IPv6 here")
    def test_ipv6(self):
        with start_single(bind="::1") as server:
            self.check(server, redis(server.where))

    def test_tls(self):
        with tempfile.TemporaryDirectory() as directory:
            key, certificate = make_certificate(directory)
            port = free_port()
            with start_single(tls_cert_file=certificate, tls_key_file=key,
                              tls_auth_clients="no", tls_port=port) as server:
                self.check(server, redis(f"127.0.0.1:{port}", tls="true",
                                         tls_ca_file=certificate))


def make_certificate(directory):
    """(key, certificate) of 127.0.0.1, which is its own authority."""
    key, certificate = (os.path.join(directory, name)
                        for name in ("key.pem", "certificate.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "2", "-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return key, certificate


if __name__ == "__main__":
    cases.main()
