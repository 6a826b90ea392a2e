"""The mail server's end of the milter protocol.

It shows what a filter says octet by octet, at each step, without a mail
server and without root.  It keeps to what was negotiated, as Postfix and
Sendmail do: a step that the filter declined is not sent, and for a step that
the filter promised not to answer no answer is awaited.
"""

import socket
import struct
from typing import NamedTuple

VERSION = 6
ALL_ACTIONS = 0x1FF
ALL_STEPS = 0x1FFFFF
RCPT_REJ = 0x800  # SMFIP_RCPT_REJ: show me refused recipients as well
FINAL = "acdrtyqsf4"  # everything else at end of message changes the message


class Step(NamedTuple):
    """A command and its SMFIP_NO* (declined) and SMFIP_NR_* (silent) flags."""

    command: str
    declined: int
    silent: int


CONNECT = Step("C", 0x01, 0x1000)
HELO = Step("H", 0x02, 0x2000)
MAIL = Step("M", 0x04, 0x4000)
RCPT = Step("R", 0x08, 0x8000)
DATA = Step("T", 0x200, 0x10000)
UNKNOWN = Step("U", 0x100, 0x20000)
HEADER = Step("L", 0x20, 0x80)
EOH = Step("N", 0x40, 0x40000)
BODY = Step("B", 0x10, 0x80000)
EOM = Step("E", 0, 0)

NAMES = {"c": "continue", "a": "accept", "d": "discard", "r": "reject",
         "t": "tempfail", "y": "reply", "s": "skip", "f": "shutdown",
         "4": "close", "q": "quarantine"}


class Reply(NamedTuple):
    """What the filter said: `kind` is a value of NAMES, `text` only for "reply".

    `text` has its lines joined by newlines, as smtp.Reply; a percent sign in it
    is doubled, as it is on the wire.
    """

    kind: str
    text: str = ""

    @property
    def refuses(self):
        return self.kind in ("reply", "tempfail", "reject", "close", "shutdown")


CONTINUE = Reply("continue")


class Negotiated(NamedTuple):
    version: int
    actions: int
    steps: int
    symbols: dict  # stage number -> names of the macros that the filter wants


class Outcome(NamedTuple):
    """How a message fared: the step that decided it and the reply there.

    `refused` has the replies to single recipients that were turned away.
    """

    stage: str
    reply: Reply
    refused: dict

    @property
    def text(self):
        return self.reply.text

    @property
    def accepted(self):
        return not self.reply.refuses


class MilterClient:
    """One milter connection; `where` is "unix:PATH" or "inet:PORT@HOST"."""

    def __init__(self, where, timeout=60, steps=ALL_STEPS):
        self.link = connect(where, timeout)
        self.offer = (VERSION, ALL_ACTIONS, steps)
        self.negotiated = None
        self.changes = []  # what the filter did to the message at its end

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.link.close()

    def send(self, command, data=b""):
        head = struct.pack("!I", len(data) + 1)
        self.link.sendall(head + command.encode() + data)

    def receive(self):
        """One packet of the filter as (command, data)."""
        (length,) = struct.unpack("!I", self._read(4))
        packet = self._read(length)
        return chr(packet[0]), packet[1:]

    def _read(self, count):
        data = b""
        while len(data) < count:
            piece = self.link.recv(count - len(data))
            if not piece:
                raise EOFError("the filter closed the connection")
            data += piece
        return data

    def negotiate(self):
        self.send("O", struct.pack("!III", *self.offer))
        command, data = self.receive()
        if command != "O":
            raise AssertionError(f"negotiation answered with {command!r}")
        numbers = struct.unpack("!III", data[:12])
        self.negotiated = Negotiated(*numbers, symbols(data[12:]))
        return self.negotiated

    def macros(self, step, **values):
        """Define macros for the step that follows: `i="abc"` or `auth_type=""`."""
        pairs = b""
        for name, value in values.items():
            spelled = name if len(name) == 1 else "{" + name + "}"
            pairs += text0(spelled) + text0(value)
        self.send("D", step.command.encode() + pairs)

    def step(self, step, data=b""):
        """Send one step as negotiated; CONTINUE where no answer is due."""
        flags = self.negotiated.steps
        if flags & step.declined:
            return CONTINUE
        self.send(step.command, data)
        if flags & step.silent:
            return CONTINUE
        return self._final()

    def _final(self):
        while True:
            command, data = self.receive()
            if command == "p":  # SMFIR_PROGRESS: still at work
                continue
            if command not in FINAL:
                self.changes.append((command, data))
                continue
            if command != "y":
                return Reply(NAMES[command])
            text = data.rstrip(b"\0").decode("latin-1")
            return Reply("reply", text.replace("\r\n", "\n"))

    def connect(self, name="client.example", address="198.51.100.1", port=1234):
        """`address` None: the mail server does not know it (SMFIA_UNKNOWN)."""
        if address is None:
            return self.step(CONNECT, text0(name) + b"U")
        family = b"6" if ":" in address else b"4"
        where = family + struct.pack("!H", port) + text0(address)
        return self.step(CONNECT, text0(name) + where)

    def helo(self, name="client.example"):
        return self.step(HELO, text0(name))

    def mail(self, sender, *arguments):
        return self.step(MAIL, b"".join(map(text0, (sender, *arguments))))

    def rcpt(self, recipient, *arguments):
        return self.step(RCPT, b"".join(map(text0, (recipient, *arguments))))

    def refused_rcpt(self, recipient, why="550 5.1.1 User unknown",
                     code="5.1.1"):
        """A recipient that the mail server itself turns away.

        It is shown only to a filter that asked for it; the answer counts for
        nothing.
        """
        if self.negotiated.steps & RCPT_REJ:
            self.macros(RCPT, rcpt_mailer="error", rcpt_host=code,
                        rcpt_addr=why)
            self.rcpt(recipient)

    def data(self):
        return self.step(DATA)

    def header(self, name, value):
        return self.step(HEADER, text0(name) + text0(value))

    def eoh(self):
        return self.step(EOH)

    def body(self, chunk):
        return self.step(BODY, octets(chunk))

    def eom(self):
        self.changes = []
        return self.step(EOM)

    def unknown(self, line):
        return self.step(UNKNOWN, text0(line))

    def abort(self):
        self.send("A")

    def quit(self):
        self.send("Q")
        self.close()

    def begin(self, name="client.example", address="198.51.100.1",
              helo="client.example"):
        """Negotiate, connect, say HELO.  Returns self, for use in `with`."""
        self.negotiate()
        self.connect(name, address)
        self.helo(helo)
        return self

    def message(self, sender, recipients, headers=(), body="Hello.\r\n"):
        """One message through all steps, as far as it gets: its Outcome."""
        refused = {}
        for stage, reply in self._message(sender, recipients, headers, body,
                                          refused):
            if reply.refuses or reply.kind in ("accept", "discard"):
                return Outcome(stage, reply, refused)
        return Outcome("eom", reply, refused)

    def _message(self, sender, recipients, headers, body, refused):
        """Yield (stage, reply) step by step; fills `refused` on the way."""
        yield "mail", self.mail(sender)
        for recipient in recipients:
            reply = self.rcpt(recipient)
            if reply.refuses:
                refused[recipient] = reply
            else:
                yield "rcpt", reply
        if len(refused) == len(recipients):
            self.abort()
            yield "rcpt", reply
        yield "data", self.data()
        for name, value in headers:
            yield "header", self.header(name, value)
        yield "eoh", self.eoh()
        yield "body", self.body(body)
        yield "eom", self.eom()


def connect(where, timeout=60):
    """A stream to a milter socket named as libmilter names it."""
    kind, _, rest = where.partition(":")
    if kind == "inet":
        port, _, host = rest.partition("@")
        return socket.create_connection((host, int(port)), timeout)
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(timeout)
    try:
        link.connect(rest)
    except OSError:
        link.close()
        raise
    return link


def symbols(data):
    """The macro lists of a negotiation reply: stage number -> names."""
    lists = {}
    while len(data) > 4:
        (stage,) = struct.unpack("!I", data[:4])
        names, _, data = data[4:].partition(b"\0")
        lists[stage] = names.decode().split()
    return lists


def text0(text):
    return octets(text) + b"\0"


def octets(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")
