//! Starting at an address of one's own; stopping: what finishes, what closes at once, what is cut.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use intermission::proxy::Bound;
use intermission::snapshot::{Listener, Protocol};

use super::node::{Node, end_of, get};
use crate::support::origin::{Act, Origin, ok};
use crate::support::raw::Raw;
use crate::support::{PATIENCE, eventually};

/// A node with a request that the application holds.
fn busy() -> (Node, Raw) {
    let node = Node::before(Origin::acting(|request| match request.target() {
        "/held" => Act::Hold(Vec::new(), ok("finished")),
        _ => Act::Send(ok("hello")),
    }));
    let mut client = node.connect();
    client.send(get("/held"));
    node.origin.wait_for(1);
    (node, client)
}

#[test]
fn what_is_under_way_finishes_and_what_is_idle_closes_soon() {
    let (node, mut client) = busy();
    let mut idle = node.connect();
    idle.send(get("/"));
    assert_eq!(idle.response().text(), "hello");
    let (mut late, mut silent) = (node.connect(), node.connect());
    let stopping = node.stop(PATIENCE);
    assert_eq!(idle.rest(), b"");
    // Who has connected and not asked yet is waited for longer than who was answered before.
    late.send(get("/"));
    assert_eq!(late.response().text(), "hello");
    assert_eq!(silent.rest(), b"");
    eventually("nobody listens", || {
        std::net::TcpStream::connect(node.address()).is_err().then_some(())
    });
    node.origin.release();
    assert_eq!(client.response().text(), "finished");
    assert_eq!(client.rest(), b"", "it is not kept for another request");
    assert_eq!(stopping.join().expect("it stops"), 0);
    let ends: Vec<_> = node.lines(3).iter().map(end_of).collect();
    assert_eq!(ends, ["done", "done", "done"]);
}

#[test]
fn what_is_not_done_in_time_is_cut_and_told_of() {
    let (node, mut client) = busy();
    assert_eq!(node.stop(Duration::from_millis(200)).join().expect("it stops"), 1);
    assert_eq!(client.rest(), b"");
    assert_eq!(node.lines(1).iter().map(end_of).collect::<Vec<_>>(), ["proxy/answer/stop"]);
}

#[test]
fn an_address_is_not_shared_with_another_process() {
    let anywhere = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
    let bound = Bound::bind(&listeners(&anywhere), 2).expect("a free port");
    let taken = Bound::bind(&listeners(bound.addresses()), 2).err().expect("it is taken");
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    let addresses = bound.addresses().to_vec();
    drop(bound);
    let both = Bound::bind(&listeners(&addresses), 2).expect("it is free again");
    assert_eq!(both.addresses(), addresses);
}

fn listeners(addresses: &[std::net::SocketAddr]) -> Vec<Listener> {
    addresses.iter().map(|at| Listener { at: *at, protocol: Protocol::Http }).collect()
}
