"""Real Redis servers for tests: single, Sentinel set, Cluster.

All listen on loopback, on ports picked free, with their files in a private
temporary directory.  Use them as context managers, or call stop():

    with start_single() as server:
        server.client().ask("PING")

Servers are stopped by the process that was started, never by name.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from lib.pace import PATIENCE, pace
from lib.ports import free_port

AGAIN = 6  # seconds after which a node has given up what it was asked for
REDIS_SERVER = shutil.which("redis-server") or "/usr/bin/redis-server"


class RedisError(Exception):
    """An error reply; its text begins with Redis's own word."""


class RedisClient:
    """A small blocking client: ask("SET", "key", 1) returns the reply.

    Strings come as str (latin-1, so that every byte survives), integers as
    int, arrays as list, nil as None; an error reply raises RedisError.
    """

    def __init__(self, address, timeout=30.0):
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.lines.close()
        self.socket.close()

    def ask(self, *words):
        reply = self.pipeline([words])[0]
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def pipeline(self, commands):
        """All replies, in order; error replies are items, not raised."""
        self.socket.sendall(b"".join(encode(words) for words in commands))
        return [self.read() for _ in commands]

    def read(self):
        line = self.lines.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2].decode("latin-1")
        if kind == b"+":
            return rest
        if kind == b"-":
            return RedisError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            length = int(rest)
            if length < 0:
                return None
            return self.lines.read(length + 2)[:-2].decode("latin-1")
        if kind == b"*":
            count = int(rest)
            return None if count < 0 else [self.read() for _ in range(count)]
        raise ConnectionError(f"not a reply: {line!r}")


def encode(words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        if not isinstance(word, bytes):
            word = str(word).encode("latin-1")
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


def wait_until(holds, seconds, what):
    """Poll until holds() is true; ConnectionError and RedisError mean no."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except (OSError, RedisError):
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain until {what}")
        time.sleep(0.02)


class RedisServer:
    """One redis-server process.  `settings` are lines of redis.conf, as a dict
    (a list as value gives several lines)."""

    def __init__(self, directory=None, port=None, settings=None,
                 sentinel=False):
        self.own_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="redis-test-")
        self.host = (settings or {}).get("bind", "127.0.0.1")
        self.port = port or free_port(self.host)
        self.sentinel = sentinel
        self.process = None
        self.settings = {
            "port": self.port,
            "bind": self.host,
            "dir": self.directory,
            "save": '""',
            "appendonly": "no",
            "logfile": os.path.join(self.directory, f"{self.port}.log"),
            "unixsocket": None,
            "daemonize": "no",
        }
        if sentinel:
            for name in ("save", "appendonly", "unixsocket"):
                del self.settings[name]
        self.settings.update(settings or {})
        self.password = self.settings.get("requirepass")

    @property
    def where(self):
        """The address as the configuration of milter-defer takes it."""
        form = "[%s]:%d" if ":" in self.host else "%s:%d"
        return form % (self.host, self.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, wait=True):
        # A sentinel rewrites its file and must find its own words again.
        path = os.path.join(self.directory, f"{self.port}.conf")
        if not (self.sentinel and os.path.exists(path)):
            with open(path, "w", encoding="ascii") as conf:
                for name, value in self.settings.items():
                    for line in value if isinstance(value, list) else [value]:
                        if line is not None:
                            conf.write(f"{name} {line}\n")
        command = [REDIS_SERVER, path]
        if self.sentinel:
            command.append("--sentinel")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if wait:
            wait_until(self.answers, PATIENCE, f"redis {self.where} answers")
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"redis-server ended: {self.log()[-2000:]}")
        with self.client() as client:
            return client.ask("PING") == "PONG"

    def client(self, timeout=30.0):
        """A new connection, logged in with requirepass if there is one."""
        client = RedisClient((self.host, self.port), timeout)
        if self.password:
            client.ask("AUTH", self.password)
        return client

    def ask(self, *words):
        with self.client() as client:
            return client.ask(*words)

    def log(self):
        try:
            with open(self.settings["logfile"], encoding="latin-1") as lines:
                return lines.read()
        except FileNotFoundError:
            return ""

    def kill(self):
        """kill -9; start() starts it again on the same port."""
        self._signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def freeze(self):
        self._signal(signal.SIGSTOP)

    def thaw(self):
        self._signal(signal.SIGCONT)

    def _signal(self, number):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def stop(self):
        if self.process is not None:
            self.kill()
        if self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)


class ServerSet:
    """Several servers which share a temporary directory."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="redis-test-")
        self.servers = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def add(self, **arguments):
        """Start one more server of the set."""
        port = free_port()
        directory = os.path.join(self.directory, str(port))
        os.mkdir(directory)
        server = RedisServer(directory, port, **arguments)
        self.servers.append(server)
        return server.start()

    def stop(self):
        for server in self.servers:
            server.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def start_single(**settings):
    """One started server.  Settings with underscores instead of hyphens:
    start_single(requirepass="secret", maxmemory="2mb")."""
    server = RedisServer(settings={
        name.replace("_", "-"): value for name, value in settings.items()})
    try:
        return server.start()
    except BaseException:
        server.stop()
        raise


class SentinelSet(ServerSet):
    """One master, its replicas, and sentinels that watch them."""

    master_name = "mymaster"

    def __init__(self, replicas=2, sentinels=3, down_after_ms=1000,
                 sentinel_password=None):
        super().__init__()
        self.sentinel_settings = {"sentinel": [
            f"down-after-milliseconds {self.master_name} "
            f"{int(down_after_ms * pace())}",
            f"failover-timeout {self.master_name} {int(5000 * pace())}"]}
        if sentinel_password:
            self.sentinel_settings["requirepass"] = sentinel_password
            self.sentinel_settings["sentinel"].append(
                f"sentinel-pass {sentinel_password}")
        try:
            self._build(replicas, sentinels)
        except BaseException:
            self.stop()
            raise

    def _build(self, replicas, sentinels):
        first = self.add(settings={"repl-diskless-sync-delay": 0})
        self.data = [first]
        for _ in range(replicas):
            self.data.append(self.add(settings={
                "replicaof": f"127.0.0.1 {first.port}",
                "repl-diskless-sync-delay": 0}))
        self.sentinel_settings["sentinel"].insert(
            0, f"monitor {self.master_name} 127.0.0.1 {first.port} "
            f"{sentinels // 2 + 1}")
        self.sentinels = [
            self.add(sentinel=True, settings=self.sentinel_settings)
            for _ in range(sentinels)]
        wait_until(lambda: all(self._knows_all(sentinel, replicas, sentinels)
                               for sentinel in self.sentinels),
                   PATIENCE, "all sentinels know each other and the replicas")

    def _knows_all(self, sentinel, replicas, sentinels):
        reply = sentinel.ask("SENTINEL", "MASTER", self.master_name)
        facts = dict(zip(reply[::2], reply[1::2]))
        return (int(facts["num-slaves"]) == replicas
                and int(facts["num-other-sentinels"]) == sentinels - 1)

    @property
    def addresses(self):
        return [sentinel.where for sentinel in self.sentinels]

    def master(self):
        """The server that most sentinels call the master."""
        ports = [int(sentinel.ask("SENTINEL", "get-master-addr-by-name",
                                  self.master_name)[1])
                 for sentinel in self.sentinels]
        port = max(ports, key=ports.count)
        return next(server for server in self.data if server.port == port)

    def failover(self):
        """A planned change of the master, once they think it possible."""
        wait_until(lambda: self.sentinels[0].ask(
            "SENTINEL", "FAILOVER", self.master_name) == "OK",
            PATIENCE, "a sentinel begins a failover")


class RedisCluster(ServerSet):
    """Masters with one replica each, all slots served."""

    def __init__(self, masters=3, replicas=1, node_timeout_ms=1000,
                 settings=None):
        super().__init__()
        self.settings = {
            "cluster-enabled": "yes",
            "cluster-node-timeout": int(node_timeout_ms * pace()),
            "cluster-require-full-coverage": "no",
            "cluster-replica-validity-factor": 0,
            "repl-diskless-sync-delay": 0,
        }
        self.settings.update(settings or {})
        try:
            self._build(masters, replicas)
        except BaseException:
            self.stop()
            raise

    def _build(self, masters, replicas):
        count = masters * (1 + replicas)
        self.nodes = [self.add(settings=self.settings)
                      for _ in range(count)]
        for i, node in enumerate(self.nodes):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
            if i:
                node.ask("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        for i, node in enumerate(self.nodes[:masters]):
            node.ask("CLUSTER", "ADDSLOTSRANGE", 16384 * i // masters,
                     16384 * (i + 1) // masters - 1)
        wait_until(lambda: all(self._known_nodes(node) == count
                               for node in self.nodes), PATIENCE, "all nodes met")
        for i, node in enumerate(self.nodes[masters:]):
            master = self.nodes[i % masters]
            node.ask("CLUSTER", "REPLICATE", master.ask("CLUSTER", "MYID"))
        wait_until(lambda: all(self.is_settled(node) for node in self.nodes),
                   PATIENCE, "the cluster is settled")

    @staticmethod
    def _known_nodes(node):
        return len(node.ask("CLUSTER", "NODES").splitlines())

    def is_settled(self, node):
        """This node sees all slots served, each with its replicas."""
        info = node.ask("CLUSTER", "INFO")
        if "cluster_state:ok" not in info:
            return False
        slots = node.ask("CLUSTER", "SLOTS")
        if sum(last - first + 1 for first, last, *_ in slots) != 16384:
            return False
        if node.ask("INFO", "replication").find("role:slave") >= 0:
            return "master_link_status:up" in node.ask("INFO", "replication")
        return True

    @property
    def addresses(self):
        return [node.where for node in self.nodes]

    def node_at(self, port):
        return next(node for node in self.nodes if node.port == port)

    def move_slots(self, slots, source, target, pause=0.0):
        """Move these slots under load.  They stay half moved for `pause`
        seconds, with all keys at the target and the slot still the source's:
        then clients are told to ASK."""
        ids = {node: node.ask("CLUSTER", "MYID") for node in (source, target)}
        for slot in slots:
            target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
            source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
            self._migrate_keys(slot, source, target)
        time.sleep(pause * pace())
        for slot in slots:
            self._migrate_keys(slot, source, target)
            for node in (target, source):
                node.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[target])

    @staticmethod
    def _migrate_keys(slot, source, target):
        keys = source.ask("CLUSTER", "GETKEYSINSLOT", slot, 1000)
        if keys:
            source.ask("MIGRATE", target.host, target.port, "", 0, 5000,
                       "KEYS", *keys)

    def fail_over(self, replica):
        """A planned change: this one becomes a master.  A busy node may give up,
        and is asked again."""
        asked = -AGAIN

        def has_become_one():
            nonlocal asked
            if replica.ask("ROLE")[0] == "master":
                return True
            if time.monotonic() >= asked + AGAIN:
                asked = time.monotonic()
                replica.ask("CLUSTER", "FAILOVER")
            return False

        wait_until(has_become_one, PATIENCE, f"{replica.where} is a master")

    def masters(self):
        """The nodes that are masters now."""
        return [node for node in self.nodes if node.process.poll() is None
                and node.ask("ROLE")[0] == "master"]

    def master_of(self, key):
        """The node that now serves this key, as the live nodes see it."""
        for node in self.nodes:
            if node.process.poll() is None:
                slot = node.ask("CLUSTER", "KEYSLOT", key)
                for first, last, master, *_ in node.ask("CLUSTER", "SLOTS"):
                    if first <= slot <= last:
                        return self.node_at(master[1])
        raise LookupError(f"nobody serves {key}")


def start_sentinel_set(**arguments):
    return SentinelSet(**arguments)


def start_cluster(**arguments):
    return RedisCluster(**arguments)
