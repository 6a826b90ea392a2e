"""Tests against a private Postfix and a private Sendmail.

They need root.  Where it may, the program starts itself anew in a private
network (lib/netns.py), in which a client can have any address and name;
elsewhere the mail servers are made to believe it.

    class Job:
        def test_it(self):
            with self.milter(POLICY):
                self.assertEqual(self.deliver(), GREYLISTED)

    on_both(globals(), Job)

    if __name__ == "__main__":
        main(NAMES)
"""

import os
import unittest

from lib import cases, farm, mta, netns
from lib.daemon import Daemon, wait_for

CLIENT = "198.51.100.7"
ALICE, BOB, CAROL = "alice@sender.example", "bob@local.test", "carol@local.test"


def tcp_socket():
    return f"inet:{mta.free_port()}@127.0.0.1"


class MtaTest(unittest.TestCase):
    """One mail server per class; each test attaches a milter-defer to it."""

    kind = None  # mta.Postfix or mta.Sendmail

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("mail servers need root")
        super().setUpClass()
        cls.where = tcp_socket()
        cls.server = cls.kind(cls.where)
        cls.addClassCleanup(cls.server.stop)
        cls.server.start()

    def milter(self, policy, redis=None):
        """A milter-defer with this policy, and with what it knows in `redis`."""
        if redis is None:
            return Daemon(policy, where=self.where)
        section = farm.redis(redis.where) + 'secret_file = "@DIR@/secret"\n'
        milter = Daemon(section + policy, where=self.where)
        farm.put(milter, "secret", "0123456789abcdef" * 4)
        return milter

    def session(self, client=CLIENT, helo="client.example"):
        session = self.server.session(client)
        self.addCleanup(session.close)
        session.ehlo(helo)
        return session

    def deliver(self, sender=ALICE, recipients=(BOB,), client=CLIENT, **more):
        """One message in a session of its own; the reply that decided it."""
        with self.server.session(client) as session:
            session.ehlo()
            return session.deliver(sender, recipients, **more)

    def probe(self, sender=ALICE, client=CLIENT):
        """The reply to MAIL alone: a message that never comes earns nothing."""
        with self.server.session(client) as session:
            session.ehlo()
            return session.mail(sender)

    def wait_probe(self, wanted, **probe):
        wait_for(lambda: self.probe(**probe) == wanted,
                 f"the reply to MAIL is {wanted!r}")


def on_both(namespace, *parts):
    """The tests of each part with Postfix, and again with Sendmail."""
    for part in parts:
        for kind in (mta.Postfix, mta.Sendmail):
            name = f"{part.__name__}On{kind.__name__}"
            namespace[name] = type(name, (part, MtaTest), {
                "kind": kind, "__module__": namespace["__name__"]})


def main(names=None):
    """Run the tests of the program; `names` are of clients: address -> name."""
    if os.geteuid() == 0:
        mta.unpack()  # inside there is no way out to fetch it
        netns.enter()
    if netns.inside():
        server = netns.set_up()
        for address, name in (names or {}).items():
            server.host(address, name)
    cases.main()
