//! What is sent again, and what never is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fleet::{node, with};
use crate::proxy::node::{Node, get, post};
use crate::support::origin::{Act, Origin, ok};

/// How often a request was asked for at each of these servers.
fn asked(servers: &[Origin], target: &str) -> usize {
    let of = |server: &Origin| {
        server.requests().iter().filter(|request| request.target() == target).count()
    };
    servers.iter().map(of).sum()
}

/// A server that breaks off without an answer, and one that answers.
fn broken_and_well() -> [Origin; 2] {
    [Origin::acting(|_| Act::SendAndReset(Vec::new())), Origin::replying("1")]
}

/// Asks until the broken server was asked too.
fn ask(node: &Node, servers: &[Origin], request: &str, most: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    while servers[0].requests().is_empty() {
        statuses.push(node.ask(request).status());
        assert!(statuses.len() <= most, "the broken server is never asked");
    }
    statuses
}

#[test]
fn what_is_idempotent_is_sent_again_elsewhere() {
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let servers = broken_and_well();
        let node = node(&servers, "");
        let length = if method == "PUT" { "Content-Length: 0\r\n" } else { "" };
        let request =
            format!("{method} /x HTTP/1.1\r\nHost: site.test\r\n{length}Connection: close\r\n\r\n");
        let mut statuses = Vec::new();
        while asked(&servers[..1], "/x") == 0 {
            let mut client = node.connect();
            client.send(&request);
            statuses.push(client.response_to_head().status());
            assert!(statuses.len() < 5, "{method}: {statuses:?}");
        }
        assert!(statuses.iter().all(|status| *status == 200), "{method}: {statuses:?}");
        assert_eq!(asked(&servers[..1], "/x"), 1);
        assert_eq!(servers[1].requests().len(), statuses.len(), "{method}");
        assert!(node.metric("intermission_upstream_retries_total") >= 1);
    }
}

#[test]
fn what_is_not_idempotent_or_has_a_body_is_never_sent_twice() {
    let put = "PUT /x HTTP/1.1\r\nHost: site.test\r\nContent-Length: 4\r\n\r\nbody";
    let requests = [post("/x", "body"), post("/x", ""), put.to_owned()];
    for request in requests {
        let servers = broken_and_well();
        let node = node(&servers, "");
        let statuses = ask(&node, &servers, &request, 4);
        assert_eq!(statuses.last(), Some(&502), "{request}");
        assert_eq!(asked(&servers, "/x"), statuses.len(), "each once: {request}");
        assert_eq!(node.metric("intermission_upstream_retries_total"), 0);
    }
}

#[test]
fn who_wants_no_retries_has_none() {
    let servers = broken_and_well();
    let node = node(&servers, "retries = false");
    let statuses = ask(&node, &servers, &get("/x"), 4);
    assert_eq!((statuses.last(), asked(&servers, "/x")), (Some(&502), statuses.len()));
}

#[test]
fn retries_are_no_storm() {
    let count = Arc::new(AtomicUsize::new(0));
    let broken = |count: &Arc<AtomicUsize>| {
        let count = Arc::clone(count);
        Origin::acting(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Act::SendAndReset(Vec::new())
        })
    };
    let servers = [broken(&count), broken(&count)];
    let node = node(&servers, "");
    for _ in 0..100 {
        assert_eq!(node.ask(get("/x")).status(), 502);
    }
    let asked = count.load(Ordering::SeqCst);
    let retries = node.metric("intermission_upstream_retries_total") as usize;
    // A connection may break before the server has read what was sent.
    assert!((95 + retries..=100 + retries).contains(&asked), "{asked} with {retries} retries");
    // A fifth, three for each second that it took, and those that time saved before.
    assert!((10..=70).contains(&retries), "{retries} of 100");
}

#[test]
fn an_answer_that_began_is_never_made_again() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec();
    let servers = [Origin::acting(move |_| Act::SendAndReset(half.clone())), Origin::replying("1")];
    let node = node(&servers, "");
    for _ in 0..2 {
        let mut client = node.connect();
        client.send(with("Connection: close"));
        client.rest();
    }
    assert_eq!(asked(&servers, "/"), 2);
}

#[test]
fn a_connection_that_died_in_the_pool_costs_no_get() {
    let server = Origin::acting(|request| Act::SendAndClose(ok(request.target())));
    let servers = [server];
    let node = node(&servers, "");
    for number in 0..100 {
        let target = format!("/{number}");
        let got = node.ask(get(&target));
        if got.status() == 200 {
            assert_eq!(got.text(), target);
        } else {
            // One server, and a connection that was used a moment ago: no copy is made for that.
            assert_eq!((got.status(), asked(&servers, &target) <= 1), (502, true));
        }
    }
}
