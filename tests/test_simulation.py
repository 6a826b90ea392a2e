"""What the shipped policy does to the mail of two days, in virtual time.

The tool is deterministic: the same seed gives the same figures.
"""

import os
import subprocess
import tempfile
import unittest

from lib import cases

TOP = os.environ.get("srcdir") or os.path.join(os.path.dirname(__file__), "..")
SIMULATE = os.environ.get("SIMULATE") or os.path.join(
    os.path.dirname(os.environ.get("MILTER_DEFER", "./milter-defer")),
    "tests", "simulation", "simulate")
SHIPPED = os.path.join(TOP, "conf", "milter-defer.conf")


def config(name):
    return os.path.join(TOP, "tests", "simulation", name + ".conf")


def simulate(*arguments):
    """One dictionary of figures for each configuration."""
    output = subprocess.run([SIMULATE, "-t", *arguments], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    tables = []
    for line in output.splitlines():
        name, value = line.split("=")
        if not tables or name in tables[-1]:
            tables.append({})
        tables[-1][name] = float(value)
    return tables


class Tool(unittest.TestCase):
    TERMS = "-d", "1", "-a", "0", "-n", "1", "-x", "0.05"

    def test_the_same_seed_gives_the_same_figures(self):
        one, other = simulate(*self.TERMS, SHIPPED, SHIPPED)
        self.assertEqual(one, other)

    def test_another_seed_gives_others(self):
        one, = simulate(*self.TERMS, "-s", "1", SHIPPED)
        other, = simulate(*self.TERMS, "-s", "2", SHIPPED)
        self.assertNotEqual(one, other)

    def test_it_tells_how_it_is_used(self):
        done = subprocess.run([SIMULATE], stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("usage: simulate", done.stderr)

    def test_a_wrong_configuration_is_told(self):
        done = subprocess.run([SIMULATE, "/nowhere.conf"], text=True,
                              stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nowhere.conf", done.stderr)


class Usual(unittest.TestCase):
    """No attack, no server near its limits."""

    @classmethod
    def setUpClass(cls):
        cls.greylisting, cls.shipped = simulate(
            "-d", "2", "-a", "0", "-n", "3", "-x", "0.3",
            config("greylisting"), SHIPPED)

    def test_no_server_was_busy(self):
        self.assertLess(self.shipped["top_load"], 0.80)

    def test_no_mail_of_known_clients_is_delayed(self):
        self.assertGreater(self.shipped["calm_known"], 1000)
        self.assertEqual(self.shipped["calm_known_delayed"], 0)

    def test_no_good_mail_is_lost(self):
        self.assertEqual(self.shipped["good_lost"], 0)

    def test_a_first_contact_waits_for_its_next_retry_and_no_longer(self):
        self.assertLess(self.shipped["first_median"], 15)
        self.assertLess(self.shipped["first_p95"], 35)
        # who comes back after nine hours
        self.assertLess(self.shipped["first_max"], 9 * 60)

    def test_most_spam_stays_out(self):
        self.assertLess(self.shipped["spam_attempts"], 35)

    def test_reputation_lets_no_more_spam_in_than_greylisting_alone(self):
        self.assertLessEqual(self.shipped["spam_attempts"],
                             self.greylisting["spam_attempts"])


class Delay(unittest.TestCase):
    """Why the shipped delay is what it is."""

    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            paths = [cls.policy(folder, delay)
                     for delay in ("1m", "3m", "5m", "10m")]
            one, cls.three, cls.five, ten = simulate(
                "-d", "3", "-a", "0", "-x", "0.5", *paths)
        cls.others = one, cls.five, ten

    @staticmethod
    def policy(folder, delay):
        path = os.path.join(folder, delay + ".conf")
        with open(SHIPPED) as shipped, open(path, "w") as file:
            file.write(f"delay = {delay}\n{shipped.read()}")
        return path

    def test_it_spares_those_who_retry_soon_and_then_late(self):
        """They come after 200 to 285 seconds, and then after three hours."""
        self.assertLess(self.three["first_mean"],
                        self.five["first_mean"] - 3)
        self.assertLess(self.three["first_median"], self.five["first_median"])
        self.assertLess(self.three["first_p95"], self.five["first_p95"])

    def test_it_lets_hardly_more_spam_in(self):
        for figure in ("spam_attempts", "spam_mails"):
            self.assertLess(self.three[figure], self.five[figure] + 2)

    def test_whatever_it_is_known_clients_do_not_wait(self):
        for figures in self.others:
            self.assertEqual(figures["calm_known_delayed"], 0)
            self.assertEqual(figures["good_lost"], 0)


class Evidence(unittest.TestCase):
    """Asking DNS, with lists of more or less quality (see simulate -l)."""

    @classmethod
    def setUpClass(cls):
        with open(SHIPPED) as shipped:
            text = shipped.read()
        asking = text.replace("\n\tservers = {}", '\n\tservers = "127.0.0.1"')
        assert asking != text
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "asking.conf")
            with open(path, "w") as file:
                file.write(asking)
            cls.without, cls.good = simulate(
                "-d", "3", "-a", "0", "-x", "0.4", "-l", "60,85,0.5",
                SHIPPED, path)
            cls.poor, = simulate(
                "-d", "3", "-a", "0", "-x", "0.4", "-l", "20,50,2", path)
            cls.shed_without, cls.shed = simulate(
                "-d", "3", "-a", "3", "-s", "3", SHIPPED, path)

    def test_few_wanted_first_contacts_wait(self):
        self.assertGreater(self.without["first_waiting"], 85)
        self.assertLess(self.good["first_waiting"], 15)
        self.assertLess(self.poor["first_waiting"], 30)

    def test_no_more_spam_gets_in(self):
        for figures in (self.good, self.poor):
            self.assertLess(figures["spam_attempts"],
                            self.without["spam_attempts"] + 3)

    def test_who_came_by_evidence_becomes_known(self):
        self.assertGreater(self.good["calm_known"],
                           0.95 * self.without["calm_known"])
        self.assertEqual(self.good["calm_known_delayed"], 0)

    def test_no_good_mail_is_lost(self):
        self.assertEqual(self.good["good_lost"], 0)
        self.assertEqual(self.poor["good_lost"], 0)

    def test_regulars_are_not_shed(self):
        self.assertGreater(self.shed["attack_regulars_at_once"], 98)
        self.assertGreater(self.shed["attack_strangers_hour"],
                           self.shed_without["attack_strangers_hour"])


class Attack(unittest.TestCase):
    """Half as much again as the servers can do, by senders that retry."""

    @classmethod
    def setUpClass(cls):
        cls.at_random, cls.shipped = simulate(
            "-d", "2", "-a", "2", "-n", "1", "-x", "0.3",
            config("both"), SHIPPED)

    def test_without_shedding_it_is_too_much(self):
        self.assertGreater(self.at_random["attack_load"], 1.3)

    def test_shedding_keeps_the_load_below_what_a_server_can_do(self):
        self.assertLess(self.shipped["attack_load"], 0.95)

    def test_regulars_get_through_at_once(self):
        self.assertGreater(self.shipped["attack_regulars_at_once"], 95)
        self.assertGreater(self.shipped["attack_regulars_hour"], 95)

    def test_they_would_not_if_servers_refused_at_random(self):
        self.assertLess(self.at_random["attack_regulars_at_once"], 60)

    def test_no_good_mail_is_lost(self):
        self.assertEqual(self.shipped["good_lost"], 0)


if __name__ == "__main__":
    cases.main()
