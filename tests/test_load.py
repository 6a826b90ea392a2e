"""Load: who is shed, when, and when no longer.

The load of a farm is published by other hosts straight into Redis, as
milter-defer-redis(5) has it; real pressure is made by stress-ng and seen
through a real Postfix.
"""

import os
import shutil
import subprocess
import threading
import time
import unittest

from lib import farm, mta
from lib.daemon import reference, wait_for
from lib.mta_case import CLIENT, MtaTest, main
from lib.pace import pace
from lib.policies import BUSY, response
from lib.redis_servers import start_single
from lib.table import Table

LOAD = "mdefer:1:load"
STRANGER, BAD = "198.51.100.7", "203.0.113.66"
GOOD, EXEMPT = "192.0.2.25", "10.1.2.3"
EVERYBODY = {"bad": BAD, "stranger": STRANGER, "good": GOOD, "exempt": EXEMPT}
DWELL = 2
STRESS = 12  # seconds at most

STEPS = Table("Load of three hosts, by their mean", "load", "shed",
              "after s")
PRESSURE = Table("stress-ng on this host, seen through Postfix", "what",
                 "seconds")

RESPONSE = response("busy", BUSY.format("%{client_addr}"))
OWN = 'rule "own networks" { client = {"10.0.0.0/8"}  verdict = accept }\n'


def tearDownModule():
    STEPS.print()
    PRESSURE.print()


def shed(above, below, name):
    return (f'rule "{name}" {{ load_above = {above}  reputation_below = '
            f'{below}  verdict = defer  response = "busy" }}\n')


SHEDDING = RESPONSE + OWN + shed("0.80", -30, "bad") \
    + shed("0.95", 20, "strangers")

# What this host itself bears is of no interest; its figure comes from a file.
QUIET = ("load {{ load_average = 0  pressure_cpu = 0  pressure_io = 0  "
         "pressure_memory = 0\n  dwell = {}s  {} }}\n")


class Hosts:
    """Mail servers that publish their load into Redis, while in `with`."""

    def __init__(self, redis):
        self.redis = redis
        self.reports = {}  # host -> its load, or the text that it writes
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._publish, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def _publish(self):
        with self.redis.client() as client:
            while not self.over.wait(0.2):
                now = int(client.ask("TIME")[0])
                for host, load in dict(self.reports).items():
                    text = load if isinstance(load, str) else f"{now}:{load}"
                    client.ask("HSET", LOAD, host, text)


class LoadTest(unittest.TestCase):
    def setUp(self):
        if not shutil.which("redis-server"):
            self.skipTest("no redis-server here")
        self.redis = start_single()
        self.addCleanup(self.redis.stop)

    def milter(self, load="", policy=SHEDDING):
        milter = farm.daemon(farm.redis(self.redis.where),
                             QUIET.format(DWELL, load) + policy)
        self.addCleanup(milter.remove)
        self.addCleanup(milter.kill)
        return milter

    def hosts(self, **loads):
        hosts = self.enterContext(Hosts(self.redis))
        hosts.reports.update(loads)
        return hosts

    def is_shed(self, milter, address):
        """Asked at MAIL, so that nothing is learned of it."""
        with milter.client() as client:
            client.begin(address=address)
            reply = client.mail("<alice@sender.example>")
        if reply.refuses:
            self.assertEqual(reply.text, BUSY.format(address))
        return reply.refuses

    def all_shed(self, milter):
        return {name for name, address in EVERYBODY.items()
                if self.is_shed(milter, address)}

    def wait_shed(self, milter, names):
        """Until these are shed and no others; the seconds that it took."""
        began = time.monotonic()
        wait_for(lambda: self.all_shed(milter) == set(names),
                 f"shed are {names}", lambda: milter.log()[-8:])
        return time.monotonic() - began

    def teach(self):
        """Two clients have a history before anything happens."""
        self.redis.ask("RPUSH", "mdefer:1:reports", f"{BAD} -1000",
                       f"{GOOD} 1000")
        wait_for(lambda: self.redis.ask("EXISTS", farm.record(BAD))
                 and self.redis.ask("EXISTS", farm.record(GOOD)),
                 "the reports are taken in")


class Farm(LoadTest):
    def test_who_is_shed_as_it_rises_and_falls(self):
        """Own load is one of three; the other two hold the mean there."""
        milter = self.milter('figure_file = "@DIR@/figure"')
        hosts = self.hosts()

        def publish(load):
            hosts.reports.update(mx2=load + 0.1, mx3=load - 0.1)
            path = os.path.join(milter.directory, "figure")
            with open(path + ".new", "w") as file:
                file.write(f"{load}\n")
            os.rename(path + ".new", path)

        publish(0.5)
        with milter:
            self.teach()
            for load, names in ((0.5, ()), (0.8, ("bad",)),
                                (0.95, ("bad", "stranger"))):
                publish(load)
                STEPS.add(load, " ".join(names) or "nobody",
                          self.wait_shed(milter, names))
            # 0.85 is not below 0.95 - 0.1, however long it lasts ...
            publish(0.85)
            self.hold(milter, {"bad", "stranger"}, DWELL + 2)
            STEPS.add(0.85, "bad stranger", "stays")
            # ... 0.75 is, but not below 0.8 - 0.1.
            publish(0.75)
            STEPS.add(0.75, "bad", self.wait_shed(milter, ("bad",)))
            self.hold(milter, {"bad"}, DWELL + 2)
            publish(0.5)
            STEPS.add(0.5, "nobody", self.wait_shed(milter, ()))

    def hold(self, milter, names, seconds):
        """These are shed, and no others, for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.assertEqual(self.all_shed(milter), names, milter.log()[-5:])
            time.sleep(0.1)

    def test_it_is_left_only_after_the_dwell(self):
        hosts = self.hosts(mx2=2.0)
        with self.milter("farm = max") as milter:
            self.wait_stranger(milter, shed=True)
            hosts.reports.update(mx2=0.1)
            elapsed = self.wait_stranger(milter, shed=False)
            STEPS.add(f"2.00 to 0.10, dwell {DWELL} s", "nobody", elapsed)
            self.assertGreater(elapsed, DWELL - 1.5)
            self.assertLess(elapsed, (DWELL + 5) * pace() + 10 * reference())

    def wait_stranger(self, milter, shed):
        """Seconds until a client without history is shed, or no longer."""
        began = time.monotonic()
        wait_for(lambda: self.is_shed(milter, STRANGER) == shed,
                 f"strangers are {'' if shed else 'no longer '}shed",
                 lambda: milter.log()[-8:])
        return time.monotonic() - began

    def test_hosts_that_are_silent_or_talk_nonsense_do_not_count(self):
        old = int(time.time()) - 60
        hosts = self.hosts(mx2=0.2, silent=f"{old}:9.000", nan="nan",
                           huge=f"{old + 60}:9e99", minus=f"{old + 60}:-1",
                           words="very busy, thank you", empty="")
        with self.milter("farm = max") as milter:
            milter.expect("5 host.s. publish a load that is not a number")
            milter.wait_log("not a number")
            time.sleep(2)
            self.assertFalse(self.is_shed(milter, STRANGER))
            # The others are heard all the same.
            hosts.reports.update(mx2=2.0)
            self.wait_stranger(milter, shed=True)
            hosts.reports.update(nan=1.0, huge=1.0, minus=1.0, words=1.0,
                                 empty=1.0)
            milter.wait_log("all hosts publish numbers again")
            self.assertEqual(self.lines(milter, "not a number"), 1)

    def lines(self, milter, words):
        return sum(words in line for line in milter.log())

    def test_a_host_that_dies_drops_out(self):
        other = self.milter('figure_file = "@DIR@/figure"',
                            'server_name = "mx2.example"\n' + SHEDDING)
        farm.put(other, "figure", "3.0")
        options = "farm = max  silent_after = 3s"
        with self.milter(options) as milter:
            other.start()
            self.wait_stranger(milter, shed=True)
            other.kill()
            elapsed = self.wait_stranger(milter, shed=False)
            STEPS.add("3.00, then silent", "nobody", elapsed)
            self.assertGreater(elapsed, 1)
            self.assertLess(elapsed, (3 + DWELL + 5) * pace() + 10 * reference())

    def test_without_redis_the_own_load_counts(self):
        policy = SHEDDING + RESPONSE.replace('"busy"', '"full"') + \
            'rule "full" { load_above = 1.5  verdict = defer  ' \
            'response = "full" }\n'
        milter = self.milter('figure_file = "@DIR@/figure"', policy)
        farm.put(milter, "figure", "0.2")
        with milter:
            milter.expect(farm.FAULT)
            self.assertFalse(self.is_shed(milter, STRANGER))
            self.redis.kill()
            farm.put(milter, "figure", "2.0")
            self.wait_stranger(milter, shed=True)
            self.assertFalse(self.is_shed(milter, EXEMPT))


class Pressure(MtaTest):
    """Far more tasks than CPUs, on this host, with the settings as shipped but
    for the dwell."""

    kind = mta.Postfix
    alone = True
    POLICY = (f"load {{ dwell = {DWELL}s  load_average = 0 }}\n"
              + RESPONSE + OWN + shed("0.80", 20, "strangers"))

    def test_strangers_are_shed_while_it_lasts(self):
        if not shutil.which("stress-ng"):
            self.skipTest("no stress-ng here")
        with self.milter(self.POLICY) as milter:
            self.assert_comes_to(shed=False)
            with stress():
                elapsed = self.assert_comes_to(shed=True)
                PRESSURE.add("from its begin until strangers are shed", elapsed)
                self.assertTrue(self.deliver(client=EXEMPT).ok)
            elapsed = self.assert_comes_to(shed=False)
            PRESSURE.add(f"from its end until they pass, dwell {DWELL} s",
                         elapsed)
            milter.wait_log("load .* below 0.80 again")

    def assert_comes_to(self, shed):
        """Seconds until strangers are shed, or no longer."""
        began = time.monotonic()
        while (self.probe() == BUSY.format(CLIENT)) != shed:
            if time.monotonic() - began > 20:
                if not shed and pressure() > 0.4:
                    self.skipTest("this machine is busy with something else")
                self.fail(f"strangers are {'not' if shed else 'still'} shed")
            time.sleep(0.1)
        return time.monotonic() - began


def pressure():
    """The share of a second in which some task waited for a CPU."""
    def total():
        with open("/proc/pressure/cpu") as file:
            return int(file.readline().split("total=")[1])
    try:
        before = total()
        time.sleep(1)
        return (total() - before) / 1e6
    except FileNotFoundError:
        return os.getloadavg()[0] / os.cpu_count() - 1


class stress:
    """Processes that all want the CPU, while in `with` and no longer than
    STRESS seconds."""

    def __enter__(self):
        self.process = subprocess.Popen(
            ["nice", "-n", "19", "stress-ng", "--quiet", "--cpu", str(6 * os.cpu_count()),
             "--timeout", str(STRESS)],
            stdin=subprocess.DEVNULL, start_new_session=True)

    def __exit__(self, *_):
        mta.kill_group(self.process.pid)
        self.process.wait()


if __name__ == "__main__":
    main()
