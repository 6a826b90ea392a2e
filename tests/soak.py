"""Everything at once, for SOAK_MINUTES: see soak.sh.

What has to hold at the end:

    - each message that a sender owes is delivered, once its sender was told 250;
    - what was told 250 is delivered, or in the mail server's queue;
    - nothing of ours is a permanent reply, and no reply is one for another reason
      than the mail server's own;
    - each deferral that a client saw has its line in the log of the daemon;
    - memory and descriptors of the daemons are flat;
    - each key in Redis has its time to live;
    - the counters equal the log.
"""

import collections
import heapq
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from lib import ctl, farm, mta, netns
from lib.daemon import Daemon
from lib.mta_case import tcp_socket
from lib.redis_servers import SentinelSet, wait_until

MINUTES = float(os.environ.get("SOAK_MINUTES") or 3)
RATE = float(os.environ.get("SOAK_RATE") or 12)  # new letters a second
SEED = int(os.environ.get("SOAK_SEED") or 1)
WORKERS = 12  # of each mail server
DRAIN = 300  # seconds for what is owed, once all is well again
MARK = "soak:"  # in each reply of ours
PATIENCE = 40  # seconds that a client waits for a reply

POLICY = f"""
server_name = "@NAME@"
delay = 3s
known_after = 3
response "later" {{ reply = "451 4.7.1 {MARK} later" }}
response "away" {{ reply = "451 4.7.1 {MARK} away" }}
response "busy" {{ reply = "451 4.7.1 {MARK} 100% busy" }}
rule "postmaster" {{ recipient = "postmaster@*" verdict = accept }}
rule "shut" {{ recipient = "shut@*" verdict = defer response = "later" }}
rule "not speaking" {{ unknown_commands_above = 3 at = data verdict = defer response = "busy" }}
rule "rate limit" {{ messages_above = 2000 within = 1m at = data verdict = defer response = "busy" }}
rule "known" {{ known = true at = data verdict = accept }}
rule "on trial" {{ reputation_below = -1 at = data verdict = greylist by = client delay = 1h observe = true response = "later" }}
rule "late" {{ store_late = true at = data verdict = defer response = "away" }}
rule "away" {{ store_down = true at = data verdict = defer response = "away" }}
rule "strangers" {{ verdict = greylist by = triplet at = data response = "later" }}
"""
DNS = """
dns { servers = {"127.0.0.1"} timeout = 1s }
dnsbl "trusted" { zones = {"wl.example=127.0.0.2*-2"} }
"""
TRUSTED = ('rule "trusted" { dnsbl_below = "trusted: -1" verdict = accept '
           'observe = true }\n')

# What mail servers say for ever by themselves.
OWN_REFUSALS = re.compile(
    r"55\d 5\.1\.1 |554 5\.5\.1 Error: no valid recipients|503 5\.0\.0 Need RCPT|"
    r"50[0-2] 5\.5\.[12] |221 |521 ")


class Letter:
    """A message under way."""

    def __init__(self, number, kind, client, sender, recipients):
        self.number, self.kind, self.client = number, kind, client
        self.sender, self.recipients = sender, recipients
        self.tries = 0

    def __lt__(self, other):
        return self.number < other.number

    @property
    def is_owed(self):
        return self.kind in ("honest", "regular", "null", "many", "big", "partly")


class Ledger:
    """What clients were told, and what is still owed."""

    def __init__(self):
        self.lock = threading.Lock()
        self.told = collections.defaultdict(collections.Counter)  # by server
        self.permanent = []
        self.accepted = collections.defaultdict(set)  # queue ids by server
        self.owed = {}
        self.made = collections.Counter()
        self.delivered = collections.Counter()

    def count(self, server, what):
        with self.lock:
            self.told[server][what] += 1

    def note_reply(self, server, reply):
        """Any reply but those of success."""
        if MARK in reply:
            what = "deferred by us"
        elif reply[:1] == "4":
            what = "deferred by the mail server"
        else:
            what = "refused by the mail server"
        self.count(server, what)
        if reply[:1] == "5" and (MARK in reply or not OWN_REFUSALS.match(reply)):
            with self.lock:
                self.permanent.append(f"{server}: {reply}")


class Traffic:
    """Letters, and the threads that deliver them to one of two servers."""

    def __init__(self, servers, ledger):
        self.servers, self.ledger = servers, ledger
        self.random = random.Random(SEED)
        self.lock = threading.Condition()
        self.heap = []
        self.number = 0
        self.is_writing = True
        self.ended = False
        self.threads = [threading.Thread(target=self._write, daemon=True)]
        for name in servers:
            self.threads += [threading.Thread(target=self._work, args=(name,),
                                              daemon=True)
                             for _ in range(WORKERS)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        with self.lock:
            self.ended = True
            self.lock.notify_all()
        for thread in self.threads:
            thread.join(PATIENCE + 20)

    def plan(self, letter, after):
        with self.lock:
            heapq.heappush(self.heap, (time.monotonic() + after, letter))
            self.lock.notify()

    def _write(self):
        while self.is_writing:
            letter = self._letter()
            self.ledger.made[letter.kind] += 1
            if letter.is_owed:
                with self.ledger.lock:
                    self.ledger.owed[letter.number] = letter
            self.plan(letter, 0)
            time.sleep(self.random.expovariate(RATE))

    KINDS = ("honest", "honest", "regular", "regular", "regular", "null", "many",
             "big", "partly", "bot", "bot", "bot", "question", "rude", "hangs up",
             "shut")

    def _letter(self):
        kind = self.random.choice(self.KINDS)
        number = self.number = self.number + 1
        client = f"198.51.{self.random.randrange(200)}.{self.random.randrange(1, 250)}"
        sender = f"{kind.replace(' ', '-')}{number}@s{number}.example"
        recipients = [f"bob{number}@local.test"]
        if kind == "regular":
            place = self.random.randrange(20)
            client, sender = f"203.0.{place}.25", f"news@regular{place}.example"
        elif kind == "null":
            sender = ""
        elif kind == "many":
            recipients = [f"bob{number}x{i}@local.test" for i in range(20)]
        elif kind == "partly":
            recipients = [f"{mta.ANYBODY_BUT}{number}@local.test", *recipients]
        elif kind == "shut":
            recipients = ["shut@local.test"]
        return Letter(number, kind, client, sender, recipients)

    def _work(self, name):
        while True:
            with self.lock:
                while not self.ended and (
                        not self.heap or self.heap[0][0] > time.monotonic()):
                    due = self.heap[0][0] - time.monotonic() if self.heap else 1
                    self.lock.wait(min(1, max(due, 0.01)))
                if self.ended:
                    return
                _, letter = heapq.heappop(self.heap)
            self._try(name, letter)

    def _try(self, name, letter):
        letter.tries += 1
        done = False
        try:
            with self.servers[name].session(letter.client) as session:
                session.socket.settimeout(PATIENCE)
                done = self._converse(name, session, letter)
        except (OSError, EOFError, AssertionError):
            self.ledger.count(name, "connection lost")
        if letter.is_owed and done:
            with self.ledger.lock:
                self.ledger.owed.pop(letter.number, None)
                self.ledger.delivered[letter.kind] += 1
        elif letter.is_owed or (letter.kind == "shut" and letter.tries < 3):
            self.plan(letter, 3.5 + 3 * self.random.random())

    def _converse(self, name, session, letter):
        """True: it was accepted."""
        session.ehlo("client.example")
        if letter.kind == "rude":
            for _ in range(5):
                session.ask("FOO")
        reply = session.mail(letter.sender)
        if not reply.ok:
            self.ledger.note_reply(name, reply)
            return False
        any_ok = False
        for recipient in letter.recipients:
            reply = session.rcpt(recipient)
            any_ok |= reply.ok
            if not reply.ok:
                self.ledger.note_reply(name, reply)
        if not any_ok or letter.kind == "question":
            session.quit()
            return False
        reply = session.data()
        if reply.code == 354 and letter.kind == "hangs up":
            session.send("Subject: never ended")
            return False
        if reply.code == 354:
            octets = 200000 if letter.kind == "big" else 400
            reply = session.content(f"Subject: {letter.number}\n\n"
                                    + "0123456789abcdef0123456789abcde\n"
                                    * (octets // 32))
        if reply.ok:
            match = (re.search(r"queued as (\w+)", reply)
                     or re.match(r"250 2\.0\.0 (\w+) Message accepted", reply))
            self.ledger.count(name, "accepted")
            with self.ledger.lock:
                self.ledger.accepted[name].add(match[1])
        else:
            self.ledger.note_reply(name, reply)
        session.quit()
        return reply.ok


class Watch:
    """Memory and descriptors of each process that a daemon has been."""

    def __init__(self, milters):
        self.milters = milters
        self.lives = collections.defaultdict(list)  # (name, pid): (rss, fds)
        self.ended = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.ended:
            for name, milter in self.milters.items():
                try:
                    self.look(name, milter)
                except (OSError, TypeError):
                    pass  # it is just being killed
            time.sleep(1)

    def look(self, name, milter):
        pid = milter.process.pid
        with open(f"/proc/{pid}/status") as file:
            rss = int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])
        self.lives[name, pid].append((rss, milter.descriptors()))

    def stop(self):
        self.ended = True
        self.thread.join()

    def growth(self):
        """(name, seconds, KB early, KB late) of each life of a minute and more."""
        for (name, _), life in sorted(self.lives.items()):
            if len(life) >= 60:
                third = len(life) // 3
                yield (name, len(life),
                       statistics.median(rss for rss, _ in life[third:2 * third]),
                       statistics.median(rss for rss, _ in life[2 * third:]))


class Soak:
    def __init__(self, dns):
        self.dns = dns
        self.folder = tempfile.mkdtemp(prefix="milter-defer-soak.")
        self.random = random.Random(SEED + 1)
        self.faults = collections.Counter()
        self.bad = []
        self.kills = collections.Counter()

    # ---- Parts

    def daemon(self, name):
        section = farm.redis(self.redis.addresses, mode="sentinel",
                             master_name=self.redis.master_name, deadline="500ms")
        policy = POLICY.replace("@NAME@", name)
        if self.dns:
            policy = DNS + policy.replace('rule "known"', TRUSTED + 'rule "known"')
        milter = Daemon(section + 'secret_file = "@DIR@/secret"\n' + policy,
                        where=tcp_socket())
        farm.put(milter, "secret", "0123456789abcdef" * 4)
        milter.expect("")
        return milter

    def build_clock(self):
        shim = os.path.join(self.folder, "clock_shim.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                              "lib", "clock_shim.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, source], check=True)
        self.clock = os.path.join(self.folder, "clock")
        self.set_clock(0)
        return {"LD_PRELOAD": shim, "CLOCK_FILE": self.clock}

    def set_clock(self, ahead):
        with open(self.clock, "r+" if os.path.exists(self.clock) else "w") as file:
            file.write(f"{ahead:<32}")

    def run(self):
        with SentinelSet() as self.redis:
            self.milters = {name: self.daemon(name) for name in ("a", "b")}
            self.milters["b"].environment = self.build_clock()
            settings = "milter_command_timeout = 5s\n" \
                       "smtpd_error_sleep_time = 0\nsmtpd_soft_error_limit = 100\n" \
                       "smtpd_client_message_rate_limit = 0\n"
            mta.Sendmail.timeouts = "C:5s;S:5s;R:5s;E:1m"
            with self.milters["a"], self.milters["b"], \
                    mta.Postfix(self.milters["a"].where, settings) as postfix, \
                    mta.Sendmail(self.milters["b"].where) as sendmail:
                self.servers = {"postfix": postfix, "sendmail": sendmail}
                try:
                    self.soak()
                    self.check()
                except (AssertionError, TimeoutError, OSError) as failure:
                    self.bad.append(str(failure))
                    say(f"FAILED: {failure}")
                for milter in self.milters.values():
                    milter.kill()
                    milter.stop = lambda: None  # they were to be disturbed
        subprocess.run(["rm", "-rf", self.folder], check=True)

    # ---- Faults: each leaves all well

    def fault_redis_killed(self):
        server = self.redis.master()
        server.kill()
        time.sleep(5)
        server.start()

    def fault_redis_stopped(self):
        server = self.redis.master()
        server.freeze()
        time.sleep(4)
        server.thaw()

    def fault_redis_filled(self):
        server = self.redis.master()
        server.ask("CONFIG", "SET", "maxmemory", "1")
        time.sleep(4)
        for each in self.redis.data:
            each.ask("CONFIG", "SET", "maxmemory", "0")

    def fault_failover(self):
        self.redis.failover()
        time.sleep(4)

    def fault_reload(self):
        for milter in self.milters.values():
            milter.signal(1)
            time.sleep(0.3)
        time.sleep(1)

    def fault_daemon_killed(self):
        """Each in the first quarter; then one lives on, so that what it needs can
        be seen to stay the same."""
        is_early = time.monotonic() < self.began + 15 * MINUTES
        name = self.random.choice(sorted(self.milters)) if is_early else "b"
        milter = self.milters[name]
        self.kills[name] += 1
        milter.kill()
        time.sleep(2)
        milter.start()

    def fault_clock_jumps(self):
        for ahead in (3600, -3600, 0):
            self.set_clock(ahead)
            time.sleep(2)

    def fault_dns_stalls(self):
        if not self.dns:
            return
        self.dns.hold()
        time.sleep(4)
        self.dns.release()

    FAULTS = ("redis_killed", "redis_stopped", "redis_filled", "failover", "reload",
              "daemon_killed", "clock_jumps", "dns_stalls")

    def disturb(self, until):
        """One fault after another, each in its turn, in any order."""
        while True:
            faults = list(self.FAULTS)
            self.random.shuffle(faults)
            for fault in faults:
                if time.monotonic() > until - 20:
                    return
                if fault == "daemon_killed" and time.monotonic() > until - 75:
                    continue
                say(f"{fault}, {len(self.ledger.owed)} letters are owed")
                self.faults[fault] += 1
                getattr(self, "fault_" + fault)()
                wait_until(lambda: self.redis.master().ask("PING") == "PONG", 60,
                           "Redis is there again")
                time.sleep(4)

    # ---- The whole

    def soak(self):
        self.ledger = Ledger()
        self.traffic = Traffic(self.servers, self.ledger)
        self.watch = Watch(self.milters)
        self.began = time.monotonic()
        end = self.began + 60 * MINUTES
        self.traffic.start()
        time.sleep(5)
        self.disturb(end)
        time.sleep(max(0, end - time.monotonic()))
        self.traffic.is_writing = False
        say(f"drains, {len(self.ledger.owed)} letters are owed")
        due = time.monotonic() + DRAIN
        while self.ledger.owed and time.monotonic() < due:
            time.sleep(0.5)
        self.traffic.stop()
        self.watch.stop()
        self.seconds = time.monotonic() - self.began
        time.sleep(3)  # what is logged and counted comes within seconds

    def wants(self, holds, what):
        if not holds:
            self.bad.append(what)

    def check(self):
        told = self.ledger.told
        self.rows = []
        self.row("minutes", f"{self.seconds / 60:.1f}")
        self.row("faults", ", ".join(f"{name} {count}" for name, count
                                     in sorted(self.faults.items())))
        made = sum(self.ledger.made.values())
        owed = sum(count for kind, count in self.ledger.made.items()
                   if Letter(0, kind, "", "", []).is_owed)
        delivered = sum(self.ledger.delivered.values())
        self.row("letters made", made)
        self.row("owed, delivered, lost", f"{owed}, {delivered}, "
                 f"{len(self.ledger.owed)}")
        self.wants(delivered == owed and not self.ledger.owed,
                   "letters were not delivered: "
                   + ", ".join(f"{one.kind} {one.number} ({one.tries} tries)"
                               for one in list(self.ledger.owed.values())[:5]))
        for name in self.servers:
            self.row(f"{name}: replies", ", ".join(
                f"{count} {what}" for what, count in sorted(told[name].items())))
        self.row("permanent replies of ours, or unknown",
                 len(self.ledger.permanent))
        self.wants(not self.ledger.permanent,
                   f"permanent: {self.ledger.permanent[:5]}")
        self.check_queues()
        self.check_logs()
        self.check_memory()
        self.check_keys()
        width = max(len(name) for name, _ in self.rows)
        print("\n".join(f"{name:{width}}  {value}" for name, value in self.rows))
        for what in self.bad:
            print(f"WRONG: {what}")
        print("the soak " + ("failed" if self.bad else "held"))

    def row(self, name, value):
        self.rows.append((name, value))

    def check_queues(self):
        """What was told 250 is delivered, by Postfix, or lies in the queue of
        Sendmail, which delivers nothing here."""
        delivered = re.compile(r": (\w+): to=<.*status=sent")
        kept = {
            "postfix": {match[1] for match in map(
                delivered.search, self.servers["postfix"].log()) if match},
            "sendmail": {name[2:] for name in os.listdir(
                self.servers["sendmail"].path("queue"))}}
        for name, accepted in self.ledger.accepted.items():
            lost = accepted - kept[name]
            self.row(f"{name}: told 250, of these not kept",
                     f"{len(accepted)}, {len(lost)}")
            for each in sorted(lost)[:3]:
                say("\n".join(self.servers[name].grep(each)))
            self.wants(not lost, f"{name} has lost {sorted(lost)[:5]}")

    def check_logs(self):
        """Counters equal the log since the last start; clients saw no deferral
        that was not logged, but for what a kill took away."""
        for name, server in zip(sorted(self.milters), ("postfix", "sendmail")):
            lines = self.milters[name].log()
            defers = [line for line in lines if " verdict=defer " in line]
            seen = self.ledger.told[server]["deferred by us"]
            unlogged = seen - len(defers)
            self.row(f"daemon {name}: deferrals seen, logged",
                     f"{seen}, {len(defers)}")
            self.wants(unlogged <= self.kills[name] * 2 * WORKERS,
                       f"{unlogged} deferrals of {name} were not logged")
            starts = [number for number, line in enumerate(lines)
                      if re.search(r"milter-defer \S+ starts with", line)]
            last = lines[starts[-1]:]
            _, objects = ctl.Ctl(self.milters[name]).ask("status")
            host, = [one for one in objects
                     if one["kind"] == "host" and one["host"] == name]
            for what, verdict in (("deferred", "defer"), ("accepted", "accept"),
                                  ("observed", "observe")):
                logged = sum(f" verdict={verdict} rule=\"" in line
                             and 'rule=""  response=' not in line
                             for line in last) if verdict != "observe" else \
                    sum(" verdict=observe " in line for line in last)
                self.row(f"daemon {name}: {what}, counted and logged",
                         f"{host[what]}, {logged}")
                self.wants(host[what] == logged,
                           f"{name} counted {host[what]} {what}, logged {logged}")
            self.row(f"daemon {name}: lines of warning",
                     sum("warn" in line or "lost" in line for line in lines
                         if "verdict=" not in line))

    def check_memory(self):
        for name, seconds, early, late in self.watch.growth():
            self.row(f"daemon {name}: KB in the second and last third "
                     f"of {seconds} s", f"{early:.0f}, {late:.0f}")
            self.wants(late < early * 1.15 + 8192,
                       f"{name} grew from {early} to {late} KB")
        for name, milter in self.milters.items():
            wait = time.monotonic() + 30
            while milter.descriptors() > 40 and time.monotonic() < wait:
                time.sleep(0.5)
            self.row(f"daemon {name}: descriptors at rest", milter.descriptors())
            self.wants(milter.descriptors() <= 40, f"{name} holds descriptors")

    def check_keys(self):
        wait_until(lambda: self.redis.master().ask("PING") == "PONG", 30, "Redis")
        master = self.redis.master()
        keys = master.ask("KEYS", "*")
        with master.client() as client:
            lives = client.pipeline([("TTL", key) for key in keys])
        eternal = [key for key, life in zip(keys, lives) if life == -1]
        self.row("keys in Redis, without a time to live",
                 f"{len(keys)}, {len(eternal)}")
        self.wants(not eternal, f"keys for ever: {eternal[:5]}")


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main():
    if not os.access(ctl.binary(), os.X_OK):  # not in the last minute
        sys.exit(f"soak.py: {ctl.binary()} is missing")
    mta.unpack()
    netns.enter()
    dns = None
    if netns.inside():
        dns = netns.set_up()
        dns.open_list("wl.example")
    soak = Soak(dns)
    soak.run()
    sys.exit(1 if soak.bad else 0)


if __name__ == "__main__":
    main()
