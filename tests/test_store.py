"""The contract of the stores, against real Redis servers: one, a Sentinel set,
a Cluster; and that nothing which is left in Redis lives for ever."""

import concurrent.futures
import os
import subprocess
import unittest

from lib import cases
from lib.redis_servers import (start_cluster, start_sentinel_set, start_single,
                               wait_until)

PROGRAMS = ("check_store", "check_record", "check_store_levers", "check_store_limits",
            "check_store_redis", "check_journal")
# An administrator's, or made by other programs.
NOT_OURS = ("list:", "lists", "until:", "notes:", "reports")


def program_path(name):
    milter = os.environ.get("MILTER_DEFER") or os.path.abspath("milter-defer")
    return os.path.join(os.environ.get("CHECK_PROGRAMS") or
                        os.path.join(os.path.dirname(milter), "tests"), name)


def keys_without_life(server):
    """Keys of the stores under test which have no time to live."""
    cursor, found = "0", []
    with server.client() as client:
        while True:
            cursor, keys = client.ask("SCAN", cursor, "COUNT", 1000)
            lives = client.pipeline([["TTL", key] for key in keys])
            found += [key for key, life in zip(keys, lives) if life == -1
                      and not key.split(":", 3)[-1].startswith(NOT_OURS)]
            if cursor == "0":
                return found


class StoreTest(unittest.TestCase):
    longest = 1200  # seconds: many tests each

    def check(self, *arguments):
        """All at once: each has keys of its own, and most of the time it waits."""
        def run(name):
            return subprocess.run([program_path(name), *arguments],
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True,
                                  timeout=900)

        with concurrent.futures.ThreadPoolExecutor(len(PROGRAMS)) as pool:
            for name, done in zip(PROGRAMS, pool.map(run, PROGRAMS)):
                with self.subTest(name):
                    self.assertEqual(done.returncode, 0, done.stdout)

    def assert_all_live_on_time(self, servers):
        for server in servers:
            self.assertEqual(keys_without_life(server), [])


class Contract(StoreTest):
    def test_single(self):
        with start_single() as server:
            self.check("single", server.where)
            self.assert_all_live_on_time([server])

    def test_sentinel(self):
        with start_sentinel_set() as servers:
            self.check("sentinel", servers.master_name, *servers.addresses)
            self.assert_all_live_on_time([servers.master()])

    def test_cluster(self):
        with start_cluster() as cluster:
            self.check("cluster", *cluster.addresses)
            self.assert_all_live_on_time(cluster.nodes)


class Killed(StoreTest):
    def test_no_key_lives_for_ever_after_a_kill(self):
        """A program that writes as fast as it can is killed in the middle."""
        with start_single() as server:
            for _ in range(5):
                writer = subprocess.Popen(
                    [program_path("check_store_limits"), "single",
                     server.where], stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, env=dict(
                        os.environ, CK_FORK="no",
                        CK_RUN_CASE="limits"))
                before = len(server.ask("KEYS", "*"))
                wait_until(lambda: len(server.ask("KEYS", "*")) > before + 5,
                           120, "the program writes")
                writer.kill()
                writer.wait(120)
            self.assert_all_live_on_time([server])


if __name__ == "__main__":
    cases.main()
