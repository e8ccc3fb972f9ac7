//! Who of several servers is asked.

use intermission::clock::Clock;
use intermission::snapshot::Duty;

use super::fleet::{answer, answers, duty, named, node, plain, servers, shares, with};
use crate::proxy::node::{Node, Setup};
use crate::support::origin::{Act, Origin, ok};

#[test]
fn turns_follow_the_weights() {
    let servers = servers(2);
    let [heavy, light] = [servers[0].address(), servers[1].address()];
    let written = format!("{{ address = \"{heavy}\", weight = 3 }}, \"{light}\"");
    let setup = Setup { servers: written, ..Setup::default() };
    let node = Node::start(Origin::untouched(), &setup);
    let got = answers(&node, 40, &plain());
    assert_eq!(shares(&got, 2), [30, 10]);
    assert_eq!(got[..4], ["0", "0", "1", "0"], "not in a bunch");
}

#[test]
fn least_requests_spares_the_one_that_is_busy() {
    let slow = Origin::acting(|_| Act::Hold(Vec::new(), ok("0")));
    let servers = [slow, Origin::replying("1"), Origin::replying("2")];
    let node = node(&servers, "balance = \"least_requests\"");
    let mut stuck = Vec::new();
    // Until one request is held by the slow one.
    while servers[0].requests().is_empty() {
        let mut client = node.connect();
        client.send(plain());
        stuck.push(client);
        assert!(stuck.len() < 200, "the slow server is never asked");
        crate::support::eventually("an answer or a request that is held", || {
            let asked: usize = servers.iter().map(|server| server.requests().len()).sum();
            (asked >= stuck.len()).then_some(())
        });
    }
    let got = answers(&node, 100, &plain());
    assert_eq!(shares(&got, 3)[0], 0, "two others were always less busy");
    servers[0].release();
}

#[test]
fn a_cookie_binds_and_few_move_when_a_server_leaves() {
    let servers = servers(4);
    let node = node(&servers, "balance = \"hash\"\nhash_by = \"cookie:sid\"");
    let mut client = node.connect();
    let mut ask =
        |visitor: usize| answer(&mut client, &with(&format!("Cookie: a=b; sid={visitor}")));
    let before: Vec<String> = (0..200).map(&mut ask).collect();
    assert_eq!((0..200).map(&mut ask).collect::<Vec<_>>(), before, "each has one server");
    assert!(shares(&before, 4).iter().all(|share| (25..75).contains(share)), "{before:?}");
    duty(&node, 3, Duty::Maint);
    let after: Vec<String> = (0..200).map(&mut ask).collect();
    for (before, after) in before.iter().zip(&after) {
        assert!(before == "3" || before == after, "moved without need");
        assert_ne!(after, "3");
    }
    duty(&node, 3, Duty::Ready);
    assert_eq!((0..200).map(&mut ask).collect::<Vec<_>>(), before, "all are back where they were");
}

#[test]
fn who_is_not_bound_is_sent_elsewhere_while_a_server_drains() {
    let servers = servers(2);
    let node = node(&servers, "balance = \"hash\"\nhash_by = \"header:x-user\"");
    let mut client = node.connect();
    let bound: Vec<String> = (0..50)
        .map(|user| with(&format!("X-User: {user}")))
        .filter(|request| answer(&mut client, request) == "0")
        .collect();
    duty(&node, 0, Duty::Drain);
    assert!(bound.len() > 5);
    for request in &bound {
        assert_eq!(answer(&mut client, request), "0", "what was begun there ends there");
    }
    assert_eq!(shares(&answers(&node, 20, &plain()), 2), [0, 20], "nobody new");
    duty(&node, 0, Duty::Maint);
    assert_eq!(answer(&mut client, &bound[0]), "1", "nobody at all");
}

#[test]
fn an_address_binds_but_drains() {
    let servers = servers(2);
    let node = node(&servers, "balance = \"hash\"\nhash_by = \"client\"");
    let got = answers(&node, 20, &plain());
    let home: usize = got[0].parse().expect("a server's number");
    assert_eq!(shares(&got, 2)[home], 20, "one client, one server");
    duty(&node, home, Duty::Drain);
    assert_eq!(shares(&answers(&node, 5, &plain()), 2)[1 - home], 5, "an address is no visit");
}

#[test]
fn without_a_cookie_everyone_has_a_turn() {
    let servers = servers(2);
    let node = node(&servers, "balance = \"hash\"\nhash_by = \"cookie:sid\"");
    assert_eq!(shares(&answers(&node, 20, &plain()), 2), [10, 10]);
}

#[test]
fn a_server_that_came_is_spared_at_first() {
    let servers = servers(2);
    let node = node(&servers, "slow_start = \"1h\"");
    assert_eq!(shares(&answers(&node, 20, &plain()), 2), [10, 10], "both were there at the start");
    let mut at = 0;
    node.roster(|member| {
        member.since = (at == 1).then(|| Clock::System.tick());
        at += 1;
    });
    let got = shares(&answers(&node, 110, &plain()), 2);
    assert!((5..=15).contains(&got[1]), "a tenth of its share: {got:?}");
    assert_eq!(named(&servers).split(", ").count(), 2);
}
