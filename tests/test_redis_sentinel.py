"""A Sentinel set: the master is found, and followed when it changes."""

import unittest

from lib import cases
from lib.pace import sleep
from lib.redis_probe import LinkTest, Probe
from lib.redis_servers import free_port, start_sentinel_set


class Sentinel(LinkTest):
    def probe(self, servers, **settings):
        return Probe("-m", "sentinel", "-M", servers.master_name, "-T",
                     *servers.addresses, pause_ms=20, threads=20, **settings)

    def test_failover(self):
        with start_sentinel_set() as servers:
            probe = self.probe(servers, seconds=8)
            sleep(1)
            old = servers.master()
            old.kill()
            saw = probe.finish()
            self.assert_in_time(saw)
            self.assertLess(saw["gap_ms"], 5000)
            down, up = self.two_reports(saw)
            self.assertEqual(down["where"], old.where)
            # On a busy machine the sentinels may have moved on since.
            self.assertNotEqual(up["where"], old.where)

    def test_frozen_master_that_comes_back(self):
        with start_sentinel_set() as servers:
            probe = self.probe(servers, seconds=9)
            sleep(1)
            old = servers.master()
            old.freeze()
            sleep(5)
            old.thaw()
            saw = probe.finish()
            self.assert_in_time(saw)
            self.assertLess(saw["gap_ms"], 5000)
            self.two_reports(saw)

    def test_planned_failover(self):
        with start_sentinel_set() as servers:
            probe = self.probe(servers, seconds=5)
            sleep(1)
            old = servers.master()
            servers.failover()
            saw = probe.finish()
            self.assert_in_time(saw)
            self.assertLess(saw["gap_ms"], 2000)
            self.assertIsNot(servers.master(), old)

    def test_sentinels_may_die_one_after_another(self):
        with start_sentinel_set() as servers:
            probe = self.probe(servers, seconds=3)
            for sentinel in servers.sentinels:
                sleep(0.7)
                sentinel.kill()
            self.assert_healthy(probe.finish())

    def test_some_sentinels_are_not_there(self):
        with start_sentinel_set() as servers:
            saw = Probe("-m", "sentinel", "-M", servers.master_name,
                        f"127.0.0.1:{free_port()}", servers.addresses[0],
                        seconds=1).finish()
            self.assert_in_time(saw)
            self.assertGreater(saw["ok"], 0)

    def test_no_sentinel_is_there(self):
        saw = Probe("-m", "sentinel", "-M", "mymaster",
                    f"127.0.0.1:{free_port()}", seconds=1.5).finish()
        self.assert_never_up(saw, "^Connection refused$")

    def test_nobody_knows_the_master(self):
        with start_sentinel_set() as servers:
            saw = Probe("-m", "sentinel", "-M", "other", *servers.addresses,
                        seconds=1.5).finish()
            self.assert_never_up(saw, 'knows no master "other"')

    def test_sentinels_with_a_password(self):
        with start_sentinel_set(sentinel_password="watch") as servers:
            self.assert_healthy(
                Probe("-m", "sentinel", "-M", servers.master_name, "-P",
                      "watch", *servers.addresses, seconds=1).finish())


class Users(LinkTest):
    """Sentinels that want a user."""

    def test_whose_user_is(self):
        with start_sentinel_set() as servers:
            for sentinel in servers.sentinels:
                sentinel.ask("ACL", "SETUSER", "watcher", "on", ">watch",
                             "allchannels", "+@all")
            for server in servers.data:
                server.ask("ACL", "SETUSER", "watcher", "on", ">secret", "~*",
                           "&*", "+@all")
            user = ("-u", "watcher", "-p", "secret", "-P", "watch")
            self.check(servers, "-U", "watcher", "-P", "watch")
            self.check(servers, *user)
            for sentinel in servers.sentinels:
                sentinel.ask("ACL", "DELUSER", "watcher")
                sentinel.ask("ACL", "SETUSER", "default", "resetpass",
                             ">watch")
            self.check(servers, *user)

    def check(self, servers, *arguments):
        saw = Probe("-m", "sentinel", "-M", servers.master_name, *arguments,
                    *servers.addresses, seconds=1).finish()
        self.assert_healthy(saw)


if __name__ == "__main__":
    cases.main()
