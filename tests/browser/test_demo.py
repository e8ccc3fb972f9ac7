"""`intermission demo` by hand: what it prints is what is opened and typed here."""

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from browser import Browser
from conftest import BINARY
from stage import wait_for


class Demo:
    """The demo, and what it told to do."""

    def __init__(self, folder):
        self.out = folder / "demo.out"
        with self.out.open("w") as out:
            self.process = subprocess.Popen([BINARY, "demo"], stdout=out, stderr=out)
        wait_for(lambda: "Ctrl-C stops everything" in self.told or self.process.poll(), "the invitation")

    @property
    def told(self):
        """Everything printed so far."""
        return self.out.read_text()

    def site(self, region):
        """The address that is printed for a region."""
        return re.search(rf"(http://{region}\.localhost:\d+)/claims", self.told)[1]

    def types(self, command):
        """Types the printed command that begins like this, in the printed environment."""
        line = re.search(rf"^ +(intermission {command}.*)$", self.told, re.M)[1]
        exports = dict(re.findall(r"^ +export (\w+)=(\S+)$", self.told, re.M))
        typed = [BINARY, *shlex.split(line)[1:]]
        done = subprocess.run(typed, env=os.environ | exports, timeout=30, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def stop(self):
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=40)


@pytest.fixture
def demo(tmp_path):
    """A running demo."""
    demo = Demo(tmp_path)
    yield demo
    if demo.process.poll() is None:
        demo.process.kill()
        demo.process.wait(timeout=10)


def test_the_demo_does_what_it_says(demo, tmp_path):
    browser = Browser(demo.site("apac"), tmp_path / "profile")
    other = Browser(demo.site("apac"), tmp_path / "other", languages="ar")
    try:
        story(demo, browser, other)
    finally:
        browser.quit()
        other.quit()
    folder = Path(re.search(r"are in (\S+)", demo.told)[1])
    assert folder.is_dir()
    assert demo.stop() == 0
    assert not folder.exists()
    assert "Everything is stopped" in demo.told


def story(demo, browser, other):
    """A visitor in apac and one who reads Arabic, with the operator's commands in between."""
    browser.narrow(760, 900)
    # The receipt looks for the return at random times, up to a minute apart; here each second.
    browser.emulate("Page.addScriptToEvaluateOnNewDocument", source="Math.random = () => 0")
    browser.emulate("Emulation.setTimezoneOverride", timezoneId="Asia/Singapore")
    browser.open("/claims/new")
    for name, text in {
        "policy": "HM-2048-77",
        "name": "Amina Rahman",
        "email": "amina@example.com",
        "story": "The harbour wall broke in the night and the cellar stood under water.",
    }.items():
        browser.one(f"[name={name}]").send_keys(text)
    browser.picture("demo-form")

    demo.types("on")
    browser.press("main button")
    assert "Your answers are saved, but not sent yet" in browser.words
    assert browser.complaints() == []
    browser.picture("demo-receipt")
    receipt = browser.at
    browser.open("/claims")
    assert "Sorry, Harbour Claims is unavailable" in browser.words
    browser.picture("demo-closed")
    other.dark()
    other.narrow(380, 900)
    other.open("/claims")
    assert "Harbour Claims" in other.words
    other.picture("demo-closed-ar")

    browser.open(receipt)
    demo.types("off")
    browser.wait_for_words("You can send your answers now")
    assert "unavailable" not in browser.words and "Expected back" not in browser.words
    browser.picture("demo-noticed")
    browser.press("a[data-go]")
    browser.picture("demo-ready")
    browser.send()
    assert "Documents for claim" in browser.words
    browser.driver.back()
    if browser.all("form[action$='/resume']"):
        browser.send()
    assert "Your answers were sent" in browser.words
    browser.open("/claims")
    assert browser.words.count("Storm") == 1
    assert browser.complaints() == []
    browser.picture("demo-claims")
