"""What is remembered, moved: between stores, and from other programs.

PGCLIENTS=10000 makes the real postgrey remember as many clients.
"""

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
import unittest

from lib import cases, farm
from lib.ctl import Ctl
from lib.daemon import Daemon, PATIENCE, wait_for
from lib.redis_servers import start_cluster, start_sentinel_set, start_single
from test_trust import send, strangers

CLIENT = "198.51.100.7"
SECRET = "the same on all of the servers that are here"
PG_CLIENTS = int(os.environ.get("PGCLIENTS") or 150)


@contextlib.contextmanager
def directory():
    path = tempfile.mkdtemp(prefix="milter-defer-test.")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def daemon(head="", secret=SECRET, delay="1h", policy=None):
    milter = Daemon("")
    path = os.path.join(milter.directory, "secret")
    if secret:
        with open(path, "w", opener=lambda name, flags:
                  os.open(name, flags, 0o600)) as file:
            file.write(secret + "\n")
        head = f'secret_file = "{path}"\n' + head
    milter.configure(strangers(head, delay) if policy is None
                     else head + policy)
    with milter:
        milter.wait_log("serving")  # and so the control socket is there
        yield milter


def redis_head(servers, mode="single"):
    listed = ", ".join(f'"{server}"' for server in servers)
    return (f'redis {{ servers = {{{listed}}}  mode = {mode}\n'
            '    deadline = 2s }\n')


def records(lines):
    """Of an export: {name: the record}, where one is cut the parts together."""
    found = {}
    for line in lines.splitlines():
        one = json.loads(line)
        if one["kind"] != "record":
            continue
        first = found.setdefault(one["client"], one)
        if first is not one:
            first.setdefault("clocks", []).extend(one.get("clocks", []))
    return found


def facts(lines):
    """What an import has to keep."""
    return {name: (record["known"],
                   sorted((trust.get("address", ""), trust["passes"])
                          for trust in record.get("trust", [])),
                   sorted((clock.get("pair", ""), clock.get("address", ""),
                           clock.get("first", 0), clock.get("passed", 0))
                          for clock in record.get("clocks", [])))
            for name, record in records(lines).items()}


def fill(milter):
    """A known client, one of an organisation, one that waits."""
    ctl = Ctl(milter)
    waits = "\n".join(json.dumps(line) for line in [
        {"kind": "milter-defer clients", "version": 1},
        {"kind": "client", "client": "203.0.113.9", "known": True, "passes": 7,
         "used": int(time.time()) - 50, "pairs": [
             {"sender": "a@example.org", "recipient": "Bob@local.test",
              "passed": int(time.time()) - 50}]},
        {"kind": "total"}]) + "\n"
    assert send(milter, "192.0.2.9") is False
    status, out, err = ctl.run("import", stdin=waits)
    assert status == 0, (out, err)


def export(milter):
    return Ctl(milter).say("export")


def take(milter, lines, *options):
    """(status, the object that sums it up, what was complained of)."""
    status, out, err = Ctl(milter).run("--json", "import", *options,
                                       stdin=lines)
    objects = [json.loads(line) for line in out.splitlines()]
    done = [one for one in objects if one["kind"] == "imported"]
    bad = [one["text"] for one in objects
           if one["kind"] in ("error", "warning")]
    return status, (done or [None])[0], "\n".join(bad) + complaints(err)


def complaints(err):
    """Without the line of the log, which also goes to standard error."""
    return "".join(line for line in err.splitlines(True)
                   if not line.startswith("control user="))


class Between(unittest.TestCase):
    """Stores of any kind, in both directions."""

    def assert_moved(self, before, after):
        self.assertTrue(before)
        self.assertEqual(facts(after), facts(before))

    def move(self, head):
        """From an embedded store to that one, and to another embedded one."""
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(daemon())
            fill(first)
            become_known_at_once(self, first)
            lines = export(first)
            there = stack.enter_context(daemon(head))
            for _ in range(2):  # the second time changes nothing
                status, done, err = take(there, lines)
                self.assertEqual((status, done["bad"], err), (0, 0, ""))
            wait_for(lambda: facts(export(there)) == facts(lines), "it is there")
            back = stack.enter_context(daemon())
            status, done, err = take(back, export(there))
            self.assertEqual((status, done["bad"], err), (0, 0, ""))
            self.assert_moved(lines, export(back))
            for milter in there, back:
                self.assertTrue(
                    send(milter, "203.0.113.9", "<new@other.example>"))
                self.assertFalse(
                    send(milter, "203.0.113.10", "<new@other.example>"))

    def test_embedded(self):
        self.move("")

    def test_redis(self):
        with start_single() as redis:
            self.move(redis_head([redis.where]))

    def test_sentinel(self):
        with start_sentinel_set() as servers:
            head = redis_head(servers.addresses, "sentinel")
            self.move(head.replace("deadline", "master_name = "
                                   f'"{servers.master_name}"  deadline'))

    def test_cluster(self):
        with start_cluster() as cluster:
            self.move(redis_head(cluster.addresses, "cluster"))

    def test_with_no_more_rights_than_the_manual_gives(self):
        with open(os.path.join(os.environ.get("srcdir", "."), "milter", "man",
                               "milter-defer-redis.5")) as file:
            rights = file.read().partition("ACL SETUSER mdefer reset on ")[2]
        words = rights.partition(".Ed")[0].replace("password", "pw").split()
        with start_single() as redis, directory() as where:
            redis.ask("ACL", "SETUSER", "mdefer", "reset", "on", *words)
            path = os.path.join(where, "password")
            with open(path, "w", opener=lambda name, flags:
                      os.open(name, flags, 0o600)) as file:
                file.write("pw\n")
            head = (f'redis {{ servers = {{"{redis.where}"}}  deadline = 2s\n'
                    f'    user = "mdefer"  password_file = "{path}" }}\n')
            with daemon(head) as milter:
                status, done, err = take(milter, clients(50))
                self.assertEqual((status, done["records"], err), (0, 50, ""))
                self.assertEqual(len(records(export(milter))), 50)
                redis.ask("ACL", "SETUSER", "mdefer", "-scan")
                status, _, err = Ctl(milter).run("export")
                self.assertEqual(status, 2)
                self.assertIn("the store is away", err)
                self.assertIn("NOPERM", err)

    def test_all_of_a_cluster(self):
        """Records lie on every master, and a page is not all of them."""
        with start_cluster() as cluster, \
                daemon(redis_head(cluster.addresses, "cluster")) as milter:
            status, done, err = take(milter, clients(3000))
            self.assertEqual((status, done["records"], err), (0, 3000, ""))
            found = records(export(milter))
            self.assertEqual(len(found), 3000)


    def test_an_export_is_whole_though_a_master_changes(self):
        """What comes twice by that does no harm, nothing is left out."""
        with start_cluster() as cluster, \
                daemon(redis_head(cluster.addresses, "cluster")) as milter:
            milter.expect(r"Redis|127\.0\.0\.1|hangs")
            self.assertEqual(take(milter, clients(6000))[0], 0)
            running = Ctl(milter).start("export")
            lines = [running.stdout.readline() for _ in range(300)]
            for node in cluster.nodes:
                with node.client() as client:
                    if client.ask("ROLE")[0] == "slave":
                        client.ask("CLUSTER", "FAILOVER")
                        break
            lines += running.stdout.readlines()
            running.stdout.close()
            self.assertEqual(running.wait(PATIENCE), 0)
            self.assertEqual(len(records("".join(lines))), 6000)


def become_known_at_once(case, milter):
    """By hand, as a record of an organisation."""
    lines = "\n".join(json.dumps(line) for line in [
        header(milter), {
            "kind": "record", "client": "shop.example", "known": True,
            "expires": int(time.time()) + 900000, "points": True, "good": 9.5,
            "trust": [{"passes": 4, "used": int(time.time())}]},
        {"kind": "total", "records": 1}]) + "\n"
    status, _, err = take(milter, lines)
    case.assertEqual((status, err), (0, ""))
    case.assertTrue(send(milter, "192.0.2.77", "<orders@shop.example>",
                         name="mail.shop.example", resolve="OK"))


def header(milter):
    return json.loads(export(milter).splitlines()[0])


def clients(count, first=0):
    """Lines of as many known clients."""
    lines = ['{"kind":"milter-defer clients","version":1}']
    lines += [f'{{"kind":"client","client":"{address(number)}","known":true}}'
              for number in range(first, first + count)]
    return "\n".join([*lines, '{"kind":"total"}']) + "\n"


def address(number):
    """Each in a network of its own."""
    return f"100.{64 + number // 65536}.{number // 256 % 256}.{number % 256}" \
        if number < 0 else \
        f"{20 + number // 65536}.{number // 256 % 256}.{number % 256}.9"


class Care(unittest.TestCase):
    """Nothing is lost, nobody is worse off, nothing is believed."""

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.milter = stack.enter_context(daemon())

    def test_what_is_cut_off_is_told_and_may_be_given_again(self):
        lines = clients(200)
        status, done, err = take(self.milter, lines[:len(lines) // 2])
        self.assertEqual(status, 2)
        self.assertIn("it is cut off", err)
        self.assertGreater(done["records"], 90)
        part = len(records(export(self.milter)))
        self.assertGreater(part, 90)
        status, done, err = take(self.milter, lines)
        self.assertEqual((status, done["records"], err), (0, 200, ""))
        self.assertEqual(len(records(export(self.milter))), 200)

    def test_nobody_is_worse_off(self):
        fill(self.milter)
        before = facts(export(self.milter))
        head = header(self.milter)
        worse = [head]
        for name in before:
            worse.append({
                "kind": "record", "client": name, "known": False,
                "expires": int(time.time()) + 600, "points": True, "bad": 500,
                "hosts": [{"host": 9, "bad": 500}],
                "trust": [{"address": address, "passes": 1, "used": 5}
                          for address, _ in before[name][1]],
                "clocks": [{"pair": pair, "address": address,
                            "first": int(time.time())}
                           for pair, address, *_ in before[name][2]]})
        worse.append({"kind": "total", "records": len(before)})
        lines = "\n".join(json.dumps(line) for line in worse) + "\n"
        status, _, err = take(self.milter, lines)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(facts(export(self.milter)), before)
        self.assertNotIn('"bad"', export(self.milter))

    def test_another_secret_is_told(self):
        fill(self.milter)
        lines = export(self.milter)
        with daemon(secret="quite another one for quite another host") as other:
            status, _, err = take(other, lines)
            self.assertEqual(status, 2)
            self.assertIn("made with another secret_file", err)
            self.assertEqual(records(export(other)), {})
            status, done, err = take(other, lines, "--clients-only")
            self.assertEqual((status, err), (0, ""))
            self.assertFalse(send(other, "203.0.113.9", "<a@example.org>"))

    def test_a_key_can_be_taken_along(self):
        with daemon(secret=None) as own:
            fill(own)
            lines = export(own)
            key = Ctl(own).say("secret").strip()
        self.assertRegex(key, "^key:[0-9a-f]{64}$")
        with start_single() as redis, \
                daemon(redis_head([redis.where]), secret=key) as farm:
            status, _, err = take(farm, lines)
            self.assertEqual((status, err), (0, ""))
            self.assertTrue(send(farm, "203.0.113.9", "<new@other.example>"))

    BAD = {  # input -> what is said
        "": "there is nothing to read",
        "192.0.2.1 foo\n": "was not written by export",
        '{"kind":"what"}\n': "was not written by export",
        '{"kind":"milter-defer records","version":2,"key":"x"}\n':
            "of version 2, and this milter-deferctl reads up to 1",
        '{"kind":"milter-defer clients","version":99}\n': "of version 99",
        "\1\2\n": "was not written by export",
    }

    def test_what_is_no_export_is_refused(self):
        for text, said in self.BAD.items():
            with self.subTest(text):
                status, _, err = take(self.milter, text)
                self.assertEqual(status, 2)
                self.assertIn(said, err)

    BAD_LINES = (
        '{"kind":"record"}',
        '{"kind":"record","client":"192.0.2.7/24"}',
        '{"kind":"record","client":"nonsense name"}',
        '{"kind":"record","client":"192.0.2.0/24","expires":-1}',
        '{"kind":"record","client":"192.0.2.0/24","expires":"soon"}',
        '{"kind":"record","client":"192.0.2.0/24","points":true,"good":-5}',
        '{"kind":"record","client":"192.0.2.0/24","points":true,"good":1e99}',
        '{"kind":"record","client":"192.0.2.0/24","hosts":[{"host":256}]}',
        '{"kind":"record","client":"192.0.2.0/24","hosts":7}',
        '{"kind":"record","client":"192.0.2.0/24","trust":[{"address":"x"}]}',
        '{"kind":"record","client":"192.0.2.0/24","clocks":[{"first":5,'
        '"passed":6}]}',
        '{"kind":"record","client":"192.0.2.0/24","clocks":[{"pair":"a b c d'
        'e","first":5}]}',
        '{"kind":"record","client":"192.0.2.0/24","clocks":[{"first":5,'
        '"space":"outer"}]}',
        '{"kind":"record","client":"192.0.2.0/24","clocks":[{"first":5,'
        '"host":3,"network":"<x>"}]}',
        "[1,2]", "null", "{", "nonsense")

    def test_bad_lines_are_counted_and_told_and_the_rest_is_taken(self):
        good = ('{"kind":"record","client":"192.0.2.0/24","expires":'
                f'{int(time.time()) + 500},"known":true,"trust":[{{"passes":5}}]}}')
        lines = "\n".join([json.dumps(header(self.milter)), *self.BAD_LINES,
                           good, '{"kind":"total","records":1}']) + "\n"
        status, done, err = take(self.milter, lines)
        self.assertEqual(status, 2)
        self.assertEqual((done["records"], done["bad"]),
                         (1, len(self.BAD_LINES)))
        self.assertIn("line 2: ", err)
        self.assertIn(f"{len(self.BAD_LINES)} lines could not be read", err)
        self.assertEqual(list(records(export(self.milter))), ["192.0.2.0/24"])

    def test_a_dry_run_changes_nothing(self):
        status, done, _ = take(self.milter, clients(5), "--dry-run")
        self.assertEqual((status, done["records"]), (0, 5))
        self.assertEqual(records(export(self.milter)), {})

    def test_how_far_it_is_stands_beside_the_data(self):
        status, out, err = Ctl(self.milter).run("export")
        self.assertEqual((status, err), (0, ""))
        status, out, err = Ctl(self.milter).run("import", "--progress",
                                                stdin=clients(3000))
        self.assertEqual(status, 0)
        self.assertRegex(err, r"^(\d+ records\n)+$")
        status, out, err = Ctl(self.milter).run("export", "--progress")
        self.assertRegex(err, r"^(\d+ records\n)+$")
        for line in out.splitlines():
            self.assertNotIn("progress", json.loads(line)["kind"])

    def test_memory_is_bounded(self):
        """The tool's, whatever the number of records."""
        def peak(count):
            script = ("import json, os, subprocess, sys\n"
                      "process = subprocess.Popen(sys.argv[1:])\n"
                      "_, status, usage = os.wait4(process.pid, 0)\n"
                      "print(usage.ru_maxrss, file=sys.stderr)\n")
            done = subprocess.run(
                ["python3", "-c", script, *Ctl(self.milter).head, "import"],
                input=clients(count), text=True, capture_output=True)
            return int(done.stderr.split()[-1])
        few, many = peak(10), peak(20000)
        self.assertLess(many - few, 4096)  # kilobytes


def postgrey_is_there():
    return shutil.which("postgrey") is not None


class Lives(unittest.TestCase):
    @unittest.skipUnless(shutil.which("redis-server"), "no redis-server here")
    def test_what_comes_in_pieces_lives_no_longer(self):
        """All of one network, which Redis is told in many pieces."""
        redis = start_single()
        self.addCleanup(redis.stop)
        lines = ['{"kind":"milter-defer clients","version":1}']
        lines += [json.dumps({"kind": "client", "known": True,
                              "client": f"198.51.100.{number % 256}",
                              "used": int(time.time())})
                  for number in range(1000)]
        lines.append('{"kind":"total"}')
        with farm.daemon(farm.redis(redis.where)) as milter:
            wait_for(lambda: redis.ask("EXISTS", "mdefer:1:load"), "it is up")
            for _ in range(3):
                status, _, _ = take(milter, "\n".join(lines) + "\n")
                self.assertEqual(status, 0)
        for key in redis.ask("KEYS", "*198.51.100*"):
            self.assertLess(int(redis.ask("TTL", key)), 36 * 86400 * 1.11)
            self.assertGreater(int(redis.ask("TTL", key)), 30 * 86400)


class Postgrey:
    """The real one, and what a mail server asks of it."""

    def __init__(self, where, *options):
        self.where = where
        self.database = os.path.join(where, "db")
        os.makedirs(self.database, exist_ok=True)
        path = os.path.join(where, "socket")
        user, group = ("root", "root") if os.geteuid() == 0 else (
            str(os.geteuid()), str(os.getegid()))
        self.process = subprocess.Popen(
            ["postgrey", f"--unix={path}", f"--dbdir={self.database}",
             f"--user={user}", f"--group={group}", "--delay=60", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.socket = wait_for(lambda: self.connect(path), "postgrey listens")
        self.file = self.socket.makefile("rw")

    @staticmethod
    def connect(path):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(PATIENCE)
        try:
            client.connect(path)
        except OSError:
            client.close()
            return None
        return client

    def ask(self, number, at, sender, client=None, user="bob"):
        """What it answers; `at` is what time it is."""
        asked = {"request": "smtpd_access_policy",
                 "client_address": client or pg_address(number),
                 "client_name": "unknown", "sender": sender,
                 "recipient": f"{user}@local.test",
                 "instance": f"{number}.{at}",
                 "policy_test_time": at}
        self.file.write("".join(f"{name}={value}\n"
                                for name, value in asked.items()) + "\n")
        self.file.flush()
        answer = self.file.readline()
        self.file.readline()
        return answer

    def stop(self):
        """As its service does, so that it writes all it knows.

        A signal before its loop kills it: it is asked first, for a recipient of
        whom it keeps nothing.  One within the loop is seen only when a client
        does something: so the connection ends after the signal.
        """
        assert "DUNNO" in self.ask(0, 0, "", user="postmaster")
        self.process.terminate()
        self.hang_up()

    def kill(self):
        self.process.kill()
        self.hang_up()

    def hang_up(self):
        self.file.close()
        self.socket.close()
        self.process.wait(PATIENCE)


def pg_address(number):
    """Some share a network."""
    if number % 10 == 0:
        return f"2001:db8:{number:x}::25"
    return f"{11 + number // 20000}.{number // 100 % 200}." \
        f"{number // 2 % 50}.{1 + number % 200}"


def word(number):
    return "".join("bcdfghjklm"[int(digit)] for digit in str(number))


def sender_of(number):
    return f"ann@{word(number)}.example"


@unittest.skipUnless(postgrey_is_there(), "needs postgrey")
class FromPostgrey(unittest.TestCase):
    """The real one lets clients in, and they are let in here."""

    @classmethod
    def setUpClass(cls):
        cls.where = tempfile.mkdtemp(prefix="milter-defer-test.")
        cls.addClassCleanup(shutil.rmtree, cls.where, ignore_errors=True)
        server = Postgrey(cls.where)
        now = int(time.time())
        for number in range(PG_CLIENTS):
            first = server.ask(number, now - 9000, sender_of(number))
            later = server.ask(number, now - 8900, sender_of(number))
            assert "DEFER" in first and "PREPEND" in later, (first, later)
        server.ask(0, now - 60, "waits@example.org", "203.0.113.77")
        with daemon() as milter:
            cls.running = Ctl(milter).run("import", "--from", "postgrey",
                                          server.database)
        server.stop()

    def test_while_it_runs_it_is_refused(self):
        status, _, err = self.running
        self.assertEqual(status, 2)
        self.assertIn("postgrey runs, and has not written all", err)

    def test_after_a_kill_it_is_refused_until_it_has_recovered(self):
        with directory() as where, daemon() as milter:
            server = Postgrey(where)
            for ago in 900, 800:
                server.ask(1, int(time.time()) - ago, "a@example.org")
            server.kill()
            for name in "postgrey.db", "postgrey_clients.db":
                os.utime(os.path.join(server.database, name), (1, 1))
            command = ("import", "--from", "postgrey", server.database)
            status, _, err = Ctl(milter).run(*command)
            self.assertEqual(status, 2)
            self.assertIn("postgrey was killed", err)
            os.unlink(os.path.join(where, "socket"))
            Postgrey(where).stop()
            Ctl(milter).say(*command)
            self.assertTrue(send(milter, pg_address(1), "<a@example.org>"))

    def check(self, head="", policy=None):
        with daemon(head, policy=policy) as milter:
            status, out, err = Ctl(milter).run(
                "--json", "import", "--from", "postgrey",
                os.path.join(self.where, "db"))
            self.assertEqual((status, complaints(err)), (0, ""))
            self.assertEqual(out.count('"kind":"left"'), 0, out)
            deferred = [number for number in range(PG_CLIENTS)
                        if not send(milter, pg_address(number),
                                    f"<{sender_of(number)}>")]
            self.assertEqual(deferred, [])
            # a known client may send anything
            deferred = [number for number in range(0, PG_CLIENTS, 7)
                        if not send(milter, pg_address(number),
                                    f"<new@{word(number)}.other.example>")]
            self.assertEqual(deferred, [])
            self.assertFalse(send(milter, "203.0.113.200", "<x@example.org>"))

    def test_none_of_its_clients_is_deferred(self):
        self.check()

    def test_nor_by_the_shipped_policy(self):
        with open(os.path.join(os.environ.get("srcdir", "."), "conf",
                               "milter-defer.conf")) as file:
            self.check(policy=file.read())

    def test_nor_with_redis(self):
        with start_single() as redis:
            self.check(redis_head([redis.where]))

    def test_a_pair_passes_at_every_address_of_its_network(self):
        """As it did there."""
        with daemon() as milter:
            Ctl(milter).say("import", "--from", "postgrey",
                            os.path.join(self.where, "db", "postgrey.db"))
            network = pg_address(1).rpartition(".")[0]
            self.assertTrue(send(milter, f"{network}.250",
                                 f"<{sender_of(1)}>"))
            self.assertFalse(send(milter, f"{network}.250", "<x@y.example>"))

    def test_who_waits_goes_on_waiting_from_then(self):
        with daemon(delay="30s") as milter:
            Ctl(milter).say("import", "--from", "postgrey",
                            os.path.join(self.where, "db"))
            self.assertTrue(send(milter, "203.0.113.77",
                                 "<waits@example.org>"))

    def test_a_dump_will_do_as_well(self):
        """As db_dump writes it."""
        lines = ["VERSION=3", "format=print", "type=btree", "HEADER=END",
                 " 192.0.2.7", f" 9,{int(time.time()) - 60}",
                 r" 198.51.100.0/a\5cb@example.org/bob@local.test",
                 f" {int(time.time()) - 900},{int(time.time())}", "DATA=END"]
        with daemon() as milter:
            status, done, err = take(milter, "\n".join(lines) + "\n",
                                     "--from", "postgrey", "-")
            self.assertEqual((status, done["records"], err), (0, 2, ""))
            self.assertTrue(send(milter, "192.0.2.7"))
            self.assertTrue(send(milter, "198.51.100.250",
                                 r"<a\b@example.org>"))

    def test_what_was_hidden_is_told(self):
        with directory() as where:
            server = Postgrey(where, "--privacy")
            server.ask(1, int(time.time()) - 900, "a@example.org")
            server.ask(1, int(time.time()) - 800, "a@example.org")
            server.stop()
            with daemon() as milter:
                out = Ctl(milter).say("import", "--from", "postgrey",
                                      os.path.join(where, "db"))
                self.assertRegex(out, r"hidden +1 entries +postgrey had --priv")


class FromOthers(unittest.TestCase):
    NOW = int(time.time())

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.milter = stack.enter_context(
            daemon(policy='rule "listed" { listed = "passlist"  at = data  '
                   "verdict = accept }\n" + strangers(delay="30s")))
        self.where = stack.enter_context(directory())

    def stamp(self, ago):
        return time.strftime("%Y-%m-%d %H:%M:%S",
                             time.localtime(self.NOW - ago))

    def assert_sqlgrey(self, status, done, err):
        self.assertEqual((status, done["records"], done["bad"], err),
                         (0, 4, 0, ""))
        self.assertTrue(send(self.milter, "192.0.2.99", "<new@a.example>"))
        self.assertTrue(send(self.milter, "198.51.100.7", "<new@b.example>"))
        self.assertFalse(send(self.milter, "198.51.100.8", "<new@b.example>"))
        self.assertTrue(send(self.milter, "203.0.113.5", "<it's@c.example>"))
        self.assertTrue(send(self.milter, "2001:db8::7", "<x@d.example>"))

    def rows(self):
        return {"from_awl": [
            ("ann", "a.example", "192.0.2", self.stamp(900), self.stamp(60)),
            ("bob", "b.example", "198.51.100.7", self.stamp(900),
             self.stamp(60))],
            "domain_awl": [("d.example", "2001:db8::7", self.stamp(900),
                            self.stamp(60))],
            "connect": [("it's", "c.example", "203.0.113", "bob@local.test",
                         self.stamp(300))],
            "config": [("version", "1")]}

    COLUMNS = {"from_awl": "sender_name,sender_domain,src,first_seen,last_seen",
               "domain_awl": "sender_domain,src,first_seen,last_seen",
               "connect": "sender_name,sender_domain,src,rcpt,first_seen",
               "config": "parameter,value"}

    def test_sqlgrey(self):
        path = os.path.join(self.where, "sqlgrey.db")
        with contextlib.closing(sqlite3.connect(path)) as database:
            for table, rows in self.rows().items():
                database.execute(f"CREATE TABLE {table}"
                                 f" ({self.COLUMNS[table]})")
                marks = ",".join("?" * len(rows[0]))
                database.executemany(
                    f"INSERT INTO {table} VALUES ({marks})", rows)
            database.commit()
        self.assert_sqlgrey(*take(self.milter, "", "--from", "sqlgrey", path))

    def test_sqlgrey_of_mysql(self):
        text = "-- MySQL dump\n"
        for table, rows in self.rows().items():
            values = ",".join("(" + ",".join(
                "'" + value.replace("'", r"\'") + "'" for value in row) + ")"
                for row in rows)
            text += f"INSERT INTO `{table}` VALUES {values};\n"
        self.assert_sqlgrey(*take(self.milter, text, "--from", "sqlgrey", "-"))

    def test_sqlgrey_of_postgres(self):
        text = ""
        for table, rows in self.rows().items():
            columns = self.COLUMNS[table].replace(",", ", ")
            text += f"COPY public.{table} ({columns}) FROM stdin;\n"
            text += "".join("\t".join(row) + "\n" for row in rows) + "\\.\n\n"
        self.assert_sqlgrey(*take(self.milter, text, "--from", "sqlgrey", "-"))

    def test_milter_greylist(self):
        text = (
            "#\n# milter-greylist database, version 4.3.9, dumped 2026\n"
            "# Sender IP\tSender e-mail\tRecipient e-mail\tTime accepted\n"
            f"192.0.2.7\t<a@a.example>\t<bob@local.test>\t{self.NOW + 900}"
            " AUTO # 2026-11-28 15:00:00\n"
            f"192.0.2.8\t<>\t<bob@local.test>\t{self.NOW + 900} AUTO #\n"
            f"198.51.100.7\t<b@b.example>\t<bob@local.test>\t{self.NOW - 60}"
            " # 2026-11-28 15:00:00\n"
            f"198.51.100.8\t<b@b.example>\t<bob@local.test>\t{self.NOW - 60}"
            " AUTO # over\n"
            "Nonsense\n")
        status, done, err = take(self.milter, text, "--from",
                                 "milter-greylist", "-")
        self.assertEqual((status, done["records"], done["left"], err),
                         (0, 3, 1, ""))
        self.assertTrue(send(self.milter, "192.0.2.7", "<a@a.example>"))
        self.assertFalse(send(self.milter, "192.0.2.7", "<z@a.example>"))
        self.assertTrue(send(self.milter, "192.0.2.8", "<>"))
        self.assertTrue(send(self.milter, "198.51.100.7", "<b@b.example>"))
        self.assertFalse(send(self.milter, "198.51.100.8", "<b@b.example>"))

    def whitelists(self, program, name, text):
        path = os.path.join(self.where, name)
        with open(path, "w") as file:
            file.write(text)
        out = Ctl(self.milter).objects("left", "import", "--from", program,
                                       path)
        done = Ctl(self.milter).objects("imported", "import", "--from",
                                        program, "--list", "passlist", path)
        return [(one["what"], one["text"]) for one in out
                if one["kind"] == "left"], done[0]["listed"]

    def assert_listed(self, *addresses):
        for address in addresses:
            wait_for(lambda: send(self.milter, address, "<n@n.example>"),
                     f"{address} is let in")

    def test_a_whitelist_of_postgrey(self):
        left, listed = self.whitelists("postgrey", "whitelist_clients", """
            # comment
            192.0.2.7   # one
            198.51.100.0/24
            203.0.113
            2001:db8::/64
            mail.example.org
            /^out-[0-9]+\\.example\\.net$/
            """)
        self.assertEqual(left, [
            ("client name", "mail.example.org"),
            ("client name", "/^out-[0-9]+\\.example\\.net$/")])
        self.assertEqual(listed, 4)
        self.assert_listed("192.0.2.7", "198.51.100.3", "203.0.113.200",
                           "2001:db8::99")

    def test_whitelists_of_milter_greylist(self):
        left, listed = self.whitelists("milter-greylist", "greylist.conf", r'''
            list "my network" addr { 127.0.0.1/8 192.0.2.0/24 }
            list "bad guys" addr { 203.0.113.0/24 }
            acl whitelist list "my network"
            acl blacklist list "bad guys"
            racl whitelist addr \
                198.51.100.0/24
            racl whitelist domain example.org
            racl whitelist rcpt bob@local.test from ann@example.org
            racl greylist default delay 30m
            ''')
        self.assertEqual(left, [("addr", "127.0.0.1/8"),
                                ("domain", "example.org"),
                                ("rcpt", "bob@local.test")])
        self.assertEqual(listed, 2)
        self.assert_listed("192.0.2.99", "198.51.100.99")
        self.assertFalse(send(self.milter, "203.0.113.7", "<n@n.example>"))

    def test_what_is_none_of_theirs_is_told(self):
        junk = os.path.join(self.where, "postgrey.db")
        with open(junk, "wb") as file:
            file.write(b"\1" + os.urandom(5000))
        for program in "postgrey", "nosuch":
            status, _, err = Ctl(self.milter).run("import", "--from", program,
                                                  junk)
            self.assertEqual(status, 2, program)
            self.assertRegex(err, "no B-tree of Berkeley DB|it has to be")
        status, _, err = Ctl(self.milter).run("import", "--from", "postgrey",
                                              self.where + "/none")
        self.assertEqual(status, 2)
        self.assertIn("No such file", err)

    def test_a_dump_of_something_else_is_no_success(self):
        dump = os.path.join(self.where, "other.sql")
        with open(dump, "w") as file:
            file.write("INSERT INTO `users` VALUES\n(1,'a');\n")
        for program in "sqlgrey", "milter-greylist":
            path = dump if program == "sqlgrey" else "/dev/null"
            status, out, err = Ctl(self.milter).run("import", "--from",
                                                    program, path)
            self.assertEqual(status, 1, program)
            self.assertIn("nothing was found", out + err)


if __name__ == "__main__":
    cases.main()
