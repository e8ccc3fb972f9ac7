"""What the tests of the promise share: the binary, an application, nodes that end with the test."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "browser")]

from application import Application  # noqa: E402
from node import Node  # noqa: E402

BINARY = os.environ.get(
    "INTERMISSION_BIN", str(HERE.parents[1] / "target" / "debug" / "intermission")
)


@pytest.fixture
def app():
    """An application that notes what arrives."""
    app = Application()
    yield app
    app.stop()


@pytest.fixture
def start(app, tmp_path):
    """Starts nodes before the application; ends them with the test."""
    nodes = []

    def start(**wanted):
        folder = tmp_path / f"node-{len(nodes)}"
        folder.mkdir()
        binary = wanted.pop("binary", BINARY)
        nodes.append(Node(binary, folder, app.port, **wanted))
        return nodes[-1]

    yield start
    for node in nodes:
        node.kill()
