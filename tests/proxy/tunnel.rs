//! WebSocket.

use std::time::Duration;

use intermission::proxy::Pace;
use intermission::window::state::Mode;

use super::faults::routed;
use super::node::{Node, Setup, end_of, get};
use crate::support::origin::{Act, Origin, answer, ok};

pub(super) const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: keep-alive, Upgrade\r\n\
                      Keep-Alive: timeout=5\r\nUpgrade: WebSocket\r\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSet-Cookie: intermission=planted\r\n\r\n";

/// A request for a WebSocket.
pub(super) fn upgrade() -> String {
    "GET /live HTTP/1.1\r\nHost: site.test\r\nConnection: keep-alive, Upgrade\r\n\
     Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        .to_owned()
}

fn switching() -> Origin {
    switching_to(b"behind")
}

/// An application that says this behind its 101, and then sends back whatever comes.
pub(super) fn switching_to(first: &[u8]) -> Origin {
    let bytes = [SWITCH.as_bytes(), first].concat();
    Origin::acting(move |_| Act::Echo(bytes.clone()))
}

#[test]
fn bytes_pass_both_ways_the_ones_behind_the_101_too() {
    let node = Node::before(switching());
    let mut client = node.connect();
    client.send(upgrade());
    let got = client.response();
    assert_eq!(
        (got.status(), got.field("sec-websocket-accept")),
        (101, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
    );
    assert_eq!(
        (got.field("upgrade"), got.field("connection")),
        (Some("websocket"), Some("upgrade"))
    );
    assert_eq!((got.field("keep-alive"), got.field("set-cookie")), (None, None));
    assert_eq!(client.bytes(6), b"behind");
    for piece in [&b"\x81\x05hello"[..], b"GET / HTTP/1.1\n\n", &[0xff; 100_000]] {
        client.send(piece);
        assert_eq!(client.bytes(piece.len()), piece);
    }
    client.finish();
    assert_eq!(client.rest(), b"");
    let seen = &node.origin.requests()[0];
    assert_eq!(
        (seen.field("upgrade"), seen.field("connection")),
        (Some("websocket"), Some("upgrade"))
    );
    assert_eq!(seen.field("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    let line = &node.lines(1)[0];
    assert_eq!((end_of(line).as_str(), &line["status"]), ("done", &101.into()));
}

#[test]
fn a_route_without_websockets_asks_for_none() {
    let node = routed(Origin::replying("plain"), "websocket = false");
    assert_eq!(node.ask(upgrade()).text(), "plain");
    let seen = &node.origin.requests()[0];
    assert_eq!((seen.field("upgrade"), seen.field("connection")), (None, None));
}

#[test]
fn other_protocols_and_methods_are_not_switched_to() {
    let node = Node::before(Origin::replying("plain"));
    let requests = [
        upgrade().replace("Upgrade: websocket", "Upgrade: h2c"),
        upgrade().replace("Upgrade: websocket", "Upgrade: websocket, h2c"),
        upgrade().replace("GET", "POST").replace("13\r\n", "13\r\nContent-Length: 0\r\n"),
    ];
    for request in requests {
        assert_eq!(node.ask(&request).text(), "plain", "{request}");
        let seen = node.origin.requests().pop().expect("a request");
        assert_eq!(seen.field("upgrade"), None, "{request}");
    }
}

#[test]
fn a_closed_place_answers_before_anything_is_switched() {
    let node = Node::before(Origin::untouched());
    for mode in [Mode::Page, Mode::ReadOnly] {
        node.close(mode);
        let got = node.ask(upgrade());
        assert_eq!((got.status(), got.field("upgrade")), (503, None));
        assert_eq!(got.field("content-type"), Some("text/plain; charset=utf-8"));
    }
}

#[test]
fn a_refusal_passes_and_there_is_no_tunnel() {
    let node = Node::before(Origin::acting(|_| Act::Send(answer("403 Forbidden", &[], "no"))));
    let mut client = node.connect();
    client.send(upgrade());
    assert_eq!((client.response().text(), node.end().as_str()), ("no".to_owned(), "done"));
    client.send(get("/again"));
    assert_eq!(client.response().text(), "no", "it is HTTP as before");
    client.send("\x01\x05hello\r\n\r\n");
    assert_eq!(client.response().status(), 400);
    assert_eq!(node.origin.requests().len(), 2);
}

#[test]
fn what_is_sent_before_the_101_is_no_tunnel() {
    let early = "\x01\x05early bytes\r\n\r\n";
    for (then, status) in [(ok("plain"), vec![200, 400]), (SWITCH.into(), vec![101])] {
        let node = Node::before(Origin::acting(move |_| Act::Hold(Vec::new(), then.clone())));
        let mut client = node.connect();
        client.send(upgrade() + early);
        node.origin.wait_for(1);
        node.origin.release();
        for status in status {
            assert_eq!(client.response().status(), status);
        }
        assert_eq!(client.rest(), b"");
        let wire = node.origin.wire().concat();
        assert!(!String::from_utf8_lossy(&wire).contains("early"), "it reached the application");
    }
}

#[test]
fn whoever_breaks_a_tunnel_is_named() {
    let node = Node::before(switching());
    let mut client = node.connect();
    client.send(upgrade());
    assert_eq!(client.response().status(), 101);
    client.reset();
    assert_eq!(node.end(), "client/answer/abort");
    let cut = || Origin::acting(|_| Act::SendAndReset(SWITCH.into()));
    let node = Node::before(cut());
    let mut client = node.connect();
    client.send(upgrade());
    assert!(client.rest().starts_with(b"HTTP/1.1 101 "));
    assert_eq!(node.end(), "upstream/answer/reset");
}

#[test]
fn a_tunnel_in_which_nothing_moves_is_closed() {
    let pace = Pace { tunnel: Duration::from_millis(300), ..Pace::default() };
    let node = Node::start(switching(), &Setup { pace, ..Setup::default() });
    let mut client = node.connect();
    client.send(upgrade());
    assert_eq!(client.response().status(), 101);
    assert_eq!(client.rest(), b"behind");
    assert_eq!(node.end(), "upstream/answer/timeout");
}
