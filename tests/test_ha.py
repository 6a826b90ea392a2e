"""Redis fails over under load: no session is lost, no daemon is restarted.

A crowd of mail servers opens about 100 sessions a second while the master is
killed.  Meanwhile the failure rule decides; HA_NORMAL_SECONDS after the
failover at the latest, the store does again.  The table at the end has the
figures: `outage` from the first to the last decision of the failure rule,
`after` the part of it that lies after the failover.

HA_SECONDS is how long the load goes on before and after.  All times are for an
idle machine: see lib/pace.py.
"""

import os
import time
import unittest

from lib import cases, farm
from lib.crowd import Crowd
from lib.farm import INTERNAL, stranger
from lib.pace import milliseconds, pace, sleep
from lib.policies import GREYLISTED
from lib.redis_servers import start_cluster, start_sentinel_set, wait_until
from lib.table import Table

CLIENTS = 20
PAUSE = 0.2  # of each: 100 sessions a second in all
SECONDS = float(os.environ.get("HA_SECONDS", "1"))
NORMAL = float(os.environ.get("HA_NORMAL_SECONDS", "5"))
PATIENCE = 60  # for the failover itself, which is Redis's

CROWD = [stranger(number) for number in range(CLIENTS)]

TABLE = Table("kill -9 of a master under load",
              "mode", "sessions", "per s", "lost", "by rule", "failover s",
              "outage s", "after s", "worst ms", "lines")


def tearDownModule():
    TABLE.print()


class FailOver(unittest.TestCase):
    def run_failover(self, mode, section, victim, has_moved):
        """`victim` is killed; `has_moved` tells when another took over."""
        with farm.daemon(section, faults=True) as milter:
            with Crowd(milter, CROWD, PAUSE) as crowd:
                self.await_store(crowd)
                sleep(SECONDS)
                victim.kill()
                killed = time.monotonic()
                moved = wait_for_moment(has_moved)
                self.await_store(crowd)
                sleep(SECONDS)
            self.assertIsNone(milter.process.poll(), "it lives")
            lines = len(farm.said_of_redis(milter))
        self.judge(mode, crowd, (killed, moved), lines)

    def await_store(self, crowd):
        """Each client is judged by the store."""
        crowd.wait_each(
            [lambda d, address=address: (d.address, d.answer)
             == (address, GREYLISTED) for address in CROWD],
            PATIENCE, "the store answers each client")

    def judge(self, mode, crowd, moments, lines):
        killed, moved = moments
        # On a starved machine an answer may be late before anything is killed.
        ruled = [d for d in crowd.decisions
                 if d.answer == INTERNAL and d.began >= killed - PAUSE]
        first = min((d.began for d in ruled), default=killed)
        last = max((d.ended for d in ruled), default=killed)
        TABLE.add(mode, len(crowd.decisions), crowd.rate(), len(crowd.lost()),
                  len(ruled), moved - killed, last - first,
                  max(0.0, last - moved), crowd.worst_ms(), lines)
        self.assertEqual([d for d in crowd.decisions
                          if d.answer not in (GREYLISTED, INTERNAL)], [])
        self.assertGreater(len(ruled), 0)
        self.assertLess(last, moved + NORMAL * pace() + 3 * crowd.late)

    def test_sentinel(self):
        with start_sentinel_set() as servers:
            victim = servers.master()
            self.run_failover(
                "sentinel",
                redis(servers.addresses, mode="sentinel",
                      master_name=servers.master_name),
                victim, lambda: is_master(servers.data, victim))

    def test_cluster(self):
        with start_cluster() as cluster:
            victim = cluster.master_of(farm.record(CROWD[0]))
            old = {node.port for node in cluster.masters()}
            replicas = [node for node in cluster.nodes
                        if node.port not in old]
            self.run_failover("cluster", redis(cluster.addresses,
                                               mode="cluster"),
                              victim, lambda: is_master(replicas, victim))


def is_master(servers, victim):
    """Has one of them taken the victim's place?"""
    return any(server.ask("ROLE")[0] == "master" for server in servers
               if server is not victim)


def wait_for_moment(holds):
    """When it came true, of time.monotonic()."""
    wait_until(holds, PATIENCE, "Redis has failed over")
    return time.monotonic()


def redis(servers, **options):
    return farm.redis(servers, deadline=milliseconds(200), **options)


if __name__ == "__main__":
    cases.main()
