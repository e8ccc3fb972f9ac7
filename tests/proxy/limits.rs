//! How long clients may take, and how much they may send.

use std::time::Duration;

use intermission::proxy::Pace;

use super::node::{Node, Setup, get, post};
use crate::support::eventually;
use crate::support::origin::{Act, Origin, ok};

const SOON: Duration = Duration::from_millis(300);

/// Longer than a deadline of [`SOON`] and the sweep that looks at it.
const LONGER: Duration = Duration::from_millis(900);

fn paced(origin: Origin, pace: Pace) -> Node {
    Node::start(origin, &Setup { pace, ..Setup::default() })
}

#[test]
fn a_head_that_does_not_come_in_time_is_told_so() {
    let node = paced(Origin::untouched(), Pace { head: SOON, ..Pace::default() });
    let mut client = node.connect();
    client.send("GET / HTTP/1.1\r\nHost: site.te");
    let got = client.response();
    assert_eq!((got.status(), got.field("connection")), (408, Some("close")));
    assert_eq!(client.rest(), b"");
    assert_eq!(node.end(), "client/head/timeout");
}

#[test]
fn a_head_that_trickles_in_has_the_same_time() {
    let node = paced(Origin::untouched(), Pace { head: SOON, ..Pace::default() });
    let mut client = node.connect();
    let mut sent = 0;
    // A byte of a field whenever nothing came for a while.
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\nA: ");
    while sent < 100 && client.is_silent_for(Duration::from_millis(40)) {
        sent += 1;
        if client.try_send("b").is_err() {
            break;
        }
    }
    assert!(sent < 100, "it is still waited for");
    assert_eq!(node.end(), "client/head/timeout");
}

#[test]
fn a_connection_without_a_request_is_closed_without_a_word() {
    let node = paced(Origin::untouched(), Pace { head: SOON, ..Pace::default() });
    assert_eq!(node.connect().rest(), b"");
    let node = paced(Origin::replying("a"), Pace { keep_alive: SOON, ..Pace::default() });
    let mut client = node.connect();
    client.send(get("/"));
    assert_eq!(client.response().text(), "a");
    assert_eq!(client.rest(), b"");
    assert_eq!(node.end(), "done");
}

#[test]
fn a_head_behind_an_answer_that_takes_long_does_not_cut_it() {
    let origin = Origin::acting(|_| Act::Hold(Vec::new(), ok("late")));
    let node = paced(origin, Pace { head: SOON, ..Pace::default() });
    let mut client = node.connect();
    client.send(get("/first") + "GET /second HTTP/1.1\r\nHost: si");
    node.origin.wait_for(1);
    assert!(client.is_silent_for(LONGER), "the answer was not waited for");
    node.origin.release();
    assert_eq!(client.response().text(), "late");
    client.send("te.test\r\n\r\n");
    assert_eq!(client.response().text(), "late");
}

#[test]
fn a_body_that_does_not_go_on_is_told_so() {
    for head in ["Content-Length: 9\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhel"] {
        let node = paced(Origin::replying("a"), Pace { body: SOON, ..Pace::default() });
        let mut client = node.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: site.test\r\n{head}"));
        let got = client.response();
        assert_eq!((got.status(), got.field("connection")), (408, Some("close")));
        assert_eq!(client.rest(), b"");
        assert_eq!(node.end(), "client/body/timeout");
        assert_eq!(node.origin.requests(), [], "half of it is no request");
    }
}

#[test]
fn a_body_that_goes_on_has_all_the_time_it_needs() {
    let node = paced(Origin::replying("a"), Pace { body: SOON, ..Pace::default() });
    let mut client = node.connect();
    client.send("POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 12\r\n\r\n");
    for _ in 0..12 {
        client.send("x");
        assert!(
            client.is_silent_for(Duration::from_millis(100)) || node.origin.requests().len() == 1
        );
    }
    assert_eq!(client.response().text(), "a");
}

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_cut() {
    let body = ok("x".repeat(32 << 20));
    let origin = Origin::acting(move |_| Act::Send(body.clone()));
    let node = paced(origin, Pace { write: SOON, ..Pace::default() });
    let mut client = node.connect();
    client.send(get("/"));
    assert_eq!(node.end(), "client/answer/timeout");
    assert!(client.rest().len() < 32 << 20);
}

#[test]
fn connections_beyond_the_bound_are_closed_and_others_are_served_on() {
    const LIMITS: &str = "[limits]\nconnections = 2";
    let node =
        Node::start(Origin::replying("a"), &Setup { more: LIMITS.to_owned(), ..Setup::default() });
    let (mut first, mut second) = (node.connect(), node.connect());
    for client in [&mut first, &mut second] {
        client.send(get("/"));
        assert_eq!(client.response().text(), "a");
    }
    let mut third = node.connect();
    let _ = third.try_send(get("/"));
    let told = third.rest();
    assert!(told.starts_with(b"HTTP/1.1 503 "), "{:?}", String::from_utf8_lossy(&told));
    first.send(post("/", "body"));
    assert_eq!(first.response().text(), "a");
    drop(first);
    eventually("room for another", || {
        let mut client = node.connect();
        let close = "GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n";
        let _ = client.try_send(close);
        client.rest().ends_with(b"a").then_some(())
    });
}
