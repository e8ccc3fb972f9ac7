"""Chromium over HTTP/2 and TLS: the closed page, a form that is kept and sent, a WebSocket."""

import base64
import hashlib
import os
import shutil

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization


@pytest.fixture
def visitor(node, tmp_path):
    """A browser that trusts the site's key and nothing else of the tests' authority."""
    chromium = os.environ.get("INTERMISSION_CHROMIUM", "chromium")
    if not shutil.which(chromium) or not shutil.which(os.environ.get("INTERMISSION_CHROMEDRIVER", "chromedriver")):
        pytest.skip("there is no Chromium on this machine")
    from browser import Browser

    site = x509.load_pem_x509_certificate((node.authority.folder / "site.pem").read_bytes())
    key = site.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    flags = [f"--ignore-certificate-errors-spki-list={pin}"]
    browser = Browser(node.secure, tmp_path / "profile", flags=flags)
    yield browser
    browser.quit()


def spoken(visitor):
    """The protocol by which the page came."""
    return visitor.driver.execute_script(
        "return performance.getEntriesByType('navigation')[0].nextHopProtocol"
    )


def test_the_closed_page_and_a_kept_form_over_http2(visitor, node):
    visitor.open("/hello")
    assert spoken(visitor) == "h2" and "GET /hello" in visitor.words

    node.close("claims")
    visitor.open("/claims/1")
    assert spoken(visitor) == "h2" and "Claims is unavailable" in visitor.words

    visitor.open("/hello")
    before = visitor.one("html")
    visitor.driver.execute_script("""
        document.body.innerHTML = '<form method="post" action="/claims/new">' +
            '<input name="claim" value="broken window"></form>';
        document.forms[0].submit();
    """)
    visitor.wait_until_gone(before)
    assert visitor.at.startswith("/.intermission/s/"), (visitor.at, visitor.words)
    cookies = visitor.driver.get_cookies()
    assert [cookie["name"] for cookie in cookies] == ["__Host-intermission"], cookies
    assert cookies[0]["secure"] and cookies[0]["httpOnly"] and cookies[0]["path"] == "/"
    receipt = visitor.at

    node.reopen_all()
    visitor.open(receipt)
    visitor.send()
    assert "claim=broken+window" in visitor.words, visitor.words
    assert visitor.at == "/claims/new" and spoken(visitor) == "h2"


def test_a_websocket_talks_beside_http2(visitor):
    visitor.open("/hello")
    said = visitor.driver.execute_async_script("""
        const done = arguments[0];
        const socket = new WebSocket(`wss://${location.host}/chat/room`);
        socket.onopen = () => socket.send('hello from a browser');
        socket.onmessage = (message) => { done(message.data); socket.close(); };
        socket.onerror = () => done('it failed');
        setTimeout(() => done('nothing came'), 10000);
    """)
    assert said == "hello from a browser"


def test_events_arrive_in_a_browser(visitor):
    visitor.open("/hello")
    count = visitor.driver.execute_async_script("""
        const done = arguments[0];
        let count = 0;
        const events = new EventSource('/events?count=5&every=0.01');
        events.onmessage = () => { count += 1; if (count === 5) { events.close(); done(count); } };
        setTimeout(() => done(count), 10000);
    """)
    assert count == 5
