"""Reputation is learned from what really happens: real Postfix and Sendmail,
and the reports of other programs, in a real Redis and in a file."""

import os
import re
import shutil
import time
import unittest

from lib import farm
from lib.daemon import wait_for
from lib.mta_case import ALICE, BOB, CLIENT, main, on_both
from lib.policies import POOR, response
from lib.redis_servers import start_single

REPORTS = "mdefer:1:reports"
NETWORK, HOST = "198.51.100.0/24", "198.51.100.250"  # another one of CLIENT's
OTHER = "203.0.113.7"
SPAM = "X-Spam-Flag: YES\nSubject: x\n\nBuy.\n"


def poor(at="mail"):
    """Below -30 a client waits, whatever the sender."""
    return (response("poor", POOR)
            + 'rule "poor" { reputation_below = -30  verdict = greylist  '
            f'by = client  delay = 30m  response = "poor"  at = {at} }}\n')


def need_redis(case):
    if not shutil.which("redis-server"):
        case.skipTest("no redis-server here")
    server = start_single()
    case.addCleanup(server.stop)
    return server


class Learned:
    """From what a mail server sees of its clients."""

    def refuse(self, count, client=CLIENT):
        """Offer so many recipients that do not exist in one message.

        The milter learns of it when the session ends: Postfix keeps back what
        needs no answer until something does.
        """
        session = self.session(client)
        session.mail(ALICE)
        replies = [session.rcpt(f"unknown.{number}@local.test")
                   for number in range(count)]
        session.quit()
        return replies

    def test_six_refused_recipients_make_it_poor(self):
        with self.milter(poor()):
            self.assertTrue(self.deliver().ok)
            for reply in self.refuse(6):
                self.assertEqual(reply.code, 550, reply)
            self.wait_probe(POOR)
            self.assertEqual(self.deliver(sender="eve@other.example"), POOR)
            self.assertTrue(self.deliver(client=OTHER).ok)

    def test_those_that_it_refuses_stay_refused(self):
        """The poor client is told "no such user" of whom there is not."""
        with self.milter(poor(at="rcpt")) as milter:
            self.refuse(6)
            wait_for(lambda: self.score(milter) < -30, "it is poor")
            with self.session() as session:
                session.mail(ALICE)
                reply = session.rcpt("unknown@local.test")
                self.assertEqual(reply.code, 550, reply)
                self.assertEqual(session.rcpt(BOB), POOR)

    def test_a_few_typing_errors_are_forgiven(self):
        with self.milter(poor()) as milter:
            self.refuse(4)
            wait_for(lambda: self.score(milter) < 0, "they count")
            self.assertEqual(self.score(milter), -29)  # 100 * -20 / (20 + 50)
            self.assertTrue(self.deliver().ok)

    def test_one_message_cannot_ruin_a_client(self):
        """Thirty points at most, so -37 and not -50."""
        with self.milter(poor(at="data")) as milter:
            self.refuse(10)  # which are 50 points
            wait_for(lambda: self.score(milter) < 0, "they count")
            self.assertIn(self.score(milter), (-37, -38))

    def test_a_mark_of_an_earlier_filter(self):
        """A message that is accepted with it costs nine points net."""
        marks = 'reputation { spam_headers = "X-Spam-Flag: YES*" }\n'
        with self.milter(marks + poor()) as milter:
            for _ in range(3):
                self.assertTrue(self.deliver(text=SPAM).ok)
            wait_for(lambda: self.score(milter) < -30, "it counts")
            self.assertEqual(self.deliver(), POOR)

    def test_good_mail_is_learned_too(self):
        with self.milter(poor()) as milter:
            for _ in range(5):
                self.assertTrue(self.deliver().ok)
            wait_for(lambda: self.score(milter) > 0, "it counts")

    def test_it_goes_with_the_host_more_than_with_its_network(self):
        with self.milter(poor()) as milter:
            self.refuse(6)
            self.wait_probe(POOR)
            theirs, neighbours = self.score(milter), \
                self.score(milter, client=HOST)
            self.assertLess(theirs, -30)
            self.assertLess(neighbours, 0)

    def score(self, milter, client=CLIENT):
        """What the milter thinks of a client now."""
        with self.session(client) as session:
            session.mail(ALICE)
            session.rcpt(BOB)
            session.data()
            session.close()
        lines = [line for line in milter.decisions()
                 if line["client"] == client]
        return int(lines[-1]["score"])


class Reported:
    """By other programs."""

    def file_policy(self):
        return 'reputation { reports_file = "@DIR@/reports" }\n' + poor()

    def write(self, milter, *lines):
        """As any program does: append, and give the milter time to read."""
        path = os.path.join(milter.directory, "reports")
        with open(path, "ab") as file:
            for line in lines:
                file.write(line + b"\n")
        wait_for(lambda: not os.path.exists(path), "the reports are taken in",
                 milter.log)

    def test_through_redis(self):
        redis = need_redis(self)
        with self.milter(poor(), redis):
            self.assertTrue(self.deliver().ok)
            redis.ask("RPUSH", REPORTS, f"{CLIENT} report_trap 5")
            self.wait_probe(POOR)
            self.assertTrue(self.deliver(client=OTHER).ok)
            self.assertEqual(redis.ask("LLEN", REPORTS), 0)

    def test_set_from_outside(self):
        """By points, either way; the decision reads what was written."""
        redis = need_redis(self)
        with self.milter(poor(), redis):
            redis.ask("RPUSH", REPORTS, f"{CLIENT} -1000")
            self.wait_probe(POOR)
            redis.ask("RPUSH", REPORTS, f"{CLIENT} 1000")
            wait_for(lambda: self.probe().ok, "it is forgiven")
            redis.ask("UNLINK", f"mdefer:1:{{{NETWORK}}}")
            self.assertTrue(self.deliver().ok)

    def test_through_a_file(self):
        with self.milter(self.file_policy()) as milter:
            self.assertTrue(self.deliver().ok)
            self.write(milter, b"# from the spam trap", b"",
                       f"{CLIENT} report_spam 10".encode())
            self.wait_probe(POOR)
            self.write(milter, f"{CLIENT} +500".encode())
            wait_for(lambda: self.probe().ok, "it is forgiven")

    MALFORMED = (b"nonsense", b"198.51.100.7", b"198.51.100.7 no_such_event",
                 b"198.51.100.300 report_spam", b"198.51.100.7 nan",
                 b"198.51.100.7 -1e99", b"198.51.100.7 report_spam 0",
                 b"198.51.100.7 report_spam 1 2", b"\xff\x00\x80 \x01",
                 b"198.51.100.7 " + b"x" * 5000, b"mail.example report_spam",
                 b"198.51.100.0/24 report_spam", b"198.51.100.7 report_spam -5")

    def assert_says_how_many(self, milter):
        milter.expect("malformed report")
        line = milter.wait_log("malformed report")
        self.assertEqual(int(re.search(r"(\d+) malformed", line)[1]),
                         len(self.MALFORMED), line)

    def test_malformed_ones_in_redis_are_dropped(self):
        redis = need_redis(self)
        redis.ask("RPUSH", REPORTS, *self.MALFORMED, f"{CLIENT} report_spam 10")
        with self.milter(poor(), redis) as milter:
            self.assert_says_how_many(milter)
            self.wait_probe(POOR)
            self.assertEqual(redis.ask("LLEN", REPORTS), 0)

    def test_malformed_ones_in_a_file_are_dropped(self):
        with self.milter(self.file_policy()) as milter:
            self.write(milter, *self.MALFORMED,
                       f"{CLIENT} report_spam 10".encode())
            self.assert_says_how_many(milter)
            self.wait_probe(POOR)


class Farm(unittest.TestCase):
    """Without a mail server: every report counts once, whoever takes it."""

    def test_each_report_is_taken_by_one_milter(self):
        redis = need_redis(self)
        with self.milter(redis), self.milter(redis):
            for _ in range(3):
                redis.ask("RPUSH", REPORTS, *["203.0.113.7 -1"] * 200)
                wait_for(lambda: redis.ask("LLEN", REPORTS) == 0,
                         "they are taken")
                time.sleep(0.3)
            # 600 points, of which a host and its network know the same
            wait_for(lambda: self.points(redis, "b") > 599, "they are stored",
                     lambda: [str(self.points(redis, "b"))])
            self.assertLess(self.points(redis, "b"), 601)

    def test_a_list_of_the_wrong_kind_is_no_harm(self):
        redis = need_redis(self)
        redis.ask("SET", REPORTS, "what?")
        with self.milter(redis) as milter:
            milter.expect("(?i)redis|WRONGTYPE|report")
            time.sleep(2.5)
            with milter.client() as client:
                client.begin()
                self.assertTrue(client.message("<a@b.example>",
                                               ["<c@d.example>"]).accepted)

    def milter(self, redis):
        return farm.daemon(farm.redis(redis.where), poor())

    def points(self, redis, which):
        """The points of the network, at the weight of the present."""
        half_life = 7 * 86400
        now = time.time()
        record = redis.ask("HGETALL", farm.record("203.0.113.7"))
        fields = dict(zip(record[::2], record[1::2]))
        generation = int(now // (24 * half_life))
        weight = 1024 * 2 ** (now % (24 * half_life) / half_life)
        return int(fields.get(f"{which}7d.{generation}", 0)) / weight


on_both(globals(), Learned, Reported)

if __name__ == "__main__":
    main()
