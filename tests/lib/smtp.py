"""A raw SMTP client that shows replies exactly as they came.

smtplib hides what these tests are about: the lines of a reply, their octets,
and what a server says in the middle of a pipelined batch.
"""

import socket

MAX_REPLY_LINE = 512  # RFC 5321, 4.5.3.1.5, with the CRLF
PATIENCE = 60  # seconds to wait for the server
IPV6_FREEBIND = 78  # <linux/in6.h>; the socket module has no name for it


class Malformed(AssertionError):
    """The server sent what no SMTP client has to understand."""


class Reply(str):
    """One reply as its lines, joined by newlines: `451-4.7.1 a\\n451 4.7.1 b`."""

    @property
    def code(self):
        return int(self[:3])

    @property
    def lines(self):
        return self.split("\n")

    @property
    def ok(self):
        return self[:1] in "23"


class Session:
    """An SMTP session over a connection; `banner` is what the server says first."""

    def __init__(self, connection):
        self.socket = connection
        self.reader = connection.makefile("rb")
        self.banner = self.reply()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.reader.close()
        self.socket.close()

    def send(self, line):
        self.socket.sendall(octets(line) + b"\r\n")

    def reply(self):
        """Read one whole reply, however many lines it has."""
        lines = [self._reply_line()]
        while lines[-1][3:4] == "-":
            lines.append(self._reply_line())
            if lines[-1][:3] != lines[0][:3]:
                raise Malformed(f"codes differ: {lines}")
        return Reply("\n".join(lines))

    def _reply_line(self):
        raw = self.reader.readline()
        if not raw:
            raise EOFError("the server closed the connection")
        if not raw.endswith(b"\r\n") or len(raw) > MAX_REPLY_LINE:
            raise Malformed(f"{len(raw)} octets: {raw!r}")
        line = raw[:-2].decode("latin-1")
        if not line[:3].isdigit() or line[3:4] not in ("", " ", "-"):
            raise Malformed(repr(line))
        return line

    def ask(self, line):
        self.send(line)
        return self.reply()

    def pipeline(self, *lines):
        """Send all at once (RFC 2920), then read one reply to each."""
        self.socket.sendall(b"".join(octets(line) + b"\r\n" for line in lines))
        return [self.reply() for _ in lines]

    def ehlo(self, name="client.example"):
        return self.ask(f"EHLO {name}")

    def mail(self, sender, *parameters):
        return self.ask(" ".join([f"MAIL FROM:<{sender}>", *parameters]))

    def rcpt(self, recipient, *parameters):
        return self.ask(" ".join([f"RCPT TO:<{recipient}>", *parameters]))

    def data(self):
        return self.ask("DATA")

    def content(self, text):
        """Send a message's text and the final dot; the reply to the dot."""
        lines = octets(text).replace(b"\r\n", b"\n").split(b"\n")
        stuffed = [b"." + line if line[:1] == b"." else line for line in lines]
        self.socket.sendall(b"\r\n".join(stuffed) + b"\r\n.\r\n")
        return self.reply()

    def rset(self):
        return self.ask("RSET")

    def quit(self):
        reply = self.ask("QUIT")
        self.close()
        return reply

    def xclient(self, **attributes):
        """Become another client in Postfix's eyes; the new banner."""
        words = [f"{name}={value}" for name, value in attributes.items()]
        self.banner = self.ask(" ".join(["XCLIENT", *words]))
        return self.banner

    def deliver(self, sender, recipients, text="Subject: test\n\nHello.\n"):
        """Send one message and return the reply that decided it.

        Refused recipients are left out, as any mail server does; if all are
        refused, the last of these replies is the decision.
        """
        reply = self._offer(sender, recipients)
        if reply.ok:
            reply = self.content(text)
        if not reply.ok and reply.code != 421:
            self.rset()
        return reply

    def _offer(self, sender, recipients):
        """The envelope and DATA: 354 if the text may follow."""
        reply = self.mail(sender)
        if not reply.ok:
            return reply
        replies = [self.rcpt(recipient) for recipient in recipients]
        if not any(reply.ok for reply in replies):
            return replies[-1]
        return self.data()


def octets(line):
    return line if isinstance(line, bytes) else line.encode("latin-1")


def connect(server, source=("", 0), announce=lambda port: None):
    """A TCP connection to `server` (host, port), from `source` if given.

    `announce` is told our port before the server can see the connection.
    """
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(PATIENCE)
        if family == socket.AF_INET6:
            # lib/netns.py makes all addresses local, but these not bindable
            connection.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        connection.bind(source)
        announce(connection.getsockname()[1])
        connection.connect(server)
    except OSError:
        connection.close()
        raise
    return connection
