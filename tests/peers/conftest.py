"""What the peers share: one proxy with its applications, and programs that may be missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
# The browser and the patience of the browser's tests are used here as well.
sys.path.append(str(Path(__file__).parents[1] / "browser"))

from application import SERVICE, Chat, Greeter, Web  # noqa: E402
from node import ROUTES, Authority, Node  # noqa: E402

BINARY = os.environ.get(
    "INTERMISSION_BIN", str(Path(__file__).parents[2] / "target" / "debug" / "intermission")
)
GREETER = f"""
[[route]]
name = "greeter"
title = "Greeter"
hosts = ["*"]
paths = ["/{SERVICE}/*"]
upstream = "greeter"
"""


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Who signs the certificates."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def web():
    """The plain application."""
    web = Web()
    yield web
    web.end()


@pytest.fixture(scope="session")
def chat():
    """The WebSocket application."""
    chat = Chat()
    yield chat
    chat.end()


@pytest.fixture(scope="session")
def greeter():
    """The gRPC application."""
    greeter = Greeter()
    yield greeter
    greeter.end()


@pytest.fixture(scope="session")
def running(tmp_path_factory, authority, web, chat, greeter):
    """The one proxy of the run."""
    upstreams = f"""
[[upstream]]
name = "app"
servers = ["{web.address}"]
[[upstream]]
name = "chat"
servers = ["{chat.address}"]
[[upstream]]
name = "greeter"
servers = ["{greeter.address}"]
protocol = "h2"
"""
    folder = tmp_path_factory.mktemp("node")
    node = Node(BINARY, folder, authority, upstreams, ROUTES + GREETER)
    yield node
    node.stop()


@pytest.fixture
def node(running):
    """The proxy with everything open, before and after."""
    yield running
    assert running.process.poll() is None, running.said()
    assert "panicked" not in (running.folder / "proxy.log").read_text()
    running.reopen_all()


@pytest.fixture
def run():
    """Runs a program of the machine, bounded in time; skips where it is not installed."""

    def run(program, *arguments, feed=b"", seconds=60, fails=False):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
        command = [program, *map(str, arguments)]
        done = subprocess.run(command, input=feed, capture_output=True, timeout=seconds)
        text = (done.stdout + done.stderr).decode(errors="replace")
        assert fails == (done.returncode != 0), f"{command}: {done.returncode}\n{text}"
        return text

    return run
