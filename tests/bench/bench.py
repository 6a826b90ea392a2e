"""Measures milter-defer against milters that do nothing; see run.sh.

All contenders run at once and are driven in turns, a short round each, so that
whatever else the machine does meets all of them alike.  A ratio compares a
contender with a reference of the same round: the null milter, or the quiet one,
which negotiates what milter-defer does and is the limit of libmilter.  What is
printed is the median of the rounds; nothing is judged.
"""

import argparse
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import contenders  # noqa: E402  (needs the path)
import memory  # noqa: E402
import peers  # noqa: E402
import report  # noqa: E402
import through  # noqa: E402
from lib import mta, netns  # noqa: E402

# What the clients are, and what they send.
MIXES = {
    "exempt": ["-c", "exempt"],
    "known": ["-c", "known"],
    "strangers": ["-c", "strangers"],
    "fifty": ["-c", "strangers", "-r", "50"],
    "retries": ["-c", "retries"],
    "again": ["-c", "again"],
}
USUAL = "exempt", "known", "strangers", "fifty"
KNOWN_NETWORKS = 512  # as in traffic.h
KNOWN_DELAY = 1  # seconds, as in contenders.POLICY
REDIS_CPU_AT = (1, 64)  # sessions at once
REDIS_SESSIONS = 2000  # in which Redis is measured


def page_faults(pid):
    """Of all threads, those that have ended too."""
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[7])


class Load:
    """Runs milter_load; no stranger comes twice while one of these lives."""

    def __init__(self, programs, redis, options):
        self._program = os.path.join(programs, "milter_load")
        self._redis = redis
        self._common = ["-u", options.until] + (
            ["-e"] if options.eager else [])
        self._next = 0

    def _run(self, contender, *arguments):
        words = [self._program, "-s", contender.socket,
                 "-p", str(contender.pid),
                 "-p", str(self._redis.process.pid),
                 *self._common, *map(str, arguments)]
        done = subprocess.run(words, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, timeout=600, text=True)
        if done.returncode == 2 or not contender.is_alive():
            raise RuntimeError(f"{contender.name} ended, or the command line "
                               f"is wrong: {' '.join(words)}")
        return json.loads(done.stdout)

    def measure(self, contender, mix, concurrency, seed, options):
        """One round of one contender."""
        until = ["-u", contender.until] if contender.until else []
        faults = page_faults(contender.pid)
        result = self._run(contender, *MIXES[mix], *until, "-n", concurrency,
                           "-S", seed, "-f", self._next,
                           "-t", options.seconds, "-w", options.warmup)
        result["faults"] = ((page_faults(contender.pid) - faults)
                            / result["started"])
        self._next = max(self._next, result["next"])
        milter_us, redis_us = result.pop("cpu_us")
        result["milter_us"] = milter_us
        result["redis_us"] = redis_us if contender.asks_redis else None
        return result

    def greet(self, contender):
        """One message from one stranger."""
        return self._run(contender, "-c", "strangers", "-N", 1)

    def measure_redis(self, contender, concurrency):
        """(CPU us of Redis, commands to it) for each session of strangers."""
        before = self._commands()
        result = self._run(contender, "-c", "strangers", "-n", concurrency,
                           "-f", self._next, "-N", REDIS_SESSIONS)
        self._next = max(self._next, result["next"])
        return (result["cpu_us"][1],
                (self._commands() - before) / result["sessions"])

    def _commands(self):
        with self._redis.client() as client:
            stats = client.ask("INFO", "commandstats")
        return sum(int(calls) for calls in
                   re.findall(r"calls=(\d+)", stats))

    def learn(self, contender):
        """One message from each of the known networks, always the same."""
        return self._run(contender, "-c", "learn", "-N", KNOWN_NETWORKS,
                         "-u", "eom")


def seed_known(load, contender):
    """Make the known networks known: each sends, waits, and sends again."""
    load.learn(contender)
    time.sleep(KNOWN_DELAY + 1.1)  # the clocks have whole seconds
    load.learn(contender)
    time.sleep(0.2)  # what it earned is written without anybody waiting
    result = load.learn(contender)
    passed = result["accepted"] + result["continued"]
    if passed < KNOWN_NETWORKS:
        print(f"{contender.name}: only {passed} of {KNOWN_NETWORKS} known "
              "networks became known", file=sys.stderr)


def in_turn(milters, turn):
    """The contenders, each round beginning with another one: whoever comes
    after a certain other one shall not always do so."""
    start = turn % len(milters)
    return milters[start:] + milters[:start]


def measure_mixes(load, milters, options):
    """{(mix, concurrency): {contender: [round, ...]}}"""
    results = {}
    for mix in options.mixes:
        for concurrency in options.concurrency:
            case = {milter.name: [] for milter in milters}
            for turn in range(options.rounds):
                for milter in in_turn(milters, turn):
                    case[milter.name].append(load.measure(
                        milter, mix, concurrency, turn, options))
            results[mix, concurrency] = case
            say(options, f"{mix}, {concurrency} at once: done")
    return results


def measure_redis(load, milters, options):
    """{contender: [(CPU us, commands) of a session at each of REDIS_CPU_AT]}"""
    askers = [milter for milter in milters if milter.asks_redis]
    results = {milter.name: [] for milter in askers}
    for concurrency in REDIS_CPU_AT:
        rounds = {milter.name: [] for milter in askers}
        for turn in range(options.rounds):
            for milter in in_turn(askers, turn):
                rounds[milter.name].append(
                    load.measure_redis(milter, concurrency))
        for name, found in rounds.items():
            results[name].append([statistics.median(column)
                                  for column in zip(*found)])
    return results


def say(options, text):
    if not options.quiet:
        print(f"  {time.monotonic() - options.began:5.0f} s  {text}",
              file=sys.stderr)


def measure(options, directory):
    """All there is to measure, as one dictionary."""
    results = {}
    with contenders.Stage(options.programs, directory) as stage:
        milters = stage.null_milters()
        load = Load(options.programs, stage.redis, options)
        if os.environ.get("MILTER_DEFER"):
            ours = stage.milter_defer()
            if options.before:
                ours += stage.milter_defer("before", options.before)
            steps = int(load.greet(ours[0])["protocol"], 16)
            milters = [milters[0], stage.quiet_milter(steps), *milters[1:],
                       *ours]
        for milter in milters:
            if milter.remembers and "known" in options.mixes:
                seed_known(load, milter)
        results["mixes"] = measure_mixes(load, milters, options)
        results["redis"] = measure_redis(load, milters, options)
    if options.networks and os.environ.get("MILTER_DEFER"):
        results["memory"] = measure_memory(options, directory)
        say(options, "memory: done")
    return results


class Peers:
    """milter-defer beside other greylisting filters: empty, and then with many
    triplets; over the milter protocol, and through a real Postfix."""

    def __init__(self, stage, directory, options):
        self.stage, self.directory, self.options = stage, directory, options
        self.load = Load(options.programs, stage.redis, options)
        self.null = stage.null_milters()[0]
        self.ours = stage.milter_defer(more="store { memory = 512M }\n")

    def others(self, make, triplets):
        """One of each kind that is installed."""
        found = [one(self.stage, os.path.join(
            self.directory, f"{one.__name__}.{triplets}"), triplets)
            for one in make]
        return [peer for peer in found if peer]

    def fill(self):
        """The triplets come as mail: fifty of each client."""
        for milter in self.ours:
            self.load._run(milter, "-c", "strangers", "-r", 50, "-u", "data",
                           "-f", 10**7, "-N", self.options.triplets // 50)
            say(self.options, f"{milter.name} has its triplets")

    def measure(self, triplets):
        options = self.options
        milters = [self.null, *self.ours, *self.others(
            [peers.milter_greylist, peers.rspamd], triplets)]
        found = {"mixes": measure_mixes(self.load, milters, options)}
        if options.through and through.possible():
            milters += self.others([peers.postgrey], triplets)
            found["through"] = through.run(milters, options)
            say(options, "through Postfix: done")
        return found


def measure_peers(options, directory):
    """[what is found of empty ones, of full ones]"""
    with contenders.Stage(options.programs, directory) as stage:
        all_of_them = Peers(stage, directory, options)
        empty = all_of_them.measure(0)
        all_of_them.fill()
        return [empty, all_of_them.measure(options.triplets)]


def ask_count(port):
    """How many questions the name server has had."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(10)
        link.sendto(b"\1\2\1\0\0\1\0\0\0\0\0\0\5count\0\0\1\0\1",
                    ("127.0.0.1", port))
        return int.from_bytes(link.recv(512)[-4:], "big")


def measure_dns(options, directory):
    """{mix: ({contender: [round, ...]}, questions)}: without lists, and with; of
    clients whose answers are there, and of others."""
    results = {}
    with contenders.Stage(options.programs, directory) as stage:
        port = stage.name_server()
        load = Load(options.programs, stage.redis, options)
        milters = stage.milter_defer() + stage.milter_defer(
            "lists", rules=contenders.LISTS.format(port))
        for milter in milters:
            load.measure(milter, "again", options.concurrency[-1], 0, options)
        for mix in "again", "strangers":
            case = {milter.name: [] for milter in milters}
            before = ask_count(port)
            for turn in range(options.rounds):
                for milter in in_turn(milters, turn):
                    case[milter.name].append(load.measure(
                        milter, mix, options.concurrency[-1], turn, options))
            results[mix] = case, ask_count(port) - before - 1
            say(options, f"{mix}: done")
    return results


def measure_memory(options, directory):
    with contenders.Stage(options.programs, directory) as stage:
        milter = stage.milter_defer()[-1]
        Load(options.programs, stage.redis, options).greet(milter)
        stranger = memory.learn_stranger(stage.redis)
        milter.process.kill()  # nobody else is to write from here on
        return memory.measure(stage.redis, stranger, options.networks)


def words(text):
    return text.split(",")


def numbers(text):
    return [int(word) for word in text.split(",")]


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="run.sh", description="Benchmark of milter-defer.")
    parser.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true",
                        help="about a minute, less exact")
    parser.add_argument("--mixes", type=words, default=USUAL,
                        metavar="MIX,...", help=", ".join(MIXES)
                        + f" ({', '.join(USUAL)})")
    parser.add_argument("--concurrency", type=numbers, metavar="N,...",
                        help="sessions at once (1,10,50; quick, dns: 10)")
    parser.add_argument("--rounds", type=int, help="(9; quick: 5)")
    parser.add_argument("--seconds", type=float,
                        help="of each round (0.5; quick: 0.3)")
    parser.add_argument("--warmup", type=float, default=0.1,
                        help="seconds before each round (0.1)")
    parser.add_argument("--before", metavar="BINARY",
                        help="another milter-defer to measure beside ours")
    parser.add_argument("--until", default="data",
                        choices=["mail", "rcpt", "data", "eom"],
                        help="the step after which clients leave (data)")
    parser.add_argument("--eager", action="store_true",
                        help="write each step by itself")
    parser.add_argument("--peers", action="store_true",
                        help="beside milter-greylist, rspamd and postgrey, "
                        "where installed, empty and full")
    parser.add_argument("--dns", action="store_true",
                        help="what DNS lists cost")
    parser.add_argument("--triplets", type=int, default=600000, metavar="N",
                        help="of a full peer (600000)")
    parser.add_argument("--through", type=numbers, default=[1, 20],
                        metavar="N,...", help="sessions at once through a real "
                        "Postfix, which needs root (1,20)")
    parser.add_argument("--smtp-seconds", type=float, default=1.0,
                        help="of each round through Postfix (1.0)")
    parser.add_argument("--networks", type=int, metavar="N",
                        help="for the memory part (1000000; quick: 100000;"
                        " 0: no memory part)")
    parser.add_argument("--json", metavar="FILE",
                        help="write every round there as well")
    parser.add_argument("--quiet", action="store_true",
                        help="do not tell how far it is")
    options = parser.parse_args()
    if set(options.mixes) - set(MIXES):
        parser.error(f"--mixes: known are {', '.join(MIXES)}")
    usual = [10] if options.dns else [1, 10, 50]
    for name, normal, quick in (("concurrency", usual, [10]),
                                ("rounds", 9, 5), ("seconds", 0.5, 0.3),
                                ("networks", 1000000, 100000)):
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else normal)
    if options.peers:
        options.mixes = ["strangers"]
    return options


def save(options, found):
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)


def main():
    options = parse_arguments()
    options.began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.peers and through.possible():
        mta.unpack()
        netns.enter()  # clients of any address; does not return
        if netns.inside():
            netns.set_up()
    with tempfile.TemporaryDirectory(prefix="milter-defer-bench.") as directory:
        os.chmod(directory, 0o755)
        if options.dns:
            found = measure_dns(options, directory)
            report.show_dns(found, options)
            save(options, found)
            return
        if options.peers:
            found = measure_peers(options, directory)
            report.show_peers(found, options)
            save(options, [{**one, "mixes": {
                at: case for (_, at), case in one["mixes"].items()}}
                for one in found])
            return
        results = measure(options, directory)
    report.show(results, options, REDIS_CPU_AT)
    save(options, {**results, "mixes": [
        {"mix": mix, "concurrency": at, "rounds": case}
        for (mix, at), case in results["mixes"].items()]})


if __name__ == "__main__":
    main()
