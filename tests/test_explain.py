"""milter-deferctl explain: what it says is what the next mail gets, and nothing
is changed by asking."""

import os
import re
import shutil
import time
import unittest

from lib import daemon, farm, mta, mta_case
from lib.ctl import BothStores, Ctl
from lib.daemon import Daemon, wait_for
from lib.redis_servers import start_single

POLICY = '''
delay_cap = 4h
known_after = 1
response "no" { reply = "451 4.7.1 No, %{client_addr}: %{rule}" }
response "wait" { reply = "451 4.7.1 %{helo} has to wait %{wait}, %{recipient}" }
response "two" { reply = {"451 4.7.1 First", "451 4.7.1 Second <%{recipient}>"} }
rule "own" { client = "10.0.0.0/8"  verdict = accept }
rule "authenticated" { authenticated = true  verdict = accept }
rule "user" { user = "x*"  verdict = defer  response = "no" }
rule "at mail" { sender = "*@mail.test"  verdict = defer  response = "no" }
rule "postmaster" { recipient = "postmaster@*"  verdict = accept }
rule "closed" { recipient = "closed@*"  verdict = defer  response = "two" }
rule "one domain" { domains_in_message_above = 1  sender = "*@domains.test"  verdict = defer  uncapped = true  response = "no" }
rule "few" { recipients_in_message_above = 2  sender = "*@few.test"  verdict = defer  uncapped = true  response = "no" }
rule "file" { client_list = "@DIR@/blocked"  at = data  verdict = defer  response = "no" }
rule "senders" { sender_list = "@DIR@/senders"  at = data  verdict = defer  response = "no" }
rule "bad name" { client_name = "*.bad.example"  at = data  verdict = defer  response = "no" }
rule "no name" { no_client_name = true  sender = "*@noname.test"  at = data  verdict = defer  response = "no" }
rule "generic" { generic_name = true  sender = "*@generic.test"  at = data  verdict = defer  response = "no" }
rule "helo" { helo = "evil*"  at = data  verdict = defer  response = "no" }
rule "malformed" { helo_malformed = true  sender = "*@helo.test"  at = data  verdict = defer  response = "no" }
rule "tls" { tls = true  sender = "*@tls.test"  at = data  verdict = accept }
rule "port" { daemon_port = 587  at = data  verdict = accept }
rule "bounce" { null_sender = true  recipient = "bounce@*"  verdict = defer  response = "no" }
rule "hours" { hours = "00:00-24:00"  sender = "*@hours.test"  at = data  verdict = defer  response = "no" }
rule "share" { share = 50%  sender = "*@share.test"  at = data  verdict = defer  response = "no" }
rule "load" { load_above = 50  at = data  verdict = defer  response = "no" }
rule "messages" { messages_above = 2  within = 1h  per = sender_domain  sender = "*@limit.test"  at = data  verdict = defer  response = "no" }
rule "recipients" { recipients_above = 3  within = 1h  per = sender_domain  sender = "*@rlimit.test"  at = data  verdict = defer  response = "no" }
rule "connections" { connections_above = 2  within = 1h  sender = "*@clim.test"  at = data  verdict = defer  response = "no" }
rule "header" { header = "X-Spam: yes*"  sender = "*@header.test"  verdict = defer  response = "no" }
rule "score" { header_above = "X-Score: 5"  sender = "*@header.test"  verdict = defer  response = "no" }
rule "size" { size_above = 20k  sender = "*@size.test"  verdict = defer  response = "no" }
rule "rest of those" { at = data  sender = {"*@header.test", "*@size.test", "*@share.test", "*@clim.test", "*@limit.test", "*@rlimit.test"}  verdict = accept }
rule "trial" { sender = "*@trial.test"  at = data  verdict = defer  observe = true  response = "no" }
rule "poor" { reputation_below = -5  sender = "*@poor.test"  at = data  verdict = greylist  by = client  delay = 30m  response = "no" }
rule "known" { known = true  sender = "*@known.test"  at = data  verdict = accept }
rule "listed" { listed = "partners"  at = data  verdict = accept }
rule "client clock" { sender = "*@client.test"  at = data  verdict = greylist  by = client  delay = 1h  response = "wait" }
rule "quick" { sender = {"*@quick.test", "*@known.test"}  at = data  verdict = greylist  delay = 1s  response = "no" }
rule "strangers" { sender = "*@strange.test"  at = data  verdict = greylist  delay = 1h  response = "wait" }
'''

NAME = "mail.sender.example"


class Case:
    """A message, and how often it was sent before explain is asked."""

    def __init__(self, what, client="192.0.2.7", name=NAME, helo=NAME,
                 sender="a@strange.test", to=("bob@local.test",), auth=None,
                 tls=False, port=None, headers=(), size=None, before=0,
                 rest=0.0, unknown=False):
        self.__dict__.update(locals())

    def words(self):
        words = ["explain", "--client", self.client, "--from", self.sender]
        for option, value in (("--name", self.name), ("--helo", self.helo),
                              ("--auth", self.auth), ("--port", self.port),
                              ("--size", self.size)):
            words += [option, value] if value else []
        words += ["--tls"] if self.tls else []
        words += ["--name-unknown"] if self.unknown else []
        for to in self.to:
            words += ["--to", to]
        for name, value in self.headers:
            words += ["--header", f"{name}: {value}"]
        return words

    def send(self, milter):
        """What a mail server is told: the Outcome."""
        with milter.client() as client:
            client.negotiate()
            resolve = "TEMP" if self.unknown else "OK" if self.name else "FAIL"
            client.macros(daemon.milterclient.CONNECT, j="mx.local.test",
                          client_resolve=resolve,
                          daemon_port=self.port or "25")
            client.connect(self.name or f"[{self.client}]", self.client)
            if self.helo:
                client.helo(self.helo)
            macros = {"auth_type": "PLAIN", "auth_authen": self.auth} \
                if self.auth else {}
            if self.tls:
                macros["tls_version"] = "TLSv1.3"
            client.macros(daemon.milterclient.MAIL, **macros)
            sender = "<>" if self.sender == "<>" else f"<{self.sender}>"
            return client.message(sender, [f"<{to}>" for to in self.to],
                                  self.headers, "x" * int(self.size or 1000))


STRANGE = "strange.test"
CASES = [
    Case("a stranger"),
    Case("a stranger who comes again at once", before=1),
    Case("one of IPv6", client="2001:db8::25"),
    Case("a client without a name", name=None),
    Case("whose name could not be looked up", name=None, unknown=True),
    Case("without HELO", helo=None),
    Case("of our own network", client="10.1.2.3"),
    Case("logged in", auth="alice"),
    Case("no rule holds", sender="a@nobody.test"),
    Case("deferred at MAIL", sender="a@mail.test"),
    Case("to the postmaster", to=("postmaster@local.test",)),
    Case("to a closed mailbox", to=("closed@local.test",)),
    Case("to a closed mailbox and another", sender="a@nobody.test",
         to=("closed@local.test", "bob@local.test")),
    Case("to the postmaster and another",
         to=("postmaster@local.test", "bob@local.test")),
    Case("two domains", sender="a@domains.test",
         to=("bob@local.test", "bob@other.test")),
    Case("one recipient too many", sender="a@few.test",
         to=("a@local.test", "b@local.test", "c@local.test")),
    Case("in a list file", client="198.51.100.77"),
    Case("a sender in a list file", sender="a@listed.test"),
    Case("a bad name", name="x.bad.example"),
    Case("no name where one is needed", name=None, sender="a@noname.test"),
    Case("a name where one is needed", sender="a@noname.test"),
    Case("a customer's line", name="dsl-192-0-2-7.isp.example",
         sender="a@generic.test"),
    Case("an evil HELO", helo="evil.example"),
    Case("a malformed HELO", helo="-x-", sender="a@helo.test"),
    Case("with TLS", tls=True, sender="a@tls.test"),
    Case("without TLS", sender="a@tls.test"),
    Case("at another port", port="587"),
    Case("a bounce", sender="<>", to=("bounce@local.test",)),
    Case("a bounce to somebody else", sender="<>"),
    Case("by the hour", sender="a@hours.test"),
    Case("of one share", client="192.0.2.99", sender="a@share.test"),
    Case("of the other share", client="203.0.113.9", sender="a@share.test"),
    Case("the second within a limit", sender="a@limit.test", before=1),
    Case("the third beyond it", sender="b@limit.test", before=1),
    Case("too many recipients in time", sender="a@rlimit.test", before=1,
         to=("a@local.test", "b@local.test")),
    Case("too many connections", client="198.51.100.20",
         sender="a@clim.test", before=2),
    Case("a marked header", sender="a@header.test",
         headers=(("X-Spam", "yes, very"),)),
    Case("a score in a header", sender="a@header.test",
         headers=(("X-Score", "7.5"), ("X-Spam", "no"))),
    Case("no such header", sender="a@header.test"),
    Case("too large", sender="a@size.test", size="40000"),
    Case("not too large", sender="a@size.test", size="2000"),
    Case("a rule on trial", sender="a@trial.test"),
    Case("by client", sender="a@client.test", before=1),
    Case("of poor reputation", client="198.51.100.30", sender="a@poor.test",
         helo="-x-", before=3),
    Case("who waited long enough", client="198.51.100.40",
         sender="a@quick.test", before=1, rest=1.2),
    Case("who has passed before", client="198.51.100.41",
         sender="a@known.test", before=2, rest=1.2),
]


# What the daemon writes now and then by itself.
LATER = "load|secrets|host:.*|journal.*|matched:.*"


def redis_dump(server, without=LATER):
    """What every key holds; Redis keeps hashes in no order."""
    with server.client() as client:
        keys = sorted(client.ask("KEYS", "*"))
        return {key: value_of(client, key) for key in keys
                if not re.search(f":({without})$", key)}


def value_of(client, key):
    kind = client.ask("TYPE", key)
    words = {"hash": ("HGETALL", key), "string": ("GET", key),
             "zset": ("ZRANGE", key, "0", "-1", "WITHSCORES"),
             "list": ("LRANGE", key, "0", "-1"), "set": ("SMEMBERS", key),
             "stream": ("XRANGE", key, "-", "+")}[kind]
    value = client.ask(*words)
    if kind != "hash":
        return value
    # s and n are the sweeper's, who comes when he likes.
    return {name: text for name, text in zip(value[::2], value[1::2])
            if name not in ("s", "n")}


def settled(dump, pause=0.03):
    """What was written without waiting is there: nothing changes any more."""
    last = dump()
    while True:
        time.sleep(pause)
        last, before = dump(), last
        if last == before:
            return last


class Agreement(unittest.TestCase):
    """The verdict, the rule, the step and the reply, case by case."""

    def agree(self, milter, dump):
        ctl = Ctl(milter)
        for case in CASES:
            for i in range(case.before):
                case.send(milter)
                time.sleep(case.rest)
            status, objects, has_written = self.explain(ctl, case, dump)
            with self.subTest(case.what):
                self.assertEqual(status, 0, objects)
                self.assertFalse(has_written)
                outcome = case.send(milter)
                self.compare(case, objects, outcome, milter.decisions()[-1])

    def explain(self, ctl, case, dump):
        """What it says, and whether it writes something each time: what was told
        before may come late."""
        for _ in range(5):
            before = settled(dump)
            status, objects = ctl.ask(*case.words())
            if dump() == before:
                return status, objects, False
        return status, objects, True

    def compare(self, case, objects, outcome, decision):
        verdicts = [one for one in objects if one["kind"] == "verdict"]
        refused = {f"<{one['recipient']}>": one["reply"] for one in verdicts
                   if "recipient" in one}
        self.assertEqual(refused, {to: reply.text for to, reply
                                   in outcome.refused.items()})
        last = verdicts[-1]
        if len(refused) == len(case.to):
            self.assertEqual(last["verdict"], "defer")
        else:
            self.assertNotIn("recipient", last)
            self.assertEqual(last["verdict"],
                             "accept" if outcome.accepted else "defer")
            self.assertEqual(last.get("reply", ""), outcome.text)
        self.assertEqual(last["verdict"], decision["verdict"])
        self.assertEqual(last["rule"], decision["rule"])
        if not last.get("capped") and last["verdict"] == "defer":
            self.assertEqual(last["stage"], decision["stage"])
        rules = [one for one in objects if one["kind"] == "rule"]
        if last["rule"]:
            self.assertEqual(rules[-1]["rule"], last["rule"])
            self.assertEqual(rules[-1]["answer"], "yes")
        for rule in rules:
            self.assertTrue(rule["why"])

    def prepare(self, milter):
        for name, text in (("blocked", "198.51.100.77\n"),
                           ("senders", "listed.test\n")):
            with open(os.path.join(milter.directory, name), "w") as file:
                file.write(text)

    def test_embedded(self):
        policy = POLICY + 'store { file = "@DIR@/state"  save_every = 1s }\n'
        milter = Daemon(policy)
        self.prepare(milter)
        milter.expect("shared list|can never")
        with milter:
            self.agree(milter, lambda: None)
            before = self.saved(milter)
            for case in CASES:
                Ctl(milter).ask(*case.words())
            self.assertEqual(self.saved(milter), before)

    def saved(self, milter):
        """What the embedded store keeps, when it has saved once more."""
        path = os.path.join(milter.directory, "state")

        def when():
            return os.path.exists(path) and os.stat(path).st_mtime_ns

        began = when()
        wait_for(lambda: when() != began, "it is saved again")
        with open(path, "rb") as file:
            return file.read()

    def test_redis(self):
        if not shutil.which("redis-server"):
            self.skipTest("no redis-server here")
        server = start_single()
        self.addCleanup(server.stop)
        milter = Daemon(POLICY + farm.redis(server.where))
        self.prepare(milter)
        milter.expect("key for hashing|a key newly made|shared list")
        with milter:
            wait_for(lambda: server.ask("EXISTS", "mdefer:1:key"),
                     "the daemon has found Redis")
            self.agree(milter, lambda: redis_dump(server))
            before = settled(  # with the journal
                lambda: redis_dump(server, "load|secrets|host:.*"), 0.5)
            for case in CASES:
                Ctl(milter).ask(*case.words())
            self.assertEqual(redis_dump(server, "load|secrets|host:.*"),
                             before)


class Listed(BothStores, unittest.TestCase):
    """Shared lists are seen as they are now, with both stores."""

    WORDS = ("explain", "--client", "192.0.2.7", "--from", "a@nobody.test",
             "--to", "bob@local.test")
    POLICY = ('''
rule "blocked" { listed = "blocklist"  at = data  verdict = defer  wait = 1h  uncapped = true  response = "blocklisted" }
''')

    def look(self, milter):
        ctl = Ctl(milter)
        self.assertEqual(ctl.objects("verdict", *self.WORDS)[0]["verdict"],
                         "accept")
        self.assertEqual(ctl.run("list", "add", "blocklist", "192.0.2.0/24",
                                 "--for", "1h")[0], 0)
        verdict = ctl.objects("verdict", *self.WORDS)[0]
        self.assertEqual((verdict["verdict"], verdict["rule"]),
                         ("defer", "blocked"))
        self.assertEqual(ctl.objects("verdict", *self.WORDS, "--at",
                                     "+2h")[0]["verdict"], "accept")


class Silent(unittest.TestCase):
    def test_no_line_no_count_no_entry(self):
        milter = Daemon(POLICY)
        for name in ("blocked", "senders"):
            with open(os.path.join(milter.directory, name), "w"):
                pass
        with milter:
            ctl, lines = Ctl(milter), len(milter.log())
            for case in CASES[:20]:
                ctl.ask(*case.words())
            time.sleep(1.2)  # a picture of the counts is taken each second
            totals = ctl.objects("totals", "status")[0]
            self.assertEqual((totals["accepted"], totals["deferred"]), (0, 0))
            self.assertEqual(ctl.run("why", "192.0.2.7")[0], 1)
            self.assertEqual(milter.log()[lines:], [])


class Wrong(unittest.TestCase):
    def test_options_that_make_no_sense_are_told(self):
        with Daemon('rule "x" { verdict = accept }') as milter:
            for words in (("--port", "0"), ("--port", "99999"),
                          ("--header", "nocolon"), ("--header", ": x"),
                          ("--size", "-1"), ("--at", "yesterday"),
                          ("--load", "much")):
                status, objects = Ctl(milter).ask(
                    "explain", "--client", "192.0.2.7", "--from", "a@b.example",
                    "--to", "c@d.example", *words)
                self.assertEqual(status, 2, words)
                self.assertEqual(objects[-1]["kind"], "error")


class WithPostfix(mta_case.MtaTest):
    """What real clients of a real Postfix are told."""

    kind = mta.Postfix
    POLICY = '''
response "no" { reply = "451 4.7.1 No, %{client_addr}: %{rule}" }
rule "known network" { client = "203.0.113.0/24"  verdict = accept }
rule "closed" { recipient = "closed@*"  verdict = defer  response = "no" }
rule "helo" { helo = "evil*"  at = data  verdict = defer  response = "no" }
rule "large" { size_above = 5k  verdict = defer  response = "no" }
rule "quick" { at = data  verdict = greylist  delay = 1s  response = "greylisted" }
'''

    def compare(self, milter, client, sender, to, helo="client.example"):
        status, objects = Ctl(milter).ask(
            "explain", "--client", client, "--helo", helo, "--from", sender,
            "--to", to)
        self.assertEqual(status, 0)
        verdict = [one for one in objects if one["kind"] == "verdict"][-1]
        with self.server.session(client) as session:
            session.ehlo(helo)
            said = str(session.deliver(sender, (to,)))
        if verdict["verdict"] == "accept":
            self.assertTrue(said.startswith("250"), said)
        else:
            self.assertEqual(verdict["reply"], said)
        return verdict["rule"]

    def test_each(self):
        alice, bob = "alice@sender.example", "bob@local.test"
        with self.milter(self.POLICY) as milter:
            for rule, case in (
                    ("quick", ("198.51.100.7", alice, bob)),
                    ("quick", ("198.51.100.8", alice, bob)),
                    ("closed", ("198.51.100.7", alice, "closed@local.test")),
                    ("known network", ("203.0.113.9", alice, bob)),
                    ("helo", ("198.51.100.9", alice, bob, "evil.example")),
                    ("quick", ("198.51.100.7", "", bob))):
                with self.subTest(rule, case=case):
                    self.assertEqual(self.compare(milter, *case), rule)
            time.sleep(1.2)
            self.assertEqual(
                self.compare(milter, "198.51.100.7", alice, bob), "")


if __name__ == "__main__":
    mta_case.main()
