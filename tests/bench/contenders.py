"""The milters that are measured, and the Redis that two of them ask.

All listen on unix sockets in private directories and are ended by process id.
"""

import contextlib
import os
import subprocess

from lib import daemon, milterclient, policies
from lib.redis_servers import RedisServer

# The policy of the sample file as far as a benchmark can meet it.  Two things
# differ.  There is no rule on load: the benchmark is the load.  And the clients
# of 198.18.0.0/15 wait for one second only, so that they can become known
# before the measurement; all others wait for longer than it takes.
POLICY = policies.OWN_NETWORKS + policies.response(
    "greylisted", policies.GREYLISTED) + policies.response(
    "ip-reputation", policies.POOR) + policies.response(
    "server-busy", policies.BUSY.format("%{client_addr}")) + '''
rule "postmaster" { recipient = {"postmaster@*", "abuse@*"}  verdict = accept }
rule "store is away" { store_down = true  at = data  verdict = accept }
rule "poor reputation" { reputation_below = -30  at = data
    verdict = greylist  by = client  delay = 30m  response = "ip-reputation" }
rule "good standing" { reputation_above = 50  at = data  verdict = accept }
rule "too many at once" { messages_above = 100000  within = 1h  at = data
    scale_by_reputation = true  verdict = defer  response = "server-busy" }
rule "known" { known = true  at = data  verdict = accept }
rule "to be known" { client = "198.18.0.0/15"
    verdict = greylist  by = triplet  delay = 1s  response = "greylisted"
    at = data }
rule "known soon" { client = "198.18.0.0/15"  verdict = accept  at = data }
rule "strangers" { verdict = greylist  by = triplet  delay = 3h
    response = "greylisted"  at = data }
'''
HEAD = daemon.HEAD + "known_after = 1\n"

# Two lists that have nobody, and rules that ask them before any other at DATA.
LISTS = '''
dns {{ servers = "127.0.0.1:{}" }}
dnsbl "trusted" {{ zones = {{"good.example=127.0.0.[1..9]*-2",
    "good2.example=127.0.0.2*-1"}} }}
dnsbl "blocked" {{ zones = {{"bad.example=127.0.0.[2..11]*3",
    "bad2.example=127.0.0.2"}} }}
rule "well known" {{ dnsbl_below = "trusted: -1"  at = data  verdict = accept }}
rule "listed" {{ dnsbl_above = "blocked: 2"  at = data  verdict = greylist
    delay = 3h  response = "greylisted" }}
'''
ZONES = 4


class Contender:
    """A milter under test: `socket` as milter_load takes it, the process whose
    CPU time counts as its own, and whether it asks Redis."""

    def __init__(self, name, socket, process, asks_redis):
        self.name = name
        self.socket = socket
        self.process = process
        self.pid = process.pid  # of whom the CPU time is counted
        self.asks_redis = asks_redis
        self.until = None  # after which step its clients leave, if not as all
        self.remembers = False  # knows clients: it is a milter-defer

    def is_alive(self):
        return self.process.poll() is None


class Stage(contextlib.ExitStack):
    """Starts contenders and stops all of them at the end."""

    def __init__(self, programs, directory):
        super().__init__()
        self._programs = programs
        self._directory = directory
        self.redis_path = os.path.join(directory, "redis.sock")
        self.redis = self._start_redis()

    def _start_redis(self):
        server = RedisServer(self._directory, port=0, settings={
            "unixsocket": self.redis_path})
        self.callback(server.stop)
        return server.start()

    def null_milters(self):
        """Milters that do nothing: without and with a Redis round trip."""
        return [self._null_milter("null", "null_milter"),
                self._null_milter("null + Redis", "null_redis_milter",
                                  self.redis_path, asks_redis=True)]

    def quiet_milter(self, steps):
        """One that does nothing and negotiates these SMFIP_ flags."""
        return self._null_milter("quiet", "null_milter", hex(steps))

    def _null_milter(self, name, program, *arguments, asks_redis=False):
        path = os.path.join(self._directory, name.replace(" ", "") + ".sock")
        process = subprocess.Popen(
            [os.path.join(self._programs, program), f"unix:{path}",
             *arguments], stdin=subprocess.DEVNULL)
        self.callback(process.wait)
        self.callback(process.kill)  # an orderly stop takes 5 s
        daemon.wait_for(lambda: answers(path), f"{program} listens")
        os.chmod(path, 0o666)
        return Contender(name, f"unix:{path}", process, asks_redis)

    def milter_defer(self, name="defer", program=None, more="", rules=""):
        """milter-defer with the embedded store, and with Redis; each name has
        keys of its own there.  `rules` stand before all others."""
        servers = (f'redis {{ servers = {{"unix:{self.redis_path}"}}\n'
                   f'    prefix = "{name}:" }}\n')
        return [self._milter_defer(name, more, program, rules),
                self._milter_defer(f"{name} + Redis", servers, program, rules)]

    def name_server(self):
        """One that lists nobody; its port."""
        process = subprocess.Popen(
            [os.path.join(self._programs, "null_dns")], text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.callback(process.wait)
        self.callback(process.kill)
        return int(process.stdout.readline())

    def _milter_defer(self, name, store, program, rules=""):
        server = daemon.Daemon(store + rules + POLICY, head=HEAD)
        if program:
            server.program = program
        self.callback(server.remove)
        self.callback(server.kill)
        server.start()
        if "dnsbl" in rules:
            daemon.wait_for(lambda: sum("passes its test" in line for line in
                                        server.log()) == ZONES, "lists are on")
        os.chmod(server.where.partition(":")[2], 0o666)  # Postfix asks, too
        contender = Contender(
            name, server.where, server.process, "redis" in store)
        contender.remembers = True
        return contender


def answers(path):
    try:
        milterclient.connect(f"unix:{path}").close()
    except OSError:
        return False
    return True
