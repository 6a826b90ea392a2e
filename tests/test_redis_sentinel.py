"""A Sentinel set: the master is found, and followed when it changes."""

from lib import cases
from lib.pace import sleep
from lib.redis_probe import UNHURRIED_MS, LinkTest, Probe
from lib.redis_servers import free_port, start_sentinel_set


class Sentinel(LinkTest):
    def probe(self, servers, **settings):
        probe = Probe("-m", "sentinel", "-M", servers.master_name, "-T",
                      *servers.addresses, pause_ms=20, threads=20, **settings)
        self.before = probe.calm()
        return probe

    def assert_follows(self, probe, servers, old):
        """To the new master, once the sentinels have one."""
        self.assert_heals_after(probe, lambda: servers.master() is not old,
                                "another is the master")

    def test_failover(self):
        with start_sentinel_set() as servers:
            probe = self.probe(servers)
            old = servers.master()
            old.kill()
            self.assert_follows(probe, servers, old)
            saw = probe.finish()
            self.assert_in_time(saw)
            down, up = self.two_reports(saw)
            self.assertEqual(down["where"], old.where)
            # On a busy machine the sentinels may have moved on since.
            self.assertNotEqual(up["where"], old.where)

    def test_frozen_master_that_comes_back(self):
        with start_sentinel_set() as servers:
            probe = self.probe(servers)
            old = servers.master()
            old.freeze()
            self.assert_follows(probe, servers, old)
            old.thaw()
            self.assert_heals_after(probe, lambda: old.ask("ROLE")[0] == "slave",
                                    "the old one is a replica")
            saw = probe.finish()
            self.assert_in_time(saw)
            self.two_reports(saw)

    def test_planned_failover(self):
        with start_sentinel_set() as servers:
            probe = self.probe(servers)
            old = servers.master()
            servers.failover()
            self.assert_follows(probe, servers, old)
            self.assert_in_time(probe.finish())

    def test_sentinels_may_die_one_after_another(self):
        with start_sentinel_set() as servers:
            probe = self.probe(servers, call_ms=UNHURRIED_MS)
            for sentinel in servers.sentinels:
                sleep(0.7)
                sentinel.kill()
            self.assert_stays_well(probe.run(0.7), self.before)

    def test_some_sentinels_are_not_there(self):
        with start_sentinel_set() as servers:
            probe = Probe("-m", "sentinel", "-M", servers.master_name,
                          f"127.0.0.1:{free_port()}", servers.addresses[0])
            probe.calm()
            self.assert_in_time(probe.finish())

    def test_no_sentinel_is_there(self):
        self.assert_never_up("^Connection refused$", "-m", "sentinel", "-M",
                             "mymaster", f"127.0.0.1:{free_port()}")

    def test_nobody_knows_the_master(self):
        with start_sentinel_set() as servers:
            self.assert_never_up('knows no master "other"', "-m", "sentinel",
                                 "-M", "other", *servers.addresses)

    def test_sentinels_with_a_password(self):
        with start_sentinel_set(sentinel_password="watch") as servers:
            self.assert_healthy("-m", "sentinel", "-M", servers.master_name,
                                "-P", "watch", *servers.addresses)


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
        self.assert_healthy("-m", "sentinel", "-M", servers.master_name,
                            *arguments, *servers.addresses)


if __name__ == "__main__":
    cases.main()
