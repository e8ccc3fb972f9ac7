"""The admin API against its own document: schemathesis makes up requests from it, good and bad
ones, and looks whether the answers are what it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from node import ROUTES, Node

SEED = "20261121"
CHECKS = ",".join(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
    ]
)


@pytest.fixture(scope="module")
def operated(tmp_path_factory, authority, web, chat):
    """A proxy of its own: what is made up may close everything."""
    upstreams = f"""
[[upstream]]
name = "app"
servers = ["{web.address}"]
[[upstream]]
name = "chat"
servers = ["{chat.address}"]
"""
    binary = __import__("conftest").BINARY
    node = Node(binary, tmp_path_factory.mktemp("operated"), authority, upstreams, ROUTES)
    yield node
    node.stop()


def examined(node, document, folder, *more):
    """Has the document examined; gives the status and what was said."""
    file = Path(folder) / "openapi.json"
    file.write_text(json.dumps(document))
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        str(file),
        f"--url=http://127.0.0.1:{node.admin}",
        f"--header=Authorization:Bearer {node.token}",
        f"--seed={SEED}",
        "--generation-database=none",
        "--no-shrink",
        "--request-timeout=10",
        f"--checks={CHECKS}",
        *more,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout + done.stderr


def bounded(document):
    """The document without events, which do not end by themselves."""
    kept = {path: item for path, item in document["paths"].items() if path != "/api/v1/events"}
    return {**document, "paths": kept}


def test_what_is_made_up_from_the_document_is_answered_as_it_says(operated, tmp_path):
    document = bounded(operated.asks("/api/v1/openapi.json"))
    assert len(document["paths"]) > 20
    status, said = examined(
        operated, document, tmp_path, "--phases=fuzzing", "--max-examples=5"
    )
    assert status == 0, said[-12000:]
    assert "passed" in said, said[-2000:]
    assert operated.process.poll() is None
    assert "panicked" not in operated.said()


@pytest.mark.parametrize("lie", ["status", "schema"])
def test_a_lie_in_the_document_is_found(operated, tmp_path, lie):
    """The control: what passes above can fail."""
    document = operated.asks("/api/v1/openapi.json")
    path = "/api/v1/status"
    operation = document["paths"][path]["get"]
    if lie == "status":
        operation["responses"]["204"] = {"description": "nothing"}
        del operation["responses"]["200"]
    else:
        document["components"]["schemas"]["Status"]["properties"]["generation"] = {"type": "string"}
    document["paths"] = {path: {"get": operation}}
    status, said = examined(operated, document, tmp_path, "--phases=fuzzing", "--max-examples=3")
    assert status == 1, said[-4000:]
