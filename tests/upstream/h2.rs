//! HTTP/2 to servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{HeaderValue, Request, request};

use super::h2_origin::{Act, ByHand, Honest, Step};
use crate::proxy::node::{Node, Setup, get, post};
use crate::support::eventually;
use crate::support::origin::{Act as Http1Act, Origin};

/// A node in front of a server that speaks HTTP/2.
fn before(server: SocketAddr) -> Node {
    setup(server, "protocol = \"h2\"", "")
}

fn setup(server: SocketAddr, upstream: &'static str, listen: &'static str) -> Node {
    let setup = Setup {
        server: Some(server),
        upstream,
        listen,
        route: "websocket = true",
        ..Setup::default()
    };
    Node::start(Origin::untouched(), &setup)
}

fn by_path(parts: &request::Parts) -> Act {
    match parts.uri.path() {
        "/held" => Act::Hold,
        "/echo" => Act::Echo,
        _ => Act::Number,
    }
}

#[test]
fn a_request_arrives_as_http2_wants_it() {
    let server = Honest::start(100, by_path);
    let node = before(server.address);
    assert_eq!(node.ask(get("/a?b=c")).text(), "0");
    let chunked = "POST /up HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n0\r\n\r\n";
    assert_eq!(node.ask(chunked).text(), "0");
    assert_eq!(node.ask(post("/form", "a=b")).text(), "0");
    let arrived = server.take();
    let first = &arrived[0].parts;
    assert_eq!(first.uri, "http://site.test/a?b=c");
    for name in ["host", "connection", "transfer-encoding", "content-length"] {
        assert!(!first.headers.contains_key(name), "{name}");
    }
    assert_eq!(first.headers["x-forwarded-host"], "site.test");
    assert_eq!((&arrived[1].body[..], &arrived[2].body[..]), (&b"abc"[..], &b"a=b"[..]));
    assert!(!arrived[1].parts.headers.contains_key("transfer-encoding"));
    assert_eq!(arrived[2].parts.headers["content-length"], "3");
    assert_eq!(server.connections(), 1);
    let reused = node.metric("intermission_upstream_connections_total{kind=\"reuse\"}");
    assert_eq!(reused, 2, "streams of one connection");
}

#[test]
fn a_connection_carries_as_many_as_the_server_allows_and_then_there_is_another() {
    let server = Honest::start(4, by_path);
    let node = before(server.address);
    let mut clients: Vec<_> = (0..10)
        .map(|_| {
            let mut client = node.connect();
            client.send(get("/held"));
            client
        })
        .collect();
    server.wait_for(10);
    server.release();
    clients.iter_mut().for_each(|client| assert_eq!(client.response().status(), 200));
    assert_eq!(server.connections(), 3);
    assert!(server.take().iter().all(|arrived| arrived.connection < 3));
}

#[test]
fn what_the_server_did_not_look_at_is_sent_again() {
    for step in [Step::Refuse, Step::Away] {
        let server = ByHand::start(move |connection, index| match (connection, index) {
            (0, 1) => step,
            _ => Step::Answer,
        });
        let node = before(server.address);
        assert_eq!(node.ask(get("/")).status(), 200);
        // Not idempotent, but nobody has seen it.
        assert_eq!(node.ask(post("/", "")).status(), 200, "{step:?}");
        assert_eq!(server.counts().requests, 3, "{step:?}");
        assert_eq!(node.ask(get("/")).status(), 200);
        let connections = if step == Step::Away { 2 } else { 1 };
        assert_eq!(server.counts().connections, connections, "{step:?}");
    }
}

#[test]
fn what_the_server_may_have_seen_is_sent_again_only_if_it_is_idempotent() {
    let server = ByHand::start(|connection, index| match (connection % 2, index) {
        (0, 0) => Step::Close,
        _ => Step::Answer,
    });
    let node = before(server.address);
    assert_eq!(node.ask(post("/", "")).status(), 502);
    assert_eq!(server.counts().requests, 1);
    assert_eq!(node.ask(get("/")).status(), 200);
}

#[test]
fn cancelled_streams_harm_nobody_else() {
    let late = Arc::new(AtomicBool::new(true));
    let holds = Arc::clone(&late);
    let server = ByHand::start(move |_, _| match holds.load(Ordering::SeqCst) {
        true => Step::Late,
        false => Step::Answer,
    });
    let node = before(server.address);
    let mut cancelled = 0;
    while cancelled < 2_000 {
        late.store(true, Ordering::SeqCst);
        let before = server.counts().requests;
        let clients: Vec<_> = (0..50)
            .map(|_| {
                let mut client = node.connect();
                client.send(get("/"));
                client
            })
            .collect();
        server.wait("requests", |counts| counts.requests == before + 50);
        clients.into_iter().for_each(|client| client.reset());
        cancelled += 50;
        server.wait("cancellations", |counts| counts.cancelled == cancelled);
        late.store(false, Ordering::SeqCst);
        assert_eq!(node.ask(get("/")).text(), "0", "after {cancelled}");
    }
    let counts = server.counts();
    assert_eq!((counts.connections, counts.goaways), (1, 0), "{counts:?}");
}

#[test]
fn a_websocket_takes_a_connection_of_http1() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\
                     Upgrade: websocket\r\n\
                     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let origin = Origin::acting(move |_| Http1Act::Echo(switching.into()));
    let node = setup(origin.address(), "protocol = \"h2\"\nconnect_timeout = \"300ms\"", "");
    let mut client = node.connect();
    client.send(
        "GET /ws HTTP/1.1\r\nHost: site.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    assert_eq!(client.any_response().status(), 101);
    client.send("hello");
    assert_eq!(client.bytes(5), b"hello");
    let got = node.ask(get("/")).status();
    assert!(matches!(got, 502 | 504), "else the server must speak HTTP/2: {got}");
}

#[test]
fn both_sides_stream_at_once_and_trailers_pass() {
    let server = Honest::start(100, by_path);
    let node = setup(server.address, "protocol = \"h2\"", "h2c = [\"127.0.0.1:0\"]");
    let to = node.addresses()[1];
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("a runtime");
    let echo = async {
        let socket = tokio::net::TcpStream::connect(to).await.expect("a connection");
        let (send, connection) = h2::client::handshake(socket).await.expect("a handshake");
        tokio::spawn(connection);
        let mut send = send.ready().await.expect("a connection");
        let request = Request::post("http://site.test/echo").header("te", "trailers");
        let request = request.header("content-type", "application/grpc");
        let sent = send.send_request(request.body(()).expect("a request"), false);
        let (answer, mut up) = sent.expect("a stream");
        let answer = answer.await.expect("the head comes before the body has gone");
        assert_eq!(answer.status(), 200);
        let mut down = answer.into_body();
        for piece in ["one", "two", "three"] {
            up.send_data(Bytes::from(piece), false).expect("an open stream");
            let back = down.data().await.expect("a piece").expect("a piece that is whole");
            assert_eq!(back, piece);
            let _ = down.flow_control().release_capacity(back.len());
        }
        up.send_data(Bytes::new(), true).expect("an open stream");
        while let Some(piece) = down.data().await {
            assert_eq!(piece.expect("the end"), "");
        }
        let trailers = down.trailers().await.expect("trailers");
        let status = trailers.and_then(|trailers| trailers.get("grpc-status").cloned());
        assert_eq!(status, Some(HeaderValue::from_static("0")));
    };
    let within = async { tokio::time::timeout(crate::support::PATIENCE, echo).await };
    runtime.block_on(within).expect("an echo in time");
}

#[test]
fn a_server_that_goes_away_is_connected_to_again() {
    let server = Honest::start(100, by_path);
    let address = server.address;
    let node = before(address);
    assert_eq!(node.ask(get("/")).status(), 200);
    drop(server);
    eventually("a fault", || (node.ask(get("/")).status() == 502).then_some(()));
    let listener = eventually("the address", || std::net::TcpListener::bind(address).ok());
    drop(listener);
}
