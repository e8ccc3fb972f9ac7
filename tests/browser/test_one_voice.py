"""What is put back is put back once: by one tab, and told by one voice."""

import pytest

from scripted import announce, app, close_under, house, open_page, page, proxy, watches  # noqa: F401
from stage import wait_for


@pytest.fixture
def announced(page, proxy):
    """A page with a form that somebody fills in while a window is announced."""
    page.types_in("[name=who]", "Ana")
    watches(page)
    maintenance = announce(proxy)
    page.look()
    page.wait_told("Papers will be unavailable from")
    wait_for(lambda: page.kept("localStorage"), "the draft on the device")
    yield page
    proxy.asks(f"/api/v1/maintenances/{maintenance}/cancel", {"reason": "the scenario is over"})


def new_tab(page):
    """Opens the form in another tab and waits until the script has looked for drafts."""
    page.driver.switch_to.new_window("tab")
    page.open("/papers/plain")
    # The rest of the script is loaded for the drafts; a slot is held once they were looked for.
    wait_for(lambda: page.script("return performance.getEntriesByType('resource').some((e) => e.name.includes('more.js'))"), "the rest")
    tab = page.driver.current_window_handle
    page.wait_told("Papers will be unavailable from")
    return tab


def slots(page):
    """The drafts' places that some tab holds."""
    return page.driver.execute_async_script("""navigator.locks.query().then((all) => arguments[0](
        all.held.map(({ name }) => name).filter((name) => name.startsWith('intermission:draft:')).sort()))""")


def test_a_second_tab_shows_nothing_of_the_first_and_takes_nothing_from_it(announced):
    page, first = announced, announced.driver.current_window_handle
    assert slots(page) == ["intermission:draft:/papers/plain#plain"]
    new_tab(page)
    wait_for(lambda: len(slots(page)) == 2, "a place of its own")
    assert page.value("[name=who]") == "" and "put back" not in page.told and "still kept" not in page.told
    page.types_in("[name=who]", "Bea")
    both = {"/papers/plain#plain": {"who": "Ana"}, "/papers/plain#plain~2": {"who": "Bea"}}
    wait_for(lambda: page.kept("localStorage") == both, "both drafts on the device")

    page.driver.refresh()
    page.wait_told("Answers put back: 1")
    assert page.value("[name=who]") == "Bea", "each tab its own"
    page.driver.switch_to.window(first)
    page.driver.refresh()
    page.wait_told("Answers put back: 1")
    assert page.value("[name=who]") == "Ana"


def test_a_draft_whose_tab_was_closed_comes_back_in_the_next_one_and_in_no_other(announced):
    page, first = announced, announced.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    blank = page.driver.current_window_handle
    page.driver.switch_to.window(first)
    page.driver.close()
    page.driver.switch_to.window(blank)
    page.open("/papers/plain")
    page.wait_told("Answers put back: 1")
    assert page.value("[name=who]") == "Ana"
    new_tab(page)
    wait_for(lambda: len(slots(page)) == 2, "a place of its own")
    assert page.value("[name=who]") == "" and "put back" not in page.told


def test_what_one_tab_sends_leaves_the_draft_of_the_other(announced, app):
    page, first = announced, announced.driver.current_window_handle
    new_tab(page)
    page.types_in("[name=who]", "Bea")
    wait_for(lambda: len(page.kept("localStorage")) == 2, "both drafts on the device")
    page.press("#send")
    assert page.one("#thanks") and b"who=Bea" in app.posts[0][2]
    wait_for(lambda: page.kept("localStorage") == {"/papers/plain#plain": {"who": "Ana"}}, "one to be left")
    page.driver.switch_to.window(first)
    assert page.value("[name=who]") == "Ana"
    page.press("#send")
    assert page.one("#thanks") and b"who=Ana" in app.posts[1][2]
    wait_for(lambda: page.kept("localStorage") == {}, "none to be left")


def test_what_the_server_put_back_the_script_completes_and_says_nothing(open_page, proxy, tmp_path):
    """The page comes with the answers in it and a note that says so. React knows nothing of them, and
    one field is made later: the script gives them theirs, and the note no longer misses them."""
    paper = tmp_path / "sea chart.txt"
    paper.write_text("depth")
    page = open_page("/papers/kinds")
    for css, text in {"[name=who]": "Ana", "[name=story]": "Two\nlines", "[name=city]": "Porto", "[name=late]": "later"}.items():
        wait_for(lambda css=css: page.all(css), css)
        page.types_in(css, text)
    page.types_in("[name=paper]", str(paper))
    close_under(page, proxy)
    page.one("#send").click()
    wait_for(lambda: page.dialog, "the dialog", 10)
    before = page.one("html")
    page.push("Save for later")
    page.wait_until_gone(before)
    receipt = page.at
    proxy.reopen("papers")
    page.open(receipt)
    page.press("form[action$='/refill'] button")
    note = "[data-im-refill]"
    assert "Your saved answers are back in this form" in page.one(note).text
    wait_for(lambda: page.one("#state").text == "Porto/false", "React to know of it")
    wait_for(lambda: page.value("[name=late]") == "later", "the late field")
    assert (page.value("[name=who]"), page.value("[name=story]")) == ("Ana", "Two\nlines")
    said = page.one(note).text
    assert "Porto" not in said and "later" not in said, said
    assert "sea chart.txt" in said, "a file nobody but the visitor can choose"
    assert page.told == "", "the note says it, and nobody else"
    assert page.script("const { top } = document.querySelector(arguments[0]).getBoundingClientRect();"
                       "return top > -1 && top < innerHeight", note), "it is what is seen first"

    # Another word typed, and the page reloaded: what the server had put back is not forgotten.
    page.types_in("[name=who]", " Maria")
    wait_for(lambda: "Ana Maria" in str(page.kept()), "the draft")
    page.driver.refresh()
    page.wait_told("Answers put back")
    wait_for(lambda: page.value("[name=late]") == "later", "the late field")
    assert (page.value("[name=who]"), page.value("[name=story]")) == ("Ana Maria", "Two\nlines")
