//! Answers while a place is closed, for each who asks.

use std::collections::BTreeSet;
use std::time::Duration;

use intermission::window::state::Mode;

use super::node::{Node, Setup, get, post};
use crate::support::http1::Message;
use crate::support::origin::Origin;

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const PROBLEM: &str = "application/problem+json";

fn ask(node: &Node, fields: &str) -> Message {
    node.ask(format!("GET /claims HTTP/1.1\r\nHost: site.test\r\n{fields}\r\n"))
}

#[test]
fn each_who_asks_is_answered_in_a_form_it_reads() {
    let node = Node::before(Origin::untouched());
    node.close(Mode::Page);
    let rows = [
        ("a browser", "Accept: text/html,*/*;q=0.8\r\nSec-Fetch-Mode: navigate\r\n", HTML),
        ("a fetch", "Accept: */*\r\nSec-Fetch-Mode: cors\r\n", PROBLEM),
        ("an API client", "Accept: application/json\r\n", PROBLEM),
        ("XHR", "Accept: */*\r\nX-Requested-With: XMLHttpRequest\r\n", PROBLEM),
        ("curl", "Accept: */*\r\nUser-Agent: curl/8\r\n", TEXT),
        ("nobody in particular", "", TEXT),
        ("an event source", "Accept: text/event-stream\r\n", TEXT),
        ("a socket", "Connection: upgrade\r\nUpgrade: websocket\r\n", TEXT),
    ];
    for (who, fields, kind) in rows {
        let got = ask(&node, fields);
        assert_eq!((got.status(), got.field("content-type")), (503, Some(kind)), "{who}");
        assert!(!got.body.is_empty(), "{who}");
        let always = [
            ("cache-control", "no-store"),
            ("x-robots-tag", "noindex"),
            ("intermission-state", "closed"),
            ("intermission-generation", "2"),
            ("vary", "Accept, Accept-Language"),
        ];
        for (name, value) in always {
            assert_eq!(got.field(name), Some(value), "{who}: {name}");
        }
        assert_eq!(got.field("retry-after"), None, "{who}: nobody knows");
        assert_eq!(got.field("content-security-policy").is_some(), kind == HTML, "{who}");
    }
    let line = &node.lines(rows.len())[0];
    assert_eq!((&line["verdict"], &line["route"]), (&"page".into(), &"site".into()));
}

#[test]
fn a_page_is_in_the_language_asked_for() {
    let node = Node::before(Origin::untouched());
    node.close(Mode::Page);
    for (asked, lang) in
        [("de-AT,en;q=0.5", "de"), ("xx, fr;q=0.3", "fr"), ("ar", "ar"), ("xx", "en")]
    {
        let got = ask(&node, &format!("Accept: text/html\r\nAccept-Language: {asked}\r\n"));
        assert_eq!(got.field("content-language"), Some(lang), "{asked}");
        assert!(got.text().contains(&format!("lang=\"{lang}\"")), "{asked}");
    }
}

#[test]
fn machines_are_told_what_is_closed_and_until_when() {
    let node = Node::before(Origin::untouched());
    node.close_scope(Mode::Page, &[], &["site"], Some(Duration::from_secs(600)));
    let got = ask(&node, "Accept: application/json\r\n");
    let problem: serde_json::Value = serde_json::from_slice(&got.body).expect("JSON");
    assert_eq!(problem["status"], 503);
    for member in ["type", "title", "detail", "started_at", "ends_at"] {
        assert!(problem[member].is_string(), "{member} in {problem}");
    }
}

#[test]
fn the_return_is_promised_with_a_jitter_and_never_too_early() {
    let node = Node::before(Origin::untouched());
    node.close_scope(Mode::Page, &[], &[], Some(Duration::from_secs(1000)));
    let mut seen = BTreeSet::new();
    for _ in 0..40 {
        let after = ask(&node, "").field("retry-after").expect("a promise").to_owned();
        seen.insert(after.parse::<u64>().expect("seconds"));
    }
    let (first, last) = (*seen.first().expect("some"), *seen.last().expect("some"));
    // The seconds that the test takes are already gone.
    assert!(first >= 970 && last <= 1100, "{seen:?}");
    assert!(seen.len() > 10, "everybody would come back at once: {seen:?}");
}

#[test]
fn grpc_is_told_in_its_own_words() {
    let node = Node::before(Origin::untouched());
    node.close_scope(Mode::Page, &[], &[], Some(Duration::from_secs(100)));
    let request = "POST /pkg.Service/Call HTTP/1.1\r\nHost: site.test\r\nTE: trailers\r\n\
                   Content-Type: application/grpc\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0";
    let got = node.ask(request);
    assert_eq!((got.status(), got.field("grpc-status")), (200, Some("14")));
    assert_eq!(got.field("content-type"), Some("application/grpc"));
    let pushback = got.field("grpc-retry-pushback-ms").expect("a pushback");
    let pushback: u64 = pushback.parse().expect("milliseconds");
    assert!((80_000..=111_000).contains(&pushback), "{pushback}");
    assert!(got.field("grpc-message").is_some() && got.body.is_empty());
}

#[test]
fn a_head_is_answered_without_a_body_and_otherwise_alike() {
    let node = Node::before(Origin::untouched());
    node.close(Mode::Page);
    let mut client = node.connect();
    client.send("HEAD /claims HTTP/1.1\r\nHost: site.test\r\n\r\n");
    let head = client.response_to_head();
    client.send(get("/claims"));
    let whole = client.response();
    assert_eq!((head.status(), whole.status()), (503, 503));
    let length = whole.body.len().to_string();
    assert_eq!(head.field("content-length"), Some(length.as_str()));
}

#[test]
fn a_probe_stays_green_while_its_place_is_closed_and_is_the_applications_while_it_is_open() {
    const PROBE: &str = "[[probe]]\npath = \"/healthz\"";
    let setup = Setup { more: PROBE.to_owned(), ..Setup::default() };
    let node = Node::start(Origin::replying("the application's"), &setup);
    assert_eq!(node.ask(get("/healthz")).text(), "the application's");
    node.close(Mode::Page);
    for target in ["/healthz", "/healthz?x", "/%68ealthz"] {
        let got = node.ask(get(target));
        assert_eq!((got.status(), got.text().as_str()), (200, "ok\n"), "{target}");
    }
    assert_eq!(node.ask(get("/healthz/x")).status(), 503);
    assert_eq!(node.ask(post("/healthz", "a")).status(), 503);
    node.reopen();
    assert_eq!(node.ask(get("/healthz")).text(), "the application's");
}

#[test]
fn read_only_lets_reading_through() {
    let node = Node::before(Origin::replying("hello"));
    node.close(Mode::ReadOnly);
    for method in ["GET", "OPTIONS"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: site.test\r\n\r\n");
        assert_eq!(node.ask(request).text(), "hello", "{method}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"] {
        let head = format!("{method} / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 1\r\n\r\na");
        assert_eq!(node.ask(head).status(), 503, "{method}");
    }
    assert_eq!(node.origin.requests().len(), 2);
}

#[test]
fn one_region_is_closed_and_another_served() {
    let node = Node::before(Origin::replying("hello"));
    node.close_scope(Mode::Page, &["apac"], &[], None);
    let from = |host: &str| node.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).status();
    assert_eq!((from("apac.test"), from("APAC.test.:80"), from("site.test")), (503, 503, 200));
    let lines = node.lines(3);
    assert_eq!((&lines[0]["region"], &lines[2]["region"]), (&"apac".into(), &"eu".into()));
}

#[test]
fn a_switch_is_seen_by_the_next_request_of_a_connection() {
    let node = Node::before(Origin::replying("hello"));
    let mut client = node.connect();
    for generation in 1..=20 {
        client.send(get("/"));
        let got = client.response();
        if generation % 2 == 0 {
            let told = generation.to_string();
            assert_eq!(got.field("intermission-generation"), Some(told.as_str()));
            assert_eq!(got.status(), 503);
            node.reopen();
        } else {
            assert_eq!((got.status(), got.text().as_str()), (200, "hello"));
            node.close(Mode::Page);
        }
    }
    let lines = node.lines(20);
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(line["generation"], at + 1, "{line}");
    }
}

#[test]
fn a_request_that_began_before_the_switch_is_finished() {
    use crate::support::origin::{Act, ok};
    let node = Node::before(Origin::acting(|_| Act::Hold(Vec::new(), ok("finished"))));
    let mut client = node.connect();
    client.send(post("/", "body"));
    node.origin.wait_for(1);
    node.close(Mode::Page);
    assert_eq!(node.ask(get("/")).status(), 503);
    node.origin.release();
    assert_eq!(client.response().text(), "finished");
    client.send(get("/"));
    assert_eq!(client.response().status(), 503);
}
