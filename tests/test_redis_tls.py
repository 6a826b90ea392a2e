"""The link to Redis over TLS, against real servers."""

import os
import shutil
import socket
import subprocess
import tempfile

from lib import cases
from lib.redis_probe import LinkTest, Probe, during
from lib.redis_servers import RedisServer, start_single, wait_until


def knows_localhost():
    """A bare container may have no /etc/hosts."""
    try:
        return bool(socket.gethostbyname("localhost"))
    except OSError:
        return False


class Tls(LinkTest):
    """Certificates for "localhost" and "redis.example", made by openssl."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="redis-tls-")
        cls.make("ca", "-x509", "-addext", "basicConstraints=critical,CA:TRUE")
        cls.make("other", "-x509")
        cls.sign("server", "subjectAltName=DNS:localhost,DNS:redis.example,"
                           "IP:127.0.0.1")
        cls.sign("client", "subjectAltName=DNS:client.example")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.directory)

    @classmethod
    def file(cls, name):
        return os.path.join(cls.directory, name)

    @classmethod
    def make(cls, name, *arguments):
        subprocess.run(
            ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", f"/CN={name}", "-keyout", cls.file(f"{name}.key"),
             "-out", cls.file(f"{name}.pem"), *arguments],
            check=True, capture_output=True)

    @classmethod
    def sign(cls, name, extension):
        cls.make(name)
        with open(cls.file(f"{name}.ext"), "w", encoding="ascii") as lines:
            lines.write(extension)
        subprocess.run(
            ["openssl", "x509", "-req", "-in", cls.file(f"{name}.pem"),
             "-CA", cls.file("ca.pem"), "-CAkey", cls.file("ca.key"),
             "-CAcreateserial", "-days", "2", "-out", cls.file(f"{name}.pem"),
             "-extfile", cls.file(f"{name}.ext")],
            check=True, capture_output=True)

    def start(self, **settings):
        server = RedisServer(settings={
            "tls-cert-file": self.file("server.pem"),
            "tls-key-file": self.file("server.key"),
            "tls-ca-cert-file": self.file("ca.pem"),
            "tls-auth-clients": "no", **settings})
        server.settings["tls-port"] = server.port
        server.settings["port"] = 0
        self.addCleanup(server.stop)
        server.start(wait=False)
        wait_until(lambda: "Ready to accept" in server.log(), 60, "it is up")
        return server

    def test_the_name_and_the_address_of_the_certificate(self):
        with self.start() as server:
            cases = [(f"127.0.0.1:{server.port}",),
                     (f"127.0.0.1:{server.port}", "-N", "redis.example")]
            if knows_localhost():
                cases.append((f"localhost:{server.port}",))
            for where, *more in cases:
                with self.subTest(where, more=more):
                    self.assert_healthy("-t", "-C", self.file("ca.pem"), "-T",
                                        *more, where)

    def test_under_load(self):
        with self.start() as server:
            self.assert_healthy("-t", "-C", self.file("ca.pem"), "-T",
                                server.where, pause_ms=5, seconds=2)

    def test_another_name(self):
        with self.start() as server:
            self.assert_never_up("hostname mismatch", "-t", "-C",
                                 self.file("ca.pem"), "-N", "other.example",
                                 server.where)

    def test_another_authority(self):
        with self.start() as server:
            self.assert_never_up("certificate", "-t", "-C",
                                 self.file("other.pem"), server.where)

    def test_a_file_that_is_not_there(self):
        with self.assertRaisesRegex(AssertionError,
                                    "missing.pem: No such file or directory"):
            Probe("-t", "-C", self.file("missing.pem"), "127.0.0.1:1").finish()

    def test_authorities_of_the_system(self):
        with self.start() as server:
            self.assert_never_up("certificate", "-t", server.where)

    def test_a_certificate_of_our_own(self):
        with self.start(**{"tls-auth-clients": "yes"}) as server:
            tls = ("-t", "-C", self.file("ca.pem"))
            self.assert_healthy(*tls, "-c", self.file("client.pem"), "-k",
                                self.file("client.key"), server.where)
            self.assert_never_up(
                "certificate required|reset|closed|Broken pipe", *tls,
                server.where)

    def test_a_server_without_tls(self):
        with start_single() as server:
            self.assert_never_up(".", "-t", "-C", self.file("ca.pem"),
                                 server.where)

    def test_no_tls_where_it_is_wanted(self):
        with self.start() as server:
            self.assert_never_up(".", server.where)

    def test_old_versions_are_refused(self):
        with self.start(**{"tls-protocols": '"TLSv1.1"',
                           "tls-ciphers": "ALL:@SECLEVEL=0"}) as server:
            self.assert_never_up("version|alert|eof", "-t", "-C",
                                 self.file("ca.pem"), server.where)

    def test_killed_and_restarted(self):
        with self.start() as server:
            saw = during(server.kill, lambda: server.start(wait=False), "-t",
                         "-C", self.file("ca.pem"), "-T", server.where)
            self.assert_healed(saw, ".", server.where)


if __name__ == "__main__":
    cases.main()
