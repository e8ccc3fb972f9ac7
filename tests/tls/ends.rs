//! Bounds of a handshake, what is said to those who fail, and how a connection ends.

use super::node::{Node, get, handshakes};
use crate::support::raw::Raw;
use crate::support::tls::Ending;

#[test]
fn who_speaks_http_to_it_is_told_so() {
    let node = Node::start();
    let mut raw = Raw::connect(node.https());
    raw.send(get("site.test"));
    let answer = raw.response();
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.field("connection"), Some("close"));
    assert!(answer.text().contains("HTTPS"), "{}", answer.text());
    assert_eq!(raw.rest(), b"");
    assert!(node.origin.requests().is_empty());
    node.comes_to(&handshakes("in_the_clear", ""), 1);
}

#[test]
fn who_speaks_something_else_reads_an_alert() {
    let node = Node::start();
    for nonsense in
        [&b"\x16\x03\x01\x00\x05abcde"[..], b"\x00\x01\x02\x03\x04\x05", b"\x16\x07\x07\xff\xff"]
    {
        let mut raw = Raw::connect(node.https());
        raw.send(nonsense);
        raw.finish();
        let rest = raw.rest();
        // An alert (RFC 8446 §6) that is fatal, or nothing, but no HTTP and no hanging on.
        let alert = rest.first() == Some(&0x15) && rest.get(5) == Some(&2);
        assert!(alert || rest.is_empty(), "{nonsense:?}: {rest:?}");
    }
    node.comes_to(&handshakes("failed", ""), 3);
    assert_eq!(
        node.visitor().connect(node.https(), "site.test").ask(get("site.test")).status(),
        200
    );
}

#[test]
fn the_end_of_a_connection_is_said_in_tls() {
    let node = Node::start();
    let mut connection = node.visitor().connect(node.https(), "site.test");
    let last = "GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n";
    assert_eq!(connection.ask(last).status(), 200);
    assert_eq!(connection.ending(), Ending::Said);
    let mut connection = node.visitor().connect(node.https(), "site.test");
    assert_eq!(connection.ask("GET / HTTP/1.1\r\n\r\n").status(), 400);
    assert_eq!(connection.ending(), Ending::Said);
}

#[test]
fn a_body_that_is_cut_off_is_no_body() {
    let node = Node::start();
    let mut connection = node.visitor().connect(node.https(), "site.test");
    let head = "POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 100\r\n\r\nhalf";
    connection.try_send(head).expect("sent");
    connection.cut();
    node.comes_to("intermission_ends_total{end=\"client/body/abort\"}", 1);
}
