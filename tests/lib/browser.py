"""A real browser without a screen, driven by W3C WebDriver: Chromium.

    with Browser() as browser:
        browser.become("de", width=PHONE)
        browser.go(url)
        browser.find("h1").text

Needs chromium and chromedriver (Debian: chromium-driver); without them the test
skips itself.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

from lib import ports
from lib.daemon import wait_for

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
AXE = "axe-core@4.14.1"
PHONE, DESKTOP = 390, 1280


def needed():
    """Skip the test where there is no browser."""
    if not (shutil.which("chromedriver") and shutil.which("chromium")):
        raise unittest.SkipTest("there is no chromium, or no chromedriver")


class Element:
    def __init__(self, browser, handle):
        self.browser = browser
        self.path = f"element/{handle[ELEMENT]}"

    @property
    def text(self):
        return self.browser.ask("GET", f"{self.path}/text")

    def attribute(self, name):
        return self.browser.ask("GET", f"{self.path}/attribute/{name}")

    def click(self):
        self.browser.ask("POST", f"{self.path}/click", {})

    def type(self, text):
        self.browser.ask("POST", f"{self.path}/clear", {})
        self.browser.ask("POST", f"{self.path}/value", {"text": text})


class Browser:
    def __init__(self):
        needed()
        self.directory = tempfile.mkdtemp(prefix="milter-defer-browser.")
        self.port = ports.free_port()
        self.driver = None
        self.session = None
        self.options = {"args": [
            "--headless=new", "--no-sandbox", "--disable-gpu",
            "--disable-dev-shm-usage", "--disable-extensions",
            "--disable-background-networking", "--no-first-run",
            "--hide-scrollbars", f"--user-data-dir={self.directory}/profile"]}

    def __enter__(self):
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={self.port}",
             f"--log-path={self.directory}/log"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self.directory,
                 "TMPDIR": self.directory})
        try:
            wait_for(self._is_ready, "chromedriver listens")
            self.session = self._call("POST", "/session", {"capabilities": {
                "alwaysMatch": {"goog:chromeOptions": self.options}}}
                )["sessionId"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.session:
            try:
                self._call("DELETE", f"/session/{self.session}")
            except OSError:
                pass
        self.driver.terminate()
        self.driver.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _is_ready(self):
        try:
            return self._call("GET", "/status")["ready"]
        except OSError:
            return False

    def _call(self, method, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", method=method,
            data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()[:500]) from None

    def ask(self, method, path, body=None):
        return self._call(method, f"/session/{self.session}/{path}", body)

    def order(self, command, **parameters):
        """One of Chromium's own commands."""
        return self.ask("POST", "goog/cdp/execute",
                        {"cmd": command, "params": parameters})

    def become(self, language="en", width=DESKTOP, dark=False):
        """What its user prefers, from the next page on."""
        self.order("Emulation.setUserAgentOverride", acceptLanguage=language,
                   userAgent=self.run("return navigator.userAgent"))
        self.order("Emulation.setDeviceMetricsOverride", width=width,
                   height=900, deviceScaleFactor=1, mobile=width < 500)
        self.order("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme",
             "value": "dark" if dark else "light"}])

    def follow(self, css):
        """Click what leads to another page, and wait for it."""
        before = self.root()
        self.find(css).click()
        wait_for(lambda: self.is_ready() and self.root() not in (None, before),
                 "another page is shown")

    def root(self):
        """The element that stands for the page; None between two pages."""
        try:
            return self.ask("POST", "element",
                            {"using": "css selector", "value": "html"})
        except AssertionError:
            return None

    def is_ready(self):
        try:
            return self.run("return document.readyState") == "complete"
        except AssertionError:
            return False

    def go(self, url):
        self.ask("POST", "url", {"url": url})

    @property
    def url(self):
        return self.ask("GET", "url")

    @property
    def source(self):
        return self.ask("GET", "source")

    def find(self, css):
        return Element(self, self.ask(
            "POST", "element", {"using": "css selector", "value": css}))

    def find_all(self, css):
        return [Element(self, handle) for handle in self.ask(
            "POST", "elements", {"using": "css selector", "value": css})]

    def run(self, script, *arguments):
        return self.ask("POST", "execute/sync",
                        {"script": script, "args": list(arguments)})

    def run_later(self, script, *arguments):
        """A script that calls its last argument when it is done."""
        return self.ask("POST", "execute/async",
                        {"script": script, "args": list(arguments)})

    def is_too_wide(self):
        """Whether one has to scroll sideways."""
        return self.run("return document.documentElement.scrollWidth > "
                        "document.documentElement.clientWidth")

    def picture(self, path):
        """A picture of the whole page, as a PNG file."""
        png = self.order("Page.captureScreenshot",
                         captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(png))

    def complaints(self):
        """What axe-core, or at least our own look, finds to be serious."""
        found = self.run(LOOK)
        script = axe()
        if script:
            self.run(script)
            found += self.run_later(
                "const done = arguments[arguments.length - 1];"
                "axe.run(document, {resultTypes: ['violations']}).then("
                "r => done(r.violations.filter("
                "v => ['serious', 'critical'].includes(v.impact)).map("
                "v => v.id + ': ' + v.nodes.map(n => n.html).join(' '))))")
        return found


# Each field has a label, each picture a text, the page a language, a title, one
# main part and one heading of the first rank; and what is clicked is large enough.
LOOK = """
const bad = [];
const say = (e, what) => bad.push(what + ': ' + e.outerHTML.slice(0, 100));
if (!document.documentElement.lang) bad.push('no language');
if (!document.title) bad.push('no title');
for (const one of ['main', 'h1'])
    if (document.querySelectorAll(one).length !== 1) bad.push('not one ' + one);
for (const e of document.querySelectorAll('input,select'))
    if (e.type !== 'hidden' && !e.labels.length) say(e, 'no label');
for (const e of document.querySelectorAll('svg,img'))
    if (!e.getAttribute('aria-label') && !e.alt) say(e, 'no text');
for (const e of document.querySelectorAll('button'))
    if (!e.textContent.trim()) say(e, 'no name');
for (const e of document.querySelectorAll('[src],[href]'))
    if (/^(https?:)?\\/\\//.test(e.getAttribute('src') ||
                                e.getAttribute('href'))) say(e, 'elsewhere');
const lum = c => c.map(v => (v /= 255) <= .03928 ? v / 12.92
    : ((v + .055) / 1.055) ** 2.4).reduce((s, v, i) =>
    s + v * [.2126, .7152, .0722][i], 0);
const rgb = s => s.match(/[\\d.]+/g).map(Number);
const ground = e => { for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > .99) return c.slice(0, 3); }
    return [255, 255, 255]; };
for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) ||
        e.closest('svg,title,option') || !e.offsetParent) continue;
    const a = lum(rgb(getComputedStyle(e).color).slice(0, 3));
    const b = lum(ground(e));
    if ((Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5)
        say(e, 'contrast'); }
return bad;
"""


def axe():
    """The text of axe-core; None where it cannot be had."""
    cache = os.environ.get("MTA_CACHE") or os.path.join(
        os.path.dirname(os.environ.get("MILTER_DEFER", "./x")), "mta")
    path = os.path.join(cache, "axe.min.js")
    absent = os.path.join(cache, "axe.absent")  # asked for once is enough
    if not os.path.exists(path) and not os.path.exists(absent) and \
            not fetch_axe(cache, path):
        with open(absent, "w", encoding="utf-8"):
            pass
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return file.read()


def fetch_axe(cache, path):
    os.makedirs(cache, exist_ok=True)
    if not shutil.which("npm"):
        return False
    with tempfile.TemporaryDirectory(dir=cache) as directory:
        try:
            subprocess.run(
                ["npm", "pack", "--silent", "--fetch-retries=0",
                 "--fetch-timeout=8000", AXE], cwd=directory, check=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, timeout=15,
                env={"NODE_EXTRA_CA_CERTS":
                     "/etc/ssl/certs/ca-certificates.crt",
                     **os.environ, "HOME": directory})
            packed = [name for name in os.listdir(directory)
                      if name.endswith(".tgz")]
            subprocess.run(["tar", "xzf", packed[0], "package/axe.min.js"],
                           cwd=directory, check=True)
        except (OSError, subprocess.SubprocessError, IndexError):
            return False
        os.replace(os.path.join(directory, "package", "axe.min.js"), path)
    return True
