"""The live form with the saved answers in it, in Chromium without JavaScript: what was typed before the
window stands in the application's own page after it, and the visitor sends it from there."""

import secrets

import pytest

from selenium.webdriver.support.ui import Select


@pytest.fixture
def group():
    """A name that no other test uses."""
    return f"Harbour crew {secrets.token_hex(4)} “é” <b>"


def open_form(visitor):
    """Presses “Open the form with my answers”."""
    visitor.press("form[action$='/refill'] button")


def save_while_closed(visitor, proxy, path, fill, button, route):
    """Opens a page, fills it, closes its route, submits; returns the receipt's address."""
    visitor.open(path)
    fill()
    proxy.close(route)
    visitor.press(button)
    assert visitor.at.startswith("/.intermission/s/"), visitor.at
    return visitor.at


@pytest.fixture
def paper(visit, proxy):
    """Somebody without JavaScript who has filled in the form with a file when its route closed."""
    visitor = visit(scripts="off")

    def fill():
        visitor.one("[name=note]").send_keys("First line\nsecond “line” <b>")

    receipt = save_while_closed(visitor, proxy, "/papers/", fill, "#send", "papers")
    return visitor, receipt


def test_a_text_comes_back_into_the_live_form_and_is_sent_once(paper, proxy, django):
    visitor, receipt = paper
    assert not visitor.all("form[action$='/refill']"), "not while the form's place is closed"
    before = len(django.papers())
    proxy.reopen("papers")
    visitor.open(receipt)
    visitor.picture("receipt-other-ways")
    open_form(visitor)
    assert visitor.at.startswith("/papers/#im-refill="), visitor.at
    assert visitor.one("[name=note]").get_property("value") == "First line\nsecond “line” <b>"
    assert "Your saved answers are back in this form" in visitor.words
    assert not visitor.all("form b"), "what was typed is text"
    visitor.picture("refilled")
    assert len(django.papers()) == before, "nothing was sent by opening it"

    visitor.press("#send")
    arrived = django.papers()[before:]
    assert [paper["note"].replace("\r\n", "\n") for paper in arrived] == ["First line\nsecond “line” <b>"]
    assert visitor.one("[name=note]").get_property("value") == "", "the next page is the application's own"

    visitor.open(f"{receipt}?note=refilled")
    assert "Did your answers arrive?" in visitor.words
    visitor.picture("receipt-arrived")
    visitor.press("section form[action$='/discard'] button")
    visitor.open(receipt)
    assert "You deleted these answers" in visitor.words


def fill_group(visitor, name):
    """Types a name and chooses two permissions."""
    visitor.one("#id_name").send_keys(name)
    chosen = Select(visitor.one("#id_permissions"))
    chosen.select_by_index(1)
    chosen.select_by_index(4)


def test_the_admins_form_is_filled_and_its_token_is_the_live_one(visit, proxy, django, group):
    visitor = visit(scripts="off")
    visitor.log_in()
    add = "/admin/auth/group/add/"
    fill = lambda: fill_group(visitor, group)  # noqa: E731
    receipt = save_while_closed(visitor, proxy, add, fill, "[name=_save]", "admin")
    django.flush_sessions()
    proxy.reopen("admin")
    visitor.open(receipt)
    open_form(visitor)
    # The application asks to sign in, and leads back to the form, which is filled then.
    assert visitor.at.startswith("/admin/login/"), visitor.at
    visitor.one("#id_username").send_keys("operator")
    visitor.one("#id_password").send_keys("not-a-secret-of-anybody")
    visitor.press("[type=submit]")
    assert visitor.at.startswith(add), visitor.at
    assert visitor.one("#id_name").get_property("value") == group
    options = visitor.one("#id_permissions").find_elements("css selector", "option")
    assert [at for at, option in enumerate(options) if option.is_selected()] == [1, 4]
    assert "found no place" not in visitor.words, "neither a token nor a button is an answer"
    visitor.picture("refilled-admin")
    visitor.press("[name=_save]")
    assert "was added successfully" in visitor.words, visitor.words
    assert django.groups(group) == 1
    rows = "select 1 from auth_group_permissions p join auth_group g on g.id = p.group_id where g.name = ?"
    assert len(django.ask(rows, group)) == 2
