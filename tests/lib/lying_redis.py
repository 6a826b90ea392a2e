"""A small Redis that can be told to lie.

It knows the few commands that redis_probe and a login need.  While `lie` is
None it is honest.  Else `lie(connection, words, reply)` is called for each
command with the honest reply, and sends what it likes.
"""

import socket
import threading

from lib import pace


class LyingRedis:
    def __init__(self):
        self.lie = None
        self.accepted = 0
        self.map = slots([])  # or the answer of a sentinel
        self.store = {}
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.where = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.lie = None
        self.listener.close()
        for connection in self.connections:
            connection.close()

    def shout(self, data):
        """Send something to all clients, which nobody asked for."""
        for connection in list(self.connections):
            try:
                connection.sendall(data)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(connection)
            self.accepted += 1
            threading.Thread(target=self._serve, args=(connection,),
                             daemon=True).start()

    def _serve(self, connection):
        try:
            with connection.makefile("rb") as lines:
                while (words := self._read(lines)) is not None:
                    reply = self._answer(words)
                    lie = self.lie
                    if lie is None:
                        connection.sendall(reply)
                    else:
                        lie(connection, words, reply)
        except OSError:
            pass
        finally:
            self.connections.remove(connection)
            connection.close()

    @staticmethod
    def _read(lines):
        head = lines.readline()
        if not head:
            return None
        words = []
        for _ in range(int(head[1:])):
            length = int(lines.readline()[1:])
            words.append(lines.read(length + 2)[:-2])
        return words

    def _answer(self, words):
        name = words[0].upper()
        if name == b"PING" and len(words) == 1:
            return b"+PONG\r\n"
        if name == b"ROLE":
            return b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
        if name in (b"ECHO", b"PING"):
            return b"$%d\r\n%s\r\n" % (len(words[1]), words[1])
        if name == b"EXPIRE":
            return b":1\r\n"
        if name in (b"CLUSTER", b"SENTINEL"):
            return self.map
        if name == b"ASKING":
            return b"+OK\r\n"
        with self.lock:
            return self._answer_hash(name, words)

    def _answer_hash(self, name, words):
        fields = self.store.setdefault(words[1], {})
        if name == b"HINCRBY":
            fields[words[2]] = fields.get(words[2], 0) + int(words[3])
            return b":%d\r\n" % fields[words[2]]
        if name == b"HSETNX":
            fields.setdefault(words[2], 1)
            return b":1\r\n"
        if name == b"HMGET":
            values = [fields.get(field) for field in words[2:]]
            return b"*%d\r\n" % len(values) + b"".join(
                b"$-1\r\n" if value is None
                else b"$%d\r\n%d\r\n" % (len(str(value)), value)
                for value in values)
        return b"-ERR unknown command\r\n"


def text(data):
    return b"$%d\r\n%s\r\n" % (len(data), data)


def address(where):
    """(host, port), of "host:port"."""
    host, _, port = where.rpartition(":")
    return host.encode(), int(port)


def slots(nodes):
    """The answer to CLUSTER SLOTS: all slots, shared out among (host, port)."""
    reply = b"*%d\r\n" % len(nodes)
    for place, (host, port) in enumerate(nodes):
        first, last = (16384 * i // len(nodes) for i in (place, place + 1))
        reply += b"*3\r\n:%d\r\n:%d\r\n*3\r\n%s:%d\r\n$2\r\nid\r\n" % (
            first, last - 1, text(host), port)
    return reply


class Deaf:
    """A server that never accepts: its queue is full, and connecting hangs."""

    def __init__(self):
        self.sockets = [socket.create_server(("127.0.0.1", 0), backlog=0)]
        address = self.sockets[0].getsockname()
        self.where = "%s:%d" % address
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            self.sockets.append(filler)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.sockets:
            each.close()


# ---- Lies

def instead(data):
    """This in place of every reply."""
    def lie(connection, words, reply):
        connection.sendall(data)
    return lie


def after(data):
    """The reply, and then this, which nobody asked for."""
    def lie(connection, words, reply):
        connection.sendall(reply + data)
    return lie


def late(seconds):
    def lie(connection, words, reply):
        pace.sleep(seconds)
        connection.sendall(reply)
    return lie


def dripping(seconds):
    """One byte of the reply after another, each in time, all too late."""
    def lie(connection, words, reply):
        for i in range(len(reply)):
            connection.sendall(reply[i:i + 1])
            pace.sleep(seconds)
    return lie


def half(connection, words, reply):
    connection.sendall(reply[:len(reply) // 2])
    pace.sleep(2)


def silent(connection, words, reply):
    pass


def hanging_up(connection, words, reply):
    connection.shutdown(socket.SHUT_RDWR)


def only(name, lie):
    """Lie to this command, and to no other."""
    def honest_to_others(connection, words, reply):
        if words[0].upper() == name:
            lie(connection, words, reply)
        else:
            connection.sendall(reply)
    return honest_to_others


def but_login(lie):
    """Lie only after the login: to commands that have something to say."""
    def honest_at_login(connection, words, reply):
        if words in ([b"PING"], [b"ROLE"]):
            connection.sendall(reply)
        else:
            lie(connection, words, reply)
    return honest_at_login
