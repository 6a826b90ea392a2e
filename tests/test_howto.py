"""Each task of milter-defer-howto(7) is done as written, with a real daemon.

The commands of a task are run by a shell, in their order; what is shown of a
configuration is put in place, and of a list file, too.  Paths below /etc, /var and
/root are those of a directory of the test.
"""

import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from lib import cases
from lib.ctl import binary as ctl_binary
from lib.daemon import Daemon, binary, wait_for
from lib.milterclient import MAIL
from lib.redis_servers import start_single

TOP = os.environ.get("srcdir") or os.path.join(os.path.dirname(__file__), "..")
ROOTS = ("etc", "var", "root")
CLIENT = "192.0.2.7"
JOE, BOB = "<joe@example.org>", "<bob@example.com>"
# Not by the name of the file: that has its own, as in a mail server.
HEAD = '''\
socket = "@SOCKET@"
user = ""
pid_file = ""
control = "@DIR@/control.sock"
log = stderr
store { file = "@DIR@/var/lib/milter-defer/state" }
load { pressure_cpu = 0  pressure_io = 0  pressure_memory = 0 }
'''


def page():
    """{task: [(form, text) of its displays]} of the manual."""
    path = os.path.join(TOP, "milter", "man", "milter-defer-howto.7")
    with open(path) as file:
        text = file.read()
    tasks = {}
    for part in re.split(r"(?m)^\.Ss How do I ", text)[1:]:
        title, _, body = part.partition("?\n")
        tasks[title] = []
        for shown in re.findall(r"(?ms)^\.Bd -literal.*?\n(.*?)^\.Ed$", body):
            shown = shown.replace("\\e\n", "\\\n").replace(r"\e", "\\")
            form = "shell" if re.match(r"milter-|umask |systemctl ", shown) \
                else "conf" if re.match(r"rule |response |include |redis ",
                                        shown) else "list"
            tasks[title].append((form, shown))
    return tasks


PAGE = page()


class Server(Daemon):
    """A daemon with the shipped policy, and what its host has around it."""

    def __init__(self, policy=""):
        self.policy = policy
        super().__init__("", head=HEAD)
        for name in ("etc/milter-defer/rules.d", "etc/rules.d", "root", "bin",
                     "var/log", "var/lib/milter-defer",
                     "var/lib/milter-greylist"):
            os.makedirs(self.at(name))
        self.config = self.at("etc/milter-defer.conf")
        self.write()
        self.script("milter-defer", f'''
case " $* " in *.new*) exec {binary()} "$@";; esac
exec {binary()} -c {self.config} "$@"''')
        self.script("milter-deferctl", f'exec {ctl_binary()} -c {self.config} "$@"')
        self.script("systemctl", f'echo "$1" >>{self.at("systemctl")}')

    def at(self, name):
        return os.path.join(self.directory, name)

    def script(self, name, text):
        with open(self.at(f"bin/{name}"), "w") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(self.at(f"bin/{name}"), 0o755)

    def write(self, ours="", above="strangers"):
        """The shipped configuration with something above one of its rules."""
        with open(os.path.join(TOP, "conf", "milter-defer.conf")) as file:
            shipped = file.read()
        # What this host has is not what the policy is about.
        shipped = re.sub(r"(?ms)^(load|store) \{.*?^\}\n", "", shipped)
        rule = f'rule "{above}"'
        assert rule in shipped, above
        self.configure(self.place(shipped.replace(
            rule, ours + "\n" + self.policy + rule, 1)))

    def place(self, text):
        """With the paths of this host."""
        return re.sub(rf'(?<![\w.@/])/({"|".join(ROOTS)})/',
                      rf"{self.directory}/\1/", text)

    def unexpected(self):
        return []

    def shell(self, text):
        """Run as root would; its output."""
        done = subprocess.run(
            ["sh", "-e", "-c", self.place(text)], capture_output=True,
            text=True, stdin=subprocess.DEVNULL, timeout=60,
            env={**self.variables(),
                 "PATH": f"{self.at('bin')}:{os.environ['PATH']}"})
        if done.returncode != 0:
            raise AssertionError(f"{text}: {done.returncode}: "
                                 f"{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def take_in(self):
        """What `systemctl reload` does."""
        seen = len(self.log())
        self.signal(signal.SIGHUP)
        line = self.wait_log("reloaded|is not reloaded", seen)
        if "is not reloaded" in line:
            raise AssertionError("\n".join(self.log()[seen:]))

    def start(self):
        super().start()
        wait_for(lambda: self.shell("milter-deferctl levers || true").find(
            "cannot reach") < 0, "the control socket answers", self.log)
        return self

    def restart(self):
        self.signal(signal.SIGTERM)
        self.process.wait(60)
        self.start()

    def mail(self, address=CLIENT, sender=JOE, to=(BOB,), **how):
        """What one message is told: "" if it is accepted; the log has it."""
        seen = len(self.decisions())
        with self.client() as client:
            client.begin(name=how.get("name") or f"[{address}]",
                         address=address)
            if "login" in how:
                client.macros(MAIL, auth_type="PLAIN",
                              auth_authen=how["login"])
            told = client.message(sender, list(to)).text
        wait_for(lambda: len(self.decisions()) > seen, "its line", self.log)
        return told


class Howto(unittest.TestCase):
    """A test is named after the words of its task that it is found by."""

    def task(self, words):
        found = [title for title in PAGE if words in title]
        self.assertEqual(len(found), 1, words)
        return PAGE[found[0]]

    def forms(self, words):
        """{form: its displays}"""
        forms = {"shell": [], "conf": [], "list": []}
        for form, text in self.task(words):
            forms[form].append(text)
        return forms

    def with_rule(self, server, rule, above="strangers"):
        server.write(rule, above)
        server.take_in()

    def soon(self, server, told, **how):
        """Within the time in which lists are read again."""
        wait_for(lambda: bool(server.mail(**how)) == told,
                 f"deferred: {told}", server.log)

    # ---- Before a change

    def test_before_it_is_in_force(self):
        check, = self.forms("before it is in force")["shell"]
        with Server() as server:
            new = server.at("etc/milter-defer.new")
            with open(server.config) as file:
                text = file.read()
            with open(new, "w") as file:
                file.write(text.replace('rule "strangers"',
                                        'rule "foreigners"'))
            self.assertRegex(server.shell(check), "(?s)foreigners.*foreigners")
            with open(server.at("systemctl")) as file:
                self.assertEqual(file.read(), "reload\n")
            server.take_in()
            server.mail(sender="<new@example.org>")
            self.assertEqual(server.decisions()[-1]["rule"], "foreigners")

    def test_the_mail_of_yesterday(self):
        replay, = self.forms("the mail of yesterday")["shell"]
        with Server() as server:
            shutil.copy(server.config, server.at("etc/milter-defer.new"))
            with open(server.at("var/log/mail.log"), "w") as file:
                file.write(
                    "Nov 27 10:00:01 mx postfix/smtpd[7]: connect from "
                    "mx.example.org[192.0.2.7]\n"
                    "Nov 27 10:00:02 mx postfix/smtpd[7]: 4F2A91C0: "
                    "client=mx.example.org[192.0.2.7]\n"
                    "Nov 27 10:00:03 mx postfix/qmgr[5]: 4F2A91C0: "
                    "from=<joe@example.org>, size=1000, nrcpt=1 (queue active)\n"
                    "Nov 27 10:00:04 mx postfix/local[9]: 4F2A91C0: "
                    "to=<bob@example.com>, relay=local, delay=1, dsn=2.0.0, "
                    "status=sent (delivered)\n"
                    "Nov 27 10:00:04 mx postfix/qmgr[5]: 4F2A91C0: removed\n")
            self.assertRegex(server.shell(replay), "strangers")

    def test_without_any_effect(self):
        forms = self.forms("without any effect")
        rule, = forms["conf"]
        with Server() as server:
            self.with_rule(server, rule)
            on, off = forms["shell"][0].splitlines()
            server.shell(on)
            self.soon(server, False)
            self.assertTrue([line for line in server.log()
                             if "verdict=observe" in line])
            server.shell(off)
            self.soon(server, True, sender="<x@example.org>")

    def test_everything_around(self):
        check, = self.forms("everything around")["shell"]
        with Server() as server:
            said = server.shell(check.replace("check", "check --mta none"))
            self.assertRegex(said, "(?i)daemon")

    # ---- Somebody asks

    def test_why_a_message_was_deferred(self):
        shown, = self.forms("why a message was deferred")["shell"]
        with Server() as server:
            server.mail()
            reference = server.decisions()[-1]["reference"]
            wait_for(lambda: reference in server.shell(
                f"milter-deferctl why {CLIENT} || true").replace("-", ""),
                "the journal has it", server.log)
            self.assertIn("strangers", server.shell(shown))
            self.assertIn("strangers", server.shell(
                f"milter-deferctl why {reference}"))

    def test_what_a_message_would_get(self):
        shown, = self.forms("what a message would get now")["shell"]
        with Server() as server:
            self.assertRegex(server.shell(shown), "(?s)strangers.*451 4.7.1")

    def test_what_is_known(self):
        shown, = self.forms("what is known of a client")["shell"]
        with Server() as server:
            server.mail()
            self.assertIn("192.0.2.0/24", server.shell(shown))

    def test_let_in_at_once(self):
        shown, = self.forms("let somebody in at once")["shell"]
        add, remove = shown.splitlines()
        with Server() as server:
            self.assertTrue(server.mail())
            server.shell(add)
            self.soon(server, False)
            self.assertIn("ticket 4711",
                          server.shell("milter-deferctl list show passlist"))
            server.shell(remove)
            self.soon(server, True, sender="<x@example.org>")

    def test_follow_a_client(self):
        shown, = self.forms("follow a client")["shell"]
        with Server() as server:
            running = subprocess.Popen(
                ["sh", "-c", shown.replace("10s", "5s")],
                stdout=subprocess.PIPE, text=True,
                env={**os.environ,
                     "PATH": f"{server.at('bin')}:{os.environ['PATH']}"})
            time.sleep(2.5)
            server.mail()
            out, _ = running.communicate(timeout=60)
            self.assertIn("joe@example.org", out)

    def test_forget_somebody(self):
        shown, = self.forms("forget somebody")["shell"]
        with Server() as server:
            server.mail()
            server.shell("milter-deferctl show 192.0.2.7")
            server.shell(shown)
            self.assertRegex(
                server.shell("milter-deferctl show 192.0.2.7 || true"),
                "(?i)no|nothing")

    # ---- Exceptions

    def test_exempt_a_partner(self):
        forms = self.forms("exempt a partner")
        with Server() as server:
            for number, rule in enumerate(forms["conf"]):
                with open(server.at("etc/milter-defer/partners"), "w") as file:
                    file.write("partner.example\n")
                self.with_rule(server, rule)
                for told, name in ((False, "mx1.partner.example"),
                                   (True, "mx1.example.net")):
                    with self.subTest(rule=rule, name=name):
                        self.soon(server, told, name=name,
                                  address=f"198.51.100.{number + 1}",
                                  sender=f"<n{number}@{name}>")

    def test_an_exception_that_ends(self):
        forms = self.forms("ends by itself")
        rule, = forms["conf"]
        entries = forms["list"][0].splitlines()
        with Server() as server:
            path = server.at("etc/milter-defer/networks")
            with open(path, "w") as file:
                file.write(entries[0] + "\n")
            self.with_rule(server, rule)
            self.soon(server, False)
            with open(path, "w") as file:
                file.write(entries[0].replace("2099", "2020") + "\n")
            self.soon(server, True, sender="<x@example.org>")
            # The other line is of a list of names.
            rule = rule.replace("client_list", "client_name_list")
            with open(path, "w") as file:
                file.write(entries[1] + "\n")
            self.with_rule(server, rule)
            self.soon(server, False, address="198.51.100.9",
                      name="mx.partner.example")

    def test_exempt_a_recipient(self):
        rule, = self.forms("exempt a recipient")["conf"]
        with Server() as server:
            self.with_rule(server, rule)
            self.assertFalse(server.mail(to=["<sales@example.com>"]))
            self.assertTrue(server.mail(to=["<sales@example.com>", BOB]))

    def test_who_asked_for_it(self):
        rule, = self.forms("greylist only for recipients")["conf"]
        with Server() as server:
            with open(server.at("etc/milter-defer/careful"), "w") as file:
                file.write("bob@example.com\n")
            self.with_rule(server, rule)
            self.soon(server, True)
            self.assertFalse(server.mail(to=["<ann@example.com>"]))

    # ---- Those who make trouble

    def test_block_somebody(self):
        shown, = self.forms("block somebody")["shell"]
        add, show, remove = shown.splitlines()
        with Server('rule "all" { verdict = accept }\n') as server:
            self.assertFalse(server.mail())
            server.shell(add)
            self.soon(server, True)
            self.assertIn("backscatter", server.shell(show))
            server.shell(remove)
            self.soon(server, False)

    def test_an_address_that_sends_spam(self):
        shown, = self.forms("sends spam")["shell"]
        with Server() as server:
            self.assertRegex(server.shell(shown), r"-\d")

    def test_a_stolen_login(self):
        rule, = self.forms("stolen login")["conf"]
        with Server() as server:
            self.with_rule(server, rule, "authenticated")
            told = [bool(server.mail(login="anne", to=[f"<r{n}@example.net>"]))
                    for n in (1, 2, 3, 3, 4)]
            self.assertEqual(told, [False, False, False, False, True])
            self.assertFalse(server.mail(login="bert"))

    def test_a_limit_of_his_own(self):
        forms = self.forms("a limit of his own")
        with Server() as server:
            with open(server.at("etc/milter-defer/limits"), "w") as file:
                file.write(forms["list"][0])
            self.with_rule(server, forms["conf"][0], "authenticated")
            users = (f"user{number}" for number in range(1000))

            def told(user):
                return [bool(server.mail(login=user)) for _ in range(3)]
            # Until the file has been read there is no limit.
            wait_for(lambda: told(next(users)) == [False, False, True],
                     "the third message is put off", server.log)
            self.assertEqual(told("newsletter"), [False] * 3)

    def test_how_much_a_mailbox_gets(self):
        rule, = self.forms("how much a mailbox gets")["conf"]
        with Server('rule "all" { verdict = accept }\n') as server:
            self.with_rule(server, rule, "passlisted")
            told = [bool(server.mail(to=[to])) for to in
                    (BOB, BOB, BOB, "<ann@example.com>")]
            self.assertEqual(told, [False, False, True, False])

    def test_shed_load(self):
        shown, = self.forms("shed load")["shell"]
        on, off = shown.splitlines()
        with Server() as server:
            server.shell(on)
            wait_for(lambda: "Server busy" in server.mail(), "it is busy",
                     server.log)
            server.shell(off)
            wait_for(lambda: "Server busy" not in server.mail(), "it is not",
                     server.log)

    # ---- Running it

    def test_how_the_servers_are(self):
        shown, = self.forms("how the servers are")["shell"]
        with Server() as server:
            server.mail()
            self.assertIn("strangers", server.shell(shown))

    def test_what_clients_are_told(self):
        response, = self.forms("what clients are told")["conf"]
        with Server() as server:
            with open(server.config) as file:
                text = file.read()
            text = re.sub('(?m)^response "greylisted".*\n', response, text)
            with open(server.config, "w") as file:
                file.write(text)
            server.take_in()
            self.assertRegex(server.mail(), r"^451 4\.7\.1 Please try again in "
                             r"\d+ (minutes|seconds) \([0-9A-Z-]+\)$")

    def test_split_into_files(self):
        include, = self.forms("split the configuration")["conf"]
        with Server() as server:
            with open(server.at("etc/rules.d/partners.conf"), "w") as file:
                file.write('rule "partners" { client = "192.0.2.0/24"  '
                           "verdict = accept }\n")
            self.assertTrue(server.mail())
            self.with_rule(server, include)
            self.assertFalse(server.mail())

    def test_several_servers(self):
        forms = self.forms("several servers")
        before, after = forms["shell"]
        with start_single() as redis, Server() as server:
            server.mail()
            time.sleep(1.1)  # or the wait would be the whole delay again
            server.shell(before)
            shared = forms["conf"][0].replace("127.0.0.1:6379", redis.where)
            with open(server.config) as file:
                text = file.read()
            text = re.sub(r"(?ms)^redis \{.*?^\}\n", "", text)
            with open(server.config, "w") as file:
                file.write(server.place(shared) + text)
            server.restart()
            server.shell(after)
            self.assertIn(CLIENT, server.shell(
                f"milter-deferctl show {CLIENT}"))
            server.mail()
            self.assertEqual(
                server.decisions()[-1]["wait"].isdigit()
                and int(server.decisions()[-1]["wait"]) < 180, True,
                "it waits on")

    def test_another_program(self):
        shown, = self.forms("another greylisting program")["shell"]
        with Server() as server:
            with open(server.at("var/lib/milter-greylist/greylist.db"),
                      "w") as file:
                file.write("# Sender IP\tSender e-mail\tRecipient e-mail\t"
                           "Time accepted\n"
                           f"{CLIENT}\t{JOE}\t{BOB}\t"
                           f"{int(time.time()) + 900} AUTO # then\n")
            dry, real = shown.splitlines() if "\\\n" not in shown else \
                re.findall(r"(?:.*\\\n)*.*\n", shown)[:2]
            server.shell(dry)
            self.assertTrue(server.mail(sender="<x@example.org>"))
            server.shell(real)
            self.assertFalse(server.mail())

    def test_backup_and_anew(self):
        backup, anew = self.forms("make a backup")["shell"]
        with Server() as server:
            server.mail()
            server.restart()  # it saves at the end
            server.shell(backup)
            for name in ("milter-defer.export", "milter-defer.state"):
                self.assertGreater(os.path.getsize(server.at(f"root/{name}")), 0)
            stop, remove, start = anew.splitlines()
            server.signal(signal.SIGTERM)
            server.process.wait(60)
            server.shell("\n".join((stop, remove, start)))
            server.start()
            self.assertRegex(server.shell(
                f"milter-deferctl show {CLIENT} || true"), "(?i)no|nothing")

    def test_upgrade(self):
        shown, = self.forms("upgrade it")["shell"]
        with Server() as server:
            server.mail()
            self.assertIn("rules, tried from the top", server.shell(shown))
            server.restart()
            self.assertIn(CLIENT, server.shell(
                f"milter-deferctl show {CLIENT}"))


class Page(unittest.TestCase):
    def test_each_task_is_tried(self):
        with open(__file__) as file:
            words = re.findall(r'self\.(?:forms|task)\("(.*?)"\)', file.read())
        tried = {title for word in words for title in PAGE if word in title}
        self.assertEqual(tried, set(PAGE))
        self.assertGreaterEqual(len(PAGE), 20)
        for title, shown in PAGE.items():
            self.assertTrue(shown, title)

    def test_it_is_found(self):
        """By `apropos greylist`: a line of NAME says so."""
        names = ""
        folder = os.path.join(TOP, "milter", "man")
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name)) as file:
                names += "".join(line for line in file
                                 if line.startswith(".Nd ")).lower()
        self.assertGreaterEqual(names.count("greylist"), 2)


if __name__ == "__main__":
    cases.main()
