"""From the reply that a mail server got to the page in a browser, and back.

A real Postfix, a real SMTP client, a real browser.  With $PICTURES, pictures of
the pages are left in that directory.
"""

import os
import re

from lib import browser, farm, mta_case
from lib.browser import DESKTOP, PHONE, Browser
from lib.daemon import wait_for
from lib.mta import Postfix
from lib.mta_case import ALICE, BOB, CLIENT
from lib.policies import OWN_NETWORKS, response
from lib.ports import free_port
from lib.web import Pages, hashed

LINKED = response("greylisted", "451 4.7.1 Not yet, see %{link}")
STRANGERS = ('rule "strangers" { verdict = greylist  delay = 1h  at = data  '
             'response = "greylisted" }\n')
PICTURES = os.environ.get("PICTURES")


class Journey(mta_case.MtaTest):
    kind = Postfix

    @classmethod
    def setUpClass(cls):
        browser.needed()
        super().setUpClass()
        cls.seen = Browser()
        cls.addClassCleanup(cls.seen.__exit__)
        cls.seen.__enter__()

    def pages(self, web=""):
        port = free_port()
        pages = Pages(
            f'link = "http://127.0.0.1:{port}/%{{reference}}"\n'
            + LINKED + OWN_NETWORKS + STRANGERS, web + "lookups = 1000\n",
            where=self.where, port=port)
        farm.put(pages, "users", f"anna:{hashed('open sesame')}:change")
        return pages

    def refused(self, pages, **message):
        """The link in the reply to a message, once the journal has it."""
        reply = self.deliver(**message)
        self.assertEqual(reply.code, 451)
        link = re.search(r"http\S+", reply).group()
        path = link[link.rindex("/"):]
        wait_for(lambda: pages.get(path).status == 200, "the journal has it")
        return link

    def look(self, seen, name):
        """Nothing serious is wrong with the page that is shown."""
        self.assertFalse(seen.is_too_wide())
        self.assertEqual(seen.complaints(), [])
        if PICTURES:
            seen.picture(os.path.join(PICTURES, name + ".png"))

    def test_the_page_behind_the_link(self):
        with self.pages() as pages:
            link = self.refused(pages)
            seen = self.seen
            for language, width, words in (
                    ("en", DESKTOP, "Nothing is lost"),
                    ("de", PHONE, "Nichts ist verloren")):
                seen.become(language, width)
                seen.go(link)
                self.assertIn(words, seen.find(".lead").text)
                self.look(seen, f"page-{language}-{width}")
                self.assertIn(link.rpartition("/")[2],
                              seen.find("dl.facts").text)
                seen.follow("footer a")
                self.assertEqual(
                    seen.run("return document.documentElement.lang"),
                    {"en": "de", "de": "en"}[language])
            seen.become(dark=True)
            seen.go(link)
            self.look(seen, "page-dark")
            seen.go(pages.url("/0123456789ABCDEF"))
            self.look(seen, "page-unknown")

    def test_release_retry_250_and_never_twice(self):
        with self.pages("release = true\n") as pages:
            link = self.refused(pages)
            seen = self.seen
            seen.become()
            seen.go(link)
            self.look(seen, "release")
            token = seen.find("[name=token]").attribute("value")
            seen.follow("form button")
            self.assertIn("Done", seen.find(".note.good").text)
            self.assertEqual(seen.find(".pill").text, "May come now")
            self.look(seen, "released")
            self.assertEqual(pages.post("/release", {
                "reference": link.rpartition("/")[2],
                "token": token}).status, 409)
            self.assertEqual(self.deliver().code, 250)
            wait_for(lambda: seen.go(link)
                     or "has arrived" in seen.find("h1").text,
                     "it has arrived")
            self.look(seen, "arrived")

    def test_the_dashboard(self):
        with self.pages('users_file = "@DIR@/users"\n') as pages:
            self.refused(pages)
            self.refused(pages, sender="carol@sender.example")
            seen = self.seen
            seen.become()
            self.log_in(seen, pages)
            self.see_deferrals(seen)
            self.see_client(seen)
            seen.become(width=PHONE, dark=True)
            seen.go(pages.url("/dashboard"))
            self.look(seen, "dashboard-phone-dark")
            seen.follow("header button")
            seen.go(pages.url("/dashboard"))
            self.assertTrue(seen.url.endswith("/login"))

    def log_in(self, seen, pages):
        seen.go(pages.url("/dashboard"))
        self.assertTrue(seen.url.endswith("/login"))
        self.look(seen, "login")
        for password, end in ("wrong", "/login"), ("open sesame", "/dashboard"):
            seen.find("#name").type("anna")
            seen.find("#password").type(password)
            seen.follow("form button")
            self.assertTrue(seen.url.endswith(end))
        self.assertEqual(len(seen.find_all("svg")), 3)
        self.look(seen, "dashboard")

    def see_deferrals(self, seen):
        seen.follow("header a[href=deferrals]")
        self.assertEqual(len(seen.find_all("tbody tr")), 2)
        seen.find("#sender").type(ALICE)
        seen.find("#recipient").type(BOB)
        seen.follow("form.card button")
        self.assertIn("sender=", seen.url)
        self.assertEqual(len(seen.find_all("tbody tr")), 1)
        self.assertNotIn("@", seen.find("main").text)
        self.look(seen, "deferrals")

    def see_client(self, seen):
        seen.follow("tbody a[href^=client]")
        self.assertIn(CLIENT, seen.find("h1").text)
        self.look(seen, "client")


if __name__ == "__main__":
    mta_case.main()
