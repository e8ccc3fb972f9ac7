//! Requests that wait for a window of mode `hold` to end; and what opens without control.

use std::time::Duration;

use intermission::clock::Clock;
use intermission::window::plan::{Hold, Plan};
use intermission::window::state::Mode;

use super::node::{Node, Setup, end_of, get, post};
use crate::support::eventually;
use crate::support::origin::{Act, Origin, ok};
use crate::support::raw::Raw;

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(300);

fn holding(most: u32, longest: Duration) -> Plan {
    Plan { hold: Hold { most, longest }, ..Plan::draining(Duration::from_secs(1)) }
}

fn held(node: &Node) -> u64 {
    node.metric("intermission_held_requests ")
}

fn outcome(node: &Node, name: &str) -> u64 {
    node.metric(&format!("intermission_held_requests_total{{outcome=\"{name}\"}}"))
}

#[track_caller]
fn wait_for_held(node: &Node, count: u64) {
    eventually(&format!("{count} requests wait"), || (held(node) == count).then_some(()));
}

/// A client whose request waits.
#[track_caller]
fn waiting(node: &Node, request: impl AsRef<[u8]>) -> Raw {
    let before = held(node);
    let mut client = node.connect();
    client.send(request);
    wait_for_held(node, before + 1);
    client
}

#[test]
fn a_request_waits_for_the_window_to_end_and_is_forwarded() {
    let node = Node::before(Origin::replying("hello"));
    node.close_by(Mode::Hold, holding(9, LONG), None);
    let mut client = waiting(&node, get("/"));
    assert!(client.is_silent_for(Duration::from_millis(100)));
    assert!(node.origin.requests().is_empty());
    node.reopen();
    assert_eq!(client.response().text(), "hello");
    client.send(get("/"));
    assert_eq!(client.response().text(), "hello", "the connection carries on");
    let lines = node.lines(2);
    assert_eq!((&lines[0]["verdict"], &lines[0]["generation"]), (&"forward".into(), &3.into()));
    assert!(lines[0]["held_us"].as_u64().is_some_and(|span| span >= 100_000), "{}", lines[0]);
    assert!(lines[1].get("held_us").is_none(), "{}", lines[1]);
    assert_eq!((end_of(&lines[0]), held(&node), outcome(&node, "called")), ("done".into(), 0, 1));
}

#[test]
fn a_body_stays_with_its_client_and_arrives_whole() {
    let node = Node::before(Origin::replying("hello"));
    node.close_by(Mode::Hold, holding(9, LONG), None);
    let body = "x".repeat(300_000);
    let mut client = waiting(&node, post("/", &body));
    node.reopen();
    assert_eq!(client.response().text(), "hello");
    assert_eq!(node.origin.requests()[0].body, body.as_bytes());
}

#[test]
fn a_small_form_that_was_looked_into_waits_too() {
    let node = Node::before(Origin::replying("hello"));
    node.close_by(Mode::Hold, holding(9, LONG), None);
    let form = "POST /claims HTTP/1.1\r\nHost: site.test\r\nCookie: intermission=key\r\n\
                Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 8\r\n\r\nname=Ana";
    let mut client = waiting(&node, form);
    node.reopen();
    assert_eq!(client.response().text(), "hello");
    assert_eq!(node.origin.requests()[0].body, b"name=Ana");
}

#[test]
fn who_waited_as_long_as_it_may_is_answered_as_closed() {
    let node = Node::before(Origin::untouched());
    node.close_by(Mode::Hold, holding(9, SHORT), Some(Duration::from_secs(900)));
    let got = node.ask(get("/"));
    assert_eq!((got.status(), got.field("intermission-state")), (503, Some("closed")));
    assert!(got.field("retry-after").is_some());
    let line = &node.lines(1)[0];
    assert_eq!((&line["verdict"], end_of(line).as_str()), (&"page".into(), "proxy/hold/timeout"));
    assert!(line["held_us"].as_u64().is_some_and(|span| span >= 300_000), "{line}");
    assert_eq!((held(&node), outcome(&node, "late")), (0, 1));
}

#[test]
fn a_form_that_waited_in_vain_is_kept() {
    let node = Node::before(Origin::untouched());
    node.close_by(Mode::Hold, holding(9, SHORT), None);
    let form = "POST /claims HTTP/1.1\r\nHost: site.test\r\nAccept: text/html\r\n\
                Origin: http://site.test\r\nSec-Fetch-Site: same-origin\r\n\
                Sec-Fetch-Mode: navigate\r\nContent-Length: 8\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\nname=Ana";
    assert_eq!(node.ask(form).status(), 303);
    let line = &node.lines(1)[0];
    assert_eq!(
        (&line["verdict"], end_of(line).as_str()),
        (&"capture".into(), "proxy/hold/timeout")
    );
}

#[test]
fn no_more_wait_than_may_and_a_seat_is_free_again() {
    let node = Node::before(Origin::replying("hello"));
    node.close_by(Mode::Hold, holding(2, LONG), None);
    let mut first = waiting(&node, get("/1"));
    let second = waiting(&node, get("/2"));
    assert_eq!(node.ask(get("/3")).status(), 503);
    assert_eq!(
        (end_of(&node.lines(1)[0]).as_str(), outcome(&node, "full")),
        ("proxy/hold/full", 1)
    );
    second.reset();
    wait_for_held(&node, 1);
    let mut third = waiting(&node, get("/3"));
    node.reopen();
    assert_eq!((first.response().status(), third.response().status()), (200, 200));
}

#[test]
fn who_waits_meets_what_became_of_the_window() {
    let node = Node::before(Origin::replying("hello"));
    node.close_by(Mode::Hold, holding(9, LONG), Some(LONG));
    let mut extended = waiting(&node, get("/"));
    node.close_by(Mode::Hold, holding(9, LONG), Some(LONG * 2));
    assert!(extended.is_silent_for(Duration::from_millis(600)), "two sweeps");
    node.reopen();
    assert_eq!(extended.response().text(), "hello");

    node.close_by(Mode::Hold, holding(9, LONG), None);
    let mut read = waiting(&node, get("/"));
    node.close(Mode::ReadOnly);
    assert_eq!(read.response().text(), "hello", "reading passes now");

    node.close_by(Mode::Hold, holding(9, LONG), None);
    let mut shut = waiting(&node, get("/"));
    node.close(Mode::Page);
    assert_eq!(shut.response().status(), 503);
    assert_eq!(outcome(&node, "called"), 3);
}

#[test]
fn who_waited_goes_on_in_the_order_of_coming_and_not_all_at_once() {
    const WHO: usize = 20;
    let node = Node::before(Origin::replying("hello"));
    node.close_by(Mode::Hold, holding(99, LONG), None);
    let mut clients: Vec<Raw> = (0..WHO).map(|n| waiting(&node, get(&format!("/{n}")))).collect();
    node.reopen();
    for client in &mut clients {
        assert_eq!(client.response().text(), "hello");
    }
    let of = |target: &str| target[1..].parse::<usize>().expect("a number");
    let seen: Vec<usize> = node.origin.requests().iter().map(|one| of(one.target())).collect();
    let parts: Vec<Vec<usize>> = seen
        .chunks(8)
        .map(|part| {
            let mut part = part.to_vec();
            part.sort_unstable();
            part
        })
        .collect();
    assert_eq!(parts.concat(), (0..WHO).collect::<Vec<_>>(), "{seen:?}");
    // The first came and left before the last of them, yet waited less by two sweeps.
    let lines = node.lines(WHO);
    let left = |n: usize| {
        let line = lines.iter().find(|line| line["path"] == format!("/{n}")).expect("a line");
        let at = line["at"].as_str().expect("a time");
        let at: jiff::Timestamp = at.parse().expect("a time");
        at.as_microsecond() + line["held_us"].as_i64().expect("it waited")
    };
    assert!(left(WHO - 1) - left(0) >= 400_000, "{} {}", left(0), left(WHO - 1));
}

#[test]
fn a_client_that_left_waits_no_longer() {
    let node = Node::before(Origin::untouched());
    node.close_by(Mode::Hold, holding(9, LONG), None);
    // An end behind more than the system takes is not told to anybody; a reset is.
    for request in [get("/"), post("/", &"x".repeat(20_000)), post("/", "x")] {
        let client = waiting(&node, request);
        drop(client);
        wait_for_held(&node, 0);
    }
    let client = waiting(&node, post("/", &"x".repeat(300_000)));
    client.reset();
    wait_for_held(&node, 0);
    let ends: Vec<String> = node.lines(4).iter().map(end_of).collect();
    assert!(ends.iter().all(|end| end.starts_with("client/")), "{ends:?}");
    assert_eq!(outcome(&node, "gone"), 4);
}

#[test]
fn a_client_that_has_only_ended_its_side_reads_the_page() {
    let node = Node::before(Origin::untouched());
    node.close_by(Mode::Hold, holding(9, LONG), None);
    let mut client = waiting(&node, get("/"));
    client.finish();
    assert_eq!(client.response().status(), 503);
}

#[test]
fn a_node_that_stops_answers_who_waits() {
    let node = Node::before(Origin::untouched());
    node.close_by(Mode::Hold, holding(9, LONG), None);
    let mut client = waiting(&node, get("/"));
    let stopping = node.stop(LONG);
    let got = client.response();
    assert_eq!((got.status(), got.field("connection")), (503, Some("close")));
    assert_eq!(stopping.join().expect("it stops"), 0);
    assert_eq!(outcome(&node, "stop"), 1);
}

#[test]
fn who_waits_is_not_in_flight() {
    let node = Node::before(Origin::acting(|_| Act::Hold(Vec::new(), ok("hello"))));
    node.close_by(Mode::Hold, holding(9, LONG), None);
    let mut client = waiting(&node, get("/"));
    let in_flight = || node.metric("intermission_in_flight{route=\"site\",region=\"eu\"}");
    assert_eq!(in_flight(), 0, "the window drains");
    node.reopen();
    node.origin.wait_for(1);
    assert_eq!(in_flight(), 1);
    node.origin.release();
    assert_eq!(client.response().text(), "hello");
}

#[test]
fn a_hard_limit_opens_a_place_that_control_has_forgotten() {
    let node = Node::before(Origin::replying("hello"));
    let plan = |limit| Plan { hard_limit: limit, ..Plan::draining(Duration::from_secs(1)) };
    node.close_by(Mode::Page, plan(None), None);
    assert_eq!(node.ask(get("/")).status(), 503);
    let began = Clock::System.now();
    node.close_by(Mode::Page, plan(Some(Duration::from_secs(1))), None);
    assert_eq!(node.ask(get("/")).status(), 503);
    // Nothing is published from here on: this node has no control plane at all.
    eventually("the place opens", || (node.ask(get("/")).status() == 200).then_some(()));
    assert!(Clock::System.now().since(began) >= Duration::from_millis(700), "not before its time");
}

#[test]
fn a_write_in_the_clothes_of_a_read_does_not_pass_read_only() {
    let node = Node::start(Origin::replying("hello"), &Setup::default());
    let plan = Plan {
        allow: vec!["/login".to_owned(), "/sso/*".to_owned()],
        ..Plan::draining(Duration::from_secs(1))
    };
    node.close_by(Mode::ReadOnly, plan, None);
    let told = |request: String| node.ask(request).status();
    let over = "GET / HTTP/1.1\r\nHost: site.test\r\nX-HTTP-Method-Override: DELETE\r\n\r\n";
    assert_eq!(
        (told(get("/")), told(over.to_owned()), told(get("/?_method=put"))),
        (200, 503, 503)
    );
    for (path, status) in [
        ("/login", 200),
        ("/sso/callback", 200),
        ("/%6cogin", 200),
        ("/sso/../claims", 503),
        ("/sso/%2e%2e/claims", 503),
        ("/claims", 503),
        ("/sso", 503),
        ("/sso/..;/claims", 400),
        ("/sso/..%2fclaims", 400),
    ] {
        assert_eq!(told(post(path, "a")), status, "{path}");
    }
}
