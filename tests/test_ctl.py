"""milter-deferctl: its table of commands, and the control socket."""

import os
import re
import subprocess
import unittest

from lib import cases, daemon
from lib.ctl import Ctl
from lib.daemon import Daemon
from lib.policies import greylisting

SOURCE = os.environ.get("srcdir", ".")


def manual():
    with open(f"{SOURCE}/milter/man/milter-deferctl.8") as file:
        return file.read()


class Table(unittest.TestCase):
    """Table, usage, manual and completion tell of the same commands."""

    @classmethod
    def setUpClass(cls):
        cls.ctl = Ctl(None)
        cls.commands = cls.ctl.objects("command", "help")

    def test_usage_lists_each(self):
        status, out, err = self.ctl.run("--help")
        self.assertEqual((status, err), (0, ""))
        for command in self.commands:
            self.assertRegex(out, rf"(?m)^  {command['name']} +"
                             + re.escape(command["help"]))

    def test_help_tells_each_option(self):
        for command in self.commands:
            out = self.ctl.say(*command["name"].split(), "--help")
            self.assertIn(command["help"], out)
            for option in command["options"]:
                self.assertRegex(out, rf"(?m)^  --{option['name']}\b.*"
                                 + re.escape(option["help"]))

    def test_the_manual_has_each_with_its_options(self):
        parts = re.split(r"(?m)^\.It Cm ", manual())[1:]
        described = {}
        for part in parts:
            head, _, text = part.partition("\n")
            name = re.split(r" (?:Op|Ar|Fl|Pq|\|)\b", head)[0]
            described[name.strip()] = head + "\n" + text
        self.assertEqual(sorted(described),
                         sorted(command["name"] for command in self.commands))
        for command in self.commands:
            for option in command["options"]:
                self.assertIn(f"Fl -{option['name']}",
                              described[command["name"]], command["name"])

    def complete(self, *words):
        """What bash offers for the last of these words."""
        script = (self.ctl.say("completion")
                  + "COMP_WORDS=(milter-deferctl \"$@\")\n"
                  "COMP_CWORD=$#\n_milter_deferctl\n"
                  "printf '%s\\n' \"${COMPREPLY[@]}\"\n")
        done = subprocess.run(["bash", "-c", script, "-", *words],
                              capture_output=True, text=True, check=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_completion_offers_each(self):
        offered = self.complete("")
        for command in self.commands:
            first, _, second = command["name"].partition(" ")
            self.assertIn(first, offered)
            if second:
                self.assertIn(second, self.complete(first, ""))
            options = self.complete(first, *second.split(), "--")
            self.assertEqual(
                sorted(options),
                sorted(["--help", "--json"]
                       + [f"--{one['name']}" for one in command["options"]]))


class Usage(unittest.TestCase):
    def test_a_wrong_command_line_is_told(self):
        for words, said in (((), "Usage"), (("nosuch",), "no command nosuch"),
                            (("hlep",), "did you mean help"),
                            (("help", "a", "b", "c"), "too many words"),
                            (("help", "--nosuch"), "no such option"),
                            (("-x",), "Usage")):
            status, out, err = Ctl(None).run(*words)
            self.assertEqual((status, out), (2, ""), words)
            self.assertIn(said, err)

    def test_version(self):
        self.assertIn("milter-deferctl", Ctl(None).say("--version"))


class Socket(unittest.TestCase):
    def test_its_mode(self):
        with Daemon(greylisting()) as milter:
            where = f"{milter.directory}/control.sock"
            self.assertEqual(os.stat(where).st_mode & 0o777, 0o660)
        self.assertFalse(os.path.exists(where))


if __name__ == "__main__":
    cases.main()
