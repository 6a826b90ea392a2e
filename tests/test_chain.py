"""Together with another filter, through Postfix and Sendmail.

A message that a filter before us rejects at its end earns nothing, and what a
filter behind us defers at DATA opens no door.
"""

import os
import socket
import struct
import threading
import unittest

from lib import mta
from lib.mta_case import ALICE, BOB, CAROL, main, on_both
from lib.policies import greylisting

SPAM = "550 5.7.1 This is spam"
BUSY = "451 4.3.2 Busy"


class Filter(threading.Thread):
    """A filter that says `text` at one step, CONTINUE at all others."""

    DATA, END = b"T", b"E"

    def __init__(self):
        super().__init__(daemon=True)
        self.command, self.text = self.END, None
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.where = f"inet:{self.socket.getsockname()[1]}@127.0.0.1"
        self.start()

    def run(self):
        while True:
            threading.Thread(target=self.serve, args=self.socket.accept()[:1],
                             daemon=True).start()

    def serve(self, link):
        with link, link.makefile("rb") as stream:
            def put(command, data=b""):
                link.sendall(struct.pack("!I", len(data) + 1) + command + data)
            while head := stream.read(4):
                command = stream.read(struct.unpack("!I", head)[0])[:1]
                if command == b"O":
                    put(b"O", struct.pack("!III", 6, 0x1FF, 0))
                elif command == self.command and self.text:
                    put(b"y", self.text.encode() + b"\0")
                elif command not in b"DAKQ":
                    put(b"c")


class Chain:
    first = False  # whether we are the first in the chain

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("mail servers need root")
        cls.other = Filter()
        cls.where = f"inet:{mta.free_port()}@127.0.0.1"
        chain = [cls.other.where, cls.where]
        cls.server = cls.kind(chain[::-1] if cls.first else chain)
        cls.addClassCleanup(cls.server.stop)
        cls.server.start()

    def other_says(self, command, text):
        self.other.command, self.other.text = command, text
        self.addCleanup(setattr, self.other, "text", None)


class AsTheLast(Chain):
    def test_what_is_rejected_earns_nothing(self):
        policy = greylisting("1s")
        with self.milter(policy) as milter:
            self.assertEqual(self.deliver().code, 451)
            self.wait_probe_of_a_pass(milter)
            self.other_says(Filter.END, SPAM)
            for _ in range(20):
                self.assertEqual(self.deliver().code, 550)
            self.other.text = None
            self.assertTrue(self.deliver().ok)
            # Twenty points would be a score above 25.
            last = milter.decisions()[-1]
            self.assertLess(float(last["score"]), 15)

    def wait_probe_of_a_pass(self, milter):
        """Until the pair has passed, in a message that is delivered."""
        while not self.deliver().ok:
            self.assertLess(len(milter.decisions()), 500)

    def test_a_pass_is_not_earned_by_what_is_rejected(self):
        with self.milter(greylisting("1s") + "keep = 2d\n") as milter:
            self.other_says(Filter.END, SPAM)
            while self.deliver().code != 550:
                self.assertLess(len(milter.decisions()), 500)
            self.other.text = None
            self.assertTrue(self.deliver().ok)
            last = milter.decisions()[-1]
            self.assertEqual(last["score"], "0")


class AsTheFirst(Chain):
    first = True

    def test_nobody_joins_a_message_that_was_judged(self):
        """The other one's 451 at DATA keeps the transaction alive."""
        with self.milter(greylisting("1s")) as milter:
            while not self.deliver().ok:
                self.assertLess(len(milter.decisions()), 500)
            self.other_says(Filter.DATA, BUSY)
            with self.session() as session:
                session.mail(ALICE)
                session.rcpt(BOB)
                self.assertEqual(session.data(), BUSY)
                self.other.text = None
                session.ask("XFOO")
                session.rcpt(CAROL)
                self.assertEqual(session.data().code, 451)


on_both(globals(), AsTheLast, AsTheFirst)

if __name__ == "__main__":
    main()
