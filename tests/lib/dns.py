"""A small DNS server: of the private network of lib/netns.py, or on a port of
its own.

It knows only what a test tells it, and says NXDOMAIN to everything else, so
that nobody waits for a look-up.  It can also be slow, silent or wrong, for all
names below a zone (`modes`).
"""

import ipaddress
import socket
import struct
import threading

from lib.daemon import wait_for

A, PTR, MX, TXT, AAAA = 1, 12, 15, 16, 28
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
AUTHORITATIVE_ANSWER = 0x8580
TRUNCATED = 0x0200
IPV6_TEST = "::ffff:7f00:2"


class Dns:
    """Answers from threads, as long as the process lives."""

    def __init__(self, host="127.0.0.1", port=53):
        self.address = host, port
        self.where = f"{host}:{port}"
        self.records = {}  # (name, type) -> value, or a list of them
        self.broken = set()  # names that get SERVFAIL
        self.modes = {}  # zone -> one of the methods _mode_...
        self.ttl = 60
        self.asked = []  # (name, type)
        self.by_tcp = 0
        self.held = []  # what is to be answered when it is let go
        self.holds = False
        self.lock = threading.Lock()
        self.socket = None
        self.tcp = None

    def start(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(self.address)
        self.tcp = socket.create_server(self.address)
        threading.Thread(target=self._serve, args=(self.socket,),
                         daemon=True).start()
        threading.Thread(target=self._serve_tcp, args=(self.tcp,),
                         daemon=True).start()
        return self

    def stop(self):
        """Nobody listens any more; start() goes on."""
        for one in self.socket, self.tcp:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # of UDP it wakes the reader, and complains all the same
            one.close()

    # ---- What it knows

    def host(self, address, name):
        """A verified name: the address has it, and it has the address."""
        self.pointer(address, name)
        kind = AAAA if ":" in address else A
        self.records[name, kind] = ipaddress.ip_address(address).packed

    def pointer(self, address, name):
        """A name that the address claims, perhaps falsely."""
        self.records[reverse(address), PTR] = wire_name(name)

    def add(self, name, kind, value):
        """One more record of a name, its value as octets."""
        self.records.setdefault((name, kind), []).append(value)

    def text(self, name, text):
        self.add(name, TXT, wire_text(text))

    def fail(self, address):
        """The look-up of this address' name fails for the time being."""
        self.broken.add(reverse(address))

    def list(self, zone, subject, *codes):
        """A DNS list has this address or name, with these codes."""
        self.records[listed_name(zone, subject), A] = [
            ipaddress.ip_address(code).packed for code in codes]

    def open_list(self, zone, ipv6=True):
        """A DNS list with the entries for tests that RFC 5782 asks for."""
        self.list(zone, "127.0.0.2", "127.0.0.2")
        self.list(zone, "test", "127.0.0.2")
        if ipv6:
            self.list(zone, IPV6_TEST, "127.0.0.2")

    # ---- How it is wrong

    def hold(self):
        """Answer nothing until release()."""
        self.holds = True

    def release(self):
        with self.lock:
            self.holds = False
            held, self.held = self.held, []
        for answer in held:
            answer()

    def hold_until_asked(self, count=1):
        """Answer nothing until there are so many questions: a thread that waits for
        them."""
        self.hold()
        thread = threading.Thread(target=self._release_when_asked, args=(count,))
        thread.start()
        return thread

    def _release_when_asked(self, count):
        wait_for(lambda: len(self.held) >= count, "it was asked")
        self.release()

    def mode(self, zone, name, *arguments):
        """What is asked below this zone is answered wrongly: silent, servfail,
        garbage, short, always (an address), truncated."""
        self.modes[zone] = lambda query, end: getattr(
            self, "_mode_" + name)(query, end, *arguments)

    def count(self, zone=""):
        """How often anything below the zone was asked for."""
        return sum(name.endswith(zone) for name, _ in self.asked)

    def _mode_silent(self, query, end):
        return None

    def _mode_servfail(self, query, end):
        return reply(query, end, SERVFAIL)

    def _mode_garbage(self, query, end):
        return query[:2] + b"\x85\x80" + bytes(range(90, 130))

    def _mode_short(self, query, end):
        """The right beginning of an answer that is cut."""
        return reply(query, end, NOERROR, [b"\x7f\0\0\2"], self.ttl)[:-3]

    def _mode_always(self, query, end, *addresses):
        return reply(query, end, NOERROR,
                     [ipaddress.ip_address(one).packed for one in addresses],
                     self.ttl)

    def _mode_truncated(self, query, end):
        """By UDP nothing, by TCP all."""
        return reply(query, end, NOERROR, flags=TRUNCATED)

    # ---- Serving

    def _serve(self, sock):
        while True:
            try:
                query, peer = sock.recvfrom(4096)
            except OSError:
                return
            if not query:
                return
            self._deliver(self._answer(query),
                          lambda data, peer=peer: sock.sendto(data, peer))

    def _serve_tcp(self, sock):
        while True:
            try:
                client, _ = sock.accept()
            except OSError:
                return
            self.by_tcp += 1
            threading.Thread(target=self._serve_client, args=(client,),
                             daemon=True).start()

    def _serve_client(self, client):
        with client, client.makefile("rb") as file:
            while head := file.read(2):
                query = file.read(struct.unpack("!H", head)[0])
                data = self._answer(query, by_tcp=True)
                if data is not None:
                    client.sendall(struct.pack("!H", len(data)) + data)

    def _deliver(self, data, send):
        if data is None:
            return
        with self.lock:
            if self.holds:
                self.held.append(lambda: send(data))
                return
        try:
            send(data)
        except OSError:
            pass  # stopped

    def _answer(self, query, by_tcp=False):
        name, end = read_name(query, 12)
        (kind,) = struct.unpack("!H", query[end:end + 2])
        end += 4
        self.asked.append((name, kind))
        for zone, mode in self.modes.items():
            if name.endswith(zone) and not by_tcp:
                return mode(query, end)
        if name in self.broken:
            return reply(query, end, SERVFAIL)
        value = self.records.get((name, kind))
        if value is None:
            known = any(known == name for known, _ in self.records)
            return reply(query, end, NOERROR if known else NXDOMAIN)
        return reply(query, end, NOERROR,
                     value if isinstance(value, list) else [value], self.ttl)


def reply(query, end, code, values=(), ttl=60, flags=0):
    """A message that answers; `end` is where the question ends."""
    head = struct.pack("!HHHHH", AUTHORITATIVE_ANSWER | code | flags, 1,
                       len(values), 0, 0)
    kind = query[end - 4:end - 2]
    answer = b"".join(  # 0xC00C: the name stands in the question
        b"\xc0\x0c" + kind + struct.pack("!HIH", 1, ttl, len(value)) + value
        for value in values)
    return query[:2] + head + query[12:end] + answer


def reverse(address):
    return ipaddress.ip_address(address).reverse_pointer


def listed_name(zone, subject):
    try:
        return reverse(subject).rsplit(".", 2)[0] + "." + zone
    except ValueError:
        return subject + "." + zone


def wire_name(name):
    labels = name.encode().split(b".")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def wire_text(text):
    """In strings of 255 octets; of text, or of octets as they are."""
    octets = text if isinstance(text, bytes) else text.encode()
    parts = [octets[i:i + 255] for i in range(0, len(octets), 255)] or [b""]
    return b"".join(bytes([len(part)]) + part for part in parts)


def read_name(packet, start):
    """(name in lower case, where it ends); questions are never compressed."""
    labels = []
    while packet[start]:
        length = packet[start]
        labels.append(packet[start + 1:start + 1 + length].decode("latin-1"))
        start += length + 1
    return ".".join(labels).lower(), start + 1
