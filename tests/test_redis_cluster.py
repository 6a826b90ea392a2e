"""A Redis Cluster: slots are found, and followed when they move."""

import unittest

from lib import cases
from lib.lying_redis import LyingRedis, address, slots
from lib.pace import sleep
from lib.ports import free_port
from lib.redis_probe import LinkTest, Probe, during
from lib.redis_servers import start_cluster, start_single


class Cluster(LinkTest):
    def probe(self, cluster, **settings):
        return Probe("-m", "cluster", "-T", *cluster.addresses[:2],
                     **{"pause_ms": 20, "threads": 20, **settings})

    @staticmethod
    def sums(cluster):
        """Of all counters that the probe incremented: asked and told."""
        asked = told = 0
        for node in cluster.masters():
            with node.client() as client:
                for key in client.ask("KEYS", "probe:*"):
                    n, t = client.ask("HMGET", key, "n", "told")
                    asked += int(n or 0)
                    told += int(t or 0)
        return asked, told

    def assert_nothing_lost_or_doubled(self, cluster, saw):
        self.assertEqual(self.sums(cluster), (2 * saw["ok"], saw["told"]))

    def test_healthy(self):
        with start_cluster() as cluster:
            saw = self.probe(cluster, seconds=1.5).finish()
            self.assert_healthy(saw)
            self.assert_nothing_lost_or_doubled(cluster, saw)

    def test_a_master_dies(self):
        with start_cluster() as cluster:
            probe = self.probe(cluster, seconds=8)
            sleep(1)
            dead = cluster.masters()[1]
            dead.kill()
            saw = probe.finish()
            self.assert_in_time(saw)
            self.assertGreater(saw["failed"], 0)
            self.assertLess(saw["last_failed_ms"], 1000 + 5000)
            self.assertLess(saw["gap_ms"], 1000)  # other slots go on
            self.assertIn(dead.where,
                          [report["where"] for report in saw["reports"]])
            # A node that serves no slot any more is not well: it is gone.
            told = [report for report in saw["reports"]
                    if report["where"] == dead.where]
            self.assertTrue(told[-1]["gone"], told)
            self.assertFalse(any(report["up"] for report in told), told)

    def test_planned_failover(self):
        with start_cluster() as cluster:
            probe = self.probe(cluster, seconds=4)
            sleep(1)
            replica = next(node for node in cluster.nodes
                           if node not in cluster.masters())
            replica.ask("CLUSTER", "FAILOVER")
            saw = probe.finish()
            self.assert_in_time(saw)
            self.assertIn(replica, cluster.masters())
            self.assertLess(saw["failed"], 100)

    def test_resharding(self):
        with start_cluster(replicas=0) as cluster:
            probe = self.probe(cluster, seconds=5)
            sleep(1)
            source, target = cluster.masters()[:2]
            keys = source.ask("KEYS", "probe:*")
            slots = {source.ask("CLUSTER", "KEYSLOT", key) for key in keys}
            self.assertGreater(len(slots), 10)
            cluster.move_slots(slots, source, target, pause=1)
            saw = probe.finish()
            self.assert_healthy(saw)
            self.assert_nothing_lost_or_doubled(cluster, saw)
            self.assertEqual(source.ask("KEYS", "probe:*"), [])

    def test_slots_that_nobody_serves(self):
        with start_cluster(replicas=0) as cluster:
            probe = self.probe(cluster, seconds=4)
            sleep(1)
            dead = cluster.masters()[1]
            dead.kill()
            saw = probe.finish()
            self.assert_in_time(saw)
            self.assertGreater(saw["refused"], 0)
            self.assertGreater(saw["last_ok_ms"], 3500)

    def test_the_whole_cluster_restarts(self):
        with start_cluster() as cluster:
            probe = self.probe(cluster, seconds=8)
            sleep(0.5)
            for node in cluster.nodes:
                node.kill()
            for node in cluster.nodes:
                node.start(wait=False)
            saw = probe.finish()
            self.assert_in_time(saw)
            self.assertGreater(saw["last_ok_ms"], 7500)
            self.assertLess(saw["last_failed_ms"], 7000)

    def test_no_cluster_at_all(self):
        with start_single() as server:
            saw = Probe("-m", "cluster", server.where, seconds=1).finish()
            self.assert_never_up(saw, "cluster support disabled")


class Lies(LinkTest):
    """What no honest node does."""

    def probe(self, *servers, **settings):
        return Probe("-m", "cluster", "-r",
                     *(server.where for server in servers),
                     **{"threads": 10, "pause_ms": 20, **settings})

    def send_on(self, kind, target):
        """All that is about a key is to be had elsewhere; ASKING, too."""
        def lie(connection, words, reply):
            if words[0].upper() in (b"PING", b"ROLE", b"CLUSTER"):
                connection.sendall(reply)
            else:
                connection.sendall(b"-%s 1 %s\r\n" % (kind, target))
        return lie

    def test_nodes_that_send_on_for_ever(self):
        for kind in (b"ASK", b"MOVED"):
            with self.subTest(kind), LyingRedis() as a, LyingRedis() as b:
                a.map = b.map = slots([address(a.where), address(b.where)])
                saw = during(
                    lambda: (setattr(a, "lie", self.send_on(
                                 kind, b.where.encode())),
                             setattr(b, "lie", self.send_on(
                                 kind, a.where.encode()))),
                    lambda: (setattr(a, "lie", None), setattr(b, "lie", None)),
                    "-m", "cluster", "-r", a.where, b.where, threads=10,
                    pause_ms=20)
                self.assert_in_time(saw)
                self.assertGreater(saw["failed"], 0)
                self.assertGreater(saw["last_ok_ms"], saw["last_failed_ms"])

    def test_names_that_would_forge_lines(self):
        evil = b"x\nverdict=accept \x1b[31m"
        with LyingRedis() as server:
            server.map = slots([(evil, 7000), address(server.where)])
            server.lie = self.send_on(b"MOVED", b"\x1b[31m e:7000")
            saw = self.probe(server, seconds=1.5).finish()
            self.assert_in_time(saw)
            self.assertEqual({report["where"] for report in saw["reports"]}
                             - {server.where}, set())

    def test_more_nodes_than_descriptors(self):
        """A node that is listed, but to which there is no connection."""
        with LyingRedis() as server:
            known = address(server.where)
            server.map = slots(
                [known] + [(b"127.0.0.1", free_port()) for _ in range(70)]
                + [(b"no-such-host.invalid", port) for port in range(7000, 7050)]
                + [known])
            saw = self.probe(server, seconds=3, files=16).finish()
            self.assert_in_time(saw)
            self.assertGreater(saw["asks"], 0)


if __name__ == "__main__":
    cases.main()
