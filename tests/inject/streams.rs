//! Pages as they stream: what is said arrives, what is broken off is seen to be, copies are asked
//! for by the tag that the application gave.

use async_compression::tokio::write::{GzipDecoder, GzipEncoder};
use intermission::inject::{digest8, etag};
use tokio::io::AsyncWriteExt as _;

use super::tag;
use super::wire::{HTML, PAGE, encoded, injected, run, visit};
use crate::proxy::node::{Node, Setup, end_of};
use crate::support::http1::Message;
use crate::support::origin::{Act, Origin, answer};
use crate::support::raw::Raw;

const FIRST: &str = "<!doctype html><html><head><title>x</title></head><body>first words ";

/// Reads what comes until it has these words, with its framing.
#[track_caller]
fn read_until(visitor: &mut Raw, words: &str) -> String {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(words) {
        read.extend(visitor.bytes(1));
    }
    String::from_utf8_lossy(&read).into_owned()
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn chunked(fields: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n{fields}\r\n"
    )
    .into_bytes()
}

#[test]
fn what_a_page_says_first_is_seen_before_it_says_the_rest() {
    let first = [chunked(""), chunk(FIRST.as_bytes())].concat();
    let rest = [chunk(b"last words"), b"0\r\n\r\n".to_vec()].concat();
    let node = Node::before(Origin::acting(move |_| Act::Hold(first.clone(), rest.clone())));
    let mut visitor = node.connect();
    visitor.send(visit(""));
    let seen = read_until(&mut visitor, "first words");
    assert!(seen.contains(&tag()) && !seen.contains("last words"), "{seen}");
    node.origin.release();
    read_until(&mut visitor, "last words");
}

#[test]
fn a_coded_page_does_not_wait_in_our_coder_either() {
    let (first, rest) = run(async {
        let mut encoder = GzipEncoder::new(Vec::new());
        encoder.write_all(FIRST.as_bytes()).await.expect("memory");
        encoder.flush().await.expect("memory");
        let first = encoder.get_ref().clone();
        encoder.shutdown().await.expect("memory");
        let whole = encoder.into_inner();
        (first.clone(), whole[first.len()..].to_vec())
    });
    let first = [chunked("Content-Encoding: gzip\r\n"), chunk(&first)].concat();
    let rest = [chunk(&rest), b"0\r\n\r\n".to_vec()].concat();
    let node = Node::before(Origin::acting(move |_| Act::Hold(first.clone(), rest.clone())));
    let mut visitor = node.connect();
    visitor.send(visit("Accept-Encoding: gzip\r\n"));
    read_until(&mut visitor, "\r\n\r\n");
    let seen = run(async {
        let mut decoder = GzipDecoder::new(Vec::new());
        while !decoder.get_ref().ends_with(b"first words ") {
            let length = read_until(&mut visitor, "\r\n");
            let length = usize::from_str_radix(length.trim(), 16).expect("a chunk's length");
            let piece = visitor.bytes(length + 2);
            decoder.write_all(&piece[..length]).await.expect("sound so far");
            decoder.flush().await.expect("sound so far");
        }
        String::from_utf8_lossy(decoder.get_ref()).into_owned()
    });
    assert_eq!(seen, FIRST.replacen("<head>", &format!("<head>{}", tag()), 1));
    node.origin.release();
}

/// What a visitor gets of a coded page whose bytes are these, and how that ended.
fn of_bytes(coding: &'static str, bytes: Vec<u8>) -> (Vec<u8>, String) {
    let whole = answer("200 OK", &[HTML, ("Content-Encoding", coding)], bytes);
    let node = Node::before(Origin::acting(move |_| Act::Send(whole.clone())));
    let mut visitor = node.connect();
    visitor.send(visit("Accept-Encoding: gzip, br, zstd\r\nConnection: close\r\n"));
    (visitor.rest(), end_of(&node.lines(1)[0]))
}

#[test]
fn a_coded_page_that_is_cut_short_or_broken_never_passes_for_whole() {
    const LAST: &[u8] = b"0\r\n\r\n";
    for coding in ["gzip", "br", "zstd"] {
        let whole = encoded(coding, PAGE.as_bytes());
        let (got, end) = of_bytes(coding, whole.clone());
        assert!(got.ends_with(LAST) && end == "done", "control: {coding} {end}");
        let cut = whole[..whole.len() - 3].to_vec();
        let mut broken = whole.clone();
        broken.truncate(6);
        broken.extend([0xff; 40]);
        for bytes in [cut, broken] {
            let (got, end) = of_bytes(coding, bytes);
            assert!(!got.ends_with(LAST), "{coding}");
            assert_eq!(end, "upstream/answer/malformed", "{coding}");
        }
    }
}

#[test]
fn bodies_of_several_parts_and_with_something_behind_them_are_read() {
    let (start, end) = PAGE.split_at(20);
    for coding in ["gzip", "zstd"] {
        let parts = [encoded(coding, start.as_bytes()), encoded(coding, end.as_bytes())].concat();
        let (got, how) = of_bytes(coding, parts);
        assert!(got.ends_with(b"0\r\n\r\n") && how == "done", "{coding} {how}");
    }
    let padded = [encoded("gzip", PAGE.as_bytes()), vec![0; 64]].concat();
    assert_eq!(of_bytes("gzip", padded).1, "done");
}

/// An application that knows version `"v1"` of its page.
fn versioned() -> Node {
    Node::before(Origin::acting(|request: &Message| {
        let policy = ("Content-Security-Policy", "script-src 'none'");
        let fields = [HTML, ("ETag", "\"v1\""), policy];
        let asked = request.field_values("if-none-match").join(", ");
        match asked.split(", ").any(|tag| tag == "\"v1\"") {
            true => Act::Send(answer("304 Not Modified", &fields, "")),
            false => Act::Send(answer("200 OK", &fields, PAGE)),
        }
    }))
}

#[test]
fn a_copy_with_the_script_is_asked_for_by_the_applications_tag_and_stays_fresh() {
    let node = versioned();
    let first = node.ask(visit(""));
    let marked = etag::mark("\"v1\"").expect("a tag");
    assert_eq!((first.status(), first.field("etag")), (200, Some(&*marked)));
    let policy = first.field("content-security-policy").map(str::to_owned);
    assert!(policy.as_ref().is_some_and(|policy| policy.contains("/.intermission/")), "{policy:?}");
    let again = node.ask(visit(&format!("If-None-Match: {marked}\r\n")));
    assert_eq!((again.status(), again.field("etag")), (304, Some(&*marked)));
    assert_eq!(again.field("content-security-policy").map(str::to_owned), policy);
    let script =
        format!("GET /form HTTP/1.1\r\nHost: site.test\r\nIf-None-Match: {marked}\r\n\r\n");
    assert_eq!(node.ask(script).status(), 304, "whoever asks: the copy is the browser's");
    let other = marked.replace(digest8(), "00000000");
    let stale = node.ask(visit(&format!("If-None-Match: {other}\r\n")));
    assert_eq!(stale.text(), injected(), "the script of another build is none");
    let plain = node.ask(visit("If-None-Match: \"v1\"\r\n"));
    assert_eq!((plain.status(), plain.field("etag")), (304, Some("\"v1\"")), "its own copy");
    let asked: Vec<Message> = node.origin.requests();
    let tags: Vec<Option<&str>> = asked.iter().map(|m| m.field("if-none-match")).collect();
    let v1 = Some("\"v1\"");
    assert_eq!(tags, [None, v1, v1, Some(&*other), v1]);
}

#[test]
fn the_application_is_asked_for_codings_that_a_page_can_be_read_in() {
    let node = Node::before(Origin::replying("x"));
    for (sent, asked) in [
        ("gzip, deflate, br;q=0.9, zstd, dcb", "gzip, br;q=0.9, zstd"),
        ("deflate", "identity"),
        ("gzip;q=0, *;q=0.1", "gzip;q=0, *;q=0.1"),
    ] {
        node.ask(visit(&format!("Accept-Encoding: {sent}\r\n")));
        let seen = node.origin.requests().pop().expect("a request");
        assert_eq!(seen.field_values("accept-encoding"), [asked]);
    }
    let image = "GET / HTTP/1.1\r\nHost: site.test\r\nSec-Fetch-Dest: image\r\n";
    node.ask(format!("{image}Accept-Encoding: deflate\r\n\r\n"));
    let seen = node.origin.requests().pop().expect("a request");
    assert_eq!(seen.field("accept-encoding"), Some("deflate"), "what is no page is left alone");
}

#[test]
fn a_strict_policy_keeps_its_word_and_the_tag_its_nonce() {
    let policy = "default-src 'none'; script-src 'nonce-abc' 'strict-dynamic'; connect-src 'self'";
    let fields = [HTML, ("Content-Security-Policy", policy)];
    let origin = Origin::acting(move |_| Act::Send(answer("200 OK", &fields, PAGE)));
    let got = Node::before(origin).ask(visit(""));
    assert_eq!(got.field_values("content-security-policy"), [policy], "nothing was missing");
    assert!(got.text().contains(" nonce=\"abc\"></script><title>"), "{}", got.text());
    let none = [HTML, ("Content-Security-Policy", "script-src 'none'")];
    let origin = || Origin::acting(move |_| Act::Send(answer("200 OK", &none, PAGE)));
    let amended = Node::before(origin()).ask(visit(""));
    let amended = amended.field("content-security-policy").map(str::to_owned);
    let script = intermission::inject::script_path();
    let folder = script.strip_suffix("form.js").expect("its name");
    assert_eq!(amended, Some(format!("script-src site.test{folder}")));
    let respects = Setup { route: "[route.forms]\ncsp = \"respect\"", ..Setup::default() };
    let kept_out = Node::start(origin(), &respects).ask(visit(""));
    assert_eq!(kept_out.text(), PAGE);
    assert_eq!(kept_out.field("content-security-policy"), Some("script-src 'none'"));
}

#[test]
fn digests_behind_a_page_that_was_changed_are_taken_away() {
    let trailers = "0\r\nRepr-Digest: sha-256=:x:\r\nX-Took: 3\r\n\r\n";
    let head = chunked("Trailer: Repr-Digest, X-Took\r\n");
    let whole = [head, chunk(PAGE.as_bytes()), trailers.into()].concat();
    let node = Node::before(Origin::acting(move |_| Act::Send(whole.clone())));
    let got = node.ask(visit("TE: trailers\r\n"));
    assert_eq!(got.text(), injected());
    let names: Vec<&str> = got.trailers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(!names.iter().any(|name| name.eq_ignore_ascii_case("repr-digest")), "{names:?}");
}
