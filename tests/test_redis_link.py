"""The link to Redis, against real servers in trouble and against a liar."""

import concurrent.futures
import os
import shutil
import tempfile
import threading
import time

from lib import cases
from lib import lying_redis as lies
from lib.lying_redis import Deaf, LyingRedis
from lib.pace import pace
from lib.redis_probe import UNHURRIED_MS, LinkTest, Probe, downs, during
from lib.redis_servers import (RedisServer, free_port, start_single,
                               wait_until)

FOR_EVER = 3600 * 1000  # ms until a thread asks again: longer than any test


class Liar(LinkTest):
    """What no honest server does, for a while."""

    def check(self, lie, words, *arguments, **settings):
        with LyingRedis() as server:
            saw = during(lambda: setattr(server, "lie", lie),
                         lambda: setattr(server, "lie", None),
                         "-r", *arguments, server.where, fault=0.3, **settings)
            self.assert_healed(saw, words, server.where)

    def test_an_answer_too_many(self):
        self.check(lies.but_login(lies.after(b"+EXTRA\r\n")),
                   "nobody asked for")

    def test_an_answer_too_many_for_one_request(self):
        self.check(lies.but_login(lies.after(b"+EXTRA\r\n")),
                   "nobody asked for", "-o")

    def test_an_answer_that_nobody_asked_for(self):
        with LyingRedis() as server:
            saw = during(lambda: server.shout(b":1\r\n"), lambda: None,
                         "-r", server.where, threads=1, noticed=downs)
            self.assert_in_time(saw)
            self.assertEqual(self.two_reports(saw)[0]["why"],
                             "a reply that nobody asked for")

    def test_late_answers(self):
        self.check(lies.but_login(lies.late(0.4)), "no answer in time")

    def test_answers_that_drip(self):
        self.check(lies.but_login(lies.dripping(0.05)), "no answer in time")

    def test_half_an_answer(self):
        self.check(lies.but_login(lies.half), "no answer in time")

    def test_no_answer(self):
        self.check(lies.silent, "no answer in time")

    def test_garbage(self):
        self.check(lies.instead(b"\0\r\nnonsense"), "Protocol error")

    def test_another_protocol(self):
        self.check(lies.instead(b"HTTP/1.1 400 Bad Request\r\n"),
                   "Protocol error")

    def test_resp3(self):
        self.check(lies.instead(b"%1\r\n+a\r\n+b\r\n"),
                   "Protocol error|type that was not asked for")

    def test_a_reply_without_end(self):
        self.check(lies.but_login(lies.instead(b"$99999999\r\n" + 4096 * b"x")),
                   "too long|no answer in time")

    def test_hanging_up(self):
        self.check(lies.hanging_up, "closed|reset")

    def check_errors(self, errors, lie_about):
        """All at the same time; each with fewer sessions."""
        def check(error):
            self.check(lie_about(lies.instead(b"-%s\r\n" % error.encode())),
                       f"^{error}", threads=12)

        with concurrent.futures.ThreadPoolExecutor() as pool:
            for result in [pool.submit(check, error) for error in errors]:
                result.result()

    def test_errors_that_end_the_connection(self):
        self.check_errors((
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down",
            "NOAUTH Authentication required.",
            "BUSY Redis is busy running a script.",
            "DENIED Redis is running in protected mode",
            "ERR max number of clients reached"), lambda lie: lie)

    def test_errors_that_keep_the_connection(self):
        self.check_errors((
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MISCONF Redis is configured to save RDB snapshots",
            "NOREPLICAS Not enough good replicas to write.",
            "NOPERM this user has no permissions to run it"),
                          lies.but_login)

    def test_errors_about_a_key_concern_nobody_else(self):
        """Nothing is reported, and the call is answered: with the error."""
        wrong_type = lies.instead(b"-WRONGTYPE Operation against a key holding the"
                                  b" wrong kind of value\r\n")
        with LyingRedis() as server:
            probe = Probe("-r", server.where, call_ms=UNHURRIED_MS)
            before = probe.calm()
            server.lie = lies.but_login(wrong_type)
            probe.wait(lambda saw: saw["unreadable"] >= 2 * probe.threads,
                       "the error is seen")
            server.lie = None
            answered = probe.look()
            after = probe.wait(lambda saw: saw["ok"] - answered["ok"]
                               >= 3 * probe.threads, "it is answered again")
            saw = self.assert_stays_well(probe, before)
            self.assertEqual(saw["unreadable"], after["unreadable"], saw)

    def check_one_connection(self, lie, seen):
        """What is wrong with answers is no reason to part with a server."""
        with LyingRedis() as server:
            saw = during(lambda: setattr(server, "lie", lie),
                         lambda: setattr(server, "lie", None), "-r",
                         server.where, threads=20, fault=0.3,
                         noticed=lambda saw: saw[seen] > 0)
            self.assert_in_time(saw)
            self.assertEqual(server.accepted, 1, saw)
            self.assertGreater(saw["last_ok_ms"], saw["last_failed_ms"], saw)
            self.assertEqual(saw["mixed"], 0)

    def test_late_answers_end_no_connection(self):
        self.check_one_connection(lies.only(b"HMGET", lies.late(0.1)), "late")

    def test_replies_beyond_all_bounds_end_no_connection(self):
        big = b"$2000000\r\n" + 2000000 * b"x" + b"\r\n"
        for reply in (big, b"*2\r\n:1\r\n" + big):
            self.check_one_connection(
                lies.only(b"HMGET", lies.instead(reply)), "unreadable")

    def test_who_is_refused_comes_less_and_less_often(self):
        """After pauses of a quarter of a second, a half, one, two seconds ..."""
        with LyingRedis() as server:
            server.lie = lies.instead(b"-WRONGPASS invalid password\r\n")
            began = time.monotonic()
            self.assert_never_up("^WRONGPASS ", "-p", "wrong", server.where,
                                 seconds=6)
            seconds = time.monotonic() - began
            self.assertLess(server.accepted, 5 + seconds)
            wait_until(lambda: server.accepted > 2, 60, "it comes again")

    def test_who_never_accepts(self):
        with Deaf() as server:
            self.assert_never_up("no answer in time", server.where)

    def test_words_with_controls_are_cleaned(self):
        with LyingRedis() as server:
            server.lie = lies.instead(b"-ERR \x1b[31m\xff" + 500 * b"x"
                                      + b"\r\n")
            saw = self.assert_never_up(r"^ERR \?\[31m\?x+$", "-p", "secret",
                                       server.where)
            self.assertLess(len(saw["reports"][0]["why"]), 160)


class Trouble(LinkTest):
    """Real servers in real trouble."""

    def test_nobody_listens(self):
        self.assert_never_up("^Connection refused$",
                             f"127.0.0.1:{free_port()}", seconds=1)

    def test_no_such_host(self):
        self.assert_never_up(".", "no-such-host.invalid:6379", seconds=1)

    def test_killed_and_restarted(self):
        with start_single() as server:
            self.assert_healed(
                during(server.kill, server.start, "-T", server.where),
                "closed|reset", server.where)

    def test_started_after_us(self):
        with RedisServer() as server:
            saw = during(lambda: None, server.start, "-T", server.where,
                         is_well=False)
            self.assert_healed(saw, "^Connection refused$", server.where)

    def test_frozen(self):
        with start_single() as server:
            self.assert_healed(
                during(server.freeze, server.thaw, "-T", server.where),
                "no answer in time", server.where)

    def test_frozen_while_nobody_asks(self):
        with start_single() as server:
            probe = Probe(server.where, threads=1, pause_ms=FOR_EVER)
            before = probe.wait(lambda saw: saw["ok"] == 1, "it is answered")
            server.freeze()
            try:
                probe.wait(downs, "the fault is noticed")
            finally:
                server.thaw()
            probe.wait(lambda saw: len(saw["reports"]) > 1, "it is over")
            saw = probe.finish()
            self.assertEqual(saw["asks"], before["asks"], saw)
            self.assertEqual(self.two_reports(saw)[0]["why"],
                             "no answer in time")

    def test_paused(self):
        with start_single() as server:
            saw = during(lambda: server.ask("CLIENT", "PAUSE",
                                            int(700 * pace()), "ALL"),
                         lambda: None, "-T", server.where)
            self.assert_healed(saw, "no answer in time", server.where)

    def test_clients_killed(self):
        with start_single() as server:
            saw = during(lambda: server.ask("CLIENT", "KILL", "TYPE", "normal"),
                         lambda: None, server.where, noticed=downs)
            self.assert_in_time(saw)
            self.assertRegex(self.two_reports(saw)[0]["why"], "closed|reset")

    def test_busy_with_a_script(self):
        def run_for_ever():
            try:
                with server.client() as client:
                    client.ask("EVAL", "while true do end", 0)
            except Exception:  # it is killed
                pass

        with start_single(busy_reply_threshold=int(300 * pace())) as server:
            script = threading.Thread(target=run_for_ever)
            saw = during(script.start, lambda: server.ask("SCRIPT", "KILL"),
                         server.where)
            script.join()
            self.assert_healed(saw, "no answer in time", server.where)

    def test_turned_into_a_replica(self):
        with start_single() as server:
            saw = during(
                lambda: server.ask("REPLICAOF", "127.0.0.1", free_port()),
                lambda: server.ask("REPLICAOF", "NO", "ONE"),
                "-T", server.where)
            self.assert_healed(saw, "^READONLY |is a replica|closed",
                               server.where)

    def test_replica_without_its_master(self):
        with start_single(replica_serve_stale_data="no") as server:
            saw = during(
                lambda: server.ask("REPLICAOF", "127.0.0.1", free_port()),
                lambda: server.ask("REPLICAOF", "NO", "ONE"),
                "-T", server.where)
            self.assert_healed(saw, "^MASTERDOWN |^READONLY |closed",
                               server.where)

    def test_out_of_memory(self):
        with start_single() as server:
            saw = during(lambda: server.ask("CONFIG", "SET", "maxmemory", 1),
                         lambda: server.ask("CONFIG", "SET", "maxmemory", 0),
                         "-T", server.where)
            self.assert_healed(saw, "^OOM command not allowed", server.where)

    def test_unable_to_save(self):
        with start_single(save="900 1") as server:
            def fail_to_save():
                shutil.rmtree(server.directory)
                server.ask("SET", "changed", "1")
                server.ask("BGSAVE")

            def stop_caring():
                server.ask("CONFIG", "SET", "stop-writes-on-bgsave-error",
                           "no")

            saw = during(fail_to_save, stop_caring, "-T", server.where)
            self.assert_healed(saw, "^MISCONF ", server.where)

    def test_a_command_forbidden(self):
        with start_single() as server:
            saw = during(
                lambda: server.ask("ACL", "SETUSER", "default", "-hincrby"),
                lambda: server.ask("ACL", "SETUSER", "default", "+hincrby"),
                "-T", server.where)
            self.assert_healed(saw, "^NOPERM .*hincrby", server.where)

    def test_password_set_while_we_run(self):
        with start_single() as server:
            def demand():
                server.ask("CONFIG", "SET", "requirepass", "secret")
                server.password = "secret"
                server.ask("CLIENT", "KILL", "TYPE", "normal")

            saw = during(demand,
                         lambda: server.ask("CONFIG", "SET", "requirepass", ""),
                         server.where)
            self.assert_healed(saw, "closed|reset|^NOAUTH ", server.where)

    def test_loading(self):
        with start_single() as server:
            with server.client() as client:
                client.pipeline([("SET", i, i) for i in range(2000)])
                client.ask("SAVE")
            server.kill()
            server.settings["key-load-delay"] = int(500 * pace())  # us
            server.settings["loading-process-events-interval-bytes"] = 1024
            saw = during(lambda: None, lambda: server.start(wait=False),
                         server.where, is_well=False)
            self.assert_in_time(saw)
            self.assertGreater(saw["ok"], 0)
            self.two_reports(saw)

    def test_full_of_clients(self):
        with start_single(maxclients=1) as server:
            with server.client():
                self.assert_never_up("^ERR max number of clients",
                                     server.where, seconds=1)


class Access(LinkTest):
    def check(self, *arguments):
        self.assert_healthy("-T", *arguments, threads=8)

    def test_plain(self):
        with start_single() as server:
            self.check(server.where)

    def test_idle_time_limit_of_the_server(self):
        with start_single(timeout=3) as server:
            probe = Probe(server.where, threads=1, pause_ms=FOR_EVER)
            probe.wait(lambda saw: saw["ok"] == 1, "it is answered")
            self.assertEqual(probe.run(5).finish()["reports"], [])

    def test_ipv6(self):
        with start_single(bind="::1") as server:
            self.check(server.where)

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "redis.sock")
            with start_single(unixsocket=path):
                self.check(path)
                self.check("unix:" + path)

    def test_password(self):
        with start_single(requirepass="secret") as server:
            self.check("-p", "secret", server.where)
            self.assert_never_up("^NOAUTH ", server.where)
            self.assert_never_up("^WRONGPASS ", "-p", "wrong", server.where)

    def test_user(self):
        with start_single() as server:
            server.ask("ACL", "SETUSER", "mta", "reset", "on", ">secret",
                       "~probe:*", "+hincrby", "+hmget", "+hsetnx", "+expire",
                       "+echo", "+multi", "+exec")
            self.check("-u", "mta", "-p", "secret", server.where)
            self.assert_never_up("^WRONGPASS ", "-u", "mta", "-p", "wrong",
                                 server.where)

    def test_database(self):
        with start_single() as server:
            self.check("-d", "3", server.where)
            self.assertEqual(server.ask("DBSIZE"), 0)
            with server.client() as client:
                client.ask("SELECT", 3)
                self.assertGreater(client.ask("DBSIZE"), 0)
            self.assert_never_up("^ERR DB index is out of range", "-d", "99",
                                 server.where)


if __name__ == "__main__":
    cases.main()
