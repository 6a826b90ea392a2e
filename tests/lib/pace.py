"""How much slower than an idle machine this one is just now.

A test of deadlines cannot hold on a machine that wakes nobody in time.  So all
that has to do with deadlines, the deadline too, is taken as many times as long
as a little work takes here and now.
"""

import functools
import time

WORK = 0.03  # seconds of CPU
MOST = 10.0


@functools.cache
def pace():
    """1 where no other process wants the CPU, at most MOST."""
    began, cpu = time.monotonic(), time.thread_time()
    while time.thread_time() - cpu < WORK:
        pass
    ratio = (time.monotonic() - began) / WORK
    return 1.0 if ratio < 1.3 else min(ratio, MOST)


def sleep(seconds):
    time.sleep(seconds * pace())


def milliseconds(ms):
    """As the configuration takes it."""
    return f"{int(ms * pace())}ms"
