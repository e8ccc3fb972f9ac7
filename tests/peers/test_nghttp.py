"""nghttp and h2load: HTTP/2 as its reference implementation speaks it, and under load."""

import re

import pytest


@pytest.fixture(params=["h2c", "tls"])
def site(request, node):
    """The site in clear and over TLS."""
    return node.prior if request.param == "h2c" else node.secure


def test_nghttp_reads_a_page(site, run):
    text = run("nghttp", "-v", "--no-verify-peer", f"{site}/hello", seconds=20)
    assert ":status: 200" in text and "GET /hello" in text, text
    assert "recv SETTINGS" in text and "error_code=NO_ERROR" in text


def test_nghttp_sends_a_body_in_padded_frames(site, run, tmp_path):
    (tmp_path / "body").write_bytes(b"padded " * 20_000)
    text = run("nghttp", "-b", "200", "--no-verify-peer", "-d", tmp_path / "body", f"{site}/echo", seconds=30)
    assert text.count("padded ") == 20_000


def test_a_head_longer_than_a_frame_passes(site, run):
    head = [part for number in range(28) for part in ("-H", f"x-long-{number}: {'~' * 900}")]
    text = run("nghttp", "-v", "--no-verify-peer", *head, f"{site}/hello", seconds=20)
    assert ":status: 200" in text, text[-2000:]


def test_a_closed_route_answers_nghttp(site, run, node):
    node.close("claims")
    text = run("nghttp", "-v", "--no-verify-peer", f"{site}/claims/1", seconds=20)
    assert ":status: 503" in text and "retry-after:" in text, text


@pytest.mark.parametrize("path, sent, status", [("/hello", 0, 2), ("/echo", 3000, 2), ("/claims/1", 0, 5)])
def test_h2load_has_every_answer(site, run, node, tmp_path, path, sent, status):
    node.close("claims")
    (tmp_path / "body").write_bytes(b"x" * sent)
    body = ("-d", tmp_path / "body") if sent else ()
    text = run("h2load", "-n", 2000, "-c", 10, "-m", 20, "-t", 1, *body, f"{site}{path}", seconds=90)
    counts = re.search(r"requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded", text)
    assert counts, text
    total, done, _ = map(int, counts.groups())
    assert total == done == 2000 and "0 errored, 0 timeout" in text, text
    codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
    assert int(codes.groups()[{2: 0, 5: 3}[status]]) == 2000, text
