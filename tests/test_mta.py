"""End to end: real SMTP clients, real Postfix, real Sendmail.

Each test runs with both.  They need root.  Where it may, the program starts
itself anew in a private network (lib/netns.py), in which a client can have any
address and name; elsewhere the mail servers are made to believe it.
"""

import contextlib
import itertools
import os
import re
import shutil
import time
import unittest

from lib import cases, mta, netns, redis_servers
from lib.daemon import Daemon, wait_for
from lib.policies import (BUSY, GREYLISTED, POOR, defer_all, greylisting,
                          response)

CLIENT = "198.51.100.7"
ALICE, BOB, CAROL = "alice@sender.example", "bob@local.test", "carol@local.test"
NAMES = {
    "198.51.100.7": "mail.sender.example",
    "203.0.113.7": "out7.sender.example",
    "192.0.2.66": "dyn-192-0-2-66.dsl.provider.example",
    "2001:db8::25": "mx6.sender.example",
}


def need_root():
    if os.geteuid() != 0:
        raise unittest.SkipTest("mail servers need root")


def store(*servers):
    """The configuration's line for these Redis servers."""
    wanted = ", ".join(f'"{server.where}"' for server in servers)
    secret = os.path.join(servers[0].directory, "secret")
    with open(secret, "w") as file:
        os.chmod(secret, 0o600)
        file.write("one secret for all milters of the farm\n")
    os.chmod(secret, 0o600)
    return (f'secret_file = "{secret}"\n'
            f"redis {{ servers = {{{wanted}}}  deadline = 5s }}\n")


def tcp_socket():
    return f"inet:{mta.free_port()}@127.0.0.1"


def deliver(server, sender=ALICE, recipients=(BOB,), client=CLIENT, **more):
    """One message in a session of its own; the reply that decided it."""
    with server.session(client, NAMES.get(client)) as session:
        session.ehlo()
        return session.deliver(sender, recipients, **more)


_strangers = itertools.count()


def reach_store(server):
    """A milter-defer that has just begun may not have reached its Redis yet."""
    def is_greylisted():
        letter = "bcdfghjkmn"[next(_strangers) % 10] * 3
        return deliver(server, f"{letter}@{letter}.example",
                       client="203.0.113.99") == GREYLISTED
    wait_for(is_greylisted, "Redis is reached")


class MtaTest(unittest.TestCase):
    """One mail server per class; each test attaches a milter-defer to it."""

    kind = None  # mta.Postfix or mta.Sendmail

    @classmethod
    def setUpClass(cls):
        need_root()
        cls.where = tcp_socket()
        cls.server = cls.kind(cls.where)
        cls.addClassCleanup(cls.server.stop)
        cls.server.start()

    def milter(self, policy, **options):
        return Daemon(policy, where=self.where, **options)

    def session(self, client=CLIENT, helo="client.example"):
        session = self.server.session(client, NAMES.get(client))
        self.addCleanup(session.close)
        session.ehlo(helo)
        return session

    def deliver(self, **message):
        return deliver(self.server, **message)

    def accepted(self, **message):
        """Retry until it is accepted."""
        return wait_for(lambda: self.deliver(**message).ok, "it is accepted",
                        self.server.log)


class Job:
    """The main job: 451 now, 250 later."""

    def test_a_stranger_is_greylisted_and_later_passes(self):
        with self.milter(greylisting("2s")):
            self.assertEqual(self.deliver(), GREYLISTED)
            self.assertTrue(self.accepted())
            self.assertTrue(self.deliver().ok)

    def test_own_networks_pass_at_once(self):
        with self.milter(greylisting()):
            self.assertTrue(self.deliver(client="10.1.2.3").ok)

    def test_over_ipv6_too(self):
        if not mta.ipv6_works():
            self.skipTest("no IPv6 here")
        with self.milter(greylisting()):
            self.assertEqual(self.deliver(client="2001:db8::25"), GREYLISTED)

    def test_a_pipelined_envelope_is_deferred_as_a_whole(self):
        with self.milter(greylisting()), self.session() as session:
            replies = session.pipeline(
                f"MAIL FROM:<{ALICE}>", f"RCPT TO:<{BOB}>",
                f"RCPT TO:<{CAROL}>", "DATA")
            self.assertEqual([reply.code for reply in replies],
                             [250, 250, 250, 451])
            self.assertEqual(replies[-1], GREYLISTED)

    def test_thirty_recipients_get_one_verdict(self):
        many = [f"user{number}@local.test" for number in range(30)]
        with self.milter(greylisting()) as milter:
            self.assertEqual(self.deliver(recipients=many), GREYLISTED)
            self.assertEqual(len(milter.decisions()), 1)
        self.assertEqual(self.server.grep("too many errors"), [])

    def test_an_address_check_of_the_null_sender_is_not_deferred(self):
        """Callout verification stops after RCPT; the bounce goes on."""
        with self.milter(greylisting("2s")):
            with self.session() as session:
                self.assertEqual(session.mail("").code, 250)
                self.assertEqual(session.rcpt(BOB).code, 250)
            self.assertEqual(self.deliver(sender=""), GREYLISTED)
            self.assertTrue(self.accepted(sender=""))

    def test_refused_recipients_stay_refused(self):
        with self.milter(greylisting()), self.session() as session:
            session.mail(ALICE)
            reply = session.rcpt("unknown@local.test")
            self.assertEqual(reply.code, 550)

    def test_the_mail_server_needs_a_milter_that_answers(self):
        """Or else what these tests see would prove nothing."""
        self.assertEqual(self.deliver().code, 451)
        self.assertNotEqual(self.deliver(), GREYLISTED)


class Shared:
    """Several milters, one Redis."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not shutil.which("redis-server"):
            raise unittest.SkipTest("no redis-server here")
        cls.redis = redis_servers.start_single()
        cls.addClassCleanup(cls.redis.stop)

    def setUp(self):
        self.redis.ask("FLUSHALL")

    def test_a_retry_is_accepted_by_another_milter(self):
        policy = store(self.redis) + greylisting("2s")
        with self.milter(policy):
            reach_store(self.server)
            self.assertEqual(self.deliver(), GREYLISTED)
        time.sleep(3)
        with self.milter(policy):
            reach_store(self.server)
            self.assertTrue(self.deliver().ok)

    def test_what_is_written_always_has_an_end(self):
        with self.milter(store(self.redis) + greylisting("1s")):
            self.accepted()
            for key in self.redis.ask("KEYS", "mdefer:1:{*"):
                self.assertGreater(self.redis.ask("TTL", key), 0, key)


class Texts:
    """Each text of the table, to the letter, named by its row."""

    def letter(self, text):
        """Sendmail gives a reply without an enhanced code a neutral one."""
        if self.kind is mta.Sendmail:
            return re.sub(r"^(4\d\d) (?!\d\.)", r"\1 4.0.0 ", text)
        return text

    def assert_says(self, text, policy, **message):
        with self.milter(policy):
            self.assertEqual(self.deliver(**message), self.letter(text))

    def test_row_1_internal_resource(self):
        closed = f'redis {{ servers = {{"127.0.0.1:{mta.free_port()}"}} }}\n'
        policy = ('link = "https://mail.example/451"\n' + closed + defer_all(
            "451 Internal resource temporarily unavailable - %{link}",
            "store_down = true"))
        with self.milter(policy) as milter:
            milter.expect("(?i)redis")
            self.assertEqual(self.deliver(), self.letter(
                "451 Internal resource temporarily unavailable - "
                "https://mail.example/451"))

    def test_row_2_try_again(self):
        text = "451 Try again later."
        self.assert_says(text, defer_all(text))

    def test_row_3_greylisted(self):
        self.assert_says(GREYLISTED, greylisting())

    def test_row_4_policy(self):
        text = ("451 4.7.1 <{}>: Recipient address rejected: Intentional policy "
                "rejection, please try again later.")
        policy = defer_all(text.format("%{recipient}"),
                           'recipient = {"bob@*"}')
        self.assert_says(text.format(BOB), policy)

    def test_row_5_local_problem(self):
        text = "451 Temporary local problem - please try later."
        self.assert_says(text, defer_all(text))

    def test_row_6_blocklisted(self):
        policy = defer_all("451 4.2.0 [%{client_addr}] blocked AUP#CDRBL.",
                           'client_list = "@DIR@/blocklist"')
        milter = self.milter(policy)
        with open(os.path.join(milter.directory, "blocklist"), "w") as file:
            file.write("198.51.100.0/24\n")
        with milter:
            self.assertEqual(self.deliver(),
                             f"451 4.2.0 [{CLIENT}] blocked AUP#CDRBL.")
            self.assertTrue(self.deliver(client="203.0.113.7").ok)

    def test_row_7_ip_reputation(self):
        policy = ('reputation { reports_file = "@DIR@/reports" }\n'
                  + response("poor", POOR)
                  + 'rule "poor" { reputation_below = -30  verdict = greylist  '
                  'by = client  delay = 30m  response = "poor" }\n')
        milter = self.milter(policy)
        with open(os.path.join(milter.directory, "reports"), "w") as file:
            file.write(f"{CLIENT} -100\n")
        with milter:
            wait_for(lambda: not self.deliver().ok, "the report is taken in")
            self.assertEqual(self.deliver(), POOR)
            self.assertEqual(self.deliver(sender="eve@other.example"), POOR)
            self.assertTrue(self.deliver(client="203.0.113.7").ok)

    def test_row_8_server_busy(self):
        policy = ('load { figure_file = "@DIR@/load" }\n'
                  + defer_all(BUSY.format("%{client_addr}"),
                              "load_above = 0.80"))
        milter = self.milter(policy)
        with open(os.path.join(milter.directory, "load"), "w") as file:
            file.write("0.9\n")
        with milter:
            milter.wait_log("load .*above")
            self.assertEqual(self.deliver(), BUSY.format(CLIENT))

    def test_row_9_rejected_message(self):
        text = "451 4.3.0 Mail server temporarily rejected message."
        policy = defer_all(text, 'header = {"X-Spam-Flag: YES*"}')
        with self.milter(policy):
            self.assertTrue(self.deliver().ok)
            self.assertEqual(
                self.deliver(text="X-Spam-Flag: YES\n\nHello.\n"), text)

    def test_row_10_one_domain(self):
        text = ("451 4.3.0 Multiple destination domains per transaction is "
                "unsupported. Please try again.")
        policy = defer_all(text, "domains_in_message_above = 1", "at = rcpt")
        with self.milter(policy), self.session() as session:
            session.mail(ALICE)
            self.assertTrue(session.rcpt(BOB).ok)
            self.assertEqual(session.rcpt("dave@other.test"), text)
            self.assertTrue(session.rcpt(CAROL).ok)
            self.assertEqual(session.data().code, 354)

    def test_row_11_timeout(self):
        text = "421 4.4.2 Timeout - closing connection."
        policy = defer_all(text, "connected_longer = 4s")
        with self.milter(policy), self.session() as session:
            self.assertTrue(session.mail(ALICE).ok)
            session.rset()
            time.sleep(5.5)  # clocks count whole seconds
            self.assertEqual(session.mail(ALICE), text)
            with self.assertRaises((EOFError, ConnectionError)):
                session.rset()

    def test_row_12_protocol(self):
        text = "451 4.5.0 SMTP protocol violation, visit RFC 2821."
        policy = defer_all(text, "unknown_commands_above = 2")
        with self.milter(policy):
            for commands, answer in ((2, None), (3, text)):
                with self.session() as session:
                    for _ in range(commands):
                        session.ask("XFOO bar")
                    reply = session.mail(ALICE)
                self.assertEqual(reply, answer or reply)
                self.assertEqual(reply.ok, answer is None)

    def test_row_13_rate_limited(self):
        text = ("451 4.7.650 The mail server [{}] has been temporarily rate "
                "limited due to IP reputation.")
        policy = defer_all(text.format("%{client_addr}"), "messages_above = 2",
                           "within = 1h")
        with self.milter(policy):
            self.assertEqual([self.deliver().code for _ in range(2)],
                             [250, 250])
            self.assertEqual(self.deliver(), text.format(CLIENT))


class Danger:
    """What has gone wrong elsewhere."""

    def test_a_percent_sign_arrives_single(self):
        text = "451 4.7.1 100% sure: %n %s"
        with self.milter(defer_all(text)):
            self.assertEqual(self.deliver(), text)

    def test_a_reply_stays_well_formed_whatever_the_client_says(self):
        policy = defer_all("451 4.7.1 <%{sender}> <%{recipient}> %{helo}",
                           'recipient = {"*"}')
        helo = "%n%s" * 100
        with self.milter(policy) as milter:
            with self.session(helo=helo) as session:
                session.mail('"a b%n"@sender.example')
                reply = session.rcpt(BOB)
                self.assertEqual(reply.code, 451, reply)
                self.assertTrue(reply.startswith("451 4.7.1 <"), reply)
            self.assertEqual(len(milter.decisions()), 1)

    def test_a_deferral_does_not_colour_the_next_message(self):
        policy = defer_all("451 4.7.1 Not him.", 'sender = {"eve@*"}')
        with self.milter(policy), self.session() as session:
            self.assertEqual(session.deliver("eve@x.example", [BOB]),
                             "451 4.7.1 Not him.")
            self.assertTrue(session.deliver(ALICE, [BOB]).ok)

    def test_the_milter_may_restart_between_sessions(self):
        for _ in range(3):
            with self.milter(greylisting()):
                self.assertEqual(self.deliver(), GREYLISTED)


class TwoMailServers(unittest.TestCase):
    """One Redis makes one filter of the milters of different mail servers."""

    def test_first_seen_by_postfix_and_accepted_by_sendmail(self):
        need_root()
        with contextlib.ExitStack() as stack:
            start = stack.enter_context
            policy = store(start(redis_servers.start_single()))
            policy += 'identity = network\n' + greylisting("2s")
            first = start(Daemon(policy, tcp_socket()))
            other = start(Daemon(policy, tcp_socket()))
            postfix = start(mta.Postfix(first.where))
            sendmail = start(mta.Sendmail(other.where))
            for server in (postfix, sendmail):
                reach_store(server)
            self.assertEqual(deliver(postfix), GREYLISTED)
            time.sleep(3)
            self.assertTrue(deliver(sendmail).ok)
            self.assertTrue(deliver(postfix).ok)


def on_both(part):
    """The tests of `part` with Postfix, and again with Sendmail."""
    for kind in (mta.Postfix, mta.Sendmail):
        name = f"{part.__name__}On{kind.__name__}"
        globals()[name] = type(name, (part, MtaTest), {"kind": kind})


for each in (Job, Shared, Texts, Danger):
    on_both(each)


def main():
    if os.geteuid() == 0:
        mta.unpack()  # inside there is no way out to fetch it
        netns.enter()
    if netns.inside():
        names = netns.set_up()
        for address, name in NAMES.items():
            names.host(address, name)
    cases.main()


if __name__ == "__main__":
    main()
