//! Heads and bodies that two parsers could read in two ways.

use std::time::Duration;

use bytes::Bytes;
use intermission::proxy::Pace;
use intermission::window::state::Mode;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::node::{Node, Setup, end_of, get, post};
use crate::support::http1::{self, Progress, Side};
use crate::support::origin::Origin;

/// A request, the status it is answered with, and its end.
type Row = (&'static str, String, u16, &'static str);

const MALFORMED: &str = "client/head/malformed";
const TOO_LARGE: &str = "client/head/too_large";
const UNSUPPORTED: &str = "client/head/unsupported";

/// A request line and these fields.
fn fields(fields: &str) -> String {
    format!("POST /x HTTP/1.1\r\nHost: site.test\r\n{fields}\r\n\r\n")
}

fn host(lines: &str) -> String {
    format!("GET /x HTTP/1.1\r\n{lines}A: b\r\n\r\n")
}

fn line(line: &str) -> String {
    format!("{line}\r\nHost: site.test\r\n\r\n")
}

fn framing() -> Vec<Row> {
    let chunks = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: site.test\r\n\r\n";
    let both = |first: &str, second: &str| fields(&format!("{first}\r\n{second}")) + chunks;
    let (length, coding) = ("Content-Length: 5", "Transfer-Encoding: chunked");
    let row = |name, request| (name, request, 400, MALFORMED);
    vec![
        row("length and encoding", both(length, coding)),
        row("encoding and length", both(coding, length)),
        row("two lengths", both(length, "Content-Length: 6")),
        row("the same length twice", both(length, length)),
        row("a list of lengths", fields("Content-Length: 5, 5")),
        row("a negative length", fields("Content-Length: -5")),
        row("a length with a sign", fields("Content-Length: +5")),
        row("a length in hexadecimal", fields("Content-Length: 0x5")),
        row("a length with a blank in it", fields("Content-Length: 1 0")),
        row("an empty length", fields("Content-Length:")),
        row("a length beyond all numbers", fields("Content-Length: 99999999999999999999")),
        row("another encoding", fields("Transfer-Encoding: gzip") + chunks),
        row("an encoding before chunked", fields("Transfer-Encoding: gzip, chunked") + chunks),
        row("chunked twice", both(coding, coding)),
        row("chunked and identity", both(coding, "Transfer-Encoding: identity")),
        row("chunked in quotes", fields("Transfer-Encoding: \"chunked\"") + chunks),
        row("chunked with a parameter", fields("Transfer-Encoding: chunked;a=b") + chunks),
        row("chunked behind a vertical tab", fields("Transfer-Encoding: \x0bchunked") + chunks),
        row("an encoding of HTTP/1.0", fields(coding).replace("/1.1", "/1.0") + chunks),
        row("a length that is taken away", both(length, "Connection: content-length")),
        row("an encoding that is taken away", both(coding, "Connection: transfer-encoding")),
        row("a host that is taken away", fields("Connection: close, Host\r\nContent-Length: 0")),
        row("a cookie that is taken away", fields("Connection: cookie\r\nContent-Length: 0")),
        row("an address that is taken away", fields("Connection: X-Forwarded-For\r\nA: b")),
    ]
}

fn lines() -> Vec<Row> {
    let row = |name, request: &str| (name, request.to_owned(), 400, MALFORMED);
    let version = |name, request: &str| (name, request.to_owned(), 505, UNSUPPORTED);
    vec![
        row("a bare LF after the request line", "GET / HTTP/1.1\nHost: site.test\r\n\r\n"),
        row("a bare LF after a field", "GET / HTTP/1.1\r\nHost: site.test\nA: b\r\n\r\n"),
        row("a bare LF at the end", "GET / HTTP/1.1\r\nHost: site.test\r\n\n"),
        row("a bare CR in a field", "GET / HTTP/1.1\r\nHost: site.test\r\nA: b\rC: d\r\n\r\n"),
        row("a bare CR in the line", "GET /\r HTTP/1.1\r\nHost: site.test\r\n\r\n"),
        row("a folded field", "GET / HTTP/1.1\r\nHost: site.test\r\nA: b\r\n c\r\n\r\n"),
        row("a folded first field", "GET / HTTP/1.1\r\n A: b\r\nHost: site.test\r\n\r\n"),
        row("a folded length", &fields("Content-Length:\r\n 5")),
        row("NUL in a value", &fields("A: b\0c")),
        row("NUL in a name", &fields("A\0: b")),
        row("NUL in the target", &line("GET /\0 HTTP/1.1")),
        row("a control character in a value", &fields("A: b\x01c")),
        row("a blank before the colon", &fields("Content-Length : 5")),
        row("a tab before the colon", &fields("Transfer-Encoding\t: chunked")),
        row("a field without a colon", &fields("A")),
        row("a field without a name", &fields(": b")),
        row("two blanks in the line", &line("GET  / HTTP/1.1")),
        row("a fragment in the target", &line("GET /a#b HTTP/1.1")),
        row("a target beyond ASCII", &line("GET /\u{e4} HTTP/1.1")),
        row("a query beyond ASCII", &line("GET /?\u{e4} HTTP/1.1")),
        row("a blank in the target", &line("GET /a b HTTP/1.1")),
        row("a blank before the method", &line(" GET / HTTP/1.1")),
        row("a method that is no token", &line("G(T / HTTP/1.1")),
        row("HTTP/0.9", "GET /\r\n\r\n"),
        version("HTTP/1.2", &line("GET / HTTP/1.2")),
        version("HTTP/2.0", &line("GET / HTTP/2.0")),
        row("http/1.1", &line("GET / http/1.1")),
        row("no version", &line("GET /")),
        version("an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        row("a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n"),
        row("a text", "hello, is anybody there?\r\n\r\n"),
    ]
}

fn hosts() -> Vec<Row> {
    let row = |name, request| (name, request, 400, MALFORMED);
    vec![
        row("no host", host("")),
        row("two hosts", host("Host: site.test\r\nHost: other.test\r\n")),
        row("the same host twice", host("Host: site.test\r\nhost: site.test\r\n")),
        row("an empty host", host("Host:\r\n")),
        row("a port alone", host("Host: :80\r\n")),
        row("a port that is none", host("Host: site.test:99999\r\n")),
        row("a host with a name before it", host("Host: evil@site.test\r\n")),
        row("a host with a path", host("Host: site.test/evil\r\n")),
        row("a host with a query", host("Host: site.test?evil\r\n")),
        row("a host with a fragment", host("Host: site.test#evil\r\n")),
        row("a list of hosts", host("Host: site.test, evil.test\r\n")),
        row("hosts with a blank between", host("Host: site.test evil.test\r\n")),
        row("a host with a percent sign", host("Host: site%2etest\r\n")),
        row("a host with an empty label", host("Host: site..test\r\n")),
        row("a host beyond ASCII", host("Host: s\u{ef}te.test\r\n")),
        row("HTTP/1.0 with two hosts", line("GET / HTTP/1.0\r\nHost: a.test")),
        row("a target of no scheme that is known", line("GET ftp://site.test/ HTTP/1.1")),
        row("a target of another host, and no host", host("").replace("/x", "http://site.test/")),
        row("a target of another host, and a bad one", {
            line("GET http://site.test/ HTTP/1.1").replace("Host: site", "Host: a b")
        }),
        row("a target with a name", line("GET http://a@site.test/ HTTP/1.1")),
    ]
}

fn sizes_and_methods() -> Vec<Row> {
    let many: String = (0..101).map(|number| format!("X-{number}: a\r\n")).collect();
    let target = format!("GET /{} HTTP/1.1", "a".repeat(8 * 1024));
    let value = "a".repeat(33 * 1024);
    vec![
        ("too many fields", fields(many.trim_end()), 431, TOO_LARGE),
        ("too large a field", fields(&format!("A: {value}")), 431, TOO_LARGE),
        ("too long a request line", line(&format!("GET /{value} HTTP/1.1")), 431, TOO_LARGE),
        ("too long a target", line(&target), 414, TOO_LARGE),
        ("CONNECT", line("CONNECT site.test HTTP/1.1"), 405, UNSUPPORTED),
        ("CONNECT to a path", line("CONNECT /x HTTP/1.1"), 405, UNSUPPORTED),
        ("TRACE", line("TRACE / HTTP/1.1\r\nConnection: close"), 405, UNSUPPORTED),
        ("a star", line("OPTIONS * HTTP/1.1"), 405, UNSUPPORTED),
        ("a star that is no OPTIONS", line("GET * HTTP/1.1"), 405, UNSUPPORTED),
        ("a relative target", line("GET x HTTP/1.1"), 400, MALFORMED),
        (
            "a secured target in the clear",
            line("GET https://site.test/ HTTP/1.1"),
            421,
            UNSUPPORTED,
        ),
        ("another expectation", fields("Expect: cake\r\nContent-Length: 0"), 417, UNSUPPORTED),
    ]
}

#[test]
fn heads_in_doubt_are_refused_and_nothing_of_them_reaches_the_application() {
    let node = Node::before(Origin::replying("hello"));
    let rows = [framing(), lines(), hosts(), sizes_and_methods()].concat();
    let mut answered = Vec::new();
    for (name, request, ..) in &rows {
        let before = node.origin.wire();
        let mut client = node.connect();
        // A refused client may be cut off while it still sends.
        let _ = client.try_send(request);
        answered.push(statuses(&client.rest()));
        assert_eq!(node.origin.wire(), before, "{name}: reached the application");
        assert_eq!(node.ask(get("/good")).text(), "hello", "{name}: nobody is served any more");
    }
    // Every second line is of a good request.
    let lines = node.lines(2 * rows.len());
    let told = lines.iter().step_by(2).map(end_of);
    let wrong = rows.iter().zip(answered).zip(told).filter_map(|((row, answers), told)| {
        let (name, _, status, end) = row;
        let right = answers == [*status] && told == *end;
        (!right).then(|| format!("{name}: answered {answers:?}, ended {told}; not {status} {end}"))
    });
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<String>::new());
}

/// The statuses of the answers on a connection; fails if they are no answers.
#[track_caller]
fn statuses(mut said: &[u8]) -> Vec<u16> {
    let mut statuses = Vec::new();
    while !said.is_empty() {
        match http1::read(said, Side::Response) {
            Progress::Whole(answer, length) => {
                statuses.push(answer.status());
                said = &said[length..];
            }
            other @ (Progress::Partial | Progress::UntilClose(_) | Progress::Broken(_)) => {
                panic!("{other:?} in {:?}", String::from_utf8_lossy(said))
            }
        }
    }
    statuses
}

#[test]
fn bodies_in_doubt_are_refused_and_never_whole_for_the_application() {
    let node = Node::before(Origin::replying("hello"));
    let bodies = [
        "3 \r\nabc\r\n0\r\n\r\n",
        "3\t;a\r\nabc\r\n0\r\n\r\n",
        "3;\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3;a\nabc\r\n0\r\n\r\n",
        "3;a\rb\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nab\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "\r\nabc\r\n0\r\n\r\n",
        "g\r\nabc\r\n0\r\n\r\n",
        "10000000000000003\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\n\n",
        "3\r\nabc\r\n0\r\n folded: a\r\n\r\n",
        "3\r\nabc\r\n0\r\nA: b\nC: d\r\n\r\n",
    ];
    let long = format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(300));
    let trailers = format!("3\r\nabc\r\n0\r\nA: {}\r\n\r\n", "x".repeat(9_000));
    let bodies: Vec<_> = bodies.into_iter().chain([long.as_str(), trailers.as_str()]).collect();
    let mut answered = Vec::new();
    for body in &bodies {
        let before = node.origin.requests().len();
        let mut client = node.connect();
        let _ = client.try_send(fields("Transfer-Encoding: chunked") + body + &get("/smuggled"));
        answered.push(statuses(&client.rest()));
        assert_eq!(node.origin.requests().len(), before, "{body:?} reached the application");
        assert_eq!(node.ask(get("/good")).text(), "hello");
    }
    let lines = node.lines(2 * bodies.len());
    let told = lines.iter().step_by(2).map(end_of);
    let wrong = bodies.iter().zip(answered).zip(told).filter_map(|((body, answers), told)| {
        let right = answers == [400] && told == "client/body/malformed";
        (!right).then(|| format!("{body:.40?}: answered {answers:?}, ended {told}"))
    });
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_request_in_the_body_of_a_request_that_we_answer_is_a_body() {
    let node = Node::before(Origin::untouched());
    let hidden = get("/hidden");
    let (length, size) = (hidden.len(), format!("{:x}", hidden.len()));
    let with_length = format!("Content-Length: {length}\r\n\r\n{hidden}");
    let in_chunks = format!("Transfer-Encoding: chunked\r\n\r\n{size}\r\n{hidden}\r\n0\r\n\r\n");
    node.close(Mode::Page);
    for (host, status) in [("site.test", 503), ("nowhere.example", 404)] {
        for body in [&with_length, &in_chunks] {
            let mut client = node.connect();
            let request = format!("PUT /x HTTP/1.1\r\nHost: {host}\r\n{body}");
            let last = format!("GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            // Twice, so that the end of the body is where it should be.
            client.send(format!("{request}{request}{last}"));
            assert_eq!(statuses(&client.rest()), [status; 3], "{request}");
        }
    }
    let targets: Vec<_> = node.lines(12).iter().map(|line| line["path"].clone()).collect();
    assert_eq!(targets, vec!["/x"; 12], "nobody asked for /hidden");
}

#[test]
fn a_request_behind_a_refused_one_is_never_served() {
    let node = Node::before(Origin::untouched());
    for (_, request, status, _) in framing() {
        let mut client = node.connect();
        let _ = client.try_send(request + &get("/smuggled"));
        assert_eq!(statuses(&client.rest()), [status]);
    }
}

#[test]
fn what_came_before_a_head_in_doubt_is_answered_first() {
    let node = Node::before(Origin::replying("hello"));
    for (name, request, status, _) in [framing(), lines()].concat() {
        let mut client = node.connect();
        let _ = client.try_send(get("/first") + &post("/second", "body") + &request);
        assert_eq!(statuses(&client.rest()), [200, 200, status], "{name}");
    }
}

#[test]
fn a_body_that_is_too_long_to_be_taken_costs_the_connection_and_nothing_of_it_is_a_request() {
    let node = Node::before(Origin::untouched());
    node.close(Mode::Page);
    let hidden = get("/hidden").repeat(20_000);
    let mut client = node.connect();
    let length = hidden.len();
    let head = format!("PUT /x HTTP/1.1\r\nHost: site.test\r\nContent-Length: {length}\r\n\r\n");
    let _ = client.try_send(head + &hidden);
    let said = client.rest();
    assert!(said.starts_with(b"HTTP/1.1 503 "), "{:?}", String::from_utf8_lossy(&said));
    assert_eq!(node.lines(1).len(), 1);
}

/// A valid request, or two.
fn valid() -> impl Strategy<Value = Vec<u8>> {
    let chunked = fields("Transfer-Encoding: chunked") + "3;a=b\r\nabc\r\n0\r\nT: u\r\n\r\n";
    let two = get("/one") + &post("/two", "GET /x HTTP/1.1\r\nHost: site.test\r\n\r\n");
    let websocket = fields("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0");
    let all = [get("/a?b=c"), post("/p", "hello"), chunked, two, websocket];
    prop::sample::select(all.map(String::into_bytes).to_vec())
}

/// What a mutation puts in.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<&[u8]> = vec![
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b",",
        b";",
        b"0",
        b"5",
        b"\r\n\r\n",
        b"\r\nTransfer-Encoding: chunked",
        b"\r\nContent-Length: 5",
        b"\r\nHost: a.test",
        b"\r\n ",
        b"HTTP/1.0",
        b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\n",
        b"0\r\n\r\n",
    ];
    let known = known.into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>();
    prop_oneof![prop::sample::select(known), prop::collection::vec(any::<u8>(), 1..3)]
}

/// How many requests an honest reader finds in these bytes, if it stops at the first fault.
fn honest(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    // RFC 9112 §2.2: an empty line before a request is to be ignored.
    while let Some(after) = bytes.strip_prefix(b"\r\n") {
        bytes = after;
    }
    while let Progress::Whole(_, length) = http1::read(bytes, Side::Request) {
        bytes = &bytes[length..];
        while let Some(after) = bytes.strip_prefix(b"\r\n") {
            bytes = after;
        }
        count += 1;
    }
    count
}

#[test]
fn no_mutation_of_a_request_stops_the_worker_or_becomes_more_requests_than_it_is() {
    let soon = Duration::from_millis(300);
    let pace = Pace { head: soon, keep_alive: soon, body: soon, ..Pace::default() };
    let setup = Setup { pace, ..Setup::default() };
    let node = Node::start(Origin::replying("hello"), &setup);
    let change = (any::<prop::sample::Index>(), 0..4_usize, prop::option::of(piece()));
    let mutation = (valid(), prop::collection::vec(change, 1..4)).prop_map(mutate);
    let config =
        ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() };
    // Many at once, since each one that is left unfinished is waited for.
    let run = TestRunner::new(config).run(&prop::collection::vec(mutation, 20), |mutations| {
        let before = node.origin.requests().len();
        let sent = mutations.iter().map(|bytes| {
            let mut client = node.connect();
            let _ = client.try_send(bytes);
            (bytes, client)
        });
        let sent: Vec<_> = sent.collect();
        let mut most = 0;
        for (bytes, mut client) in sent {
            let said = client.rest();
            let answers = String::from_utf8_lossy(&said).matches("HTTP/1.1 ").count();
            let honest = honest(bytes);
            prop_assert!(answers <= honest + 1, "{} answers to {:?}", answers, bytes);
            most += honest;
        }
        let reached = node.origin.requests().len() - before;
        prop_assert!(reached <= most, "{} requests came out of {}", reached, most);
        prop_assert_eq!(node.ask(get("/good")).text(), "hello");
        Ok(())
    });
    run.unwrap_or_else(|fault| panic!("{fault}"));
}

fn mutate((mut bytes, changes): (Vec<u8>, Vec<Change>)) -> Bytes {
    for (at, removed, put) in changes {
        let at = at.index(bytes.len() + 1);
        let end = (at + removed).min(bytes.len());
        bytes.splice(at..end, put.unwrap_or_default());
    }
    Bytes::from(bytes)
}

/// Where, how many bytes go, and what comes.
type Change = (prop::sample::Index, usize, Option<Vec<u8>>);
