"""An HTTP/2 client that misbehaves: what it costs us is bounded, and a good one beside is served.

Each attack is bounded in frames and time. The proxy may answer or close, as it likes, but it must
not grow, and it must not keep the good client waiting.
"""

import socket
import struct
import threading
import time

import h2.config
import h2.connection
import h2.events
import pytest

from stage import wait_for

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
# Frames and bytes after which an attack gives up, and how long it may take.
FRAMES_MAX, BYTES_MAX, SECONDS_MAX = 40_000, 64 << 20, 15
# What the process may grow by under one attack, and how long the good client may wait.
GROWTH_MAX, WAIT_MAX = 10 << 20, 3.0
# What the good client has seen at least when an attack is over.
PAGES_MIN = 50


def frame(kind, flags, stream, payload=b""):
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    """One field, as HPACK writes it without any table."""
    return b"\x00" + b"".join(bytes([len(text)]) + text for text in (name.encode(), value.encode()))


def head(path="/hello", method="GET"):
    """The fields of a request."""
    fields = {":method": method, ":scheme": "http", ":path": path, ":authority": "localhost"}
    return b"".join(literal(*field) for field in fields.items())


def streams():
    """The numbers of a client's streams."""
    return range(1, 2 * FRAMES_MAX, 2)


def rapid_reset():
    for stream in streams():
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, head())
        yield frame(RESET, 0, stream, struct.pack(">I", 8))


def made_you_reset():
    for stream in streams():
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, head())
        yield frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 0))


def data_after_the_end():
    for stream in streams():
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, head())
        yield frame(DATA, 0, stream, b"late")


def pings():
    for number in range(FRAMES_MAX):
        yield frame(PING, 0, 0, struct.pack(">Q", number))


def settings():
    for number in range(FRAMES_MAX):
        yield frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65_535 + number % 2))


def priorities():
    for number in range(FRAMES_MAX):
        yield frame(PRIORITY, 0, 2 * number + 1, struct.pack(">IB", 0, number % 256))


def continuations():
    yield frame(HEADERS, END_STREAM, 1, head())
    for number in range(FRAMES_MAX):
        yield frame(CONTINUATION, 0, 1, literal(f"x-{number}", "v" * 100))


def empty_continuations():
    yield frame(HEADERS, END_STREAM, 1, head())
    for _ in range(FRAMES_MAX):
        yield frame(CONTINUATION, 0, 1)


def empty_data():
    yield frame(HEADERS, END_HEADERS, 1, head("/echo", "POST"))
    for _ in range(FRAMES_MAX):
        yield frame(DATA, 0, 1)


def table_bomb():
    # One large field, put in the table once, and named again and again.
    bomb = b"\x40\x01a\x7f" + b"\xa1\x1e" + b"b" * 4000
    for stream in streams():
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, head() + (bomb if stream == 1 else b"") + b"\xbe" * 8_000)


def broken_windows():
    yield frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
    for stream in range(1, 2_000, 2):
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, head("/big?bytes=65536"))


ATTACKS = [
    rapid_reset, made_you_reset, data_after_the_end, pings, settings, priorities, continuations,
    empty_continuations, empty_data, table_bomb, broken_windows,
]
# Those after which nothing but the end of the connection is right.
ENDED = {
    "rapid_reset", "made_you_reset", "pings", "settings", "continuations", "empty_continuations",
    "empty_data", "priorities",
}


class Attacker:
    """One connection that sends what an attack yields."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.frames = self.bytes = self.read = 0
        self.ended = False

    def attack(self, frames):
        """Sends until the proxy has enough, or a bound is met."""
        listener = threading.Thread(target=self._read, daemon=True)
        listener.start()
        deadline = time.monotonic() + SECONDS_MAX
        batch = [PREFACE, frame(SETTINGS, 0, 0)]
        try:
            for one in frames:
                batch.append(one)
                self.frames += 1
                if len(batch) >= 64:
                    self.socket.sendall(b"".join(batch))
                    self.bytes += sum(map(len, batch))
                    batch.clear()
                if self.ended or self.frames >= FRAMES_MAX or self.bytes >= BYTES_MAX \
                        or time.monotonic() > deadline:
                    break
            self.socket.sendall(b"".join(batch))
        except OSError:
            self.ended = True
        return listener

    def _read(self):
        try:
            while piece := self.socket.recv(1 << 16):
                self.read += len(piece)
        except TimeoutError:
            return
        except OSError:
            pass
        self.ended = True

    def leave(self):
        """Goes away."""
        self.socket.close()


class Good(threading.Thread):
    """A client that asks for one page after another, on one connection, and times each."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.done = port, threading.Event()
        self.waits, self.fault = [], None

    def run(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
                self.converse(connection)
        except Exception as fault:  # noqa: BLE001: whatever it was is told
            self.fault = fault

    def converse(self, connection):
        """Asks until told to stop."""
        peer = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        peer.initiate_connection()
        fields = [(":method", "GET"), (":scheme", "http"), (":path", "/hello"), (":authority", "localhost")]
        while not self.done.is_set():
            began = time.monotonic()
            stream = peer.get_next_available_stream_id()
            peer.send_headers(stream, fields, end_stream=True)
            connection.sendall(peer.data_to_send())
            self.receive(peer, connection)
            self.waits.append(time.monotonic() - began)

    @staticmethod
    def receive(peer, connection):
        """One answer."""
        while True:
            piece = connection.recv(1 << 16)
            assert piece, "the connection was closed"
            for event in peer.receive_data(piece):
                if isinstance(event, h2.events.ResponseReceived):
                    assert (":status", "200") in event.headers, event.headers
                if isinstance(event, h2.events.DataReceived):
                    peer.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if isinstance(event, h2.events.StreamEnded):
                    connection.sendall(peer.data_to_send())
                    return
                assert not isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)), event

    def stop(self):
        """Has it stop, and tells what went wrong."""
        self.done.set()
        self.join(20)
        assert self.fault is None, repr(self.fault)
        return self.waits


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_costs_little_and_harms_nobody(node, attack):
    good = Good(node.h2c)
    good.start()
    before = node.resources()
    attacker = Attacker(node.h2c)
    listener = attacker.attack(attack())
    listener.join(8)
    after = node.resources()
    wait_for(lambda: len(good.waits) >= PAGES_MIN or good.fault, "the good client's pages")
    attacker.leave()
    waits = good.stop()
    told = f"{attacker.frames} frames, {attacker.bytes} bytes sent, {attacker.read} read back, ended: {attacker.ended}"
    print(f"{attack.__name__}: {told}; good client: {len(waits)} pages, slowest {max(waits):.3f} s")
    assert waits and max(waits) < WAIT_MAX, (told, max(waits))
    assert after["rss"] - before["rss"] < GROWTH_MAX, (told, before, after)
    assert after["fds"] - before["fds"] < 250, (told, before, after)
    if attack.__name__ in ENDED:
        assert attacker.ended, f"it was let go on: {told}"
        assert attacker.frames < FRAMES_MAX, told


def test_the_good_client_can_fail(node):
    """The control: a client that meets no server is told."""
    good = Good(1)
    good.start()
    good.join(10)
    with pytest.raises(AssertionError):
        good.stop()
