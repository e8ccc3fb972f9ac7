//! Pages over the wire.

use std::future::Future;

use async_compression::tokio::write::{
    BrotliDecoder, BrotliEncoder, GzipDecoder, GzipEncoder, ZstdDecoder, ZstdEncoder,
};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::tag;
use crate::proxy::node::{Node, Setup, end_of};
use crate::support::http1::Message;
use crate::support::origin::{Act, Origin, answer};

pub(super) const PAGE: &str = "<!doctype html><html><head><title>A page</title></head>\
                    <body><form method=post><input name=a></form></body></html>";
pub(super) const HTML: (&str, &str) = ("Content-Type", "text/html; charset=utf-8");

/// A browser going to a page.
pub(super) fn visit(fields: &str) -> String {
    format!(
        "GET /form HTTP/1.1\r\nHost: site.test\r\nSec-Fetch-Dest: document\r\n\
         Sec-Fetch-Mode: navigate\r\n{fields}\r\n"
    )
}

/// A node in front of an application that answers everything so.
fn serving(fields: &[(&str, &str)], body: impl AsRef<[u8]>) -> Node {
    answering("200 OK", fields, body)
}

fn answering(status: &str, fields: &[(&str, &str)], body: impl AsRef<[u8]>) -> Node {
    let whole = answer(status, fields, body);
    Node::before(Origin::acting(move |_| Act::Send(whole.clone())))
}

/// [`PAGE`] with the tag where it belongs.
pub(super) fn injected() -> String {
    PAGE.replacen("<head>", &format!("<head>{}", tag()), 1)
}

pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(work)
}

async fn whole<W: AsyncWrite + Unpin>(mut coder: W, body: &[u8]) -> W {
    coder.write_all(body).await.expect("a sound body");
    coder.shutdown().await.expect("a whole body");
    coder
}

pub(super) fn decoded(coding: &str, body: &[u8]) -> Vec<u8> {
    run(async {
        match coding {
            "gzip" => whole(GzipDecoder::new(Vec::new()), body).await.into_inner(),
            "br" => whole(BrotliDecoder::new(Vec::new()), body).await.into_inner(),
            "zstd" => whole(ZstdDecoder::new(Vec::new()), body).await.into_inner(),
            other => panic!("{other}"),
        }
    })
}

pub(super) fn encoded(coding: &str, body: &[u8]) -> Vec<u8> {
    run(async {
        match coding {
            "gzip" => whole(GzipEncoder::new(Vec::new()), body).await.into_inner(),
            "br" => whole(BrotliEncoder::new(Vec::new()), body).await.into_inner(),
            "zstd" => whole(ZstdEncoder::new(Vec::new()), body).await.into_inner(),
            other => panic!("{other}"),
        }
    })
}

#[test]
fn a_page_gets_the_tag_and_a_head_that_is_true_of_it() {
    let node = serving(
        &[
            HTML,
            ("ETag", "\"v1\""),
            ("Accept-Ranges", "bytes"),
            ("Repr-Digest", "sha-256=:x:"),
            ("Content-MD5", "x"),
            ("Last-Modified", "Sat, 21 Nov 2026 10:00:00 GMT"),
        ],
        PAGE,
    );
    let got = node.ask(visit(""));
    assert_eq!(got.text(), injected());
    for gone in ["content-length", "accept-ranges", "repr-digest", "content-md5"] {
        assert_eq!(got.field(gone), None, "{gone}");
    }
    let digest = intermission::inject::digest8();
    assert_eq!(got.field("etag"), Some(&*format!("W/\"v1-im{digest}\"")));
    assert_eq!(got.field("last-modified"), Some("Sat, 21 Nov 2026 10:00:00 GMT"));
    assert_eq!(got.field("vary"), None, "the tag is the same for everybody");
    assert_eq!(end_of(&node.lines(1)[0]), "done");
    assert_eq!(node.metric("intermission_pages_total{outcome=\"injected\"}"), 1);
    let script = format!("GET {} HTTP/1.1\r\nHost: site.test\r\n\r\n", tag_source());
    assert_eq!(node.ask(script).status(), 200, "what the tag names is there");
}

fn tag_source() -> String {
    let tag = tag();
    tag.split('"').nth(3).expect("an address").to_owned()
}

#[test]
fn a_coded_page_gets_the_tag_in_its_own_coding() {
    let long: String = (0..3_000).map(|n| format!("<p>line {n} of {}</p>\n", n % 7)).collect();
    let page = PAGE.replacen("<form", &format!("{long}<form"), 1);
    let wanted = page.replacen("<head>", &format!("<head>{}", tag()), 1);
    for coding in ["gzip", "br", "zstd"] {
        let node = serving(&[HTML, ("Content-Encoding", coding)], encoded(coding, page.as_bytes()));
        let got = node.ask(visit("Accept-Encoding: gzip, br, zstd\r\n"));
        assert_eq!(got.field("content-encoding"), Some(coding));
        assert_eq!(decoded(coding, &got.body), wanted.as_bytes(), "{coding}");
        assert_eq!(end_of(&node.lines(1)[0]), "done");
    }
}

#[test]
fn only_pages_that_people_go_to_get_it() {
    let node = serving(&[HTML], PAGE);
    let asks = |fields: &str| {
        let head = format!("GET / HTTP/1.1\r\nHost: site.test\r\n{fields}\r\n");
        node.ask(head).text() != PAGE
    };
    for (fields, gets) in [
        ("Sec-Fetch-Dest: document\r\n", true),
        ("Sec-Fetch-Dest: iframe\r\n", true),
        ("Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n", true),
        ("Sec-Fetch-Dest: empty\r\nAccept: text/html\r\n", false),
        ("Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nAccept: text/html\r\n", false),
        // A service worker that hands the page on.
        ("Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: navigate\r\nAccept: text/html\r\n", true),
        ("Sec-Fetch-Dest: image\r\nSec-Fetch-Mode: navigate\r\nAccept: text/html\r\n", false),
        ("Sec-Fetch-Dest: document\r\nHX-Request: true\r\n", false),
        ("Accept: text/html\r\nTurbo-Frame: x\r\n", false),
        ("Accept: text/html\r\nX-Requested-With: XMLHttpRequest\r\n", false),
        ("Accept: text/html;q=0, */*\r\n", false),
        ("Accept: */*\r\n", false),
        ("", false),
    ] {
        assert_eq!(asks(fields), gets, "{fields:?}");
    }
    let off = Node::start(
        Origin::acting(|_| Act::Send(answer("200 OK", &[HTML], PAGE))),
        &Setup { route: "[route.forms]\nscript = false", ..Setup::default() },
    );
    assert_eq!(off.ask(visit("")).text(), PAGE, "the route does not want it");
}

/// Asks for an answer with these fields, and how it was counted.
fn skipped(status: &str, fields: &[(&str, &str)], why: &str) -> Message {
    let node = answering(status, fields, PAGE);
    let got = node.ask(visit(""));
    assert_eq!(got.text(), PAGE, "{fields:?}");
    let series = format!("intermission_pages_total{{outcome=\"{why}\"}}");
    assert_eq!(node.metric(&series), 1, "{fields:?}");
    assert_eq!(got.field("content-length"), Some(&*PAGE.len().to_string()));
    got
}

#[test]
fn what_must_not_be_changed_stays_as_it_is_and_is_counted() {
    skipped("500 Internal Server Error", &[HTML], "status");
    skipped("206 Partial Content", &[HTML, ("Content-Range", "bytes 0-9/99")], "part");
    skipped("200 OK", &[HTML, ("Content-Disposition", "attachment; filename=x")], "download");
    skipped("200 OK", &[HTML, ("Cache-Control", "no-cache, No-Transform")], "sealed");
    skipped("200 OK", &[HTML, ("Signature-Input", "sig=()")], "sealed");
    skipped("200 OK", &[("Content-Type", "text/html; charset=UTF-16LE")], "charset");
    skipped("200 OK", &[HTML, ("Content-Encoding", "compress")], "coding");
    skipped("200 OK", &[HTML, ("Content-Encoding", "gzip, br")], "coding");
    let sandboxed = [HTML, ("Content-Security-Policy", "sandbox allow-forms")];
    skipped("200 OK", &sandboxed, "csp");
    for status in ["200 OK", "404 Not Found", "422 Unprocessable Content"] {
        let got = answering(status, &[HTML], PAGE).ask(visit(""));
        assert_eq!(got.text(), injected(), "control: {status}");
    }
}
