"""What the policy language promises, seen from outside: lists that change,
rules on trial, references and waits in replies, and hostile clients."""

import os
import re
import shutil
import time
import unittest

from lib import farm, mta
from lib.daemon import Daemon, reference, wait_for
from lib.mta_case import ALICE, BOB, CAROL, CLIENT, main, on_both
from lib.pace import pace
from lib.policies import GREYLISTED, defer_all, greylisting, response
from lib.redis_servers import start_single
from lib.table import Table

BLOCKED = "451 4.2.0 [{}] blocked AUP#CDRBL."
LISTED = defer_all(BLOCKED.format("%{client_addr}"), 'listed = "blocked"')
LIST, LISTS = "mdefer:1:list:blocked", "mdefer:1:lists"
SEEN = 2.0  # seconds in which a change has to be seen
SLACK = 1.0  # for a busy machine
NAMES = {"198.51.100.7": "mail.sender.example"}

CHANGES = Table("Lists: from a change until decisions go by it", "change",
                "seconds")


def tearDownModule():
    CHANGES.print()


def mail(milter, address=CLIENT, sender=ALICE, name="client.example"):
    """The text of a deferral at MAIL, or "" for none."""
    with milter.client() as client:
        client.begin(name=name, address=address)
        return client.mail(f"<{sender}>").text


class ListTest(unittest.TestCase):
    def assert_seen(self, what, ready):
        began = time.monotonic()
        wait_for(ready, f"{what} is seen")
        elapsed = time.monotonic() - began
        CHANGES.add(what, elapsed)
        self.assertLess(elapsed, (SEEN + SLACK) * pace() + 10 * reference())


class SharedLists(ListTest):
    def setUp(self):
        if not shutil.which("redis-server"):
            self.skipTest("no redis-server here")
        self.redis = start_single()
        self.addCleanup(self.redis.stop)

    def milter(self):
        return farm.daemon(farm.redis(self.redis.where), LISTED)

    def test_what_is_added_and_removed_is_seen(self):
        with self.milter() as milter, self.milter() as other:
            self.assertEqual(mail(milter), "")
            self.redis.ask("SADD", LIST, "198.51.100.0/24")
            self.assert_seen("a network more", lambda: mail(milter) and
                             mail(other))
            self.assertEqual(mail(milter), BLOCKED.format(CLIENT))
            self.assertEqual(mail(milter, "203.0.113.7"), "")
            self.redis.ask("SREM", LIST, "198.51.100.0/24")
            self.assert_seen("a network less", lambda: not mail(milter) and
                             not mail(other))

    def test_addresses_and_domains_may_be_listed_too(self):
        with self.milter() as milter:
            self.redis.ask("SADD", LIST, "eve@sender.example", "spam.example")
            self.assert_seen("two entries more", lambda: mail(
                milter, sender="eve@sender.example"))
            self.assertEqual(mail(milter, sender="alice@sender.example"), "")
            self.assertNotEqual(mail(milter, sender="x@mx.spam.example"), "")
            self.assertNotEqual(mail(milter, name="host.spam.example"), "")
            self.assertEqual(mail(milter, sender="x@notspam.example"), "")

    def test_an_exchange_is_seen_by_its_version(self):
        self.redis.ask("SADD", LIST, "198.51.100.7", "2001:db8::/32")
        with self.milter() as milter:
            self.assert_seen("a list that was there", lambda: mail(milter))
            self.redis.ask("SREM", LIST, "198.51.100.7")
            self.redis.ask("SADD", LIST, "203.0.113.7")
            self.redis.ask("HINCRBY", LISTS, "blocked", 1)
            self.assert_seen("an entry for another", lambda: not mail(milter))
            self.assertNotEqual(mail(milter, "203.0.113.7"), "")
            self.assertNotEqual(mail(milter, "2001:db8:1::1"), "")

    def test_the_last_one_serves_while_redis_is_away(self):
        self.redis.ask("SADD", LIST, "198.51.100.0/24")
        with self.milter() as milter:
            self.assert_seen("a list that was there", lambda: mail(milter))
            milter.expect(farm.FAULT)
            self.redis.kill()
            until = time.monotonic() + 3
            while time.monotonic() < until:
                self.assertEqual(mail(milter), BLOCKED.format(CLIENT))
                self.assertEqual(mail(milter, "203.0.113.7"), "")
            self.redis.start()  # as it was, but empty
            wait_for(lambda: not mail(milter), "it is read again", milter.log)

    def test_a_decision_costs_no_trip(self):
        with self.milter() as milter:
            self.redis.ask("SADD", LIST, "198.51.100.0/24")
            self.assert_seen("a network more", lambda: mail(milter))
            self.redis.ask("CONFIG", "RESETSTAT")
            for _ in range(20):
                self.assertNotEqual(mail(milter), "")
                self.assertEqual(mail(milter, "203.0.113.7"), "")
            asked = self.redis.ask("INFO", "commandstats")
            self.assertNotIn("cmdstat_hmget", asked)

    def test_what_is_no_entry_is_named_once(self):
        self.redis.ask("SADD", LIST, "no entry at all!", "198.51.100.0/24",
                       b"\x00\xff\r\nverdict=x")
        with self.milter() as milter:
            milter.expect("no network, address or domain")
            self.assert_seen("a list that was there", lambda: mail(milter))
            time.sleep(2)
            lines = [line for line in milter.log()
                     if "no network, address or domain" in line]
            self.assertEqual(len(lines), 1, lines)

    def test_a_list_that_is_none_blocks_nobody(self):
        self.redis.ask("SET", LIST, "a string")
        with self.milter() as milter:
            milter.expect("shared list \\S+ cannot be read")
            time.sleep(2.5)
            self.assertEqual(mail(milter), "")
            self.assertEqual(farm.said_of_redis(milter), [])


class ListFiles(ListTest):
    def setUp(self):
        self.milter = Daemon(defer_all(BLOCKED.format("%{client_addr}"),
                                       'client_list = "@DIR@/blocked"'))
        self.addCleanup(self.milter.remove)
        self.addCleanup(self.milter.kill)

    def write(self, *lines):
        path = os.path.join(self.milter.directory, "blocked")
        with open(path + ".new", "w") as file:
            file.writelines(line + "\n" for line in lines)
        os.rename(path + ".new", path)

    def test_a_change_is_seen_without_a_reload(self):
        self.write("# nobody yet")
        with self.milter:
            self.assertEqual(mail(self.milter), "")
            self.write("198.51.100.0/24", "", "2001:db8::/32 # and these")
            self.assert_seen("a file with two networks",
                             lambda: mail(self.milter))
            self.assertNotEqual(mail(self.milter, "2001:db8::25"), "")
            self.write("203.0.113.7")
            self.assert_seen("a file with another", lambda: not
                             mail(self.milter))
            self.assertNotEqual(mail(self.milter, "203.0.113.7"), "")

    def test_a_bad_line_is_named_and_skipped(self):
        self.write("203.0.113.7")
        with self.milter:
            self.milter.expect("line 2|:2:")
            self.write("198.51.100.0/24", "not a network!", "192.0.2.1")
            self.assert_seen("a file with a bad line",
                             lambda: mail(self.milter))
            self.assertNotEqual(mail(self.milter, "192.0.2.1"), "")
            self.milter.wait_log("line 2|:2:")

    def test_the_last_one_serves_when_the_file_has_gone(self):
        self.write("198.51.100.0/24")
        with self.milter:
            wait_for(lambda: mail(self.milter), "it is read")
            self.milter.expect("blocked.*last one serves on")
            os.unlink(os.path.join(self.milter.directory, "blocked"))
            self.milter.wait_log("last one serves on")
            time.sleep(1.5)
            self.assertNotEqual(mail(self.milter), "")
            lines = [line for line in self.milter.log() if "serves on" in line]
            self.assertEqual(len(lines), 1, lines)


class Observed:
    """On trial: real mail servers and clients notice nothing."""

    POLICY = greylisting("1h") + 'rule "limit" { messages_above = 1  within = ' \
        '1h  verdict = defer }\nrule "names" { recipient = "bob@*"  verdict = ' \
        'defer }\nrule "spam" { header = "X-Spam-Flag: YES*"  verdict = defer }\n'

    def test_nothing_is_deferred_and_all_is_logged(self):
        with self.milter("observe = true\n" + self.POLICY) as milter:
            milter.expect("observe is set")
            for number in range(3):
                reply = self.deliver(text="X-Spam-Flag: YES\n\nHello.\n")
                self.assertTrue(reply.ok, reply)
                seen = [line for line in milter.decisions()
                        if line["verdict"] == "observe"]
                self.assertEqual(len(seen), number + 1)
            self.assertEqual({line["would"] for line in seen}, {"defer"})
            self.assertEqual([line["verdict"] for line in milter.decisions()
                              if line["verdict"] == "defer"], [])

    def test_the_real_rules_begin_at_the_beginning(self):
        with self.milter("observe = true\n" + self.POLICY) as milter:
            milter.expect("observe is set")
            for _ in range(2):
                self.assertTrue(self.deliver(recipients=[CAROL]).ok)
            time.sleep(2)
            milter.reload(greylisting("1h"), "reloaded")
            reply = self.deliver(recipients=[CAROL])
            self.assertEqual(reply, GREYLISTED)
            self.assertGreaterEqual(int(milter.decisions()[-1]["wait"]), 3599)


class References:
    """A postmaster finds the line in the log by what the client was told."""

    POLICY = ('link = "https://mx.example/deferred?%{reference}"\n'
              + response("no", "451 4.7.1 Later (%{reference}), see %{link}")
              + 'rule "all" { verdict = defer  response = "no"  at = data }\n')

    def test_the_same_in_reply_link_and_log(self):
        with self.milter(self.POLICY) as milter:
            told = []
            for _ in range(10):
                words = re.fullmatch(
                    r"451 4\.7\.1 Later \((\w+)\), see "
                    r"https://mx\.example/deferred\?(\w+)", self.deliver())
                self.assertEqual(words[1], words[2])
                told.append(words[1])
            self.assertEqual([line["reference"]
                              for line in milter.decisions()], told)
        self.assertEqual(len(set(told)), 10)
        self.assertTrue(all(len(reference) >= 8 for reference in told), told)


class Waits:
    """Who is known to be bad is not told how long to wait."""

    POLICY = ('reputation { reports_file = "@DIR@/reports" }\n'
              + response("wait", "451 4.7.1 Come back in %{wait}.")
              + 'rule "all" { verdict = greylist  delay = 10m  at = data  '
              'response = "wait" }\n')

    def test_hidden_from_poor_clients(self):
        milter = self.milter(self.POLICY)
        path = farm.put(milter, "reports", "203.0.113.7 -1000")
        with milter:
            wait_for(lambda: not os.path.exists(path), "it is taken in")
            self.assertEqual(self.deliver(),
                             "451 4.7.1 Come back in 10 minutes.")
            self.assertEqual(self.deliver(client="203.0.113.7"),
                             "451 4.7.1 Come back in some time.")


class Hostile:
    """Replies stay well-formed: lib/smtp.py looks at every octet of them."""

    POLICY = defer_all("451 4.7.1 <%{sender}> <%{recipient}> %{helo} "
                       "[%{client_addr}] %{client_name}", 'recipient = {"*"}')
    SENDERS = (b'"a b%n"@sender.example', b'"a\\"b\\\\c"@sender.example',
               b"a%b@sender.example", b"%s%n%d@%s.example",
               b'"<>"@sender.example', b'"@"@sender.example',
               b"b\xf6se@sender.example", "böse@sender.example".encode(),
               b"\xff\xfe@sender.example", b"a@" + b"%s." * 60 + b"example",
               b"x" * 64 + b"@" + b"y" * 63 + b"." + b"z" * 63 + b".example",
               b"x" * 400 + b"@sender.example",
               b"@relay.example,@b.example:alice@sender.example",
               b"SRS0=%n=TT=sender.example=a@sender.example")
    HELO = "%n%s" * 100

    def envelope(self, sender, recipient=BOB.encode(), helo="client.example"):
        """(replies, decisions that this made)"""
        with self.milter(self.POLICY) as milter:
            with self.server.session(CLIENT) as session:
                replies = [session.ehlo(helo),
                           session.ask(b"MAIL FROM:<" + sender + b">")]
                if replies[-1].ok:
                    replies.append(session.ask(b"RCPT TO:<" + recipient + b">"))
            return replies, milter.decisions()

    def assert_one_line(self, replies, decisions):
        """Of what got as far as the filter; the mail server may object first."""
        ours = replies[-1].startswith("451 4.7.1 <")
        self.assertFalse(replies[-1].ok, replies)
        self.assertEqual(len(decisions), 1 if ours else 0, replies)
        self.assertTrue(replies[-1].isascii(), replies)
        return ours

    def test_a_helo_of_400_characters(self):
        replies, decisions = self.envelope(ALICE.encode(), helo=self.HELO)
        if not replies[0].ok:  # Sendmail takes no name of that length
            self.assertGreaterEqual(replies[0].code, 500)
        if self.assert_one_line(replies, decisions):
            self.assertLessEqual(len(replies[-1]), 510)

    def test_senders(self):
        ours = 0
        for sender in self.SENDERS:
            with self.subTest(sender):
                ours += self.assert_one_line(*self.envelope(sender))
        self.assertGreater(ours, 4)

    def test_recipients(self):
        for recipient in (b'"bob b%s"@local.test', b"bob%n@local.test",
                          b'"b\\"ob"@local.test', b"b\xf6b@local.test",
                          b"bob+%s%n@local.test", b"<bob>@local.test"):
            with self.subTest(recipient):
                self.assert_one_line(*self.envelope(ALICE.encode(), recipient))

    def test_a_header_of_60_kilobytes(self):
        policy = defer_all("451 4.7.1 Not this.", 'header = {"X-Big: *needle*"}')
        with self.milter(policy) as milter:
            for value in ("x" * 60000, "needle" + "x" * 60000,
                          "%n%s" * 15000, "x\n\t" * 20000):
                reply = self.deliver(text=f"X-Big: {value}\n\nHello.\n")
                if self.kind is mta.Sendmail and reply.code == 552:
                    continue  # it takes no more than 32 KB of headers
                expected = 451 if value.startswith("needle") else 250
                self.assertEqual(reply.code, expected, reply)
            self.assertTrue(self.deliver().ok)
            for decision in milter.decisions():
                self.assertIn(decision["stage"], ("data", "eom"))

    def test_headers_by_the_thousand(self):
        policy = defer_all("451 4.7.1 Not this.", 'header = {"X-Last: yes"}')
        many = "".join(f"X-Many: {number}\n" for number in range(1000))
        with self.milter(policy) as milter:
            reply = self.deliver(text=many + "X-Last: yes\n\nHello.\n")
            self.assertEqual(reply, "451 4.7.1 Not this.")
            self.assertEqual(len(milter.decisions()), 1)


on_both(globals(), Observed, References, Waits, Hostile)

if __name__ == "__main__":
    main(NAMES)
