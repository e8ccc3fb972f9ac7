"""What the scenarios share: one Django, one proxy, a new browser each."""

import http.server
import os
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from browser import Browser  # noqa: E402
from stage import Django, Proxy  # noqa: E402

BINARY = os.environ.get(
    "INTERMISSION_BIN", str(Path(__file__).parents[2] / "target" / "debug" / "intermission")
)


@pytest.fixture(scope="session")
def django(tmp_path_factory):
    """A running Django."""
    django = Django(tmp_path_factory.mktemp("django"))
    yield django
    django.stop()


@pytest.fixture(scope="session")
def node(django, tmp_path_factory):
    """A running proxy."""
    node = Proxy(BINARY, tmp_path_factory.mktemp("proxy"), django.port)
    yield node
    node.kill()


@pytest.fixture
def proxy(node):
    """The proxy with everything open, before and after."""
    yield node
    node.reopen_all()


@pytest.fixture
def visit(proxy, tmp_path):
    """Opens browsers; closes them afterwards."""
    opened = []

    def visit(**wanted):
        browser = Browser(proxy.site, tmp_path / f"profile-{len(opened)}", **wanted)
        opened.append(browser)
        return browser

    yield visit
    for browser in opened:
        browser.quit()


@pytest.fixture
def elsewhere():
    """Somebody else's site: 127.0.0.1 is another site than localhost. Serves one page."""

    class Page(http.server.BaseHTTPRequestHandler):
        page = b""

        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(self.page)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Page, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
