//! Every end code, and what leads to it.

use std::time::Duration;

use intermission::proxy::Pace;
use intermission::telemetry::end::End;
use intermission::window::plan::{Hold, Plan};
use intermission::window::state::Mode;

use super::faults::{Deaf, nowhere, routed};
use super::node::{Node, Setup, end_of, get, post};
use crate::support::origin::{Act, Origin, ok};

const SOON: Duration = Duration::from_millis(200);

/// Plays what leads to this end; gives the node where it ended so. Exhaustive: a code that nobody
/// knows how to produce does not compile.
fn play(end: End) -> Node {
    match end {
        End::Done => served(&get("/")),
        End::ClientHeadMalformed => served("GET / HTTP/1.1\r\n\r\n"),
        End::ClientHeadTooLarge => served(&get(&"/a".repeat(5_000))),
        End::ClientHeadTimeout => {
            waiting(Origin::replying("a"), pace(Pace { head: SOON, ..Pace::default() }), "GET /")
        }
        End::ClientHeadUnsupported => served("TRACE / HTTP/1.1\r\nHost: site.test\r\n\r\n"),
        End::ClientBodyMalformed => served(&upload("Transfer-Encoding: chunked", "zz\r\n")),
        End::ClientBodyAbort => {
            left(Origin::replying("a"), &upload("Content-Length: 9", "part"), 0)
        }
        End::ClientBodyTimeout => {
            let setup = pace(Pace { body: SOON, ..Pace::default() });
            waiting(Origin::replying("a"), setup, &upload("Content-Length: 9", "part"))
        }
        // One that is gone, and not merely done with sending.
        End::ClientWaitAbort => left(stalling(""), &get("/"), 0),
        End::ClientAnswerAbort => left(stalling(HALF), &get("/"), HALF.len()),
        End::ClientAnswerTimeout => {
            let flood = ok("x".repeat(32 << 20));
            let origin = Origin::acting(move |_| Act::Send(flood.clone()));
            let node = Node::start(origin, &pace(Pace { write: SOON, ..Pace::default() }));
            let mut client = node.connect();
            client.send(get("/"));
            node.lines(1);
            node
        }
        End::ProxyRouteUnknown => served("GET / HTTP/1.1\r\nHost: nowhere.example\r\n\r\n"),
        End::ProxyRouteRefused => served(&get("/a%2fb")),
        End::ProxyCaptureStore => unkept(),
        End::ProxyQueueFull => crate::upstream::queue_full(),
        End::ProxyQueueTimeout => crate::upstream::queue_timeout(),
        End::ProxyHoldFull => held(0),
        End::ProxyHoldTimeout => held(1),
        End::ProxyOverload => overloaded(),
        End::ProxyAnswerStop => stopped(),
        End::ProxyAnswerClosed => ended_by_a_window(),
        End::ProxyFault => faulty(),
        End::UpstreamConnectNone => crate::upstream::nobody(),
        End::UpstreamConnectTls => crate::upstream::no_tls(),
        End::UpstreamConnectRefused => behind(nowhere()),
        End::UpstreamConnectTimeout => behind(Deaf::start().address),
        End::UpstreamWaitReset => acting(Act::SendAndReset(Vec::new())),
        End::UpstreamWaitTimeout => {
            let node = routed(stalling(""), "answer_timeout = \"200ms\"");
            asked(node, &get("/"))
        }
        End::UpstreamWaitMalformed => acting(Act::Send(b"what?\r\n\r\n".to_vec())),
        End::UpstreamAnswerReset => acting(Act::SendAndReset(HALF.into())),
        End::UpstreamAnswerMalformed => acting(Act::Send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n".to_vec(),
        )),
        End::UpstreamAnswerTimeout => {
            let node = routed(stalling(HALF), "idle_timeout = \"200ms\"");
            asked(node, &get("/"))
        }
    }
}

#[test]
fn every_end_code_is_reachable() {
    for end in End::ALL {
        let node = play(end);
        let told = node.lines(1).pop().map(|line| end_of(&line));
        assert_eq!(told.as_deref(), Some(end.code()), "{end:?}");
        let series = format!("intermission_ends_total{{end=\"{}\"}}", end.code());
        assert!(node.metric(&series) >= 1, "{end:?} is not counted");
    }
}

const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello";

fn pace(pace: Pace) -> Setup {
    Setup { pace, ..Setup::default() }
}

fn upload(framing: &str, part: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: site.test\r\n{framing}\r\n\r\n{part}")
}

fn stalling(bytes: &'static str) -> Origin {
    Origin::acting(move |_| Act::Stall(bytes.into()))
}

/// A request that comes while so many may wait, for a moment.
fn held(most: u32) -> Node {
    let node = Node::before(Origin::untouched());
    let plan = Plan { hold: Hold { most, longest: SOON }, ..Plan::default() };
    node.close_by(Mode::Hold, plan, None);
    asked(node, &get("/"))
}

/// One request is under way, and no more may be.
fn overloaded() -> Node {
    let setup = Setup { more: "[limits]\nrequests = 1".to_owned(), ..Setup::default() };
    let node = Node::start(stalling(""), &setup);
    let mut first = node.connect();
    first.send(get("/"));
    node.origin.wait_for(1);
    let got = node.ask(get("/"));
    assert_eq!((got.status(), got.field("retry-after")), (503, Some("5")));
    node
}

/// A request that the proxy ends by itself, on a connection that stays until it does.
fn asked(node: Node, request: &str) -> Node {
    let mut client = node.connect();
    let _ = client.try_send(request);
    node.lines(1);
    drop(client);
    node
}

fn served(request: &str) -> Node {
    asked(Node::before(Origin::replying("hello")), request)
}

fn waiting(origin: Origin, setup: Setup, request: &str) -> Node {
    asked(Node::start(origin, &setup), request)
}

fn acting(act: Act) -> Node {
    asked(Node::before(Origin::acting(move |_| act.clone())), &get("/"))
}

fn behind(server: std::net::SocketAddr) -> Node {
    let upstream = "connect_timeout = \"100ms\"";
    let setup = Setup { server: Some(server), upstream, ..Setup::default() };
    asked(Node::start(Origin::untouched(), &setup), &get("/"))
}

/// A client that goes away once its request has reached the application, and it has seen this.
fn left(origin: Origin, request: &str, seen: usize) -> Node {
    let node = Node::before(origin);
    let mut client = node.connect();
    client.send(request);
    node.origin.wait_for_bytes(&request[request.len() - 4..]);
    client.bytes(seen);
    client.reset();
    node.lines(1);
    node
}

fn stopped() -> Node {
    let node = Node::before(stalling(""));
    let mut client = node.connect();
    client.send(get("/"));
    node.origin.wait_for(1);
    assert_eq!(node.stop(SOON).join().expect("it stops"), 1);
    node
}

fn form(cookie: &str) -> String {
    let body = "name=Ana";
    let length = body.len();
    format!(
        "POST /claims HTTP/1.1\r\nHost: site.test\r\nAccept: text/html\r\n{cookie}\
         Origin: http://site.test\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

/// A form that comes when the store is gone.
fn unkept() -> Node {
    let node = Node::before(Origin::untouched());
    node.close(Mode::Page);
    node.break_store();
    let got = node.ask(form(""));
    assert_eq!((got.status(), got.field("set-cookie")), (503, None));
    let state = got.field("intermission-state");
    assert_eq!(state, Some("closed;saved=?0;reason=store"), "nothing is promised");
    node
}

/// A visitor who asks for a list that cannot be read.
fn faulty() -> Node {
    let node = Node::before(Origin::untouched());
    node.close(Mode::Page);
    let kept = node.ask(form(""));
    assert_eq!(kept.status(), 303);
    let cookie = kept.field("set-cookie").and_then(|cookie| cookie.split(';').next());
    let cookie = cookie.expect("a key").to_owned();
    node.break_store();
    let list = "GET /.intermission/s HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n";
    assert_eq!(node.ask(format!("{list}Cookie: {cookie}\r\n\r\n")).status(), 503);
    node.lines(2);
    node
}

#[test]
fn a_store_that_is_gone_stops_no_traffic() {
    let node = Node::before(Origin::replying("hello"));
    node.break_store();
    assert_eq!(node.ask(get("/")).text(), "hello");
    assert_eq!(node.ask(post("/", "body")).text(), "hello");
    node.close(Mode::Page);
    assert_eq!(node.ask(get("/")).status(), 503);
    assert_eq!(node.ask(form("")).status(), 503);
    node.reopen();
    assert_eq!(node.ask(get("/")).text(), "hello");
}

/// An event stream that its window outlasted.
fn ended_by_a_window() -> Node {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    let node = Node::start(stalling(head), &pace(Pace { spread: SOON, ..Pace::default() }));
    let mut client = node.connect();
    client.send(get("/"));
    node.origin.wait_for(1);
    node.close(Mode::Page);
    node.lines(1);
    node
}
