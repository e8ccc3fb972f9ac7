"""What visitors of a soak do: each kind is one thread that goes on until told to stop.

Every loop is paced, so that the proxy and not this program is what is looked at, and everything
that should not have happened is counted by its kind and told.
"""

import asyncio
import http.client
import itertools
import os
import random
import socket
import ssl
import subprocess
import threading
import time

import grpc
import h2.config
import h2.connection
import h2.events
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.asyncio.client import connect

from application import SERVICE

# Seconds for one answer.
PATIENCE = 15


class Account:
    """What was done, and what went wrong."""

    def __init__(self, calm=1):
        # By how much everybody pauses longer: for a machine that does other things meanwhile.
        self.calm = calm
        self.lock = threading.Lock()
        self.done, self.faults, self.told = {}, {}, []
        self.stop = threading.Event()

    def count(self, kind, number=1):
        """Something went as it should."""
        with self.lock:
            self.done[kind] = self.done.get(kind, 0) + number

    def fault(self, kind, what):
        """Something did not."""
        with self.lock:
            self.faults[kind] = self.faults.get(kind, 0) + 1
            if len(self.told) < 50:
                self.told.append(f"{time.strftime('%H:%M:%S')} {kind}: {what}")


def visitor(kind, pause):
    """Makes a function of an account and a node into a loop; `pause` seconds lie between turns."""

    def wrap(turn):
        def loop(account, node):
            while not account.stop.wait(random.uniform(0, 2 * pause * account.calm)):
                try:
                    turn(account, node)
                except Exception as fault:  # noqa: BLE001: whatever it was is told
                    account.fault(kind, repr(fault)[:3000])
                else:
                    account.count(kind)

        loop.kind = kind
        return loop

    return wrap


def expect(status, *wanted):
    """Fails unless it is one of those."""
    assert status in wanted, f"status {status}, not one of {wanted}"


def converse(client, account, count=50):
    """Pages and echoes on one connection."""
    for number in range(count):
        body = os.urandom(random.choice((0, 10, 5_000, 100_000))) if number % 3 == 0 else None
        client.request("POST" if body is not None else "GET", "/echo" if body is not None else "/hello", body)
        answer = client.getresponse()
        got = answer.read()
        expect(answer.status, 200)
        assert body is None or got == body, "another body came back"
        if account.stop.wait(0.005 * account.calm):
            break
    client.close()


@visitor("h1", 0.05)
def plain(account, node):
    """HTTP/1.1 in clear, kept alive."""
    converse(http.client.HTTPConnection("127.0.0.1", node.http, timeout=PATIENCE), account)


@visitor("h1-tls", 0.05)
def secure(account, node):
    """HTTP/1.1 over TLS, kept alive."""
    context = node.authority.trusted("http/1.1")
    converse(http.client.HTTPSConnection("localhost", node.https, timeout=PATIENCE, context=context), account, 10)


@visitor("new connections", 0.01)
def fleeting(_, node):
    """A connection for each request."""
    client = http.client.HTTPConnection("127.0.0.1", node.http, timeout=PATIENCE)
    client.request("GET", "/hello", headers={"connection": "close"})
    answer = client.getresponse()
    answer.read()
    expect(answer.status, 200)
    client.close()


@visitor("sessions", 0.1)
def returning(account, node):
    """TLS sessions that are taken up again."""
    context = node.authority.trusted("http/1.1")
    session = None
    for _ in range(5):
        raw = socket.create_connection(("127.0.0.1", node.https), timeout=PATIENCE)
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as secure:
            secure.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            text = b""
            while piece := secure.recv(4096):
                text += piece
            assert text.startswith(b"HTTP/1.1 200"), text[:100]
            account.count("resumed" if secure.session_reused else "full handshakes")
            session = secure.session


@visitor("h2", 0.1)
def multiplexed(account, node):
    """HTTP/2 over TLS or in clear: many streams, some of them given up."""
    over_tls = random.random() < 0.5
    raw = socket.create_connection(("127.0.0.1", node.https if over_tls else node.h2c), timeout=PATIENCE)
    if over_tls:
        raw = node.authority.trusted("h2").wrap_socket(raw, server_hostname="localhost")
    with raw:
        peer = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        peer.initiate_connection()
        fields = [(":method", "GET"), (":scheme", "https" if over_tls else "http"), (":authority", "localhost")]
        open_streams = set()
        for turn in range(30):
            stream = peer.get_next_available_stream_id()
            path = random.choice(("/hello", "/big?bytes=40000", "/trailers"))
            peer.send_headers(stream, [*fields, (":path", path)], end_stream=True)
            if turn % 10 == 9:
                peer.reset_stream(stream, 8)
            else:
                open_streams.add(stream)
        raw.sendall(peer.data_to_send())
        while open_streams:
            piece = raw.recv(1 << 16)
            assert piece, f"closed with {len(open_streams)} streams open"
            for event in peer.receive_data(piece):
                if isinstance(event, h2.events.ResponseReceived):
                    expect(dict(event.headers)[":status"], "200")
                elif isinstance(event, h2.events.DataReceived):
                    peer.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    open_streams.discard(event.stream_id)
                    account.count("h2 streams")
                else:
                    bad = (h2.events.StreamReset, h2.events.ConnectionTerminated)
                    assert not isinstance(event, bad), event
            raw.sendall(peer.data_to_send())
        peer.close_connection()
        raw.sendall(peer.data_to_send())


@visitor("websockets", 0.2)
def talker(account, node):
    """A conversation; the route may be closed before or meanwhile."""
    asyncio.run(talk(account, node))


async def talk(account, node):
    """The client of one thread: that of two reads and writes one TLS session at once, which CPython's
    `ssl` does not bear (about one request in 300 was never sent; the kernel's count of bytes told)."""
    over_tls = random.random() < 0.5
    base = f"wss://localhost:{node.https}" if over_tls else f"ws://localhost:{node.http}"
    context = node.authority.trusted("http/1.1") if over_tls else None
    try:
        async with connect(base + "/chat/room", ssl=context, open_timeout=PATIENCE) as chat:
            for number in range(random.choice((5, 50, 200))):
                message = f"{number} " * random.choice((1, 500))
                await chat.send(message)
                assert await asyncio.wait_for(chat.recv(), PATIENCE) == message
                account.count("messages")
                await asyncio.sleep(0.02)
                if account.stop.is_set():
                    break
    except InvalidStatus as refused:
        expect(refused.response.status_code, 503)
        account.count("websockets refused")
    except ConnectionClosed as closed:
        assert closed.rcvd is not None, f"cut without a close frame: {closed!r}"
        expect(closed.rcvd.code, 1012, 1001)
        account.count("websockets told to come again")


@visitor("events", 0.3)
def listener(_, node):
    """Server-sent events to their end."""
    client = http.client.HTTPConnection("127.0.0.1", node.http, timeout=PATIENCE)
    client.request("GET", "/events?count=20&every=0.05", headers={"accept": "text/event-stream"})
    answer = client.getresponse()
    assert answer.read().count(b"data: event") == 20
    client.close()


@visitor("forms", 0.05)
def claimant(account, node):
    """A form: it is forwarded, or kept."""
    client = http.client.HTTPConnection("127.0.0.1", node.http, timeout=PATIENCE)
    site = f"http://localhost:{node.http}"
    fields = {
        "host": f"localhost:{node.http}", "origin": site, "sec-fetch-site": "same-origin", "accept": "text/html",
        "sec-fetch-mode": "navigate", "content-type": "application/x-www-form-urlencoded",
    }
    client.request("POST", "/claims/new", f"claim=number-{random.randrange(1_000_000)}&story={'x' * 500}", fields)
    answer = client.getresponse()
    text = answer.read()
    assert answer.status in (200, 303), f"{answer.status} {answer.getheaders()} {text[:2000]}"
    account.count("forms kept" if answer.status == 303 else "forms forwarded")
    client.close()


@visitor("grpc", 0.2)
def caller(account, node):
    """Calls and streams."""
    trust = grpc.ssl_channel_credentials(node.authority.file.read_bytes())
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
    with grpc.secure_channel(f"localhost:{node.https}", trust, options) as channel:
        say = channel.unary_unary(f"/{SERVICE}/Say")
        for number in range(20):
            assert say(str(number).encode(), timeout=PATIENCE) == str(number).encode()
            account.count("calls")
        counted = channel.unary_stream(f"/{SERVICE}/Count")(b"50", timeout=PATIENCE)
        assert len(list(counted)) == 50
        hang = channel.unary_unary(f"/{SERVICE}/Hang").future(b"", timeout=PATIENCE)
        time.sleep(0.01)
        hang.cancel()


@visitor("rude", 0.1)
def rude(_, node):
    """Goes away at the worst time; whatever it is answered is right."""
    cuts = (
        b"", b"GET /he", b"GET /big?bytes=10000000 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc", b"\x16\x03\x01\x02",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    )
    raw = socket.create_connection(("127.0.0.1", random.choice((node.http, node.https, node.h2c))), timeout=PATIENCE)
    with raw:
        raw.sendall(random.choice(cuts))
        if random.random() < 0.5:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


@visitor("bursts", 4)
def burst(account, node):
    """As many requests as h2load can send, for a moment."""
    site = random.choice((node.secure, node.prior))
    command = ["h2load", "-n", "2000", "-c", "20", "-m", "10", "-t", "1", f"{site}/hello"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "2000 succeeded" in done.stdout, done.stdout[-600:]
    account.count("burst requests", 2000)


@visitor("switches", 5)
def operator(account, node):
    """Closes two routes and opens them again."""
    node.close("claims", "--drain", "1s")
    node.close("chat", "--drain", "1s")
    account.stop.wait(3)
    node.reopen_all()


@visitor("reloads", 4)
def reloader(_, node):
    """Has the config read again."""
    node.reload()


_renewals = itertools.count(1)


@visitor("certificates", 7)
def renewer(_, node):
    """Replaces the site's certificate and key on disk."""
    next(_renewals)
    node.authority.issue("site", "localhost", "127.0.0.1", "*.example.test")
    node.reload()


# Who takes part, and how many of each.
EVERYBODY = (
    (plain, 3), (secure, 2), (fleeting, 2), (returning, 1), (multiplexed, 2), (talker, 4), (listener, 3),
    (claimant, 2), (rude, 2), (burst, 1), (operator, 1), (reloader, 1), (renewer, 1), (caller, 2),
)
assert ssl.HAS_TLSv1_3


def start(account, node, without=()):
    """Lets everybody in."""
    threads = [
        threading.Thread(target=loop, args=(account, node), daemon=True)
        for loop, count in EVERYBODY for _ in range(count) if loop.kind not in without
    ]
    for thread in threads:
        thread.start()
    return threads
