"""How much memory of Redis a client network takes, and a further triplet.

Lets milter-defer write down the first message of a stranger, copies that for
one million networks, gives them triplets as they are spread in the wild (Pareto
1.2: more than half of the networks have one, a few have hundreds), and reads
used_memory in between.
"""

import base64
import random
import time

from lib.daemon import wait_for
from lib.redis_servers import encode

PARETO_SHAPE = 1.2
PARETO_CAP = 1000  # of the distribution; the record's own cap comes below
NETWORK_CAP = 256  # clocks of pairs in one record
BATCH = 1 << 20  # octets sent at once
TAGGED = "*{*}*"  # keys of clients


class Stranger:
    """What milter-defer writes for a client, taken from a Redis that knows no
    other: keys as what comes before the network and what comes after it, each
    with its life and its value as Redis dumps it."""

    def __init__(self, client, network):
        self.keys = []
        for key in sorted(client.ask("KEYS", TAGGED), key=len):
            before, after = key.split(network)
            self.keys.append((before.encode(), after.encode(),
                              client.ask("PTTL", key),
                              client.ask("DUMP", key).encode("latin-1")))

    def first_message(self, network):
        """The commands that make all keys of another network."""
        return b"".join(
            encode((b"RESTORE", before + network + after, life, value))
            for before, after, life, value in self.keys)

    def record(self, network):
        before, after, _, _ = self.keys[0]  # others are its rate windows
        return before + network + after


def learn_stranger(server):
    """The stranger whose first message a milter has just put down."""
    with server.client() as client:
        wait_for(lambda: client.ask("KEYS", TAGGED),
                 "a message is remembered")
        time.sleep(0.2)
        key = min(client.ask("KEYS", TAGGED), key=len)
        return Stranger(client, key.split("{")[1].rstrip("}"))


class Triplets:
    """Random ones."""

    EPOCH = 1704067200  # 2024-01-01 UTC, see milter-defer-redis(5)

    def __init__(self, seed):
        self._random = random.Random(seed)
        self._now = int(time.time()) - self.EPOCH

    def count(self):
        """How many a network has."""
        drawn = (1.0 - self._random.random()) ** (-1.0 / PARETO_SHAPE)
        return min(int(drawn), PARETO_CAP, NETWORK_CAP)

    def some(self, count):
        """Fields: keyed hashes of an address and its pairs, and since when they
        are pending, with who began them."""
        words = []
        address = self._random.getrandbits(24).to_bytes(3, "big")
        for _ in range(count):
            digest = self._random.getrandbits(48).to_bytes(6, "big")
            since = self._now - self._random.randrange(86400)
            opener = self._random.getrandbits(16)
            words += [base64.urlsafe_b64encode(address + digest),
                      b"%d" % (since << 16 | opener)]
        return words


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


def fill(client, stranger, networks, seed):
    """Fill an empty Redis; used_memory before, after each network's first
    message, and after all its others; and how many triplets that makes."""
    triplets = Triplets(seed)
    empty = used_memory(client)
    send_all(client, (stranger.first_message(network_name(number))
                      for number in range(networks)))
    once = used_memory(client)
    counts = [triplets.count() for _ in range(networks)]
    send_all(client, (encode((b"HSET", stranger.record(network_name(number)),
                              *triplets.some(count - 1)))
                      for number, count in enumerate(counts) if count > 1))
    return empty, once, used_memory(client), sum(counts)


def measure(server, stranger, networks, seed=1):
    """What `networks` client networks take in this Redis server."""
    with server.client(timeout=60) as client:
        client.ask("FLUSHALL")
        empty, once, skewed, triplets = fill(client, stranger, networks, seed)
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
