//! What belongs to one hop, and what this hop adds.

use super::node::{Node, Setup, get};
use crate::support::http1::Message;
use crate::support::origin::{Act, Origin, answer};

const TRUSTING: &str = "trusted = [\"127.0.0.0/8\"]";

/// What the application sees of a request with these field lines.
fn seen(node: &Node, fields: &str) -> Message {
    let request = format!("GET / HTTP/1.1\r\nHost: Site.test:8080\r\n{fields}\r\n");
    assert_eq!(node.ask(request).text(), "hello", "{fields}");
    node.origin.requests().pop().expect("a request")
}

fn names(message: &Message) -> Vec<&str> {
    message.fields.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn fields_of_one_hop_end_here() {
    let node = Node::before(Origin::replying("hello"));
    let request = seen(
        &node,
        "Connection: close, X-Named , te\r\nconnection: X-Too\r\nX-Named: a\r\nX-Too: b\r\n\
         Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip;q=1\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nX-Kept: c\r\n",
    );
    let added = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via"];
    assert_eq!(names(&request), [&["host", "x-kept"][..], &added].concat());
    assert_eq!(request.field("host"), Some("Site.test:8080"), "as the client wrote it");
}

#[test]
fn trailers_alone_are_asked_for_onwards() {
    let node = Node::before(Origin::replying("hello"));
    assert_eq!(seen(&node, "TE: gzip, Trailers\r\n").field("te"), Some("trailers"));
    assert_eq!(seen(&node, "TE: deflate\r\n").field("te"), None);
}

#[test]
fn an_answer_is_rid_of_its_hop_too() {
    let node = Node::before(Origin::acting(|_| {
        let fields = [
            ("Connection", "keep-alive, x-named"),
            ("X-Named", "a"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"),
            ("Upgrade", "h2c"),
            ("X-Kept", "b"),
        ];
        Act::Send(answer("200 OK", &fields, "hello"))
    }));
    let got = node.ask(get("/"));
    assert_eq!(names(&got), ["content-length", "x-kept", "date"]);
    assert_eq!(got.first_line, "HTTP/1.1 200 OK");
}

#[test]
fn the_end_of_a_servers_connection_is_not_the_clients() {
    let close =
        |_: &Message| Act::SendAndClose(answer("200 OK", &[("Connection", "close")], "hello"));
    let node = Node::before(Origin::acting(close));
    let mut client = node.connect();
    for _ in 0..3 {
        client.send(get("/"));
        let got = client.response();
        assert_eq!((got.text().as_str(), got.field("connection")), ("hello", None));
    }
    assert_eq!(node.origin.connections(), 3);
}

#[test]
fn what_a_stranger_says_of_itself_is_replaced() {
    let node = Node::before(Origin::replying("hello"));
    let request = seen(
        &node,
        "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\nX-Forwarded-Proto: https\r\n\
         X-Forwarded-Host: evil.test\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Server: evil\r\n\
         X-Forwarded-Prefix: /evil\r\nForwarded: for=10.0.0.1;host=evil.test\r\n",
    );
    assert_eq!(request.field_values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(request.field_values("x-forwarded-proto"), ["http"]);
    assert_eq!(request.field_values("x-forwarded-host"), ["Site.test:8080"]);
    let forwarded = ["for=127.0.0.1;host=\"Site.test:8080\";proto=http"];
    assert_eq!(request.field_values("forwarded"), forwarded);
    for gone in ["x-forwarded-port", "x-forwarded-server", "x-forwarded-prefix"] {
        assert_eq!(request.field(gone), None);
    }
    assert_eq!(node.lines(1)[0]["client"], "127.0.0.1");
}

#[test]
fn what_a_trusted_peer_says_is_kept_and_the_peer_added() {
    let setup = Setup { listen: TRUSTING, ..Setup::default() };
    let node = Node::start(Origin::replying("hello"), &setup);
    let request = seen(
        &node,
        "X-Forwarded-For: 6.6.6.6, 203.0.113.7\r\nX-Forwarded-Proto: https\r\n\
         X-Forwarded-Host: www.test.example\r\nX-Forwarded-Port: 443\r\n\
         Forwarded: for=203.0.113.7\r\n",
    );
    let chain = request.field_values("x-forwarded-for").join(", ");
    assert_eq!(chain, "6.6.6.6, 203.0.113.7, 127.0.0.1");
    assert_eq!(request.field_values("x-forwarded-proto"), ["https"]);
    assert_eq!(request.field_values("x-forwarded-host"), ["www.test.example"]);
    assert_eq!(request.field("x-forwarded-port"), Some("443"));
    let forwarded = request.field_values("forwarded").join(", ");
    let ours = "for=127.0.0.1;host=\"www.test.example\";proto=https";
    assert_eq!(forwarded, format!("for=203.0.113.7, {ours}"));
    assert_eq!(node.lines(1)[0]["client"], "203.0.113.7", "the last that no trusted peer is");
}

#[test]
fn names_that_servers_read_as_others_and_names_of_ours_are_dropped() {
    let node = Node::before(Origin::replying("hello"));
    let request = seen(
        &node,
        "X_Forwarded_For: 10.0.0.1\r\nContent_Length: 5\r\nx_a: b\r\n\
         Intermission-Resumed: 1\r\nintermission-submission: x\r\nX-Kept: c\r\n",
    );
    let odd = |name: &&str| name.contains('_') || name.starts_with("intermission");
    assert_eq!(names(&request).into_iter().filter(odd).count(), 0, "{request:?}");
    assert_eq!(request.field("x-kept"), Some("c"));
}

#[test]
fn our_cookie_stays_here() {
    let node = Node::before(Origin::acting(|_| {
        let fields = [
            ("Set-Cookie", "session=1; Path=/"),
            ("Set-Cookie", "intermission=planted; Path=/"),
            ("Set-Cookie", "__Host-intermission=planted; Secure; Path=/"),
            ("Set-Cookie", "theme=dark"),
        ];
        Act::Send(answer("200 OK", &fields, "hello"))
    }));
    let request = seen(
        &node,
        "Cookie: a=b; intermission=v1.secret;c=d\r\n\
         Cookie: __Host-intermission=v1.secret; xintermission=kept\r\n",
    );
    assert_eq!(request.field_values("cookie"), ["a=b; c=d; xintermission=kept"]);
    assert_eq!(seen(&node, "Cookie: intermission=v1.secret\r\n").field("cookie"), None);
    let untouched = "Cookie: a=b;c=\"d e\"\r\nCookie: f=g\r\n";
    let kept = seen(&node, untouched);
    assert_eq!(kept.field_values("cookie"), ["a=b;c=\"d e\"", "f=g"], "byte for byte");
    let got = node.ask(get("/"));
    assert_eq!(got.field_values("set-cookie"), ["session=1; Path=/", "theme=dark"]);
}

#[test]
fn via_tells_servers_of_this_hop_and_visitors_where_it_is_named() {
    let plain = Node::before(Origin::replying("hello"));
    assert_eq!(seen(&plain, "").field("via"), Some("1.1 intermission"));
    assert_eq!(plain.ask(get("/")).field("via"), None);
    let old = "GET / HTTP/1.0\r\nHost: site.test\r\n\r\n";
    assert_eq!(plain.ask(old).text(), "hello");
    let request = plain.origin.requests().pop().expect("a request");
    assert_eq!(request.field("via"), Some("1.0 intermission"), "the version it came in");
    let off = Setup { listen: "via = \"off\"", ..Setup::default() };
    assert_eq!(seen(&Node::start(Origin::replying("hello"), &off), "").field("via"), None);
    let setup = Setup { listen: "via = \"edge\"", ..Setup::default() };
    let node = Node::start(Origin::replying("hello"), &setup);
    assert_eq!(seen(&node, "Via: 1.0 first\r\n").field_values("via"), ["1.0 first", "1.1 edge"]);
    assert_eq!(node.ask(get("/")).field("via"), Some("1.1 edge"));
}
