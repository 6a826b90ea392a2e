"""Nobody gets past a deferral by the order of his commands.

Postfix and Sendmail keep the transaction after a 451, and libmilter has a mind of
its own about which step may follow which.  So clients say all kinds of things after
the 451 of each stage, through both mail servers: nothing that the policy defers may
get in, and every answer is a 4yz or the mail server's own.

$ORDERS is how many orders are tried at each stage of each mail server, $ORDERS_SEED
which ones.
"""

import base64
import concurrent.futures
import os
import random
import re
import socketserver
import threading
import unittest

from lib import mta
from lib.mta_case import ALICE, main, on_both
from lib.policies import defer_all

ORDERS = int(os.environ.get("ORDERS", "24"))
SEED = int(os.environ.get("ORDERS_SEED", "5321"))
LONGEST = 6
SIDE_BY_SIDE = 9  # Sendmail keeps at most 10 waiting
OURS = "451 4.7.1 Deferred by the policy."
TEXT = "Subject: x\r\n\r\nHello.\r\n"

# What the policy defers, and how far a client gets before it hears so.
STAGES = {
    "mail": (defer_all(OURS), ["MAIL"]),
    "rcpt": (defer_all(OURS, 'recipient = "*@local.test"', "uncapped = true"),
             ["MAIL", "RCPT"]),
    "data": (defer_all(OURS, "at = data"), ["MAIL", "RCPT", "DATA"]),
    "eom": (defer_all(OURS, "at = eom"), ["MAIL", "RCPT", "DATA"]),
}

# Replies of the mail servers' own; a milter's 5yz is "550 5.7.1 Command rejected".
THEIR_OWN = re.compile(r"""(?x)
    2(?!50[ ]2.0.0[ ](Ok:[ ]queued|\w+[ ]Message[ ]accepted))
    | 334 | 354 | 4
    | 50[0-4] | 535 | 538
    | 550[ ]5\.1\.1 | 551[ ]5\.0\.0[ ]Discarded | 554[ ]5\.5\.1""")


class FailingAuth(socketserver.ThreadingTCPServer):
    """A Dovecot that knows nobody, for Postfix."""

    allow_reuse_address = daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\n"
                             b"CUID\t1\nCOOKIE\tx\nDONE\n")
            for line in self.rfile:
                words = line.split()
                if words[0] == b"AUTH":
                    self.wfile.write(b"FAIL\t" + words[1] + b"\n")

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def settings(self):
        return ("smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\n"
                f"smtpd_sasl_path = inet:127.0.0.1:{self.server_address[1]}\n"
                "smtpd_soft_error_limit = 1000\nsmtpd_hard_error_limit = 1000\n"
                "smtpd_junk_command_limit = 1000\n"
                "smtpd_error_sleep_time = 0\n")


class Talk:
    """A session that notes what was said, and whether any mail got in."""

    def __init__(self, session, chunks):
        self.session = session
        self.chunks = chunks  # whether the server knows BDAT
        self.said = []
        self.got_in = False

    def ask(self, line):
        reply = self.session.ask(line)
        self.note(line.split("\r")[0], reply)
        return reply

    def note(self, what, reply):
        self.said.append(f"{what} -> {reply.lines[-1]}")
        if not THEIR_OWN.match(reply) and not reply.startswith("250"):
            raise AssertionError("an answer that is nobody's")
        if reply.code == 421:
            raise EOFError

    def content(self):
        reply = self.session.content(TEXT)
        self.said.append(f". -> {reply}")
        self.got_in |= reply.ok

    def bdat(self, last):
        text = TEXT if self.chunks else ""
        line = f"BDAT {len(text)}{' LAST' * last}"
        self.session.socket.sendall(f"{line}\r\n{text}".encode())
        reply = self.session.reply()
        self.note(line, reply)
        self.got_in |= last and reply.ok

    def say(self, command):
        if command == "MAIL":
            self.ask(f"MAIL FROM:<{ALICE}>")
        elif command == "RCPT":
            self.ask(f"RCPT TO:<user{len(self.said)}@local.test>")
        elif command == "RCPT refused":
            self.ask("RCPT TO:<unknown@local.test>")
        elif command == "DATA":
            if self.ask("DATA").code == 354:
                self.content()
        elif command in ("BDAT", "BDAT LAST"):
            self.bdat(command != "BDAT")
        elif command == "EHLO":
            self.ask("EHLO client.example")
        elif command == "AUTH failed":
            self.ask("AUTH PLAIN " +
                     base64.b64encode(b"\0joe\0wrong").decode())
        else:
            self.ask(command)


COMMANDS = ["MAIL", "RCPT", "RCPT refused", "DATA", "BDAT", "BDAT LAST", "RSET",
            "NOOP", "XFOO", "HELP", "EHLO", "AUTH failed"]

# Those that are known to have opened a door, and their kin.
KNOWN = [["XFOO", "DATA"], ["DATA"], ["RCPT", "XFOO", "DATA"],
         ["XFOO", "RCPT", "DATA"], ["XFOO", "BDAT LAST"], ["HELP", "DATA"],
         ["BDAT", "XFOO", "BDAT LAST"], ["BDAT", "RCPT", "BDAT LAST"],
         ["BDAT", "BDAT LAST"], ["EHLO", "XFOO", "DATA"],
         ["RSET", "XFOO", "RCPT", "DATA"], ["NOOP", "XFOO", "DATA", "XFOO", "DATA"]]


def orders(stage):
    """Sequences of commands that differ, the known ones first."""
    chance = random.Random(f"{SEED} {stage}")
    seen = {tuple(order): None for order in KNOWN}
    while len(seen) < ORDERS:
        length = chance.randint(2, LONGEST)
        seen.setdefault(tuple(chance.choices(COMMANDS, k=length)))
    return [list(order) for order in seen][:max(ORDERS, len(KNOWN))]


class Orders:
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("mail servers need root")
        auth = FailingAuth()
        cls.addClassCleanup(auth.server_close)
        cls.addClassCleanup(auth.shutdown)
        cls.where = f"inet:{mta.free_port()}@127.0.0.1"
        # As documented; but a second is enough for a milter at hand.
        if cls.kind is mta.Postfix:
            socket = mta.postfix_socket(cls.where)
            cls.server = mta.Postfix(
                [f"{{ {socket}, command_timeout=1s, default_action=tempfail }}"],
                auth.settings())
        else:
            cls.server = mta.Sendmail(cls.where)
            # It counts whole seconds: one may be over at once.
            cls.server.timeouts = "C:5s;S:2s;R:2s;E:5s"
        cls.addClassCleanup(cls.server.stop)
        cls.server.start()

    def talk(self, begin, order):
        """One session; what is wrong with it, or None."""
        with self.server.session() as session:
            talk = Talk(session, chunks=self.kind is mta.Postfix)
            try:
                session.ehlo()
                for command in begin + order + ["DATA"]:
                    talk.say(command)
            except EOFError:
                pass
            except (AssertionError, OSError) as error:
                return "\n".join([*talk.said, repr(error)])
        return "\n".join([*talk.said, "it got in"]) if talk.got_in else None

    def check_stage(self, stage):
        policy, begin = STAGES[stage]
        with self.milter(policy) as milter, \
                concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            milter.expect("timeout|abort")
            wrong = pool.map(lambda order: self.talk(begin, order),
                             orders(stage))
            wrong = [each for each in wrong if each]
        self.assertEqual(wrong, [], "\n\n".join(wrong))

    def test_after_a_deferral_at_mail(self):
        self.check_stage("mail")

    def test_after_a_deferral_at_rcpt(self):
        self.check_stage("rcpt")

    def test_after_a_deferral_at_data(self):
        self.check_stage("data")

    def test_after_a_deferral_at_the_end(self):
        self.check_stage("eom")

    def test_what_they_prove(self):
        """Without a milter's word the same commands get mail in."""
        with self.milter('rule "all" { helo = "*"  verdict = accept }\n'):
            wrong = self.talk(["MAIL", "RCPT", "DATA"], ["NOOP"])
        self.assertIn("it got in", wrong or "")


on_both(globals(), Orders)

if __name__ == "__main__":
    main()
