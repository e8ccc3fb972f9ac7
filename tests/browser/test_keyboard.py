"""From the form to the answer with the keyboard alone, and on a screen that shows little of it."""

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

import axe
from scripted import announce, app, close_under, house, open_page, page, proxy, watches  # noqa: F401
from stage import wait_for

# The element that has the focus, through shadow roots; whether it can be seen, and that it has it.
FOCUS = """
let el = document.activeElement;
while (el?.shadowRoot?.activeElement) el = el.shadowRoot.activeElement;
if (!el || el === document.body || el.localName === 'intermission-bar') return null;
const { left, right, top, bottom } = el.getBoundingClientRect(), style = getComputedStyle(el);
let root = document, at;
do { at = root.elementFromPoint((left + right) / 2, Math.min((top + bottom) / 2, innerHeight - 2)); root = at?.shadowRoot } while (root);
return {
  name: (el.innerText || el.getAttribute('name') || el.id || el.localName).trim(),
  order: [...document.querySelectorAll('*')].indexOf(el),
  seen: top > -1 && bottom < innerHeight + 1 && !!at && (el === at || el.contains(at) || at.contains(el)),
  ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
}"""
# What a keyboard should reach on a page of ours, as it stands there.
REACHABLE = """return [...document.querySelectorAll('a[href], button, input:not([type=hidden]), summary')]
  .filter((el) => el.checkVisibility()).map((el) => (el.innerText || el.getAttribute('name') || el.id).trim())"""


def keys(page, *pressed):
    """Presses keys wherever the focus is."""
    ActionChains(page.driver).send_keys(*pressed).perform()


def focus(page):
    """What has the focus."""
    return page.script(FOCUS)


def tab_to(page, name, most=15):
    """Tabs until this has the focus, and returns what had it on the way."""
    way = []
    for _ in range(most):
        keys(page, Keys.TAB)
        way.append(focus(page))
        if way[-1] and way[-1]["name"] == name:
            return way
    raise AssertionError(f"{name!r} was not reached: {way}")


def stops(page):
    """Everything that Tab reaches on a page, from its top to its end, each seen and marked."""
    page.script("document.querySelector('h1').tabIndex = -1; document.querySelector('h1').focus()")
    way = []
    for _ in range(40):
        keys(page, Keys.TAB)
        here = focus(page)
        if not here or here in way:
            break
        assert here["ring"], f"no mark of the focus: {here}"
        assert here["seen"], f"the focus is out of sight: {here}"
        way.append(here)
    assert [stop["order"] for stop in way] == sorted(stop["order"] for stop in way), "not in the order of the page"
    return [stop["name"] for stop in way]


def test_the_whole_way_with_the_keyboard_alone(page, proxy, app):
    keys(page, "Ana")
    assert page.value("[name=who]") == "Ana", "the page puts the focus there"
    close_under(page, proxy)
    tab_to(page, "Send")
    keys(page, Keys.ENTER)
    wait_for(lambda: page.dialog, "the dialog", 10)
    assert focus(page)["name"] == "Save for later" and focus(page)["ring"]
    keys(page, Keys.ESCAPE)
    wait_for(lambda: not page.dialog, "the dialog to close")
    assert focus(page)["name"] == "Send", "the focus is where it was"

    keys(page, Keys.ENTER)
    wait_for(lambda: page.dialog, "the dialog", 10)
    keys(page, Keys.TAB)
    assert focus(page)["name"] == "Keep editing"
    for _ in range(4):
        keys(page, Keys.TAB)
        # What is behind a dialog is not reached; the browser's own bars are.
        assert (focus(page) or {"name": "Keep editing"})["name"] in ("Save for later", "Keep editing")
    if (focus(page) or {}).get("name") != "Save for later":
        tab_to(page, "Save for later")
    before = page.one("html")
    keys(page, Keys.ENTER)
    page.wait_until_gone(before)
    receipt = page.at
    assert receipt.startswith("/.intermission/s/") and "not sent yet" in page.words
    assert stops(page) == page.script(REACHABLE)

    proxy.reopen("papers")
    page.open(receipt)
    assert stops(page) == page.script(REACHABLE)
    page.script("document.querySelector('h1').focus()")
    tab_to(page, "Send")
    before = page.one("html")
    keys(page, Keys.ENTER)
    page.wait_until_gone(before)
    assert page.one("#thanks") and len(app.posts) == 1 and b"who=Ana" in app.posts[0][2]


def test_what_is_folded_on_a_receipt_opens_with_the_keyboard(page, proxy):
    keys(page, "Ana")
    close_under(page, proxy)
    keys(page, Keys.ENTER)
    wait_for(lambda: page.dialog, "the dialog", 10)
    before = page.one("html")
    keys(page, Keys.ENTER)
    page.wait_until_gone(before)
    page.script("document.querySelector('h1').tabIndex = -1; document.querySelector('h1').focus()")
    tab_to(page, "Delete these answers")
    keys(page, Keys.ENTER)
    tab_to(page, "Delete now", 1)
    assert stops(page) == page.script(REACHABLE)
    page.script("document.querySelector('h1').focus()")
    tab_to(page, "Delete now")
    before = page.one("html")
    keys(page, Keys.ENTER)
    page.wait_until_gone(before)
    assert page.at.startswith("/.intermission/s"), page.at


def test_a_focus_that_cannot_be_seen_is_found(page, proxy):
    """The control: a page whose marks of the focus were taken away, and one that hides a button."""
    proxy.close("papers")
    page.open("/papers/plain")
    assert stops(page)
    page.script("document.head.append(Object.assign(document.createElement('style'), {}));"
                "const sheet = new CSSStyleSheet(); sheet.replaceSync('* { outline: none !important }');"
                "document.adoptedStyleSheets = [sheet]")
    with pytest.raises(AssertionError, match="no mark"):
        stops(page)


LOOKS = [("en", "light"), ("en", "dark"), ("ar", "light"), ("ar", "dark")]


@pytest.mark.parametrize("language, scheme", LOOKS)
def test_axe_finds_nothing_in_what_the_script_shows(open_page, proxy, language, scheme):
    page = open_page("/papers/plain", languages=language)
    page.prefers({"prefers-color-scheme": scheme})
    page.script("document.documentElement.lang = arguments[0]", language)
    page.types_in("[name=who]", "Ana")
    watches(page)
    maintenance = announce(proxy)

    def clean(what):
        # Only when it has come to rest: while it fades in its colours are not its own.
        wait_for(lambda: not page.script("""return document.querySelector('intermission-bar').shadowRoot
            .getAnimations().length"""), "the bar to rest")
        assert axe.faults(page, "intermission-bar", practice=False) == [], what
        page.picture(f"{what}-{language}-{scheme}")

    page.look()
    wait_for(lambda: page.told, "the announcement")
    clean("announced")
    page.driver.refresh()
    page.script("document.documentElement.lang = arguments[0]", language)
    wait_for(lambda: "1" in page.told, "what was put back")
    clean("put-back")
    proxy.asks(f"/api/v1/maintenances/{maintenance}/cancel", {"reason": "the scenario is over"})
    told = page.told
    proxy.close("papers")
    page.look()
    wait_for(lambda: page.told != told, "the closing")
    clean("closed")
    page.one("#send").click()
    wait_for(lambda: page.dialog, "the dialog", 10)
    clean("dialog")


def test_axe_looks_into_the_bar(page, proxy):
    """The control: what is wrong in it is found through its shadow root."""
    page.types_in("[name=who]", "Ana")
    close_under(page, proxy)
    page.one("#send").click()
    wait_for(lambda: page.dialog, "the dialog", 10)
    page.script("document.querySelector('intermission-bar').shadowRoot.querySelector('dialog button').textContent = ''")
    assert [fault for fault in axe.faults(page, "intermission-bar", practice=False) if fault.startswith("button-name")]


# Width and height in CSS pixels, and the size of text: 1280 × 1024 at 400 %, and text alone at 200 %.
SIZES = [(320, 256, "100%"), (640, 512, "200%"), (320, 640, "100%")]


@pytest.mark.parametrize("width, height, text", SIZES)
@pytest.mark.parametrize("language", ["en", "de", "ar"])
def test_the_bar_and_the_dialog_fit_a_small_screen(open_page, proxy, language, width, height, text):
    page = open_page("/papers/plain", languages=language)
    page.narrow(width, height)
    page.script("document.documentElement.lang = arguments[0]; document.documentElement.style.fontSize = arguments[1]", language, text)
    page.types_in("[name=who]", "Ana")
    watches(page)
    proxy.close("papers")
    page.look()
    wait_for(lambda: page.told, "the bar")

    def fits(what):
        page.picture(f"{what}-{language}-{width}x{height}")
        wide = page.script("""const root = document.querySelector('intermission-bar').shadowRoot;
            return [...root.querySelectorAll('*')].filter((el) => {
              const { left, right, width } = el.getBoundingClientRect();
              return width && (left < -1 || right > innerWidth + 1 || el.scrollWidth > el.clientWidth + 1 && el.clientWidth);
            }).map((el) => el.outerHTML.slice(0, 100))""")
        assert wide == [], what
        assert page.script("return document.scrollingElement.scrollWidth <= innerWidth"), what

    fits("bar")
    share = "return document.querySelector('intermission-bar').shadowRoot.querySelector('.all').offsetHeight / innerHeight"
    assert page.script(share) <= 0.5, "the bar leaves half of the page to be seen"
    page.one("#send").send_keys(Keys.ENTER)
    wait_for(lambda: page.dialog, "the dialog", 10)
    fits("dialog")
    assert focus(page)["seen"], "the button that has the focus can be seen"
    keys(page, Keys.TAB)
    assert focus(page)["seen"], "and so can the other"
    keys(page, Keys.ESCAPE)
    wait_for(lambda: not page.dialog, "the dialog to close")
    wait_for(lambda: focus(page)["seen"], "the focus to be seen again", 5)
