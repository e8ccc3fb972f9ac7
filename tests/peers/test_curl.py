"""curl: every protocol and TLS version it speaks, open and closed."""

import json
import re

import pytest

WAYS = {
    "h1": ("--http1.1",),
    "h1-1.0": ("--http1.0",),
    "h2c": ("--http2-prior-knowledge",),
    "h1-tls1.2": ("--http1.1", "--tls-max", "1.2"),
    "h1-tls1.3": ("--http1.1", "--tlsv1.3"),
    "h2-tls1.2": ("--http2", "--tls-max", "1.2"),
    "h2-tls1.3": ("--http2", "--tlsv1.3"),
}


@pytest.fixture(params=WAYS)
def ask(request, node, run):
    """Asks by each way: gives the status, the protocol that was spoken, and the answer."""
    way = request.param
    site = node.secure if "tls" in way else node.prior if way == "h2c" else node.plain

    def ask(path, *more, fails=False):
        told = "\\n%{http_code} %{http_version}"
        common = ("-sS", "-i", "--max-time", 20, "--cacert", node.authority.file, "-w", told)
        text = run("curl", *common, *WAYS[way], *more, site + path, fails=fails)
        answer, _, last = text.rpartition("\n")
        status, version = last.split()
        spoken = "1" if way == "h1-1.0" else {"h1": "1.1", "h2": "2"}[way[:2]]
        assert version == spoken, text
        return int(status), answer.replace("\r\n", "\n")

    ask.way = way
    return ask


def test_a_page_passes(ask):
    status, answer = ask("/hello?a=b")
    assert status == 200 and answer.endswith("GET /hello\n"), answer
    assert "connection-specific" not in answer
    if ask.way.startswith("h2"):
        assert not re.search(r"(?im)^(connection|transfer-encoding|keep-alive):", answer), answer


def test_what_is_sent_arrives(ask, tmp_path):
    sent = bytes(range(256)) * 4096
    (tmp_path / "sent").write_bytes(sent)
    headers = ("-H", "content-type: application/octet-stream", "-o", tmp_path / "got")
    status, _ = ask("/echo", "--data-binary", f"@{tmp_path / 'sent'}", *headers)
    assert status == 200
    assert (tmp_path / "got").read_bytes().split(b"\r\n\r\n")[-1] == sent
    if ask.way != "h1-1.0":
        status, _ = ask("/echo", "-H", "expect: 100-continue", "-T", tmp_path / "sent", "-X", "POST", *headers)
        assert status == 200
        assert (tmp_path / "got").read_bytes().split(b"\r\n\r\n")[-1] == sent


def test_the_application_hears_who_asked_and_nothing_of_the_connection(ask):
    status, answer = ask("/fields", "-H", "te: gzip, trailers", "-H", "cookie: a=1", "-H", "connection: x-gone, te",
                         "-H", "x-gone: 1", "-H", "x-forwarded-for: 9.9.9.9") \
        if not ask.way.startswith("h2") else ask("/fields", "-H", "te: trailers", "-H", "cookie: a=1")
    assert status == 200, answer
    fields = json.loads(answer[answer.index("{"):])["fields"]
    named = {}
    for name, value in fields:
        named.setdefault(name, []).append(value)
    assert named["x-forwarded-for"] == ["127.0.0.1"]
    assert named["x-forwarded-proto"] == ["https" if "tls" in ask.way else "http"]
    assert len(named["host"]) == 1 and named["host"][0].startswith("localhost:")
    assert named["cookie"] == ["a=1"]
    assert "x-gone" not in named and "http2-settings" not in named


def test_head_has_no_body(ask):
    status, answer = ask("/hello", "-I")
    assert status == 200 and "content-length: " in answer.lower() and "GET" not in answer


def test_a_closed_route_answers_every_way(ask, node):
    node.close("claims")
    status, answer = ask("/claims/1", "-H", "accept: text/html")
    assert status == 503 and "database upgrade" in answer
    assert re.search(r"(?im)^retry-after: \d+$", answer) and "no-store" in answer
    status, answer = ask("/claims/1", "-H", "accept: application/json")
    assert status == 503 and json.loads(answer[answer.index("{"):])
    status, _ = ask("/claims/1", "-X", "PUT", "--data-binary", "x" * 100_000)
    assert status == 503
    status, _ = ask("/hello")
    assert status == 200, "another route is not closed"


def test_many_at_once_over_one_connection(node, run, tmp_path):
    # Over TLS alone: with prior knowledge curl 7.88 breaks its own parallel transfers.
    urls = [f"{node.secure}/big?bytes={size * 4096}" for size in range(1, 41)]
    outs = [part for number in range(40) for part in ("-o", tmp_path / str(number))]
    common = ("-sS", "--max-time", 30, "--cacert", node.authority.file, "-Z", "--parallel-max", 40)
    told = run("curl", *common, "--http2", "-w", "%{num_connects} %{http_code}\n", *outs, *urls)
    assert told.count(" 200") == 40, told
    sizes = [(tmp_path / str(number)).stat().st_size for number in range(40)]
    assert sizes == [size * 4096 for size in range(1, 41)]


def test_an_answer_with_trailers_arrives_whole(ask):
    status, answer = ask("/trailers")
    assert status == 200 and "hello" in answer


def test_events_come_one_by_one(ask):
    status, answer = ask("/events?count=5&every=0.01", "-N")
    assert status == 200 and answer.count("data: event") == 5


def test_upgrade_to_h2c_is_not_taken(node, run):
    text = run("curl", "-sS", "-i", "--max-time", 10, "--http2", f"{node.plain}/fields")
    assert text.startswith("HTTP/1.1 200"), text
    fields = {name for name, _ in json.loads(text[text.index("{"):])["fields"]}
    assert not fields & {"upgrade", "http2-settings"}, fields


def test_a_certificate_is_picked_by_name(node, run):
    def ask(host, fails=False):
        to = f"{host}:{node.https}:127.0.0.1"
        return run("curl", "-sS", "-i", "--max-time", 10, "--resolve", to, "--cacert", node.authority.file,
                   f"https://{host}:{node.https}/hello", fails=fails)

    assert "200" in ask("other.test") and "200" in ask("a.example.test")
    assert "certificate" in ask("a.b.example.test", fails=True), "a wildcard stands for one label"
    assert "certificate" in ask("stranger.test", fails=True)
