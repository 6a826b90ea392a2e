"""Bare Debian systems in directories, in which packages are really installed.

Needs root and mmdebstrap.  What is to be installed is fetched first; then the
process that uses a system moves to namespaces of its own, where every address is
local (lib/netns.py), services listen on their real ports, and all of it ends
with the process.
"""

import ctypes
import fcntl
import glob
import os
import shutil
import socket
import subprocess
import tempfile
import threading

from lib import netns
from lib.daemon import wait_for

SUITE = "bookworm"
SYSUSERS = "systemd-standalone-sysusers"  # what a bare system has of systemd
# <sched.h>: mounts, host name, network
NAMESPACES = 0x00020000 | 0x04000000 | 0x40000000


def missing():
    """Why there can be none here, or None."""
    if not netns.possible():
        return "installing packages needs root and private networks"
    if not shutil.which("mmdebstrap"):
        return "mmdebstrap is not there"
    return None


def cached(cache, name, make, of=""):
    """The path of `name` in `cache`; `make(path)` makes it, once for all, and again
    when it is `of` something else."""
    cache = os.path.abspath(cache)
    os.makedirs(cache, mode=0o755, exist_ok=True)
    path = os.path.join(cache, name)
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (os.path.exists(path) and made_of(path) == of):
            shutil.rmtree(path, ignore_errors=True)
            make(path)
            with open(path + ".done", "w") as done:
                done.write(of)
    return path


def made_of(path):
    """None: it was not finished."""
    try:
        with open(path + ".done") as done:
            return done.read()
    except FileNotFoundError:
        return None


def bootstrap(path):
    """A bare system, with the lists of what can be installed."""
    said = subprocess.run(
        ["mmdebstrap", "--variant=minbase", "--mode=root", "--quiet",
         f"--include={SYSUSERS}", "--skip=cleanup/apt",
         "--dpkgopt=force-unsafe-io", SUITE, path,
         "http://deb.debian.org/debian"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    if said.returncode:
        raise AssertionError(f"mmdebstrap fails:\n{said.stdout}")


class Bare:
    """One of them, copied from `base`; removed by remove()."""

    def __init__(self, base, host):
        self.directory = tempfile.mkdtemp(prefix="milter-defer-bare.")
        os.chmod(self.directory, 0o755)
        self.root = os.path.join(self.directory, "root")
        subprocess.run(["cp", "-a", "--reflink=auto", base, self.root],
                       check=True)
        self.host = host
        self.enter = []  # before what is to run there
        self.lines = []  # of the system's log

    def remove(self):
        if self.enter:
            subprocess.run(["umount", "-l", self.path("proc")],
                           stderr=subprocess.DEVNULL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.root, name.lstrip("/"))

    def read(self, name):
        with open(self.path(name)) as file:
            return file.read()

    def write(self, name, text, mode="w"):
        with open(self.path(name), mode) as file:
            file.write(text)

    def has(self, name):
        return os.path.lexists(self.path(name))

    def try_to(self, command):
        """Run this line of the shell as its root: (status, what it said)."""
        done = subprocess.run(
            [*self.enter, "chroot", self.root, "/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
                 "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"})
        return done.returncode, done.stdout

    def run(self, command):
        status, said = self.try_to(command)
        if status:
            raise AssertionError(f"{command}: status {status}\n{said}\n"
                                 + "\n".join(self.lines[-30:]))
        return said

    def install(self, *packages, option=""):
        return self.run("apt-get -q -y --no-install-recommends "
                        f"-o Dpkg::Use-Pty=0 {option} install "
                        + " ".join(packages))

    def fetch(self, *packages):
        """So that they can be installed where there is no network.  After that
        the system has heard of no others: apt reads the lists each time."""
        self.install(*packages, option="--download-only")
        names = set(self.run("dpkg-query -W -f '${Package}\\n'").splitlines())
        names |= {name.partition("_")[0] for name in
                  os.listdir(self.path("var/cache/apt/archives"))}
        for path in glob.glob(self.path("var/lib/apt/lists/*_Packages")):
            with open(path, encoding="utf-8") as file:
                known = [entry for entry in file.read().split("\n\n")
                         if entry.partition("\n")[0].removeprefix("Package: ")
                         in names]
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n\n".join(known) + "\n")

    def go_inside(self):
        """Move this process to where only the system is; nobody else is seen
        there, and its services may have every port.  The Dns of it."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(NAMESPACES) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        # The first process there: when it ends, with us at the latest, all end.
        self.first = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL",
             "unshare", "--pid", "--fork", "--kill-child", "sleep", "infinity"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        place = f"/proc/{self.first.pid}/ns/pid_for_children"
        wait_for(lambda: os.path.exists(place)
                 and os.readlink(place) != os.readlink("/proc/self/ns/pid"),
                 "a first process")
        self.enter = ["nsenter", f"--pid={place}"]
        socket.sethostname(self.host)
        netns.run("mount", "--make-rprivate", "/")
        netns.run(*self.enter, "mount", "-t", "proc", "proc", self.path("proc"))
        server = netns.set_up()
        self.write("etc/hostname", self.host + "\n")
        self.write("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {self.host}\n")
        self.write("etc/resolv.conf", "nameserver 127.0.0.1\n")
        # Debian starts no service where it finds no init system, unless told.
        self.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 0\n")
        os.chmod(self.path("usr/sbin/policy-rc.d"), 0o755)
        self._take_log()
        return server

    def end(self):
        """All that runs there ends."""
        self.first.kill()
        self.first.wait()

    def _take_log(self):
        taker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        taker.bind(self.path("dev/log"))
        os.chmod(self.path("dev/log"), 0o666)

        def take():
            while True:
                self.lines.append(taker.recv(65536).decode(errors="replace"))
        threading.Thread(target=take, daemon=True).start()

    def wait_log(self, text, start=0):
        """Wait for a line of the system's log, from line `start` on."""
        return wait_for(
            lambda: next((line for line in self.lines[start:] if text in line),
                         None),
            f"the system's log says {text!r}", lambda: self.lines)

    def reboot(self, *services):
        """What a restart of the machine leaves of these."""
        for service in reversed(services):
            self.run(f"service {service} stop")
        for name in os.listdir(self.path("run")):
            subprocess.run(["rm", "-rf", self.path(f"run/{name}")], check=True)
        for service in services:
            self.run(f"service {service} start")
