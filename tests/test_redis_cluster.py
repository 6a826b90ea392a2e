"""A Redis Cluster: slots are found, and followed when they move."""

from lib import cases
from lib.lying_redis import LyingRedis, address, slots
from lib.pace import pace
from lib.ports import free_port
from lib.redis_probe import (UNHURRIED_MS, LinkTest, Probe, during,
                             has_failed)
from lib.redis_servers import start_cluster, start_single


class Cluster(LinkTest):
    def probe(self, cluster, **settings):
        return Probe("-m", "cluster", "-T", *cluster.addresses[:2],
                     pause_ms=20, threads=20, **settings)

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
            saw = self.assert_healthy("-m", "cluster", "-T",
                                      *cluster.addresses[:2], seconds=1.5,
                                      pause_ms=20, threads=20)
            self.assert_nothing_lost_or_doubled(cluster, saw)

    def test_a_master_dies(self):
        with start_cluster() as cluster:
            probe = self.probe(cluster)
            probe.calm()
            dead = cluster.masters()[1]
            dead.kill()
            self.assert_heals_after(probe, lambda: len(cluster.masters()) == 3,
                                    "its replica has its place")

            def told(saw):
                return [report for report in saw["reports"]
                        if report["where"] == dead.where]

            # A node that serves no slot any more is not well: it is gone.
            probe.wait(lambda saw: told(saw) and told(saw)[-1]["gone"],
                       "the dead one is gone")
            saw = probe.finish()
            self.assert_in_time(saw)
            self.assertGreater(saw["failed"], 0)
            # Other slots go on.
            self.assertLess(saw["gap_ms"],
                            1000 + 3 * saw["worst_sleep_us"] / 1000 / pace())
            self.assertFalse(any(report["up"] for report in told(saw)), saw)

    def test_planned_failover(self):
        with start_cluster() as cluster:
            probe = self.probe(cluster)
            probe.calm()
            replica = next(node for node in cluster.nodes
                           if node not in cluster.masters())
            cluster.fail_over(replica)
            self.assert_heals_after(
                probe, lambda: replica in cluster.masters(), "it has failed over")
            saw = probe.finish()
            self.assert_in_time(saw)
            self.assertLess(saw["failed"] - saw["late"], 100)

    def test_resharding(self):
        with start_cluster(replicas=0) as cluster:
            probe = self.probe(cluster, call_ms=UNHURRIED_MS)
            before = probe.calm()
            probe.wait(lambda saw: saw["ok"] >= 8 * probe.threads,
                       "each thread has several keys")
            source, target = cluster.masters()[:2]
            keys = source.ask("KEYS", "probe:*")
            slots = {source.ask("CLUSTER", "KEYSLOT", key) for key in keys}
            self.assertGreater(len(slots), 10)
            cluster.move_slots(slots, source, target, pause=1)
            probe.calm()
            saw = self.assert_stays_well(probe, before)
            self.assert_nothing_lost_or_doubled(cluster, saw)
            self.assertEqual(source.ask("KEYS", "probe:*"), [])

    def test_slots_that_nobody_serves(self):
        with start_cluster(replicas=0) as cluster:
            probe = self.probe(cluster)
            probe.calm()
            dead = cluster.masters()[1]
            dead.kill()
            refused = probe.wait(lambda saw: saw["refused"] > 0,
                                 "calls are refused at once")
            # The others are served, and go on to be.
            probe.wait(lambda saw: saw["ok"] - refused["ok"]
                       >= 10 * probe.threads, "other slots are served")
            self.assert_in_time(probe.finish())

    def test_the_whole_cluster_restarts(self):
        with start_cluster() as cluster:
            probe = self.probe(cluster)
            probe.calm()
            for node in cluster.nodes:
                node.kill()
            probe.wait(has_failed, "the fault is noticed")
            for node in cluster.nodes:
                node.start(wait=False)
            self.assert_heals_after(
                probe, lambda: all(map(cluster.is_settled, cluster.nodes)),
                "the cluster is settled")
            self.assert_in_time(probe.finish())

    def test_no_cluster_at_all(self):
        with start_single() as server:
            self.assert_never_up("cluster support disabled", "-m", "cluster",
                                 server.where)


class Lies(LinkTest):
    """What no honest node does."""

    def probe(self, server, **settings):
        return Probe("-m", "cluster", "-r", server.where, threads=10,
                     pause_ms=20, **settings)

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
                    pause_ms=20, fault=0.6,
                    noticed=lambda saw: saw["failed"] > 0)
                self.assert_in_time(saw)
                self.assertGreater(saw["failed"], 0)
                self.assertGreater(saw["last_ok_ms"], saw["last_failed_ms"])

    def test_names_that_would_forge_lines(self):
        evil = b"x\nverdict=accept \x1b[31m"
        with LyingRedis() as server:
            server.map = slots([(evil, 7000), address(server.where)])
            server.lie = self.send_on(b"MOVED", b"\x1b[31m e:7000")
            saw = self.probe(server).run(1.5).finish()
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
            probe = self.probe(server, files=16).run(3)
            probe.wait(lambda saw: saw["asks"] > 0, "something is asked")
            self.assert_in_time(probe.finish())


if __name__ == "__main__":
    cases.main()
