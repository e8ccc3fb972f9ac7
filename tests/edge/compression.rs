//! Smaller answers, read by real decoders.

use std::future::Future;

use async_compression::tokio::write::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use tokio::io::AsyncWriteExt as _;

use crate::proxy::node::{Node, Setup};
use crate::support::eventually;
use crate::support::http1::Message;
use crate::support::origin::{Act, Origin, answer};
use crate::support::raw::Raw;

const ON: &str = "[route.compression]";

fn node(origin: Origin) -> Node {
    Node::start(origin, &Setup { route: ON, ..Setup::default() })
}

/// A text that compresses, and is not the same everywhere.
fn long() -> String {
    (0..20_000).map(|n| format!("line {n} of {}\n", n % 7)).collect()
}

fn text(fields: &'static [(&'static str, &'static str)], body: String) -> Origin {
    Origin::acting(move |_| {
        let fields = [&[("Content-Type", "text/plain; charset=utf-8")], fields].concat();
        Act::Send(answer("200 OK", &fields, &body))
    })
}

fn request(method: &str, fields: &str) -> String {
    format!("{method} /x HTTP/1.1\r\nHost: site.test\r\n{fields}\r\n")
}

fn ask(node: &Node, accept: &str) -> Message {
    node.ask(request("GET", &format!("Accept-Encoding: {accept}\r\n")))
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(work)
}

/// What a whole body says by this coding; a body that is cut short is a failure.
fn decoded(coding: &str, body: &[u8]) -> Vec<u8> {
    run(async {
        match coding {
            "gzip" => whole(GzipDecoder::new(Vec::new()), body).await.into_inner(),
            "br" => whole(BrotliDecoder::new(Vec::new()), body).await.into_inner(),
            "zstd" => whole(ZstdDecoder::new(Vec::new()), body).await.into_inner(),
            other => panic!("{other}"),
        }
    })
}

async fn whole<W: tokio::io::AsyncWrite + Unpin>(mut decoder: W, body: &[u8]) -> W {
    decoder.write_all(body).await.expect("a sound body");
    decoder.shutdown().await.expect("a whole body");
    decoder
}

#[test]
fn a_body_arrives_whole_by_every_coding() {
    let body = long();
    let node = node(text(&[("ETag", "\"v1\""), ("Accept-Ranges", "bytes")], body.clone()));
    for coding in ["zstd", "br", "gzip"] {
        let got = ask(&node, coding);
        assert_eq!(got.field("content-encoding"), Some(coding));
        assert!(got.body.len() * 4 < body.len(), "{coding}: {} bytes", got.body.len());
        assert_eq!(decoded(coding, &got.body), body.as_bytes(), "{coding}");
        assert_eq!(got.field_values("vary"), ["Accept-Encoding"]);
        assert_eq!(got.field("etag"), Some("W/\"v1\""));
        assert_eq!((got.field("content-length"), got.field("accept-ranges")), (None, None));
        assert_eq!(got.field("content-type"), Some("text/plain; charset=utf-8"));
    }
    let plain = ask(&node, "identity");
    assert_eq!((plain.text(), plain.field("content-encoding")), (body, None));
    assert_eq!(plain.field_values("vary"), ["Accept-Encoding"], "caches must know");
    assert_eq!(
        (plain.field("etag"), plain.field("accept-ranges")),
        (Some("\"v1\""), Some("bytes"))
    );
    let lines = node.lines(4);
    assert!(lines.iter().all(|line| line["end"] == "done"), "{lines:?}");
}

#[test]
fn the_client_chooses_and_among_equals_the_route_does() {
    let node = node(text(&[], long()));
    for (accept, chosen) in [
        ("gzip, deflate, br, zstd", Some("zstd")),
        ("gzip, br;q=0.9", Some("gzip")),
        ("gzip;q=0.5, br;q=0.8", Some("br")),
        ("GZIP", Some("gzip")),
        ("*", Some("zstd")),
        ("*, zstd;q=0", Some("br")),
        ("gzip ; q = 0.1", Some("gzip")),
        ("gzip;q=0", None),
        ("gzip;q=nonsense", None),
        ("gzip;q=2", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", Some("gzip")),
        ("identity;q=0", None),
        ("deflate", None),
        ("", None),
    ] {
        assert_eq!(ask(&node, accept).field("content-encoding"), chosen, "{accept:?}");
    }
    let silent = node.ask(request("GET", ""));
    assert_eq!(silent.field("content-encoding"), None, "who says nothing gets it as it is");
    let lines = "Accept-Encoding: deflate\r\nAccept-Encoding: br\r\n";
    assert_eq!(node.ask(request("GET", lines)).field("content-encoding"), Some("br"));
}

/// What an origin's answer with these fields is to a client that takes gzip.
fn coding_of(status: &str, fields: &[(&str, &str)]) -> (Option<String>, Message) {
    let whole = answer(status, fields, "x".repeat(2000));
    let origin = Origin::acting(move |_| Act::Send(whole.clone()));
    let got = ask(&node(origin), "gzip");
    (got.field("content-encoding").map(str::to_owned), got)
}

#[test]
fn what_must_stay_as_it_is_stays() {
    const TEXT: (&str, &str) = ("Content-Type", "text/plain");
    let untouched: [&[(&str, &str)]; 9] = [
        &[TEXT, ("Cache-Control", "public, No-Transform")],
        &[TEXT, ("Content-Encoding", "identity")],
        &[TEXT, ("Repr-Digest", "sha-256=:x:")],
        &[TEXT, ("Content-MD5", "x")],
        &[("Content-Type", "text/event-stream")],
        &[("Content-Type", "application/grpc+proto")],
        &[("Content-Type", "image/png")],
        &[("Content-Type", "textual/plain")],
        &[],
    ];
    for fields in untouched {
        let (coding, got) = coding_of("200 OK", fields);
        assert_eq!(coding.filter(|coding| coding != "identity"), None, "{fields:?}");
        assert_eq!((got.text().len(), got.field("vary")), (2000, None), "{fields:?}");
    }
    let range = ("Content-Range", "bytes 0-1999/4000");
    let part: &[(&str, &str)] = &[("Content-Type", "text/plain"), range];
    assert_eq!(coding_of("206 Partial Content", part).0, None);
    for status in ["200 OK", "404 Not Found", "500 Internal Server Error"] {
        assert_eq!(coding_of(status, &[TEXT]).0.as_deref(), Some("gzip"), "control: {status}");
    }
    let (_, svg) = coding_of("200 OK", &[("Content-Type", "IMAGE/svg+xml"), ("Vary", "Cookie")]);
    assert_eq!(svg.field_values("vary"), ["Cookie", "Accept-Encoding"]);
    let small = node(text(&[], "x".repeat(1023)));
    assert_eq!(ask(&small, "gzip").text().len(), 1023);
}

#[test]
fn a_head_is_answered_as_a_get_would_be_and_has_no_body() {
    let node = node(text(&[("ETag", "\"v1\"")], long()));
    let mut client = node.connect();
    client.send(request("HEAD", "Accept-Encoding: gzip\r\n"));
    let got = client.response_to_head();
    assert_eq!(
        (got.field("content-encoding"), got.field("etag")),
        (Some("gzip"), Some("W/\"v1\""))
    );
    assert_eq!((got.field("content-length"), got.body.len()), (None, 0));
    client.send(request("GET", "Accept-Encoding: gzip\r\n"));
    assert_eq!(
        decoded("gzip", &client.response().body),
        long().as_bytes(),
        "the next one is whole"
    );
}

#[test]
fn a_copy_with_a_weak_tag_is_still_fresh_and_a_range_is_a_part_of_what_was_sent() {
    let origin = Origin::acting(|request| {
        if request.field("if-none-match").is_some() {
            return Act::Send(b"HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n".to_vec());
        }
        let fields = [("Content-Type", "text/plain"), ("Content-Range", "bytes 0-1/2000")];
        Act::Send(answer("206 Partial Content", &fields, "ab"))
    });
    let node = node(origin);
    let fields = "Accept-Encoding: gzip\r\nIf-None-Match: W/\"v1\"\r\n";
    let mut client = node.connect();
    client.send(request("GET", fields));
    let got = client.response();
    assert_eq!((got.status(), got.field("etag")), (304, Some("W/\"v1\"")));
    assert_eq!(node.origin.requests()[0].field("if-none-match"), Some("W/\"v1\""));
    client.send(request("GET", "Accept-Encoding: gzip\r\nRange: bytes=0-1\r\n"));
    let part = client.response();
    assert_eq!((part.text().as_str(), part.field("content-encoding")), ("ab", None));
}

#[test]
fn what_a_server_said_before_a_pause_is_readable_during_it() {
    for coding in ["gzip", "br", "zstd"] {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
        let before = [head, "b\r\nbefore it, \r\n"].concat().into_bytes();
        let after = b"8\r\nafter it\r\n0\r\nX-Checked: yes\r\n\r\n".to_vec();
        let origin = Origin::acting(move |_| Act::Hold(before.clone(), after.clone()));
        let node = node(origin);
        let mut client = node.connect();
        client.send(request("GET", &format!("TE: trailers\r\nAccept-Encoding: {coding}\r\n")));
        assert_eq!(read_during_pause(&mut client, coding), "before it, ", "{coding}");
        node.origin.release();
        let lines = node.lines(1);
        assert_eq!(lines[0]["end"], "done", "{coding}");
    }
}

/// What can be decoded of the first chunk, while the server says no more.
fn read_during_pause(client: &mut Raw, coding: &str) -> String {
    let mut got = Vec::new();
    eventually("the first piece, decoded", || {
        got.extend(client.bytes(1));
        let body = got.windows(4).position(|at| at == b"\r\n\r\n")? + 4;
        let line = body + got[body..].windows(2).position(|at| at == b"\r\n")?;
        let length = std::str::from_utf8(&got[body..line]).ok()?;
        let length = usize::from_str_radix(length, 16).ok()?;
        let piece = got.get(line + 2..line + 2 + length)?.to_vec();
        let text = run(async {
            match coding {
                "gzip" => part(GzipDecoder::new(Vec::new()), &piece).await.into_inner(),
                "br" => part(BrotliDecoder::new(Vec::new()), &piece).await.into_inner(),
                _ => part(ZstdDecoder::new(Vec::new()), &piece).await.into_inner(),
            }
        });
        Some(String::from_utf8(text).expect("text"))
    })
}

async fn part<W: tokio::io::AsyncWrite + Unpin>(mut decoder: W, body: &[u8]) -> W {
    decoder.write_all(body).await.expect("a sound beginning");
    decoder.flush().await.expect("what is there so far");
    decoder
}

#[test]
fn trailers_follow_a_compressed_body() {
    let body = long();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTrailer: X-Checked\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n{body}\r\n0\r\nX-Checked: yes\r\n\r\n", body.len());
    let origin = Origin::acting(move |_| Act::Send([head, &chunk].concat().into_bytes()));
    let node = node(origin);
    let got = node.ask(request("GET", "TE: trailers\r\nAccept-Encoding: zstd\r\n"));
    assert_eq!(decoded("zstd", &got.body), body.as_bytes());
    assert_eq!(got.trailers, [("x-checked".to_owned(), "yes".to_owned())]);
}

#[test]
fn a_body_that_is_cut_off_upstream_is_not_ended_as_if_it_were_whole() {
    let origin = Origin::acting(|_| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 99999\r\n\r\n";
        Act::SendAndClose([head, &"cut ".repeat(2000)].concat().into_bytes())
    });
    let node = node(origin);
    let mut client = node.connect();
    client.send(request("GET", "Accept-Encoding: gzip\r\n"));
    let rest = client.rest();
    assert!(rest.starts_with(b"HTTP/1.1 200 OK") && !rest.ends_with(b"0\r\n\r\n"));
    assert_eq!(node.end(), "upstream/answer/reset");
}

#[test]
fn a_large_body_leaves_the_worker_to_others() {
    let body = "0123456789abcdef".repeat(1 << 19);
    let big = body.clone();
    let origin = Origin::acting(move |request| match request.target() {
        "/x" => Act::Send(answer("200 OK", &[("Content-Type", "text/plain")], &big)),
        _ => Act::Send(answer("200 OK", &[], "hello")),
    });
    let node = node(origin);
    let mut reader = node.connect();
    reader.send(request("GET", "Accept-Encoding: br\r\n"));
    for _ in 0..10 {
        let other = node.ask("GET /other HTTP/1.1\r\nHost: site.test\r\n\r\n");
        assert_eq!(other.text(), "hello");
    }
    let got = reader.response();
    assert_eq!(decoded("br", &got.body).len(), body.len());
}
