"""Django's admin behind the proxy, in Chromium without JavaScript: a form saved while the route is
closed goes on after it reopens, once, by its owner's press."""

import secrets
import urllib.error
import urllib.parse
import urllib.request

import pytest

from selenium.webdriver.common.action_chains import ActionChains


@pytest.fixture
def group():
    """A name that no other test uses."""
    return f"Harbour crew {secrets.token_hex(4)}"


@pytest.fixture
def visitor(visit):
    """Somebody who is logged in and has JavaScript off."""
    visitor = visit(scripts="off")
    visitor.log_in()
    return visitor


def save_while_closed(visitor, proxy, group):
    """Fills “Add group”, closes the route, presses Save; returns the receipt's address."""
    visitor.fill_group(group)
    proxy.close("admin")
    visitor.press("[name=_save]")
    assert visitor.at.startswith("/.intermission/s/"), visitor.at
    return visitor.at


def test_a_group_saved_during_a_window_exists_once_after_it(visitor, proxy, django, group):
    session = visitor.driver.get_cookie("sessionid")
    assert (session["path"], session["sameSite"]) == ("/admin", "Strict")
    receipt = save_while_closed(visitor, proxy, group)

    assert "Your answers are saved, but not sent yet" in visitor.words
    assert group in visitor.words
    assert "Expected back" in visitor.words
    assert not visitor.all("form[action$='/resume']"), "nothing can be sent while it is closed"
    assert visitor.driver.get_cookie("sessionid") is None, "it does not reach the receipt"
    assert django.groups(group) == 0
    visitor.picture("receipt-waiting")

    visitor.driver.refresh()
    assert visitor.at == receipt and group in visitor.words
    assert visitor.saved() == [proxy.site + receipt], "a reload adds nothing"

    django.restart()
    proxy.reopen("admin")
    visitor.open(receipt)
    assert "ready to send" in visitor.words
    visitor.picture("receipt-ready")
    visitor.send()

    # The admin answers as if nothing had happened: the session cookie of Path=/admin was carried.
    assert visitor.at == "/admin/auth/group/", visitor.at
    assert "was added successfully" in visitor.words
    assert django.groups(group) == 1
    visitor.picture("result")

    visitor.driver.refresh()
    visitor.driver.back()
    visitor.driver.forward()
    assert django.groups(group) == 1, "reloading the result, or going back and forth, adds none"
    visitor.open(receipt)
    assert "Your answers were sent" in visitor.words
    visitor.picture("receipt-sent")


@pytest.mark.parametrize("how", ["rotated", "deleted"])
def test_a_token_gone_stale_is_refreshed_from_the_live_form(visitor, proxy, django, group, how):
    receipt = save_while_closed(visitor, proxy, group)
    visitor.driver.delete_cookie("csrftoken")
    if how == "rotated":
        visitor.driver.add_cookie({"name": "csrftoken", "value": "R" * 32, "path": "/"})
    proxy.reopen("admin")
    visitor.open(receipt)
    visitor.send()
    assert "was added successfully" in visitor.words, visitor.words
    assert django.groups(group) == 1


def test_the_stale_token_alone_would_be_refused(visitor, proxy, django, group):
    """The control of the test above: Django does refuse what was captured, as it stood."""
    visitor.fill_group(group)
    token = visitor.one("[name=csrfmiddlewaretoken]").get_attribute("value")
    cookies = {cookie["name"]: cookie["value"] for cookie in visitor.driver.get_cookies()}
    cookies["csrftoken"] = "R" * 32
    request = urllib.request.Request(
        proxy.site + "/admin/auth/group/add/",
        data=urllib.parse.urlencode({"csrfmiddlewaretoken": token, "name": group}).encode(),
        headers={
            "origin": proxy.site,
            "cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        },
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 403
    assert django.groups(group) == 0


def test_a_lost_session_asks_to_sign_in_and_the_form_survives_it(visitor, proxy, django, group):
    receipt = save_while_closed(visitor, proxy, group)
    django.flush_sessions()
    proxy.reopen("admin")
    visitor.open(receipt)
    visitor.send()
    assert django.groups(group) == 0

    assert visitor.at.startswith(receipt), "Send leads back to the receipt"
    assert "sign in first" in visitor.words, visitor.at + visitor.words
    assert group in visitor.words
    visitor.picture("receipt-sign-in")
    visitor.log_in()
    visitor.open(receipt)
    visitor.send()
    assert "was added successfully" in visitor.words, visitor.words
    assert django.groups(group) == 1


def test_two_tabs_with_the_same_answers_share_a_receipt(visitor, proxy, django, group):
    """Each tab has a token of its own, as Django masks it anew for every page."""
    visitor.fill_group(group)
    first = visitor.driver.current_window_handle
    token = visitor.one("[name=csrfmiddlewaretoken]").get_attribute("value")
    visitor.driver.switch_to.new_window("tab")
    visitor.fill_group(group)
    assert token != visitor.one("[name=csrfmiddlewaretoken]").get_attribute("value")
    proxy.close("admin")
    visitor.press("[name=_save]")
    receipt = visitor.at
    visitor.driver.switch_to.window(first)
    visitor.press("[name=_save]")
    assert visitor.at == receipt
    assert visitor.saved() == [proxy.site + receipt]
    assert django.groups(group) == 0


def test_an_impatient_double_click_is_one_submission(visitor, proxy, django, group):
    visitor.fill_group(group)
    proxy.close("admin")
    before = visitor.one("html")
    ActionChains(visitor.driver).double_click(visitor.one("[name=_save]")).perform()
    visitor.wait_until_gone(before)
    assert "not sent yet" in visitor.words, visitor.words
    receipt = proxy.site + visitor.at
    assert visitor.saved() == [receipt]
    assert django.groups(group) == 0


def test_different_answers_to_one_form_are_two_submissions(visitor, proxy, django, group):
    receipts = set()
    for name in (group, group + " two"):
        visitor.driver.switch_to.new_window("tab")
        visitor.fill_group(name)
    proxy.close("admin")
    for handle in visitor.driver.window_handles[-2:]:
        visitor.driver.switch_to.window(handle)
        visitor.press("[name=_save]")
        receipts.add(visitor.at)
    assert len(receipts) == 2
    proxy.reopen("admin")
    for receipt in receipts:
        visitor.open(receipt)
        visitor.send()
    assert (django.groups(group), django.groups(group + " two")) == (1, 1)


def test_what_its_owner_deletes_is_gone(visitor, proxy, django, group):
    receipt = save_while_closed(visitor, proxy, group)
    visitor.one("details:has(form[action$='/discard']) summary").click()
    visitor.press("form[action$='/discard'] button")
    visitor.open(receipt)
    assert group not in visitor.words
    proxy.reopen("admin")
    visitor.open(receipt)
    assert not visitor.all("form[action$='/resume']")
    assert django.groups(group) == 0
