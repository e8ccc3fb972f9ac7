"""Browsers that are not as others: an application's own service worker, a clock that is wrong."""

import time

import pytest

from stage import wait_for
from test_script import announce, app, close_under, house, open_page, page, proxy  # noqa: F401

# As offline-first applications have it: a page that does not come well is answered by the worker.
WORKER = b"""
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  if (event.request.mode !== 'navigate' || event.request.method !== 'GET') return;
  const offline = () => new Response('<!doctype html><title>Away</title><p>You seem to be offline', { headers: { 'content-type': 'text/html' } });
  event.respondWith(fetch(event.request).then((answer) => (answer.ok ? answer : offline()), offline));
});"""
CLOCK = """(() => {
  const real = Date, ahead = %d * 3600e3;
  Date = class extends real { constructor(...told) { told.length ? super(...told) : super(real.now() + ahead); } static now() { return real.now() + ahead; } };
})()"""


def test_an_application_whose_service_worker_answers_loses_no_draft(page, proxy, app):  # noqa: F811
    """Row 36: the application's own page is shown, which is its right; the draft outlives it."""
    app.instead["worker.js"] = (200, WORKER, {"content-type": "text/javascript"})
    page.script("navigator.serviceWorker.register('/papers/worker.js')")
    wait_for(lambda: page.script("return !!navigator.serviceWorker.controller"), "the worker")
    page.types_in("[name=who]", "Ana")
    wait_for(lambda: page.kept(), "a draft")
    # A press in the page that is open: our script stops it, worker or not.
    close_under(page, proxy)
    page.one("#send").click()
    wait_for(lambda: page.dialog, "the dialog")
    assert page.dialog.startswith("Not sent") and app.posts == []
    page.push("Keep editing")
    page.driver.refresh()
    assert "You seem to be offline" in page.words, "the worker's page, not ours"
    kept = {"/papers/plain#plain": {"who": "Ana"}}
    assert kept in (page.kept(), page.kept("localStorage")), "the draft is where it was"
    proxy.reopen("papers")
    # The worker hands the page on as it gets it, and our script is in it.
    page.driver.refresh()
    assert page.script("return !!navigator.serviceWorker.controller"), "the control: it answered"
    page.wait_told("Answers put back: 1")
    assert page.value("[name=who]") == "Ana"
    page.press("#send")
    assert page.one("#thanks") and len(app.posts) == 1 and b"who=Ana" in app.posts[0][2]


def set_wrong(page, hours):  # noqa: F811
    """Turns the clock of what is opened from now on."""
    page.emulate("Page.addScriptToEvaluateOnNewDocument", source=CLOCK % hours)
    page.driver.refresh()
    wait_for(lambda: page.script("return !!window.__intermission"), "the script")


@pytest.mark.parametrize("hours", [-100, 100])
def test_a_visitor_whose_clock_is_wrong_loses_nothing_and_is_told_the_right_time(page, proxy, app, hours):  # noqa: F811
    """Row 40: what is told comes from the server's clock; a draft is not taken for an old one."""
    set_wrong(page, hours)
    wrong_by = page.script("return (Date.now() - arguments[0]) / 3600e3", page_time())
    assert abs(wrong_by - hours) < 1, "the control: this clock is wrong"
    page.types_in("[name=who]", "Ana")
    maintenance = announce(proxy)
    page.look()
    page.wait_told("Papers will be unavailable")
    wait_for(lambda: page.kept("localStorage"), "the draft on the device")
    close_under(page, proxy)
    assert "Papers is unavailable until about" in page.told, page.told
    page.driver.refresh()
    assert "unavailable" in page.words and "kept on this device" in page.words
    proxy.reopen("papers")
    page.driver.refresh()
    page.wait_told("Answers put back: 1")
    assert page.value("[name=who]") == "Ana"
    page.press("#send")
    assert page.one("#thanks") and b"who=Ana" in app.posts[0][2]
    proxy.asks(f"/api/v1/maintenances/{maintenance}/cancel", {"reason": "the scenario is over"})


def page_time():
    """Milliseconds of this machine's clock, which is the server's."""
    return time.time() * 1000


@pytest.mark.parametrize("hours", [-100, 100])
def test_a_receipt_tells_the_servers_times_whatever_the_visitors_clock(page, proxy, app, hours):  # noqa: F811
    """Row 40: nothing that is kept on the server is counted by the visitor's clock."""
    set_wrong(page, hours)
    page.types_in("[name=who]", "Ana")
    close_under(page, proxy)
    page.one("#send").click()
    wait_for(lambda: page.dialog, "the dialog")
    page.push("Save for later")
    wait_for(lambda: page.at.startswith("/.intermission/s/"), "the receipt")
    instants = page.script("return [...document.querySelectorAll('time')].map((it) => Date.parse(it.dateTime))")
    assert abs(instants[0] - page_time()) < 120_000, "saved just now, by the server's clock"
    assert 47 * 3600e3 < instants[1] - instants[0] < 49 * 3600e3, "kept for two days"
    proxy.reopen("papers")
    page.driver.refresh()
    page.send()
    assert page.one("#thanks") and b"who=Ana" in app.posts[0][2]
