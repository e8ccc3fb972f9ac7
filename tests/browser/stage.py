"""The processes behind the browser: Django, the proxy, the operator's commands.

Each is started on a port that the system picks, and ended by the handle it was started with.
"""

import hashlib
import json
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
USER, PASSWORD = "operator", "not-a-secret-of-anybody"
# Between two looks at a condition that is waited for, and how long it is waited for.
LOOK_SECONDS, PATIENCE_SECONDS = 0.02, 30


def wait_for(condition, what, patience=PATIENCE_SECONDS):
    """Waits until condition() is true; fails, saying what did not come."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(LOOK_SECONDS)
    raise AssertionError(f"waited {patience} s in vain for {what}")


def free_port():
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def answers(url):
    """Whether a GET of url is answered with 2xx or 3xx."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status < 400
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


class Django:
    """A Django project under its dev server. Its database outlives its restarts."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.environment = os.environ | {
            "DJANGO_SECRET": "only for tests, on one machine, for a minute",
            "DJANGO_SETTINGS_MODULE": "django_app.settings",
            "DJANGO_APP_FOLDER": str(folder),
            "PYTHONPATH": str(HERE),
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        }
        self.process = None
        self._manage("migrate", "--verbosity=0")
        self._manage("createsuperuser", "--noinput", f"--username={USER}", "--email=o@example.com")
        self.start()

    def _manage(self, *arguments):
        command = [sys.executable, "-m", "django", *arguments]
        subprocess.run(command, env=self.environment, check=True, timeout=120, stdout=subprocess.DEVNULL)

    def start(self):
        """Starts the dev server and waits until it answers."""
        command = [sys.executable, "-m", "django", "runserver", "--noreload", f"127.0.0.1:{self.port}"]
        log = (self.folder / "django.log").open("a")
        self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        wait_for(lambda: answers(f"http://127.0.0.1:{self.port}/admin/login/"), "Django")

    def stop(self):
        """Stops the dev server."""
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)

    def restart(self):
        """What a deploy does during a window."""
        self.stop()
        self.start()

    def restart_with(self, secret):
        """What a deploy does that also changes the application's key."""
        self.environment["DJANGO_SECRET"] = secret
        self.restart()

    def ask(self, sql, *values):
        """Runs one statement on the database."""
        with sqlite3.connect(self.folder / "db.sqlite3", timeout=10) as database:
            return database.execute(sql, values).fetchall()

    def groups(self, name):
        """How many groups of this name exist."""
        return self.ask("select count(*) from auth_group where name = ?", name)[0][0]

    def flush_sessions(self):
        """Logs everybody out."""
        self.ask("delete from django_session")

    def papers(self):
        """What arrived through the form with a file."""
        arrived = self.folder / "papers.jsonl"
        return [json.loads(line) for line in arrived.read_text().splitlines()] if arrived.exists() else []


class Proxy:
    """The built binary in front of Django, and the operator who types its commands."""

    def __init__(self, binary, folder, upstream_port, more=""):
        self.binary, self.folder = binary, folder
        self.port, self.admin_port = free_port(), free_port()
        self.token = secrets.token_urlsafe(24)
        self.config = folder / "intermission.toml"
        self.config.write_text(self.written(upstream_port) + more)
        self.environment = dict(os.environ)
        self.process = None
        self.start()

    def written(self, upstream_port):
        """The configuration, but for what a scenario adds."""
        return f"""
[node]
name = "browser-test"
region = "eu"
workers = 1
[listen]
http = ["127.0.0.1:{self.port}"]
[admin]
listen = "127.0.0.1:{self.admin_port}"
[[admin.token]]
name = "tester"
sha256 = "{hashlib.sha256(self.token.encode()).hexdigest()}"
[store]
directory = "{self.folder / "store"}"
[log]
access = "{self.folder / "access.log"}"
[pages]
operator = "Harbour Mutual"
[[region]]
name = "eu"
[[upstream]]
name = "django"
servers = ["127.0.0.1:{upstream_port}"]
[[route]]
name = "admin"
title = "Administration"
hosts = ["*"]
paths = ["/admin/*"]
upstream = "django"
[[route]]
name = "papers"
title = "Papers"
hosts = ["*"]
paths = ["/papers/*"]
upstream = "django"
[[route]]
name = "rest"
title = "Everything else"
hosts = ["*"]
paths = ["/*"]
upstream = "django"
"""

    @property
    def site(self):
        """The address in the visitor's address bar."""
        return f"http://localhost:{self.port}"

    def start(self):
        """Starts the proxy and waits until it is ready."""
        log = (self.folder / "proxy.log").open("a")
        command = [self.binary, "serve", "--config", str(self.config)]
        self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment)

        def ready():
            assert self.process.poll() is None, (self.folder / "proxy.log").read_text()[-4000:]
            return answers(f"http://127.0.0.1:{self.admin_port}/ready")

        wait_for(ready, "the proxy")

    def kill(self):
        """Ends the proxy without a warning."""
        self.process.kill()
        self.process.wait(timeout=10)

    def types(self, *arguments):
        """Types `intermission …` as the operator."""
        environment = os.environ | {
            "INTERMISSION_SERVER": f"http://127.0.0.1:{self.admin_port}",
            "INTERMISSION_TOKEN": self.token,
        }
        done = subprocess.run(
            [self.binary, *arguments], env=environment, timeout=60, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def asks(self, path, body=None):
        """GETs from the admin API, or POSTs to it."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.admin_port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self.token}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def reopen_all(self):
        """Ends every window in force."""
        for window in self.asks("/api/v1/windows")["items"]:
            self.asks(f"/api/v1/windows/{window['id']}/end", {"reason": "the scenario is over"})

    def close(self, route, back_in="15m", reason="database upgrade"):
        """Closes a route."""
        return self.types(
            "on", "--region", "eu", "--route", route, "--reason", reason, "--back-in", back_in, "--yes"
        )

    def reopen(self, route):
        """Reopens a route."""
        return self.types("off", "--region", "eu", "--route", route)
