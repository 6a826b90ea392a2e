"""The pages are bounded in everything, and mail does not notice them."""

import os
import socket
import time
import unittest

from lib import cases
from lib.daemon import wait_for
from lib.policies import GREYLISTED, greylisting
from lib.web import Pages

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

    def rest(self, connection):
        """Read to the end; how long that took."""
        began = time.monotonic()
        connection.settimeout(30)
        try:
            while connection.recv(4096):
                pass
        except OSError:
            pass
        return time.monotonic() - began

    def test_one_address_gets_so_many_connections(self):
        with Pages(greylisting(), "connections_per_address = 4") as pages:
            held = [pages.connect() for _ in range(20)]
            wait_for(lambda: pages.descriptors() > 0, "it runs")
            closed = sum(self.rest(one) < 3 for one in held[4:])
            self.assertEqual(closed, 16)
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
            held = []
            for number in range(2000):
                address = f"127.0.{number // 250 + 1}.{number % 250 + 1}"
                one = socket.socket()
                one.setblocking(False)
                one.bind((address, 0))
                try:
                    one.connect(("127.0.0.1", pages.port))
                except BlockingIOError:
                    pass
                held.append(one)
            for _ in range(20):
                self.assertEqual(mail(pages), GREYLISTED)
            self.assertLess(pages.descriptors(), 450)
            wait_for(lambda: is_well(pages), "there is room again")
            for one in held:
                one.close()


if __name__ == "__main__":
    cases.main()
