"""The pages of a milter-defer, as a program asks for them.

    with Pages(greylisting(), "release = true") as pages:
        pages.get("/healthz").status
"""

import http.client
import socket
import subprocess
import urllib.parse
from typing import NamedTuple

from lib import ports
from lib.daemon import Daemon

PATIENCE = 60


def hashed(password):
    """As crypt(3) makes it."""
    return subprocess.run(["openssl", "passwd", "-6", password], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


class Answer(NamedTuple):
    status: int
    headers: dict  # by names in small letters
    text: str


class Pages(Daemon):
    """A daemon with pages; `web` are lines of that section."""

    def __init__(self, policy, web="", port=None, **more):
        self.port = port or ports.free_port()
        self.cookie = None
        super().__init__(
            f'web {{\n\tlisten = "127.0.0.1:{self.port}"\n{web}\n}}\n'
            + policy, **more)

    def start(self):
        super().start()
        self.wait_log(r"serving \S+ with")  # the pages come before it
        return self

    def url(self, path=""):
        return f"http://127.0.0.1:{self.port}{path}"

    def connect(self, source="127.0.0.1"):
        """A bare connection; any address of 127/8 may be its source."""
        return socket.create_connection(
            ("127.0.0.1", self.port), PATIENCE, (source, 0))

    def knock(self, source="127.0.0.1"):
        """Begin a connection, and wait for nothing."""
        connection = socket.socket()
        connection.setblocking(False)
        connection.bind((source, 0))
        try:
            connection.connect(("127.0.0.1", self.port))
        except BlockingIOError:
            pass
        return connection

    def ask(self, method, path, form=None, source="127.0.0.1", **headers):
        """One request; names of headers have _ for -."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, PATIENCE, (source, 0))
        fields = {name.replace("_", "-"): value
                  for name, value in headers.items()}
        if self.cookie:
            fields["Cookie"] = self.cookie
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form)
            fields["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, body, fields)
            reply = connection.getresponse()
            return Answer(reply.status, {name.lower(): value for name, value
                                         in reply.getheaders()},
                          reply.read().decode())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def post(self, path, form, **more):
        return self.ask("POST", path, form, **more)
