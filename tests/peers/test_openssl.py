"""openssl s_client: what the handshake itself says."""

import re

import pytest


@pytest.fixture
def shake(node, run):
    """Shakes hands, and gives what openssl says of it."""

    def shake(*more, feed=b"Q", fails=False):
        trust = ("-CAfile", node.authority.file, "-verify_return_error")
        to = ("-connect", f"127.0.0.1:{node.https}")
        return run("openssl", "s_client", *to, *trust, *more, feed=feed, seconds=20, fails=fails)

    return shake


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("offered, spoken", [("h2,http/1.1", "h2"), ("http/1.1", "http/1.1"), ("h2", "h2")])
def test_alpn_is_answered(shake, version, offered, spoken):
    text = shake(version, "-servername", "localhost", "-alpn", offered)
    assert f"ALPN protocol: {spoken}\n" in text, text
    assert "Verify return code: 0 (ok)" in text


def test_a_protocol_that_we_do_not_speak_is_refused(shake):
    text = shake("-servername", "localhost", "-alpn", "spdy/3", fails=True)
    assert "no application protocol" in text, text


def test_the_certificate_follows_the_name(shake):
    for name, subject in (("localhost", "localhost"), ("OTHER.test", "other.test"), ("x.example.test", "localhost"),
                          ("nobody.test", "localhost")):
        text = shake("-servername", name)
        assert re.search(rf"subject=CN ?= ?{re.escape(subject)}", text), (name, text)
    assert re.search(r"subject=CN ?= ?localhost", shake("-noservername"))


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_session_is_taken_up_again_by_whichever_worker(shake, tmp_path, version):
    # The ticket of TLS 1.3 comes behind the handshake: an answer is awaited first.
    request = b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    kept = tmp_path / "session"
    first = shake(version, "-servername", "localhost", "-ign_eof", "-sess_out", kept, feed=request)
    assert "New, TLS" in first and "GET /hello" in first, first
    for _ in range(6):
        again = shake(version, "-servername", "localhost", "-ign_eof", "-sess_in", kept, feed=request)
        assert "Reused, TLS" in again and "GET /hello" in again, again


def test_old_versions_are_refused(shake):
    for version in ("-tls1", "-tls1_1"):
        text = shake(version, "-cipher", "ALL@SECLEVEL=0", fails=True)
        assert "alert protocol version" in text or "alert handshake failure" in text, text


def test_weak_ciphers_are_refused(shake):
    for cipher in ("AES128-SHA", "ECDHE-RSA-AES128-SHA", "AES256-GCM-SHA384"):
        text = shake("-tls1_2", "-cipher", f"{cipher}@SECLEVEL=0", fails=True)
        assert "handshake failure" in text, text


def test_renegotiation_is_refused(shake):
    text = shake("-tls1_2", "-servername", "localhost", feed=b"R\n", fails=True)
    assert "no renegotiation" in text or "unexpected message" in text or "wrong" in text, text


def test_an_orderly_end_says_so(shake):
    request = b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    text = shake("-servername", "localhost", "-ign_eof", "-msg", feed=request)
    assert re.search(r"<<<.*Alert.*\n.*\n?.*close_notify|warning close_notify", text), text[-2000:]
