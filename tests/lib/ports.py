"""Ports of loopback for tests that run side by side."""

import random
import socket

_dice = random.SystemRandom()  # processes that were forked draw different ones
_claims = []


def free_port(host="127.0.0.1"):
    """A port of this address that nobody uses, and that no other test gets as
    long as this process lives.

    It and port + 10000, where the bus of a cluster node listens, lie below the
    range that the kernel takes for outgoing connections, so that they stay
    free while the server is down.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = _dice.randrange(12000, 22000)
        if _is_free(family, host, port) and _claim(port):
            return port


def _is_free(family, host, port):
    with socket.socket(family) as probe, socket.socket(family) as bus:
        try:
            probe.bind((host, port))
            bus.bind((host, port + 10000))
        except OSError:
            return False
    return True


def _claim(port):
    """By a name in the abstract namespace, which only one process can hold and
    which goes with it; like ports, each private network has its own."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0milter-defer-test-port.{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True
