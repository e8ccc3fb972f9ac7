"""An application that knows nothing of us: forms of many kinds, and the libraries of other people.

Its pages lie below /papers/, its libraries below /lib/. What is posted to it, it remembers.
"""

import http.server
import json
import mimetypes
import os
import socket
import threading
import urllib.parse
from pathlib import Path

import form_pages

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"

KINDS = """
<form method=post action=/papers/send enctype=multipart/form-data id=claim>
<input type=hidden name=csrf_token value={token}><input type=hidden name=version value={version}>
<label>Who <input name=who></label><label>Story <textarea name=story></textarea></label>
<label>Day <input type=date name=day></label><label>Count <input type=number name=count value=1></label>
<label>Tags <select multiple name=tags><option value=a,b>A<option value=c>C<option>D</select></label>
<label>One <select name=one><option value="">–<option value=x>X<option value=y>Y</select></label>
<label><input type=radio name=size value=s checked>S</label><label><input type=radio name=size value=l>L</label>
<label><input type=checkbox name=agree>I agree</label><label><input type=checkbox name=news checked>News</label>
<div contenteditable id=note style="border:1px solid"></div>
<div id=react></div><div id=late></div><x-field></x-field>
<label>Rich <textarea id=rich name=rich></textarea></label><div id=quill></div>
<label>Paper <input type=file name=paper></label>
<label>Nickname <input name=nick autocomplete=off></label>
<button id=send name=press value=yes>Send</button></form>
<script src=/lib/tinymce/tinymce.min.js></script><script src=/lib/quill/dist/quill.js></script>
<script src=/react.js></script>
<script>
tinymce.init({{ selector: '#rich', license_key: 'gpl', promotion: false, menubar: false, toolbar: false }});
window.quill = new Quill('#quill');
customElements.define('x-field', class extends HTMLElement {{
  connectedCallback() {{ this.attachShadow({{ mode: 'open' }}).innerHTML = '<input name=inner>'; }}
}});
const h = React.createElement;
const City = () => {{
  const [city, set] = React.useState(''), [ok, setOk] = React.useState(false);
  return h('p', {{}}, h('input', {{ name: 'city', value: city, onChange: (e) => set(e.target.value) }}),
    h('input', {{ type: 'checkbox', name: 'react_ok', checked: ok, onChange: (e) => setOk(e.target.checked) }}),
    h('output', {{ id: 'state' }}, city + '/' + ok));
}};
ReactDOM.createRoot(document.getElementById('react')).render(h(City));
setTimeout(() => {{ document.getElementById('late').innerHTML = '<input name=late>'; }}, 1200);
</script>"""
PLAIN = """
<form method=post action=/papers/send id=plain><input type=hidden name=csrf_token value={token}>
<input type=hidden name=version value={version}>
<label>Who <input name=who autofocus></label> <label>Story <textarea name=story rows=12></textarea></label>
<button id=send name=press value=yes>Send</button> <button type=button id=direct>Submit by script</button></form>
<script nonce=n0>document.getElementById('direct').onclick = () => document.getElementById('plain').submit()</script>"""
CARD = """
<form method=post action=/papers/send id=pay><label>Who <input name=who></label>
<label>Card <input name=cardnumber></label><label>Plain <input name=digits></label><button id=send>Pay</button></form>"""
LOGIN = """
<form method=post action=/papers/send id=login><label>Who <input name=who></label>
<label>Password <input type=password name=password></label><button id=send>Sign in</button></form>"""
TURBO = """
<script type=module src=/lib/@hotwired/turbo/dist/turbo.es2017-esm.js></script>
<form method=post action=/papers/send id=turbo><input type=hidden name=csrf_token value={token}>
<label>Who <input name=who></label><button id=send>Send</button></form>"""
HTMX = """
<script src=/lib/{library}/dist/htmx.min.js></script>
<form hx-post=/papers/send hx-target=#out id=htmx><label>Who <input name=who></label>
<button id=send>Send</button></form><div id=out></div>"""
FETCHES = """
<form id=spa><label>Who <input name=who></label><button id=send>Send</button></form><div id=out></div>
<script>document.getElementById('spa').addEventListener('submit', async (event) => {{
  event.preventDefault();
  const answer = await fetch('/papers/send', {{ method: 'POST', body: new FormData(event.target) }});
  document.getElementById('out').textContent = answer.status;
  if (answer.ok) event.target.reset();
}})</script>"""
PAGES = {**form_pages.PAGES, "kinds": KINDS, "plain": PLAIN, "other": PLAIN, "card": CARD, "login": LOGIN, "turbo": TURBO, "htmx": HTMX,
         "htmx2": HTMX, "fetches": FETCHES, "thanks": "<p id=thanks>Thank you</p><a href=/papers/logout>Log out</a>",
         "logout": "<p>Bye</p>"}


def react_bundle():
    """React and its DOM as one classic script: they are published as CommonJS alone."""
    files = {
        "react": "react/cjs/react.production.js",
        "scheduler": "scheduler/cjs/scheduler.production.js",
        "react-dom": "react-dom/cjs/react-dom.production.js",
        "react-dom/client": "react-dom/cjs/react-dom-client.production.js",
    }
    made = "".join(
        f"made[{json.dumps(name)}] = (exports, module, require) => {{{(MODULES / path).read_text()}\n}};\n"
        for name, path in files.items()
    )
    return f"""(() => {{ const made = {{}}, done = {{}};
const process = {{ env: {{ NODE_ENV: 'production' }} }};
const require = (name) => {{ if (!done[name]) {{ const module = {{ exports: {{}} }}; done[name] = module;
made[name](module.exports, module, require); }} return done[name].exports; }};
{made}window.React = require('react'); window.ReactDOM = require('react-dom/client'); }})();"""


def source(name):
    """Our script as it stands in the sources, to try a change of it without a build."""
    pages = HERE.parents[1] / "pages" / "form"
    if name.endswith(".json"):
        return (pages / "texts" / name.split(".")[1]).with_suffix(".json").read_bytes()
    core = "".join((pages / f"{part}.js").read_text() for part in "shared fields drafts watch send start".split())
    names = core.split("const shared = ")[1].split(";")[0]
    if name == "form.js":
        return f"(()=>{{'use strict';\n{core}}})();".encode()
    more = "".join((pages / "more" / f"{part}.js").read_text() for part in "write bar back".split())
    if name == "more.js":
        return f"export default({names})=>{{\n{more}return theRest;}}".encode()
    telling = more.split("const telling = ")[1].split(";")[0]
    stopped = (pages / "stopped" / "hold.js").read_text()
    return f"export default({names},{telling})=>{{\n{stopped}return theLast;}}".encode()


class FormApp:
    """The application, on a port of its own."""

    def __init__(self):
        self.posts, self.token, self.version = [], "t0", "v0"
        # Fields of the head of each page, and what is answered instead of a page, by its name.
        self.head, self.instead = {}, {}
        # Whether it takes what is posted and goes away before it has said a word.
        self.breaks = False
        # With the sources' script in place of the one that the proxy puts in.
        self.tag = "/sources/form.js" if os.environ.get("INTERMISSION_SCRIPT") == "sources" else ""
        app = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                app.get(self, urllib.parse.urlsplit(self.path).path)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"] or 0))
                app.posts.append((self.path, self.headers["content-type"], body))
                if app.breaks:
                    self.close_connection = True
                    return self.connection.shutdown(socket.SHUT_RDWR)
                if self.headers.get("hx-request") or self.headers.get("sec-fetch-mode") == "cors" \
                        and "turbo" not in (self.headers.get("accept") or ""):
                    return app.say(self, 200, b"<p id=thanks>Thank you</p>", {})
                return app.say(self, 303, b"", {"location": "/papers/thanks"})

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()

    def reset(self):
        """As it was at the start."""
        self.posts, self.token, self.version, self.head, self.instead = [], "t0", "v0", {}, {}
        self.breaks = False

    @staticmethod
    def say(handler, status, body, fields):
        """Answers."""
        handler.send_response(status)
        for name, value in {"content-type": "text/html; charset=utf-8", **fields}.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def get(self, handler, path):
        """A page or a library."""
        # A router in the page makes steps up below it.
        name = path.removeprefix("/papers/").split("/")[0]
        if path.startswith("/lib/"):
            file = MODULES / path.removeprefix("/lib/")
            if file.is_file() and file.resolve().is_relative_to(MODULES):
                kind = mimetypes.guess_type(file.name)[0] or "text/plain"
                return self.say(handler, 200, file.read_bytes(), {"content-type": kind})
        if path.startswith("/sources/"):
            kind = "application/json" if path.endswith("json") else "text/javascript"
            return self.say(handler, 200, source(path.removeprefix("/sources/")), {"content-type": kind})
        if path == "/react.js":
            return self.say(handler, 200, react_bundle().encode(), {"content-type": "text/javascript"})
        if name in self.instead:
            return self.say(handler, *self.instead[name])
        if name not in PAGES:
            return self.say(handler, 404, b"<p>nothing here", {})
        inside = PAGES[name].format(
            token=self.token, version=self.version, library="htmx2" if name == "htmx2" else "htmx.org"
        )
        # In the page itself it is there before the one that the proxy puts in.
        code = self.tag and source("form.js").decode().replace("script?.src || ''", f"location.origin + '{self.tag}'")
        tag = code and f"<script data-im=papers nonce=n0>{code}</script>"
        page = f"<!doctype html><html lang=en><head>{tag}<meta charset=utf-8><title>{name}</title></head><body>{inside}"
        return self.say(handler, 200, page.encode(), self.head)
