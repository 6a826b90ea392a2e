"""What people write, and what they are told.

Broken configurations as postmasters write them, and files that are not what the
configuration takes them for, each with all that `milter-defer -t` says of it.
"""

import os
import tempfile
import unittest

from lib import cases
from lib.daemon import Daemon, run
from lib.milterclient import CONNECT

ACCEPT = 'rule "all" { verdict = accept }\n'

# (what is written, what is said of it; no line of that may be missing).
# "E 2: " is an error on line 2 of the file, "W 2: " a warning.
BROKEN = [
    # what can never be known or met
    ('rule "x" { country = "DE"  verdict = accept }',
     'W 1: rule "x": country is never known: section geo names no '
     "country_file"),
    ('geo { asn_file = "/nowhere.mmdb" }\n'
     'rule "x" { asn = {"AS1", "as2", "3", "4*", "5x"}  verdict = accept }',
     'W 2: rule "x": asn "5x" never matches: write it as in AS64500\n'
     "W asn_file = /nowhere.mmdb: No such file or directory"),
    ('geo { country_file = "/nowhere.mmdb" }\n'
     'rule "x" { not_country = {"de", "Germany"}  verdict = accept }',
     'W 2: rule "x": country "Germany" never matches: a country is two '
     "letters, as in DE\n"
     "W country_file = /nowhere.mmdb: No such file or directory"),
    ('link = "javascript:alert(1)"\n' + ACCEPT.strip(),
     "W 1: link does not begin with https:// or http://"),
    ('web { listen = "127.0.0.1:8080" }\njournal { entries = 0 }\n'
     + ACCEPT.strip(),
     "W 2: without a journal no page can tell why a message was deferred"),
    # names
    ('rule "x" { verdict = greylist  dealy = 5m }',
     "E 1: there is no dealy in a section rule; did you mean delay?"),
    ("retry_windwo = 5h",
     "E 1: there is no retry_windwo; did you mean retry_window?"),
    ('redis {\n server = "127.0.0.1:6379"\n}',
     "E 2: there is no server in a section redis; did you mean servers?"),
    ('rule "x" { recipents_above = 5  within = 1h  verdict = defer }',
     "E 1: there is no recipents_above in a section rule; did you mean "
     "recipients_above?"),
    ('reputaton { prior = 5 }',
     "E 1: there is no reputaton; did you mean reputation?"),
    ('rule "x" { verdict = defer  responce = "try-again" }',
     "E 1: there is no responce in a section rule; did you mean response?"),
    ('rule "x" { verdict = defer  response = "server-bussy" }',
     'E 1: rule "x": there is no response "server-bussy"; did you mean '
     "server-busy?"),
    ('rule "x" { verdict = greylsit }',
     'E 1: verdict "greylsit": it has to be one of: accept defer greylist; '
     "did you mean greylist?"),
    ('rule "x" { messages_above = 5  within = 1h  per = hosts  verdict = defer }',
     'E 1: per "hosts": it has to be one of: network host sender_domain user '
     "all sender server recipient; did you mean host?"),
    ('rule "x" { spf = sotffail  verdict = defer }',
     'E 1: spf "sotffail": none, neutral, pass, fail, softfail or permerror '
     "is needed; did you mean softfail?"),
    # values
    ('delay = "10 minutes"',
     'E 1: delay "10 minutes": there is no minutes; m is: a duration is '
     "needed, such as 30s, 5m, 2h, 36d or 1h30m"),
    ('redis { deadline = 200msec }',
     'E 1: deadline "200msec": there is no msec; ms is: a short duration with '
     "its unit is needed, such as 200ms or 1s"),
    ('store { memory = 1GB }',
     'E 1: memory "1GB": there is no GB; G is: a size is needed, such as 10k '
     "or 64M"),
    ('rule "x" { hours = "25:00-26:00"  verdict = defer }',
     'E 1: hours "25:00-26:00": hours are needed, such as "Mon-Fri '
     '08:00-18:00" or "22:00-06:00"'),
    ('response "x" { reply = "451 4.7.1 Wait %{wait" }',
     'E 1: response "x": a placeholder without its brace; it is written '
     "%{wait}"),
    ('response "x" { reply = "451 4.7.1 Wait %{wiat}" }',
     'E 1: response "x": unknown placeholder %{wiat}; did you mean wait?; '
     "there are client_addr client_name helo sender recipient server rule "
     "reference link wait score"),
    # the wrong kind
    ('rule "x" { client = "mail.partner.example"  verdict = accept }',
     'E 1: client "mail.partner.example": not an IP address; for host names '
     "there is client_name"),
    ('rule "x" { sender = {"*@a.example",\n"partner.example"}  '
     'verdict = accept }',
     'E 2: sender "partner.example": no address is without @; of a domain, '
     'all addresses are "*@example.org"'),
    ('rule "x" { recipient = "@partner.example"  verdict = accept }',
     'E 1: recipient "@partner.example": no address begins with @; of a '
     'domain, all addresses are "*@example.org"'),
    ('rule "x" { client_name = "192.0.2.0/24"  verdict = accept }',
     'E 1: client_name "192.0.2.0/24": no host name has one of @ / : [ or a '
     "blank; for addresses and networks there is client"),
    ('rule "x" { listed = "my list"  verdict = accept }',
     'E 1: listed "my list": the store can have no list of this name: 1 to '
     "80 letters of printable ASCII without blanks, braces, quotes and "
     "backslashes are needed"),
    ('rule "x" { messages_above = 0  within = 1h  verdict = defer }',
     'E 1: messages_above "0": a limit below one lets nothing through, ever: '
     "it has to be from 1 to 1000000000"),
    # what is dead
    ("delay = 5m", "W: there are no rules: all mail is accepted"),
    ('rule "x" { verdict = accept }\nrule "y" { at = data  verdict = greylist }',
     'W 2: rule "y" can never be reached: whatever meets it is settled by '
     'rule "x" on line 1'),
    ('rule "x" { load_above = 0.9  load_below = 0.5  at = data  '
     'verdict = defer }',
     'W 1: rule "x" can never hold: its load_above and its load_below exclude '
     "each other"),
    ('rule "x" { known = true  not_known = true  verdict = accept }',
     'W 1: rule "x" can never hold: its known and its not_known exclude each '
     "other"),
    ('rule "x" { share = 0%  at = data  verdict = defer }',
     'W 1: rule "x" can never hold: nothing meets its share'),
    # syntax
    ('include "other.conf"\n' + ACCEPT,
     'E 1: include "@DIR@/other.conf": No such file or directory'),
    ('include = "other.conf"\n' + ACCEPT,
     'E 1: include needs a path in quotes, and no =, as in include '
     '"rules.conf"'),
    ('rule "x" { verdict = accept',
     "E 1: the brace that opens here is never closed"),
]


# (the rule's condition; what its file is; what is said, of the file or not)
FAULTS = [
    ("client_list", None,
     'E conf:2: client_list "@FILE@": No such file or directory'),
    ("sender_list", os.mkdir, 'E conf:2: sender_list "@FILE@": it is a directory'),
    ("recipient_list", os.mkfifo,
     'E conf:2: recipient_list "@FILE@": it is not a regular file'),
    ("client_list", "192.0.2.1\noutbound.partner.example\n",
     "E @FILE@:2: a host name or domain can never match here, only addresses "
     "and networks can"),
    ("client_list", "kim@partner.example\n",
     "E @FILE@:1: a mail address can never match here, only addresses and "
     "networks can"),
    ("not_sender_list", "a.example\n192.0.2.0/24\n2001:db8::1\n",
     "E @FILE@:2: a network can never match here, only mail addresses and "
     "domains can\n"
     "E @FILE@:3: a network can never match here, only mail addresses and "
     "domains can"),
    ("recipient_list", "192.0.2.7\n",
     "E @FILE@:1: a network can never match here, only mail addresses and "
     "domains can"),
    ("client_name_list", "192.0.2.7\nmx.example.org\n",
     "E @FILE@:1: a network can never match here, only host names and domains "
     "can"),
    ("client_list", "192.0.2.1/24\n",
     "E @FILE@:1: host bits are set; the network is 192.0.2.0/24"),
    ("client_list", "192.0.2.1 until tomorrow\n",
     "E @FILE@:1: until what?  Write it as 2026-12-31T23:59Z or 2026-12-31"),
    ("sender_list", "*@a.example\n",
     "E @FILE@:1: no * in a list; a domain stands for all below it too"),
    ("client_list", "192.0.2.1 REJECT\n", "E @FILE@:1: more than one word"),
]


class Words(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.conf = f"{self.folder}/conf"

    def rest(self):
        """What a start here needs besides."""
        return f'user = ""  store {{ file = "{self.folder}/state" }}\n'

    def write(self, text):
        with open(self.conf, "w") as file:
            file.write(text)

    def said(self, *more):
        """(status, what -t says): paths and the words before them made short."""
        status, _, err = run("-t", "-c", self.conf, *more)
        short = []
        for line in err.splitlines():
            kind, _, rest = line.partition(": ")
            rest = rest.replace(f"{self.conf}:", "conf:", 1) \
                if rest.startswith(f"{self.conf}:") else rest
            short.append(f"{kind[0].upper()} {rest}")
        return status, "\n".join(short)

    def test_broken_configurations(self):
        self.assertGreaterEqual(len(BROKEN), 25)
        for text, wanted in BROKEN:
            with self.subTest(text):
                # As all that is at the end, so that no line is moved.
                self.write(text + "\n" + self.rest())
                status, said = self.said()
                said = said.replace(" conf:", " ").replace("W  ", "W: ")
                wanted = wanted.replace("@DIR@", self.folder)
                self.assertEqual(said, wanted)
                self.assertEqual(status, 1 if wanted[0] == "E" else 0)

    def test_files_that_are_something_else(self):
        self.assertGreaterEqual(len(FAULTS), 10)
        for number, (condition, made, wanted) in enumerate(FAULTS):
            path = f"{self.folder}/{number}"
            if isinstance(made, str):
                with open(path, "w") as file:
                    file.write(made)
            elif made:
                made(path)
            with self.subTest(condition=condition, made=made):
                self.write(self.rest() +
                           f'rule "x" {{ {condition} = "{path}"  at = data  '
                           "verdict = accept }\n")
                status, said = self.said()
                self.assertEqual(said, wanted.replace("@FILE@", path))
                self.assertEqual(status, 1)

    def test_a_file_without_its_letter(self):
        self.write(self.rest() + ACCEPT)
        self.assertEqual(run("-t", self.conf)[0], 0)
        self.assertIn("rules", run("-t", self.conf)[1])
        for arguments in ([self.conf], ["-f", self.conf],
                          ["-t", self.conf, self.conf],
                          ["-t", "-c", self.conf, self.conf]):
            with self.subTest(arguments):
                status, _, err = run(*arguments)
                self.assertEqual(status, 2)
                self.assertIn(f'what is "{self.conf}"?  A configuration is '
                              "named by -c FILE", err)


class Told(Daemon):
    """A daemon that may warn."""

    def unexpected(self):
        return []


class Running(unittest.TestCase):
    """What -t calls an error a running daemon warns of, and goes on."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.list = f"{folder.name}/list"

    def rule(self, condition):
        return (f'rule "listed" {{ {condition} = "{self.list}"  at = data  '
                "verdict = accept }\n"
                'rule "others" { at = data  verdict = greylist  delay = 1h }\n')

    def send(self, daemon, address, name=None, sender="<a@sender.example>"):
        with daemon.client() as client:
            client.negotiate()
            client.macros(CONNECT, client_resolve="OK")
            client.connect(name or f"[{address}]", address)
            client.helo("mx.sender.example")
            outcome = client.message(sender, ["<bob@local.test>"])
            client.quit()
        return outcome.accepted

    def test_a_name_in_a_list_of_clients(self):
        with open(self.list, "w") as file:
            file.write("192.0.2.7\noutbound.partner.example\n")
        with Told(self.rule("client_list")) as daemon:
            self.assertTrue(self.send(daemon, "192.0.2.7"))
            self.assertFalse(self.send(daemon, "198.51.100.7",
                                       "mx1.outbound.partner.example"))
            self.assertTrue([line for line in daemon.log() if
                             f"{self.list}:2: a host name or domain can never"
                             in line])

    def test_a_file_that_is_included_is_read_again(self):
        with open(self.list, "w") as file:
            file.write("# nothing yet\n")
        policy = (f'include "{self.list}"\n'
                  'rule "others" { at = data  verdict = greylist }\n')
        with Told(policy) as daemon:
            self.assertFalse(self.send(daemon, "192.0.2.7"))
            with open(self.list, "w") as file:
                file.write('rule "all" {\n at = data  verdict = accept }\n')
            daemon.reload(policy, "reloaded")
            self.assertTrue(self.send(daemon, "192.0.2.7"))
            with open(self.list, "w") as file:
                file.write('rule "all" {\n at = data  verdcit = accept }\n')
            daemon.reload(policy, "is not reloaded")
            self.assertTrue(self.send(daemon, "192.0.2.7"))
            daemon.wait_log(f"{self.list}:2: there is no verdcit in a section "
                            "rule; did you mean verdict?")

    def test_a_list_of_names(self):
        with open(self.list, "w") as file:
            file.write("outbound.partner.example\n")
        with Daemon(self.rule("client_name_list")) as daemon:
            self.assertTrue(self.send(daemon, "198.51.100.7",
                                      "mx1.outbound.partner.example"))
            self.assertFalse(self.send(daemon, "198.51.100.7",
                                       "mx1.partner.example"))


if __name__ == "__main__":
    cases.main()
