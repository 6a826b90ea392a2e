"""A small DNS server for the private network of lib/netns.py.

It knows only what a test tells it, and says NXDOMAIN to everything else, so
that no mail server waits for a look-up.
"""

import ipaddress
import socket
import struct
import threading

A, PTR, AAAA = 1, 12, 28
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
AUTHORITATIVE_ANSWER = 0x8580


class Dns:
    """Answers on 127.0.0.1:53 from a thread, as long as the process lives."""

    def __init__(self):
        self.records = {}  # (name, type) -> value
        self.broken = set()  # names that get SERVFAIL
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def start(self):
        self.socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def host(self, address, name):
        """A verified name: the address has it, and it has the address."""
        self.pointer(address, name)
        kind = AAAA if ":" in address else A
        self.records[name, kind] = ipaddress.ip_address(address).packed

    def pointer(self, address, name):
        """A name that the address claims, perhaps falsely."""
        self.records[reverse(address), PTR] = wire_name(name)

    def fail(self, address):
        """The look-up of this address' name fails for the time being."""
        self.broken.add(reverse(address))

    def _serve(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            self.socket.sendto(self._answer(query), peer)

    def _answer(self, query):
        name, end = read_name(query, 12)
        (kind,) = struct.unpack("!H", query[end:end + 2])
        value = self.records.get((name, kind))
        answer = b""
        if value is not None:  # 0xC00C: the name stands in the question
            answer = struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(value)) + value
        flags = AUTHORITATIVE_ANSWER | self._code(name)
        head = struct.pack("!HHHHH", flags, 1, 1 if answer else 0, 0, 0)
        return query[:2] + head + query[12:end + 4] + answer

    def _code(self, name):
        if name in self.broken:
            return SERVFAIL
        if any(known == name for known, _ in self.records):
            return NOERROR
        return NXDOMAIN


def reverse(address):
    return ipaddress.ip_address(address).reverse_pointer


def wire_name(name):
    labels = name.encode().split(b".")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def read_name(packet, start):
    """(name in lower case, where it ends); questions are never compressed."""
    labels = []
    while packet[start]:
        length = packet[start]
        labels.append(packet[start + 1:start + 1 + length].decode("latin-1"))
        start += length + 1
    return ".".join(labels).lower(), start + 1
