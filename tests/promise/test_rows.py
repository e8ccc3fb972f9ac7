"""Rows of the failure table that show on the wire: what the visitor is told, and what is kept.

`tests/browser/README.md` has the whole table, with the test of each row.
"""

import datetime
import re
import shutil
from pathlib import Path

import pytest

from disk import library
from wire import Visitor

# Shared with the tests of the store: makes every sync fail while a file exists.
FAULTS = Path(__file__).parents[1] / "store" / "faulty_sync.c"


@pytest.fixture
def closed(start):
    """A node whose route is closed."""
    node = start()
    node.close()
    return node


def test_a_disk_that_fails_is_told_and_nothing_is_kept(start, app, tmp_path):
    """Row 8. A sync fails: the page says that nothing was saved; what was saved before is there."""
    fails = tmp_path / "fails"
    variables = {"LD_PRELOAD": library(tmp_path, FAULTS), "INTERMISSION_TEST_SYNC_FAILS": fails}
    node = start(variables=variables)
    node.close()
    visitor = node.visitor()
    before = visitor.keep("/claims", [("story", "kept before")])
    fails.touch()
    answer = visitor.post("/claims", [("story", "not kept")])
    assert answer.status == 503, answer
    assert "saved=?0;reason=store" in answer.field("intermission-state"), answer
    assert "not saved" in answer.text and "write it down safely" in answer.text
    fails.unlink()
    assert visitor.saved() == [before]
    after = visitor.keep("/claims", [("story", "kept after")])
    assert set(visitor.saved()) == {before, after}
    node.kill_and_start()
    assert "kept before" in visitor.get(before).text and "kept after" in visitor.get(after).text
    assert "not kept" not in "".join(visitor.get(receipt).text for receipt in visitor.saved())


def test_a_browser_that_tells_nothing_of_where_it_comes_from_is_never_sent_on(closed, app):
    """Row 19. What may be another site's is given back to its reader, and never sent in their name."""
    visitor = closed.visitor()
    kind = ("content-type", "application/x-www-form-urlencoded")
    # Without a word, or with a word against it, nothing is kept.
    for evidence in ([], [("origin", "null"), ("referer", "http://evil.example/")]):
        answer = visitor.ask("POST", "/claims", b"story=whose", [kind, *evidence])
        assert answer.status == 503 and "reason=origin" in answer.field("intermission-state"), answer
        assert "came from a page of this site" in answer.text
    doubtful = visitor.ask("POST", "/claims", b"story=whose", [kind, ("origin", "null")])
    # An old browser that sends its page's address and no more is one of ours.
    own = [kind, ("referer", f"{visitor.origin}/form")]
    mine = visitor.ask("POST", "/claims", b"story=mine", own)
    assert (doubtful.status, mine.status) == (303, 303)
    closed.reopen()
    receipt = doubtful.field("location")
    assert "whose" in visitor.get(receipt).text and visitor.form(receipt) is None
    assert visitor.press(mine.field("location")).field("location") == "/thanks"
    assert app.posts() == [b"story=mine"]


@pytest.mark.parametrize("status, words", [(409, b"somebody else has edited this"), (422, b"a field is missing")])
def test_what_the_application_says_about_the_form_is_shown_and_it_is_kept(closed, app, status, words):
    """Row 23: an edit conflict is the application's to explain; the answers stay."""
    visitor = closed.visitor()
    receipt = visitor.keep("/claims", [("story", "in conflict")])
    closed.reopen()
    app.answer = lambda request: (status, {"content-type": "text/html"}, words)
    answer = visitor.press(receipt)
    assert (answer.status, answer.body) == (status, words)
    page = visitor.get(receipt)
    assert page.state == "refused" and "in conflict" in page.text


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 413, 415, 419, 429, 503])
def test_what_the_application_does_not_take_is_kept_and_can_be_copied(closed, app, status):
    """Rows 20, 24, 25 and 27: whatever the reason, the receipt has the answers and the download."""
    visitor = closed.visitor()
    receipt = visitor.keep("/claims", [("story", "line one\r\nline two"), ("mood", "hopeful")])
    closed.reopen()
    app.answer = lambda request: (status, {}, b"no")
    answer = visitor.press(receipt)
    assert answer.status == 303 and answer.field("location").startswith(receipt), answer
    page = visitor.get(receipt)
    assert page.state in ("refused", "unknown") and "hopeful" in page.text, page
    data = visitor.get(f"{receipt}/data")
    assert "line one" in data.text and "line two" in data.text
    assert "attachment" in data.field("content-disposition")


def test_a_place_that_is_still_closed_gets_nothing_and_says_when(closed, app):
    """Row 28."""
    visitor = closed.visitor()
    receipt = visitor.keep("/claims", [("story", "too early")])
    closed.reopen()
    form = visitor.form(receipt)
    closed.close(back_in="20m")
    answer = visitor.post(f"{receipt}/resume", form, referer=receipt)
    assert answer.status in (403, 503) and app.posts() == [], answer
    if answer.status == 503:
        # 20 minutes, and up to a tenth more so that not all return at once.
        assert 0 < int(answer.field("retry-after")) <= 1320
    page = visitor.get(receipt)
    assert page.state == "held" and visitor.form(receipt) is None and "too early" in page.text


def kept_until(node, receipt):
    """When the content is erased, as operators see it."""
    return node.asks(f"/api/v1/submissions/{receipt.rsplit('/', 1)[1]}")["expires"]


def test_a_form_lives_on_past_the_end_that_was_told(closed):
    """Row 29, the first half: its life is counted from the end of the window, not from the capture."""
    visitor = closed.visitor()
    short = kept_until(closed, visitor.keep("/claims", [("story", "short")]))
    closed.reopen()
    closed.close(back_in="24h")
    long = kept_until(closed, visitor.keep("/claims", [("story", "long")]))
    assert hours(short, long) > 23, (short, long)


def hours(one, other):
    """Hours between two instants."""
    read = datetime.datetime.fromisoformat
    return (read(other.replace("Z", "+00:00")) - read(one.replace("Z", "+00:00"))).total_seconds() / 3600


def test_a_browser_without_its_cookies_opens_nothing_and_is_told_why(closed):
    """Row 31: what is kept stays sealed; the page says what is needed to open it."""
    visitor = closed.visitor()
    receipt = visitor.keep("/claims", [("story", "sealed to a cookie")])
    cookies, visitor.cookies = visitor.cookies, {}
    page = visitor.get(receipt)
    assert page.status == 404 and "in the browser that sent them" in page.text, page
    assert visitor.saved() == []
    visitor.cookies = cookies
    assert "sealed to a cookie" in visitor.get(receipt).text


def test_a_scanner_that_fetches_every_link_changes_nothing(closed, app):
    """Row 33: GET and HEAD of everything a receipt links to, with and without its cookie."""
    visitor = closed.visitor()
    receipt = visitor.keep("/claims", [("story", "do not touch")])
    closed.reopen()
    page = visitor.get(receipt).text
    links = set(re.findall(r'(?:href|action|formaction|src)="([^"]+)"', page.replace("&#x2f;", "/")))
    links = {link for link in links if link.startswith("/.intermission/")}
    links |= {f"{receipt}/{action}" for action in ("resume", "discard", "done", "refill", "data", "fields")}
    assert f"{receipt}/resume" in links
    for link in sorted(links):
        for browser in (visitor, closed.visitor()):
            for method in ("GET", "HEAD"):
                assert browser.ask(method, link).status < 500, link
                assert browser.ask(method, f"{link}?im_csrf=x&mode=replay&checked=yes").status < 500
    assert app.posts() == []
    after = visitor.get(receipt)
    assert after.state == "held" and "do not touch" in after.text
    assert visitor.press(receipt).field("location") == "/thanks"


def test_a_lost_key_makes_receipts_unreadable_and_breaks_nothing_else(closed):
    """Row 41: says that they cannot be opened; with the key put back they can be again."""
    visitor = closed.visitor()
    receipt = visitor.keep("/claims", [("story", "behind a key")])
    key = next(closed.folder.rglob("node.key"))
    closed.kill()
    aside = closed.folder / "aside"
    key.rename(aside)
    closed.start()
    page = visitor.get(receipt)
    assert page.status == 200 and page.state == "unreadable", page
    assert "cannot open these answers" in page.text and "behind a key" not in page.text
    other = visitor.keep("/claims", [("story", "under a new key")])
    assert "under a new key" in visitor.get(other).text, "nothing else breaks"
    closed.kill()
    shutil.move(aside, key)
    closed.start()
    page = visitor.get(receipt)
    assert page.state == "held" and "behind a key" in page.text, page


def test_what_was_kept_goes_on_though_the_operator_keeps_no_more(closed, app):
    """Row 42."""
    visitor = closed.visitor()
    receipt = visitor.keep("/claims", [("story", "before the change")])
    config = closed.config.read_text()
    closed.config.write_text(config.replace('resume = "replay"', 'resume = "replay"\nkeep = false'))
    closed.types("check", "--config", str(closed.config))
    closed.kill_and_start()
    answer = visitor.post("/claims", [("story", "after it")])
    assert "saved=?0;reason=policy" in answer.field("intermission-state"), answer
    assert visitor.saved() == [receipt]
    closed.reopen()
    assert visitor.press(receipt).field("location") == "/thanks"
    assert app.posts() == [b"story=before+the+change"]


def test_the_result_page_reloaded_sends_nothing(closed, app):
    """Row 44: the ticket's post once more, as a browser does after a reload of what it led to."""
    visitor = closed.visitor()
    receipt = visitor.keep("/claims", [("story", "once")])
    closed.reopen()
    form = visitor.form(receipt)
    assert visitor.post(f"{receipt}/resume", form, referer=receipt).status == 307
    assert visitor.post("/claims", form, referer=receipt).field("location") == "/thanks"
    again = visitor.post("/claims", form, referer=receipt)
    assert again.status in (303, 410) and again.field("location") in (None, receipt), again
    assert app.posts() == [b"story=once"]
    assert visitor.get(receipt).state == "accepted"


REGIONS = """hosts = ["eu.localhost"]
[[region]]
name = "apac"
hosts = ["apac.localhost"]
"""


def test_a_form_kept_in_one_region_goes_on_while_the_other_never_closed(start, app):
    """Row 30 and scenario 15: apac closes and reopens; eu's visitors notice nothing of it."""
    node = start(regions=REGIONS)
    far, near = (Visitor(node.port, f"{region}.localhost") for region in ("apac", "eu"))
    node.close(region="apac")
    assert near.post("/claims", [("story", "eu is open")]).field("location") == "/thanks"
    receipt = far.keep("/claims", [("story", "kept in apac")])
    assert app.posts() == [b"story=eu+is+open"]
    assert far.form(receipt) is None and "kept in apac" in far.get(receipt).text
    # The same browser in the other region has another cookie jar there, and another place.
    assert near.get(receipt).status == 404
    assert near.post("/claims", [("story", "still open")]).field("location") == "/thanks"
    node.close(region="eu")
    node.reopen(region="apac")
    assert far.press(receipt).field("location") == "/thanks"
    assert app.posts() == [b"story=eu+is+open", b"story=still+open", b"story=kept+in+apac"]
    assert near.post("/claims", [("story", "eu is closed now")]).status == 303
    sent = [request for request in app.arrived if b"kept+in+apac" in request.body]
    assert sent[0].fields["host"].startswith("apac.localhost"), sent[0].fields
