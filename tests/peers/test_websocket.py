"""WebSocket visitors: `websockets` at both ends, in clear and over TLS, through the proxy."""

import asyncio
import os
import threading

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stage import wait_for


class Visitor:
    """A WebSocket that these tests speak to call by call, on a loop in a thread of its own. The client of
    two threads would read and write one TLS session at once, which CPython's `ssl` does not bear."""

    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    def __init__(self, uri, **wanted):
        async def enter():
            return await connect(uri, **wanted)

        self.inner = self.wait(enter())

    @classmethod
    def wait(cls, doing, timeout=40):
        """What it comes to."""
        return asyncio.run_coroutine_threadsafe(doing, cls.loop).result(timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def send(self, message):
        """Sends a message, or its fragments."""
        self.wait(self.inner.send(message))

    def recv(self, timeout):
        """The next message."""
        return self.wait(asyncio.wait_for(self.inner.recv(), timeout))

    def ping(self, payload, timeout):
        """Pings, and waits for the answer."""

        async def ping():
            await asyncio.wait_for(await self.inner.ping(payload), timeout)

        self.wait(ping())

    def close(self, *why):
        """Says goodbye."""
        self.wait(self.inner.close(*why))

    def cut(self):
        """Goes without a word."""
        self.loop.call_soon_threadsafe(self.inner.transport.abort)


@pytest.fixture(params=["ws", "wss"])
def enter(request, node):
    """Opens a WebSocket in clear or over TLS."""
    secure = request.param == "wss"

    def enter(path="/chat/room", **wanted):
        base = f"wss://localhost:{node.https}" if secure else f"ws://localhost:{node.http}"
        context = node.authority.trusted("http/1.1") if secure else None
        return Visitor(base + path, ssl=context, max_size=4 << 20, open_timeout=10, **wanted)

    return enter


def test_what_is_said_comes_back(enter):
    for compression in ("deflate", None):
        with enter(compression=compression) as socket:
            for message in ("hello", "", "ünïcödé ☃", b"", b"\x00\xff", "x" * 126, "y" * 65_536):
                socket.send(message)
                assert socket.recv(timeout=10) == message
            extensions = socket.response.headers.get("sec-websocket-extensions", "")
            assert ("permessage-deflate" in extensions) == (compression == "deflate")


def test_a_mebibyte_comes_back_whole(enter):
    message = os.urandom(1 << 20)
    for compression in ("deflate", None):
        with enter(compression=compression) as socket:
            socket.send(message)
            assert socket.recv(timeout=30) == message


def test_fragments_come_back_as_one_message(enter):
    with enter() as socket:
        socket.send(["frag", "ment", "ed"])
        assert socket.recv(timeout=10) == "fragmented"
        socket.send(iter([b"a", b"b" * 70_000, b"c"]))
        assert socket.recv(timeout=10) == b"a" + b"b" * 70_000 + b"c"


def test_pings_are_answered_by_the_other_end(enter):
    with enter() as socket:
        socket.ping(b"payload", timeout=10)
        socket.send("after")
        assert socket.recv(timeout=10) == "after"


def test_a_subprotocol_is_agreed_on(enter):
    with enter(subprotocols=["other", "echo.v2"]) as socket:
        assert socket.subprotocol == "echo.v2"


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
def test_the_applications_close_code_arrives(enter, code):
    with enter() as socket:
        socket.send(f"close {code}")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=10)
        assert (socket.close_code, socket.close_reason) == (code, "as asked")


def test_the_visitors_close_code_arrives(enter, chat):
    before = len(chat.closed_with)
    with enter() as socket:
        socket.close(4001, "enough")
    wait_for(lambda: len(chat.closed_with) > before, "the application's end")
    assert chat.closed_with[-1] == 4001


def test_a_visitor_who_is_gone_is_told_to_the_application(enter, chat):
    before = len(chat.closed_with)
    socket = enter()
    socket.send("hello")
    assert socket.recv(timeout=10) == "hello"
    socket.cut()
    wait_for(lambda: len(chat.closed_with) > before, "the application's end")


def test_many_talk_at_once(enter):
    faults = []

    def talk(number):
        try:
            with enter() as socket:
                for turn in range(20):
                    socket.send(f"{number}-{turn}")
                    assert socket.recv(timeout=20) == f"{number}-{turn}"
        except Exception as fault:  # noqa: BLE001: whatever it was is told
            faults.append(f"{number}: {fault!r}")

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []


def test_a_closed_route_refuses_before_anything_is_upgraded(enter, node, chat):
    node.close("chat")
    before = len(chat.paths)
    with pytest.raises(InvalidStatus) as refused:
        enter()
    assert refused.value.response.status_code == 503
    assert "retry-after" in refused.value.response.headers
    assert len(chat.paths) == before, "the application was not asked"


def test_a_visitor_is_told_that_the_service_restarts(enter, node):
    with enter() as socket:
        socket.send("hello")
        assert socket.recv(timeout=10) == "hello"
        node.close("chat", "--drain", "1s")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=30)
        assert socket.close_code == 1012, (socket.close_code, socket.close_reason)


def test_another_routes_visitors_keep_talking(enter, node):
    with enter() as socket:
        node.close("claims", "--drain", "1s")
        wait_for(lambda: "closed" in node.types("status").lower(), "the window")
        socket.send("still here")
        assert socket.recv(timeout=10) == "still here"
