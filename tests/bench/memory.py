"""How much memory of Redis a client network takes, and a further triplet.

Fills a private Redis with one million networks whose triplets are spread as
they are in the wild (Pareto 1.2: more than half of the networks have one, a few
have hundreds) and reads used_memory in between.
"""

import base64
import random
import time

from lib.redis_servers import encode

PARETO_SHAPE = 1.2
PARETO_CAP = 1000  # of the distribution; the record's own cap comes below
BATCH = 1 << 20  # octets sent at once


class Layout:
    """What the store writes for a client, as milter-defer-redis(5) has it."""

    PREFIX = b"mdefer:1:"
    NETWORK_CAP = 256  # clocks of pairs in one record
    PENDING_LIFE = 25 * 3600
    WINDOW = 3600
    WINDOW_FIELDS = (b"n", b"1", b"7", b"1")  # of the network, of the host
    EPOCH = 1704067200  # 2024-01-01 UTC

    def __init__(self, seed):
        self._random = random.Random(seed)
        self._now = int(time.time())
        self._window = self._now // self.WINDOW

    def record(self, network):
        return self.PREFIX + b"{" + network + b"}"

    def window(self, network):
        return self.record(network) + b":r:%d" % self._window

    def triplet(self):
        """A field: the keyed hash of a pair, and since when it is pending."""
        digest = self._random.getrandbits(48).to_bytes(6, "big")
        since = self._now - self.EPOCH - self._random.randrange(86400)
        return [base64.urlsafe_b64encode(digest), b"%d" % since]

    def seen_once(self, network):
        """All commands of a first message: its triplet, its rate window."""
        record, window = self.record(network), self.window(network)
        return b"".join(map(encode, (
            (b"HSET", record, *self.triplet()),
            (b"EXPIRE", record, self.PENDING_LIFE),
            (b"HSET", window, *self.WINDOW_FIELDS),
            (b"EXPIRE", window, 2 * self.WINDOW))))

    def more_triplets(self, network, count):
        words = [word for _ in range(count) for word in self.triplet()]
        return encode((b"HSET", self.record(network), *words))

    def triplets_of_a_network(self):
        """How many a network has, drawn at random."""
        drawn = (1.0 - self._random.random()) ** (-1.0 / PARETO_SHAPE)
        return min(int(drawn), PARETO_CAP, self.NETWORK_CAP)


def network_name(number):
    """The /24 of this number, from 1.0.0.0 upwards."""
    number += 1 << 16
    return b"%d.%d.%d.0/24" % (number >> 16, number >> 8 & 255, number & 255)


def send_all(client, chunks):
    """Send commands without waiting for answers, then for the server."""
    client.socket.sendall(encode(("CLIENT", "REPLY", "OFF")))
    waiting, size = [], 0
    for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size > BATCH:
            client.socket.sendall(b"".join(waiting))
            waiting, size = [], 0
    client.socket.sendall(b"".join(waiting))
    client.ask("CLIENT", "REPLY", "ON")


def info(client, section):
    lines = client.ask("INFO", section).splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def used_memory(client):
    time.sleep(0.5)  # lets Redis finish growing its tables
    return int(info(client, "memory")["used_memory"])


def fill(client, networks, seed):
    """Fill an empty Redis; used_memory before, after each network's first
    message, and after all its others; and how many triplets that makes."""
    layout = Layout(seed)
    empty = used_memory(client)
    send_all(client, (layout.seen_once(network_name(number))
                      for number in range(networks)))
    once = used_memory(client)
    counts = [layout.triplets_of_a_network() for _ in range(networks)]
    send_all(client, (layout.more_triplets(network_name(number), count - 1)
                      for number, count in enumerate(counts) if count > 1))
    return empty, once, used_memory(client), sum(counts)


def measure(server, networks, seed=1):
    """What `networks` client networks take in this (empty) Redis server."""
    with server.client(timeout=60) as client:
        empty, once, skewed, triplets = fill(client, networks, seed)
        keys = info(client, "keyspace")["db0"]  # keys=2,expires=2,avg_ttl=7
    total, expiring = (int(part.split("=")[1])
                       for part in keys.split(",")[:2])
    return {
        "networks": networks,
        "triplets": triplets,
        "network_seen_once": (once - empty) / networks,
        "further_triplet": (skewed - once) / (triplets - networks),
        "network_with_all": (skewed - empty) / networks,
        "keys_without_ttl": total - expiring,
    }
