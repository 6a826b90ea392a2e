"""What a mail server is told, octet by octet, over the milter protocol.

No mail server and no root is needed: the test plays the mail server's part.
"""

import re
import time
import unittest

from lib import cases, milterclient
from lib.daemon import Daemon, wait_for
from lib.policies import GREYLISTED, defer_all, greylisting, response

ALICE, BOB, CAROL = "<alice@sender.example>", "<bob@local.test>", "<carol@local.test>"


def ask(milter, sender=ALICE, recipients=(BOB,), address="198.51.100.7",
        name="mail.sender.example"):
    """One message in a session of its own; its Outcome."""
    with milter.client() as client:
        client.begin(name=name, address=address)
        return client.message(sender, recipients)


def accepted(milter, **message):
    """Retry until it is accepted: early retries must not restart the delay."""
    return wait_for(lambda: ask(milter, **message).accepted, "it passes",
                    milter.log)


class Greylisting(unittest.TestCase):
    def test_a_stranger_is_deferred_at_data(self):
        with Daemon(greylisting()) as milter:
            outcome = ask(milter)
            self.assertEqual((outcome.stage, outcome.text), ("data", GREYLISTED))

    def test_it_passes_after_the_delay_however_often_it_tried(self):
        with Daemon(greylisting("2s")) as milter:
            self.assertFalse(ask(milter).accepted)
            self.assertTrue(accepted(milter))

    def test_it_stays_accepted(self):
        with Daemon(greylisting("1s")) as milter:
            accepted(milter)
            self.assertTrue(ask(milter).accepted)

    def test_another_host_of_its_network_may_retry(self):
        for first, second in (("198.51.100.7", "198.51.100.250"),
                              ("2001:db8:1:2::25", "2001:db8:1:2:ffff::1")):
            with self.subTest(first), Daemon(greylisting("1s")) as milter:
                accepted(milter, address=first)
                self.assertTrue(ask(milter, address=second).accepted)

    def test_each_of_these_is_another_stranger(self):
        with Daemon(greylisting("1s")) as milter:
            accepted(milter)
            for other in ({"address": "198.51.101.7",
                           "name": "mail.another.example"},
                          {"sender": "<eve@sender.example>"},
                          {"recipients": [CAROL]}):
                with self.subTest(other):
                    self.assertEqual(ask(milter, **other).text, GREYLISTED)

    def test_the_domain_is_compared_without_case(self):
        with Daemon(greylisting("1s")) as milter:
            accepted(milter)
            self.assertTrue(ask(milter, sender="<alice@SENDER.example>",
                                recipients=["<bob@Local.Test>"]).accepted)

    def test_thirty_strangers_in_one_message_get_one_verdict(self):
        many = [f"<user{number}@local.test>" for number in range(30)]
        with Daemon(greylisting()) as milter:
            outcome = ask(milter, recipients=many)
            self.assertEqual((outcome.stage, outcome.refused), ("data", {}))
            self.assertEqual(len(milter.decisions()), 1)

    def test_a_known_pair_carries_a_new_recipient_through(self):
        with Daemon(greylisting("1s")) as milter:
            accepted(milter)
            self.assertTrue(ask(milter, recipients=[CAROL, BOB]).accepted)
            self.assertTrue(ask(milter, recipients=[CAROL]).accepted)

    def test_a_second_message_of_the_session_is_judged_by_itself(self):
        with Daemon(greylisting()) as milter, milter.client() as client:
            client.begin()
            for recipient in (BOB, CAROL):
                outcome = client.message(ALICE, [recipient])
                self.assertEqual(outcome.text, GREYLISTED)
            self.assertEqual(len(milter.decisions()), 2)


class Exempt(unittest.TestCase):
    def test_own_networks_are_settled_at_data(self):
        for address in ("10.1.2.3", "fd00::25"):
            with self.subTest(address), Daemon(greylisting()) as milter:
                outcome = ask(milter, address=address)
                self.assertEqual((outcome.stage, outcome.reply.kind),
                                 ("data", "accept"))

    def test_authenticated_clients_pass(self):
        with Daemon(greylisting()) as milter, milter.client() as client:
            client.begin()
            client.macros(milterclient.MAIL, auth_type="PLAIN",
                          auth_authen="joe")
            self.assertEqual(client.message(ALICE, [BOB]).reply.kind, "accept")

    def test_a_login_of_an_earlier_message_does_not_count(self):
        with Daemon(greylisting()) as milter, milter.client() as client:
            client.begin()
            client.macros(milterclient.MAIL, auth_type="PLAIN")
            client.message(ALICE, [BOB])
            client.macros(milterclient.MAIL, mail_addr="alice@sender.example")
            self.assertEqual(client.message(ALICE, [BOB]).text, GREYLISTED)

    def test_mail_of_the_host_itself_has_no_address(self):
        own = 'rule "host" { client = {"127.0.0.1"}  verdict = accept }\n'
        with Daemon(own + greylisting()) as milter:
            self.assertTrue(ask(milter, address=None).accepted)


class Negotiation(unittest.TestCase):
    def setUp(self):
        marks = "reputation { spam = 0  ham = 0  accepted = 0 }\n"
        self.milter = Daemon(marks + greylisting()).start()
        self.addCleanup(self.milter.remove)
        self.addCleanup(self.milter.stop)
        self.client = self.milter.client()
        self.addCleanup(self.client.close)

    def test_steps_that_no_rule_reads_are_declined(self):
        steps = self.client.negotiate().steps
        for step in (milterclient.HEADER, milterclient.EOH, milterclient.BODY):
            self.assertTrue(steps & step.declined, step)

    def test_steps_that_cannot_answer_need_no_wait(self):
        steps = self.client.negotiate().steps
        for step in (milterclient.CONNECT, milterclient.HELO,
                     milterclient.MAIL, milterclient.RCPT):
            self.assertTrue(steps & (step.silent | step.declined), step)
        step = milterclient.DATA
        self.assertFalse(steps & (step.silent | step.declined), step)

    def test_it_asks_for_the_macros_itself(self):
        names = sum(self.client.negotiate().symbols.values(), [])
        for name in ("{auth_type}", "{client_resolve}", "{daemon_name}", "i"):
            self.assertIn(name, names)

    def test_it_does_without_the_newer_steps(self):
        """A mail server of protocol version 2 knows neither silence nor DATA."""
        old = milterclient.MilterClient(self.milter.where, steps=0x7F)
        with old:
            old.begin()
            self.assertIn(old.mail(ALICE).kind, ("continue", "accept"))


class Transaction(unittest.TestCase):
    """It lives until the mail server ends it, whatever libmilter makes of it.

    After our 451 libmilter drops the steps that it does not expect, but an
    unknown command makes it expect them again.
    """

    def milter(self, policy):
        milter = Daemon(policy).start()
        self.addCleanup(milter.remove)
        self.addCleanup(milter.stop)
        return milter

    def begin(self, milter, sender=ALICE, recipients=(BOB,)):
        client = milter.client()
        self.addCleanup(client.close)
        client.begin("mail.sender.example", "198.51.100.7")
        client.mail(sender)
        for recipient in recipients:
            client.rcpt(recipient)
        return client

    def test_a_deferral_is_given_again_and_logged_once(self):
        milter = self.milter(
            defer_all("451 4.7.1 No, %{reference}", "at = data"))
        client = self.begin(milter)
        first = client.data()
        self.assertTrue(first.refuses)
        client.unknown("HELP")
        client.rcpt(CAROL)
        self.assertEqual(client.data(), first)
        client.unknown("HELP")
        self.assertEqual(client.data(), first)
        self.assertEqual(len(milter.decisions()), 1)

    def test_a_new_recipient_of_a_settled_message_puts_it_off(self):
        """Another filter may have deferred it at DATA after us."""
        milter = self.milter(greylisting("1s"))
        accepted(milter)
        client = self.begin(milter)
        self.assertFalse(client.data().refuses)
        client.unknown("HELP")
        client.rcpt(CAROL)
        self.assertTrue(client.data().refuses)

    def test_a_message_that_libmilter_broke_off_is_put_off(self):
        milter = self.milter(greylisting("1s"))
        accepted(milter)
        client = self.begin(milter)
        self.assertFalse(client.data().refuses)
        client.rcpt(CAROL)  # libmilter takes it for an abort, and drops it
        client.unknown("HELP")
        self.assertTrue(client.data().refuses)


class Facts(unittest.TestCase):
    """What is known, and when."""

    def test_the_connection_is_as_old_as_its_negotiation(self):
        """Postfix tells of quiet steps only with the next one that answers."""
        policy = defer_all("421 4.4.2 Timeout", "connected_longer = 1s")
        with Daemon(policy) as milter, milter.client() as client:
            client.negotiate()
            time.sleep(2.1)  # clocks count whole seconds
            client.connect()
            client.helo()
            self.assertTrue(client.mail(ALICE).refuses)

    def test_a_declared_size_is_judged_at_once(self):
        policy = defer_all("452 4.3.1 Too large", "size_above = 1k")
        with Daemon(policy) as milter, milter.client() as client:
            client.begin()
            self.assertTrue(client.mail(ALICE, "SIZE=5000").refuses)
            self.assertFalse(client.mail(ALICE, "SIZE=500").refuses)
            self.assertFalse(client.rcpt(BOB).refuses)
            self.assertFalse(client.data().refuses)
            client.header("Subject", "x" * 2000)
            client.eoh()
            self.assertTrue(client.eom().refuses)

    def test_a_decision_at_mail_has_the_queue_id(self):
        """Sendmail has one from the beginning; Postfix has none yet."""
        with Daemon(defer_all("451 4.7.1 No")) as milter, \
                milter.client() as client:
            client.begin()
            for queue_id in ("4F2A91C0", "4F2A91C1"):
                client.macros(milterclient.MAIL, i=queue_id)
                client.mail(ALICE)
            self.assertEqual([each["id"] for each in milter.decisions()],
                             ["4F2A91C0", "4F2A91C1"])

    def test_a_header_field_is_looked_at_whole(self):
        policy = defer_all("451 4.3.0 No", 'header = "X-Results: *fail*"')
        with Daemon(policy) as milter:
            for before in (0, 1000, 65000):  # libmilter takes no more
                with self.subTest(before), milter.client() as client:
                    client.begin()
                    value = "pass " * (before // 5) + "fail"
                    outcome = client.message(
                        ALICE, [BOB], [("X-Results", value)])
                    self.assertTrue(outcome.reply.refuses)

    def test_many_long_headers_leave_the_last_ones(self):
        policy = defer_all("451 4.3.0 No", 'header = "X-Results: *fail*"')
        long = [("X-Results", "pass" * 15000)] * 50
        with Daemon(policy) as milter, milter.client() as client:
            client.begin()
            outcome = client.message(ALICE, [BOB],
                                     [*long, ("X-Results", "fail")])
            self.assertTrue(outcome.reply.refuses)

    def test_attempts_to_relay_are_refused_recipients(self):
        """Postfix puts them off; other troubles are its own."""
        policy = defer_all("451 4.7.1 No", "refused_recipients_above = 2",
                           "at = data")
        for why, refused in (("Relay access denied", True),
                             ("Server configuration problem", False)):
            with self.subTest(why), Daemon(policy) as milter, \
                    milter.client() as client:
                client.begin()
                client.mail(ALICE)
                for _ in range(3):
                    client.refused_rcpt("<x@elsewhere.example>", why, "4.7.1")
                client.macros(milterclient.RCPT, rcpt_mailer="local",
                              rcpt_host="", rcpt_addr="bob@local.test")
                client.rcpt(BOB)
                self.assertEqual(client.data().refuses, refused)


class Replies(unittest.TestCase):
    def test_a_percent_sign_is_doubled(self):
        """Sendmail would make a permanent failure of a single one."""
        with Daemon(defer_all("451 4.7.1 100% sure, %s")) as milter:
            self.assertEqual(ask(milter).text, "451 4.7.1 100%% sure, %%s")

    def test_what_a_client_sent_cannot_break_a_reply(self):
        policy = defer_all("451 4.7.1 Not from <%{sender}> to <%{recipient}> "
                           "by %{helo}", 'recipient = {"*"}')
        with Daemon(policy) as milter, milter.client() as client:
            client.begin(helo="%n%s" * 100)
            outcome = client.message(b'<"a b\x07\xe9"@%s.example>', [BOB])
            text = (outcome.text or list(outcome.refused.values())[0].text)
            self.assertLessEqual(len(text.replace("%%", "%")), 510)
            self.assertTrue(text.isascii() and text.isprintable(), text)
            self.assertNotIn("%", text.replace("%%", ""))
            self.assertEqual(len(milter.decisions()), 1)

    def test_several_lines_make_a_multi_line_reply(self):
        lines = ["451 4.7.1 Not now.", "451 4.7.1 Later."]
        policy = response("no", *lines) + \
            'rule "all" { verdict = defer  response = "no"  at = data }\n'
        with Daemon(policy) as milter:
            self.assertEqual(ask(milter).text,
                             "451-4.7.1 Not now.\n451 4.7.1 Later.")

    def test_the_reference_in_the_reply_is_the_one_in_the_log(self):
        policy = defer_all("451 4.7.1 Later, see %{reference}")
        with Daemon(policy) as milter:
            reference = ask(milter).text.split()[-1]
            self.assertEqual(milter.decisions()[0]["reference"], reference)

    def test_a_recipient_is_deferred_alone(self):
        policy = defer_all("451 4.7.1 Not <%{recipient}>",
                           'recipient = {"bob@*"}')
        with Daemon(policy) as milter:
            outcome = ask(milter, recipients=[BOB, CAROL])
            self.assertTrue(outcome.accepted)
            self.assertEqual(outcome.refused[BOB].text,
                             "451 4.7.1 Not <bob@local.test>")


class TheLog(unittest.TestCase):
    def test_a_decision_is_one_line_of_stable_fields(self):
        with Daemon(greylisting("1h")) as milter:
            ask(milter)
            (decision,) = milter.decisions()
            self.assertEqual(
                {key: decision.get(key) for key in (
                    "verdict", "rule", "response", "client", "stage")},
                {"verdict": "defer", "rule": "strangers",
                 "response": "greylisted", "client": "198.51.100.7",
                 "stage": "data"})
            self.assertTrue(3595 <= int(decision["wait"]) <= 3600)
            self.assertTrue(decision["reference"])

    def test_each_step_and_each_rule_can_be_followed(self):
        milter = Daemon(greylisting("1h"))
        milter.options.append("-d")
        with milter:
            ask(milter)
            lines = [line for line in milter.log() if "debug: session=" in line]
            steps = [re.search("step=([a-z]+) text=([^ ]*)", line).groups()
                     for line in lines if " step=" in line]
            self.assertEqual([step for step, _ in steps[:5]],
                             ["connect", "helo", "mail", "rcpt", "data"])
            self.assertTrue([line for line in lines
                             if f' reply="{GREYLISTED}"' in line])
            self.assertEqual(steps[3][1], BOB)
            self.assertEqual(
                [re.search('rule=("[a-z ]*" answer=.*)', line)[1]
                 for line in lines if " answer=" in line],
                ['"own networks" answer=no by=client',
                 '"authenticated" answer=no by=authenticated',
                 '"strangers" answer=yes'])
            self.assertRegex([line for line in lines if " settled=" in line][0],
                             'settled=defer rule="strangers"$')

    def test_nothing_of_that_unless_it_is_wanted(self):
        with Daemon(greylisting("1h")) as milter:
            ask(milter)
            self.assertNotIn("debug", "".join(milter.log()))

    def test_a_client_cannot_forge_a_line_or_a_field(self):
        forged = b'<a"\nverdict=accept rule=x@sender.example>'
        with Daemon(greylisting()) as milter:
            ask(milter, sender=forged)
            (decision,) = milter.decisions()
            self.assertEqual(decision["verdict"], "defer")


if __name__ == "__main__":
    cases.main()
