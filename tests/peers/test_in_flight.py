"""What is under way, told apart: requests, tunnels, streams, by route and region."""

import http.client
import json

from stage import wait_for
from websockets.sync.client import connect


def places(node):
    """What the API tells, by route: all, tunnels, streams."""
    items = node.asks("/api/v1/in-flight")["items"]
    assert all(item["region"] == "eu" for item in items)
    return {item["route"]: (item["requests"], item["tunnels"], item["streams"]) for item in items}


def shows(node, wanted):
    """Waits until this and nothing else is told."""
    wait_for(lambda: places(node) == wanted, f"{wanted}, not {places(node)}")


def test_tunnels_and_streams_are_told_apart_while_they_last(node):
    shows(node, {})
    with connect(f"ws://localhost:{node.http}/chat/1", open_timeout=20) as socket:
        socket.send("hello")
        socket.recv(timeout=20)
        shows(node, {"chat": (1, 1, 0)})
        events = http.client.HTTPConnection("localhost", node.http, timeout=30)
        events.request("GET", "/events?count=1000&every=0.05")
        answer = events.getresponse()
        assert answer.read(1)
        shows(node, {"chat": (1, 1, 0), "rest": (1, 0, 1)})
        told = node.types("in-flight")
        assert "websockets" in told and "streams" in told
        assert json.loads(node.types("in-flight", "--json"))["next"] is None
        node.close("chat", "--drain", "1h")
        (window,) = node.asks("/api/v1/windows")["items"]
        assert window["in_flight"] == [
            {"route": "chat", "region": "eu", "count": 1, "tunnels": 1, "streams": 0}
        ]
        events.close()
        answer.close()
        shows(node, {"chat": (1, 1, 0)})
    shows(node, {})
