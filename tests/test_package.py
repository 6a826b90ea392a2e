"""From a bare Debian to mail that waits and comes in, as README says it.

The package is built of the tarball that `make dist` makes, and installed beside
a really installed Postfix, or Sendmail.  What an administrator types and writes is
read out of README, so that it is README which is tested.
"""

import concurrent.futures
import functools
import glob
import hashlib
import itertools
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from lib import bare, cases, smtp
from lib.daemon import wait_for

TOP = os.path.abspath(os.environ.get("srcdir")
                      or os.path.join(os.path.dirname(__file__), ".."))
BUILD = os.path.dirname(os.path.abspath(
    os.environ.get("MILTER_DEFER", "./milter-defer")))
CACHE = os.environ.get("MTA_CACHE", "mta")
CLIENT, OTHER = "198.51.100.7", "203.0.113.9"
MX = "mx.test.example"
ALICE = "alice@sender.example"
NUMBERS = itertools.count()
LONGEST = 1800  # seconds: a package is built, and a system made
RECIPIENTS = [f"{user}@{MX}" for user in ("root", "daemon", "bin")]
# All that is changed in the shipped configuration: less to wait for, and this
# machine may be as busy as it likes.
CHANGES = {"# delay = 3m": "delay = 1s", "# pressure_cpu = 0.8": "pressure_cpu = 0",
           "# pressure_io = 0.9": "pressure_io = 0",
           "# pressure_memory = 0.3": "pressure_memory = 0"}
# What is in a source directory besides the source.
MADE = re.compile(r"(^|/)(__pycache__|\.git|autom4te\.cache|build[^/]*|mta|"
                  r"sanitize-[^/]*|slots|\.deps|\.gitignore|debian/[^/]*\.debhelper|"
                  r"milter-defer-[0-9][^/]*)(/|$)|~$|\.(o|a|log|trs|cache)$")


def call(*command, where):
    """Run it without what an outer make tells an inner one."""
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "TESTS")}
    environment["DEB_BUILD_OPTIONS"] = (
        f"nocheck noautodbgsym parallel={os.cpu_count()}")
    done = subprocess.run(command, cwd=where, env=environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}:\n{done.stdout[-5000:]}")
    return done.stdout


def build_package(path):
    """Package and source package, of the tarball: what people get."""
    os.makedirs(path)
    call("make", "-s", "dist-gzip", where=BUILD)
    tarball = max(glob.glob(os.path.join(BUILD, "milter-defer-*.tar.gz")),
                  key=os.path.getmtime)
    call("tar", "-x", "-z", "-f", tarball, where=path)
    tree, = glob.glob(os.path.join(path, "*"))
    shutil.copytree(tree, os.path.join(path, "dist"), symlinks=True)
    call("dpkg-buildpackage", "-us", "-uc", where=tree)


@functools.cache
def source():
    """A word that is another one when anything in it has changed."""
    digest = hashlib.sha256()
    for name in sorted(files_below(TOP)):
        with open(os.path.join(TOP, name), "rb") as file:
            digest.update(f"{name}\0".encode() + file.read())
    return digest.hexdigest()


def built(pattern):
    """The file of that name among what the build made."""
    directory = bare.cached(CACHE, "package", build_package, of=source())
    return glob.glob(os.path.join(directory, pattern))[0]


# ---- What README says


def section(title):
    """The text of README below a heading."""
    with open(os.path.join(TOP, "README")) as file:
        text = file.read()
    parts = re.split(r"(?m)^(\S.*)\n-{3,}$", text)
    return parts[parts.index(title) + 1]


def block(title, containing):
    """What is indented there, as one block, and contains these words."""
    found = [re.sub("(?m)^    ", "", part) + "\n"
             for part in re.split(r"\n\n+", section(title).strip("\n"))
             if part.startswith("    ") and containing in part]
    if len(found) != 1:
        raise AssertionError(f"README, {title}: {len(found)} blocks with "
                             f"{containing!r}")
    return found[0]


# ---- A system with the package


class Packaged(unittest.TestCase):
    """A bare system with one mail server; each test installs the package, and
    when it is purged nothing is left."""

    longest = LONGEST
    first = True
    server = None  # the package of the mail server
    answers = ""  # to its questions
    etc = None  # its configuration

    @classmethod
    def setUpClass(cls):
        why = bare.missing()
        if why or not cls.server:
            raise unittest.SkipTest(why or "has no mail server")
        cls.system = bare.Bare(
            bare.cached(CACHE, "bare", bare.bootstrap), MX)
        cls.addClassCleanup(cls.system.remove)
        shutil.copy(built("*.deb"), cls.system.path("root/milter-defer.deb"))
        cls.system.fetch(cls.server, "/root/milter-defer.deb")
        names = cls.system.go_inside()
        names.host(CLIENT, "mail.sender.example")
        names.host("192.0.2.1", "sender.example")
        cls.addClassCleanup(cls.system.end)
        cls.system.run(f"echo '{cls.answers}' | debconf-set-selections")
        cls.system.install(cls.server)
        cls.system.run(f"cp -a {cls.etc} {cls.etc}.before")
        cls.before = cls.files()

    @classmethod
    def files(cls):
        """All there are that a purge has to do with."""
        return {line for line in cls.system.run(
            "find / -xdev -not -path '/proc/*' -not -path '/tmp/*' "
            "-not -path '/var/log/*' -not -path '/var/cache/*' "
            "-name '*milter-defer*'").splitlines()}

    def setUp(self):
        self.system.run(f"rm -rf {self.etc}; cp -a {self.etc}.before {self.etc}")
        self.system.install("/root/milter-defer.deb")
        self.addCleanup(self.purge)

    def purge(self):
        self.system.run("apt-get -q -y purge milter-defer")
        self.assertEqual(self.files(), self.before)
        self.assertNotIn("milter-defer", self.system.read("etc/passwd"))
        self.assertNotIn("milter-defer", self.system.read("etc/group"))
        _, said = self.system.try_to("pidof milter-defer")
        self.assertEqual(said, "")

    def configure(self, text=""):
        shipped = self.system.read("etc/milter-defer.conf")
        for line, other in CHANGES.items():
            self.assertIn(line, shipped)
            shipped = shipped.replace(line, other)
        self.system.write("etc/milter-defer.conf", shipped + text)

    def deliver(self, recipient=RECIPIENTS[0], sender=ALICE, client=CLIENT):
        connection = wait_for(lambda: self.connect(client), "the port opens",
                              lambda: self.system.lines)
        with smtp.Session(connection) as session:
            session.ehlo()
            return session.deliver(sender, [recipient])

    @staticmethod
    def connect(client):
        try:
            return smtp.connect(("127.0.0.1", 25), (client, 0))
        except ConnectionRefusedError:
            return None

    def check(self, reply, *mail, **more):
        """The reply to this mail begins like that."""
        self.assertRegex(self.deliver(*mail, **more), "^" + reply,
                         "\n".join(self.system.lines[-20:]))

    def check_strangers_wait(self, client=CLIENT):
        """451, and 250 after the delay; this makes the client known."""
        for recipient in RECIPIENTS:
            self.check("451 4.7.1 Greylisted", recipient, client=client)
        time.sleep(2)
        for recipient in RECIPIENTS:
            self.check("250 ", recipient, client=client)

    def check_is_known(self, client=CLIENT):
        """And others are not."""
        new = f"new{next(NUMBERS)}@sender.example"
        self.check("250 ", sender=new, client=client)
        self.check("451 4.7.1 Greylisted", sender=new, client=OTHER)


class WithPostfix(Packaged):
    server = "postfix"
    answers = ("postfix postfix/main_mailer_type select Internet Site\n"
               f"postfix postfix/mailname string {MX}")
    etc = "/etc/postfix"

    def attach(self, socket, wanted_socket=None):
        """README's lines for this socket, as smtpd spells it."""
        if wanted_socket:
            self.configure(block("Postfix", f'socket = "{wanted_socket}'))
        else:
            self.configure()
        text = block("Postfix", f"{{ {socket}")
        self.assertEqual(text.count("\n"), 4)  # four lines
        self.system.write("etc/postfix/main.cf", text, "a")

    def restart(self):
        self.system.run(block("Postfix", "service postfix restart"))

    def test_in_its_chroot_until_it_is_upgraded(self):
        self.assertRegex(self.system.run("postconf -M smtp/inet"),
                         "inet +n +- +y ")
        self.system.run(block("Postfix", "usermod"))
        self.attach("unix:milter-defer/", "unix:/var/spool/postfix/")
        self.restart()
        self.check_strangers_wait()
        self.system.reboot("milter-defer", "postfix")
        self.check_is_known()
        self.upgrade()
        self.check_is_known()
        self.take_over()

    def upgrade(self):
        """To a later version; what somebody changed stays as it is."""
        changed = self.system.read("etc/milter-defer.conf")
        self.system.run(
            "cd /root && rm -rf later && dpkg-deb -R milter-defer.deb later && "
            "sed -i 's/^Version: .*/&+later/' later/DEBIAN/control && "
            "echo '# A new line.' >>later/etc/milter-defer.conf && "
            "dpkg-deb -b later later.deb && "
            "dpkg --force-confold -i later.deb && rm -rf later later.deb")
        self.assertIn("+later", self.system.run("dpkg -s milter-defer"))
        self.assertEqual(self.system.read("etc/milter-defer.conf"), changed)

    def take_over(self):
        """What the first version has left; it is read, however old it is."""
        state = self.system.path("var/lib/milter-defer/state")
        self.assertTrue(os.path.exists(state))
        self.system.run("service milter-defer stop")
        shutil.copyfile(os.path.join(TOP, "tests/states/0.1.0"), state)
        self.system.run("service milter-defer start")
        self.assertRegex(self.system.wait_log("records from /var/lib/", -5),
                         "read [1-9]")

    def test_without_a_chroot(self):
        self.system.run("postconf -F smtp/inet/chroot=n")
        self.assertIn("postconf -F smtp/inet/chroot=n", section("Postfix"))
        self.system.run(block("Postfix", "usermod").splitlines()[0])
        self.attach("unix:/run/")
        self.restart()
        self.check_strangers_wait()

    def test_by_a_port(self):
        self.attach("inet:", "inet:")
        self.restart()
        self.check_strangers_wait()

    def test_started_by_hand(self):
        self.system.run("service milter-defer stop; rm -rf /run/milter-defer")
        self.attach("inet:", "inet:")
        self.system.run(block("Install", "milter-defer -m 0755"))
        self.system.run("service postfix restart")
        self.check_strangers_wait()
        self.system.run("service milter-defer stop")


# Sendmail lets nobody in where the load average is above 12.
BUSY = "define(`confREFUSE_LA', `10000')dnl\ndefine(`confQUEUE_LA', `10000')dnl\n"


class WithSendmail(Packaged):
    server = "sendmail"
    etc = "/etc/mail"

    def test_as_told(self):
        self.configure()
        mc = self.system.read("etc/mail/sendmail.mc")
        before, mailers = mc.split("MAILER_DEFINITIONS", 1)
        before += BUSY
        self.system.write("etc/mail/sendmail.mc", before + block(
            "Sendmail", "INPUT_MAIL_FILTER") + "MAILER_DEFINITIONS" + mailers)
        self.system.run("service milter-defer restart")
        self.system.run(block("Sendmail", "service sendmail restart"))
        self.check_strangers_wait()
        self.system.reboot("milter-defer", "sendmail")
        self.check_is_known()


class Source(unittest.TestCase):
    """What is given to others."""

    longest = LONGEST

    def setUp(self):
        if not shutil.which("dpkg-buildpackage"):
            self.skipTest("dpkg-buildpackage is not there")

    def test_the_tarball_has_all_of_it(self):
        dist = built("dist")
        ours, theirs = files_below(TOP), files_below(dist)
        self.assertEqual([name for name in sorted(ours - theirs)
                          if not name.startswith("debian/milter-defer/")], [])

    def test_the_tarball_has_nothing_that_a_build_made(self):
        made = re.compile(r"\.(o|a|log|trs)$|/\.(deps|dirstamp)$|__pycache__")
        for where, folders, names in os.walk(built("dist")):
            for path in (os.path.join(where, name)
                         for name in folders + names):
                self.assertNotRegex(path, made)
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        self.assertNotEqual(file.read(4), b"\x7fELF", path)

    def test_what_it_needs_is_named_everywhere(self):
        """Libraries, by install.sh, by the package, and by README."""
        with open(os.path.join(TOP, "tests/install.sh")) as file:
            wanted = re.search(r"build\) echo ([^;]*);;", file.read()).group(1)
        wanted = {word for word in wanted.split() if word.startswith("lib")}
        wanted = wanted - {"libc6-dev"} | {"zlib1g-dev"}
        with open(os.path.join(TOP, "debian/control")) as file:
            self.assertEqual(wanted - set(re.findall(r"[\w-]+", file.read())),
                             set())
        self.assertEqual(wanted - set(
            block("Install", "apt-get install gcc").split()), set())

    def test_lintian_has_nothing_to_say(self):
        if not shutil.which("lintian"):
            self.skipTest("lintian is not there")
        # it leaves things where it works
        with tempfile.TemporaryDirectory() as where:
            said = subprocess.run(
                ["lintian", "--allow-root", "--display-info",
                 # octets of the program that are no words
                 "--suppress-tags", "spelling-error-in-binary",
                 built("*.changes")], stdout=subprocess.PIPE, text=True,
                env={**os.environ, "TMPDIR": where}).stdout
        self.assertEqual(said, "")

    def test_systemd_takes_the_unit(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not there")
        with tempfile.TemporaryDirectory() as where:
            unit = os.path.join(where, "milter-defer.service")
            with open(os.path.join(TOP, "conf/milter-defer.service")) as file:
                text = file.read().replace("/usr/sbin/milter-defer", "/bin/true")
            with open(unit, "w") as file:
                file.write(text)
            done = subprocess.run(
                ["systemd-analyze", "--man=no", "verify", unit], stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True)
        self.assertEqual([line for line in done.stdout.splitlines()
                          if "milter-defer" in line], [])


def files_below(top):
    found = set()
    for where, folders, names in os.walk(top):
        below = os.path.relpath(where, top)
        folders[:] = [name for name in folders
                      if not MADE.search(os.path.normpath(f"{below}/{name}"))]
        found |= {os.path.normpath(f"{below}/{name}") for name in names}
    return {name for name in found if not MADE.search(name)}


if __name__ == "__main__":
    if os.geteuid() == 0:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for done in (pool.submit(built, "*.deb"),
                         pool.submit(bare.cached, CACHE, "bare", bare.bootstrap)):
                done.result()
    cases.main()
