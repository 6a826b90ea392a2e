"""A private network, in which a test can be any client on the Internet.

With root (CAP_SYS_ADMIN) the test program starts itself anew in network and
mount namespaces of its own, in which every address is local and lib/dns.py is
the name server.  Nothing outside notices, and all of it ends with the program.
"""

import os
import subprocess
import sys
import tempfile

from lib import dns

INSIDE = "MILTER_DEFER_TEST_NETNS"


def possible():
    """Does this machine let us?  A container often does not."""
    if os.geteuid() != 0:
        return False
    try:
        return subprocess.run(["unshare", "-n", "-m", "true"],
                              stderr=subprocess.DEVNULL).returncode == 0
    except FileNotFoundError:
        return False


def inside():
    return INSIDE in os.environ


def enter():
    """Go in, where possible.  Does not return then: the program starts anew."""
    if not inside() and possible():
        os.environ[INSIDE] = "yes"
        os.execvp("unshare", ["unshare", "-n", "-m", sys.executable, *sys.argv])


def set_up():
    """Inside: make all addresses local and serve their names; the Dns."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo")
    if os.path.exists("/proc/net/if_inet6"):
        run("ip", "-6", "route", "add", "local", "::/0", "dev", "lo")
    with tempfile.NamedTemporaryFile("w") as resolver:
        os.chmod(resolver.name, 0o644)
        resolver.write("nameserver 127.0.0.1\n")
        resolver.flush()
        run("mount", "--bind", resolver.name, "/etc/resolv.conf")
    return dns.Dns().start()


def run(*command):
    subprocess.run(command, check=True)
