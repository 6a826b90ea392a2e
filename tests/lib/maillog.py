"""Makes the log of a Postfix or a Sendmail, and knows what stands in it.

What a policy would do to it is worked out here in the simplest way, for senders of
whom the generator knows how they come back; a replay has to find the same.
"""

import random
import time

START = 1793145600  # 2026-10-28 00:00:00 UTC
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


class Log:
    """Lines with their times, written in the order of these."""

    def __init__(self, seed=1, host="mx1"):
        self.random = random.Random(seed)
        self.host = host
        self.lines = []  # (time, number, text)
        self.garbage = 0
        self.ids = 0

    def add(self, at, program, text, pid=None):
        pid = pid if pid is not None else self.random.randrange(100, 32768)
        self.lines.append((at, len(self.lines), f"{self.host} {program}[{pid}]: {text}"))

    def queue_id(self):
        """Postfix uses them again after a while."""
        self.ids += 1
        return f"{0x10000 + self.ids % 400000:07X}"

    # ---- Attempts

    def postfix_taken(self, at, client, name, sender, recipients):
        pid, queue_id = self.random.randrange(100, 1000), self.queue_id()
        who = f"{name or 'unknown'}[{client}]"
        self.add(at, "postfix/smtpd", f"connect from {who}", pid)
        self.add(at, "postfix/smtpd", f"{queue_id}: client={who}", pid)
        self.add(at, "postfix/cleanup", f"{queue_id}: message-id=<{queue_id}@x>")
        self.add(at, "postfix/qmgr", f"{queue_id}: from=<{sender}>, size=4000, "
                 f"nrcpt={len(recipients)} (queue active)", 99)
        for recipient in recipients:
            self.add(at + 1, "postfix/lmtp", f"{queue_id}: to=<{recipient}>, "
                     "relay=imap[192.0.2.9]:24, delay=1, delays=0/0/0/1, "
                     "dsn=2.0.0, status=sent (250 2.0.0 Ok)")
        self.add(at + 1, "postfix/qmgr", f"{queue_id}: removed", 99)
        self.add(at + 1, "postfix/smtpd", f"disconnect from {who} ehlo=1 mail=1 "
                 "rcpt=1 data=1 quit=1 commands=5", pid)

    def postfix_put_off(self, at, client, name, sender, recipients,
                        code="451 4.7.1 Greylisted"):
        pid = self.random.randrange(100, 1000)
        who = f"{name or 'unknown'}[{client}]"
        self.add(at, "postfix/smtpd", f"connect from {who}", pid)
        for recipient in recipients:
            self.add(at, "postfix/smtpd", "NOQUEUE: milter-reject: RCPT from "
                     f"{who}: {code}; from=<{sender}> to=<{recipient}> "
                     f"proto=ESMTP helo=<{name or 'x'}>", pid)
        self.add(at, "postfix/smtpd", f"disconnect from {who} ehlo=1 mail=1 "
                 "rcpt=0/1 quit=1 commands=3/4", pid)

    def sendmail_taken(self, at, client, name, sender, recipients):
        pid, queue_id = self.random.randrange(100, 32768), f"6AS{self.queue_id()}00"
        relay = f"{name} [{client}]" if name else f"[{client}]"
        self.add(at, "sendmail", f"{queue_id}: from=<{sender}>, size=4000, class=0, "
                 f"nrcpts={len(recipients)}, msgid=<{queue_id}@x>, proto=ESMTP, "
                 f"daemon=MTA, relay={relay}", pid)
        to = ",".join(f"<{recipient}>" for recipient in recipients)
        self.add(at + 1, "sendmail", f"{queue_id}: to={to}, delay=00:00:01, "
                 "xdelay=00:00:01, mailer=local, pri=34000, dsn=2.0.0, stat=Sent")

    def sendmail_put_off(self, at, client, name, sender, recipients,
                         code="451 4.7.1 Greylisted"):
        pid, queue_id = self.random.randrange(100, 32768), f"6AS{self.queue_id()}00"
        relay = f"{name} [{client}]" if name else f"[{client}]"
        for recipient in recipients:
            self.add(at, "sendmail", f"{queue_id}: Milter: to=<{recipient}>, "
                     f"reject={code}", pid)
        self.add(at, "sendmail", f"{queue_id}: from=<{sender}>, size=0, class=0, "
                 f"nrcpts=0, proto=ESMTP, daemon=MTA, relay={relay}", pid)

    def chatter(self, at):
        self.add(at, "dovecot", "imap-login: Login: user=<bob>, method=PLAIN")

    # ---- Writing

    def write(self, path, iso=False, garbage=0, opener=open):
        """Sorted; every `garbage`-th line is followed by one that is none."""
        self.lines.sort()
        with opener(path, "wt", encoding="latin-1") as file:
            stamp, stamped = None, ""
            for number, (at, _, text) in enumerate(self.lines):
                if at != stamp:
                    stamp, stamped = at, stamp_of(at, iso)
                file.write(f"{stamped} {text}\n")
                if garbage and number % garbage == garbage - 1:
                    file.write(self.random.choice(GARBAGE))
                    self.garbage += 1


GARBAGE = ("\n", "\0\0\0\0\n", "x" * 20000 + "\n", "\xff\xfe garbage\n",
           "Nov 31\n", "2026-13-01T00:00:00Z mx1 postfix/smtpd[1]: x\n",
           "postfix/smtpd[1]: connect from x[192.0.2.1]\n")


def stamp_of(at, iso):
    moment = time.gmtime(at)
    if iso:
        return time.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00", moment)
    return (f"{MONTHS[moment.tm_mon - 1]} {moment.tm_mday:2d} "
            + time.strftime("%H:%M:%S", moment))
