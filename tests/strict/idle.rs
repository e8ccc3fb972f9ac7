//! Connections on which nothing is under way give everything back but their socket; nobody else
//! notices.

use std::time::Duration;

use intermission::clock::Clock;
use intermission::proxy::Pace;

use crate::proxy::node::{Node, Setup, get};
use crate::support::origin::Origin;
use crate::support::raw::Raw;

#[test]
fn a_parked_connection_is_served_on() {
    let node = Node::before(Origin::replying("hello"));
    let mut client = node.connect();
    for _ in 0..3 {
        client.send(get("/"));
        assert_eq!(client.response().text(), "hello");
        // Long enough for it to be parked.
        assert!(client.is_silent_for(Duration::from_secs(1)));
    }
    assert_eq!(node.lines(3).len(), 3);
}

#[test]
fn a_parked_connection_has_no_more_time_than_any_other() {
    let pace = Pace { keep_alive: Duration::from_millis(1_500), ..Pace::default() };
    let node = Node::start(Origin::replying("hello"), &Setup { pace, ..Setup::default() });
    let mut client = node.connect();
    client.send(get("/"));
    assert_eq!(client.response().text(), "hello");
    let began = Clock::System.tick();
    assert_eq!(client.rest(), b"");
    let took = Clock::System.tick().since(began);
    let span = Duration::from_millis(1_200)..Duration::from_millis(3_000);
    assert!(span.contains(&took), "{took:?}");
}

#[test]
fn parked_connections_go_when_the_node_stops() {
    let node = Node::before(Origin::replying("hello"));
    let mut clients: Vec<Raw> = (0..5).map(|_| node.connect()).collect();
    for client in &mut clients[1..] {
        client.send(get("/"));
        assert_eq!(client.response().text(), "hello");
    }
    // Long enough for all to be parked, one before its first byte.
    assert!(clients[0].is_silent_for(Duration::from_secs(1)));
    let stopping = node.stop(Duration::from_secs(30));
    for mut client in clients {
        assert_eq!(client.rest(), b"");
    }
    assert_eq!(stopping.join().expect("the workers"), 0, "none had to be cut");
}

#[test]
fn a_head_that_comes_in_pieces_is_not_parked_away() {
    let node = Node::before(Origin::replying("hello"));
    let mut client = node.connect();
    for part in ["GE", "T / HTTP/1.1\r\nHost: si", "te.test\r\n\r", "\n"] {
        assert!(client.is_silent_for(Duration::from_millis(700)), "{part:?}");
        client.send(part);
    }
    assert_eq!(client.response().text(), "hello");
}
