"""How much slower than an idle machine this one is just now.

A test of deadlines cannot hold on a machine that wakes nobody in time.  So all
that has to do with deadlines, the deadline too, is taken as many times as long
as a little work takes here and now.  Whoever waits for what has to happen waits
for PATIENCE, however fast it is.
"""

import functools
import time

WORK = 300000  # turns of the loop below
IDLE = 0.015  # seconds that they take where these tests were written
TIMES = 3
MOST = 10.0

PATIENCE = 120  # seconds until a wait is given up; only a broken test waits so long


@functools.cache
def pace():
    """1 on such a machine where no other process wants the CPU, at most MOST."""
    ratio = sum(_seconds_of_work() for _ in range(TIMES)) / TIMES / IDLE
    return 1.0 if ratio < 1.3 else min(ratio, MOST)


def _seconds_of_work():
    """After a rest, as a test has: who has just slept is served sooner."""
    time.sleep(0.01)
    began, total = time.monotonic(), 0
    for turn in range(WORK):
        total += turn * turn & 7
    return time.monotonic() - began


def sleep(seconds):
    time.sleep(seconds * pace())


def milliseconds(ms):
    """As the configuration takes it, which allows no deadline above 10 s."""
    return f"{min(int(ms * pace()), 10000)}ms"
