"""Entries of lists that never matched: `status`, and `list show --unused`.

An entry of each kind of list is met by a message, once with the embedded store and
once with two daemons that share a real Redis; all others have to be told.
"""

import json
import os
import shutil
import tempfile
import time
import unittest

from lib import cases, farm
from lib.ctl import Ctl
from lib.daemon import Daemon, wait_for
from lib.milterclient import MAIL
from lib.policies import response
from lib.redis_servers import start_single

DAY = 86400
BOB = "bob@local.test"

POLICY = response("no", "451 no.") + '''
load { pressure_cpu = 0  pressure_io = 0  pressure_memory = 0 }
rule "own" { client = {"10.0.0.0/8", "192.168.0.0/16"}  verdict = accept }
rule "greeting" { helo = {"good.example", "bad.example"}  verdict = accept }
rule "from" { sender = {"*@a.example", "*@b.example"}  verdict = accept }
rule "user" { user = {"anne", "bea"}  verdict = accept }
rule "nets" { client_list = "@FILES@/nets"  verdict = accept }
rule "names" { client_name_list = "@FILES@/names"  verdict = accept }
rule "senders" { sender_list = "@FILES@/senders"  verdict = accept }
rule "to" { recipient_list = "@FILES@/recipients"  verdict = accept }
rule "partners" { listed = "partners"  verdict = accept }
rule "trial" { client = {"203.0.113.0/24", "198.18.0.0/15"}  observe = true
               verdict = accept }
rule "many" { messages_above = "file:@FILES@/limits"  within = 1h
              per = user  at = data
              verdict = defer  response = "no" }
rule "subject" { header = {"Subject: *sale*", "Subject: *news*"}
                 verdict = accept }
'''

FILES = {
    "nets": "192.0.2.0/24\n# a comment\n2001:db8::/32\n192.0.2.7  # covered\n",
    "names": "mx.good.example\nother.example until 2000-01-01\nbad.example\n",
    "senders": "Anne@Sender.example\nbea@sender.example\nc.example\n",
    "recipients": "d.example\nbob@local.test\n",
    "limits": "carl 1000\n* 100\n",
}

# Made long ago: what is new is not counted as unused.
PARTNERS = "".join(f"{entry}  # by=anne at=1700000000\n" for entry in
                   ("partner.example", "198.51.100.77", "nobody.example"))

# What a message meets: of this list, this entry; what else is unlike a stranger.
MET = [
    ("own: client", "10.0.0.0/8", {"address": "10.1.2.3"}),
    ("greeting: helo", "good.example", {"helo": "good.example"}),
    ("from: sender", "*@a.example", {"sender": "x@a.example"}),
    ("user: user", "anne", {"user": "anne"}),
    ("@FILES@/nets", "192.0.2.0/24", {"address": "192.0.2.7"}),
    ("@FILES@/names", "mx.good.example", {"name": "mx.good.example"}),
    ("@FILES@/senders", "anne@sender.example",
     {"sender": "anne@sender.example"}),
    ("@FILES@/recipients", "d.example", {"recipient": "x@d.example"}),
    ("partners", "partner.example", {"sender": "x@partner.example"}),
    ("trial: client", "203.0.113.0/24", {"address": "203.0.113.1"}),
    ("@FILES@/limits", "carl", {"user": "carl"}),
    ("subject: header", "Subject: *news*", {"subject": "some news"}),
]
# The others.
UNMET = {
    "own: client": ["192.168.0.0/16"],
    "greeting: helo": ["bad.example"],
    "from: sender": ["*@b.example"],
    "user: user": ["bea"],
    "@FILES@/nets": ["2001:db8::/32", "192.0.2.7"],
    "@FILES@/names": ["bad.example"],
    "@FILES@/senders": ["bea@sender.example", "c.example"],
    "@FILES@/recipients": ["bob@local.test"],
    "partners": ["198.51.100.77", "nobody.example"],
    "trial: client": ["198.18.0.0/15"],
    "@FILES@/limits": ["*"],
    "subject: header": ["Subject: *sale*"],
}


def attempt(milter, address="198.51.100.9", name=None, helo="client.test",
            sender="x@stranger.example", recipient="y@other.example", user=None,
            subject="a greeting"):
    with milter.client() as client:
        client.negotiate()
        client.connect(name=name or f"[{address}]", address=address)
        client.helo(helo)
        if user:
            client.macros(MAIL, auth_type="PLAIN", auth_authen=user)
        return client.message(f"<{sender}>", [f"<{recipient}>"],
                              headers=[("Subject", subject)])


class Unused:
    """The tests, for either store."""

    def setUp(self):
        self.files = tempfile.mkdtemp(prefix="milter-defer-test.")
        os.chmod(self.files, 0o755)
        self.addCleanup(shutil.rmtree, self.files)
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name, text):
        path = os.path.join(self.files, name)
        with open(f"{path}.new", "w") as file:
            file.write(text)
        os.rename(f"{path}.new", path)

    def named(self, text):
        return text.replace("@FILES@", self.files)

    def ask(self, kind, *words):
        """Objects of a kind; the tool warns of what is not counted for long."""
        status, out, err = self.ctl.run("--json", *words)
        self.assertIn(status, (0, 1), (words, out, err))
        return [one for one in map(json.loads, out.splitlines())
                if one["kind"] == kind]

    def usage(self, *words):
        return {one["list"]: one for one
                in self.ask("usage", "status", *words)}

    def unused(self, *words):
        """Lists, and what of each was not met."""
        lists = {}
        for one in self.ask("unused", "list", "show", "--unused", *words):
            lists.setdefault(one["list"], []).append(one["entry"])
        return {name: sorted(entries) for name, entries in lists.items()}

    def all_unmet(self):
        return {self.named(name): sorted(entries)
                for name, entries in UNMET.items()}

    def watch(self, policy=POLICY):
        """Start, and wait until each list is looked after."""
        self.start(self.named(policy))
        self.ctl.run("list", "import", "partners", stdin=PARTNERS)
        wait_for(lambda: all("since" in one for one in self.usage().values()),
                 "each list is looked after", self.milters[0].log)

    def meet(self):
        """One message for each list, to one daemon after the other."""
        for number, (name, _, unlike) in enumerate(MET):
            milter = self.milters[number % len(self.milters)]
            attempt(milter, **unlike)
            if name == "partners":  # it may not have read them yet
                wait_for(lambda milter=milter, unlike=unlike:
                         self.again(milter, unlike), "the list is read")

    def again(self, milter, unlike):
        attempt(milter, **unlike)
        time.sleep(0.3)
        return "partner.example" not in self.unused("partners")["partners"]

    def told(self, expected, what):
        wait_for(lambda: self.unused() == expected, what,
                 lambda: [str(expected), *(
                     str(one) for kind in ("usage", "unused")
                     for one in self.ask(kind, "list", "show", "--unused"))])

    # ---- the tests

    def test_what_no_message_met_is_told(self):
        self.watch()
        before = self.unused()
        for name, entry, _ in MET:
            self.assertIn(entry, before[self.named(name)])
        self.meet()
        self.told(self.all_unmet(), "what was met is told by no host")
        usage = self.usage()
        for name, entries in self.all_unmet().items():
            self.assertEqual((usage[name]["unused"], usage[name]["entries"]),
                             (len(entries), len(entries) + 1), name)
            self.assertEqual(
                sorted(usage[name]["first"].split(", ")), entries)
            self.assertLess(usage[name]["within"], 600)
            self.assertLess(abs(usage[name]["since"] - time.time()), 600)
        text = self.ctl.say("status")
        self.assertRegex(text, r"LIST +NEVER MATCHED +OF +IN +COUNTED SINCE")
        self.assertRegex(text, r"own: client +1 +2 +\d+\w+ +\S.* 192\.168\.")

    def test_one_list_with_its_lines(self):
        self.watch()
        self.meet()
        self.told(self.all_unmet(), "all is told")
        nets = self.named("@FILES@/nets")
        self.assertEqual(
            [(one["entry"], one["line"]) for one
             in self.ask("unused", "list", "show", nets, "--unused")],
            [("2001:db8::/32", 3), ("192.0.2.7", 4)])
        (partner,) = [one for one in self.ask(
            "unused", "list", "show", "partners", "--unused")
            if one["entry"] == "nobody.example"]
        self.assertIn("by", partner)
        for name in ("own", "own: client"):
            self.assertEqual(self.unused(name),
                             {"own: client": ["192.168.0.0/16"]})
        status, out, err = self.ctl.run("list", "show", "--unused", "nobody")
        self.assertEqual(status, 1)
        self.assertIn("has no such list", out + err)
        status, _, _ = self.ctl.run("list", "show", "--idle", "1d")
        self.assertEqual(status, 2)

    def test_a_reload_and_a_changed_list_forget_nothing(self):
        self.watch()
        self.meet()
        for milter in self.milters:
            milter.reload(self.files_policy(milter), "reload")
        self.write("nets", "203.0.113.77\n" + FILES["nets"])
        self.ctl.run("list", "add", "partners", "one.more.example")
        expected = self.all_unmet()
        expected[self.named("@FILES@/nets")].insert(1, "203.0.113.77")
        expected[self.named("@FILES@/nets")].sort()
        self.told(expected, "what was met before still counts")

    def test_who_was_made_in_the_second_in_which_counting_began(self):
        """Could not match before, and is not blamed; who was there before is."""
        self.watch()
        since = self.usage()["partners"]["since"]
        self.ctl.run("list", "import", "partners",
                     stdin=f"new.example  # by=anne at={since}\n"
                     f"old.example  # by=anne at={since - 1}\n")
        unused = self.unused()["partners"]
        self.assertIn("old.example", unused)
        self.assertNotIn("new.example", unused)

    def test_a_session_that_outlives_a_reload(self):
        """It goes by the policy with which it began, and that counts."""
        self.watch()
        milter = self.milters[0]
        with milter.client() as client:
            client.begin(name="[10.1.2.3]", address="10.1.2.3")
            milter.reload(self.files_policy(milter), "reload")
            time.sleep(1)
            client.message("<x@stranger.example>", ["<y@other.example>"])
            self.told_own()
        self.told_own()

    def told_own(self):
        wait_for(lambda: self.unused("own") == {
            "own: client": ["192.168.0.0/16"]}, "it is told")

    def test_a_message_that_outlives_a_change_of_a_list(self):
        """It goes by the list as it was at MAIL, and that counts."""
        self.watch()
        milter, name = self.milters[0], self.named("@FILES@/recipients")
        with milter.client() as client:
            client.begin(name="[198.51.100.9]", address="198.51.100.9")
            client.mail("<x@stranger.example>")
            self.write("recipients", "fresh.example\n" + FILES["recipients"])
            wait_for(lambda: attempt(milter, recipient="x@fresh.example")
                     and "fresh.example" not in self.unused(name)[name],
                     "the list is read")
            client.rcpt("<x@d.example>")
            client.data()
        wait_for(lambda: self.unused(name) == {name: ["bob@local.test"]},
                 "what it met is told")

    def test_a_restart_forgets_nothing(self):
        self.watch()
        since = self.usage()["own: client"]["since"]
        self.meet()
        self.told(self.all_unmet(), "all is told")
        for milter in self.milters:
            milter.stop()
            milter.start()
        self.told(self.all_unmet(), "what was met before still counts")
        self.assertEqual(self.usage()["own: client"]["since"], since)

    def test_what_is_explained_is_no_match(self):
        self.watch()
        for address in ("10.1.2.3", "192.0.2.7"):
            self.ctl.ask("explain", "--client", address, "--from",
                         "x@a.example", "--to", "x@d.example")
        before = self.unused()
        attempt(self.milters[0], address="192.0.2.8")
        wait_for(lambda: self.unused() != before, "a message is")
        after = self.unused()
        self.assertIn("10.0.0.0/8", after["own: client"])
        self.assertIn("*@a.example", after["from: sender"])


class Embedded(Unused, unittest.TestCase):
    def start(self, policy):
        milter = Daemon("store { save_every = 1s }\n" + policy).start()
        self.addCleanup(milter.remove)
        self.addCleanup(milter.stop)
        self.milters = [milter]
        self.ctl = Ctl(milter)

    def files_policy(self, _):
        return "store { save_every = 1s }\n" + self.named(POLICY)


class WithRedis(Unused, unittest.TestCase):
    def section(self, number):
        return (f'server_name = "mx{number}.example"\n'
                + farm.redis(self.server.where))

    def start(self, policy):
        self.server = start_single()
        self.addCleanup(self.server.stop)
        self.milters = []
        for number in range(2):
            milter = farm.daemon(self.section(number), policy).start()
            self.addCleanup(milter.remove)
            self.addCleanup(milter.stop)
            self.milters.append(milter)
        wait_for(lambda: self.server.ask("HLEN", "mdefer:1:load") == 2,
                 "both have found Redis")
        self.ctl = Ctl(self.milters[0])

    def files_policy(self, milter):
        number = self.milters.index(milter)
        return (self.section(number) + 'secret_file = "@DIR@/secret"\n'
                + self.named(POLICY))

    def keys(self):
        return self.server.ask("KEYS", "mdefer:1:matched:*")

    def test_either_host_tells_of_both(self):
        self.watch()
        attempt(self.milters[0], address="10.1.2.3")
        wait_for(lambda: "own: client" in self.unused() and "10.0.0.0/8"
                 not in self.unused()["own: client"], "it is told")
        self.ctl = Ctl(self.milters[1])
        self.assertEqual(self.unused("own"),
                         {"own: client": ["192.168.0.0/16"]})

    def test_each_key_ends_and_shows_no_address(self):
        self.watch()
        self.meet()
        self.told(self.all_unmet(), "all is told")
        keys = self.keys()
        self.assertEqual(len(keys), len(MET))
        for key in keys:
            self.assertRegex(key, r":matched:[-\w]{8}$")
            self.assertGreater(self.server.ask("TTL", key), 99 * DAY)
            names = self.server.ask("ZRANGE", key, "0", "-1")
            self.assertIn("since", names)
            for name in set(names) - {"since"}:
                self.assertRegex(name, r"^[-\w]{8}$")

    def age(self, days):
        """As if all that was so long ago."""
        for key in self.keys():
            for name in self.server.ask("ZRANGE", key, "0", "-1"):
                self.server.ask("ZINCRBY", key,
                                -days * (DAY if name == "since" else 1), name)

    def test_how_long_ago(self):
        """What matched is unused when that is longer ago; nothing is told of a
        time in which nobody counted."""
        self.watch()
        self.meet()
        self.told(self.all_unmet(), "all is told")
        self.age(10)
        attempt(self.milters[0], address="192.168.1.1")
        wait_for(lambda: "192.168.0.0/16" not in self.unused("own")
                 .get("own: client", []), "it matched today")
        own = self.usage("--idle", "7d")["own: client"]
        self.assertEqual((own["unused"], own["within"], own["first"]),
                         (1, 7 * DAY, "10.0.0.0/8"))
        own = self.usage("--idle", "30d")["own: client"]
        self.assertEqual(own["unused"], 0)
        self.assertLess(abs(own["within"] - 10 * DAY), 600)
        (entry,) = self.ask("unused", "list", "show", "own", "--unused")
        self.assertLess(time.time() - entry["matched"], 11 * DAY + 600)
        status, _, err = self.ctl.run("list", "show", "--unused", "own",
                                      "--idle", "30d")
        self.assertEqual(status, 1)
        self.assertIn("not counted for as long", err)
        # an entry younger than that is not blamed
        self.ctl.run("list", "add", "partners", "young.example")
        self.assertNotIn("young.example", self.unused()["partners"])

    def test_while_redis_is_away_nothing_is_lost(self):
        self.watch()
        for milter in self.milters:
            milter.expect(farm.FAULT)
            milter.expect("store")
        self.server.kill()
        attempt(self.milters[0], address="10.1.2.3")
        time.sleep(1)
        self.server.start()
        self.told_own()


if __name__ == "__main__":
    cases.main()
