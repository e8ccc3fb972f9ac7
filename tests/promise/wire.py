"""A visitor's browser as bytes: cookies, the fields that browsers send, forms that are pressed.

Each request has a connection of its own, so that a proxy that was killed and started again is met
as by somebody who comes anew.
"""

import http.client
import urllib.parse
from html.parser import HTMLParser

URLENCODED = "application/x-www-form-urlencoded"
PATIENCE_SECONDS = 20


class Answer:
    """What came back."""

    def __init__(self, response, body):
        self.status, self.fields, self.body = response.status, response.getheaders(), body

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:400]!r}>"

    @property
    def text(self):
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def all(self, name):
        """Every value of a header field."""
        return [value for known, value in self.fields if known.lower() == name]

    def field(self, name):
        """The value of a header field; none without it."""
        return next(iter(self.all(name)), None)

    @property
    def state(self):
        """What `Intermission-State` says."""
        return (self.field("intermission-state") or "").split(";")[0]


class Forms(HTMLParser):
    """The forms of a page: their action, and what they send if nothing is typed."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.found.append((attributes.get("action") or "", []))
        elif tag == "input" and self.found and attributes.get("type") != "checkbox":
            self.found[-1][1].append((attributes.get("name"), attributes.get("value") or ""))


class Visitor:
    """One browser."""

    def __init__(self, port, host="localhost"):
        self.port, self.host = port, host
        self.cookies = {}

    def another(self):
        """A browser that nobody has used."""
        return Visitor(self.port, self.host)

    @property
    def origin(self):
        """Where the visitor is, as browsers write it."""
        return f"http://{self.host}:{self.port}"

    def ask(self, method, target, body=None, fields=(), navigates=True):
        """One request, with no fields but `fields` if it does not navigate."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            link.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            link.putheader("host", f"{self.host}:{self.port}")
            link.putheader("connection", "close")
            if navigates:
                link.putheader("accept", "text/html,application/xhtml+xml")
                link.putheader("accept-language", "en")
            if self.cookies:
                pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
                link.putheader("cookie", pairs)
            for name, value in fields:
                link.putheader(name, value)
            if body is not None:
                link.putheader("content-length", str(len(body)))
            link.endheaders(body)
            response = link.getresponse()
            answer = Answer(response, response.read())
        finally:
            link.close()
        for cookie in answer.all("set-cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name.strip()] = value.strip()
        return answer

    def get(self, target, fields=()):
        """Types an address, or follows a link of this site."""
        own = [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate")]
        return self.ask("GET", target, fields=[*own, *fields])

    def post(self, target, body, kind=URLENCODED, referer="/form?step=2", fields=()):
        """Presses the button of a form of this site. `body`: pairs, or the bytes as they are."""
        if not isinstance(body, bytes):
            body = urllib.parse.urlencode(body).encode()
        own = [
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-mode", "navigate"),
            ("origin", self.origin),
            ("referer", self.origin + referer),
            ("content-type", kind),
        ]
        return self.ask("POST", target, body, [*own, *fields])

    def keep(self, target, body, **more):
        """Sends a form to a closed place; gives the path of its receipt."""
        answer = self.post(target, body, **more)
        assert answer.status == 303, answer
        receipt = answer.field("location")
        assert receipt.startswith("/.intermission/s/"), answer
        return receipt

    def form(self, receipt, action="/resume"):
        """What a form of the receipt sends; none if the receipt has no such form."""
        forms = Forms(self.get(receipt).text).found
        return next((fields for path, fields in forms if path.endswith(action)), None)

    def press(self, receipt, checked=False):
        """Presses Send, and follows to where the form goes; gives the last answer."""
        form = self.form(receipt)
        assert form is not None, f"no Send on {self.get(receipt)}"
        if checked:
            form = [*form, ("checked", "yes")]
        answer = self.post(f"{receipt}/resume", form, referer=receipt)
        if answer.status != 307:
            return answer
        return self.post(answer.field("location"), form, referer=receipt)

    def saved(self):
        """The receipts in this browser's list."""
        page = self.get("/.intermission/s").text
        return [f"/.intermission/s/{piece.split(chr(34))[0]}" for piece in page.split('href="/.intermission/s/')[1:]]


def multipart(parts, boundary="b0undary"):
    """A multipart body and its type: parts of (name, file name or None, bytes)."""
    pieces = []
    for name, file, content in parts:
        named = f'; filename="{file}"' if file is not None else ""
        kind = "\r\nContent-Type: application/octet-stream" if file is not None else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{named}{kind}\r\n\r\n'
        pieces.append(head.encode() + content + b"\r\n")
    pieces.append(f"--{boundary}--\r\n".encode())
    return b"".join(pieces), f"multipart/form-data; boundary={boundary}"
