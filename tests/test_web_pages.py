"""What the pages say: to senders, to users, and to Prometheus."""

import collections
import json
import os
import re
import shutil
import subprocess
import time
import unittest

from lib import cases, farm
from lib.daemon import run, wait_for
from lib.policies import greylisting, response
from lib.redis_servers import start_single
from lib.web import Pages, hashed

ALICE, BOB = "<alice@sender.example>", "<bob@local.test>"
MANY = "lookups = 100000\n"
RELEASE = "release = true\n" + MANY
SECRET = "0123456789abcdef0123"
NOBODY = "0000000000000000"
EXPECTED = 'rule "expected" { listed = "expected"  at = data  verdict = accept }\n'


def before_strangers(rule):
    return greylisting().replace('rule "strangers"', rule + 'rule "strangers"')


def mail(pages, sender=ALICE, recipient=BOB, **begin):
    with pages.client() as client:
        return client.begin(**begin).message(sender, [recipient])


def reference(pages):
    """Of the last deferral, once the journal has it."""
    found = [line["reference"] for line in pages.decisions()
             if line["verdict"] == "defer"][-1]
    wait_for(lambda: pages.get("/" + found).status == 200,
             "the journal has it", pages.log)
    return found


def processor_time(pages):
    """Seconds that the daemon has used so far."""
    with open(f"/proc/{pages.process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def hidden(text):
    """{name: value} of the hidden fields."""
    return dict(re.findall(
        r'type="hidden" name="(\w+)" value="([^"]*)"', text))


class Reason(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pages = Pages(
            greylisting() + response("own", "451 Not you, not now.")
            + 'rule "eom" { sender = "late@*"  at = eom  verdict = defer  '
            'response = "own" }\n', 'lookups = 100000\n'
            'contact = "Telephone <123>"\ntexts = "@DIR@"\n')
        cls.addClassCleanup(cls.pages.__exit__, None)
        cls.pages.__enter__()
        mail(cls.pages)
        cls.reference = reference(cls.pages)

    def test_it_says_so_in_two_languages(self):
        for accepted, lang, words in (
                ("en", "en", "Nothing is lost"),
                ("de-AT,en;q=0.8", "de", "Nichts ist verloren"),
                ("fr, de;q=0.3, en;q=0.2", "de", "Wer ist am Zug"),
                ("fr", "en", "Whose turn"),
                ("de;q=0, en;q=0.1", "en", "Whose turn"),
                ("dexter", "en", "Whose turn"), (";;;,,q=", "en", "Whose")):
            with self.subTest(accepted):
                text = self.pages.get("/" + self.reference,
                                      Accept_Language=accepted).text
                self.assertIn(f'<html lang="{lang}">', text)
                self.assertIn(words, text)
        self.assertIn("Wer ist am Zug",
                      self.pages.get(f"/{self.reference}?lang=de").text)

    def test_it_shows_no_address_of_mail(self):
        text = self.pages.get("/" + self.reference).text
        self.assertNotIn("@", text)
        self.assertNotIn("/24", text)
        self.assertIn("198.51.100.1", text)  # the visitor's own server
        self.assertIn(self.reference, text)
        self.assertIn("Telephone &lt;123&gt;", text)

    def test_json(self):
        answer = self.pages.get("/" + self.reference,
                                Accept="application/json")
        self.assertEqual(answer.headers["content-type"], "application/json")
        found = json.loads(answer.text)
        self.assertEqual(found["cause"], "greylisted")
        self.assertEqual(found["state"], "waits")
        self.assertEqual(found["rule"], "strangers")
        self.assertEqual(len(found["attempts"]), 1)
        self.assertEqual(found["until"], found["at"] + 3600)

    def test_as_people_write_it(self):
        small = self.reference.lower()
        for written in small, f"{small[:4]}-{small[4:]}":
            self.assertEqual(self.pages.get("/" + written).status, 200)

    def test_what_is_unknown_looks_like_what_is_none(self):
        answers = {self.pages.get("/" + path)[::2] for path in (
            NOBODY, "ZZZZZZZZZZZZZZZZ", "x", "%3Cscript%3E",
            self.reference[::-1], self.reference + "0", "a/b/c", "..%2F.."
            "%2Fetc%2Fpasswd", "%00", "x" * 1000)}
        self.assertEqual(len(answers), 1)
        self.assertEqual(answers.pop()[0], 404)

    def test_own_words(self):
        path = os.path.join(self.pages.directory, "greylisted.de")
        with open(path, "w", encoding="utf-8") as file:
            file.write("Grüße & <b>Geduld</b>.\n\nSie sind dran.\n")
        try:
            text = self.pages.get(f"/{self.reference}?lang=de").text
            self.assertIn("Grüße &amp; &lt;b&gt;Geduld&lt;/b&gt;.", text)
            self.assertIn("Sie sind dran.", text)
            self.assertIn("RFC 5321", text)  # the third part is as shipped
        finally:
            os.unlink(path)

    def test_own_words_of_any_editor(self):
        for octets, wanted in (
                (b"\xef\xbb\xbfEins.\r\n\r\nZwei.\r\n \r\nDrei.\r\n",
                 ("Eins.", "Zwei.", "Drei.")),
                ("Grüße.\n\n".encode("latin-1") + b"\xed\xa0\x80\xc0\x80.",
                 ("Gr??e.", "?????.", None)),
                ("€".encode() * 2000, ("€" * 341, None, None))):
            path = os.path.join(self.pages.directory, "greylisted.de")
            with open(path, "wb") as file:
                file.write(octets)
            try:
                said = json.loads(self.pages.get(
                    f"/{self.reference}?lang=de",
                    Accept="application/json").text)
            finally:
                os.unlink(path)
            for name, text in zip(("happened", "turn", "help"), wanted):
                if text:
                    self.assertEqual(said[name], text)

    def test_the_story_ends_with_the_pass(self):
        with Pages(greylisting("1s"), "lookups = 100000") as pages:
            mail(pages)
            found = reference(pages)
            time.sleep(1.2)
            self.assertTrue(mail(pages).accepted)
            wait_for(lambda: "has arrived" in pages.get("/" + found).text,
                     "it has passed", pages.log)
            story = json.loads(pages.get(
                "/" + found, Accept="application/json").text)
            self.assertEqual([one["kind"] for one in story["attempts"]],
                             ["defer", "pass"])

    def test_who_is_not_to_know_how_long_does_not(self):
        with Pages("hide_wait_below = 100\n" + greylisting(),
                   RELEASE) as pages:
            mail(pages)
            found = reference(pages)
            page = pages.get("/" + found).text
            self.assertIn("After some time.", page)
            self.assertEqual(page.count("<time"), 1)  # of the attempt
            self.assertEqual(hidden(page), {})
            self.assertNotIn("until", json.loads(pages.get(
                "/" + found, Accept="application/json").text))

    def test_look_ups_are_limited_for_each_visitor(self):
        with Pages(greylisting(), 'lookups = 5\n'
                   'proxies = {"127.0.0.9"}') as pages:
            def ask(source, **more):
                return pages.get("/" + NOBODY, source=source, **more).status
            self.assertEqual([ask("127.0.0.2") for _ in range(7)],
                             [404] * 5 + [429] * 2)
            self.assertEqual(ask("127.0.0.3"), 404)
            for _ in range(5):  # who claims to be another is not believed
                ask("127.0.0.4", X_Forwarded_For="192.0.2.1")
            self.assertEqual(
                ask("127.0.0.4", X_Forwarded_For="192.0.2.2"), 429)
            for number in range(7):  # one /64 behind the proxy
                status = ask("127.0.0.9", X_Forwarded_For="192.0.2.1, "
                             f"2001:db8::{number}")
            self.assertEqual(status, 429)
            self.assertEqual(
                ask("127.0.0.9", X_Forwarded_For="2001:db8:0:1::1"), 404)


class Release(unittest.TestCase):
    def test_once_and_for_its_sender_alone(self):
        with Pages(greylisting(), RELEASE) as pages:
            mail(pages)
            found = reference(pages)
            form = hidden(pages.get("/" + found).text)
            with self.subTest("a token of another message"):
                mail(pages, "<carol@sender.example>")
                other = hidden(pages.get("/" + reference(pages)).text)
                wrong = {**form, "token": other["token"]}
                self.assertEqual(pages.post("/release", wrong).status, 409)
            self.assertFalse(mail(pages).accepted)
            self.assertEqual(pages.post("/release", form).status, 200)
            self.assertIn(f"released reference={found}",
                          "\n".join(pages.log()))
            with self.subTest("used twice"):
                self.assertEqual(pages.post("/release", form).status, 409)
            self.assertTrue(mail(pages).accepted)
            with self.subTest("used after it has passed"):
                self.assertEqual(pages.post("/release", form).status, 409)
            self.assertFalse(mail(pages, "<carol@sender.example>").accepted)
            self.assertIn("web_released_total 1", pages.get("/metrics").text)

    def test_by_whatever_a_client_is_known(self):
        for identity in "pool", "network", "address":
            with self.subTest(identity), Pages(
                    f"identity = {identity}\n" + greylisting(),
                    RELEASE) as pages:
                client = {"name": "mx.example.org", "helo": "mx.example.org"}
                mail(pages, **client)
                form = hidden(pages.get("/" + reference(pages)).text)
                self.assertEqual(pages.post("/release", form).status, 200)
                if identity == "network":
                    client["address"] = "198.51.100.2"
                self.assertTrue(mail(pages, **client).accepted)

    def test_never_past_limits_and_lists(self):
        policy = response("busy", "451 Busy.") + before_strangers(
            'rule "all" { messages_above = 1  within = 1h  at = data  '
            'verdict = defer  response = "busy" }\n')
        with Pages(policy, RELEASE) as pages:
            mail(pages)
            form = hidden(pages.get("/" + reference(pages)).text)
            pages.post("/release", form)
            self.assertTrue(mail(pages).accepted)
            self.assertEqual(mail(pages).text, "451 Busy.")
            found = reference(pages)
            page = pages.get("/" + found).text
            self.assertNotIn("release", page)
            self.assertEqual(pages.post("/release", {
                **form, "reference": found}).status, 409)

    def test_it_is_off_by_default(self):
        with Pages(greylisting(), MANY) as pages:
            mail(pages)
            found = reference(pages)
            self.assertEqual(hidden(pages.get("/" + found).text), {})
            self.assertEqual(pages.post(
                "/release", {"reference": found, "token": "x"}).status, 409)


class Farm(unittest.TestCase):
    def test_what_one_server_said_another_explains_and_lets_in(self):
        self.check('secret_file = "@DIR@/secret"\n')

    def test_they_share_the_key_that_they_made(self):
        self.check("")

    def check(self, secret):
        redis = start_single()
        self.addCleanup(redis.stop)
        policy = farm.redis(redis.where) + greylisting()
        web = RELEASE + '\nusers_file = "@DIR@/users"\n'
        servers = [Pages(f'server_name = "mx{number}.example.org"\n' + secret
                         + policy, web) for number in (1, 2)]
        users = f"anna:{hashed('open sesame')}:read"
        for pages in servers:
            farm.put(pages, "secret", "0123456789abcdef" * 4)
            farm.put(pages, "users", users)
        one, two = servers
        one.expect("no secret_file")
        two.expect("no secret_file")
        with one, two:
            mail(one)
            two.cookie = one.post("/login", {
                "name": "anna", "password": "open sesame"}).headers[
                    "set-cookie"].split(";")[0]
            self.assertEqual(two.get("/dashboard").status, 200)
            found = reference(one)
            page = two.get("/" + found).text
            self.assertIn("mx1.example.org", page)
            self.assertEqual(two.post("/release", hidden(page)).status, 200)
            self.assertEqual(one.post("/release", hidden(page)).status, 409)
            wait_for(lambda: mail(one).accepted, "it is let in", one.log)
            wait_for(lambda: "has arrived" in two.get("/" + found).text,
                     "it has passed", one.log)


class Expected(unittest.TestCase):
    def test_a_door_for_a_domain(self):
        pages = Pages(before_strangers(EXPECTED),
                      'expect_file = "@DIR@/expect"')
        farm.put(pages, "expect", SECRET)
        with pages:
            self.assertFalse(mail(pages).accepted)
            for path, form, status in (
                    ("/expect/" + SECRET[1:], {"domain": "x.example"}, 404),
                    ("/expect/", {"domain": "sender.example"}, 404),
                    ("/expect/" + SECRET, {"domain": "com"}, 400),
                    ("/expect/" + SECRET, {"domain": "<x>"}, 400),
                    ("/expect/" + SECRET, {"domain": "a@Sender.Example"}, 200)):
                with self.subTest(path, form=form):
                    self.assertEqual(pages.post(path, form).status, status)
            wait_for(lambda: mail(pages).accepted, "the door is open",
                     pages.log)
            self.assertFalse(mail(pages, "<a@other.example>").accepted)
            self.assertIn("expected domain=sender.example",
                          "\n".join(pages.log()))


class Users(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pages = Pages(greylisting(), MANY + 'users_file = "@DIR@/users"')
        secret = hashed("secret")
        cls.users = f"# who\nanna:{secret}:change\nrita:{secret}:read"
        farm.put(cls.pages, "users", cls.users)
        cls.addClassCleanup(cls.pages.__exit__, None)
        cls.pages.__enter__()
        mail(cls.pages)
        reference(cls.pages)
        wait_for(lambda: 'verdict="defer"} 1' in cls.pages.get(
            "/metrics").text, "it counts")

    def setUp(self):
        self.pages.cookie = None
        self.addCleanup(setattr, self.pages, "cookie", None)

    def log_in(self, name="rita", password="secret", source="127.0.0.1",
               pages=None):
        pages = pages or self.pages
        answer = pages.post(
            "/login", {"name": name, "password": password}, source=source)
        if answer.status == 303:
            cookie = answer.headers["set-cookie"]
            self.assertIn("HttpOnly", cookie)
            self.assertIn("SameSite=Strict", cookie)
            pages.cookie = cookie.split(";")[0]
        return answer.status

    def test_nothing_without_a_password(self):
        for path in ("/dashboard", "/deferrals", "/client",
                     "/plot.csv?of=minutes"):
            with self.subTest(path):
                answer = self.pages.get(path)
                self.assertEqual((answer.status, answer.headers["location"]),
                                 (303, "login"))
        self.assertEqual(self.log_in(password="wrong"), 403)
        self.assertEqual(self.log_in(name="nobody"), 403)
        self.assertIsNone(self.pages.cookie)

    def test_a_changed_cookie_is_none(self):
        self.log_in(source="127.0.0.10")
        whole = self.pages.cookie
        self.assertEqual(self.pages.get("/dashboard").status, 200)
        for wrong in (whole.replace("rita", "anna"), whole[:-1],
                      whole.replace("=1", "=2", 1), "milter_defer=",
                      "milter_defer=9999999999..rita"):
            with self.subTest(wrong):
                self.pages.cookie = wrong
                self.assertEqual(self.pages.get("/dashboard").status, 303)

    def test_attempts_are_limited(self):
        said = [self.log_in(password="x", source="127.0.0.77")
                for _ in range(9)]
        self.assertEqual(said, [403] * 6 + [429] * 3)
        self.assertEqual(self.log_in(source="127.0.0.77"), 429)
        self.assertEqual(self.log_in(source="127.0.0.78"), 303)

    def test_what_is_shown(self):
        self.log_in(source="127.0.0.11")
        page = self.pages.get("/dashboard")
        self.assertEqual(page.headers["refresh"], "30")
        for words in ("The farm now", "<svg", "198.51.100.0/24", "strangers"):
            self.assertIn(words, page.text)
        for of in "minutes", "hours", "delays", "rules", "hosts", "networks":
            with self.subTest(of):
                rows = self.pages.get("/plot.csv?of=" + of)
                self.assertIn("text/csv", rows.headers["content-type"])
                self.assertGreater(len(rows.text.splitlines()), 1)
        self.assertEqual(self.pages.get("/plot.csv?of=x").status, 404)

    def test_filters(self):
        self.log_in(source="127.0.0.12")
        for form, found in (
                ({"client": "198.51.100.0/24"}, True),
                ({"client": "192.0.2.1"}, False),
                ({"sender": "alice@sender.example"}, True),
                ({"sender": "carol@sender.example"}, False),
                ({"recipient": "bob@local.test", "hours": "1"}, True),
                ({"recipient": "alice@sender.example"}, False),
                ({"rule": "strangers"}, True), ({"rule": "x"}, False)):
            with self.subTest(form):
                answer = self.pages.post("/deferrals", form)
                self.assertEqual(answer.status, 303)
                self.assertNotIn("%40", answer.headers["location"])
                text = self.pages.get("/" + answer.headers["location"]).text
                self.assertEqual("198.51.100.1<" in text, found)
        self.assertIn("role=\"alert\"",
                      self.pages.get("/deferrals?client=xyz").text)

    def test_only_who_may_changes(self):
        form = {"address": "198.51.100.1", "do": "forget", "for": "1d"}
        self.log_in(source="127.0.0.13")
        self.assertEqual(self.pages.post("/client", form).status, 403)
        self.log_in("anna", source="127.0.0.13")
        page = self.pages.get("/client?address=198.51.100.1").text
        token = hidden(page)["token"]
        with self.subTest("without a token"):
            self.assertEqual(self.pages.post("/client", form).status, 403)
        with self.subTest("from elsewhere"):
            self.assertEqual(self.pages.post(
                "/client", {**form, "token": token},
                Origin="https://evil.example").status, 403)
        for what in "pass", "block", "forget":
            with self.subTest(what):
                answer = self.pages.post(
                    "/client", {**form, "do": what, "token": token})
                self.assertEqual(answer.status, 200)
                self.assertNotIn("note bad", answer.text)
                self.pages.wait_log(
                    f'(?=.*web:anna)(?=.*{what}).*198.51.100.1')

    def test_a_store_that_is_away_is_told(self):
        pages = Pages('redis { servers = "127.0.0.1:1" }\n' + greylisting(),
                      'users_file = "@DIR@/users"')
        farm.put(pages, "users", self.users)
        pages.expect("Redis|secret_file")
        with pages:
            self.log_in(pages=pages)
            page = pages.get("/dashboard")
            self.assertEqual(page.status, 200)
            self.assertIn("figures of this server alone", page.text)
            for path in ("/deferrals", "/client?address=192.0.2.1",
                         "/plot.csv?of=networks"):
                self.assertEqual(pages.get(path).status, 200)
            self.assertEqual(pages.get("/" + NOBODY).status, 503)

    def test_files_that_will_not_do_are_told(self):
        for text, why in (("anna:x", "line 1: NAME:HASH:ROLE"),
                          ("# x\na;b:x:read", "line 2: a name has"),
                          ("anna:x:write", "line 1: the role is")):
            with self.subTest(text):
                pages = Pages(greylisting(), 'users_file = "@DIR@/users"')
                self.addCleanup(pages.remove)
                farm.put(pages, "users", text)
                status, _, said = run("-t", "-c", pages.config)
                self.assertEqual(status, 1)
                self.assertIn(why, said)

    def test_a_secret_that_is_too_short_is_told(self):
        pages = Pages(greylisting(), 'expect_file = "@DIR@/expect"')
        self.addCleanup(pages.remove)
        farm.put(pages, "expect", "0123456789abcde")
        status, _, said = run("-t", "-c", pages.config)
        self.assertEqual(status, 1)
        self.assertIn("at least 16 characters", said)

    def test_words_that_will_not_do_are_told(self):
        for name, octets, why, wanted in (
                ("greylisted.de", b"\xe4", "greylisted.de: it is not in UTF-8",
                 0), ("busy.en", b"", "busy.en: it cannot be read", 0),
                ("busy.en", b"x" * 4000, "busy.en: it is too long", 0),
                (None, b"", "nowhere: No such file", 1)):
            with self.subTest(name):
                pages = Pages(greylisting(), 'texts = "@DIR@/%s"'
                              % ("texts" if name else "nowhere"))
                self.addCleanup(pages.remove)
                os.mkdir(pages.directory + "/texts")
                if name:
                    with open(f"{pages.directory}/texts/{name}", "wb") as file:
                        file.write(octets)
                status, _, said = run("-t", "-c", pages.config)
                self.assertEqual(status, wanted)
                self.assertIn(why, said)

    def test_logging_out(self):
        self.log_in(source="127.0.0.14")
        token = hidden(self.pages.get("/dashboard").text)["token"]
        self.assertEqual(self.pages.post("/logout", {"token": "x"}).status,
                         403)
        answer = self.pages.post("/logout", {"token": token})
        self.assertIn("Max-Age=0", answer.headers["set-cookie"])


SESSIONS = int(os.environ.get("WEB_SESSIONS") or 50)
SAMPLE = re.compile(r'^milter_defer_(\w+?)(?:{(.*)})? (\S+)$', re.MULTILINE)


class Metrics(unittest.TestCase):
    def test_counters_equal_the_log(self):
        with Pages(greylisting()) as pages:
            for number in range(SESSIONS):
                mail(pages, f"<{chr(97 + number % 26)}@y.example>", address=(
                    "10.0.0.1" if number % 3 else "198.51.100.1"))
            logged = collections.Counter(
                (line["rule"], line["verdict"]) for line in pages.decisions())
            self.assertEqual(sum(logged.values()), SESSIONS)

            def counted():
                return {tuple(re.findall(r'="([^"]*)"', labels)): int(value)
                        for name, labels, value in SAMPLE.findall(
                            pages.get("/metrics").text)
                        if name == "decisions_total" and int(value)}
            wait_for(lambda: counted() == logged, "they are the same",
                     lambda: [str(counted()), str(logged)])

    def test_scrapes_cost_less_than_mail(self):
        with Pages(greylisting()) as pages:
            costs = []
            for use in (lambda: mail(pages), lambda: pages.get("/metrics")):
                before = processor_time(pages)
                for _ in range(200):
                    use()
                costs.append(processor_time(pages) - before)
            self.assertLessEqual(costs[1], costs[0] + 0.03)  # two ticks

    def test_promtool_is_content(self):
        if not shutil.which("promtool"):
            raise unittest.SkipTest("there is no promtool")
        with Pages(greylisting()) as pages:
            mail(pages)
            wait_for(lambda: 'verdict="defer"} 1' in pages.get(
                "/metrics").text, "it counts")
            text = pages.get("/metrics").text
        self.assertEqual(
            set(re.findall(r'(\w+)="', text)), {"rule", "verdict", "le"})
        done = subprocess.run(["promtool", "check", "metrics"], input=text,
                              text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        rules = os.path.join(os.environ.get("srcdir", "."), "conf",
                             "milter-defer.rules.yml")
        done = subprocess.run(["promtool", "check", "rules", rules],
                              text=True, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        names = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
        for file in rules, rules.replace(".rules.yml", ".grafana.json"):
            with open(file) as opened:
                for name in re.findall(r"milter_defer_\w+", opened.read()):
                    with self.subTest(file, name=name):
                        self.assertIn(re.sub("_(bucket|count|sum)$", "",
                                             name), names)

    def test_only_for_who_may(self):
        with Pages(greylisting(), 'metrics_to = {"127.0.0.2"}') as pages:
            self.assertEqual(pages.get("/metrics").status, 403)
            self.assertEqual(
                pages.get("/metrics", source="127.0.0.2").status, 200)
            self.assertEqual(pages.get(
                "/metrics", source="127.0.0.2",
                X_Forwarded_For="192.0.2.1").status, 403)


if __name__ == "__main__":
    cases.main()
