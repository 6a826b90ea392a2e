"""What trust costs, and what a flood does, with the embedded store and with a
real Redis, through the milter protocol."""

import contextlib
import shutil
import time
import unittest

from lib import cases, farm
from lib.daemon import wait_for
from lib.milterclient import CONNECT
from lib.policies import GREYLISTED, response
from lib.redis_servers import start_single

KNOWN = 'rule "known" { known = true  at = data  verdict = accept }\n'
MAILING = 300  # recipients, each in a message of its own


def strangers(head="", delay="1s"):
    return (head + response("greylisted", GREYLISTED) + KNOWN
            + 'rule "strangers" { verdict = greylist  by = triplet  '
            f'delay = {delay}  response = "greylisted"  at = data }}\n')


def word(number):
    """A name without digits, which normalising would take away."""
    return "".join("bcdfghjklm"[int(digit)] for digit in str(number))


def send(milter, address, sender="<a@sender.example>",
         recipients=("<bob@local.test>",), name=None, resolve=None):
    """Whether one message, in a session of its own, is accepted."""
    with milter.client() as client:
        client.negotiate()
        if resolve:
            client.macros(CONNECT, client_resolve=resolve)
        client.connect(name or f"[{address}]", address)
        client.helo("mx.sender.example")
        outcome = client.message(sender, list(recipients), ())
        client.quit()
    return outcome.accepted


def become_known(milter, address, **options):
    pairs = [f"<{letter}@sender.example>" for letter in "abc"]
    for sender in pairs:
        assert not send(milter, address, sender, **options)
    time.sleep(1.2)
    for sender in pairs:
        assert send(milter, address, sender, **options)


def mail_all(milter, address):
    """One message to each of a list, in order: how many are accepted."""
    accepted = 0
    with milter.client() as client:
        client.begin(name=f"[{address}]", address=address)
        for number in range(MAILING):
            accepted += client.message(
                "<news@list.example>",
                [f"<{word(number)}@local.test>"]).accepted
        client.quit()
    return accepted


def flood(milter, addresses, count, name=None):
    """Messages to as many recipients as are remembered."""
    for number in range(count):
        recipients = [f"<{word(number)}x{word(other)}@local.test>"
                      for other in range(128)]
        send(milter, addresses[number % len(addresses)],
             f"<{word(number)}@flood.example>", recipients, name)


class Trust:
    """The same for each store."""

    def test_a_mailing_becomes_known_by_its_first_retries(self):
        with self.milter(strangers()) as milter:
            self.assertEqual(mail_all(milter, "198.51.100.7"), 0)
            time.sleep(2.5)
            self.assertEqual(mail_all(milter, "198.51.100.7"), MAILING)

    def test_one_pair_in_many_sessions_is_one_pair(self):
        address = "198.51.100.7"
        with self.milter(strangers()) as milter, \
                contextlib.ExitStack() as sessions:
            self.assertFalse(send(milter, address))
            time.sleep(1.2)
            clients = [sessions.enter_context(milter.client())
                       for _ in range(6)]
            for client in clients:
                client.begin(name=f"[{address}]", address=address)
                client.mail("<a@sender.example>")
                client.rcpt("<bob@local.test>")
                self.assertFalse(client.data().refuses)
            for client in clients:
                self.assertFalse(client.eom().refuses)
            self.assertFalse(send(milter, address, "<new@sender.example>"))
            self.assertTrue(send(milter, address))

    def test_a_mailing_that_nobody_knows_is_through_by_the_delay_cap(self):
        head = ("known_after = 0\ndelay_cap = 6s\n"
                "store { network_cap = 32 }\n")
        with self.milter(strangers(head)) as milter:
            milter.expect('rule "known" can never hold')
            began, counts = time.time(), []
            self.assertEqual(mail_all(milter, "198.51.100.7"), 0)
            while time.time() < began + 30 and MAILING not in counts:
                time.sleep(2)
                counts.append(mail_all(milter, "198.51.100.7"))
            self.assertIn(MAILING, counts)

    def test_a_flood_of_neighbours_keeps_nobody_out(self):
        neighbours = [f"198.51.100.{host}" for host in range(100, 120)]
        with self.milter(strangers(delay="2s")) as milter:
            self.assertFalse(send(milter, "198.51.100.7"))
            flood(milter, neighbours, 30)
            self.assertFalse(send(milter, "198.51.100.8"))
            flood(milter, neighbours, 30)
            time.sleep(2.2)
            self.assertTrue(send(milter, "198.51.100.7"))
            self.assertTrue(send(milter, "198.51.100.8"))

    def test_nor_does_one_of_the_same_organisation(self):
        with self.milter(strangers(delay="2s")) as milter:
            self.assertFalse(
                send(milter, "198.51.100.7", name="mx1.mail.example"))
            flood(milter, ["203.0.113.9"], 40, name="mx2.mail.example")
            time.sleep(2.2)
            self.assertTrue(
                send(milter, "192.0.2.7", name="mx3.mail.example"))

    def test_one_rented_machine_gives_nothing_to_another(self):
        names = ("vmi123456.contaboserver.net", "vmi123457.contaboserver.net")
        with self.milter(strangers()) as milter:
            become_known(milter, "62.171.1.5", name=names[0])
            self.assertTrue(send(milter, "62.171.1.5", "<n@sender.example>",
                                 name=names[0]))
            for address in ("207.180.9.7", "62.171.1.6"):
                for sender in ("<n@sender.example>", "<a@sender.example>"):
                    self.assertFalse(send(milter, address, sender,
                                          name=names[1]))

    def test_who_is_known_is_so_while_the_dns_fails(self):
        name = "mx.mail.example"
        with self.milter(strangers()) as milter:
            become_known(milter, "198.51.100.7", name=name)
            for server in self.others(milter):
                self.assertTrue(send(server, "198.51.100.7",
                                     "<n@sender.example>", resolve="TEMP"))
                self.assertFalse(send(server, "198.51.100.8",
                                      "<n@sender.example>", resolve="TEMP"))

    def test_a_retry_counts_whatever_the_dns_says(self):
        orders = ((None, "TEMP"), ("TEMP", None))
        with self.milter(strangers()) as milter:
            others = self.others(milter)
            for number, (first, _) in enumerate(orders):
                self.assertFalse(send(milter, f"198.51.{number}.7",
                                      name="mx.mail.example", resolve=first))
            time.sleep(1.2)
            for number, (_, then) in enumerate(orders):
                self.assertTrue(send(others[-1], f"198.51.{number}.7",
                                     name="mx.mail.example", resolve=then))

    def test_volume_buys_no_standing(self):
        policy = ('rule "good" { reputation_above = 50  at = data  '
                  'verdict = accept }\n')
        with self.milter(policy) as milter:
            for _ in range(70):
                self.assertTrue(send(milter, "198.51.100.7"))
            self.assertLess(int(milter.decisions()[-1]["score"]), 10)


class Embedded(Trust, unittest.TestCase):
    def milter(self, policy):
        return farm.daemon("", policy)

    def others(self, milter):
        return [milter]


class Redis(Trust, unittest.TestCase):
    def setUp(self):
        if not shutil.which("redis-server"):
            self.skipTest("no redis-server here")
        self.redis = start_single()
        self.addCleanup(self.redis.stop)

    @contextlib.contextmanager
    def milter(self, policy):
        """One that has found its Redis."""
        self.policy = policy
        with farm.daemon(farm.redis(self.redis.where), policy) as milter:
            wait_for(lambda: self.has_found_redis(milter), "Redis is up")
            yield milter

    @staticmethod
    def has_found_redis(milter):
        send(milter, "192.0.2.250")
        return milter.decisions()[-1]["score"] != "unknown"

    def others(self, milter):
        """This server, and one that has never seen the client."""
        return [milter, self.enterContext(self.milter(self.policy))]


if __name__ == "__main__":
    cases.main()
