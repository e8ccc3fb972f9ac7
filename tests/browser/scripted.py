"""Our script in the pages of `form_app`: a visitor who sees it, and what the tests of it share.

A test file takes the fixtures by importing them.
"""

import json
from datetime import UTC, datetime, timedelta

import pytest

from browser import Browser
from conftest import BINARY
from form_app import FormApp
from stage import Proxy, wait_for

DRAFT = "intermission:draft:"


class Page(Browser):
    """A visitor, and what our script shows and stores."""

    def script(self, code, *arguments):
        """Runs code in the page."""
        return self.driver.execute_script(code, *arguments)

    @property
    def told(self):
        """What our bar says."""
        return self.script("""const bar = document.querySelector('intermission-bar');
            return bar ? [...bar.shadowRoot.querySelectorAll('.row:not([hidden])')].map((row) => row.innerText).join('\\n') : ''""")

    @property
    def dialog(self):
        """What our dialog says; nothing if it is not open."""
        return self.script("""return document.querySelector('intermission-bar')?.shadowRoot
            .querySelector('dialog[open]')?.innerText || ''""")

    def push(self, words):
        """Presses a button of ours."""
        return self.script("""const root = document.querySelector('intermission-bar').shadowRoot;
            [...root.querySelectorAll('button')].find((b) => b.innerText === arguments[0]).click()""", words)

    def kept(self, store="sessionStorage"):
        """The drafts, by the page and form that they belong to."""
        found = self.script(f"return Object.fromEntries(Object.entries({store}))")
        return {key.removeprefix(DRAFT): json.loads(text)["values"]
                for key, text in found.items() if key.startswith(DRAFT)}

    def types_in(self, css, text):
        """Types into a field."""
        self.one(css).send_keys(text)

    def value(self, css):
        """What stands in a field."""
        return self.script("return document.querySelector(arguments[0])?.value", css)

    def wait_told(self, words):
        """Waits until our bar says this."""
        wait_for(lambda: words in (self.told or ""), f"the bar to say {words!r}", 20)

    def look(self):
        """Comes back to the page, which makes the script ask for the state at once."""
        self.script("dispatchEvent(new Event('online'))")


@pytest.fixture(scope="module")
def app():
    app = FormApp()
    yield app
    app.stop()


@pytest.fixture(scope="module")
def house(app, tmp_path_factory):
    """A proxy in front of that application."""
    proxy = Proxy(BINARY, tmp_path_factory.mktemp("script"), app.port)
    yield proxy
    proxy.kill()


@pytest.fixture
def proxy(house, app):
    app.reset()
    yield house
    house.reopen_all()


@pytest.fixture
def open_page(proxy, tmp_path):
    """Opens browsers; closes them afterwards."""
    opened = []

    def open_page(path="/papers/plain", **wanted):
        page = Page(proxy.site, tmp_path / f"profile-{len(opened)}", **wanted)
        opened.append(page)
        page.open(path)
        wait_for(lambda: page.script("return !!window.__intermission"), "the script")
        return page

    yield open_page
    for page in opened:
        page.quit()


@pytest.fixture
def page(open_page):
    return open_page()


def watches(page):
    """Waits until the script has asked for the state."""
    wait_for(lambda: page.script("""return performance.getEntriesByType('resource')
        .some((entry) => entry.name.includes('/v1/state'))"""), "a look at the state")


def close_under(page, proxy, back_in="15m"):
    """Closes the route while the page is open, and waits until it says so."""
    watches(page)
    proxy.close("papers", back_in)
    page.look()
    page.wait_told("is unavailable")


def announce(proxy):
    """Plans a window that begins in an hour, and announces it."""
    starts = datetime.now(UTC) + timedelta(hours=1)
    phase = {"name": "berths", "regions": ["eu"], "routes": ["papers"], "lasts": "30m",
             "starts": starts.strftime("%Y-%m-%dT%H:%M:%SZ")}
    made = proxy.asks("/api/v1/maintenances", {"title": "New berths", "announce": ["2h"], "phases": [phase]})
    return made["maintenance"]["id"]
