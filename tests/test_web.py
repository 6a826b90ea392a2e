"""The pages are bounded in everything, and mail does not notice them."""

import os
import random
import re
import shutil
import signal
import socket
import threading
import time
import unittest

from lib import cases, farm
from lib.daemon import wait_for
from lib.policies import GREYLISTED, greylisting
from lib.redis_servers import start_single
from lib.web import Pages, hashed

ALICE, BOB = "<alice@sender.example>", "<bob@local.test>"
ASK = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def mail(pages):
    with pages.client() as client:
        return client.begin().message(ALICE, [BOB]).text


def is_well(pages):
    try:
        return pages.get("/healthz").status == 200
    except OSError:  # turned away
        return False


def drained(pages):
    """What /healthz says once it does not say that all is well."""
    answer = pages.get("/healthz")
    return answer if answer.text != "ok\n" else None


class Health(unittest.TestCase):
    def test_it_is_well_while_mail_is_served(self):
        with Pages(greylisting()) as pages:
            self.assertEqual(pages.get("/healthz")[::2], (200, "ok\n"))
            self.assertEqual(mail(pages), GREYLISTED)

    def test_it_is_not_when_the_socket_is_gone(self):
        with Pages(greylisting()) as pages:
            os.unlink(pages.where.removeprefix("unix:"))
            self.assertEqual(pages.get("/healthz").status, 503)

    def test_a_store_that_is_away_is_told(self):
        with Pages('redis { servers = "127.0.0.1:1" }\n'
                   + greylisting()) as pages:
            pages.expect("Redis|secret_file")
            answer = wait_for(lambda: "away" in pages.get("/healthz").text
                              and pages.get("/healthz"), "it says so")
            self.assertEqual(answer.status, 200)

    @unittest.skipUnless(shutil.which("redis-server"), "no redis-server here")
    def test_it_is_not_while_the_daemon_ends(self):
        redis = start_single()
        self.addCleanup(redis.stop)
        policy = (f'redis {{ servers = "{redis.where}"  deadline = 10s }}\n'
                  + greylisting())
        with Pages(policy) as pages, pages.client() as client:
            pages.expect("Redis")
            wait_for(lambda: pages.get("/healthz").text == "ok\n", "it is up")
            client.begin().mail(ALICE)
            client.rcpt(BOB)
            redis.freeze()
            self.addCleanup(redis.thaw)
            client.send("T")  # DATA: this waits for Redis, and the end for it
            time.sleep(0.2)
            pages.signal(signal.SIGTERM)
            said = wait_for(lambda: drained(pages), "it drains")
            self.assertEqual(said[::2], (503, "draining\n"))
            redis.thaw()

    def test_a_port_that_is_taken_does_not_stop_mail(self):
        with Pages(greylisting()) as first:
            second = Pages(greylisting())
            second.port = first.port
            second.configure(f'web {{ listen = "127.0.0.1:{first.port}" }}\n'
                             + greylisting())
            second.expect("web: 127.0.0.1:")
            with second:
                self.assertEqual(mail(second), GREYLISTED)


class Requests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pages = Pages(greylisting(), 'hosts = {"mx.example.org"}\n')
        cls.addClassCleanup(cls.pages.__exit__, None)
        cls.pages.__enter__()

    def test_every_answer_has_a_strict_policy(self):
        for path in "/healthz", "/style.css", "/nothing-here":
            headers = self.pages.get(path).headers
            with self.subTest(path):
                self.assertIn("default-src 'none'",
                              headers["content-security-policy"])
                self.assertNotIn("unsafe", headers["content-security-policy"])
                self.assertEqual(headers["x-content-type-options"], "nosniff")
                self.assertEqual(headers["referrer-policy"], "same-origin")

    def test_hosts(self):
        for host, status in (
                ("localhost", 200), ("127.0.0.1:8080", 200), ("[::1]:80", 200),
                ("MX.example.org:443", 200), ("evil.example", 421),
                ("mx.example.org.evil.example", 421), ("", 421)):
            with self.subTest(host):
                self.assertEqual(
                    self.pages.get("/healthz", Host=host).status, status)

    def test_a_load_balancer_may_leave_the_host_out(self):
        for request, status in (
                (b"GET /healthz HTTP/1.0\r\n\r\n", b"200"),
                (b"GET /healthz HTTP/1.1\r\n\r\n", b"421"),
                (b"GET /metrics HTTP/1.0\r\n\r\n", b"421"),
                (b"GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n",
                 b"421"),
                (b"POST /healthz HTTP/1.0\r\nOrigin: http://localhost\r\n"
                 b"\r\n", b"403")):
            with self.subTest(request), self.pages.connect() as connection:
                connection.sendall(request)
                self.assertEqual(connection.recv(12)[9:], status)

    def test_who_asks_before_he_sends_too_much_is_told(self):
        with self.pages.connect() as connection:
            connection.sendall(b"POST /login HTTP/1.1\r\nHost: localhost\r\n"
                               b"Expect: 100-continue\r\n"
                               b"Content-Length: 20000000\r\n\r\n")
            self.assertEqual(connection.recv(12)[9:], b"413")

    def test_methods(self):
        for method, status in (("GET", 200), ("HEAD", 200), ("POST", 405),
                               ("PUT", 405), ("DELETE", 405), ("TRACE", 405),
                               ("OPTIONS", 405)):
            with self.subTest(method):
                self.assertEqual(
                    self.pages.ask(method, "/healthz").status, status)

    def test_sizes(self):
        self.assertEqual(
            self.pages.post("/healthz", {"a": "x" * 9000}).status, 413)
        self.assertEqual(self.pages.get("/" + "x" * 20000).status, 414)
        self.assertIn(self.pages.get("/healthz", Cookie="x" * 20000).status,
                      (413, 431))


class Bounds(unittest.TestCase):
    """Whoever comes often, is slow or silent, keeps nobody else out for long."""

    @staticmethod
    def is_closed(connection):
        connection.setblocking(False)
        try:
            while connection.recv(4096):
                pass
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def test_one_address_gets_so_many_connections(self):
        """Which of them is not said: several threads take them in."""
        with Pages(greylisting(), "connections_per_address = 4\n"
                   "timeout = 5m") as pages:
            held = [pages.connect() for _ in range(20)]
            wait_for(lambda: sum(map(self.is_closed, held)) >= 16,
                     "those above it are closed")
            self.assertEqual(sum(map(self.is_closed, held)), 16)
            with self.subTest("another address is served"):
                self.assertEqual(
                    pages.get("/healthz", source="127.0.0.2").status, 200)

    def test_a_slow_request_ends_in_time(self):
        with Pages(greylisting(), "timeout = 2s") as pages:
            with pages.connect() as slow:
                began = time.monotonic()
                try:
                    for octet in ASK[:-1] * 2:
                        slow.sendall(bytes([octet]))
                        time.sleep(0.3)
                except OSError:
                    pass
                self.assertLess(time.monotonic() - began, 10)

    def test_a_proxy_is_one_address_and_many_visitors(self):
        with Pages(greylisting(), 'connections_per_address = 2\n'
                   'proxies = {"127.0.0.1"}') as pages:
            held = [pages.connect() for _ in range(20)]
            self.assertEqual(pages.get("/healthz").status, 200)
            for one in held:
                one.close()

    def test_2000_that_stall_cost_mail_nothing(self):
        with Pages(greylisting(), "connections_per_address = 16\n"
                   "timeout = 5s") as pages:
            held = [pages.knock(
                f"127.0.{number // 250 + 1}.{number % 250 + 1}")
                for number in range(2000)]
            for _ in range(20):
                self.assertEqual(mail(pages), GREYLISTED)
            self.assertLess(pages.descriptors(), 450)
            wait_for(lambda: is_well(pages), "there is room again")
            for one in held:
                one.close()

    def test_visitors_leave_files_for_mail(self):
        pages = Pages(greylisting(), "connections = 10000\n"
                      "connections_per_address = 10000\ntimeout = 1m\n")
        pages.prefix = ["prlimit", "--nofile=120:120"]
        pages.expect("web: connections = 10000, but .* 120 files")
        with pages:
            held = [pages.knock() for _ in range(200)]
            time.sleep(0.5)
            for _ in range(3):
                self.assertEqual(mail(pages), GREYLISTED)
            self.assertLess(pages.descriptors(), 100)
            for one in held:
                one.close()

    def test_random_references_lead_nowhere(self):
        """Of many visitors, each within what it may ask."""
        policy = greylisting() + 'journal { entries = 1000 }\n'
        with Pages(policy, "lookups = 1000") as pages:
            said = set()
            for number in range(REFERENCES):
                dice = random.Random(number)
                reference = "".join(dice.choices(ALPHABET, k=16))
                answer = pages.get("/" + reference,
                                   source=f"127.1.{number % 200}.9")
                said.add((answer.status, answer.text))
                if number % 50 == 0:
                    self.assertEqual(mail(pages), GREYLISTED)
            self.assertEqual(len(said), 1)
            self.assertEqual(said.pop()[0], 404)


ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
REFERENCES = int(os.environ.get("WEB_REFERENCES") or 500)
FUZZ_SECONDS = float(os.environ.get("WEB_FUZZ_SECONDS") or 3)

SEEDS = [
    b"GET /ABCDEFGHJKMNPQRS?lang=de HTTP/1.1\r\nHost: localhost\r\n"
    b"Accept: application/json\r\nAccept-Language: de-AT;q=0.5, en\r\n\r\n",
    b"POST /release HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 52\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    b"reference=ABCDEFGHJKMNPQRS&token=0123456789abcdef%41+",
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost"
    b"\r\nContent-Length: 31\r\nX-Forwarded-For: 192.0.2.1, [::1]:99\r\n\r\n"
    b"name=anna&password=open+%73esame",
    b"GET /deferrals?client=198.51.100.0/24&sender=abcdefgh&hours=24&before="
    b"12345&rule=a%20b HTTP/1.1\r\nHost: localhost\r\nCookie: @COOKIE@"
    b"\r\n\r\n",
    b"POST /deferrals HTTP/1.1\r\nHost: localhost\r\nCookie: @COOKIE@\r\n"
    b"Content-Length: 44\r\n\r\nsender=a@b.example&recipient=c@d&client=::/0&",
    b"GET /client?address=198.51.100.1 HTTP/1.1\r\nHost: localhost\r\n"
    b"Cookie: @COOKIE@\r\n\r\n",
    b"POST /client HTTP/1.1\r\nHost: localhost\r\nCookie: @COOKIE@\r\n"
    b"Content-Length: 60\r\n\r\ntoken=@TOKEN@&address=198.51.100.1&do=pass"
    b"&for=1d&x=0123456789",
    b"GET /dashboard?still HTTP/1.0\r\nHost: localhost\r\nCookie: @COOKIE@"
    b"\r\n\r\n",
    b"GET /plot.csv?of=rules HTTP/1.1\r\nHost: localhost\r\nCookie: "
    b"@COOKIE@\r\n\r\n",
    b"POST /expect/0123456789abcdef0123 HTTP/1.1\r\nHost: localhost\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n12\r\ndomain=example.org\r\n0\r\n"
    b"\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: [::1]:80\r\n\r\nHEAD /healthz HTTP/1.1"
    b"\r\nHost: localhost\r\n\r\n",
    b"POST /healthz HTTP/1.0\r\nHost: localhost\r\nOrigin: http://localhost"
    b"\r\nAccept-Language: de;q=0.8\r\nContent-Length: 3\r\n\r\na=b",
]
PIECES = [b"%", b"%00", b"\r\n", b"\0", b"..", b"/", b"&", b"=", b":", b"]",
          b"A" * 300, b"9" * 30, b"\xff\xfe", b"<", b'"', b";q=", b",", b"@"]


def mutate(dice, text):
    text = bytearray(text)
    for _ in range(dice.choice((0, 1, 1, 1, 2, 2, 4, 8))):
        at = dice.randrange(len(text) + 1)
        kind = dice.randrange(5)
        if kind == 0 and at < len(text):
            text[at] = dice.randrange(256)
        elif kind == 1:
            text[at:at] = dice.choice(PIECES) * dice.choice((1, 1, 1, 40))
        elif kind == 2:
            del text[at:at + dice.randrange(1, 20)]
        elif kind == 3:
            end = min(len(text), at + dice.randrange(1, 60))
            text[at:at] = text[at:end]
        else:
            del text[at:]
        text = text or bytearray(b"G")
    return bytes(text)


class Fuzz(unittest.TestCase):
    """Whatever is sent to the port, mail is answered as before."""

    def test_requests_that_are_none(self):
        seed = int(time.time())
        web = ('users_file = "@DIR@/users"\nrelease = true\n'
               'expect_file = "@DIR@/expect"\nlookups = 1000000\n'
               'timeout = 2s\nproxies = {"127.0.0.1"}\n')
        pages = Pages(greylisting(), web)
        farm.put(pages, "users", f"anna:{hashed('open sesame')}:change")
        farm.put(pages, "expect", "0123456789abcdef0123")
        with pages:
            mail(pages)
            cookie = pages.post("/login", {
                "name": "anna", "password": "open sesame"}).headers[
                    "set-cookie"].split(";")[0]
            pages.cookie = cookie
            token = re.search('name="token" value="([^"]+)"',
                              pages.get("/dashboard").text).group(1)
            seeds = [text.replace(b"@COOKIE@", cookie.encode())
                     .replace(b"@TOKEN@", token.encode()) for text in SEEDS]
            end = time.monotonic() + FUZZ_SECONDS
            threads = [threading.Thread(target=self.send, args=(
                pages, random.Random(seed + number), seeds, end))
                for number in range(12)]
            for thread in threads:
                thread.start()
            with self.subTest(seed=seed):
                while time.monotonic() < end:
                    self.assertEqual(mail(pages), GREYLISTED)
                    time.sleep(0.02)
            for thread in threads:
                thread.join()
            wait_for(lambda: is_well(pages), "it answers as before")

    @staticmethod
    def send(pages, dice, seeds, end):
        while time.monotonic() < end:
            try:
                with pages.connect() as connection:
                    connection.settimeout(0.1)
                    connection.sendall(mutate(dice, dice.choice(seeds)))
                    if dice.randrange(8):
                        connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
            except OSError:
                pass


if __name__ == "__main__":
    cases.main()
