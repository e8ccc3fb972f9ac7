"""What is kept to the byte, and what is never kept, in Chromium."""

import hashlib

from stage import PASSWORD, USER


def test_an_uploaded_file_arrives_to_the_byte(visit, proxy, django, tmp_path):
    paper = tmp_path / "sea chart “North”.bin"
    paper.write_bytes(bytes((n * n >> 3) & 0xFF for n in range(1_500_001)))
    visitor = visit(scripts="off")
    visitor.open("/papers/")
    visitor.one("[name=note]").send_keys("two\nlines & an ümlaut")
    visitor.one("[name=paper]").send_keys(str(paper))
    before = len(django.papers())

    proxy.close("papers")
    visitor.press("#send")
    assert visitor.at.startswith("/.intermission/s/"), visitor.words
    assert paper.name in visitor.words
    receipt = visitor.at
    assert len(django.papers()) == before

    proxy.reopen("papers")
    visitor.open(receipt)
    visitor.send()
    assert visitor.at == "/papers/", visitor.words
    arrived = django.papers()[before:]
    assert arrived == [{
        "note": "two\r\nlines & an ümlaut",
        "name": paper.name,
        "sha256": hashlib.sha256(paper.read_bytes()).hexdigest(),
    }]


def test_a_login_form_is_not_kept_and_says_so(visit, proxy):
    visitor = visit(scripts="off")
    visitor.open("/admin/login/")
    visitor.one("#id_username").send_keys(USER)
    visitor.one("#id_password").send_keys(PASSWORD)
    proxy.close("admin")
    visitor.press("[type=submit]")
    assert "your answers were not saved" in visitor.words
    assert "password" in visitor.words
    assert PASSWORD not in visitor.driver.page_source
    visitor.picture("not-kept")
    assert visitor.saved() == []
    store = b"".join(path.read_bytes() for path in (proxy.folder / "store").rglob("*") if path.is_file())
    assert PASSWORD.encode() not in store


def test_a_form_that_another_site_posts_is_not_kept(visit, proxy, django, elsewhere):
    page, address = elsewhere
    page.page = f"""<!doctype html><form method=post action="{proxy.site}/admin/auth/group/add/">
        <input name=name value="from elsewhere"></form>
        <script>document.forms[0].submit()</script>""".encode()
    visitor = visit()
    visitor.log_in()
    proxy.close("admin")
    visitor.open(address)
    assert visitor.at == "/admin/auth/group/add/", "the other site's form was posted"
    assert "your answers were not saved" in visitor.words
    assert visitor.saved() == []
    proxy.reopen("admin")
    assert django.groups("from elsewhere") == 0


def test_another_browser_cannot_open_a_receipt(visit, proxy):
    owner, stranger = visit(scripts="off"), visit(scripts="off")
    owner.open("/papers/")
    owner.one("[name=note]").send_keys("for my eyes only")
    proxy.close("papers")
    owner.press("#send")
    assert "for my eyes only" in owner.words
    stranger.open(owner.at)
    assert "cannot find these answers in this browser" in stranger.words
    assert "for my eyes only" not in stranger.driver.page_source
