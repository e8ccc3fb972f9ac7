"""gRPC: grpcio at both ends, in clear and over TLS, through the proxy."""

import threading
import time

import grpc
import pytest

from application import SERVICE

# Seconds for calls that should be answered at once.
SOON = 20


@pytest.fixture(params=["h2c", "tls"])
def channel(request, node):
    """A client's connection."""
    options = [("grpc.max_receive_message_length", 16 << 20), ("grpc.enable_retries", 0),
               ("grpc.use_local_subchannel_pool", 1)]
    if request.param == "tls":
        trust = grpc.ssl_channel_credentials(node.authority.file.read_bytes())
        channel = grpc.secure_channel(f"localhost:{node.https}", trust, options)
    else:
        channel = grpc.insecure_channel(f"localhost:{node.h2c}", options)
    yield channel
    channel.close()


def test_a_call_is_answered_with_metadata_at_both_ends(channel, greeter):
    say = channel.unary_unary(f"/{SERVICE}/Say")
    answer, call = say.with_call(b"hello", timeout=SOON, metadata=(("x-asked", "1"), ("x-raw-bin", b"\x00\x01")))
    assert answer == b"hello"
    assert dict(call.initial_metadata())["x-first"] == "1"
    trailing = dict(call.trailing_metadata())
    assert trailing["x-last"] == "2" and trailing["x-last-bin"] == b"\x00\xff"
    assert greeter.seen["x-asked"] == "1" and greeter.seen["x-raw-bin"] == b"\x00\x01"
    assert greeter.seen["x-forwarded-for"] == "127.0.0.1"


@pytest.mark.parametrize("size", [0, 1, 16_384, 65_536, 4 << 20])
def test_messages_of_every_size_pass(channel, size):
    message = bytes(index % 251 for index in range(size))
    assert channel.unary_unary(f"/{SERVICE}/Say")(message, timeout=60) == message


def test_streams_pass_each_way(channel):
    counted = channel.unary_stream(f"/{SERVICE}/Count")(b"500", timeout=60)
    assert [int(message) for message in counted] == list(range(500))
    numbers = (str(number).encode() for number in range(500))
    assert channel.stream_unary(f"/{SERVICE}/Sum")(numbers, timeout=60) == str(sum(range(500))).encode()


def test_both_sides_talk_in_turns(channel):
    turn, last = threading.Semaphore(1), 50
    said = []

    def say():
        for number in range(last):
            assert turn.acquire(timeout=SOON)
            yield str(number).encode()

    for message in channel.stream_stream(f"/{SERVICE}/Echo")(say(), timeout=60):
        said.append(int(message))
        turn.release()
    assert said == list(range(last)), "each was answered before the next was said"


def test_a_status_of_the_application_arrives(channel):
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary(f"/{SERVICE}/Fail")("not today, ünïcödé".encode(), timeout=SOON)
    assert failed.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert failed.value.details() == "not today, ünïcödé"
    assert dict(failed.value.trailing_metadata())["x-why"] == "asked"
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary(f"/{SERVICE}/Unknown")(b"", timeout=SOON)
    assert failed.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_deadline_ends_the_call_at_the_application_too(channel, greeter):
    greeter.cancelled.clear()
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary(f"/{SERVICE}/Hang")(b"", timeout=0.5)
    assert failed.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 5
    assert greeter.cancelled.wait(SOON)


def test_a_cancelled_call_is_cancelled_at_the_application_and_harms_no_other(channel, greeter):
    say = channel.unary_unary(f"/{SERVICE}/Say")
    for _ in range(20):
        greeter.cancelled.clear()
        call = channel.unary_unary(f"/{SERVICE}/Hang").future(b"", timeout=SOON)
        assert say(b"beside", timeout=SOON) == b"beside"
        call.cancel()
        assert greeter.cancelled.wait(SOON)
    assert say(b"after", timeout=SOON) == b"after"


def test_many_calls_share_a_connection(channel):
    say = channel.unary_unary(f"/{SERVICE}/Say")
    calls = [say.future(str(number).encode() * 100, timeout=60) for number in range(300)]
    assert [call.result() for call in calls] == [str(number).encode() * 100 for number in range(300)]


def test_a_closed_route_says_unavailable_and_when_to_come_again(channel, node):
    node.close("greeter")
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary(f"/{SERVICE}/Say")(b"hello", timeout=SOON)
    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "Greeter is unavailable" in failed.value.details()
    assert int(dict(failed.value.trailing_metadata())["grpc-retry-pushback-ms"]) > 0
    with pytest.raises(grpc.RpcError) as failed:
        list(channel.unary_stream(f"/{SERVICE}/Count")(b"5", timeout=SOON))
    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
    node.reopen_all()
    assert channel.unary_unary(f"/{SERVICE}/Say")(b"hello", timeout=SOON) == b"hello"


def test_a_stream_ends_with_unavailable_when_its_route_closes(channel, node):
    again = threading.Event()

    def say():
        yield b"first"
        again.wait(60)

    echo = channel.stream_stream(f"/{SERVICE}/Echo")(say(), timeout=60)
    try:
        assert next(echo) == b"first"
        node.close("greeter", "--drain", "1s")
        with pytest.raises(grpc.RpcError) as failed:
            next(echo)
        assert failed.value.code() == grpc.StatusCode.UNAVAILABLE, failed.value
        node.reopen_all()
        assert channel.unary_unary(f"/{SERVICE}/Say")(b"same", timeout=SOON) == b"same"
    finally:
        again.set()
