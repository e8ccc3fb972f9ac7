//! Traces: passed on as they are, taken away when malformed, begun where the config says so.

use std::collections::BTreeSet;

use super::node::{Node, Setup};
use crate::support::http1::Message;
use crate::support::origin::Origin;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What the application sees of a request with these field lines.
fn seen(node: &Node, fields: &str) -> Message {
    let request = format!("GET / HTTP/1.1\r\nHost: site.test\r\n{fields}\r\n");
    assert_eq!(node.ask(request).text(), "hello", "{fields}");
    node.origin.requests().pop().expect("a request")
}

fn beginning(sample: u8) -> Node {
    let more = format!("[trace]\nbegin = true\nsample = {sample}\n");
    Node::start(Origin::replying("hello"), &Setup { more, ..Setup::default() })
}

#[test]
fn a_trace_of_the_client_passes_and_stands_in_the_line() {
    for node in [Node::before(Origin::replying("hello")), beginning(100)] {
        let state = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7";
        let fields = format!("Traceparent: {PARENT}\r\nTracestate: {state}\r\n");
        let request = seen(&node, &fields);
        assert_eq!(request.field("traceparent"), Some(PARENT));
        assert_eq!(request.field("tracestate"), Some(state));
        assert_eq!(node.lines(1)[0]["trace"], "4bf92f3577b34da6a3ce929d0e0e4736");
    }
}

#[test]
fn a_malformed_trace_goes_with_its_state() {
    let node = Node::before(Origin::replying("hello"));
    let upper = PARENT.to_uppercase();
    let cases = [
        "Tracestate: congo=1\r\n".to_owned(),
        format!("Traceparent: {upper}\r\nTracestate: congo=1\r\n"),
        format!("Traceparent: {PARENT}\r\nTraceparent: {PARENT}\r\nTracestate: congo=1\r\n"),
        "Traceparent: 00-0-0-0\r\n".to_owned(),
    ];
    for fields in &cases {
        let request = seen(&node, fields);
        assert_eq!((request.field("traceparent"), request.field("tracestate")), (None, None));
    }
    let lines = node.lines(cases.len());
    assert!(lines.iter().all(|line| line.get("trace").is_none()), "{lines:?}");
}

#[test]
fn a_trace_is_begun_where_the_config_says_so() {
    let node = beginning(50);
    const COUNT: usize = 200;
    let mut traces = BTreeSet::new();
    let mut sampled = 0;
    for round in 0..COUNT {
        let fields = if round % 2 == 0 { "" } else { "Traceparent: x\r\nTracestate: a=1\r\n" };
        let request = seen(&node, fields);
        let parent = request.field("traceparent").expect("a trace that begins here").to_owned();
        let parts: Vec<&str> = parent.split('-').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        assert_eq!((lengths, parts[0]), (vec![2, 32, 16, 2], "00"), "{parent}");
        assert_eq!(request.field("tracestate"), None);
        sampled += usize::from(parts[3] == "01");
        assert!(traces.insert(parts[1].to_owned()), "{parent} came twice");
    }
    assert!((50..150).contains(&sampled), "{sampled} of {COUNT}");
    let lines = node.lines(COUNT);
    let told = lines.iter().map(|line| line["trace"].as_str().expect("a trace").to_owned());
    assert_eq!(told.collect::<BTreeSet<_>>(), traces);
}
