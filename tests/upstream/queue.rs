//! Requests that wait for a place at a server.

use super::fleet::{node, plain};
use crate::proxy::node::{Node, get};
use crate::support::eventually;
use crate::support::origin::{Act, Origin, ok};
use crate::support::raw::Raw;

/// A server that answers with the target, and holds `/held` until it is released.
fn holding() -> Origin {
    Origin::acting(|request| match request.target() {
        "/held" => Act::Hold(Vec::new(), ok("/held")),
        target => Act::Send(ok(target)),
    })
}

/// A client whose request takes the only place of a server.
fn held(node: &Node, server: &Origin) -> Raw {
    let mut client = node.connect();
    client.send(get("/held"));
    server.wait_for(1);
    client
}

#[track_caller]
fn queued(node: &Node, count: u64) {
    eventually(&format!("{count} requests in the queue"), || {
        (node.metric("intermission_upstream_queued_total") == count).then_some(())
    });
}

/// Where a queue was full.
pub(crate) fn full() -> Node {
    let servers = [holding()];
    let node = node(&servers, "connections_max = 1\nqueue_max = 1");
    let busy = held(&node, &servers[0]);
    let mut waiting = node.connect();
    waiting.send(plain());
    queued(&node, 1);
    let got = node.ask(get("/more"));
    assert_eq!((got.status(), got.field("retry-after")), (503, Some("2")));
    // What is looked at afterwards is the only request that has ended.
    std::mem::forget((busy, waiting, servers));
    node
}

/// Where nobody had a place in time.
pub(crate) fn timeout() -> Node {
    let servers = [holding()];
    let node = node(&servers, "connections_max = 1\nqueue_timeout = \"100ms\"");
    let busy = held(&node, &servers[0]);
    assert_eq!(node.ask(plain()).status(), 503);
    assert_eq!(servers[0].requests().len(), 1, "it was never sent");
    std::mem::forget((busy, servers));
    node
}

#[test]
fn who_waits_longest_is_next() {
    let servers = [holding()];
    let node = node(&servers, "connections_max = 1");
    let mut busy = held(&node, &servers[0]);
    let mut waiting = Vec::new();
    for number in 0..5 {
        let mut client = node.connect();
        client.send(get(&format!("/{number}")));
        queued(&node, number + 1);
        waiting.push(client);
    }
    servers[0].release();
    assert_eq!(busy.response().text(), "/held");
    for (number, mut client) in waiting.into_iter().enumerate() {
        assert_eq!(client.response().text(), format!("/{number}"));
    }
    let order: Vec<String> =
        servers[0].requests().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(order, ["/held", "/0", "/1", "/2", "/3", "/4"]);
    assert_eq!(servers[0].connections(), 1, "never more than one at once");
}

#[test]
fn who_leaves_the_queue_holds_nobody_up() {
    let servers = [holding()];
    let node = node(&servers, "connections_max = 1\nqueue_max = 2");
    let mut busy = held(&node, &servers[0]);
    let mut leaving = node.connect();
    leaving.send(get("/gone"));
    queued(&node, 1);
    let mut waiting = node.connect();
    waiting.send(get("/patient"));
    queued(&node, 2);
    leaving.reset();
    node.lines(1);
    let mut late = node.connect();
    late.send(get("/late"));
    queued(&node, 3);
    servers[0].release();
    assert_eq!(busy.response().text(), "/held");
    assert_eq!(waiting.response().text(), "/patient");
    assert_eq!(late.response().text(), "/late");
    assert!(servers[0].requests().iter().all(|request| request.target() != "/gone"));
}

#[test]
fn a_place_is_free_again_whatever_became_of_the_request() {
    let servers = [Origin::acting(|request| match request.target() {
        "/reset" => Act::SendAndReset(Vec::new()),
        "/cut" => Act::SendAndReset(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()),
        "/stall" => Act::Stall(Vec::new()),
        target => Act::Send(ok(target)),
    })];
    let node = node(&servers, "connections_max = 1\nretries = false\nqueue_timeout = \"1s\"");
    assert_eq!(node.ask(get("/reset")).status(), 502);
    let mut cut = node.connect();
    cut.send(get("/cut"));
    cut.rest();
    let mut gone = node.connect();
    gone.send(get("/stall"));
    servers[0].wait_for(3);
    gone.reset();
    assert_eq!(node.ask(get("/well")).text(), "/well");
}
