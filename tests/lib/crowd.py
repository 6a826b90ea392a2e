"""A crowd of mail servers: sessions at once, each decision timed.

Each member of the crowd has an address and a thread of its own, and opens a
new session with a message from a new sender again and again:

    with Crowd(milter, addresses, pause=0.1) as crowd:
        time.sleep(1)
    print(crowd.worst_ms())
"""

import itertools
import sys
import threading
import time
from typing import NamedTuple

BOB = "<bob@local.test>"


def sender(number):
    """A sender of its own for each number: one without digits, since those
    may be taken for a serial number, which does not make another sender."""
    letters = ""
    while number or not letters:
        number, letter = divmod(number, 20)
        letters += "bcdfghjklmnpqrstvwxz"[letter]
    return f"<{letters}@sender.example>"


def nameless(address):
    """The name of a client that has none, as mail servers tell it."""
    return f"[{address}]"


class Decision(NamedTuple):
    """What became of one session; times are of time.monotonic()."""

    address: str
    began: float
    ended: float
    answer: str  # the reply's text, "accepted", or "lost: " and why

    @property
    def ms(self):
        return (self.ended - self.began) * 1000

    @property
    def lost(self):
        return self.answer.startswith("lost")


class Crowd:
    """One thread for each address; a session every `pause` seconds in each,
    however long they take (0: without a pause)."""

    def __init__(self, milter, addresses, pause=0.1, recipients=(BOB,)):
        self.milter = milter
        self.pause = pause
        self.recipients = recipients
        self.decisions = []
        self.late = 0.0  # seconds by which a member woke up too late, at worst
        self._numbers = itertools.count()
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._live, args=(address, place),
                             daemon=True)
            for place, address in enumerate(addresses)]

    def __enter__(self):
        # Threads are to take turns quickly, or they measure each other.
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(0.0005)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()
        sys.setswitchinterval(self._interval)

    def _live(self, address, place):
        due = time.monotonic() + self.pause * place / len(self._threads)
        while not self._wait(due):
            self.decisions.append(self._mail(address))
            due = max(due + self.pause, time.monotonic() - self.pause)

    def _wait(self, due):
        """Until then; whether all is over."""
        ahead = due - time.monotonic()
        is_over = self._over.wait(max(0.0, ahead))
        if ahead > 0 and not is_over:
            self.late = max(self.late, time.monotonic() - due)
        return is_over

    def _mail(self, address):
        number = next(self._numbers)
        began = time.monotonic()
        try:
            with self.milter.client() as client:
                client.begin(nameless(address), address)
                began = time.monotonic()
                outcome = client.message(sender(number), self.recipients)
                ended = time.monotonic()
            answer = "accepted" if outcome.accepted else outcome.text
            if not answer:
                answer = f"lost: {outcome.reply.kind}"
        except (OSError, EOFError) as why:
            ended, answer = time.monotonic(), f"lost: {why!r}"
        return Decision(address, began, ended, answer)

    def wait_each(self, conditions, seconds, what):
        """Until each of these is true of a decision; the first for each."""
        seen = len(self.decisions)
        first = [None] * len(conditions)
        deadline = time.monotonic() + seconds
        while None in first:
            if time.monotonic() > deadline:
                raise AssertionError(f"in vain for {seconds} s: {what}; last "
                                     f"{self.decisions[-3:]}")
            time.sleep(0.01)
            for decision in self.decisions[seen:]:
                seen += 1
                for place, holds in enumerate(conditions):
                    if first[place] is None and holds(decision):
                        first[place] = decision
        return first

    def worst_ms(self):
        return max(decision.ms for decision in self.decisions)

    def lost(self):
        return [decision for decision in self.decisions if decision.lost]

    def rate(self):
        """Sessions per second."""
        first = min(decision.began for decision in self.decisions)
        last = max(decision.ended for decision in self.decisions)
        return len(self.decisions) / (last - first)
