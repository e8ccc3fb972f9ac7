"""What somebody would try who means harm, as bytes on the wire."""

import http.client
import re
import secrets
import urllib.parse

import pytest

from wire import Forms, multipart

GUESSES = 10_000
REDIRECTS = 500


@pytest.fixture
def node(start):
    """A node whose route is closed."""
    node = start()
    node.close()
    return node


def keep_as(node, words):
    """A visitor with one receipt."""
    visitor = node.visitor()
    return visitor, visitor.keep("/claims", [("story", words)])


# --- receipt fixation -----------------------------------------------------------------------------


def test_a_receipt_that_somebody_else_made_shows_and_sends_nothing(node, app):
    attacker, receipt = keep_as(node, "written by the attacker")
    victim, own = keep_as(node, "written by the victim")
    node.reopen()
    forms = {path: fields for path, fields in Forms(attacker.get(receipt).text).found}
    assert f"{receipt}/resume" in forms, "the control: its owner may send it"
    for browser in (victim, node.visitor()):
        seen = browser.get(receipt)
        assert seen.status == 404, seen
        assert "attacker" not in seen.text and "<form" not in seen.text
        # Even the attacker's own tokens, planted in the victim's browser, are worth nothing there.
        for action in ("resume", "discard", "done"):
            pressed = browser.post(f"{receipt}/{action}", forms[f"{receipt}/resume"], referer=receipt)
            assert pressed.status == 404, (action, pressed)
        assert browser.get(f"{receipt}/data").status == 404
        ticket = browser.post("/claims", forms[f"{receipt}/resume"], referer=receipt)
        assert ticket.status in (200, 303, 404, 410), ticket
    assert not [body for body in app.posts() if b"attacker" in body]
    assert victim.press(own).status == 303
    assert [body for body in app.posts() if b"story" in body] == [b"story=written+by+the+victim"]
    assert attacker.get(receipt).state == "held", "nothing the victim did has touched it"


def test_another_visitors_cookie_opens_nothing_of_mine(node):
    """A stranger's cookie, a cookie made of mine and another's parts, and cookies that are none."""
    mine, receipt = keep_as(node, "mine alone")
    theirs, _ = keep_as(node, "theirs")
    name, value = next(iter(mine.cookies.items()))
    other = theirs.cookies[name]
    (_, id_, secret), (_, other_id, other_secret) = value.split("."), other.split(".")
    planted = [
        other,
        f"v1.{id_}.{other_secret}",
        f"v1.{other_id}.{secret}",
        f"v1.{id_}.{'A' * len(secret)}",
        f"v1.{id_}.",
        f"v1.{id_}.{secret}A",
        f"v2.{id_}.{secret}",
        f"v1.{id_}.{secret[:-1]}",
        value.upper(),
    ]
    for cookie in planted:
        browser = node.visitor()
        browser.cookies[name] = cookie
        seen = browser.get(receipt)
        assert seen.status == 404 and "mine alone" not in seen.text, (cookie, seen)
        assert browser.saved() == [] or cookie == other
    assert "mine alone" in mine.get(receipt).text, "the control"


# --- tickets --------------------------------------------------------------------------------------


def test_a_stolen_ticket_is_worth_nothing_without_the_browser_and_nothing_twice(node, app):
    visitor, receipt = keep_as(node, "once")
    node.reopen()
    # Who has no cookie of ours at all sends a form of the application's, as far as anybody can tell.
    stranger, thief = node.visitor(), keep_elsewhere(node)
    form = visitor.form(receipt)
    assert thief.post("/claims", form).status in (404, 410), "before the press"
    pressed = visitor.post(f"{receipt}/resume", form, referer=receipt)
    assert pressed.status == 307, pressed
    # Armed, and the thief is faster than the visitor.
    assert thief.post("/claims", form).status in (404, 410)
    stranger.post("/claims", form)
    # At another address it is no ticket either.
    elsewhere = visitor.post("/claims?other=1", form, referer=receipt)
    assert elsewhere.status in (303, 410) and elsewhere.field("location") != "/thanks", elsewhere
    assert kept_bodies(app) == []
    if visitor.get(receipt).state == "held":
        form = visitor.form(receipt)
        assert visitor.post(f"{receipt}/resume", form, referer=receipt).status == 307
    answer = visitor.post("/claims", form, referer=receipt)
    assert answer.field("location") == "/thanks", answer
    # Used up, for everybody.
    for browser in (visitor, thief, stranger):
        for _ in range(3):
            browser.post("/claims", form, referer=receipt)
            browser.post(f"{receipt}/resume", form, referer=receipt)
    assert kept_bodies(app) == [b"story=once"]


def kept_bodies(app):
    """What reached the application of what was kept."""
    return [body for body in app.posts() if b"story=" in body]


def keep_elsewhere(node):
    """Another visitor, who has a receipt too."""
    visitor = node.visitor()
    node.close()
    visitor.keep("/claims", [("story", secrets.token_hex(4))])
    node.reopen()
    return visitor


def test_a_ticket_of_another_sites_page_is_not_taken(node, app):
    visitor, receipt = keep_as(node, "not by another site")
    node.reopen()
    form = visitor.form(receipt)
    assert visitor.post(f"{receipt}/resume", form, referer=receipt).status == 307
    body = urllib.parse.urlencode(form).encode()
    for evidence in (
        [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        [("origin", "null"), ("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site"), ("origin", f"http://other.localhost:{node.port}")],
    ):
        fields = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-mode", "navigate")]
        visitor.ask("POST", "/claims", body, [*fields, *evidence])
        assert not [sent for sent in app.posts() if b"story=" in sent], evidence


# --- cross-site capture ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "evidence",
    [
        [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        [("origin", "null"), ("sec-fetch-site", "cross-site")],
        [("origin", "http://evil.example")],
        [("origin", "null"), ("referer", "https://evil.example/")],
        [("referer", "https://evil.example/localhost")],
        [("sec-fetch-site", "same-site"), ("origin", "http://evil.localhost")],
        [("sec-fetch-site", "none")],
        [("sec-fetch-site", "same-origin"), ("origin", "http://evil.example")],
        [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        [],
    ],
    ids=lambda fields: ",".join(f"{name}={value}" for name, value in fields) or "nothing",
)
def test_a_post_without_proof_of_its_own_site_is_not_kept(node, app, evidence):
    visitor, receipt = keep_as(node, "her own")
    for kind, body in (
        ("application/x-www-form-urlencoded", b"story=laundered"),
        ("text/plain", b"story=laundered\r\n"),
        multipart([("story", None, b"laundered")])[::-1],
    ):
        fields = [("content-type", kind), ("sec-fetch-mode", "navigate"), *evidence]
        answer = visitor.ask("POST", "/claims", body, fields)
        assert answer.status == 503, answer
        assert "saved=?0;reason=origin" in answer.field("intermission-state"), answer
        assert not answer.all("set-cookie")
    assert visitor.saved() == [receipt]
    node.reopen()
    assert app.posts() == []


# --- header injection and redirects ---------------------------------------------------------------


HOSTILE = ["\r\nSet-Cookie: intermission=v1.a.b", "\nx: y", "\rX: y", "\x00", "%0d%0aSet-Cookie:%20a=b", "\u2028x"]


def test_nothing_that_was_typed_becomes_a_header_field(node, app):
    """In names, values, file names, the path, the query, the boundary; on the way in and out."""
    visitor = node.visitor()
    receipts = []
    for words in HOSTILE:
        receipts.append(visitor.keep("/claims", [(words, words)]))
        # A file name cannot hold a bare CR or LF on the wire; everything else can.
        escaped = words.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22").replace("\x00", "")
        body, kind = multipart([("story", None, words.encode()), ("paper", escaped, b"bytes")])
        receipts.append(visitor.keep("/claims", body, kind=kind))
        quoted = urllib.parse.quote(words, safe="%")
        receipts.append(visitor.keep(f"/claims?next={quoted}", [("story", "a query")]))
    known = {"intermission-state", "set-cookie", "content-type", "content-disposition", "location"}
    for receipt in receipts:
        for path in (receipt, f"{receipt}/data", "/.intermission/s"):
            answer = visitor.get(path)
            assert answer.status == 200, (path, answer)
            assert not answer.all("set-cookie") and not answer.all("x"), answer
            assert not [value for name in known for value in answer.all(name) if "\n" in value]
    node.reopen()
    for receipt in receipts:
        answer = visitor.press(receipt)
        assert answer.status == 303 and not answer.all("set-cookie"), answer
    sent = [request for request in app.arrived if request.method == "POST"]
    assert len(sent) == len(receipts)
    assert all("x" not in request.fields for request in sent)
    assert not [request for request in sent if "intermission" in request.fields.get("cookie", "")]


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=a\x0bb", "multipart/form-data; boundary=\"a\x00b\""])
def test_a_boundary_that_is_no_text_is_not_kept(node, kind):
    answer = node.visitor().post("/claims", b"--a\r\n\r\n--a--", kind=kind)
    assert answer.status in (400, 503), answer
    assert not answer.all("set-cookie")


def redirects():
    """Targets that some browsers or proxies have taken for another host, from a grammar."""
    lead = ["//", "/\\", "\\\\", "/%2f", "/%5c", "/%09/", "/.//", "/./\\", "///", "////", "//%2f", "/\t/", "/;//"]
    host = ["evil.example", "evil.example%2f..", "evil.example:80", "user@evil.example", "evil%E3%80%82example", "[::1]"]
    tail = ["", "/", "/%2e%2e", "?x=1", "/claims", "/..//evil.example", "#x"]
    made = [f"{a}{b}{c}" for a in lead for b in host for c in tail]
    made += [f"/claims?next={urllib.parse.quote(target, safe='')}" for target in made]
    # Evenly over all of them, so that each lead, host and tail has its turn.
    return [made[at * len(made) // REDIRECTS] for at in range(REDIRECTS)]


def test_no_receipt_and_no_send_leads_to_another_host(node, app):
    """Five hundred addresses: what is kept under them comes back to this host, whatever they say."""
    payloads = redirects()
    assert len(set(payloads)) == REDIRECTS
    kept = []
    for at, target in enumerate(payloads):
        target = target.partition("#")[0].replace("\t", "%09")
        # A browser may hold twenty; each has a few.
        visitor = node.visitor() if at % 10 == 0 else visitor
        answer = visitor.post(target, [("mark", str(at))], referer=target if target.startswith("/") else "/")
        assert answer.status in (303, 400, 404, 503), (target, answer)
        if answer.status == 303:
            location = answer.field("location")
            assert re.fullmatch(r"/\.intermission/s/[0-9a-z]+", location), (target, location)
            kept.append((visitor, target, location))
    assert len(kept) > REDIRECTS / 4, f"only {len(kept)} were kept: this proves little"
    node.reopen()
    for visitor, target, receipt in kept:
        page = visitor.get(receipt).text
        for link in re.findall(r'(?:href|action|src)="([^"]*)"', page):
            assert leads_here(link, visitor.origin), (target, link)
        form = visitor.form(receipt)
        pressed = visitor.post(f"{receipt}/resume", form, referer=receipt)
        assert pressed.status == 307, (target, pressed)
        assert leads_here(pressed.field("location"), visitor.origin), (target, pressed)


def leads_here(link, origin):
    """Whether a browser at `origin` stays there, as the URL standard reads links."""
    link = link.replace("&#x2f;", "/").replace("&amp;", "&")
    link = re.sub(r"[\t\r\n]", "", link.strip())
    if link == "data:,":
        # The icon that is none.
        return True
    if re.match(r"^[a-z][a-z0-9+.-]*:", link, re.IGNORECASE):
        return link == origin or link.startswith(origin + "/")
    return not re.match(r"^[/\\]{2}", link)


def test_the_look_at_links_sees_those_that_lead_away():
    """The control of the test above."""
    away = ["//evil", "/\\evil", "\\\\evil", "http://evil", "/\t/evil", "javascript:x", "http://localhost:80.evil/"]
    assert [link for link in away if leads_here(link, "http://localhost:80")] == []
    here = ["/claims", "", "?x", "#x", "http://localhost:80/x", "/a//b"]
    assert [link for link in here if not leads_here(link, "http://localhost:80")] == []


# --- guessing -------------------------------------------------------------------------------------


def test_ten_thousand_guesses_at_an_id_find_nothing(node):
    """Neighbours of a real one, and any others; each answer is that of an id that never was."""
    visitor, receipt = keep_as(node, "not to be guessed")
    real = receipt.rsplit("/", 1)[1]
    assert "not to be guessed" in visitor.get(receipt).text
    never = node.visitor().get("/.intermission/s/" + "0" * len(real))
    # Who guesses has a cookie too, so that each guess is looked for.
    guesser, _ = keep_as(node, "another's")
    cookie = "; ".join(f"{name}={value}" for name, value in guesser.cookies.items())
    dice = secrets.SystemRandom()
    letters = "0123456789abcdefghjkmnpqrstvwxyz"
    guesses = set()
    for tried in range(4 * GUESSES):
        # From one letter that is another to eight.
        places = dice.sample(range(len(real)), 1 + tried % 8)
        guess = "".join(dice.choice(letters) if at in places else old for at, old in enumerate(real))
        guesses.add(guess)
    guesses = sorted(guesses - {real})[:: len(guesses) // GUESSES][:GUESSES]
    assert len(guesses) == GUESSES
    seen = set()
    for some in chunks(guesses, 900):
        link = http.client.HTTPConnection("127.0.0.1", node.port, timeout=20)
        for guess in some:
            link.request("HEAD", f"/.intermission/s/{guess}", headers={"host": "localhost", "cookie": cookie})
            answer = link.getresponse()
            answer.read()
            seen.add(answer.status)
        link.close()
    assert seen == {404}, seen
    # A stranger cannot tell an id that is somebody's from one that never was.
    stranger = node.visitor().get(receipt)
    assert stranger.status == 404
    assert stranger.body.replace(real.encode(), b"") == never.body.replace(b"0" * len(real), b"")


def chunks(all_of, size):
    """Slices of a list."""
    return [all_of[at:at + size] for at in range(0, len(all_of), size)]
