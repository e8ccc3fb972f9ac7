"""Applications of kinds that nobody named: what holds for them comes from how browsers and HTTP work."""

import json
import urllib.parse

import pytest

from scripted import app, close_under, house, open_page, page, proxy, watches  # noqa: F401
from stage import wait_for


def through_a_window(page, proxy, drafts):
    """Waits for these drafts, and reloads into the closed page and out of it."""
    wait_for(lambda: page.kept() == drafts, f"{drafts}")
    proxy.close("papers")
    page.driver.refresh()
    assert "unavailable" in page.words
    proxy.reopen("papers")
    page.driver.refresh()


def save_for_later(page, press="#send"):
    """Presses Send into a closed place, and “Save for later”; returns the receipt's address."""
    page.one(press).click()
    wait_for(lambda: page.dialog, "the dialog", 10)
    before = page.one("html")
    page.push("Save for later")
    page.wait_until_gone(before)
    assert page.at.startswith("/.intermission/s/"), page.words
    return page.at


def fill_rails(page):
    page.types_in("[name='post[title]']", "Über uns")
    page.types_in("[name='post[body]']", "Two\nlines")
    page.one("[type=checkbox]").click()
    first, second = page.all("[name='post[tags][]']")
    first.send_keys("sea")
    second.send_keys("wall")


RAILS = [("authenticity_token", "t0"), ("post[title]", "Über uns"), ("post[body]", "Two\r\nlines"), ("post[public]", "0"),
         ("post[public]", "1"), ("post[tags][]", "sea"), ("post[tags][]", "wall"), ("commit", "Save")]


def test_fields_that_stand_outside_of_their_form_belong_to_it(open_page, proxy, app):
    page = open_page("/papers/rails")
    fill_rails(page)
    through_a_window(page, proxy, {"/papers/rails#edit_post": {
        "post[title]": "Über uns", "post[body]": "Two\nlines", "post[public]=1": True,
        "post[tags][]": "sea", "post[tags][]#1": "wall"}})
    page.wait_told("Answers put back: 5")
    assert page.value("[name='post[body]']") == "Two\nlines" and page.one("[type=checkbox]").is_selected()
    close_under(page, proxy)
    receipt = save_for_later(page)
    proxy.reopen("papers")
    page.open(receipt)
    page.send()
    assert page.one("#thanks")
    sent = urllib.parse.parse_qsl(app.posts[0][2].decode(), keep_blank_values=True)
    assert sent == [("_method", "patch"), *RAILS] and len(app.posts) == 1


def test_a_password_that_stands_outside_of_its_form_keeps_all_of_it_out(open_page, proxy):
    page = open_page("/papers/rails")
    page.types_in("[name=user]", "Ana")
    page.types_in("[name=password]", "not-a-secret")
    page.types_in("[name='post[title]']", "Sea")
    wait_for(lambda: page.kept(), "a draft of the other form")
    assert page.kept() == {"/papers/rails#edit_post": {"post[title]": "Sea"}}


def test_the_steps_of_a_wizard_come_back_one_by_one(open_page, proxy, app):
    page = open_page("/papers/wizard")
    page.types_in("[name=who]", "Ana")
    # Left at once, before the pause after which typing is kept.
    page.one("#next").click()
    page.types_in("[name=story]", "Two\nlines")
    through_a_window(page, proxy, {"/papers/wizard#wizard": {"who": "Ana", "story": "Two\nlines"}})
    page.wait_told("Answers put back: 1")
    assert page.value("[name=who]") == "Ana"
    page.one("#next").click()
    page.wait_told("Answers put back: 2")
    assert page.value("[name=story]") == "Two\nlines"
    close_under(page, proxy)
    receipt = save_for_later(page)
    proxy.reopen("papers")
    page.open(receipt)
    page.send()
    assert urllib.parse.parse_qs(app.posts[0][2].decode()) == {"who": ["Ana"], "story": ["Two\r\nlines"]}


def test_fields_without_a_form_lose_nothing(open_page, proxy, app):
    page = open_page("/papers/formless")
    page.types_in("[name=who]", "Ana")
    page.types_in("[name=story]", "Two\nlines")
    close_under(page, proxy)
    page.one("#send").click()
    wait_for(lambda: page.one("#out").text == "Error 503", "the application to notice")
    assert "your answers stay on this device" in page.told and app.posts == []
    assert page.kept("localStorage") == {"/papers/formless#-": {"who": "Ana", "story": "Two\nlines"}}
    page.driver.refresh()
    proxy.reopen("papers")
    page.driver.refresh()
    page.wait_told("Answers put back: 2")
    page.one("#send").click()
    wait_for(lambda: app.posts, "the post")
    assert json.loads(app.posts[0][2]) == {"who": "Ana", "story": "Two\nlines"}


def fill_vue(page):
    page.types_in("[name=who]", "Ana")
    page.one("[name=tags] option[value=b]").click()
    page.one("[name=size][value=l]").click()
    page.one("[name=agree]").click()


def test_a_page_with_a_router_of_its_own_gets_everything_back(open_page, proxy, app):
    page = open_page("/papers/vue/new")
    fill_vue(page)
    through_a_window(page, proxy, {"/papers/vue/new#*0": {
        "who": "Ana", "tags": ["b"], "size=s": False, "size=l": True, "agree=on": True}})
    page.wait_told("Answers put back")
    wait_for(lambda: page.one("#state").text == "Ana/b/l/true", "Vue to know of it")
    close_under(page, proxy)
    page.one("#send").click()
    wait_for(lambda: page.dialog, "the dialog", 10)
    assert app.posts == [] and "saved on this device" in page.dialog
    page.push("Keep editing")
    proxy.reopen("papers")
    page.look()
    page.wait_told("is available again")
    page.one("#send").click()
    wait_for(lambda: page.all("#thanks"), "the next view")
    assert json.loads(app.posts[0][2]) == {"who": "Ana", "tags": ["b"], "size": "l", "agree": True}
    wait_for(lambda: page.kept() == {} and page.kept("localStorage") == {}, "the drafts to be deleted")


def test_a_view_that_is_left_and_come_back_to_has_its_answers(open_page, proxy):
    """No page is loaded on the way: the router writes the address, and builds the form anew."""
    page = open_page("/papers/vue/")
    page.one("#new").click()
    fill_vue(page)
    # Left at once, before the pause after which typing is kept.
    page.one("#home").click()
    assert list(page.kept()) == ["/papers/vue/new#*0"]
    page.one("#new").click()
    wait_for(lambda: page.one("#state").text == "Ana/b/l/true", "the answers")
    page.wait_told("Answers put back: 4")


@pytest.mark.parametrize("kind", ["later", "wizard"])
def test_what_was_saved_for_later_awaits_a_form_that_the_page_makes(open_page, proxy, kind):
    """The server does not find it in the page as it is served, and says so; once it is there, one voice
    says what was put back."""
    page = open_page(f"/papers/{kind}")
    wait_for(lambda: page.all("[name=who]"), "the form")
    page.types_in("[name=who]", "Ana")
    if page.all("#next"):
        page.one("#next").click()
    page.types_in("[name=story]", "Two\nlines")
    close_under(page, proxy)
    receipt = save_for_later(page)
    proxy.reopen("papers")
    page.open(receipt)
    page.press("form[action$='/refill'] button")
    wait_for(lambda: page.value("[name=who]") == "Ana", "the answers")
    if page.all("#next"):
        page.one("#next").click()
    wait_for(lambda: page.value("[name=story]") == "Two\nlines", "the rest")
    page.wait_told("Answers put back: 2")
    assert not page.all("[data-im-refill]"), "nobody says any more that the form is missing"
