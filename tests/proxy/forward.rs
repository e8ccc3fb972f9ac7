//! Requests and answers carried whole.

use std::sync::mpsc;
use std::time::Duration;

use super::node::{Node, Setup, get, post};
use crate::support::http1::Message;
use crate::support::origin::{Act, Origin, answer, ok};
use crate::support::{eventually, raw};

/// Bytes that no two places share.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..count).map(next).collect()
}

/// A body in chunks of growing sizes, with these trailer lines.
fn chunked(body: &[u8], trailers: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut rest, mut size) = (body, 1);
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
        (rest, size) = (after, size * 2 + 1);
    }
    bytes.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
    bytes
}

#[test]
fn a_body_of_a_mebibyte_in_chunks_arrives_byte_for_byte_both_ways() {
    let body = noise(1 << 20);
    let reply = body.iter().rev().copied().collect::<Vec<_>>();
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let sent = [head.as_bytes(), &chunked(&reply, "")].concat();
    let node = Node::before(Origin::acting(move |_| Act::Send(sent.clone())));
    let head = "POST /up HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let got = node.ask([head.as_bytes(), &chunked(&body, "")].concat());
    assert_eq!((got.status(), got.body == reply), (200, true));
    let seen = node.origin.requests();
    assert_eq!((seen.len(), seen[0].body == body), (1, true));
    assert_eq!(node.lines(1)[0]["bytes_in"], 1 << 20);
    assert_eq!(node.lines(1)[0]["bytes_out"], 1 << 20);
}

#[test]
fn a_body_with_a_length_keeps_its_length() {
    let body = String::from_utf8_lossy(&noise(70_000)).into_owned();
    let node = Node::before(Origin::replying("taken"));
    assert_eq!(node.ask(post("/up", &body)).text(), "taken");
    let seen = &node.origin.requests()[0];
    assert_eq!(seen.field("content-length"), Some(body.len().to_string().as_str()));
    assert_eq!((seen.text() == body, seen.chunks.is_empty()), (true, true));
}

#[test]
fn a_body_arrives_whatever_its_method() {
    let node = Node::before(Origin::replying("taken"));
    for method in ["GET", "DELETE", "PUT", "PATCH", "OPTIONS", "PROPFIND"] {
        for framing in ["Transfer-Encoding: chunked", "Content-Length: 5"] {
            let body = if framing.starts_with('T') { "5\r\nhello\r\n0\r\n\r\n" } else { "hello" };
            let line = format!("{method} /{framing:.1} HTTP/1.1\r\nHost: site.test");
            let answer = node.ask(format!("{line}\r\n{framing}\r\n\r\n{body}"));
            assert_eq!(answer.text(), "taken", "{method} {framing}");
            let seen = node.origin.requests().pop().expect("a request");
            assert_eq!((seen.method(), seen.text().as_str()), (method, "hello"), "{framing}");
        }
    }
}

#[test]
fn trailers_pass_both_ways_when_they_are_announced_and_wanted() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n";
    let sent = [head.as_bytes(), &chunked(b"down", "x-sum: 7\r\n")].concat();
    let node = Node::before(Origin::acting(move |_| Act::Send(sent.clone())));
    let head = "POST /up HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\
                TE: trailers\r\nConnection: TE\r\nTrailer: x-up\r\n\r\n";
    let got = node.ask([head.as_bytes(), &chunked(b"up", "x-up: 1\r\n")].concat());
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!((got.text().as_str(), got.trailers), ("down", vec![field("x-sum", "7")]));
    assert_eq!(node.origin.requests()[0].trailers, [field("x-up", "1")]);
}

#[test]
fn answers_without_a_body_keep_what_their_head_says() {
    let node = Node::before(Origin::acting(|request| match request.target() {
        "/204" => Act::Send(b"HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n".to_vec()),
        "/304" => Act::Send(b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n".to_vec()),
        _ => Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nx-a: 1\r\n\r\n".to_vec()),
    }));
    let mut client = node.connect();
    client.send(get("/204"));
    let none = client.response();
    assert_eq!((none.status(), none.field("x-a")), (204, Some("1")));
    assert_eq!((none.field("content-length"), none.field("transfer-encoding")), (None, None));
    client.send(get("/304"));
    let unchanged = client.response();
    assert_eq!((unchanged.status(), unchanged.field("etag")), (304, Some("\"a\"")));
    client.send("HEAD /head HTTP/1.1\r\nHost: site.test\r\n\r\n");
    let head = client.response_to_head();
    assert_eq!((head.status(), head.field("content-length")), (200, Some("1234")));
    client.send("HEAD /again HTTP/1.1\r\nHost: site.test\r\n\r\n");
    assert_eq!(client.response_to_head().status(), 200);
    assert_eq!(node.origin.connections(), 1, "none of them costs a connection");
}

#[test]
fn an_answer_that_ends_with_its_connection_arrives_whole() {
    let body = noise(300_000);
    let sent = [b"HTTP/1.1 200 OK\r\nx-a: 1\r\n\r\n", &body[..]].concat();
    let node = Node::before(Origin::acting(move |_| Act::SendAndClose(sent.clone())));
    let got = node.ask(get("/"));
    assert_eq!((got.body == body, got.field("transfer-encoding")), (true, Some("chunked")));
    let old = node.ask("GET / HTTP/1.0\r\nHost: site.test\r\n\r\n");
    assert_eq!((old.body == body, old.field("transfer-encoding")), (true, None));
}

#[test]
fn a_continue_is_sent_when_the_body_is_wanted_and_not_before() {
    let node = Node::before(Origin::replying("taken"));
    let mut client = node.connect();
    let head =
        "POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 4\r\nExpect: 100-Continue\r\n";
    client.send(format!("{head}\r\n"));
    assert_eq!(client.any_response().status(), 100);
    client.send("body");
    assert_eq!(client.any_response().text(), "taken");
    let seen = &node.origin.requests()[0];
    assert_eq!((seen.field("expect"), seen.text().as_str()), (None, "body"));
    node.close(intermission::window::state::Mode::Page);
    client.send(format!("{head}\r\n"));
    let closed = client.any_response();
    assert_eq!((closed.status(), closed.field("connection")), (503, Some("close")));
    assert_eq!(client.rest(), b"", "the body that was not asked for is not waited for");
    assert_eq!(node.origin.requests().len(), 1);
}

#[test]
fn expectations_that_nobody_knows_are_not_met() {
    let node = Node::before(Origin::untouched());
    let head = "POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 0\r\n";
    assert_eq!(node.ask(format!("{head}Expect: 200-ok\r\n\r\n")).status(), 417);
    let twice = format!("{head}Expect: 100-continue\r\nExpect: 200-ok\r\n\r\n");
    assert_eq!(node.ask(twice).status(), 417);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let echo = |request: &Message| Act::Send(ok(request.target()));
    let node = Node::before(Origin::acting(echo));
    let mut client = node.connect();
    let targets: Vec<String> = (0..20).map(|number| format!("/{number}")).collect();
    let with_body = |(number, target): (usize, &String)| match number % 3 {
        0 => post(target, "pipelined"),
        _ => get(target),
    };
    client.send(targets.iter().enumerate().map(with_body).collect::<String>());
    for target in &targets {
        assert_eq!(&client.response().text(), target);
    }
    let seen: Vec<String> =
        node.origin.requests().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(seen, targets);
}

#[test]
fn connections_to_servers_are_used_again() {
    let node = Node::before(Origin::replying("hello"));
    for _ in 0..10 {
        assert_eq!(node.ask(get("/")).text(), "hello");
    }
    assert_eq!(node.origin.connections(), 1);
    let series = "intermission_upstream_connections_total{kind=\"reuse\"}";
    assert_eq!(node.metric(series), 9);
}

#[test]
fn a_target_in_absolute_form_is_the_same_request() {
    let node = Node::before(Origin::replying("hello"));
    let line = "GET http://Site.test/a?b=c HTTP/1.1\r\n";
    assert_eq!(node.ask(format!("{line}Host: site.test\r\n\r\n")).text(), "hello");
    let seen = &node.origin.requests()[0];
    assert_eq!((seen.target(), seen.field("host")), ("/a?b=c", Some("site.test")));
    assert_eq!(node.ask(format!("{line}Host: other.test\r\n\r\n")).text(), "hello");
    assert_eq!(node.origin.requests()[1].field("host"), Some("Site.test"), "RFC 9112 §3.2.2");
    let bare = "OPTIONS http://site.test HTTP/1.1\r\nHost: site.test\r\n\r\n";
    assert_eq!(node.ask(bare).text(), "hello");
    assert_eq!(node.origin.requests().len(), 3);
}

#[test]
fn the_target_is_forwarded_as_it_was_written_and_matched_as_it_is_meant() {
    const ROUTES: &str = "[[route]]\nname = \"admin\"\ntitle = \"Admin\"\nhosts = [\"*.test\"]\n\
                          paths = [\"/admin/*\"]\nupstream = \"app\"";
    let node = Node::start(
        Origin::replying("hello"),
        &Setup { more: ROUTES.to_owned(), ..Setup::default() },
    );
    let spellings = ["/admin/x", "/%61dmin/x", "//admin///x", "/a/../admin/./x", "/admin;a=b/x"];
    for (at, spelling) in spellings.iter().enumerate() {
        assert_eq!(node.ask(get(spelling)).text(), "hello", "{spelling}");
        assert_eq!(node.origin.requests()[at].target(), *spelling);
        assert_eq!(node.lines(at + 1)[at]["route"], "admin", "{spelling}");
    }
    node.close_scope(intermission::window::state::Mode::Page, &[], &["admin"], None);
    for spelling in spellings {
        assert_eq!(node.ask(get(spelling)).status(), 503, "{spelling}");
    }
    assert_eq!(node.ask(get("/admin?x=%2f&y=%00")).status(), 503, "a query is not looked into");
    assert_eq!(node.ask(get("/else?x=%2f&y=%00")).text(), "hello");
}

#[test]
fn targets_that_servers_read_in_different_ways_are_refused() {
    let node = Node::before(Origin::untouched());
    for target in
        ["/a%2fb", "/a%2Fb", "/a%5cb", "/a%5Cb", "/a%00b", "/%zz", "/..;/b", "/../b", "/a%0d%0ab"]
    {
        assert_eq!(node.ask(get(target)).status(), 400, "{target}");
    }
    let lenient = Setup { route: "encoded_slashes = true", ..Setup::default() };
    let node = Node::start(Origin::replying("hello"), &lenient);
    assert_eq!(node.ask(get("/a%2fb%5Cc")).text(), "hello");
    assert_eq!(node.origin.requests()[0].target(), "/a%2fb%5Cc");
    assert_eq!(node.ask(get("/a%00b")).status(), 400);
}

/// An application that sends as fast as it is let, and tells how far it came.
fn fire_hose(total: usize) -> (std::net::SocketAddr, mpsc::Receiver<usize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let (tell, told) = mpsc::sync_channel(1 << 16);
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut head = [0; 4096];
        let _ = stream.read(&mut head);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("the proxy reads");
        let piece = vec![b'x'; 1 << 16];
        for _ in 0..total / piece.len() {
            if stream.write_all(&piece).is_err() {
                return;
            }
            let _ = tell.try_send(piece.len());
        }
    });
    (address, told)
}

#[test]
fn a_client_that_reads_slowly_makes_the_application_wait_not_the_proxy_grow() {
    const TOTAL: usize = 64 << 20;
    let (server, progress) = fire_hose(TOTAL);
    let origin = Origin::untouched();
    let node = Node::start(origin, &Setup { server: Some(server), ..Setup::default() });
    let mut client = node.connect();
    client.send(get("/"));
    // The application is stuck when it has sent nothing for a second.
    let mut sent = 0;
    while let Ok(count) = progress.recv_timeout(Duration::from_secs(1)) {
        sent += count;
    }
    assert!(sent < TOTAL / 2, "{sent} of {TOTAL} bytes left the application, and nobody reads");
    let whole = client.response();
    assert_eq!((whole.status(), whole.body.len()), (200, TOTAL));
}

#[test]
fn an_application_that_reads_slowly_makes_the_client_wait_not_the_proxy_grow() {
    let stuck = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = Some(stuck.local_addr().expect("bound"));
    let route = "answer_timeout = \"2s\"";
    let node = Node::start(Origin::untouched(), &Setup { server, route, ..Setup::default() });
    let mut client = node.connect();
    client.send("POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 67108864\r\n\r\n");
    let (_stream, _) = stuck.accept().expect("the proxy connects");
    let sent = client.send_until_stuck(64 << 20);
    assert!(sent < 32 << 20, "{sent} bytes went in, and nobody reads");
    assert_eq!(client.response().status(), 504, "nor does the client wait for ever");
    assert_eq!(node.end(), "upstream/wait/timeout");
}

#[test]
fn answers_pass_in_pieces_as_they_come() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n".to_vec();
    let rest = b"6\r\nsecond\r\n0\r\n\r\n".to_vec();
    let node = Node::before(Origin::acting(move |_| Act::Hold(head.clone(), rest.clone())));
    let mut client = node.connect();
    client.send(get("/stream"));
    let mut seen = Vec::new();
    while !seen.ends_with(b"first\r\n") {
        seen.extend(client.bytes(1));
    }
    node.origin.release();
    while !seen.ends_with(b"0\r\n\r\n") {
        seen.extend(client.bytes(1));
    }
    eventually("the only line", || (node.lines(1).len() == 1).then_some(()));
}

#[test]
fn an_http_1_0_client_is_served_and_its_connection_kept_if_it_asks() {
    let node = Node::before(Origin::acting(|_| Act::Send(answer("200 OK", &[], "old"))));
    let closed = raw::exchange(node.address(), "GET / HTTP/1.0\r\nHost: site.test\r\n\r\n");
    assert_eq!(closed.text(), "old");
    let mut client = node.connect();
    for _ in 0..2 {
        client.send("GET / HTTP/1.0\r\nHost: site.test\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(client.response().text(), "old");
    }
    assert!(node.origin.requests().iter().all(|seen| seen.first_line == "GET / HTTP/1.1"));
}
