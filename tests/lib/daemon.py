"""Runs milter-defer for a test, each in a directory of its own.

A configuration may say @DIR@ (that directory) and @SOCKET@ (its milter
socket).  What the daemon logs goes to a file there.  A warning or error that
the test did not announce fails it: `stop` looks for them.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from lib import milterclient
from lib.pace import PATIENCE

HEAD = '''\
socket = "@SOCKET@"
user = ""
pid_file = ""
control = "@DIR@/control.sock"
log = stderr
'''

BAD_NEWS = re.compile(r"warn|error|panic|fatal|critical|alert|sanitizer|leak",
                      re.IGNORECASE)
# Who is started in another way keeps nothing, and not in the place of a real one.
os.environ["STATE_DIRECTORY"] = "/nonexistent"


class Daemon:
    """One running milter-defer; use in `with`, or start() and stop().

    `policy` is the configuration without the lines of HEAD; `where` is the
    milter socket (default: a unix socket in the directory).
    """

    def __init__(self, policy, where=None, head=HEAD):
        self.directory = tempfile.mkdtemp(prefix="milter-defer-test.")
        os.chmod(self.directory, 0o755)  # mail servers have to reach the socket
        self.where = where or f"unix:{self.directory}/milter.sock"
        self.head = head
        self.config = os.path.join(self.directory, "milter-defer.conf")
        self.log_file = os.path.join(self.directory, "log")
        self.program = binary()
        self.options = ["-f"]
        self.process = None
        self.expected = []
        self.prefix = []  # of the command that starts it
        self.environment = {}  # besides our own
        self.configure(policy)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.kill()
            self.remove()
            raise

    def __exit__(self, failure, *_):
        if failure:
            self.kill()
            sys.stderr.write("".join(f"{line}\n" for line in self.log()))
        else:
            self.stop()
        self.remove()

    def configure(self, policy):
        """Write the configuration file; a running daemon needs `reload`."""
        text = (self.head + policy).replace("@SOCKET@", self.where)
        with open(self.config, "w") as file:
            file.write(text.replace("@DIR@", self.directory))

    def start(self):
        """Start, and wait until the milter socket accepts connections, and the
        control socket of HEAD is there, which comes a moment later."""
        with open(self.log_file, "a") as log:
            self.process = subprocess.Popen(
                [*self.prefix, self.program, *self.options, "-c",
                 self.config],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.variables())
        wait_for(self._answers, "the milter socket opens", self.log)
        return self

    def variables(self):
        """Its whole environment: what it keeps stands in its directory."""
        return {**os.environ, "STATE_DIRECTORY": self.directory,
                **self.environment}

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(
                f"milter-defer ended with status {self.process.returncode}:\n"
                + "\n".join(self.log()))
        try:
            milterclient.connect(self.where).close()
        except OSError:
            return False
        return self.head != HEAD or os.path.exists(
            os.path.join(self.directory, "control.sock"))

    def client(self, **options):
        """A milter connection to it."""
        return milterclient.MilterClient(self.where, **options)

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self, policy, logs):
        """Put `policy` in place, SIGHUP, and wait until it `logs` a line."""
        seen = len(self.log())
        self.configure(policy)
        self.signal(signal.SIGHUP)
        return self.wait_log(logs, seen)

    def end_in_time(self, within=2.0):
        """SIGTERM; it has to end with status 0 within so many seconds, more where
        the machine is busy: how many it took.  Its log is for stop() to judge."""
        busy = reference()
        began = time.monotonic()
        status = self._end()
        took = time.monotonic() - began
        busy = max(busy, reference())
        if status != 0:
            raise AssertionError(f"milter-defer ended with status {status}:\n"
                                 + "\n".join(self.log()[-20:]))
        if took > within + 10 * busy:
            raise AssertionError(f"milter-defer ends after {took:.2f} s, where a "
                                 f"process is started in {busy:.3f} s")
        return took

    def _end(self):
        """Its status after SIGTERM."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("milter-defer does not end at SIGTERM")

    def stop(self):
        """SIGTERM; it must end, with status 0 and no bad news in its log."""
        status = self._end()
        bad = self.unexpected()
        if bad or status != 0:
            raise AssertionError(f"milter-defer ended with status {status}:\n"
                                 + "\n".join(bad or self.log()[-50:]))

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self):
        """All lines so far.  A thread lets them gather for 10 ms and writes them:
        what was said before a client had its answer is there once no thread has
        anything to do after that."""
        deadline = time.monotonic() + 1  # it may serve others without end
        if self._runs() is not None:
            time.sleep(0.02)
        while self._runs() and time.monotonic() < deadline:
            time.sleep(0.003)
        return self._written()

    def _written(self):
        with open(self.log_file, errors="replace") as file:
            return file.read().splitlines()

    def _runs(self):
        """Does any of its threads want a CPU?  None: it has ended."""
        if not self.process or self.process.poll() is not None:
            return None
        tasks = f"/proc/{self.process.pid}/task"
        try:
            return any(state_of(os.path.join(tasks, task)) == "R"
                       for task in os.listdir(tasks))
        except OSError:
            return True  # a thread has ended meanwhile: look again

    def wait_log(self, pattern, start=0):
        """Wait for a line that matches, from line number `start` on, and until
        what was said with it is there, too."""
        def find():
            for line in self._written()[start:]:
                if re.search(pattern, line):
                    return line
            return None
        line = wait_for(find, f"the log says {pattern!r}", self.log)
        self.log()
        return line

    def decisions(self):
        """The decision lines as dictionaries of their key=value fields."""
        return [fields(line) for line in self.log() if "verdict=" in line]

    def expect(self, pattern):
        """Announce log lines that would otherwise fail the test."""
        self.expected.append(re.compile(pattern))

    def unexpected(self):
        return [line for line in self.log()
                if "verdict=" not in line and BAD_NEWS.search(line)
                and "without end, until it is lost" not in line
                and not any(known.search(line) for known in self.expected)]

    def descriptors(self):
        """How many file descriptors it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def state_of(task):
    """The letter that ps shows of a thread: R for one that runs or could."""
    with open(os.path.join(task, "stat")) as file:
        return file.read().rpartition(")")[2].split()[0]


def fields(line):
    """`... verdict=defer rule="a b" wait=5` -> {"verdict": "defer", ...}"""
    words = shlex.split(line[line.index("verdict="):])
    return dict(word.split("=", 1) for word in words if "=" in word)


def binary():
    """The milter-defer to test: $MILTER_DEFER, or the one just built here."""
    return os.environ.get("MILTER_DEFER") or os.path.abspath("milter-defer")


def reference():
    """The seconds that starting a process takes at this moment: a measure of how
    busy the machine is."""
    began = time.monotonic()
    subprocess.run([binary(), "-V"], stdout=subprocess.DEVNULL, check=True,
                   timeout=PATIENCE)
    return time.monotonic() - began


def run(*arguments, state=None):
    """Run milter-defer to its end: (status, stdout, stderr).  Its state belongs in
    the directory `state`, or a new one."""
    with tempfile.TemporaryDirectory(prefix="milter-defer-test.") as private:
        done = subprocess.run(
            [binary(), *arguments], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE,
            env={**os.environ, "STATE_DIRECTORY": state or private})
    return done.returncode, done.stdout, done.stderr


def wait_for(ready, what, log=lambda: [], patience=PATIENCE):
    """Ask until `ready()` is true; its value.  Polling is only the means."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        answer = ready()
        if answer:
            return answer
        time.sleep(0.01)
    raise AssertionError(f"in vain: {what}\n" + "\n".join(log()))
