"""Strangers through a real Postfix: SMTP sessions, one filter at a time.

Each session is of a client, a sender and a recipient not seen before; it says
EHLO, MAIL, RCPT, and DATA if it may, and leaves when it has been deferred.  What
the others are compared with is Postfix that says 451 by itself.
"""

import itertools
import os
import statistics
import threading
import time

from lib import mta, smtp

ALONE = "Postfix alone"
SETTINGS = """\
in_flow_delay = 0
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
default_process_limit = 200
"""
REFUSE = "smtpd_data_restrictions = check_client_access static:{451 4.7.1 wait}\n"

_numbers = itertools.count(1)


def postfix(contender):
    """A Postfix with this filter, or None: with none."""
    if contender is None:
        return mta.Postfix((), SETTINGS + REFUSE)
    if contender.name == "postgrey":
        return mta.Postfix((), SETTINGS + (
            "smtpd_recipient_restrictions = reject_unauth_destination, "
            f"check_policy_service {contender.socket}\n"))
    more = REFUSE if contender.name in ("null", "quiet") else ""
    return mta.Postfix(contender.socket, SETTINGS + more)


def session(port):
    """Seconds until the deciding reply."""
    number = next(_numbers)
    client = f"{45 + (number >> 16)}.{number >> 8 & 255}.{number & 255}." + str(
        number * 101 % 254 + 1)
    connection = smtp.connect(("127.0.0.1", port), (client, 0))
    with smtp.Session(connection) as talk:
        talk.ehlo(f"mail{number}.example")
        began = time.monotonic()
        reply = talk.deliver(f"joe{number}@sender{number}.example",
                             [f"bob{number}@local.test"])
        took = time.monotonic() - began
        if reply.code not in (450, 451):
            raise AssertionError(f"a stranger was told {reply}")
        talk.ask("QUIT")
    return took


def measure(port, at_once, seconds):
    """One round: sessions a second, and the median and 99th percentile of the
    time from MAIL to the reply, in milliseconds."""
    times, until = [], time.monotonic() + seconds

    def go():
        while time.monotonic() < until:
            times.append(session(port))
    began = time.monotonic()
    threads = [threading.Thread(target=go) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = len(times) / (time.monotonic() - began)
    cuts = statistics.quantiles(times, n=100)
    return {"rate": rate, "p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000}


def run(milters, options):
    """{(at once): {name: [round, ...]}} for Postfix alone and with each."""
    results = {}
    servers = [(ALONE, postfix(None))]
    servers += [(milter.name, postfix(milter)) for milter in milters]
    try:
        for _, server in servers:
            server.start()
        for at_once in options.through:
            case = {name: [] for name, _ in servers}
            for turn in range(options.rounds + 1):
                for step in range(len(servers)):
                    name, server = servers[(turn + step) % len(servers)]
                    found = measure(server.port, at_once, options.smtp_seconds)
                    if turn:  # the first is to warm up
                        case[name].append(found)
            results[at_once] = case
    finally:
        for _, server in servers:
            server.stop()
    return results


def possible():
    return os.geteuid() == 0
