//! Changes as they happen: told as events, resumed after a cut, bounded.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::node::Node;
use crate::support::PATIENCE;
use crate::support::raw::Raw;

/// One listener to the events of a node.
struct Listener(BufReader<TcpStream>);

/// What was told: its kind, its id if it has one, and the data.
struct Told {
    kind: String,
    id: Option<u64>,
    data: Value,
}

impl Listener {
    /// The status, and the listener after the head of the answer.
    fn open(node: &Node, query: &str, fields: &str) -> (u16, Self) {
        let mut stream = TcpStream::connect(node.admin()).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        let head = format!("GET /api/v1/events{query} HTTP/1.1\r\nHost: {}\r\n", node.admin());
        let bearer = node.bearer();
        stream.write_all(format!("{head}{bearer}{fields}\r\n").as_bytes()).expect("sent");
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).expect("a status line");
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        while line.trim() != "" {
            line.clear();
            reader.read_line(&mut line).expect("a head");
        }
        (status, Self(reader))
    }

    /// The next event; lines of chunked framing are no fields and are passed over.
    fn next(&mut self) -> Told {
        let (mut kind, mut id) = (String::new(), None);
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).expect("told in time") > 0, "the feed ended");
            let line = line.trim();
            if let Some(value) = line.strip_prefix("event: ") {
                value.clone_into(&mut kind);
            } else if let Some(value) = line.strip_prefix("id: ") {
                id = value.parse().ok();
            } else if let Some(value) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(value).expect("JSON");
                return Told { kind, id, data };
            }
        }
    }

    fn next_of(&mut self, kind: &str) -> Told {
        loop {
            let told = self.next();
            if told.kind == kind {
                return told;
            }
        }
    }
}

fn switch(node: &Node) -> String {
    let body = r#"{"regions":["eu"],"routes":["claims"],"reason":"x","drain":"1h"}"#;
    let (status, answer) = node.operator("POST /api/v1/switches", body);
    assert_eq!(status, 201, "{answer}");
    answer["window"]["id"].as_str().expect("an id").to_owned()
}

#[test]
fn a_change_is_told_as_it_happens_and_again_to_who_was_cut_off() {
    let node = Node::start();
    let (status, mut listener) = Listener::open(&node, "", "");
    assert_eq!(status, 200);
    assert_eq!(listener.next().kind, "hello");
    let window = switch(&node);
    let first = listener.next_of("window");
    assert_eq!(first.data["window"], window);
    assert_eq!((&first.data["to"], &first.data["by"]), (&"draining".into(), &"ops".into()));
    drop(listener);
    assert_eq!(node.operator(&format!("POST /api/v1/windows/{window}/end"), "").0, 200);

    let last = first.id.expect("the number of its entry");
    let (_, mut again) = Listener::open(&node, "", &format!("Last-Event-ID: {last}\r\n"));
    // With nothing in flight it may have closed by itself before it was ended.
    let mut missed = again.next_of("window");
    if missed.data["to"] == "closed" {
        missed = again.next_of("window");
    }
    assert_eq!(missed.data["to"], "ended", "told although nobody listened");
    assert!(missed.id > first.id);
    let (_, mut from) = Listener::open(&node, &format!("?after={}", last - 1), "");
    assert_eq!(from.next_of("window").id, first.id);
    let (status, _) = Listener::open(&node, "?after=x", "");
    assert_eq!(status, 422);
    let plan = super::admin_plans::plan("told").to_string();
    assert_eq!(node.operator("POST /api/v1/maintenances", &plan).0, 201);
    assert!(again.next_of("maintenance").data["version"].as_u64().is_some());
}

#[test]
fn there_is_a_bound_on_who_listens_and_a_place_is_given_back() {
    let node = Node::start();
    let mut all = Vec::new();
    let refused = loop {
        let (status, listener) = Listener::open(&node, "", "");
        if status != 200 {
            break status;
        }
        all.push(listener);
        assert!(all.len() <= 64, "no bound");
    };
    assert_eq!((refused, all.len()), (503, 64));
    assert_eq!(node.operator("GET /api/v1/status", "").0, 200, "everything else goes on");
    drop(all);
    crate::support::eventually("a place is free again", || {
        let (status, _) = Listener::open(&node, "", "");
        (status == 200).then_some(())
    });
}

#[test]
fn what_callers_do_not_take_is_told_before_anything_is_done() {
    let node = Node::start();
    let ask = |line: &str, accept: &str| {
        let fields = format!("{}Accept: {accept}\r\n", node.bearer());
        node.ask(line, &fields, r#"{"regions":["eu"],"reason":"x"}"#).status()
    };
    assert_eq!(ask("POST /api/v1/switches", "text/html"), 406);
    assert_eq!(ask("GET /api/v1/events", "application/json"), 406);
    assert_eq!(node.visit("eu.localhost", "/claims/1"), 200, "nothing was closed");
    assert_eq!(ask("POST /api/v1/switches", "text/html, */*;q=0.1"), 201);
    let mut raw = Raw::connect(node.admin());
    let host = node.admin();
    raw.send(format!("HEAD /api/v1/status HTTP/1.1\r\nHost: {host}\r\n{}\r\n", node.bearer()));
    let head = raw.response_to_head();
    assert_eq!((head.status(), head.body.len()), (200, 0));
    let wrong = node.ask("DELETE /api/v1/windows", &node.bearer(), "");
    assert_eq!(wrong.status(), 405);
    assert!(wrong.field("allow").is_some_and(|allow| allow.contains("GET")), "{wrong:?}");
}

#[test]
fn a_body_that_is_no_json_is_refused_whatever_is_wrong_with_it() {
    let node = Node::start();
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let raw = |body: &[u8]| {
        let mut stream = TcpStream::connect(node.admin()).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        let head = format!(
            "POST /api/v1/maintenances HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Length: {}\r\n{}\r\n",
            node.admin(),
            body.len(),
            node.bearer()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(body).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answered");
        String::from_utf8_lossy(&answer).into_owned()
    };
    for (body, status) in [
        (deep.as_bytes(), "400"),
        (b"{\"title\":\"\xff\xfe\"}".as_slice(), "400"),
        (b"{\"title\":\"x\"", "400"),
        (b"\xef\xbb\xbf{}", "400"),
        (b"[]", "422"),
        (b"{\"title\":1}", "422"),
    ] {
        let answer = raw(body);
        let line = answer.lines().next().unwrap_or_default();
        assert!(line.contains(status), "{status}: {line}");
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
    assert_eq!(node.operator("GET /api/v1/maintenances", "").1["items"], Value::Array(vec![]));
}
