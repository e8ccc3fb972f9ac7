//! What trusted peers say of clients, over the wire: what is believed, and what goes up.

use crate::proxy::node::{Node, Setup};
use crate::support::http1::Message;
use crate::support::origin::Origin;

const LIST: &str = "trusted = [\"127.0.0.0/8\", \"10.0.0.0/8\"]";
const ELEMENTS: &str = "trusted = [\"127.0.0.0/8\", \"10.0.0.0/8\"]\nforwarded = \"forwarded\"";

fn node(listen: &'static str) -> Node {
    Node::start(Origin::replying("hello"), &Setup { listen, ..Setup::default() })
}

/// What the application sees of a request with these field lines.
fn seen(node: &Node, fields: &str) -> Message {
    let request = format!("GET / HTTP/1.1\r\nHost: inner.test\r\n{fields}\r\n");
    assert_eq!(node.ask(request).text(), "hello", "{fields}");
    node.origin.requests().pop().expect("a request")
}

/// Chain, scheme, host and `Forwarded`, each of which must be there once.
#[track_caller]
fn told(request: &Message) -> [String; 4] {
    ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"].map(|name| {
        let values = request.field_values(name);
        if name != "x-forwarded-for" {
            assert_eq!(values.len(), 1, "{name}: {values:?}");
        }
        values.join(", ")
    })
}

#[test]
fn a_field_that_is_not_chosen_is_never_believed() {
    let by_list = node(LIST);
    let lie = "Forwarded: for=6.6.6.6;proto=https;host=evil.test\r\n";
    let ours = "for=127.0.0.1;host=\"inner.test\";proto=http";
    assert_eq!(told(&seen(&by_list, lie)), ["127.0.0.1", "http", "inner.test", ours]);
    let by_elements = node(ELEMENTS);
    let lie = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n\
               X-Forwarded-Host: evil.test\r\nX-Forwarded-Port: 666\r\n";
    let request = seen(&by_elements, lie);
    assert_eq!(told(&request), ["127.0.0.1", "http", "inner.test", ours]);
    assert_eq!(request.field("x-forwarded-port"), None);
    assert_eq!(by_elements.lines(1)[0]["client"], "127.0.0.1");
}

#[test]
fn all_fields_tell_the_same_whichever_is_believed() {
    let forwarded = "for=203.0.113.7, for=10.0.0.2, for=127.0.0.1;host=\"www.test\";proto=https";
    let wanted = ["203.0.113.7, 10.0.0.2, 127.0.0.1", "https", "www.test", forwarded];
    let by_list = seen(
        &node(LIST),
        "X-Forwarded-For: 203.0.113.7, 10.0.0.2\r\nX-Forwarded-Proto: https\r\n\
         X-Forwarded-Host: www.test\r\n",
    );
    assert_eq!(told(&by_list), wanted);
    let by_elements = node(ELEMENTS);
    let request = seen(
        &by_elements,
        "Forwarded: for=203.0.113.7;proto=https;host=www.test, for=10.0.0.2;by=10.0.0.3\r\n",
    );
    assert_eq!(told(&request), wanted);
    assert_eq!(by_elements.lines(1)[0]["client"], "203.0.113.7");
    let v6 = seen(&by_elements, "Forwarded: for=\"[2001:db8::1]:99\"\r\n");
    let forwarded = "for=\"[2001:db8::1]\", for=127.0.0.1;host=\"inner.test\";proto=http";
    assert_eq!(told(&v6), ["2001:db8::1, 127.0.0.1", "http", "inner.test", forwarded]);
}

#[test]
fn of_a_list_of_schemes_the_one_counts_that_was_written_about_the_client() {
    let node = node(LIST);
    // A proxy at the edge was asked by TLS; the next one asks in the clear and appends that.
    let through_two = "X-Forwarded-For: 203.0.113.7, 10.0.0.2\r\n\
                       X-Forwarded-Proto: https, http\r\nX-Forwarded-Host: www.test, inner.test\r\n";
    let request = seen(&node, through_two);
    assert_eq!(request.field_values("x-forwarded-proto"), ["https"]);
    assert_eq!(request.field_values("x-forwarded-host"), ["www.test"]);
    // What a client wrote itself stands left of what our proxy appended.
    let spoofed = "X-Forwarded-For: 6.6.6.6, 203.0.113.7\r\n\
                   X-Forwarded-Proto: https, http\r\nX-Forwarded-Host: evil.test, www.test\r\n";
    let request = seen(&node, spoofed);
    assert_eq!(request.field_values("x-forwarded-proto"), ["http"]);
    assert_eq!(request.field_values("x-forwarded-host"), ["www.test"]);
    let elements = node_by_elements();
    let spoofed = "Forwarded: for=6.6.6.6;proto=https;host=evil.test;by=\"\r\n\
                   Forwarded: for=203.0.113.7;proto=http\r\n";
    let forwarded = "for=203.0.113.7, for=127.0.0.1;host=\"inner.test\";proto=http";
    let wanted = ["203.0.113.7, 127.0.0.1", "http", "inner.test", forwarded];
    assert_eq!(told(&seen(&elements, spoofed)), wanted);
}

fn node_by_elements() -> Node {
    node(ELEMENTS)
}

#[test]
fn a_scheme_or_host_that_is_none_is_not_passed_on() {
    let node = node(LIST);
    for (proto, host) in [("ftp", "evil.test/path"), ("", ""), ("https://", "a b"), ("-", "x@y")] {
        let fields = format!("X-Forwarded-Proto: {proto}\r\nX-Forwarded-Host: {host}\r\n");
        let request = seen(&node, &fields);
        assert_eq!(request.field_values("x-forwarded-proto"), ["http"], "{proto}");
        assert_eq!(request.field_values("x-forwarded-host"), ["inner.test"], "{host}");
    }
    let request = seen(&node, "X-Forwarded-Proto: WSS\r\nX-Forwarded-Host: www.test:8443\r\n");
    assert_eq!(request.field_values("x-forwarded-proto"), ["https"]);
    assert_eq!(request.field_values("x-forwarded-host"), ["www.test:8443"]);
}
