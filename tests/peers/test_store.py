"""A store that cannot write: the disk is full for the process, and then it is not any more."""

import json
import resource
import stat
import urllib.error
import urllib.request

import pytest
from node import ROUTES, Node

UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@pytest.fixture
def bounded(tmp_path_factory, authority, web, chat):
    """A proxy of its own, to which a full disk is an error like any other."""
    folder = tmp_path_factory.mktemp("bounded")
    # A file that may not grow answers with a signal first, unless that is ignored.
    wrapper = folder / "serve"
    binary = __import__("conftest").BINARY
    wrapper.write_text(f"#!/bin/sh\ntrap '' XFSZ\nexec '{binary}' \"$@\"\n")
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    upstreams = "".join(
        f'[[upstream]]\nname = "{name}"\nservers = ["{peer.address}"]\n'
        for name, peer in [("app", web), ("chat", chat)]
    )
    node = Node(str(wrapper), folder, authority, upstreams, ROUTES)
    yield node
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, UNLIMITED)
    node.stop()


def asks(node, path, body=None, method=None):
    """Status, kind and body of an answer of the admin API, whatever it is."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{node.admin}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {node.token}", "content-type": "application/json"},
        method=method,
    )
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as refused:
        answer = refused
    return answer.status, answer.headers["content-type"], json.loads(answer.read())


def visit(node, path):
    """The status that a visitor gets."""
    try:
        return urllib.request.urlopen(f"{node.plain}{path}", timeout=30).status
    except urllib.error.HTTPError as refused:
        return refused.code


PLAN = {
    "title": "A plan",
    "phases": [{"routes": ["claims"], "starts": "2030-03-03T16:00:00Z", "lasts": "1h"}],
}
SWITCH = {"routes": ["chat"], "regions": "all", "reason": "x"}
READS = [
    "/api/v1/status",
    "/api/v1/windows?state=live",
    "/api/v1/maintenances",
    "/api/v1/state",
    "/api/v1/history",
    "/api/v1/audit",
    "/api/v1/in-flight",
]


def test_reads_and_traffic_go_on_and_mutations_are_refused_whole(bounded):
    node = bounded
    status, _, closed = asks(node, "/api/v1/switches", {**SWITCH, "routes": ["claims"]})
    assert status == 201
    window = closed["window"]["id"]
    status, _, planned = asks(node, "/api/v1/maintenances", PLAN)
    assert status == 201
    maintenance = planned["maintenance"]["id"]

    def stands():
        windows = asks(node, "/api/v1/windows?state=live")[2]["items"]
        return sorted((one["id"], one["version"], one["state"]) for one in windows)

    # What drains is closed by itself before the disk is full.
    end = __import__("time").monotonic() + 30
    while "draining" in str(stands()) and __import__("time").monotonic() < end:
        pass
    before, history = stands(), asks(node, "/api/v1/history")[2]["items"]

    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    for path, body in [
        ("/api/v1/switches", SWITCH),
        ("/api/v1/maintenances", PLAN),
        (f"/api/v1/windows/{window}/end", {}),
        (f"/api/v1/windows/{window}/extend", {"back_in": "2h"}),
        (f"/api/v1/maintenances/{maintenance}/cancel", {}),
        (f"/api/v1/maintenances/{maintenance}/updates", {"text": "half of it"}),
        ("/api/v1/bypasses", {"for": "1h"}),
        ("/api/v1/tokens", {"name": "night", "role": "viewer"}),
    ]:
        status, kind, problem = asks(node, path, body)
        assert status == 503, f"{path}: {problem}"
        assert kind == "application/problem+json" and problem["code"], problem
        for read in READS:
            status, _, told = asks(node, read)
            assert status == 200, f"{read} after {path}: {told}"
        assert visit(node, "/chat/1") != 503 and visit(node, "/other") == 200, path
        assert visit(node, "/claims/1") == 503, f"what is closed stays so: {path}"
        assert stands() == before, f"nothing is half applied: {path}"
    assert node.process.poll() is None

    # The control: the same is done as soon as there is room.
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, UNLIMITED)
    assert asks(node, "/api/v1/history")[2]["items"] == history
    assert asks(node, "/api/v1/switches", SWITCH)[0] == 201
    assert asks(node, f"/api/v1/windows/{window}/end", {})[0] == 200
    assert visit(node, "/claims/1") == 200
    node.process.terminate()
    node.process.wait(timeout=30)
    node.start()
    left = [one for one in stands() if one[0] == window]
    assert left == [], "after a restart it is as it was told"
    assert "panicked" not in (node.folder / "proxy.log").read_text()
