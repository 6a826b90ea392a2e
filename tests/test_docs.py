"""The manual page and the sample file say what the code does.

dump_settings prints the tables of the code; every line of them has to stand in
milter-defer.conf(5) and in conf/milter-defer.conf, with the same defaults, and
nothing else may.
"""

import os
import re
import subprocess
import tempfile
import unittest

from lib import cases, daemon

TOP = os.environ.get("srcdir") or os.path.join(os.path.dirname(__file__), "..")
DUMP = os.environ.get("DUMP_SETTINGS") or os.path.join(
    os.path.dirname(os.environ.get("MILTER_DEFER", "./milter-defer")),
    "tests", "dump_settings")


def read(*path):
    with open(os.path.join(TOP, *path)) as file:
        return file.read()


def rows(what):
    """The lines of the dump that begin with this word, without it."""
    output = subprocess.run([DUMP], stdout=subprocess.PIPE, text=True,
                            check=True).stdout
    lines = [line.split("\t") for line in output.splitlines()]
    return [line[1:] for line in lines if line[0] == what]


def check(text):
    """What `milter-defer -t` makes of this text: (status, out, err)."""
    with tempfile.TemporaryDirectory() as state:
        # Nobody of that name may be here, nor that directory.
        text, there = re.subn("(?m)^user = .*$", 'user = ""', text)
        text = text.replace("/var/lib/milter-defer", state)
        path = os.path.join(state, "milter-defer.conf")
        with open(path, "w") as file:
            file.write(text if there else text + '\nuser = ""\n')
        status, out, err = daemon.run("-t", "-c", path, state=state)
        return status, out.replace(state, "DIR"), err


class Manual(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = read("milter", "man", "milter-defer.conf.5")
        cls.parts = cls.split(cls.text)

    @staticmethod
    def split(text):
        """{(heading, tag): paragraph}; a tag is an .It line with .Ic."""
        parts, heading, tag = {}, "", None
        for line in text.replace(r"\&", "").splitlines():
            if line.startswith((".Ss ", ".Sh ")):
                heading, tag = line[4:], None
            elif line.startswith(".It "):
                tag = line[4:]
                parts[heading, tag] = ""
            elif line == ".El":
                tag = None
            elif tag:
                parts[heading, tag] += line + " "
        return parts

    @staticmethod
    def choices(words):
        *most, last = words.split()
        return ", ".join(most) + " or " + last

    def tag(self, row):
        """The .It line of a setting or an option of a rule."""
        section, name, kind, default, low, high, words = row
        facts = [self.choices(words) if kind == "choice" else kind]
        if default and kind == "list":
            facts.append("default below")
        elif default or section != "rule":
            facts.append("default " + (default or "none"))
        if low:
            facts.append(f"{low} to {high}")
        return f"Ic {name} Pq " + ", ".join(facts)

    def paragraph(self, heading, tag):
        self.assertIn((heading, tag), self.parts)
        return self.parts[heading, tag]

    def test_each_setting_is_there_with_its_default_and_range(self):
        for row in rows("setting"):
            section, name, kind, default = row[:4]
            with self.subTest(section=section, name=name):
                heading = f"Section {section}" if section else "SETTINGS"
                text = self.paragraph(heading, self.tag(row))
                self.assertTrue(text)
                for value in default.split(";") if kind == "list" else []:
                    self.assertIn(value, text)

    def test_each_option_of_a_titled_section_is_there(self):
        for row in rows("option"):
            with self.subTest(row[1]):
                heading = "Options" if row[0] == "rule" else f"Section {row[0]}"
                self.assertTrue(self.paragraph(heading, self.tag(row)))

    def test_each_condition_is_there_with_its_stage(self):
        tags = {tag: text for (_, tag), text in self.parts.items()}
        for name, kind, stage in rows("condition"):
            with self.subTest(name):
                self.assertTrue(tags.get(f"Ic {name} Pq {kind}, at {stage}"))

    def test_each_response_is_there_to_the_letter(self):
        for name, text in rows("response"):
            with self.subTest(name):
                self.assertEqual(
                    self.paragraph("RESPONSES", f"Qq {name}").strip(), text)

    def test_nothing_else_is_there(self):
        known = {row[1] for row in rows("setting") + rows("option")}
        known |= {row[0] for row in rows("condition")}
        for _, tag in self.parts:
            if tag.startswith("Ic "):
                self.assertIn(tag.split()[1], known)


class Examples(unittest.TestCase):
    """What the manuals show as a configuration is one, and what they show as a
    list file is one."""

    # Also what only stands there to show the form.
    BEGINS = ("rule ", "response ", "dnsbl ", "redis ", "include ", "observe ")
    LISTS = ("# comments begin", "newsletter ")

    @staticmethod
    def blocks():
        """(manual, what it shows)"""
        folder = os.path.join(TOP, "milter", "man")
        for name in sorted(os.listdir(folder)):
            for block in re.findall(r"(?ms)^\.Bd -literal.*?\n(.*?)^\.Ed$",
                                    read("milter", "man", name)):
                block = re.sub(r"\\([-&])", lambda m: m[1].strip("&"), block)
                yield name, block.replace(r"\(dq", '"').replace(r"\e", "\\")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def around(self, text):
        """With all that an example takes for granted."""
        for number, path in enumerate(sorted(set(
                re.findall(r'"(?:file:)?(/etc/[^"]*)"', text)))):
            mine = f"{self.folder}/{number}"
            with open(mine, "w") as file:
                file.write(f"{'0123456789abcdef' * 4}\n"
                           if re.search("pw|secret", path) else "")
            os.chmod(mine, 0o600)
            text = text.replace(path, mine)
        for name in re.findall(r'include "([^"]*)"', text):
            os.makedirs(os.path.dirname(f"{self.folder}/{name}"), exist_ok=True)
            with open(f"{self.folder}/{name}", "w") as file:
                file.write("")
        link = "" if re.search("(?m)^link =", text) else \
            'link = "https://mx.example.org/%{reference}"\n'
        dns = "" if "dns {" in text else "dns { servers = 127.0.0.1 }\n"
        return link + dns + text

    def test_each_configuration_can_be_read(self):
        count = 0
        for name, block in self.blocks():
            text = block.split("\n\n# in ")[0]
            if not text.startswith(self.BEGINS) or "condition = value" in text:
                continue
            text = text.replace('response "name" { reply = {',
                                'response "other" { reply = {')
            count += 1
            with self.subTest(name, text=text):
                path = f"{self.folder}/conf"
                with open(path, "w") as file:
                    file.write(self.around(text) + '\nuser = ""\n'
                               f'store {{ file = "{self.folder}/state" }}\n')
                status, _, err = daemon.run("-t", "-c", path)
                self.assertEqual(status, 0, err)
                for line in err.splitlines():
                    self.assertRegex(
                        line, "is not used by any rule|no rules: all mail")
        self.assertGreaterEqual(count, 6)

    def test_each_list_can_be_read(self):
        found = 0
        for name, block in self.blocks():
            text = block.split("\n\n# in ")[-1]
            text = text.split("\n", 1)[1] if text != block else text
            if not text.startswith(self.LISTS):
                continue
            found += 1
            path = f"{self.folder}/list"
            with open(path, "w") as file:
                file.write(text)
            rule = 'messages_above = "file:%s" within = 1h per = user' \
                if text.startswith("newsletter") else 'client_list = "%s"'
            rules = [rule % path] if text.startswith("newsletter") else \
                [rule % path, f'sender_list = "{path}"']
            with self.subTest(name, text=text):
                text = "\n".join(
                    f'rule "{number}" {{ {rule}  at = data  verdict = defer }}'
                    for number, rule in enumerate(rules))
                status, _, err = check(text)
                self.assertEqual((status, err), (0, ""))
        self.assertGreaterEqual(found, 3)


class Diagnostics(unittest.TestCase):
    """What the log may say, other than of a decision, stands in
    milter-defer(8); and what stands there may be said."""

    # Formats, whose first arguments are no text, by how many; these, and texts
    # that only pass one on, are found otherwise.
    CALLS = {"log_error": 0, "log_warning": 0, "log_info": 0,
             "store_redis_say": 2, "memory_say": 2}
    # What becomes of these is a line of log_error("%s") or of the store's.
    WHY = ("daemon/endpoint.c", "daemon/service.c", "daemon/control.c",
           "base/pid_file.c", "ctl/open_store.c", "base/log.c",
           "store/memory/memory_file.c")
    TEXT = r'(?:"(?:[^"\\]|\\.)*"|PRI\w+|PACKAGE_VERSION)'
    DECISION = ("session=", "summary ")

    @staticmethod
    def plain(parts):
        """A format as the manual has it."""
        text = ""
        for part in re.findall(Diagnostics.TEXT, parts):
            if part.startswith('"'):
                text += part[1:-1]
            elif part == "PACKAGE_VERSION":
                text += "..."
        text = re.sub(r"%[-+0-9.*]*(?:ll|l|z)?[a-z]?", "...", text)
        return text.replace('\\"', '"')

    def said(self):
        found = {}
        top = os.path.join(TOP, "milter")
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), top)
                if name.endswith(".c"):
                    text = read("milter", path)
                    for call in self.CALLS:
                        self.find(rf"\b{call}\(", text, path, found)
                    if path in self.WHY:
                        self.find(r"\b(?:snprintf|tell)\(", text, path, found)
        return found

    def find(self, call, text, path, found):
        for match in re.finditer(
                call + rf"([^\"();]*)((?:{self.TEXT}\s*)+)", text):
            plain = self.plain(match.group(2))
            if path in self.WHY and "log" not in call and not re.match(
                    r"\s*(why_r, size,|text, sizeof text,|memory, \w+,|error, "
                    r"sizeof error,)", match.group(1)) and "lost" not in plain:
                continue
            if len(re.sub(r"[^a-z]", "", plain)) >= 3 and \
                    not plain.startswith(self.DECISION):
                found[plain.removeprefix("warning: ")] = path

    def told(self):
        part = read("milter", "man", "milter-defer.8") \
            .split(".Sh DIAGNOSTICS")[1].split(".Sh SEE ALSO")[0]
        return {text.replace(r"\(dq", '"')
                for text in re.findall(r'(?m)^\.It Li "(.*)"$', part)}

    def test_each_line_of_the_log_is_explained(self):
        said, told = self.said(), self.told()
        self.assertGreater(len(said), 70)
        for text in sorted(set(said) - told):
            with self.subTest(text, file=said[text]):
                self.fail("milter-defer(8) does not explain it")

    def test_nothing_is_explained_that_is_never_said(self):
        for text in sorted(self.told() - set(self.said())):
            with self.subTest(text):
                self.fail("no source says it")


class Restart(unittest.TestCase):
    """What the log says of a changed setting is what the code does with it."""

    # Read at each reload, though the daemon reads them.
    RELOADED = {"log", "log_facility"}
    SESSIONS = "daemon/filter.c"  # reads the policy that is in force
    # So do these, of files that otherwise read it when the daemon starts.
    IN_FORCE = re.compile(r"^(?:tick_journal|store_name_\w+)\(.*?^}",
                          re.DOTALL | re.MULTILINE)

    def sources(self):
        """{path below milter/: text} of what reads settings."""
        top = os.path.join(TOP, "milter")
        found = {}
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), top)
                # What looks at a configuration puts nothing in force.
                if name.endswith(".c") \
                        and not path.startswith(("config/", "replay/")) \
                        and (not path.startswith("ctl/")
                             or name == "open_store.c"):
                    text = read("milter", path)
                    found[path] = self.IN_FORCE.sub("", text)
                    found["in force: " + path] = "\n".join(
                        self.IN_FORCE.findall(text))
        return found

    def test_each_setting_waits_as_told(self):
        told = {(section, name): part
                for section, name, part in rows("restart")}
        members = re.findall(r'\{"(\w*)", "(\w+)",\s+[A-Z]+\(([\w.\[\]]+)\)',
                             read("milter", "config", "settings_table.c"))
        self.assertGreater(len(members), 60)
        sources = self.sources()
        for section, name, member in members:
            full = f"{section}.{name}" if section else name
            reads = re.compile(r"settings(?:\.|->)" + re.escape(member)
                               + r"(?!\w|\s*\()")
            readers = [path for path, text in sources.items()
                       if reads.search(text)]
            early = [path for path in readers
                     if path.startswith(("daemon/", "store/redis/", "ctl/",
                                         "store/store.c"))
                     and path != self.SESSIONS]
            late = len(early) < len(readers) or full in self.RELOADED
            part = told.get((section, name))
            with self.subTest(full, readers=readers):
                if not early or full in self.RELOADED:
                    self.assertIsNone(part, "it works at once")
                elif late:
                    self.assertTrue(part, "it works in part")
                else:
                    self.assertEqual(part, "", "it waits")


class Sample(unittest.TestCase):
    # one may stand there as it is, to say that it is meant
    SETTING = re.compile(r"^\t?(?:# )?(\w+) = (.+)$", re.MULTILINE)

    @classmethod
    def setUpClass(cls):
        cls.text = read("conf", "milter-defer.conf")

    def shown(self):
        """{(section, name): default} of what is commented out."""
        shown = {}
        section = ""
        for line in self.text.splitlines():
            begin = re.match(r"(\w+) \{$", line)
            if begin or line == "}":
                section = begin.group(1) if begin else ""
            setting = self.SETTING.match(line)
            if setting:
                key = (section, setting.group(1))
                self.assertNotIn(key, shown)
                shown[key] = self.value(setting.group(2))
        return shown

    @staticmethod
    def value(text):
        """As dump_settings prints it."""
        if text.startswith("{"):
            return ";".join(re.findall(r'"([^"]*)"', text))
        return text.strip('"')

    def test_each_setting_is_there_with_its_default(self):
        code = {(row[0], row[1]): row[3] for row in rows("setting")}
        self.assertEqual(self.shown(), code)

    def test_the_defaults_can_be_written_as_they_are_shown(self):
        plain = check(self.text)
        written = check(self.SETTING.sub(
            lambda found: f"{found.group(1)} = {found.group(2)}", self.text))
        self.assertEqual(plain[0], 0, plain[2])
        self.assertEqual(written, plain)

    def test_each_response_is_there_to_the_letter(self):
        replies = dict(re.findall(
            r'^response "(.*?)" *\{ reply = "(.*)" \}$', self.text, re.M))
        self.assertEqual(replies, dict(rows("response")))

    def test_each_response_has_a_rule_that_can_give_it(self):
        for name, _ in rows("response"):
            with self.subTest(name):
                self.assertRegex(
                    self.text, f'(?m)^(# )?rule .* response = "{name}" }}$')

    def test_each_rule_that_is_commented_out_could_be_used(self):
        link = 'link = "https://mx.example.org/%{reference}"\n'
        with tempfile.NamedTemporaryFile() as empty_list:
            for rule in re.findall(r'(?m)^# (rule "[^"]*" *\{.*\})$', self.text):
                rule = re.sub("/etc/milter-defer/(blocked|limits)",
                              empty_list.name, rule)
                rule = rule.replace("/usr/share/milter-defer",
                                    os.path.join(TOP, "conf"))
                with self.subTest(rule):
                    status, _, err = check(link + self.lists_for(rule) + rule)
                    self.assertEqual((status, err), (0, ""))

    def lists_for(self, rule):
        """The DNS lists that the rule asks, which are commented out as well."""
        lists = [text for name, text in re.findall(
            r'(?m)^# (?=dnsbl "(\w+)")(.*)$', self.text) if f'"{name}:' in rule]
        return "\n".join(["dns { servers = 127.0.0.1 }", *lists, ""]) \
            if lists or "spf = " in rule else ""

    def test_it_is_read_without_a_word(self):
        status, out, err = check(self.text)
        self.assertEqual((status, err), (0, ""))
        for line in out.splitlines():
            self.assertLessEqual(len(line), 100)


class Readme(unittest.TestCase):
    def test_its_example_is_a_configuration(self):
        part = read("README").split("A configuration of ten lines")[1]
        lines = re.findall(r"(?m)^    ((?:rule|redis) .*\})$", part)
        self.assertIn("rule", lines[-1])
        with tempfile.NamedTemporaryFile("w") as password:
            password.write("secret\n")
            password.flush()
            status, _, err = check(re.sub('password_file = "[^"]*"',
                                          f'password_file = "{password.name}"',
                                          "\n".join(lines) + "\n"))
        self.assertEqual((status, err), (0, ""))


if __name__ == "__main__":
    cases.main()
