//! What servers say: framing in doubt, surplus, interim answers. The twin of `proxy::head`.

use crate::proxy::node::{Node, get};
use crate::support::http1::Message;
use crate::support::origin::{Act, Origin, ok};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A node before a server that says this to `/odd`, and is ordinary else.
fn saying(bytes: impl Into<Vec<u8>>) -> Node {
    let bytes = bytes.into();
    Node::before(Origin::acting(move |request: &Message| match request.target() {
        "/odd" => Act::Send(bytes.clone()),
        _ => Act::Send(ok("good")),
    }))
}

#[test]
fn an_answer_in_doubt_is_none_and_its_connection_is_dropped() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let answers = [
        OK.replace("\r\n", "\n"),
        OK.replacen("OK\r\n", "OK\n", 1),
        OK.replace("\r\n\r\n", "\r\n\n"),
        OK.replace("Content", "A: b\rc\r\nContent"),
        OK.replace("Content", "A: b\r\n\tc\r\nContent"),
        OK.replace("Content", " A: b\r\nContent"),
        OK.replace("Length: 5", "Length : 5"),
        OK.replace("HTTP/1.1", "HTTP/1.2"),
        OK.replace("HTTP/1.1", "HTTP/2"),
        OK.replace("HTTP/1.1", "http/1.1"),
        OK.replace("HTTP/1.1", "ICY"),
        OK.replace(" 200", "  200"),
        OK.replace("200 OK", "20 OK"),
        OK.replace("200 OK", "2000"),
        OK.replace("200 OK", "099 OK"),
        format!("\r\n{OK}"),
        OK.replace("Length: 5", "Length: 5\r\nContent-Length: 5"),
        OK.replace("Length: 5", "Length: 5\r\nTransfer-Encoding: chunked"),
        OK.replace("Length: 5", "Length: 5, 5"),
        OK.replace("Length: 5", "Length: -5"),
        OK.replace("Length: 5", "Length: 0x5"),
        OK.replace("Length: 5", "Length: 99999999999999999999"),
        CHUNKED.replace("chunked", "identity"),
        CHUNKED.replace("chunked", "chunked, chunked"),
        CHUNKED.replace("chunked", "\x0bchunked"),
        CHUNKED.replace("HTTP/1.1", "HTTP/1.0"),
        format!("{}{OK}", interim.repeat(33)),
        OK.replace("Content", &format!("A: {}\r\nContent", "b".repeat(40_000))),
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n".into(),
    ];
    let mut wrong = Vec::new();
    for bytes in answers {
        let node = saying(bytes.clone());
        let got = node.ask(get("/odd"));
        let end = node.end();
        if (got.status(), end.as_str()) != (502, "upstream/wait/malformed") {
            wrong.push(format!("{bytes:.70?}: {} {end}", got.status()));
        }
        assert_eq!(node.ask(get("/")).text(), "good");
        if node.origin.connections() != 2 {
            wrong.push(format!("{bytes:.70?}: the connection was used again"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_body_in_doubt_is_never_whole_for_the_client() {
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5;\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello!\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "\r\n5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\n",
        "5\r\nhello\r\n0\r\n A: b\r\n\r\n",
        "5\r\nhello\r\n0\r\nA: b\rc\r\n\r\n",
    ] {
        let node = saying(format!("{CHUNKED}{body}"));
        let mut client = node.connect();
        client.send(get("/odd"));
        let said = client.rest();
        assert!(!said.ends_with(b"0\r\n\r\n"), "{body:?}: {}", String::from_utf8_lossy(&said));
        let end = node.end();
        let known = ["upstream/answer/malformed", "upstream/wait/malformed"];
        assert!(known.contains(&end.as_str()), "{body:?}: {end}");
        assert_eq!(node.ask(get("/")).text(), "good");
        assert_eq!(node.origin.connections(), 2, "{body:?}: the connection was used again");
    }
}

#[test]
fn what_is_surplus_behind_an_answer_belongs_to_nobody() {
    for (request, bytes, status) in [
        ("GET", format!("{OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"), 200),
        ("GET", format!("{OK}\r\n"), 200),
        ("HEAD", OK.to_owned(), 200),
        ("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello".to_owned(), 204),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello".to_owned(), 304),
        ("GET", format!("{CHUNKED}5\r\nhello\r\n0\r\n\r\nevil"), 200),
    ] {
        let node = saying(bytes.clone());
        let mut client = node.connect();
        client.send(get("/odd").replace("GET", request));
        let got = if request == "HEAD" { client.response_to_head() } else { client.response() };
        assert_eq!(got.status(), status, "{bytes:?}");
        if status == 204 {
            assert_eq!(got.field("content-length"), None);
        }
        for _ in 0..3 {
            client.send(get("/"));
            assert_eq!(client.response().text(), "good", "{bytes:?}");
        }
        assert_eq!(node.origin.connections(), 2, "{bytes:?}: the connection was used again");
    }
}

#[test]
fn answers_of_every_kind_pass() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(20);
    for (bytes, text) in [
        (OK.to_owned(), "hello"),
        (OK.replace("200 OK", "200"), "hello"),
        (OK.replace("200 OK", "299 Whatever \u{e9}"), "hello"),
        (OK.replace("Content-Length: 5", "content-length:5  "), "hello"),
        (format!("HTTP/1.1 100 Continue\r\n\r\n{hints}{OK}"), "hello"),
        (format!("{CHUNKED}3;a=b\r\nhel\r\n002\r\nlo\r\n0\r\nA: b\r\n\r\n"), "hello"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(), ""),
    ] {
        let node = saying(bytes.clone());
        let mut client = node.connect();
        for _ in 0..2 {
            client.send(get("/odd"));
            assert_eq!(client.response().text(), text, "{bytes:?}");
        }
        assert_eq!(node.origin.connections(), 1, "{bytes:?}: a good connection is kept");
    }
    let old = "HTTP/1.0 200 OK\r\n\r\nuntil the end";
    let node = Node::before(Origin::acting(move |_| Act::SendAndClose(old.into())));
    assert_eq!(node.ask(get("/")).text(), "until the end");
}

#[test]
fn an_answer_without_content_keeps_its_connection() {
    for (method, bytes) in [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("HEAD", CHUNKED),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
    ] {
        let node = saying(bytes);
        let mut client = node.connect();
        for _ in 0..2 {
            client.send(get("/odd").replace("GET", method));
            client.response_to_head();
            client.send(get("/"));
            assert_eq!(client.response().text(), "good", "{bytes:?}");
        }
        assert_eq!(node.origin.connections(), 1, "{bytes:?}");
    }
}
