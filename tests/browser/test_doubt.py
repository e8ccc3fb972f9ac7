"""Scenario 7: an application that takes a form and dies before it answers. Nobody knows whether it has it,
and nobody but the visitor may decide to send it again."""

from scripted import Page, app, house, open_page, proxy  # noqa: F401


def test_what_may_have_arrived_is_sent_again_only_by_the_visitors_own_word(open_page, proxy, app, tmp_path):
    visitor = Page(proxy.site, tmp_path / "profile", scripts="off")
    try:
        story(visitor, proxy, app)
    finally:
        visitor.quit()


def story(visitor, proxy, app):
    """A form that is saved, sent into a dying application, and looked at."""
    visitor.open("/papers/plain")
    visitor.types_in("[name=who]", "Ana")
    proxy.close("papers")
    visitor.press("#send")
    receipt = visitor.at
    assert receipt.startswith("/.intermission/s/") and app.posts == []
    proxy.reopen("papers")
    app.breaks = True
    visitor.open(receipt)
    visitor.send()
    assert len(app.posts) == 1 and "check" in visitor.words, visitor.words
    visitor.picture("doubt-answer")

    for _ in range(2):
        visitor.open(receipt)
        assert "We do not know whether your answers arrived" in visitor.words
        assert "Ana" in visitor.words, "they are still there"
    visitor.picture("doubt-receipt")
    # Without the tick the browser does not send it.
    visitor.one("form[action$='/resume'] button").click()
    assert visitor.at == receipt and len(app.posts) == 1
    visitor.driver.refresh()
    visitor.driver.back()
    visitor.driver.forward()
    assert len(app.posts) == 1, "no reload, no going back sends it"

    app.breaks = False
    visitor.open(receipt)
    visitor.one("[name=checked]").click()
    visitor.send()
    assert visitor.one("#thanks") and len(app.posts) == 2
    assert app.posts[0][2] == app.posts[1][2], "the same, to the byte"
    visitor.open(receipt)
    assert "Your answers were sent" in visitor.words
