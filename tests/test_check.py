"""milter-deferctl check: what is well around the daemon, and what is not."""

import datetime
import json
import os
import re
import shutil
import socket
import unittest

from lib import cases, daemon, farm, mta
from lib.ctl import Ctl
from lib.daemon import Daemon, wait_for
from lib.policies import greylisting
from lib.redis_servers import start_single


class CheckTest(unittest.TestCase):
    def findings(self, milter, *words, env=None):
        """(status, ["level about: finding"])"""
        status, out, err = Ctl(milter).run("--json", "check", *words, env=env)
        self.assertEqual(err, "")
        return status, [f"{one['level']} {one['about']}: {one['finding']}"
                        for one in map(json.loads, out.splitlines())
                        if one["kind"] == "finding"]

    def assert_found(self, found, pattern):
        self.assertTrue(any(re.search(pattern, one) for one in found),
                        f"{pattern} is not among {found}")


class Config(CheckTest):
    """As the daemon's user finds it, and without a daemon."""

    HEAD = daemon.HEAD

    def check(self, policy, head=None):
        milter = Daemon(policy, head=head or self.HEAD)
        self.addCleanup(milter.remove)
        os.chmod(milter.config, 0o644)
        farm.put(milter, "secret", "0123456789abcdef" * 4)
        return self.findings(milter, "--mta", "none")

    def test_all_is_well(self):
        with Daemon('store { file = "@DIR@/state" }\n' + greylisting()) as milter:
            status, found = self.findings(milter, "--mta", "none")
        self.assertEqual(status, 0)
        self.assert_found(found, "ok config: .* 3 rules")
        self.assert_found(found, "ok daemon: ")

    def test_no_daemon(self):
        status, found = self.check(greylisting())
        self.assertEqual(status, 0)
        self.assert_found(found, "warning daemon: .*does it run")

    def test_a_list_that_says_how_old_it_is(self):
        rules = 'rule "l" { client_list = "@DIR@/%s"  verdict = accept }\n'
        milter = Daemon(rules % "old" + rules.replace("l\"", "m\"") % "new"
                        + rules.replace("l\"", "n\"") % "plain")
        self.addCleanup(milter.remove)
        today = datetime.date.today().isoformat()
        farm.put(milter, "old", "# About it\n#\n# As of 2001-02-03\n192.0.2.1\n")
        farm.put(milter, "new", f"# As of {today}\n192.0.2.1\n")
        farm.put(milter, "plain", "192.0.2.1\n")
        _, found = self.findings(milter, "--mta", "none")
        self.assert_found(found, "warning list: .*/old is as of [0-9]+ days ago")
        self.assert_found(found, "ok list: .*/new is as of [01] days ago")
        self.assertFalse([one for one in found if "/plain is" in one])

    def test_a_bad_configuration(self):
        status, found = self.check('rule "x" { nosuch = 1  verdict = accept }')
        self.assertEqual(status, 1)
        self.assert_found(found, "error config: .*:[0-9]+: .*nosuch")

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_what_the_user_cannot_read(self):
        head = self.HEAD.replace('user = ""', 'user = "nobody"')
        status, found = self.check(
            'secret_file = "@DIR@/secret"\n' + greylisting(), head)
        self.assertEqual(status, 1)
        self.assert_found(found, "error config: .*secret.*Permission denied")


@unittest.skipUnless(shutil.which("redis-server"), "no redis-server here")
class Redis(CheckTest):
    def setUp(self):
        self.redis = start_single()
        self.addCleanup(self.redis.stop)

    def check(self, milter):
        with milter:
            wait_for(lambda: self.redis.ask("HLEN", "mdefer:1:secrets"),
                     "it has told of its secret")
            return self.findings(milter, "--mta", "none")

    def daemon(self, **options):
        return farm.daemon(farm.redis(self.redis.where, **options),
                           greylisting())

    def test_its_settings(self):
        good = {"maxmemory": "100mb", "maxmemory-policy": "volatile-ttl",
                "save": "900 1"}
        for name, bad, level, said in (
                ("maxmemory-policy", "noeviction", "error", "nothing new"),
                ("maxmemory-policy", "allkeys-lru", "warning", "strangers"),
                ("maxmemory", "0", "warning", "no bound"),
                ("save", "", "warning", "forgets all")):
            for setting, value in {**good, name: bad}.items():
                self.redis.ask("CONFIG", "SET", setting, value)
            with self.subTest(name, value=bad):
                status, found = self.check(self.daemon())
                self.assertEqual(status, 1 if level == "error" else 0, found)
                self.assert_found(found, f"{level} redis: .*{said}")
                self.assert_found(found, "ok redis: its user may do all")

    def test_rights(self):
        """The user of the manual is enough; each command less is missed."""
        with open(os.path.join(os.environ.get("srcdir", "."), "milter", "man",
                               "milter-defer-redis.5")) as file:
            text = file.read()
        rights = re.search(r"ACL SETUSER mdefer(.*?)\.Ed", text, re.DOTALL)[1]
        words = [word for word in rights.split() if word[0] == "+"]
        for missing, level in ((None, "ok"), ("+hincrby", "error"),
                               ("+zadd", "error")):
            self.redis.ask("ACL", "SETUSER", "mdefer", "reset", "on",
                           ">password", "~mdefer:1:*",
                           *(word for word in words if word != missing))
            milter = self.daemon(user="mdefer", password_file="@DIR@/password")
            farm.put(milter, "password", "password")
            milter.expect("Redis at")
            with self.subTest(missing):
                status, found = self.check(milter)
                self.assertEqual(status, 0 if missing is None else 1, found)
                self.assert_found(
                    found, f"{level} redis: .*" + (missing or "+all")[1:]
                    .upper().replace("ALL", "may do all"))
                self.assert_found(found, "warning redis: its version")

    def test_another_secret(self):
        with self.daemon() as other:
            milter = self.daemon()
            farm.put(milter, "secret", "fedcba9876543210" * 4)
            for one in other, milter:
                one.expect("another secret")
            wait_for(lambda: self.redis.ask("HLEN", "mdefer:1:secrets"),
                     "the other has told of its secret")
            status, found = self.check(milter)
        self.assertEqual(status, 1)
        self.assert_found(found, "error secret: .*" + socket.gethostname())

    def test_it_is_away(self):
        milter = self.daemon()
        self.addCleanup(milter.remove)
        self.redis.stop()
        status, found = self.findings(milter, "--mta", "none")
        self.assertEqual(status, 1)
        self.assert_found(found, "error redis: .*refused")


class Attached(CheckTest):
    """How a mail server is set up to ask us."""

    def compare(self, what, found, said):
        with self.subTest(what):
            for pattern in said:
                self.assert_found(found, pattern)
            if not any(one.startswith(("error", "warning")) for one in said):
                self.assertEqual([one for one in found
                                  if "postfix:" in one or "sendmail:" in one
                                  if not one.startswith("ok")], [])


@unittest.skipIf(os.geteuid() != 0, "Postfix needs root")
class Postfix(Attached):
    OURS = "{{ unix:{}, command_timeout=5s, default_action=tempfail }}"
    CHROOT = ("n - n", "n - y")

    CASES = (  # what; smtpd_milters, {} is our socket; master.cf; what is found
        ("as in the README", OURS, None, ("ok postfix: .* 1 of 1",)),
        ("not at all", "inet:127.0.0.1:1", None,
         ("error postfix: no smtpd",)),
        ("accept", OURS.replace("tempfail", "accept"), None,
         ("warning postfix: .*default_action is accept",)),
        ("long", OURS.replace("5s", "30s"), None,
         ("warning postfix: .*command_timeout is 30s",)),
        ("not last", OURS + ", inet:127.0.0.1:1", None,
         ("ok postfix: .* 1 of 2", "warning postfix: .*behind us")),
        ("last", "inet:127.0.0.1:1 " + OURS, None,
         ("ok postfix: .* 2 of 2",)),
        ("in a chroot", OURS, CHROOT, ("error postfix: .*chroot",)),
        ("an override", "", "-o smtpd_milters={}",
         ("ok postfix: .* 1 of 1", "warning postfix: .*30s")),
    )

    def check(self, milter, milters, master, mode=0o666):
        server = mta.Postfix()
        self.addCleanup(server.stop)
        path = f"{milter.directory}/milter.sock"
        server.settings = (f"smtpd_milters = {milters.format(path)}\n"
                           "milter_default_action = tempfail\n")
        os.chmod(path, mode)
        server.prepare()
        if master is self.CHROOT:
            self.edit(server, *master)
        elif master:
            self.edit(server, " smtpd\n",
                      f" smtpd\n  {master.format('unix:' + path)}\n")
        return self.findings(milter, env={"PATH": self.postconf(server)})

    def edit(self, server, old, new):
        with open(server.path("conf/master.cf")) as file:
            text = file.read()
        server.write("conf/master.cf", text.replace(old, new, 2))

    def postconf(self, server):
        """A PATH with a postconf that finds its libraries and that server."""
        settings = "".join(f"export {name}='{value}'\n" for name, value
                           in server.environment().items())
        os.mkdir(server.path("bin"))
        server.write("bin/postconf", "#!/bin/sh\n" + settings
                     + f"export MAIL_CONFIG={server.path('conf')}\n"
                     + f"exec {server.unpacked.path('usr/sbin/postconf')} "
                     + '"$@"\n')
        os.chmod(server.path("bin/postconf"), 0o755)
        return server.path("bin") + ":" + os.environ["PATH"]

    def test_each(self):
        with Daemon(greylisting()) as milter:
            for what, milters, master, said in self.CASES:
                status, found = self.check(milter, milters, master)
                self.compare(what, found, said)
                self.assertEqual(status, any(one.startswith("error")
                                             for one in said), found)

    def test_who_may_not_connect(self):
        with Daemon(greylisting()) as milter:
            status, found = self.check(milter, self.OURS, None, 0o600)
        self.assertEqual(status, 1)
        self.assert_found(found, "error postfix: the user list may not")


class Sendmail(Attached):
    GOOD = "Xd, S=unix:{}, F=T, T=C:5s;S:5s;R:5s;E:1m\n"
    CASES = (
        ("as in the README", "O InputMailFilters=d\n" + GOOD,
         ("ok sendmail: ",)),
        ("another alone", "O InputMailFilters=x\nXx, S=inet:1@127.0.0.1\n",
         ("error sendmail: no filter",)),
        ("defined, and not used", GOOD,
         ("error sendmail: .*not among InputMailFilters",)),
        ("not last", "O InputMailFilters=d, x\n" + GOOD,
         ("warning sendmail: .*behind",)),
        ("lets pass", "O InputMailFilters=d\n" + GOOD.replace(" F=T,", ""),
         ("warning sendmail: .*DATA twice may walk",)),
        ("long", "O InputMailFilters=d\n" + GOOD.replace("R:5s", "R:2m"),
         ("warning sendmail: .*120 s",)),
        ("for ever", "O InputMailFilters=d\n"
         + GOOD.replace("R:5s", "R:9223372036854775807m"),
         ("warning sendmail: .*86400 s",)),
    )

    def test_each(self):
        with Daemon(greylisting()) as milter:
            path = os.path.join(milter.directory, "sendmail.cf")
            for what, text, said in self.CASES:
                with open(path, "w") as file:
                    file.write(text.format(
                        f"{milter.directory}/milter.sock"))
                _, found = self.findings(milter, "--mta", "sendmail",
                                         "--sendmail-cf", path)
                self.compare(what, found, said)


if __name__ == "__main__":
    cases.main()
