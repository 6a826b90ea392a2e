"""A real Redis seen through a liar: lying_redis.py with all commands.

While it is honest it hands every command to the real server and gives back the
reply as it came.
"""

import socket
import threading

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
