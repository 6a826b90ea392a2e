"""Whatever reaches the milter socket: it still answers, and nothing is left.

Under a sanitizer this also finds leaks and stray accesses.
"""

import random
import socket
import struct
import unittest

from lib import cases
from lib.daemon import Daemon, wait_for
from lib.mta import free_port
from lib.policies import GREYLISTED, greylisting

ALICE, BOB = "<alice@sender.example>", "<bob@local.test>"


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.port = free_port()
        cls.milter = Daemon(greylisting(), f"inet:{cls.port}@127.0.0.1").start()
        cls.addClassCleanup(cls.milter.remove)
        cls.addClassCleanup(cls.milter.stop)

    def setUp(self):
        self.assert_answers()
        self.before = self.milter.descriptors()

    def tearDown(self):
        self.assert_answers()
        wait_for(lambda: self.milter.descriptors() <= self.before,
                 "its descriptors are as before", self.milter.log)

    def assert_answers(self):
        with self.milter.client() as client:
            outcome = client.begin().message(ALICE, [BOB])
        self.assertEqual(outcome.text, GREYLISTED)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), 20)

    def test_a_thousand_bare_connections(self):
        for _ in range(1000):
            self.connect().close()

    def test_a_hundred_connections_that_stay_silent(self):
        links = [self.connect() for _ in range(100)]
        self.assert_answers()
        for link in links:
            link.close()

    def test_a_hundred_connections_of_random_bytes(self):
        dice = random.Random(451)
        for _ in range(100):
            with self.connect() as link:
                send_all(link, dice.randbytes(dice.randrange(1, 4000)))

    def test_random_commands_with_random_data(self):
        dice = random.Random(4711)
        for _ in range(100):
            with self.milter.client() as client:
                client.negotiate()
                for _ in range(20):
                    command = dice.choice(b"ABCDEHKLMNOQRTU")
                    data = dice.randbytes(dice.randrange(0, 60))
                    head = struct.pack("!IB", len(data) + 1, command)
                    if not send_all(client.link, head + data):
                        break

    def test_lengths_that_promise_too_much(self):
        for length in (0, 0x7FFFFFFF, 0xFFFFFFFF):
            with self.connect() as link:
                send_all(link, struct.pack("!I", length) + b"O")

    def test_steps_in_no_order(self):
        steps = {
            "a recipient before a sender": lambda c: c.rcpt(BOB),
            "data first": lambda c: c.data(),
            "the end first": lambda c: c.eom(),
            "an abort first": lambda c: c.abort(),
            "a sender without a connection": lambda c: c.mail(ALICE),
            "a header first": lambda c: c.header("Subject", "x"),
        }
        for when, step in steps.items():
            with self.subTest(when), self.milter.client() as client:
                client.negotiate()
                client.link.settimeout(1)
                try:
                    step(client)
                except (EOFError, ConnectionError, TimeoutError):
                    pass  # to hang up is an answer, and so is silence

    def test_sessions_that_end_in_the_middle(self):
        for stop_after in range(6):
            with self.milter.client() as client:
                for step in (client.negotiate, client.connect, client.helo,
                             lambda: client.mail(ALICE),
                             lambda: client.rcpt(BOB),
                             client.data)[:stop_after]:
                    step()

    def test_arguments_that_are_too_long_or_missing(self):
        for value in (b"", b"<>", b"<" + b"a" * 60000 + b"@x.example>",
                      b"<" + b"\xff\x01%n%s\r\n" * 50 + b">", b"@", b"<@>"):
            with self.subTest(value[:20]), self.milter.client() as client:
                client.begin(helo=value)
                outcome = client.message(value, [value, value])
                self.assertNotEqual(outcome.reply.kind, "reject")

    def test_a_header_of_60_kilobytes(self):
        with self.milter.client() as client:
            client.begin()
            client.message(ALICE, [BOB], [("Subject", "x" * 60000)])


def send_all(link, data):
    """Send as far as the other end lets us; whether it was all."""
    try:
        link.sendall(data)
        return True
    except OSError:
        return False


if __name__ == "__main__":
    cases.main()
