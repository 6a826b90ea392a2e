"""The main job before your eyes: a real Postfix, and what it tells its clients.

Started by demo.sh.  Clients are pretended by XCLIENT; delays are shortened.
"""

import contextlib
import glob
import os
import signal
import sys
import time

from lib import mta, redis_servers, smtp
from lib.daemon import Daemon, wait_for

DELAY = 3  # seconds, where a real configuration says 5m

POLICY = f'''\
load {{ figure_file = "@DIR@/load"  pressure_cpu = 0  pressure_io = 0 }}
reputation {{ reports_file = "@DIR@/reports" }}

response "greylisted"    {{ reply = "451 4.7.1 Greylisted, try again after some time." }}
response "ip-reputation" {{ reply = "451 4.7.1 IP Reputation Greylisted." }}
response "server-busy"   {{ reply = "451 4.7.500 Server busy. Please try again later from [%{{client_addr}}]." }}

rule "own networks"     {{ client = {{"10.0.0.0/8"}}  verdict = accept }}
rule "busy: strangers"  {{ load_above = 0.80  reputation_below = 20  at = data  verdict = defer  response = "server-busy" }}
rule "poor reputation"  {{ reputation_below = -30  at = data  verdict = greylist  by = client  delay = 30m  response = "ip-reputation" }}
rule "strangers"        {{ verdict = greylist  by = triplet  delay = {DELAY}s  response = "greylisted"  at = data }}
'''

REDIS = 'secret_file = "{}"\nredis {{ servers = {{"{}"}} }}\n'

ACCEPTED = "250 2.0.0 Ok: queued"
GREYLISTED = "451 4.7.1 Greylisted, try again after some time."
POOR = "451 4.7.1 IP Reputation Greylisted."
BUSY = "451 4.7.500 Server busy. Please try again later from [{}]."

SHOP = ("198.51.100.7", "mail.shop.example")
SPAMMER = ("203.0.113.66", "host66.cheap.example")
STRANGER = ("192.0.2.25", "mail.news.example")
OWN = ("10.1.2.3", "desk.office.example")


class Spoken(smtp.Session):
    """A session that is printed as it goes, once `aloud` is set."""

    aloud = False

    def send(self, line):
        if self.aloud:
            print(f"    > {line}")
        super().send(line)

    def reply(self):
        reply = super().reply()
        if self.aloud:
            for line in reply.lines:
                print(f"    < {line}")
        return reply


def write_load(milter, figure):
    """Written aside and renamed, so that no half number is ever read."""
    path = os.path.join(milter.directory, "load")
    with open(path + ".new", "w") as file:
        file.write(f"{figure}\n")
    os.rename(path + ".new", path)


class Demo:
    """The stage: a Postfix, the milter, and how many surprises there were."""

    def __init__(self, postfix, milter):
        self.postfix = postfix
        self.milter = milter
        self.surprises = 0

    def show(self, title, client, sender, expected):
        """One client sends one message; compare what decided it."""
        address, name = client
        print(f"\n{title}\n    {name} [{address}]")
        logged = len(self.milter.log())
        session = Spoken(smtp.connect(self.postfix.address(address)))
        with self.postfix.pretend(address, name, session):
            session.ehlo(name)
            session.aloud = True
            reply = session.deliver(sender, ["bob@local.test"])
            session.aloud = False
        for line in self.milter.log()[logged:]:
            print(f"    log: {line}")
        good = reply.startswith(expected)
        self.surprises += not good
        print("    as it should be" if good else f"    EXPECTED: {expected}")

    def spoil_reputation(self, address):
        """What another program does that has seen spam from this address."""
        path = os.path.join(self.milter.directory, "reports")
        with open(path, "a") as file:
            file.write(f"{address} report_spam 20\n")
        wait_for(lambda: not glob.glob(path + "*"), "the report is taken in")

    def set_load(self, figure):
        """What an administrator's own program does to say how busy it is."""
        write_load(self.milter, figure)
        self.milter.wait_log("load .*above")

    def play(self):
        shop = "orders@shop.example"
        self.show("1. A stranger brings a message for the first time.",
                  SHOP, shop, GREYLISTED)
        self.show("2. It tries again at once.  That is too early.",
                  SHOP, shop, GREYLISTED)
        print(f"\n   ... {DELAY} seconds pass ...")
        time.sleep(DELAY + 0.5)
        self.show("3. It tries again after the delay, as mail servers do.",
                  SHOP, shop, ACCEPTED)
        self.spoil_reputation(SPAMMER[0])
        self.show("4. Much spam was reported of this client.",
                  SPAMMER, "win@cheap.example", POOR)
        self.set_load(0.9)
        self.show("5. The server is busy; strangers have to come back.",
                  STRANGER, "daily@news.example", BUSY.format(STRANGER[0]))
        self.show("6. Even so, our own network passes at once.",
                  OWN, "ann@office.example", ACCEPTED)


@contextlib.contextmanager
def stage(with_redis):
    with contextlib.ExitStack() as stack:
        policy = POLICY
        if with_redis:
            redis = stack.enter_context(redis_servers.start_single())
            secret = os.path.join(redis.directory, "secret")
            with open(secret, "w") as file:
                file.write("what senders and recipients are hashed with\n")
            policy = REDIS.format(secret, redis.where) + policy
        # By TCP, as the private Postfix runs under a borrowed user.
        where = f"inet:{mta.free_port()}@127.0.0.1"
        milter = Daemon(policy, where)
        write_load(milter, 0)
        stack.enter_context(milter)
        postfix = stack.enter_context(mta.Postfix(milter.where))
        yield Demo(postfix, milter)


def main():
    # So that whatever was started is stopped as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with stage("--redis" in sys.argv[1:]) as demo:
        demo.play()
    if demo.surprises:
        print(f"\n{demo.surprises} of these were not as they should be.")
        return 1
    print("\nAll as it should be.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
