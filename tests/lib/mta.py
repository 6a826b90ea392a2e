"""Private Postfix and Sendmail instances, for tests and for the demo.

Both are unpacked from Debian's packages, not installed, so they can run side
by side (installed, they conflict) and nothing on the machine changes.  Each
instance lives in a directory of its own on a free port, delivers to nobody,
and is stopped by its process group.  All of it needs root: both programs
change their user id.
"""

import fcntl
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from lib import netns, smtp
from lib.daemon import wait_for
from lib.ports import free_port

PACKAGES = ["postfix", "sendmail-bin", "sendmail-base", "sendmail-cf", "m4"]
UNUSED_USER, UNUSED_GROUP = "list", "irc"  # Postfix wants two of its own; any do
LOCAL_DOMAINS = "local.test other.test"
ANYBODY_BUT = "unknown"  # user names with this prefix do not exist


class Unpacked:
    """Where the two mail servers lie, and a shim that Sendmail needs."""

    def __init__(self, cache):
        self.root = os.path.join(cache, "root")
        self.shim = os.path.join(cache, "shim.so")

    def path(self, name):
        return os.path.join(self.root, name)

    def environment(self):
        folders = glob.glob(self.path("usr/lib/*-linux-gnu"))
        folders.append(self.path("usr/lib/postfix"))
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
                "LD_LIBRARY_PATH": ":".join(folders)}


def unpack():
    """Fetch and unpack the mail servers once into $MTA_CACHE; an Unpacked.

    To be called before netns.enter(): there is no network inside.
    """
    cache = os.path.abspath(os.environ.get("MTA_CACHE", "mta"))
    os.makedirs(cache, mode=0o755, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = os.path.join(cache, "done")
        if not os.path.exists(done):
            fetch(cache)
            open(done, "w").close()
    return Unpacked(cache)


def fetch(cache):
    archives = os.path.join(cache, "archives")
    os.makedirs(os.path.join(archives, "partial"), exist_ok=True)
    # Resolved one by one, since Postfix and Sendmail conflict; --reinstall
    # fetches them even where they are installed.
    for wanted in (PACKAGES[:1], PACKAGES[1:]):
        subprocess.run(
            ["apt-get", "-qq", "-y", "--no-install-recommends", "--reinstall",
             "--download-only", "-o", f"Dir::Cache={cache}",
             "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root",
             "install", *wanted],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    root = os.path.join(cache, "root")
    for package in glob.glob(os.path.join(archives, "*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    shutil.rmtree(archives)
    # The loader ignores LD_LIBRARY_PATH and LD_PRELOAD for set-id programs.
    subprocess.run(["find", root, "-type", "f", "-perm", "/6000",
                    "-exec", "chmod", "ug-s", "{}", "+"], check=True)
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o",
                    os.path.join(cache, "shim.so"), source, "-ldl"], check=True)


class Mta:
    """What both have in common.

    `milters` are sockets as libmilter spells them, unix:PATH or
    inet:PORT@HOST; `settings` are further lines for main.cf or the .mc file.
    """

    name = None  # what its own greeting calls it

    def __init__(self, milters=(), settings=""):
        self.unpacked = unpack()
        self.milters = [milters] if isinstance(milters, str) else list(milters)
        self.settings = settings
        self.directory = tempfile.mkdtemp(prefix="milter-defer-mta.")
        os.chmod(self.directory, 0o755)
        self.port = free_port()
        self.process = None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def start(self):
        self.prepare()
        with open(self.path("output"), "w") as output:
            # A session of its own: Postfix signals its process group, and
            # we end all of it by that group.
            self.process = subprocess.Popen(
                self.command(), env=self.environment(), stdout=output,
                stderr=output, stdin=subprocess.DEVNULL, start_new_session=True)
        wait_for(self._listens, f"{self.name} listens", self.log)
        return self

    def _listens(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended:\n" + "\n".join(self.log()))
        return listens(self.port)

    def stop(self):
        if self.process:
            # Nothing it holds is worth a clean end, which takes Postfix 1 s.
            kill_group(self.process.pid)
            self.process.wait()
            self.process = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def environment(self):
        return self.unpacked.environment()

    def log(self):
        """All log lines so far, after what it printed when it started."""
        lines = []
        for name in ("output", "maillog"):
            if os.path.exists(self.path(name)):
                with open(self.path(name), errors="replace") as file:
                    lines += file.read().splitlines()
        return lines

    def grep(self, pattern):
        return [line for line in self.log() if re.search(pattern, line)]

    def wait_log(self, pattern):
        return wait_for(lambda: self.grep(pattern),
                        f"{self.name} logs {pattern!r}", self.log)[0]

    def address(self, client):
        """Where a client of that address family has to connect."""
        return ("::1" if ":" in client else "127.0.0.1", self.port)

    def session(self, client="198.51.100.7", name=None):
        """An SMTP session as that client: truly so in a private network, else
        pretended, and then with this verified `name`."""
        if not netns.inside():
            return self.pretend(client, name)
        return smtp.Session(smtp.connect(self.address(client), (client, 0)))


class Postfix(Mta):
    name = "pf.test.example"

    def prepare(self):
        self._make_folders()
        self.write("conf/main.cf", self._main_cf() + self.settings)
        self.write("conf/master.cf", self._master_cf())
        # It waits until its main.cf is a second old.
        os.utime(self.path("conf/main.cf"), (0, 0))

    def _make_folders(self):
        for name in ("conf", "queue", "queue/pid"):
            os.mkdir(self.path(name))
        private = [f"queue/{name}" for name in (
            "active bounce corrupt defer deferred flush hold incoming private "
            "saved trace").split()]
        for name in ["data", *private]:
            os.mkdir(self.path(name), 0o700)
            shutil.chown(self.path(name), UNUSED_USER)
        for name, mode in (("queue/public", 0o710), ("queue/maildrop", 0o730)):
            os.mkdir(self.path(name))
            shutil.chown(self.path(name), UNUSED_USER, UNUSED_GROUP)
            os.chmod(self.path(name), mode)

    def _main_cf(self):
        return f"""\
compatibility_level = 3.6
queue_directory = {self.path("queue")}
data_directory = {self.path("data")}
command_directory = {self.unpacked.path("usr/sbin")}
daemon_directory = {self.unpacked.path("usr/lib/postfix/sbin")}
shlib_directory = {self.unpacked.path("usr/lib/postfix")}
meta_directory = {self.path("conf")}
mail_owner = {UNUSED_USER}
setgid_group = {UNUSED_GROUP}
default_privs = nobody
import_environment = MAIL_CONFIG TZ LC_ALL LD_LIBRARY_PATH
maillog_file = {self.path("maillog")}
maillog_file_prefixes = {self.directory}
myhostname = {self.name}
mydestination = {LOCAL_DOMAINS}
mynetworks = 127.0.0.0/8 [::1]/128
inet_protocols = {"all" if ipv6_works() else "ipv4"}
alias_maps =
local_recipient_maps = regexp:{{{{!/^{ANYBODY_BUT}/ ok}}}}
local_transport = discard:
relay_transport = discard:
default_transport = discard:
smtpd_authorized_xclient_hosts = 127.0.0.0/8 [::1]
smtpd_milters = {" ".join(map(postfix_socket, self.milters))}
milter_default_action = tempfail
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
"""

    def _master_cf(self):
        listeners = [f"127.0.0.1:{self.port} inet n - n - - smtpd"]
        if ipv6_works():
            listeners.append(f"[::1]:{self.port} inet n - n - - smtpd")
        return "\n".join(listeners) + """
cleanup unix n - n - 0 cleanup
pickup unix n - n 60 1 pickup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""

    def command(self):
        master = self.unpacked.path("usr/lib/postfix/sbin/master")
        return [master, "-c", self.path("conf"), "-d"]

    def pretend(self, client, name=None, session=None, **attributes):
        """A session as that client by XCLIENT, which needs no private network.

        The milter sees a session of 127.0.0.1 end before this one begins.
        `session` is one that the caller opened.
        """
        session = session or smtp.Session(smtp.connect(self.address(client)))
        session.ehlo()
        shown = f"IPV6:{client}" if ":" in client else client
        session.xclient(NAME=name or "[UNAVAILABLE]", ADDR=shown, **attributes)
        return session


class Sendmail(Mta):
    name = "sm.test.example"
    timeouts = "C:10s;S:10s;R:10s;E:1m"  # of its milters

    def prepare(self):
        os.mkdir(self.path("queue"), 0o700)
        os.mkdir(self.path("clients"))
        names = "hosts files dns" if netns.inside() else "hosts files"
        self.write("service.switch", f"{names}\naliases files\n")
        self.write("aliases", "postmaster: root\n")
        self.write("sendmail.mc", self._mc())
        self._run("sendmail.cf", self.unpacked.path("usr/bin/m4"),
                  self.path("sendmail.mc"))
        self._run("output", *self.command("-bi"))

    def _run(self, output, *command):
        with open(self.path(output), "w") as file:
            subprocess.run(command, env=self.environment(), stdout=file,
                           stdin=subprocess.DEVNULL, check=True)

    def _mc(self):
        return f"""\
divert(-1)
include(`{self.unpacked.path("usr/share/sendmail/cf/m4/cf.m4")}')dnl
divert(0)dnl
OSTYPE(`linux')dnl
define(`confLOG_LEVEL', `14')dnl
define(`confDOMAIN_NAME', `{self.name}')dnl
define(`confDEF_USER_ID', `65534:65534')dnl
define(`QUEUE_DIR', `{self.path("queue")}')dnl
define(`confPID_FILE', `{self.path("pid")}')dnl
define(`STATUS_FILE', `{self.path("statistics")}')dnl
define(`HELP_FILE', `')dnl
define(`ALIAS_FILE', `{self.path("aliases")}')dnl
define(`confSERVICE_SWITCH_FILE', `{self.path("service.switch")}')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confDONT_BLAME_SENDMAIL', `TrustStickyBit')dnl
define(`confTO_IDENT', `0')dnl
define(`confQUEUE_LA', `10000')dnl
define(`confREFUSE_LA', `10000')dnl
define(`confDELIVERY_MODE', `queueonly')dnl
define(`LUSER_RELAY', `local:nobody')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
LOCAL_DOMAIN(`{LOCAL_DOMAINS}')dnl
{self._listeners()}{self._filters()}{self.settings}MAILER(`local')dnl
MAILER(`smtp')dnl
LOCAL_RULESETS
SLocal_localaddr
R{ANYBODY_BUT}$*\t$#error $@ 5.1.1 $: "550 User unknown"
"""

    def _listeners(self):
        text = (f"DAEMON_OPTIONS(`Name=MTA, Addr=127.0.0.1, Port={self.port}, "
                "Family=inet')dnl\n")
        if ipv6_works():
            text += (f"DAEMON_OPTIONS(`Name=MTA6, Addr=::1, Port={self.port}, "
                     "Family=inet6')dnl\n")
        return text

    def _filters(self):
        return "".join(
            f"INPUT_MAIL_FILTER(`filter{number}', `S={milter}, "
            f"F=T, T={self.timeouts}')dnl\n"
            for number, milter in enumerate(self.milters))

    def command(self, *mode):
        sendmail = self.unpacked.path("usr/libexec/sendmail/sendmail")
        return [sendmail, "-C", self.path("sendmail.cf"), *(mode or ["-bD"])]

    def environment(self):
        return {**super().environment(), "LD_PRELOAD": self.unpacked.shim,
                "SHIM_LOG": self.path("maillog"),
                "SHIM_CLIENTS": self.path("clients")}

    def pretend(self, client, name=None):
        """A session as that client by the shim, which knows of no names."""
        def announce(port):
            self.write(f"clients/{port}", client)
        return smtp.Session(smtp.connect(self.address(client),
                                         announce=announce))


def postfix_socket(milter):
    """inet:PORT@HOST is inet:HOST:PORT to Postfix."""
    kind, _, rest = milter.partition(":")
    if kind != "inet":
        return milter
    port, _, host = rest.partition("@")
    return f"inet:{host}:{port}"


def ipv6_works():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def listens(port):
    """Does someone listen on that TCP port?  Asked without a connection,
    since a mail server would show each to its milters."""
    listening = f":{port:04X} "
    with open("/proc/net/tcp") as table:
        return any(listening in line and line.split()[3] == "0A"
                   for line in table)


def kill_group(group):
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
