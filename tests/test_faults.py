"""Redis in trouble: the failure rule decides, in time, until it is over.

Each row of the table that is printed at the end is one fault: a crowd of 50
parallel sessions goes on while it begins and ends.  Its figures: the sessions,
how many of them the failure rule decided, the worst time of a decision, the
time from the end of the fault until every client is judged by the store again,
and what the log said, which must be one line at the start and one at the end.

OVERLOAD_SECONDS sets for how long all answers are late, FAULT_SECONDS how long
each other fault lasts, FAULT_SLACK_MS by how much a
decision may miss the deadline before the test fails (what it missed it by is
in the table), beyond what a thread of the crowd wakes up late at worst.  All
times are for an idle machine: see lib/pace.py.
"""

import os
import shutil
import socket
import threading
import time
import unittest

from lib import cases, farm, lying_redis as lies
from lib.crowd import BOB, Crowd, nameless
from lib.daemon import reference, wait_for
from lib.farm import FAULT, INTERNAL, friend, redis, stranger
from lib.lying_proxy import LyingProxy, SlowProxy
from lib.pace import milliseconds, pace, sleep
from lib.policies import GREYLISTED
from lib.redis_servers import RedisError, RedisServer, free_port, start_single
from lib.table import Table

ALICE = "<alice@sender.example>"
SESSIONS = 50
DEADLINE_MS = 200
LASTS = float(os.environ.get("FAULT_SECONDS", "0.5"))
SLACK_MS = float(os.environ.get("FAULT_SLACK_MS", "300"))
OVERLOAD = float(os.environ.get("OVERLOAD_SECONDS", "1"))
HEALS = 5.0  # seconds in which it must be over
PATIENCE = 60

FRIENDS = [friend(number) for number in range(SESSIONS // 2)]
CROWD = FRIENDS + [stranger(number) for number in range(SESSIONS // 2)]

TABLE = Table(f"{SESSIONS} parallel sessions, deadline {DEADLINE_MS} ms",
              "fault", "sessions", "by rule", "worst ms", "heals s", "log")


def tearDownModule():
    TABLE.print()


def from_store(address, since=0.0):
    """Is it the store's answer to this client, asked for since then?"""
    return lambda decision: (decision.address == address
                             and decision.began >= since
                             and decision.answer == GREYLISTED)


def by_rule(decision):
    """Is it the failure rule's answer to this client?"""
    return decision.answer == \
        ("accepted" if decision.address in FRIENDS else INTERNAL)


def milter_for(where, password=None):
    section = {"deadline": milliseconds(DEADLINE_MS)}
    if password is not None:
        section["password_file"] = "@DIR@/password"
    milter = farm.daemon(redis(where, **section), faults=True)
    if password is not None:
        farm.put(milter, "password", password)
    return milter


def words_of(line):
    """What is said of a fault, without where."""
    return line.split(": ", 1)[1]


class FaultTest(unittest.TestCase):
    is_late = False  # only: who is not answered in time waits as a stranger

    def run_fault(self, name, where, words, begin, end, password=None):
        """One row.  `begin` None: the fault is there before the daemon."""
        with milter_for(where, password) as milter:
            with Crowd(milter, CROWD, pause=0.6) as crowd:
                if begin is not None:
                    self.assert_healthy(crowd)
                heals = self.go_through(name, crowd, begin, end)
                milter.wait_log(FAULT + " is well again")
            self.judge(name, milter, crowd, words, heals)

    def go_through(self, name, crowd, begin, end):
        """Let the fault begin and end; how long it then takes to heal."""
        try:
            if begin is not None:
                begin()
            if self.is_late:
                crowd.milter.wait_log(FAULT + ": ")
            else:
                crowd.wait_each([lambda d: d.answer == "accepted",
                                 lambda d: d.answer == INTERNAL],
                                PATIENCE, f"{name}: the failure rule decides")
            sleep(LASTS)
        finally:
            end()
        ended = time.monotonic()
        first = crowd.wait_each(
            [from_store(address, ended) for address in CROWD],
            (HEALS + LASTS) * pace(),
            f"{name}: the store answers each client again")
        return max(decision.ended for decision in first) - ended

    def assert_healthy(self, crowd):
        crowd.wait_each([from_store(address) for address in CROWD],
                        PATIENCE, "the store answers each client")

    def judge(self, name, milter, crowd, words, heals):
        log = farm.said_of_redis(milter)
        ruled = [d for d in crowd.decisions if d.answer != GREYLISTED]
        TABLE.add(name, len(crowd.decisions), len(ruled), crowd.worst_ms(),
                  heals, words_of(log[0]))
        self.assertEqual([d for d in ruled if not by_rule(d)], [],
                         "neither the store nor the failure rule")
        self.assertEqual(
            [d for d in milter.decisions() if d["verdict"] == "accept"
             and d["rule"] != "friends"], [])
        self.assertLessEqual(
            crowd.worst_ms(),
            (DEADLINE_MS + SLACK_MS) * pace() + 3000 * crowd.late)
        # Where a thread that only sleeps wakes up late by a good part of the
        # deadline, so does a server, and more may follow.
        if 1000 * crowd.late < DEADLINE_MS * pace() / 10 and pace() < 2:
            self.assertEqual(len(log), 2, log)
            self.assertRegex(log[1], f"{FAULT} is well again")
        self.assertRegex("\n".join(log), f"{FAULT}: .*(?:{words})")


class Real(FaultTest):
    """Real servers in real trouble."""

    def test_refused(self):
        with RedisServer() as server:
            self.run_fault("refused", server.where, "Connection refused",
                           None, server.start)

    def test_black_holed(self):
        """It listens and never accepts: further connections hang."""
        with RedisServer() as server:
            hole = BlackHole(server.port)

            def end():
                hole.close()
                server.start()

            self.run_fault("black hole", server.where, "no answer in time",
                           None, end)

    def test_hung(self):
        with start_single() as server:
            self.run_fault("hung (SIGSTOP)", server.where,
                           "no answer in time", server.freeze, server.thaw)

    def test_killed_and_restarted(self):
        with start_single() as server:
            self.run_fault("killed, restarted", server.where, "closed|reset",
                           server.kill, server.start)

    def test_loading(self):
        with start_single(enable_debug_command="yes") as server:
            with server.client() as client:
                client.pipeline([("SET", f"other:{i}", i) for i in range(3000)])
                client.pipeline([
                    ("CONFIG", "SET", "key-load-delay", int(700 * pace())),
                    ("CONFIG", "SET",
                     "loading-process-events-interval-bytes", "1024")])
            reload = threading.Thread(target=server.ask,
                                      args=("DEBUG", "RELOAD"))
            self.run_fault("LOADING", server.where, "LOADING ", reload.start,
                           reload.join)

    def test_turned_into_a_replica(self):
        with start_single() as server:
            self.run_fault(
                "READONLY", server.where, "READONLY |is a replica",
                lambda: server.ask("REPLICAOF", "127.0.0.1", free_port()),
                lambda: server.ask("REPLICAOF", "NO", "ONE"))

    def test_replica_without_its_master(self):
        with start_single(replica_serve_stale_data="no") as server:
            self.run_fault(
                "MASTERDOWN", server.where, "MASTERDOWN |READONLY ",
                lambda: server.ask("REPLICAOF", "127.0.0.1", free_port()),
                lambda: server.ask("REPLICAOF", "NO", "ONE"))

    def test_out_of_memory(self):
        with start_single(maxmemory_policy="noeviction") as server:
            self.run_fault(
                "OOM", server.where, "OOM command not allowed",
                lambda: server.ask("CONFIG", "SET", "maxmemory", 1),
                lambda: server.ask("CONFIG", "SET", "maxmemory", 0))

    def test_unable_to_save(self):
        with start_single(save="900 1") as server:
            def begin():
                shutil.rmtree(server.directory)
                server.ask("SET", "other:changed", 1)
                server.ask("BGSAVE")

            self.run_fault(
                "MISCONF", server.where, "MISCONF ", begin,
                lambda: server.ask("CONFIG", "SET",
                                   "stop-writes-on-bgsave-error", "no"))

    def test_a_script_that_does_not_end(self):
        with start_single(busy_reply_threshold=1) as server:
            script = threading.Thread(target=run_for_ever, args=(server,))

            def end():
                server.ask("SCRIPT", "KILL")
                script.join()

            self.run_fault("BUSY", server.where, "BUSY ", script.start, end)

    def test_a_password_is_wanted(self):
        with start_single(requirepass="secret") as server:
            self.run_fault(
                "NOAUTH", server.where, "NOAUTH ", None,
                lambda: server.ask("CONFIG", "SET", "requirepass", ""))

    def test_another_password_is_wanted(self):
        with start_single(requirepass="right") as server:
            self.run_fault(
                "WRONGPASS", server.where, "WRONGPASS ", None,
                lambda: server.ask("CONFIG", "SET", "requirepass", "wrong"),
                password="wrong")

    def test_looking_up_is_forbidden(self):
        self.forbid("hmget")

    def test_writing_is_forbidden(self):
        self.forbid("hsetnx")

    def forbid(self, command):
        with start_single() as server:
            def acl(sign):
                server.ask("ACL", "SETUSER", "default", sign + command)

            self.run_fault(f"NOPERM {command}", server.where,
                           f"NOPERM .*{command}",
                           lambda: acl("-"), lambda: acl("+"))

    def test_too_many_clients(self):
        with start_single(maxclients=1) as server, server.client() as client:
            self.run_fault(
                "maxclients", server.where, "ERR max number of clients",
                None, lambda: client.ask("CONFIG", "SET", "maxclients", 100))


class GoodStanding(unittest.TestCase):
    """While Redis is away, whom a policy knows that defers strangers."""

    POLICY = (farm.RESPONSES
              + 'rule "known" { known = true  verdict = accept }\n'
              + farm.STORE_IS_AWAY + farm.strangers("1s"))

    def test_who_was_known_lately_passes(self):
        with start_single() as server:
            section = redis(server.where, deadline=milliseconds(DEADLINE_MS))
            milter = farm.daemon(section + "known_after = 1\n",
                                 self.POLICY, faults=True)
            with milter:
                wait_for(lambda: ask(milter, stranger(1)) == "accepted",
                         "it has passed", milter.log)
                self.assertEqual(ask(milter, stranger(1)), "accepted")
                for begin, end in ((server.freeze, server.thaw),
                                   (server.kill, server.start)):
                    begin()
                    self.assertEqual(ask(milter, stranger(1)), "accepted")
                    wait_for(lambda: ask(milter, stranger(2)) == INTERNAL,
                             "late for a while, then away", milter.log)
                    self.assertEqual(ask(milter, stranger(1)), "accepted")
                    end()
                    wait_for(lambda: ask(milter, stranger(3)) == GREYLISTED,
                             "the store is back", milter.log)


class Rotation(unittest.TestCase):
    def test_a_password_that_is_replaced(self):
        """Without a restart, and without a word to the daemon."""
        with start_single(requirepass="old") as server:
            milter = milter_for(server.where, "old")
            with milter:
                wait_for(lambda: ask(milter, stranger(1)) == GREYLISTED,
                         "the store answers", milter.log)
                farm.put(milter, "password", "new")
                server.ask("CONFIG", "SET", "requirepass", "new")
                server.password = "new"
                server.ask("CLIENT", "KILL", "TYPE", "normal")
                wait_for(lambda: "is well again" in str(milter.log()[-5:])
                         or ask(milter, stranger(2)) == GREYLISTED,
                         "the new password is used", milter.log)
                wait_for(lambda: ask(milter, stranger(3)) == GREYLISTED,
                         "the store answers", milter.log)

    def test_a_wrong_password_that_is_mended_is_used_at_once(self):
        """However long it was wrong, and however long the pauses are."""
        with start_single(requirepass="right") as server:
            milter = milter_for(server.where, "wrong")
            with milter:
                milter.wait_log(FAULT + ": WRONGPASS ")
                time.sleep(4)
                farm.put(milter, "password", "right")
                began = time.monotonic()
                milter.wait_log(FAULT + " is well again")
                self.assertLess(time.monotonic() - began,
                                4 * pace() + 10 * reference())


class Overload(unittest.TestCase):
    """Every call is answered, and every answer is late."""

    POLICY = (farm.RESPONSES
              + 'rule "away" { store_down = true  verdict = accept }\n'
              + 'rule "late" { store_late = true  verdict = defer  '
                'response = "internal-resource" }\n'
              + farm.strangers())
    RECIPIENTS = [f"<user{number}@local.test>" for number in range(128)]

    def test_nobody_gets_in_because_answers_are_late(self):
        clients = [stranger(number) for number in range(100)]
        with start_single() as server, SlowProxy(server) as proxy:
            milter = farm.daemon(
                redis(proxy.where, deadline=milliseconds(DEADLINE_MS)),
                self.POLICY, faults=True)
            with milter:
                wait_for(lambda: ask(milter, stranger(200)) == GREYLISTED,
                         "the store answers", milter.log)
                before = len(milter.decisions())
                proxy.delay = 2.5 * DEADLINE_MS * pace() / 1000
                links = proxy.clients
                with Crowd(milter, clients, pause=0,
                           recipients=self.RECIPIENTS) as crowd:
                    sleep(OVERLOAD)
                proxy.delay = 0.0
                ended = time.monotonic()
                wait_for(lambda: ask(milter, stranger(201)) == GREYLISTED,
                         "all is normal", milter.log)
                heals = time.monotonic() - ended
                by_fault = [d for d in milter.decisions()[before:]
                            if d["rule"] == "away"]
        TABLE.add("all answers late", len(crowd.decisions), len(by_fault),
                  crowd.worst_ms(), heals, "")
        self.assertEqual(by_fault, [])
        self.assertEqual({d.answer for d in crowd.decisions}
                         - {GREYLISTED, INTERNAL}, set())
        self.assertEqual(proxy.clients, links, "the connection was lost")
        self.assertLess(heals, 1 * pace() + 3 * crowd.late)


class Full(unittest.TestCase):
    def test_no_deferral_is_pretended_however_few_clients_come(self):
        """A first attempt that cannot be stored would wait for ever."""
        with start_single(maxmemory=1) as server, \
                milter_for(server.where) as milter:
            milter.wait_log(FAULT + ": OOM")
            for number in range(2):
                time.sleep(2.5)
                self.assertEqual(ask(milter, stranger(number)), INTERNAL)


class NoRule(unittest.TestCase):
    def test_without_a_rule_about_it_mail_is_accepted(self):
        policy = farm.RESPONSES + farm.strangers()
        where = f"127.0.0.1:{free_port()}"
        with farm.daemon(redis(where), policy, faults=True) as milter:
            self.assertEqual(ask(milter, stranger(1)), "accepted")


def ask(milter, address):
    """One message; the text of its deferral, or "accepted"."""
    with milter.client() as client:
        outcome = client.begin(nameless(address), address).message(
            ALICE, [BOB])
    return "accepted" if outcome.accepted else outcome.text


class BlackHole:
    """A listener whose queue is full and who never takes anybody out."""

    def __init__(self, port):
        address = ("127.0.0.1", port)
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(address)
        self.listener.listen(0)
        self.fillers = [socket.socket() for _ in range(4)]
        for filler in self.fillers:
            filler.setblocking(False)
            filler.connect_ex(address)

    def close(self):
        for link in (self.listener, *self.fillers):
            link.close()


def run_for_ever(server):
    try:
        server.ask("EVAL", "while true do end", 0)
    except RedisError:  # it is killed
        pass


class Liar(FaultTest):
    """What no honest server does, by a proxy in front of a real one."""

    def lie(self, name, lie, words):
        with start_single() as server, LyingProxy(server) as proxy:
            self.run_fault(name, proxy.where, words,
                           lambda: setattr(proxy, "lie", lie),
                           lambda: setattr(proxy, "lie", None))

    def test_no_answer(self):
        self.lie("no answer", lies.silent, "no answer in time")

    def test_half_an_answer(self):
        self.is_late = True  # and then nothing comes any more
        self.lie("half a reply", lies.but_login(lies.half),
                 "no answer in time")

    def test_garbage(self):
        self.lie("garbage", lies.instead(b"\0\r\nnonsense"),
                 "Protocol error")

    def test_resp3(self):
        self.lie("RESP3", lies.instead(b"%1\r\n+a\r\n+b\r\n"),
                 "Protocol error|type that was not asked for")

    def test_an_answer_that_nobody_asked_for(self):
        self.lie("unsolicited reply", lies.but_login(lies.after(b"+OK\r\n")),
                 "a reply that nobody asked for")

    def test_an_answer_after_its_deadline(self):
        self.is_late = True
        self.lie("late reply", lies.but_login(lies.late(0.4)),
                 "no answer in time")

    def test_answers_that_drip(self):
        self.is_late = True
        self.lie("dripping reply", lies.but_login(lies.dripping(0.05)),
                 "no answer in time")


if __name__ == "__main__":
    cases.main()
