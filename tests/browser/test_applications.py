"""Applications of other frameworks behind the proxy: tokens that grow old, uploads, a changed key."""

import hashlib
import os
import secrets
import urllib.error
import urllib.parse
import urllib.request

import pytest

from applications import NODE, Contact, Uploads, routes
from conftest import BINARY
from stage import Proxy, wait_for

TOKEN_SECONDS = 5
UPLOAD_BYTES, TOO_MANY_BYTES = 20_000_000, 30_000_000


@pytest.fixture(scope="module")
def contact(tmp_path_factory):
    """A Flask-WTF application whose tokens live for five seconds."""
    contact = Contact(tmp_path_factory.mktemp("flask"), TOKEN_SECONDS)
    yield contact
    contact.stop()


@pytest.fixture(scope="module")
def uploads(tmp_path_factory):
    """An Express application with multer."""
    if not NODE or not os.path.isdir(os.path.join(os.path.dirname(__file__), "node_modules", "multer")):
        pytest.skip("node, or what `npm ci` installs in tests/browser, is missing")
    uploads = Uploads(tmp_path_factory.mktemp("express"))
    yield uploads
    uploads.stop()


@pytest.fixture(scope="module")
def node(django, contact, uploads, tmp_path_factory):
    """A proxy before all three."""
    more = routes(contact.port, uploads.port)
    node = Proxy(BINARY, tmp_path_factory.mktemp("proxy"), django.port, more)
    yield node
    node.kill()


def test_a_token_that_grew_old_is_refused_and_a_fresh_one_accepted(visit, proxy, contact):
    """Scenario 4. The application's 400 is not the visitor's last word on what was typed."""
    visitor, words = visit(scripts="off"), f"A leak — über {secrets.token_hex(4)}"
    visitor.open("/contact/")
    visitor.one("[name=name]").send_keys("Zoë")
    visitor.one("[name=message]").send_keys(words)
    token = visitor.one("[name=csrf_token]").get_attribute("value")
    proxy.close("contact")
    visitor.press("#send")
    assert "saved, but not sent yet" in visitor.words, visitor.words
    receipt = visitor.at
    wait_for(lambda: is_old(contact, visitor, token), "the token to be old")
    proxy.reopen("contact")

    visitor.open(receipt)
    visitor.send()
    assert visitor.at == receipt, visitor.words
    assert "were not accepted" in visitor.words and words in visitor.words, visitor.words
    assert arrived(contact, words) == []
    visitor.picture("receipt-refused")
    # The same button now takes a fresh token from the live form.
    visitor.send()
    assert visitor.at == "/contact/thanks", visitor.words
    assert arrived(contact, words) == [{"name": "Zoë", "message": words}]
    visitor.driver.refresh()
    visitor.open(receipt)
    assert "Your answers were sent" in visitor.words
    assert len(arrived(contact, words)) == 1


def arrived(contact, words):
    """What arrived with these words."""
    return [one for one in contact.arrived() if one["message"] == words]


def is_old(contact, visitor, token):
    """Whether the application refuses this token by now, asked beside the proxy."""
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in visitor.driver.get_cookies())
    request = urllib.request.Request(
        f"http://127.0.0.1:{contact.port}/contact/",
        # Without words: while the token is good, what this adds is told from the visitor's.
        data=urllib.parse.urlencode({"csrf_token": token}).encode(),
        headers={"cookie": cookies},
    )
    try:
        urllib.request.urlopen(request, timeout=10)
    except urllib.error.HTTPError as refused:
        return refused.code == 400 and b"expired" in refused.read()
    return False


def chart(folder, size):
    """A file that no part of it repeats, with a name that is not ASCII."""
    file = folder / "sea chart “North” 海図.bin"
    file.write_bytes(secrets.token_bytes(size))
    return file, hashlib.sha256(file.read_bytes()).hexdigest()


def fill_upload(visitor, file, notes):
    """Fills the upload form; does not send it."""
    visitor.open("/uploads/")
    visitor.one("[name=title]").send_keys("Charts & more")
    visitor.one("[name=notes]").send_keys(notes)
    visitor.one("[name=files]").send_keys(str(file))


def test_twenty_megabytes_arrive_at_multer_to_the_byte(visit, proxy, uploads, tmp_path):
    """Scenario 5, the part that is kept; over a kill of the proxy and a restart of the application."""
    file, digest = chart(tmp_path, UPLOAD_BYTES)
    visitor = visit(scripts="off")
    fill_upload(visitor, file, "two\nlines, ümlaut")
    proxy.close("uploads")
    visitor.press("#send")
    assert file.name in visitor.words, visitor.words
    receipt, before = visitor.at, uploads.arrived()
    proxy.kill()
    proxy.start()
    uploads.restart()
    proxy.reopen("uploads")
    visitor.open(receipt)
    visitor.send()
    assert visitor.at == "/uploads/done", visitor.words
    files = [{"name": file.name, "bytes": UPLOAD_BYTES, "sha256": digest}]
    arrived = {"title": "Charts & more", "notes": "two\r\nlines, ümlaut", "files": files}
    assert uploads.arrived()[len(before):] == [arrived]


def test_thirty_megabytes_are_not_kept_and_the_page_says_so(visit, proxy, uploads, tmp_path):
    """Scenario 5, the part that is not; going back brings up what was typed."""
    file, digest = chart(tmp_path, TOO_MANY_BYTES)
    visitor = visit(scripts="off")
    fill_upload(visitor, file, "too much at once")
    before = uploads.arrived()
    proxy.close("uploads")
    visitor.press("#send")
    assert "your answers were not saved" in visitor.words, visitor.words
    assert "too large to keep" in visitor.words, visitor.words
    visitor.picture("not-kept-size")
    assert visitor.saved() == []
    visitor.driver.back()
    visitor.driver.back()
    wait_for(lambda: visitor.at == "/uploads/", "the form")
    assert visitor.one("[name=notes]").get_attribute("value") == "too much at once"
    proxy.reopen("uploads")
    fill_upload(visitor, file, "once more")
    visitor.press("#send")
    assert visitor.at == "/uploads/done", "the control: while it is open the application takes it"
    assert uploads.arrived()[-1]["files"][0]["sha256"] == digest
    assert len(uploads.arrived()) == len(before) + 1


@pytest.fixture
def rekeyed(django):
    """Django with another key than the visitor's session was signed with, until the test is over."""
    usual = django.environment["DJANGO_SECRET"]
    yield lambda: django.restart_with(f"another key {secrets.token_hex(8)}")
    django.restart_with(usual)


def test_a_changed_key_asks_to_sign_in_and_the_form_is_saved_once(visit, proxy, django, rekeyed):
    """Scenario 2. The key changes in the window, and with it go all sessions."""
    group = f"Harbour crew {secrets.token_hex(4)}"
    visitor = visit(scripts="off")
    visitor.log_in()
    visitor.fill_group(group)
    proxy.close("admin")
    visitor.press("[name=_save]")
    receipt = visitor.at
    rekeyed()
    proxy.reopen("admin")
    visitor.open(receipt)
    visitor.send()
    assert visitor.at.startswith(receipt), visitor.at
    assert "sign in first" in visitor.words and group in visitor.words, visitor.words
    assert django.groups(group) == 0
    visitor.log_in()
    visitor.open(receipt)
    visitor.send()
    assert "was added successfully" in visitor.words, visitor.words
    assert django.groups(group) == 1
    visitor.driver.refresh()
    assert django.groups(group) == 1
