"""The closed page as visitors see it: their time, their language, their screen."""

import re

import pytest

# The page looks again after a random time; a random number of zero makes it look soon.
NO_JITTER = "Math.random = () => 0;"


def test_the_page_tells_the_time_in_the_visitors_zone_and_says_when_it_reopens(visit, proxy):
    proxy.close("papers", back_in="2h")
    visitor = visit()
    visitor.emulate("Page.addScriptToEvaluateOnNewDocument", source=NO_JITTER)
    visitor.emulate("Emulation.setTimezoneOverride", timezoneId="Asia/Tokyo")
    visitor.open("/papers/")
    assert "Sorry, Papers is unavailable" in visitor.words
    assert "database upgrade" in visitor.words
    assert re.search(r"GMT\+9|JST", visitor.one("[data-until] time").text), visitor.words
    visitor.picture("closed-light")

    proxy.reopen("papers")
    visitor.wait_for_words("Papers is available again.")
    assert visitor.one("[role=status]").text == "Papers is available again."
    assert visitor.at == "/papers/", "it does not reload by itself"
    visitor.press("a.button")
    assert visitor.one("h1").text == "Papers"
    assert visitor.complaints() == []


def test_the_page_is_whole_without_javascript(visit, proxy):
    proxy.close("papers", back_in="2h")
    visitor = visit(scripts="off")
    visitor.open("/papers/")
    assert "UTC" in visitor.one("[data-until] time").text
    visitor.picture("closed-no-script")
    proxy.reopen("papers")
    visitor.press("a.button")
    assert visitor.one("h1").text == "Papers"


@pytest.mark.parametrize("width", [320, 1000])
@pytest.mark.parametrize("languages, direction", [("en", "ltr"), ("de", "ltr"), ("ar", "rtl")])
def test_nothing_is_cut_off(visit, proxy, width, languages, direction):
    proxy.close("papers", reason="An upgrade of the database, see https://status.example/" + "x" * 60)
    visitor = visit(languages=languages)
    visitor.narrow(width)
    visitor.open("/papers/")
    assert visitor.one("html").get_attribute("dir") == direction
    assert visitor.one("html").get_attribute("lang") == languages
    overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert visitor.driver.execute_script(overflow) <= 0, "the page scrolls sideways"
    assert visitor.complaints() == []
    visitor.picture(f"closed-{languages}-{width}")


def test_the_page_is_dark_where_dark_is_preferred(visit, proxy):
    proxy.close("papers")
    visitor = visit()
    visitor.dark()
    visitor.open("/papers/")
    colour = visitor.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    shades = [float(shade) for shade in re.findall(r"[\d.]+", colour)[:3]]
    assert sum(shades) < 3 * 80, colour
    visitor.picture("closed-dark")
