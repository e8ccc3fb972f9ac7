//! Servers that fail, and come back.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use intermission::clock::Clock;
use intermission::snapshot::Duty;

use super::fleet::{answers, duty, node, plain, servers, shares};
use crate::proxy::node::{Node, Setup, end_of, get, post};
use crate::support::eventually;
use crate::support::origin::{Act, Origin, answer, ok};
use crate::support::raw::exchange;

/// Where operators let no server be asked.
pub(crate) fn nobody() -> Node {
    let node = Node::before(Origin::untouched());
    duty(&node, 0, Duty::Maint);
    let got = node.ask(get("/"));
    assert_eq!((got.status(), got.field("retry-after")), (503, Some("2")));
    node
}

/// Where a server does not speak TLS.
pub(crate) fn no_tls() -> Node {
    let origin = Origin::acting(|_| Act::Send(ok("in the clear")));
    let talker = talking("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let setup = Setup {
        server: Some(talker),
        upstream: "[upstream.tls]\nverify = false\n",
        ..Setup::default()
    };
    let node = Node::start(origin, &setup);
    assert_eq!(node.ask(get("/")).status(), 502);
    node
}

/// A server that says this to everybody who says anything.
fn talking(words: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = listener.local_addr().expect("a bound socket");
    // The thread ends with the process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
            let _ = std::io::Write::write_all(&mut stream, words.as_bytes());
        }
    });
    address
}

/// A server that fails as long as it is told to; counts what it was asked.
fn failing(fails: &Arc<AtomicBool>, asked: &Arc<AtomicUsize>) -> Origin {
    let (fails, asked) = (Arc::clone(fails), Arc::clone(asked));
    Origin::acting(move |_| {
        asked.fetch_add(1, Ordering::SeqCst);
        match fails.load(Ordering::SeqCst) {
            true => Act::Send(answer("503 Service Unavailable", &[], "sorry")),
            false => Act::Send(ok("0")),
        }
    })
}

const SOON: &str = "ejection = { failures = 3, time = \"1s\" }";

#[test]
fn a_server_that_fails_is_passed_over_and_asked_again_later() {
    let (fails, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let servers = [failing(&fails, &asked), Origin::replying("1")];
    let node = node(&servers, SOON);
    let got = answers(&node, 40, &plain());
    assert_eq!(got.iter().filter(|got| *got == "503").count(), 3, "three in a row were enough");
    assert_eq!(node.metric("intermission_upstream_ejections_total"), 1);
    fails.store(false, Ordering::SeqCst);
    eventually("the server's return", || {
        let before = asked.load(Ordering::SeqCst);
        answers(&node, 4, &plain());
        (asked.load(Ordering::SeqCst) > before).then_some(())
    });
    assert_eq!(shares(&answers(&node, 20, &plain()), 2), [10, 10]);
}

#[test]
fn the_last_server_is_never_passed_over() {
    let (fails, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let servers = [failing(&fails, &asked)];
    let node = node(&servers, SOON);
    answers(&node, 20, &plain());
    assert_eq!(asked.load(Ordering::SeqCst), 20);
    let (other, more) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let servers = [failing(&fails, &other), failing(&fails, &more)];
    let node = super::fleet::node(&servers, SOON);
    answers(&node, 40, &plain());
    let counts = [other.load(Ordering::SeqCst), more.load(Ordering::SeqCst)];
    assert_eq!(counts.iter().min(), Some(&3), "half of two may be passed over: {counts:?}");
}

#[test]
fn if_no_server_is_well_all_are_asked() {
    let servers = servers(2);
    let node = node(&servers, "");
    node.roster(|member| member.healthy = false);
    assert_eq!(shares(&answers(&node, 10, &plain()), 2), [5, 5]);
    let mut at = 0;
    node.roster(|member| {
        member.healthy = at == 1;
        at += 1;
    });
    assert_eq!(shares(&answers(&node, 10, &plain()), 2), [0, 10]);
}

#[test]
fn a_server_that_dies_and_comes_back_is_noticed_by_nobody() {
    let steady = Origin::replying("1");
    let mortal = Origin::replying("0");
    let address = mortal.address();
    let node = node_of(&[address, steady.address()]);
    let stop = Arc::new(AtomicBool::new(false));
    let to = node.address();
    let visitors: Vec<_> = (0..3)
        .map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut statuses = Vec::new();
                while !stop.load(Ordering::SeqCst) && statuses.len() < 20_000 {
                    statuses.push(exchange(to, get("/")).status());
                }
                statuses
            })
        })
        .collect();
    eventually("requests at the mortal server", || (!mortal.requests().is_empty()).then_some(()));
    drop(mortal);
    let before = steady.requests().len();
    eventually("requests without it", || (steady.requests().len() > before + 50).then_some(()));
    let again = returned(address);
    eventually("requests after its return", || (again.requests().len() > 5).then_some(()));
    stop.store(true, Ordering::SeqCst);
    let statuses: Vec<u16> =
        visitors.into_iter().flat_map(|visitor| visitor.join().expect("a visitor")).collect();
    let failed = statuses.iter().filter(|status| **status != 200).count();
    assert_eq!(failed, 0, "of {}: {:?}", statuses.len(), ends(&node));
}

/// How those requests ended that did not end well.
fn ends(node: &Node) -> Vec<String> {
    let lines = node.lines(1);
    lines.iter().map(end_of).filter(|end| end != "done").collect()
}

/// A node in front of servers at these addresses.
fn node_of(addresses: &[SocketAddr]) -> Node {
    let each = addresses.iter().map(|address| format!("\"{address}\""));
    let servers = each.collect::<Vec<_>>().join(", ");
    let upstream = "ejection = { time = \"200ms\" }";
    Node::start(Origin::untouched(), &Setup { servers, upstream, ..Setup::default() })
}

/// A server at an address where there was one before.
fn returned(address: SocketAddr) -> Origin {
    let began = Clock::System.tick();
    loop {
        match Origin::at(address) {
            Ok(origin) => return origin,
            Err(error) => {
                let waited = Clock::System.tick().since(began);
                assert!(waited < Duration::from_secs(20), "{address}: {error}");
                std::thread::yield_now();
            }
        }
    }
}

#[test]
fn no_post_is_sent_twice_when_a_server_dies() {
    let mortal = Origin::acting(|_| Act::SendAndReset(Vec::new()));
    let steady = Origin::replying("1");
    let servers = [mortal, steady];
    let node = node(&servers, "ejection = { failures = 0 }");
    let mut statuses = Vec::new();
    for number in 0..40 {
        statuses.push(node.ask(post(&format!("/{number}"), "body")).status());
    }
    for number in 0..40 {
        let target = format!("/{number}");
        let of = |server: &Origin| {
            server.requests().iter().filter(|request| request.target() == target).count()
        };
        assert_eq!(of(&servers[0]) + of(&servers[1]), 1, "{target}");
    }
    assert_eq!(statuses.iter().filter(|status| **status == 502).count(), 20);
}
