//! How much clients may take: connections, requests, time.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use intermission::proxy::Pace;
use intermission::window::state::Mode;

use crate::proxy::node::{Node, Setup, get};
use crate::support::eventually;
use crate::support::origin::{Act, Origin, ok};

const SOON: Duration = Duration::from_millis(300);

fn limited(limits: &str, pace: Pace, origin: Origin) -> Node {
    let more = format!("[limits]\n{limits}");
    Node::start(origin, &Setup { more, pace, ..Setup::default() })
}

#[test]
fn one_address_has_its_share_of_connections_and_no_more() {
    for (listen, served) in [("", false), ("trusted = [\"127.0.0.0/8\"]", true)] {
        let more = "[limits]\nconnections_per_address = 1".to_owned();
        let setup = Setup { more, listen, ..Setup::default() };
        let node = Node::start(Origin::replying("hello"), &setup);
        let mut first = node.connect();
        first.send(get("/"));
        assert_eq!(first.response().text(), "hello");
        let mut second = node.connect();
        let _ = second.try_send(get("/"));
        let got = second.response();
        assert_eq!(got.status() == 200, served, "{listen}");
        if !served {
            assert_eq!((got.status(), got.field("retry-after")), (503, Some("5")));
            assert_eq!(second.rest(), b"");
            drop(first);
            eventually("room for another", || {
                let mut client = node.connect();
                let _ = client.try_send(get("/"));
                (client.response().status() == 200).then_some(())
            });
        }
    }
}

#[test]
fn a_connection_ends_with_its_last_request() {
    let limits = "requests_per_connection = 3";
    for closed in [false, true] {
        let node = limited(limits, Pace::default(), Origin::replying("hello"));
        if closed {
            node.close(Mode::Page);
        }
        let mut client = node.connect();
        for last in [false, false, true] {
            client.send(get("/"));
            let got = client.response();
            assert_eq!(got.status(), if closed { 503 } else { 200 });
            assert_eq!(got.field("connection"), last.then_some("close"));
        }
        assert_eq!(client.rest(), b"");
    }
}

#[test]
fn an_old_connection_ends_with_its_request() {
    let pace = Pace { connection_age: SOON, ..Pace::default() };
    let node = limited("", pace, Origin::replying("hello"));
    let mut client = node.connect();
    client.send(get("/"));
    assert_eq!(client.response().field("connection"), None);
    assert!(client.is_silent_for(Duration::from_millis(900)), "it is not cut");
    client.send(get("/"));
    assert_eq!(client.response().field("connection"), Some("close"));
    assert_eq!(client.rest(), b"");
}

#[test]
fn a_body_that_trickles_in_is_cut_off_and_one_that_is_fast_enough_is_not() {
    let pace = Pace { slow: SOON, ..Pace::default() };
    for (limits, rate) in [("body_rate = 500", Some(408)), ("body_rate = 0", None)] {
        for closed in [false, true] {
            let node = limited(limits, pace, Origin::replying("hello"));
            if closed {
                node.close(Mode::Page);
            }
            let mut client = node.connect();
            let form = "Content-Type: application/x-www-form-urlencoded\r\n\
                        Sec-Fetch-Site: same-origin\r\nAccept: text/html\r\n";
            let head = format!("POST / HTTP/1.1\r\nHost: site.test\r\n{form}");
            client.send(format!("{head}Content-Length: 30\r\n\r\na="));
            let mut sent = 2;
            while sent < 30 && client.is_silent_for(Duration::from_millis(60)) {
                sent += 1;
                if client.try_send("x").is_err() {
                    break;
                }
            }
            let status = client.response().status();
            let done = if closed { 303 } else { 200 };
            assert_eq!(status, rate.unwrap_or(done), "{limits}, closed: {closed}");
        }
    }
}

#[test]
fn a_client_that_has_ended_its_side_is_answered() {
    for closed in [false, true] {
        let node = Node::before(Origin::replying("hello"));
        if closed {
            node.close(Mode::Page);
        }
        let mut client = node.connect();
        client.send(get("/a") + &get("/b"));
        client.finish();
        for _ in 0..2 {
            assert_eq!(client.response().status(), if closed { 503 } else { 200 });
        }
        assert_eq!(client.rest(), b"");
        assert_eq!(node.lines(2).len(), 2);
    }
    let late = Node::before(Origin::acting(|_| Act::Hold(Vec::new(), ok("late"))));
    let mut client = late.connect();
    client.send(get("/"));
    client.finish();
    late.origin.wait_for(1);
    assert!(client.is_silent_for(SOON));
    late.origin.release();
    assert_eq!(client.response().text(), "late");
    assert_eq!(late.end(), "done");
}

#[test]
fn a_client_that_has_ended_its_side_is_not_waited_for_long() {
    let pace = Pace { half_closed: SOON, ..Pace::default() };
    let node = limited("", pace, Origin::acting(|_| Act::Stall(Vec::new())));
    let mut client = node.connect();
    client.send(get("/"));
    client.finish();
    assert_eq!(client.rest(), b"");
    assert_eq!(node.end(), "client/wait/abort");
}

#[test]
fn half_a_request_of_a_client_that_has_ended_its_side_is_none() {
    let node = Node::before(Origin::untouched());
    for part in ["GET / HTTP/1.1\r\nHost: site.test\r\n", "GET /"] {
        let mut client = node.connect();
        client.send(part);
        client.finish();
        let said = client.rest();
        assert!(!said.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn overload_is_told_at_once_and_closed_places_are_served_on() {
    let origin = Origin::acting(|_| Act::Hold(Vec::new(), ok("late")));
    let node = limited("requests = 1", Pace::default(), origin);
    let mut first = node.connect();
    first.send(get("/"));
    node.origin.wait_for(1);
    let got = node.ask(get("/"));
    assert_eq!((got.status(), got.field("retry-after")), (503, Some("5")));
    assert_eq!(got.field("intermission-state"), None, "this is no maintenance");
    node.close(Mode::Page);
    let page = node.ask(get("/"));
    assert_eq!((page.status(), page.field("intermission-state")), (503, Some("closed")));
    node.reopen();
    node.origin.release();
    assert_eq!(first.response().text(), "late");
    eventually("room for another", || (node.ask(get("/")).status() == 200).then_some(()));
}

/// An application that answers a request when it has its head, and reads on.
fn hasty() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let (mut stream, mut piece) = (stream, [0; 4096]);
                let _ = stream.read(&mut piece);
                let _ = stream.write_all(&ok("early"));
                while stream.read(&mut piece).is_ok_and(|count| count > 0) {}
            });
        }
    });
    address
}

#[test]
fn the_rest_of_a_body_that_was_answered_early_is_not_waited_for_long() {
    let setup = Setup { server: Some(hasty()), ..Setup::default() };
    let node = Node::start(Origin::untouched(), &setup);
    let head = "POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 2000\r\n\r\na";
    let mut client = node.connect();
    client.send(head);
    assert_eq!(client.response().text(), "early");
    let mut sent = 0;
    while sent < 200 && client.is_silent_for(Duration::from_millis(50)) {
        sent += 1;
        if client.try_send("x").is_err() {
            break;
        }
    }
    assert!(sent < 200, "it is still taken after ten seconds");
}
