"""Every page of ours, as `tests/pages/render.rs` left it: by axe's rules, narrow, and with large text."""

import re
from pathlib import Path

import pytest

import axe
from browser import Browser
from conftest import BINARY

PAGES = Path(BINARY).parents[1] / "tmp" / "pages"
# What differs between the pages of one kind is a sentence.
ONE_IS_ENOUGH = re.compile(r"not-kept-(?!0-origin)")
LOOKS = [("En", "light"), ("De", "dark"), ("Ar", "dark"), ("Ja", "light")]


def pages(language):
    """The pages in this language."""
    found = sorted(PAGES.glob(f"*-{language}.html"))
    assert len(found) > 50, f"{PAGES} has {len(found)}: `cargo test --test tests pages::render` writes them"
    return [page for page in found if not ONE_IS_ENOUGH.match(page.name)]


@pytest.fixture(scope="module")
def look(tmp_path_factory):
    """A browser that looks at files."""
    browser = Browser("", tmp_path_factory.mktemp("profile"))
    yield browser
    browser.quit()


@pytest.mark.parametrize("language, scheme", LOOKS)
def test_axe_finds_nothing_on_any_page(look, language, scheme):
    look.prefers({"prefers-color-scheme": scheme})
    look.narrow(1000)
    found = {}
    for page in pages(language):
        look.open(page.as_uri())
        if faults := axe.faults(look):
            found[page.name] = faults
    assert found == {}


@pytest.mark.parametrize("broken, rule", [
    ("document.querySelector('main p').style.color = '#bbb'", "color-contrast"),
    ("document.documentElement.removeAttribute('lang')", "html-has-lang"),
    ("document.querySelector('label').remove()", "label"),
    ("document.querySelector('button').textContent = ''", "button-name"),
])
def test_a_page_broken_on_purpose_is_found(look, broken, rule):
    """The control of the test above."""
    look.prefers({"prefers-color-scheme": "light"})
    look.open((PAGES / "code-Ask-En.html").as_uri())
    assert axe.faults(look) == []
    look.driver.execute_script(broken)
    assert [fault for fault in axe.faults(look) if fault.startswith(rule)], rule


# Sideways, and in height: whatever is wider than its place is cut off, or scrolls in two directions.
OVERFLOWS = """
const page = document.scrollingElement, wide = [];
if (page.scrollWidth > innerWidth) wide.push('the page: ' + page.scrollWidth);
for (const el of document.querySelectorAll('body *')) {
  const { left, right, width } = el.getBoundingClientRect();
  if (width && getComputedStyle(el).visibility === 'visible' && (left < -1 || right > innerWidth + 1))
    wide.push(el.localName + ' ' + el.className + ': ' + Math.round(left) + '–' + Math.round(right));
  if (el.scrollWidth > el.clientWidth + 1 && getComputedStyle(el).overflowX !== 'visible') wide.push('cut off: ' + el.outerHTML.slice(0, 120));
}
return wide"""
# CSS pixels across, and how large the text is: WCAG 2.2, 1.4.10 and 1.4.4.
SIZES = [(320, "100%"), (640, "200%")]


def too_wide(browser):
    """What does not fit, with everything unfolded."""
    browser.driver.execute_script("document.querySelectorAll('details').forEach((part) => { part.open = true })")
    return browser.driver.execute_script(OVERFLOWS)


@pytest.mark.parametrize("width, text", SIZES)
@pytest.mark.parametrize("language", ["De", "Fr", "Ar", "Ja"])
def test_nothing_is_wider_than_a_small_screen(look, language, width, text):
    look.narrow(width)
    found = {}
    for page in pages(language):
        look.open(page.as_uri())
        look.driver.execute_script("document.documentElement.style.fontSize = arguments[0]", text)
        if wide := too_wide(look):
            found[page.name] = wide
    assert found == {}


def test_what_is_too_wide_is_found(look):
    """The control of the test above."""
    look.narrow(320)
    look.open((PAGES / "list-0-En.html").as_uri())
    assert too_wide(look) == []
    look.driver.execute_script("document.querySelector('h1').style.minWidth = '400px'")
    assert too_wide(look)


def test_nothing_moves_where_motion_is_not_wanted(look):
    look.prefers({"prefers-reduced-motion": "reduce"})
    look.open((PAGES / "receipt-0-Held-En.html").as_uri())
    moving = """return [...document.querySelectorAll('*')].filter((el) => {
        const style = getComputedStyle(el);
        return style.animationName !== 'none' || parseFloat(style.transitionDuration) > 0;
    }).map((el) => el.outerHTML.slice(0, 80))"""
    assert look.driver.execute_script(moving) == []
    look.prefers({"prefers-reduced-motion": "no-preference"})
    assert look.driver.execute_script(moving), "the control: with motion, something does"


def test_forced_colours_leave_the_marks_of_buttons_and_cards(look):
    """Where the visitor's system picks the colours, what only a colour told would be lost."""
    look.prefers({"forced-colors": "active"})
    look.open((PAGES / "receipt-0-Held-En.html").as_uri())
    edges = """return ['.button', '.card'].map((css) => {
        const style = getComputedStyle(document.querySelector(css));
        return style.borderTopStyle !== 'none' && parseFloat(style.borderTopWidth) > 0;
    })"""
    assert look.driver.execute_script("return matchMedia('(forced-colors: active)').matches")
    assert look.driver.execute_script(edges) == [True, True]
    look.picture("forced-colours")
    look.prefers({"forced-colors": "none"})
