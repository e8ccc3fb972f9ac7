//! What the servers are, and what their visitors get.

use intermission::snapshot::Duty;

use crate::proxy::node::{Node, Setup, get};
use crate::support::origin::Origin;
use crate::support::raw::Raw;

/// Servers that answer with their numbers, from 0.
pub(super) fn servers(count: usize) -> Vec<Origin> {
    (0..count).map(|number| Origin::replying(&number.to_string())).collect()
}

/// The servers as a config names them.
pub(super) fn named(servers: &[Origin]) -> String {
    let each = servers.iter().map(|server| format!("{:?}", server.address().to_string()));
    each.collect::<Vec<_>>().join(", ")
}

/// A node in front of these servers, with these lines in its upstream.
pub(super) fn node(servers: &[Origin], upstream: &'static str) -> Node {
    let servers = named(servers);
    Node::start(Origin::untouched(), &Setup { servers, upstream, ..Setup::default() })
}

/// What this many requests on one connection are answered.
#[track_caller]
pub(super) fn answers(node: &Node, count: usize, request: &str) -> Vec<String> {
    let mut client = node.connect();
    (0..count).map(|_| answer(&mut client, request)).collect()
}

/// What one request is answered: the number of a server, or the status if it is not 200.
#[track_caller]
pub(super) fn answer(client: &mut Raw, request: &str) -> String {
    client.send(request);
    let got = client.response();
    if got.status() == 200 { got.text() } else { got.status().to_string() }
}

/// How often each server answered.
pub(super) fn shares(answers: &[String], servers: usize) -> Vec<usize> {
    let of = |number: usize| answers.iter().filter(|got| **got == number.to_string()).count();
    (0..servers).map(of).collect()
}

/// A request with this field.
pub(super) fn with(field: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: site.test\r\n{field}\r\n\r\n")
}

/// An ordinary request.
pub(super) fn plain() -> String {
    get("/")
}

/// What operators say of the server of this number.
pub(super) fn duty(node: &Node, number: usize, duty: Duty) {
    let mut at = 0;
    node.roster(|member| {
        member.duty = if at == number { duty } else { Duty::Ready };
        at += 1;
    });
}
