"""What another site, another visitor or a typed word might do in a real browser."""

import json
import secrets

import pytest
from selenium.common.exceptions import NoAlertPresentException

from conftest import BINARY
from stage import Proxy, wait_for

CROSS_SITE = {
    "application/x-www-form-urlencoded": '<input name=name value="{mark}">',
    "multipart/form-data": '<input name=name value="{mark}">',
    "text/plain": '<input name=name value="{mark}">',
}
# Each would open a dialog in a page that takes it for markup or script.
SCRIPTS = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(2)>",
    "'><svg onload=alert(3)>",
    "</textarea><script>alert(4)</script>",
    "</title><script>alert(5)</script>",
    "javascript:alert(6)",
    "{{7*7}}{% raw %}<script>alert(7)</script>",
    "<iframe srcdoc='<script>parent.alert(8)</script>'>",
    "\u2028</dl><script>alert(9)</script>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(10)'>",
    "<base href=//evil.example/><form action=//evil.example><button autofocus onfocus=alert(11)>",
    "&lt;script&gt;alert(12)&lt;/script&gt;",
    "<a href=javascript:alert(13)>x</a><style>@import'//evil.example'</style>",
    "--><script>alert(14)</script><!--",
    "]]><script>alert(15)</script>",
    "\x1b[31m<script>alert(16)</script>",
]
# Told of a dialog, were one opened: a headless page answers `alert` at once.
WATCH = """
window.__dialogs = [];
for (const name of ['alert', 'confirm', 'prompt']) {
  window[name] = (...words) => { window.__dialogs.push([name, ...words]); };
}
"""


class Bare(Proxy):
    """A proxy that puts no script into pages: what it keeps, it keeps by itself."""

    def written(self, upstream_port):
        upstream = 'upstream = "django"\n'
        return super().written(upstream_port).replace(upstream, upstream + "[route.forms]\nscript = false\n")


@pytest.fixture(scope="module")
def node(django, tmp_path_factory):
    """Pages have no script of ours, so that browsers with JavaScript send forms as others do."""
    node = Bare(BINARY, tmp_path_factory.mktemp("proxy"), django.port)
    yield node
    node.kill()


def dialogs(visitor):
    """Every dialog that the page in front has opened."""
    try:
        return [visitor.driver.switch_to.alert.text]
    except NoAlertPresentException:
        return visitor.driver.execute_script("return window.__dialogs")


@pytest.fixture
def watched(visit):
    """Somebody whose pages tell of dialogs."""
    visitor = visit()
    visitor.emulate("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
    return visitor


def fill_paper(visitor, note, paper):
    """Fills the form with a file, whose name a script has to set: no disk takes such names."""
    visitor.open("/papers/")
    visitor.driver.execute_script(
        """const [note, name] = arguments;
        document.querySelector('[name=note]').value = note;
        const files = new DataTransfer();
        files.items.add(new File(['bytes'], name));
        document.querySelector('[name=paper]').files = files.files;""",
        note, paper,
    )


def test_no_script_that_was_typed_or_uploaded_runs_on_our_pages(watched, proxy, django):
    visitor = watched
    receipts = {}
    everything = "\n".join(SCRIPTS)
    for note, paper in [(everything, "harmless.txt"), *[("harmless", word) for word in SCRIPTS]]:
        fill_paper(visitor, note, paper)
        proxy.close("papers", reason="upgrade")
        visitor.press("#send")
        assert visitor.at.startswith("/.intermission/s/"), visitor.words
        receipts[visitor.at] = note, paper
        proxy.reopen("papers")
    for receipt, (note, paper) in receipts.items():
        visitor.open(receipt)
        # It is shown, as text: what a browser made of the name is what is compared.
        shown = [answer.text for answer in visitor.all("dl.answers dd")]
        assert any("bytes" in words or "harmless" in words for words in shown), shown
        assert dialogs(visitor) == [], (note, paper)
        assert not visitor.all("main script, main img, main iframe, main svg, main base, main style")
        assert not [link for link in visitor.all("main a") if (link.get_attribute("href") or "").startswith("javascript")]
    visitor.open("/.intermission/s")
    assert dialogs(visitor) == []
    note = visitor.driver.execute_async_script(
        "const done = arguments[1]; fetch(arguments[0] + '/data').then((it) => it.text()).then(done)",
        next(iter(receipts)),
    )
    assert SCRIPTS[0] in note, "the download has every word of it"


def test_a_dialog_would_be_seen(watched, elsewhere):
    """The control of the test above."""
    page, address = elsewhere
    page.page = f"<!doctype html><p>{SCRIPTS[1]}".encode()
    watched.open(address)
    wait_for(lambda: dialogs(watched), "the dialog")
    assert dialogs(watched) == [["alert", 2]]


@pytest.mark.parametrize("encoding", CROSS_SITE)
def test_a_page_of_another_site_adds_nothing_to_the_victims_receipts(visit, proxy, django, elsewhere, encoding):
    """Scenario 8: posted by itself, from 127.0.0.1 to localhost, while its victim has receipts."""
    mark = f"laundered {secrets.token_hex(4)}"
    page, address = elsewhere
    field = CROSS_SITE[encoding].format(mark=mark)
    page.page = f"""<!doctype html><form method=post enctype="{encoding}"
        action="{proxy.site}/admin/auth/group/add/">{field}</form>
        <script>document.forms[0].submit()</script>""".encode()
    visitor = visit()
    visitor.log_in()
    own = f"Her own {secrets.token_hex(4)}"
    visitor.fill_group(own)
    proxy.close("admin")
    visitor.press("[name=_save]")
    saved = [proxy.site + visitor.at]
    visitor.open(address)
    wait_for(lambda: visitor.at == "/admin/auth/group/add/", "the other site's form to be posted")
    assert "your answers were not saved" in visitor.words
    assert "came from a page of this site" in visitor.words
    assert visitor.saved() == saved
    proxy.reopen("admin")
    visitor.driver.refresh()
    assert (django.groups(mark), django.groups(own)) == (0, 0)
    visitor.open(saved[0])
    visitor.send()
    assert (django.groups(mark), django.groups(own)) == (0, 1), "her own goes on as before"


def test_another_site_cannot_press_send_or_show_a_receipt_in_a_frame(visit, proxy, django, elsewhere):
    page, address = elsewhere
    visitor = visit()
    visitor.log_in()
    group = f"Harbour crew {secrets.token_hex(4)}"
    visitor.fill_group(group)
    proxy.close("admin")
    visitor.press("[name=_save]")
    receipt = visitor.at
    proxy.reopen("admin")
    visitor.open(receipt)
    # All that a thief could know, even what only the page itself tells.
    form = visitor.driver.execute_script(
        "return [...new FormData(document.querySelector('form[action$=\"/resume\"]'))]"
    )
    fields = "".join(f'<input name="{name}" value="{value}">' for name, value in form)
    for action in (f"{receipt}/resume", f"{receipt}/discard", "/admin/auth/group/add/"):
        page.page = f"""<!doctype html><form method=post action="{proxy.site}{action}">{fields}</form>
            <script>document.forms[0].submit()</script>""".encode()
        visitor.open(address)
        wait_for(lambda: visitor.at == action, action)
        assert django.groups(group) == 0, action
    page.page = f"<!doctype html><iframe src='{proxy.site}{receipt}'></iframe>".encode()
    visitor.open(address)
    visitor.driver.switch_to.frame(visitor.one("iframe"))
    assert group not in visitor.driver.page_source, "no other site's frame shows it"
    visitor.driver.switch_to.default_content()
    visitor.open(receipt)
    assert group in visitor.words, "nothing of all that has touched it"
    visitor.send()
    assert django.groups(group) == 1


def test_a_receipt_that_an_attacker_sends_around_offers_nothing(visit, proxy, django):
    """Scenario 9, as today's product has it: a link without its browser's cookie opens nothing."""
    attacker, victim = visit(scripts="off"), visit(scripts="off")
    words = f"pay the attacker {secrets.token_hex(4)}"
    for visitor in (attacker, victim):
        visitor.open("/papers/")
    attacker.one("[name=note]").send_keys(words)
    proxy.close("papers")
    attacker.press("#send")
    receipt = attacker.at
    # The victim has saved answers too, so that a cookie is there.
    victim.one("[name=note]").send_keys("my own")
    victim.press("#send")
    proxy.reopen("papers")
    before = len(django.papers())
    attacker.open(receipt)
    assert attacker.all("form[action$='/resume']"), "the control: its owner could send it"
    victim.open(receipt)
    assert "cannot find these answers in this browser" in victim.words
    assert not victim.all("form") and words not in victim.driver.page_source
    assert len(victim.saved()) == 1
    assert len(django.papers()) == before
    assert json.dumps(words) not in json.dumps(django.papers())
