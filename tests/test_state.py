"""What the embedded store remembers survives a restart, a kill and a file that
cannot be read, in the configuration that is shipped as in any other."""

import os
import time
import unittest

from lib import cases, daemon
from lib.daemon import Daemon, wait_for
from test_trust import become_known, send, strangers

CLIENT = "198.51.100.7"


class Restart(unittest.TestCase):
    def setUp(self):
        self.milter = Daemon(strangers())
        self.addCleanup(self.milter.remove)
        self.addCleanup(self.milter.kill)

    @property
    def file(self):
        return os.path.join(self.milter.directory, "state")

    def put(self, text):
        with open(self.file, "wb") as file:
            file.write(text)

    def test_a_known_client_is_known_after_a_restart(self):
        with self.milter:
            become_known(self.milter, CLIENT)
            self.milter.stop()
            self.milter.start()
            self.milter.wait_log("read [0-9]+ records from " + self.file)
            self.assertTrue(send(self.milter, CLIENT, "<new@other.example>"))

    def test_what_was_saved_survives_a_kill(self):
        self.milter.configure("store { save_every = 1s }\n" + strangers())
        with self.milter:
            become_known(self.milter, CLIENT)
            known = time.time()
            wait_for(lambda: os.path.exists(self.file)
                     and os.stat(self.file).st_mtime > known + 1, "a save")
            self.milter.kill()
            self.milter.start()
            self.assertTrue(send(self.milter, CLIENT, "<new@other.example>"))

    def test_a_later_version_is_told_and_kept(self):
        later = b"milter-defer records 9\nwhatever\0"
        self.put(later)
        self.milter.expect("later milter-defer")
        with self.milter:
            self.milter.wait_log(
                r"warning: .*/state: was written by a later milter-defer "
                r"\(records 9, .*the file is now .*/state\.refused")
            self.milter.stop()
            with open(self.file + ".refused", "rb") as file:
                self.assertEqual(file.read(), later)
            self.milter.start()

    def test_a_second_one_leaves_the_first_its_file(self):
        with self.milter:
            become_known(self.milter, CLIENT)
            second = Daemon(strangers())
            second.environment = {"STATE_DIRECTORY": self.milter.directory}
            second.expect("another process")
            with second:
                second.wait_log(
                    rf"warning: .*another process \({self.milter.process.pid}\)")
            self.milter.stop()
            self.milter.start()
            self.assertTrue(send(self.milter, CLIENT, "<new@other.example>"))


class Told(unittest.TestCase):
    """Where it would be forgotten, that is said."""

    LOST = r"(?m)^warning: store\.file .*lost at each restart$"

    def setUp(self):
        self.milter = Daemon(strangers())
        self.addCleanup(self.milter.remove)
        self.addCleanup(self.milter.kill)

    def test_by_a_test_and_by_a_start(self):
        self.milter.environment = {"STATE_DIRECTORY": "/nonexistent/state"}
        self.milter.expect("lost at each restart")
        self.milter.expect("cannot save records")
        with self.milter:
            self.assertRegex("\n".join(self.milter.log()), self.LOST)
            self.assertFalse(send(self.milter, CLIENT))
            status, _, err = daemon.run("-t", "-c", self.milter.config,
                                        state="/nonexistent/state")
        self.assertEqual(status, 0)
        self.assertRegex(err, self.LOST)
        self.assertEqual(len(err.splitlines()), 1)

    def test_not_where_all_is_well(self):
        with self.milter:
            self.assertNotIn("lost", "\n".join(self.milter.log()))
            status, _, err = daemon.run("-t", "-c", self.milter.config)
        self.assertEqual((status, err), (0, ""))

    def test_not_with_redis(self):
        self.milter.configure(
            'redis { servers = {"127.0.0.1:1"} }\n' + strangers())
        status, _, err = daemon.run("-t", "-c", self.milter.config)
        self.assertEqual((status, err), (0, ""))


if __name__ == "__main__":
    cases.main()
