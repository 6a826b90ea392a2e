"""A real Redis seen through a liar: lying_redis.py with all commands.

While it is honest it hands every command to the real server and gives back the
reply as it came.
"""

import queue
import socket
import threading
import time

from lib.lying_redis import LyingRedis
from lib.redis_servers import encode


class LyingProxy(LyingRedis):
    def __init__(self, server):
        self.address = (server.host, server.port)
        self.upstream = threading.local()  # a connection for each client
        super().__init__()

    def _serve(self, connection):
        with socket.create_connection(self.address) as link, \
                link.makefile("rb") as lines:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.upstream.link, self.upstream.lines = link, lines
            super()._serve(connection)

    def _answer(self, words):
        self.upstream.link.sendall(encode(words))
        return read_reply(self.upstream.lines)


def read_reply(lines):
    """The octets of one reply."""
    head = lines.readline()
    if not head.endswith(b"\r\n"):
        raise ConnectionError("the server closed the connection")
    count = int(head[1:]) if head[:1] in b"$*" else 0
    if head[:1] == b"$" and count >= 0:
        return head + lines.read(count + 2)
    if head[:1] == b"*":
        return head + b"".join(read_reply(lines) for _ in range(count))
    return head


class SlowProxy:
    """Passes on all that servers say `delay` seconds after they said it, in its
    order; the server itself is as quick as ever."""

    def __init__(self, server):
        self.address = (server.host, server.port)
        self.delay = 0.0
        self.clients = 0  # ever
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.where = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.clients += 1
            server = socket.create_connection(self.address)
            said = queue.SimpleQueue()
            for work in ((pump, client, server), (self._hear, server, said),
                         (self._tell, said, client)):
                threading.Thread(target=work[0], args=work[1:],
                                 daemon=True).start()

    def _hear(self, server, said):
        try:
            while data := server.recv(65536):
                said.put((time.monotonic(), data))
        except OSError:
            pass
        said.put((0, b""))

    def _tell(self, said, client):
        while True:
            heard, data = said.get()
            if not data:
                shut(client)
                return
            while (left := heard + self.delay - time.monotonic()) > 0:
                time.sleep(min(left, 0.02))
            try:
                client.sendall(data)
            except OSError:
                return


class CuttingProxy:
    """Passes on the first `limit` octets that clients send after arm(), then
    cuts their connection, as if the client's host had lost its power."""

    def __init__(self, server):
        self.address = (server.host, server.port)
        self.limit = None
        self.cut = threading.Event()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.where = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def arm(self, limit):
        with self.lock:
            self.cut.clear()
            self.limit = limit

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,),
                             daemon=True).start()

    def _serve(self, client):
        with client, socket.create_connection(self.address) as server:
            threading.Thread(target=pump, args=(server, client),
                             daemon=True).start()
            try:
                while data := client.recv(65536):
                    part = self._allowed(data)
                    server.sendall(part)
                    if len(part) < len(data):
                        break
            except OSError:
                pass
            shut(server)
            shut(client)

    def _allowed(self, data):
        with self.lock:
            if self.limit is None:
                return data
            part = data[:self.limit]
            self.limit -= len(part)
            if len(part) < len(data):
                self.limit = None
                self.cut.set()
            return part


class DelayingProxy:
    """Passes everything on, what comes back after `delay` seconds: a server that
    answers each call, and each too late."""

    def __init__(self, server):
        self.address = (server.host, server.port)
        self.delay = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.where = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.address)
            late = queue.SimpleQueue()
            for target, *arguments in ((pump, client, server),
                                       (self._collect, server, late),
                                       (self._deliver, late, client)):
                threading.Thread(target=target, args=arguments,
                                 daemon=True).start()

    def _collect(self, server, late):
        data = b"x"
        while data:
            try:
                data = server.recv(65536)
            except OSError:
                data = b""
            late.put((time.monotonic() + self.delay, data))

    @staticmethod
    def _deliver(late, client):
        while True:
            due, data = late.get()
            time.sleep(max(0, due - time.monotonic()))
            try:
                client.sendall(data)
            except OSError:
                return
            if not data:
                shut(client)
                return


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass


def shut(link):
    try:
        link.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
