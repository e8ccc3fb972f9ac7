"""The command line on a terminal: what it asks, what yes and no do, and how wide its tables are."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import urllib.error
import urllib.request

import pytest

PATIENCE = 30


class Terminal:
    """A command on a terminal of its own, with a person who waits for a question and answers."""

    def __init__(self, node, *arguments, columns=100):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        environment = os.environ | {
            "INTERMISSION_SERVER": f"http://127.0.0.1:{node.admin}",
            "INTERMISSION_TOKEN": node.token,
            "TZ": "UTC",
            "TERM": "xterm",
        }
        environment.pop("COLUMNS", None)
        command = [node.binary, *arguments]
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True
        )
        os.close(theirs)
        self.ours, self.shown = ours, ""
        # A piece may end within a character.
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def sees(self, text):
        """Waits until this is shown."""
        end = time.monotonic() + PATIENCE
        while text not in self.shown:
            assert time.monotonic() < end, f"{text!r} is not shown: {self.shown}"
            if not self._read(end):
                raise AssertionError(f"{text!r} was never shown: {self.shown}")

    def says(self, answer):
        """Types a line; what was shown before does not count any more."""
        self.shown = ""
        os.write(self.ours, f"{answer}\n".encode())

    def ends(self):
        """Waits for its end; gives the exit code and what was shown since the last answer."""
        end = time.monotonic() + PATIENCE
        while self._read(end):
            pass
        code = self.process.wait(timeout=PATIENCE)
        os.close(self.ours)
        return code, re.sub(r"\x1b\[[0-9;]*m", "", self.shown).replace("\r", "")

    def _read(self, end):
        ready, _, _ = select.select([self.ours], [], [], max(0, end - time.monotonic()))
        if not ready:
            self.process.kill()
            raise AssertionError(f"it went on too long: {self.shown}")
        try:
            piece = os.read(self.ours, 4096)
        except OSError:  # EIO: nobody has the other side any more
            return False
        self.shown += self.decoder.decode(piece)
        return bool(piece)


@pytest.fixture
def visited(node):
    """The proxy, at which visitors came in the last hour."""
    for _ in range(25):
        urllib.request.urlopen(f"{node.plain}/claims/1", timeout=10).read()
    return node


def status(node, path="/claims/1"):
    """What a visitor gets."""
    try:
        return urllib.request.urlopen(f"{node.plain}{path}", timeout=10).status
    except urllib.error.HTTPError as refused:
        return refused.code


CLOSE_ALL = ("on", "--all", "--reason", "an upgrade")


def test_no_is_no(visited):
    asked = Terminal(visited, *CLOSE_ALL)
    asked.sees("Go on? [y/N]")
    assert "100 % of the last hour's traffic" in asked.shown
    asked.says("")
    code, told = asked.ends()
    assert code == 1 and "not done, as you said" in told
    assert status(visited) == 200


def test_yes_is_yes(visited):
    asked = Terminal(visited, *CLOSE_ALL)
    asked.sees("Go on? [y/N]")
    assert status(visited) == 200, "nothing is done while it asks"
    asked.says("y")
    code, told = asked.ends()
    assert code == 0 and "closed: all routes in all regions" in told
    assert status(visited) == 503


def test_who_said_yes_is_not_asked(visited):
    code, told = Terminal(visited, *CLOSE_ALL, "--yes").ends()
    assert code == 0 and "[y/N]" not in told
    assert status(visited) == 503


def test_a_plan_by_questions(visited):
    asked = Terminal(visited, "maintenance", "plan")
    for question, answer in [
        ("What is it called", "Database upgrade"),
        ("Why?", "a faster database"),
        ("Who answers for it?", "platform"),
        ("How long ahead", "7d, 24h"),
        ("Phase 1: what is it called?", "claims first"),
        ("Which routes?", "claims"),
        ("Which regions?", "all"),
        ("What happens to requests", ""),
        ("When does it begin", "2030-03-03T16:00:00Z"),
        ("How long does it last", "4h"),
        ("How much of it", "15m"),
        ("Does it reopen by itself", "y"),
        ("Which path must answer", "/claims/health"),
        ("Over which time", "10m"),
        ("Another phase", "n"),
    ]:
        asked.sees(question)
        asked.says(answer)
    asked.sees("Plan it so? [y/N]")
    assert "2030-03-03 16:00" in asked.shown and "claims first" in asked.shown
    assert visited.asks("/api/v1/maintenances")["items"] == []
    asked.says("y")
    code, told = asked.ends()
    assert code == 0 and "planned: Database upgrade" in told, told
    (planned,) = visited.asks("/api/v1/maintenances")["items"]
    (window,) = planned["windows"]
    assert window["scope"]["routes"] == ["claims"]
    assert window["plan"]["verification"]["probes"][0]["path"] == "/claims/health"
    assert window["plan"]["ramp"]["over"] in ("10m", "10minutes")
    visited.asks(f"/api/v1/maintenances/{planned['id']}/cancel", {"reason": "the test is over"})


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_the_terminal(visited, columns):
    visited.close("claims")
    (window,) = visited.asks("/api/v1/windows")["items"]
    for arguments in [
        ("status",),
        ("state",),
        ("history",),
        ("audit",),
        ("window", "list"),
        ("maintenance", "list", "--state", "all"),
        ("token", "list"),
        ("upstream", "list"),
    ]:
        code, told = Terminal(visited, *arguments, columns=columns).ends()
        assert code == 0, told
        widest = max(told.splitlines(), key=len)
        assert len(widest) <= columns, f"{arguments}: {widest}"
        if "window" in arguments or columns > 100 and arguments[0] in ("status", "history"):
            assert window["id"] in told, f"{arguments}: an id is whole, or it cannot be copied"
