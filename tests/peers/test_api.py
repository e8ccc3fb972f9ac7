"""The admin API against its own document: schemathesis makes up requests from it, good and bad
ones, and looks whether the answers are what it says. What has an id is met by real ids too."""

import http.client
import json
import re
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest
from node import ROUTES, Node

SEED = "20261121"
CHECKS = ",".join(
    [
        "not_a_server_error",
        "negative_data_rejection",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "unsupported_method",
        "allow_header_conformance",
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


# Where a second operator would have to be there, and what only a scraper reads.
UNMET = {"POST /api/v1/approvals/{id}", "DELETE /api/v1/approvals/{id}"}


def seeds(node):
    """Real things of every kind: what is met by an action is no other action's."""
    phase = {"routes": ["chat"], "lasts": "1h"}

    def planned(title, count=1):
        phases = [{**phase, "starts": f"2030-03-{day:02}T16:00:00Z"} for day in range(1, count + 1)]
        body = {"title": title, "phases": phases}
        return node.asks("/api/v1/maintenances", body)["maintenance"]

    def switched():
        scope = {"regions": ["eu"], "routes": ["chat"], "reason": "a test"}
        return node.asks("/api/v1/switches", scope)["window"]["id"]

    def kept():
        node.close("claims")
        body = urllib.parse.urlencode({"name": "Ada"}).encode()
        kind = "application/x-www-form-urlencoded"
        headers = {"accept": "text/html", "origin": node.plain, "content-type": kind}
        connection = http.client.HTTPConnection("localhost", node.http, timeout=10)
        connection.request("POST", "/claims/new", body, headers)
        answer = connection.getresponse()
        assert answer.status == 303, answer.read()
        return answer.getheader("location").rsplit("/", 1)[1]

    windows = [window["id"] for window in planned("of windows", 6)["windows"]]
    plan = {"title": "planned", "phases": [{**phase, "starts": "2031-03-01T16:00:00Z"}]}
    server = node.asks("/api/v1/upstreams/app")["upstream"]["servers"][0]["name"]
    any_version = {"If-Match": "*"}
    ids = {
        "GET /api/v1/windows/{id}": windows[0],
        "GET /api/v1/windows/{id}/report": windows[0],
        "PUT /api/v1/windows/{id}": windows[1],
        "POST /api/v1/windows/{id}/start": windows[2],
        "POST /api/v1/windows/{id}/cancel": windows[3],
        "POST /api/v1/windows/{id}/extend": switched(),
        "POST /api/v1/windows/{id}/end": switched(),
        "GET /api/v1/maintenances/{id}": planned("shown")["id"],
        "GET /api/v1/maintenances/{id}/report": planned("told of")["id"],
        "PUT /api/v1/maintenances/{id}": planned("revised")["id"],
        "POST /api/v1/maintenances/{id}/cancel": planned("cancelled")["id"],
        "POST /api/v1/maintenances/{id}/updates": planned("updated")["id"],
        "POST /api/v1/maintenances/{id}/aftermath": planned("over")["id"],
        "DELETE /api/v1/tokens/{id}": node.asks("/api/v1/tokens", {"name": "one", "role": "viewer"})["token"]["id"],
        "DELETE /api/v1/bypasses/{id}": node.asks("/api/v1/bypasses", {"for": "1h"})["bypass"]["id"],
        "GET /api/v1/submissions/{id}": kept(),
    }
    bodies = {
        "POST /api/v1/switches": {"regions": ["eu"], "routes": ["chat"], "reason": "x"},
        "POST /api/v1/switches/off": {"regions": ["eu"], "routes": ["claims"]},
        "POST /api/v1/maintenances": plan,
        "PUT /api/v1/maintenances/{id}": plan,
        "PUT /api/v1/windows/{id}": {"window": {**phase, "starts": "2031-03-02T16:00:00Z"}},
        "POST /api/v1/windows/{id}/extend": {"back_in": "2h"},
        "POST /api/v1/windows/{id}/end": {"reason": "it is done"},
        "POST /api/v1/maintenances/{id}/updates": {"text": "half of it is done"},
        "POST /api/v1/maintenances/{id}/aftermath": {"text": "it went well"},
        "POST /api/v1/tokens": {"name": "two", "role": "viewer"},
        "POST /api/v1/bypasses": {"for": "1h", "routes": ["claims"]},
        "POST /api/v1/upstreams/{upstream}/servers/{server}/state": {"state": "ready"},
    }
    named = {"upstream": "app", "server": server}
    return {"ids": ids, "bodies": bodies, "named": named, "headers": any_version}


def seeded(document, node):
    """The document with an example of what is really there for each operation."""
    seed = seeds(node)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method not in ("get", "put", "post", "delete"):
                continue
            name = f"{method.upper()} {path}"
            for parameter in operation.get("parameters", []):
                real = seed["named"].get(parameter["name"]) or seed["headers"].get(parameter["name"])
                if parameter["name"] == "id":
                    real = seed["ids"].get(name)
                if real:
                    parameter["example"] = real
            if name in seed["bodies"]:
                content = operation["requestBody"]["content"]["application/json"]
                content["example"] = seed["bodies"][name]
    return document


def met(har, document):
    """The classes of the statuses by which each operation of the document was answered."""
    patterns = [
        (re.compile("^" + re.sub(r"\{[^}]*\}", "[^/]+", path) + "$"), path)
        for path in sorted(document["paths"], key=lambda path: path.count("{"))
    ]
    found = {}
    for entry in json.loads(har.read_text())["log"]["entries"]:
        asked = urllib.parse.urlsplit(entry["request"]["url"]).path
        path = next((path for pattern, path in patterns if pattern.match(asked)), None)
        name = f"{entry['request']['method']} {path}"
        found.setdefault(name, set()).add(entry["response"]["status"] // 100)
    return found


def test_what_is_made_up_from_the_document_is_answered_as_it_says(operated, tmp_path):
    document = bounded(operated.asks("/api/v1/openapi.json"))
    assert len(document["paths"]) > 20
    document = seeded(document, operated)
    har = tmp_path / "met.har"
    status, said = examined(
        operated,
        document,
        tmp_path,
        "--phases=examples,coverage,fuzzing",
        "--max-examples=8",
        "--continue-on-failure",
        "--workers=2",
        f"--report-har-path={har}",
        "--report=har",
    )
    assert status == 0, said[-12000:]
    assert "passed" in said, said[-2000:]
    assert operated.process.poll() is None
    assert "panicked" not in (operated.folder / "proxy.log").read_text()
    found = met(har, document)
    wanted = {
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method in item
        if method in ("get", "put", "post", "delete")
    }
    assert {name for name in wanted - UNMET if 2 not in found.get(name, ())} == set(), "never done"
    # The control: what is made up badly is refused by what reads a body, a name or a query.
    refused = {name for name in wanted if 4 in found.get(name, ())}
    assert len(refused) > len(wanted) // 2, sorted(wanted - refused)


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
