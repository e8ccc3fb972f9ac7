"""What is typed survives: our script in the pages of an application that knows nothing of us."""

import json
import signal
import time
import urllib.request
from contextlib import contextmanager

import pytest

from scripted import Page, announce, app, close_under, house, open_page, page, proxy, watches  # noqa: F401
from stage import wait_for


def test_what_was_typed_is_in_the_tab_within_half_a_second_and_on_no_device(page):
    page.types_in("[name=who]", "Ana")
    wait_for(lambda: page.kept(), "a draft", 2)
    assert page.kept() == {"/papers/plain#plain": {"who": "Ana"}}
    assert page.kept("localStorage") == {}, "only in this tab while nothing is announced"


def test_a_reload_into_a_closed_page_and_the_answers_are_back_after_it(page, proxy, app):
    page.types_in("[name=who]", "Ana")
    page.types_in("[name=story]", "Two\nlines")
    wait_for(lambda: page.kept(), "a draft", 2)
    proxy.close("papers")
    page.driver.refresh()
    assert "unavailable" in page.words
    assert "What you had typed on this page is kept on this device" in page.words
    page.picture("closed-with-draft")
    proxy.reopen("papers")
    app.token = "t1"
    page.driver.refresh()
    page.wait_told("Answers put back: 2")
    page.picture("put-back")
    assert (page.value("[name=who]"), page.value("[name=story]")) == ("Ana", "Two\nlines")
    assert page.value("[name=csrf_token]") == "t1", "no hidden field is ever put back"
    page.push("Undo")
    assert (page.value("[name=who]"), page.value("[name=story]")) == ("", "")
    page.driver.refresh()
    wait_for(lambda: page.script("return !!window.__intermission"), "the script")
    watches(page)
    assert page.value("[name=who]") == "" and page.kept() == {}


KINDS = {
    "who": "Ana", "story": "Two\nlines", "day": "2026-11-30", "count": "7", "tags": ["a,b", "D"], "one": ["y"],
    "size=l": True, "agree=on": True, "news=on": False, "city": "Porto", "react_ok=on": True, "late": "later",
    "inner": "in the shade",
}


def fill_kinds(page, paper):
    """Types into each of the kinds of fields, as a visitor does."""
    for css, text in {"[name=who]": "Ana", "[name=story]": "Two\nlines", "[name=day]": "11302026", "#note": "a note",
                      "[name=city]": "Porto", "[name=late]": "later", "[name=nick]": "not wanted"}.items():
        wait_for(lambda css=css: page.all(css), css)
        page.types_in(css, text)
    page.script("const n = document.querySelector('[name=count]'); n.focus(); n.select()")
    page.types_in("[name=count]", "7")
    for css in ("[name=size][value=l]", "[name=agree]", "[name=news]", "[name=react_ok]",
                "[name=one] option[value=y]", "[name=tags] option[value='a,b']", "[name=tags] option:nth-child(3)"):
        page.one(css).click()
    page.script("return document.querySelector('x-field').shadowRoot.querySelector('input')").send_keys("in the shade")
    page.types_in("[name=paper]", str(paper))
    wait_for(lambda: page.all("iframe.tox-edit-area__iframe"), "TinyMCE")
    page.driver.switch_to.frame(page.one("iframe.tox-edit-area__iframe"))
    page.one("body").click()
    page.types_in("body", "rich words")
    page.driver.switch_to.default_content()
    page.types_in(".ql-editor", "quill words")


def test_every_kind_of_field_comes_back_but_the_file(open_page, proxy, app, tmp_path):
    paper = tmp_path / "paper.txt"
    paper.write_text("a paper")
    page = open_page("/papers/kinds")
    fill_kinds(page, paper)

    def kept():
        return page.kept().get("/papers/kinds#claim", {})

    wait_for(lambda: "quill words" in json.dumps(kept()) and "rich words" in json.dumps(kept()), "the draft", 5)
    draft = kept()
    assert {key: draft.get(key) for key in KINDS} == KINDS
    text = json.dumps(draft)
    for never in ("csrf_token", "version", "paper.txt", "not wanted"):
        assert never not in text

    proxy.close("papers")
    page.driver.refresh()
    assert "unavailable" in page.words
    app.token, app.version = "t1", "v1"
    proxy.reopen("papers")
    page.driver.refresh()
    page.wait_told("Answers put back")
    wait_for(lambda: page.value("[name=late]") == "later", "the late field")
    wait_for(lambda: page.script("return tinymce.get('rich')?.getContent()") == "<p>rich words</p>", "TinyMCE")
    wait_for(lambda: page.script("return quill.getText()") == "quill words\n", "Quill")
    page.picture("all-kinds")
    for name in ("who", "story", "day", "count", "one", "city"):
        assert page.value(f"[name={name}]") == (KINDS[name] if name != "one" else "y"), name
    assert page.script("return [...document.querySelector('[name=tags]').selectedOptions].map((o) => o.value)") == ["a,b", "D"]
    assert page.script("return ['[name=size][value=l]', '[name=agree]', '[name=news]'].map((c) => document.querySelector(c).checked)") == [True, True, False]
    assert page.script("return document.querySelector('x-field').shadowRoot.querySelector('input').value") == "in the shade"
    assert page.one("#note").text == "a note"
    assert page.one("#state").text == "Porto/true", "React knows of it"
    assert page.value("[name=paper]") == "" and page.value("[name=nick]") == ""
    assert (page.value("[name=csrf_token]"), page.value("[name=version]")) == ("t1", "v1")


@pytest.mark.parametrize("press", ["#send", "#direct"])
def test_a_submit_in_the_window_is_stopped_and_goes_through_after_it(page, proxy, app, press):
    page.types_in("[name=who]", "Ana")
    close_under(page, proxy)
    assert "Papers is unavailable until about" in page.told and "your answers stay on this device" in page.told
    assert page.kept("localStorage") == {"/papers/plain#plain": {"who": "Ana"}}, "now on the device"
    page.picture("bar")
    page.one(press).click()
    wait_for(lambda: page.dialog, "the dialog", 10)
    assert page.dialog.startswith("Not sent") and "saved on this device" in page.dialog
    page.picture("dialog")
    assert page.at == "/papers/plain" and app.posts == []
    page.push("Keep editing")
    assert not page.dialog
    page.types_in("[name=who]", " Maria")

    app.token = "t1"
    proxy.reopen("papers")
    page.look()
    page.wait_told("is available again")
    page.press(press)
    wait_for(lambda: app.posts, "the post")
    assert page.one("#thanks")
    assert b"who=Ana+Maria" in app.posts[0][2] and len(app.posts) == 1
    assert b"csrf_token=t1" in app.posts[0][2], "with the token of the day"
    assert b"version=v0" in app.posts[0][2], "and nothing else made new"
    wait_for(lambda: page.kept() == {} and page.kept("localStorage") == {}, "the drafts to be deleted", 5)


def test_a_press_right_after_the_reopening_needs_no_look(page, proxy, app):
    page.types_in("[name=who]", "Ana")
    close_under(page, proxy)
    proxy.reopen("papers")
    page.press("#send")
    assert page.one("#thanks") and len(app.posts) == 1 and b"press=yes" in app.posts[0][2]


def test_saved_for_later_leads_to_the_receipt_and_is_sent_from_there(page, proxy, app):
    page.types_in("[name=who]", "Ana & Bea")
    close_under(page, proxy)
    page.one("#send").click()
    wait_for(lambda: page.dialog, "the dialog", 10)
    before = page.one("html")
    page.push("Save for later")
    page.wait_until_gone(before)
    assert page.at.startswith("/.intermission/s/"), page.at
    assert "Ana & Bea" in page.words and "not sent yet" in page.words
    receipt = page.at
    proxy.reopen("papers")
    page.open(receipt)
    page.send()
    assert len(app.posts) == 1
    assert b"who=Ana+%26+Bea" in app.posts[0][2] and b"press=yes" in app.posts[0][2]


def test_a_file_is_saved_for_later_with_the_form(open_page, proxy, tmp_path):
    paper = tmp_path / "sea chart.txt"
    paper.write_bytes(b"depth " * 5000)
    page = open_page("/papers/kinds")
    page.types_in("[name=who]", "Ana")
    page.types_in("[name=paper]", str(paper))
    close_under(page, proxy)
    page.one("#send").click()
    wait_for(lambda: page.dialog, "the dialog", 10)
    before = page.one("html")
    page.push("Save for later")
    page.wait_until_gone(before)
    assert page.at.startswith("/.intermission/s/") and "sea chart.txt" in page.words


def test_a_card_is_kept_nowhere_and_the_dialog_says_so(open_page, proxy, app):
    page = open_page("/papers/card")
    page.types_in("[name=who]", "Ana")
    page.types_in("[name=cardnumber]", "1234")
    page.types_in("[name=digits]", "4111 1111 1111 1111")
    wait_for(lambda: page.kept(), "a draft", 2)
    assert page.kept() == {"/papers/card#pay": {"who": "Ana"}}
    close_under(page, proxy)
    page.one("#send").click()
    wait_for(lambda: page.dialog, "the dialog", 10)
    assert "never kept" in page.dialog and "Save for later" not in page.dialog
    assert app.posts == []


def test_a_form_with_a_password_leaves_nothing_behind(open_page, proxy, app):
    page = open_page("/papers/login")
    page.types_in("[name=who]", "Ana")
    page.types_in("[name=password]", "not-a-secret")
    close_under(page, proxy)
    page.one("#send").click()
    wait_for(lambda: page.dialog, "the dialog", 10)
    assert "never kept" in page.dialog
    assert page.kept() == {} and page.kept("localStorage") == {}
    assert "not-a-secret" not in page.script("return JSON.stringify([{...sessionStorage}, {...localStorage}])")


def test_an_announcement_moves_drafts_to_the_device_and_can_be_dismissed(page, proxy):
    page.types_in("[name=who]", "Ana")
    watches(page)
    wait_for(lambda: page.kept(), "a draft", 2)
    maintenance = announce(proxy)
    page.look()
    page.wait_told("Papers will be unavailable from")
    page.picture("banner")
    wait_for(lambda: page.kept("localStorage"), "the draft on the device", 2)
    page.push("Dismiss")
    wait_for(lambda: not page.told, "the banner to go")
    page.look()
    page.open("/papers/other")
    watches(page)
    assert not page.told, "it is said once"
    proxy.asks(f"/api/v1/maintenances/{maintenance}/cancel", {"reason": "the scenario is over"})


@pytest.mark.parametrize("kind", ["turbo", "htmx", "htmx2", "fetches"])
@pytest.mark.parametrize("known", [True, False])
def test_forms_that_a_library_sends_lose_nothing(open_page, proxy, app, kind, known):
    """Whether the script knows already that it is closed, or learns it by the answer."""
    page = open_page(f"/papers/{kind}")
    page.types_in("[name=who]", "Ana")
    watches(page)
    if known:
        close_under(page, proxy)
    else:
        proxy.close("papers")
        # A page may look at no answer: that it closed before it was sent has to be beyond doubt.
        closed = time.monotonic()
        wait_for(lambda: kind != "fetches" or time.monotonic() > closed + 2.5, "the clocks to agree")
    page.one("#send").click()
    wait_for(lambda: page.dialog, "the dialog", 15)
    assert page.dialog.startswith("Not sent")
    assert page.value("[name=who]") == "Ana" and app.posts == []
    page.push("Keep editing")
    proxy.reopen("papers")
    page.look()
    page.wait_told("is available again")
    page.one("#send").click()
    wait_for(lambda: app.posts, "the post")
    assert b"Ana" in app.posts[0][2]
    wait_for(lambda: page.kept() == {}, "the draft to be deleted", 5)


def test_what_the_visitor_deletes_is_not_put_back(page):
    page.types_in("[name=who]", "Ana")
    wait_for(lambda: page.kept(), "a draft", 2)
    page.types_in("[name=who]", "\b\b\b")
    wait_for(lambda: not page.kept(), "the draft to be deleted", 2)


@contextmanager
def forms(proxy, line):
    """The route with this line in its [route.forms]; as it was, afterwards."""
    told = proxy.config.read_text()
    papers = 'paths = ["/papers/*"]\nupstream = "django"\n'
    assert papers in told

    def take(text, never):
        proxy.config.write_text(text)
        proxy.process.send_signal(signal.SIGHUP)
        url = f"http://127.0.0.1:{proxy.port}/.intermission/v1/state?p=/papers/plain"

        def taken():
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)["never"] == never

        wait_for(taken, "the reload")

    take(told.replace(papers, f'{papers}[route.forms]\n{line}\nnever_kept = ["a mark"]\n'), ["a mark"])
    try:
        yield
    finally:
        take(told, [])


def test_the_kill_switch_takes_all_of_it_away(page, proxy):
    page.types_in("[name=who]", "Ana")
    wait_for(lambda: page.kept(), "a draft", 2)
    close_under(page, proxy)
    assert page.kept("localStorage")
    with forms(proxy, "script = false"):
        page.look()
        wait_for(lambda: page.script("return sessionStorage.length + localStorage.length") == 0, "nothing to be left")
        assert page.told == "" and not page.all("intermission-bar")
        page.types_in("[name=who]", " Maria")
        page.open("/papers/other")
        assert page.kept() == {}, "and nothing is kept any more"


def test_where_the_policy_forbids_to_fetch_the_state_comes_as_a_module(open_page, proxy, app):
    app.head = {"content-security-policy": "default-src 'none'; script-src 'nonce-n0' 'strict-dynamic'"}
    with forms(proxy, 'csp = "respect"'):
        page = open_page("/papers/plain")
        page.types_in("[name=who]", "Ana")
        close_under(page, proxy)
        page.one("#send").click()
        wait_for(lambda: page.dialog, "the dialog", 10)
        assert "Save for later" not in page.dialog, "it could not be sent"
        assert page.complaints() == []
        asked = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
        assert all("state.mjs" in name for name in page.script(asked) if "/v1/" in name)


def test_two_tabs_ask_with_one_voice(page):
    """One asks for both; when it goes, the other does."""
    watches(page)
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    page.open("/papers/other")
    locks = "navigator.locks.query().then((all) => arguments[0](all.held.length + '/' + all.pending.length))"
    wait_for(lambda: page.driver.execute_async_script(locks) in ("1/0", "1/1"), "one to lead")
    page.driver.switch_to.window(first)
    page.driver.close()
    page.driver.switch_to.window(page.driver.window_handles[0])
    wait_for(lambda: page.driver.execute_async_script(locks) == "1/0", "the other to lead")


STRICT = {
    "nonce": "default-src 'none'; script-src 'nonce-n0' 'strict-dynamic'; connect-src 'self'; base-uri 'none'",
    "nonce-only": "script-src 'nonce-n0'; connect-src 'self'",
    "elsewhere": "default-src 'self'; script-src https://cdn.example 'nonce-n0'; connect-src https://api.example",
    "types": "default-src 'self'; script-src 'self' 'nonce-n0'; require-trusted-types-for 'script'; trusted-types 'none'",
}


@pytest.mark.parametrize("policy", STRICT)
def test_strict_policies_break_nothing_and_keep_the_script(open_page, proxy, app, policy):
    app.head = {"content-security-policy": STRICT[policy]}
    page = open_page("/papers/plain")
    page.types_in("[name=who]", "Ana")
    close_under(page, proxy)
    page.one("#send").click()
    wait_for(lambda: page.dialog, "the dialog", 10)
    page.push("Keep editing")
    proxy.reopen("papers")
    page.driver.refresh()
    page.wait_told("Answers put back: 1")
    assert page.complaints() == []


def test_a_policy_that_forbids_scripts_leaves_the_page_whole(proxy, app, tmp_path):
    app.head = {"content-security-policy": "default-src 'none'"}
    page = Page(proxy.site, tmp_path / "profile")
    try:
        page.open("/papers/plain")
        page.types_in("[name=who]", "Ana")
        page.press("#send")
        assert page.one("#thanks") and len(app.posts) == 1
    finally:
        page.quit()


def test_where_nothing_can_be_stored_the_bar_says_so(open_page, proxy):
    page = open_page("/papers/other")
    page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": """
        for (const name of ['sessionStorage', 'localStorage'])
          Object.defineProperty(window, name, { get() { throw new DOMException('no', 'SecurityError') } })"""})
    page.open("/papers/plain")
    page.types_in("[name=who]", "Ana")
    close_under(page, proxy)
    assert "keeps nothing on this device" in page.told
    page.script("window.onbeforeunload = null")


def test_a_submit_that_fails_keeps_the_draft_and_asks(page, app):
    app.instead["thanks"] = (500, b"<p id=thanks>broken", {})
    page.types_in("[name=who]", "Ana")
    wait_for(lambda: page.kept(), "a draft", 2)
    page.press("#send")
    page.open("/papers/plain")
    page.wait_told("still kept")
    page.picture("offer")
    page.push("Put them back")
    wait_for(lambda: page.value("[name=who]") == "Ana", "the answers")


def test_logging_out_deletes_the_drafts(page):
    page.types_in("[name=who]", "Ana")
    wait_for(lambda: page.kept(), "a draft", 2)
    page.open("/papers/logout")
    wait_for(lambda: page.kept() == {}, "the drafts to be deleted", 5)


def test_the_visitor_reads_it_in_the_language_of_the_page_or_their_own(open_page, proxy):
    page = open_page("/papers/plain", languages="ar")
    page.script("document.documentElement.lang = ''")
    page.types_in("[name=who]", "Ana")
    watches(page)
    proxy.close("papers")
    page.look()
    page.wait_told("غير متاحة")
    page.one("#send").click()
    wait_for(lambda: page.dialog, "the dialog", 10)
    page.narrow(320)
    page.picture("dialog-ar-320")
    assert page.script("return document.querySelector('intermission-bar').shadowRoot.querySelector('.all').dir") == "rtl"
    page.dark()
    page.picture("dialog-ar-320-dark")
    page.push("متابعة التحرير")
    page.picture("bar-ar-320-dark")


def test_the_dialog_is_a_dialog_to_the_keyboard_and_hides_no_focus(page, proxy):
    from selenium.webdriver.common.keys import Keys

    page.narrow(320)
    close_under(page, proxy)
    page.types_in("[name=who]", "Ana" + Keys.ENTER)
    wait_for(lambda: page.dialog, "the dialog", 10)
    focus = "const bar = document.querySelector('intermission-bar'); return bar.shadowRoot.activeElement?.innerText"
    assert page.script(focus) == "Save for later"
    role = "const d = document.querySelector('intermission-bar').shadowRoot.querySelector('dialog'); return d.getAttribute('role')"
    assert page.script(role) == "alertdialog"
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait_for(lambda: not page.dialog, "the dialog to close")
    assert page.script("return document.activeElement.name") == "who"
    for _ in range(3):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        wait_for(lambda: page.script("""
            const over = document.querySelector('intermission-bar').shadowRoot.querySelector('.all').getBoundingClientRect().top;
            return document.activeElement.localName === 'intermission-bar'
              || document.activeElement.getBoundingClientRect().bottom <= over + 1"""), "the focus to be seen", 3)
    assert page.script("return document.documentElement.scrollWidth <= innerWidth")


def test_the_types_of_the_script_are_right():
    import subprocess
    from pathlib import Path

    here = Path(__file__).parent
    done = subprocess.run([here / "node_modules/.bin/tsc", "-p", here], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
