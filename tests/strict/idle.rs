//! What a connection costs while nothing is under way on it.

use std::time::{Duration, Instant};

use intermission::proxy::Pace;

use crate::proxy::node::{Node, Setup, get};
use crate::support::eventually;
use crate::support::origin::Origin;
use crate::support::raw::Raw;

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number of pages") * 4096
}

/// What is resident once it has not changed for two seconds.
fn settled() -> usize {
    let began = Instant::now();
    let (mut last, mut since) = (resident(), Instant::now());
    while since.elapsed() < Duration::from_secs(2) && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(100));
        let now = resident();
        if now.abs_diff(last) > 64 * 1024 {
            (last, since) = (now, Instant::now());
        }
    }
    resident()
}

#[test]
#[ignore = "a measurement: prints bytes per idle connection"]
fn bytes_of_an_idle_connection() {
    let more = "[limits]\nconnections_per_address = 20000".to_owned();
    let pace = Pace { head: Duration::from_secs(300), ..Pace::default() };
    let node = Node::start(Origin::replying("hello"), &Setup { more, pace, ..Setup::default() });
    for asks in [false, true] {
        let mut clients: Vec<Raw> = Vec::new();
        let mut before = (0, settled());
        for count in [1_000, 5_000, 9_000] {
            while clients.len() < count {
                let mut client = node.connect();
                if asks {
                    client.send(get("/"));
                    assert_eq!(client.response().text(), "hello");
                }
                clients.push(client);
            }
            let now = settled();
            let per = (now as f64 - before.1 as f64) / (count - before.0) as f64;
            println!("asked: {asks}, {count} connections: {per:.0} bytes each, {now} in all");
            before = (count, now);
        }
        drop(clients);
        eventually("all have gone", || {
            (node.metric("intermission_connections") == 0).then_some(())
        });
    }
}

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
