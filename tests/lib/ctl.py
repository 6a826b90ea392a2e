"""Runs milter-deferctl for a test.

    with Daemon(policy) as milter:
        ctl = Ctl(milter)
        status, objects = ctl.ask("show", "198.51.100.1")
        text = ctl.say("status")
"""

import json
import os
import shutil
import subprocess

from lib import daemon, farm
from lib.redis_servers import start_single


def binary():
    """The milter-deferctl to test: $MILTER_DEFERCTL, or the one just built."""
    return (os.environ.get("MILTER_DEFERCTL")
            or os.path.join(os.path.dirname(daemon.binary()),
                            "milter-deferctl"))


class BothStores:
    """Of a case that looks at a daemon with its POLICY by look(milter)."""

    def test_embedded(self):
        with daemon.Daemon(self.POLICY) as milter:
            self.look(milter)

    def test_redis(self):
        if not shutil.which("redis-server"):
            self.skipTest("no redis-server here")
        redis = start_single()
        self.addCleanup(redis.stop)
        with farm.daemon(farm.redis(redis.where), self.POLICY) as milter:
            daemon.wait_for(lambda: redis.ask("EXISTS", "mdefer:1:load"),
                            "the daemon has found Redis")
            self.look(milter)


class Ctl:
    """The tool with the configuration of a daemon, or with that file; None:
    without any."""

    def __init__(self, config):
        config = getattr(config, "config", config)
        self.head = [binary(), *(["-c", config] if config else [])]

    def run(self, *words, stdin=None, timeout=daemon.PATIENCE, env=None):
        """To its end: (status, standard output, standard error)."""
        done = subprocess.run([*self.head, *map(str, words)], input=stdin,
                              **({} if stdin is not None
                                 else {"stdin": subprocess.DEVNULL}),
                              capture_output=True, text=True, timeout=timeout,
                              env={**os.environ, **(env or {})})
        return done.returncode, done.stdout, done.stderr

    def ask(self, *words, stdin=None):
        """(status, the objects that it emits)."""
        status, out, err = self.run("--json", *words, stdin=stdin)
        if err:
            raise AssertionError(f"{words}: {err}")
        return status, [json.loads(line) for line in out.splitlines()]

    def objects(self, kind, *words, stdin=None):
        """Those of one kind; the command has to do what it was asked for."""
        status, objects = self.ask(*words, stdin=stdin)
        if status not in (0, 1):
            raise AssertionError(f"{words}: {objects}")
        return [one for one in objects if one["kind"] == kind]

    def say(self, *words, stdin=None):
        """What people read; it has to be done, and nothing to complain of."""
        status, out, err = self.run(*words, stdin=stdin)
        if status != 0 or err:
            raise AssertionError(f"{words}: status {status}: {out}{err}")
        return out

    def start(self, *words):
        """Running, its output a pipe of lines; the caller ends it."""
        return subprocess.Popen([*self.head, *map(str, words)],
                                stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, text=True)
