//! What a request of HTTP/2 becomes on its way to a server of HTTP/1.1, and its answer on the way
//! back.

use std::time::Duration;

use http::{Method, Request};
use intermission::proxy::Pace;
use intermission::window::state::Mode;

use super::good::{Client, get, plain};
use super::wire::{DATA, END_HEADERS, END_STREAM, GET, HEADERS, Outcome, POST, Wire, block};
use super::{before, h2c, paced};
use crate::proxy::node::{Node, end_of};
use crate::support::http1::Message;
use crate::support::origin::{Act, Origin, answer, ok};

fn asked(node: &Node, request: http::request::Builder) -> Message {
    let got = Client::connect(h2c(node)).ask(plain(request));
    assert_eq!(got.status, 200, "{got:?}");
    node.origin.requests().pop().expect("a request")
}

#[test]
fn the_authority_becomes_the_host_and_the_path_stays_as_it_is() {
    let node = before(Origin::replying("hello"));
    let seen = asked(&node, get("/a%20b/../c?d=%2f").header("x-a", "b"));
    assert_eq!(seen.first_line, "GET /a%20b/../c?d=%2f HTTP/1.1");
    assert_eq!(seen.field_values("host"), ["site.test"]);
    assert_eq!(seen.field("x-a"), Some("b"));
    assert_eq!(seen.field("x-forwarded-host"), Some("site.test"));
    assert!(seen.field("forwarded").is_some_and(|value| value.contains("host=\"site.test\"")));
    let line = &node.lines(1)[0];
    assert_eq!((&line["protocol"], &line["host"]), (&"h2".into(), &"site.test".into()));
    assert_eq!((&line["path"], &line["status"]), (&"/a%20b/../c".into(), &200.into()));
}

#[test]
fn a_host_alone_is_enough_and_one_that_differs_is_refused() {
    let node = before(Origin::replying("hello"));
    let mut wire = Wire::connect(h2c(&node));
    let bare = [GET[0], GET[1], GET[3]];
    let served = |fields: &[(&'static str, &'static str)]| [&bare[..], fields].concat();
    for (stream, fields, status) in [
        (1, served(&[("host", "site.test")]), 200),
        (3, [&GET[..], &[("host", "SITE.test")]].concat(), 200),
        (5, [&GET[..], &[("host", "other.test")]].concat(), 400),
        (7, [&GET[..], &[("host", "site.test"), ("host", "site.test")]].concat(), 400),
        (9, served(&[]), 400),
        (11, served(&[(":authority", "user@site.test")]), 400),
        (13, vec![GET[0], ("scheme", "http")], 0),
        (15, vec![GET[0], (":scheme", "ftp"), GET[2], GET[3]], 400),
        (17, vec![GET[0], GET[1], GET[2], (":path", "*")], 405),
    ] {
        // Pseudo-fields come first.
        let mut fields = fields;
        fields.sort_by_key(|(name, _)| !name.starts_with(':'));
        wire.request(stream, END_STREAM, &fields);
        match wire.outcome(stream) {
            Outcome::Answered(got, _) => assert_eq!(got, status, "{fields:?}"),
            Outcome::Reset(_) => assert_eq!(status, 0, "{fields:?}"),
            other @ (Outcome::Goaway(_) | Outcome::Closed) => panic!("{other:?} for {fields:?}"),
        }
    }
    let hosts: Vec<_> =
        node.origin.requests().iter().map(|seen| seen.field_values("host").join(",")).collect();
    assert_eq!(hosts, ["site.test", "SITE.test"]);
}

#[test]
fn targets_that_are_no_paths_reach_nobody() {
    let node = before(Origin::untouched());
    let mut wire = Wire::connect(h2c(&node));
    let mut stream = 1;
    for path in ["http://site.test/", "a", "//\\", "/a b", "/%00", "?a", "/a\u{7f}"] {
        let fields = [GET[0], GET[1], GET[2], (":path", path)];
        wire.request(stream, END_STREAM, &fields);
        match wire.outcome(stream) {
            Outcome::Answered(status, _) => assert_eq!(status, 400, "{path}"),
            Outcome::Reset(code) => assert_eq!(code, 1, "{path}"),
            other @ (Outcome::Goaway(_) | Outcome::Closed) => panic!("{other:?} for {path}"),
        }
        stream += 2;
    }
    let long = format!("/{}", "a".repeat(9_000));
    wire.request(stream, END_STREAM, &[GET[0], GET[1], GET[2], (":path", &long)]);
    assert!(matches!(wire.outcome(stream), Outcome::Answered(414, _)));
}

#[test]
fn a_fragment_goes_no_further() {
    let node = before(Origin::replying("hello"));
    let mut wire = Wire::connect(h2c(&node));
    wire.request(1, END_STREAM, &[GET[0], GET[1], GET[2], (":path", "/a#/../b")]);
    drop(wire.outcome(1));
    let targets = node.origin.requests().into_iter().map(|seen| seen.target().to_owned());
    assert!(targets.into_iter().all(|target| target == "/a"), "matched and sent as one path");
}

#[test]
fn the_crumbs_of_a_cookie_are_joined() {
    let node = before(Origin::replying("hello"));
    let request = get("/").header("cookie", "a=1").header("cookie", "b=2").header("cookie", "c=3");
    assert_eq!(asked(&node, request).field_values("cookie"), ["a=1; b=2; c=3"]);
}

#[test]
fn heads_that_are_too_large_are_told_so() {
    let node = before(Origin::untouched());
    let mut client = Client::connect(h2c(&node));
    let many = (0..101).fold(get("/"), |request, at| request.header(format!("x-{at}"), "a"));
    assert_eq!(client.ask(plain(many)).status, 431);
    let large = get("/").header("x-large", "a".repeat(40_000));
    assert_eq!(client.ask(plain(large)).status, 431);
}

#[test]
fn a_body_goes_up_with_its_length_or_in_chunks() {
    let node = before(Origin::replying("hello"));
    let mut client = Client::connect(h2c(&node));
    let post = || get("/form").method(Method::POST);
    client.post(plain(post().header("content-length", "5")), b"hello");
    client.post(plain(post()), b"hello");
    let [with, without] = &node.origin.requests()[..] else { panic!("two requests") };
    assert_eq!((with.field("content-length"), with.text().as_str()), (Some("5"), "hello"));
    assert_eq!(with.field("transfer-encoding"), None);
    assert_eq!(without.field("transfer-encoding"), Some("chunked"));
    assert_eq!((without.field("content-length"), without.text().as_str()), (None, "hello"));
    assert_eq!(node.lines(2)[0]["bytes_in"], 5);
}

#[test]
fn a_large_body_goes_up_and_comes_back_whole() {
    let node = before(Origin::acting(|request| Act::Send(ok(&request.body))));
    let mut client = Client::connect(h2c(&node));
    let large: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    let got = client.post(plain(get("/").method(Method::POST)), &large);
    assert!(got.body == large, "{} bytes came back", got.body.len());
    assert_eq!(got.field("content-length"), Some("3000000"));
}

#[test]
fn answers_lose_what_belongs_to_http1() {
    let fields = [
        ("Connection", "x-hop"),
        ("X-Hop", "a"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "close"),
        ("X-Kept", "b"),
    ];
    let node = before(Origin::acting(move |_| Act::Send(answer("200 OK", &fields, "hello"))));
    let got = Client::connect(h2c(&node)).ask(plain(get("/")));
    for name in ["connection", "x-hop", "keep-alive", "proxy-connection", "transfer-encoding"] {
        assert_eq!(got.field(name), None, "{name}");
    }
    assert_eq!((got.field("x-kept"), got.field("content-length")), (Some("b"), Some("5")));
    assert!(got.field("date").is_some_and(|date| date.ends_with(" GMT")));
}

#[test]
fn answers_without_a_body_have_none() {
    let node = before(Origin::acting(|request| match request.target() {
        "/204" => Act::Send(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        "/304" => Act::Send(b"HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n".to_vec()),
        _ => Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n".to_vec()),
    }));
    let mut client = Client::connect(h2c(&node));
    for (target, method, status, length) in [
        ("/204", Method::GET, 204, None),
        ("/304", Method::GET, 304, Some("7")),
        ("/", Method::HEAD, 200, Some("7")),
    ] {
        let got = client.ask(plain(get(target).method(method)));
        assert_eq!((got.status.as_u16(), got.field("content-length")), (status, length));
        assert_eq!(got.text(), "");
    }
    node.close(Mode::Page);
    let page = client.ask(plain(get("/")));
    let head = client.ask(plain(get("/").method(Method::HEAD)));
    assert_eq!((page.status.as_u16(), head.status.as_u16()), (503, 503));
    assert_eq!(head.text(), "");
    assert_eq!(head.field("content-length"), Some(page.body.len().to_string().as_str()));
    assert!(node.lines(5).iter().all(|line| line["end"] == "done"));
}

#[test]
fn trailers_pass_both_ways() {
    let node = before(Origin::acting(|_| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n";
        Act::Send([head, "2\r\nab\r\n0\r\nx-sum: 7\r\n\r\n"].concat().into())
    }));
    let mut client = Client::connect(h2c(&node));
    let mut call = client.begin(
        plain(get("/").method(Method::POST).header("te", "trailers").header("trailer", "x-up")),
        false,
    );
    client.send(&mut call, b"body", false);
    let trailers = [("x-up".parse().expect("a name"), "8".parse().expect("a value"))];
    call.body.send_trailers(trailers.into_iter().collect()).expect("a stream");
    let got = client.finish(call).expect("an answer");
    assert_eq!((got.text().as_str(), got.status.as_u16()), ("ab", 200));
    assert_eq!(got.trailers.expect("trailers")["x-sum"], "7");
    let seen = &node.origin.requests()[0];
    assert_eq!(seen.trailers, [("x-up".to_owned(), "8".to_owned())]);
}

#[test]
fn an_answer_that_breaks_off_never_looks_whole() {
    for (head, target) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello", "/length"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "/chunks"),
    ] {
        let node = before(Origin::acting(move |_| Act::SendAndReset(head.into())));
        let mut client = Client::connect(h2c(&node));
        let call = client.begin(plain(get(target)), true);
        let error = client.finish(call).expect_err("it is not whole");
        assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR), "{target}");
        assert_eq!(node.end(), "upstream/answer/reset");
        assert_eq!(client.ask(plain(get("/.intermission/v1/state"))).status, 200, "it goes on");
    }
}

#[test]
fn a_client_that_waits_is_told_to_continue_only_when_the_body_is_wanted() {
    let node = before(Origin::replying("hello"));
    let expecting = [&POST[..], &[("expect", "100-continue"), ("content-length", "4")]].concat();
    let mut wire = Wire::connect(h2c(&node));
    wire.request(1, 0, &expecting);
    let interim = wire.news().expect("an interim answer");
    assert_eq!((interim.kind, interim.flags), (HEADERS, END_HEADERS));
    wire.frame(DATA, END_STREAM, 1, "body");
    assert_eq!(wire.outcome(1), Outcome::Answered(200, b"hello".to_vec()));
    let seen = &node.origin.requests()[0];
    assert_eq!((seen.field("expect"), seen.text().as_str()), (None, "body"));
    node.close(Mode::Page);
    wire.request(3, 0, &expecting);
    let head = wire.news().expect("an answer");
    assert_eq!((head.kind, head.stream), (HEADERS, 3));
    assert!(matches!(wire.outcome(3), Outcome::Answered(_, body) if !body.is_empty()));
    wire.request(5, END_STREAM, &[&GET[..], &[("expect", "a miracle")]].concat());
    assert!(matches!(wire.outcome(5), Outcome::Answered(417, _)));
}

#[test]
fn an_answer_of_ours_does_not_wait_for_a_body_for_ever_and_costs_only_its_stream() {
    let node = before(Origin::untouched());
    node.close(Mode::Page);
    let mut wire = Wire::connect(h2c(&node));
    wire.request(1, 0, &POST);
    assert!(matches!(wire.outcome(1), Outcome::Answered(503, _)));
    let reset = wire.news().expect("a reset");
    assert_eq!((reset.stream, reset.code()), (1, 0), "NO_ERROR: the rest is not wanted");
    wire.frame(DATA, END_STREAM, 1, "late");
    wire.request(3, END_STREAM, &GET);
    assert!(matches!(wire.outcome(3), Outcome::Answered(503, _)));
    assert!(wire.is_alive());
}

#[test]
fn a_client_that_resets_a_stream_is_told_of_and_its_server_let_go() {
    let node = before(Origin::acting(|request| match request.target() {
        "/held" => Act::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello".to_vec()),
        "/silent" => Act::Stall(Vec::new()),
        _ => Act::Send(ok("hello")),
    }));
    let mut wire = Wire::connect(h2c(&node));
    let mut at = |stream: u32, path: &str| {
        wire.request(stream, END_STREAM, &[GET[0], GET[1], GET[2], (":path", path)]);
        node.origin.wait_for((stream as usize).div_ceil(2));
        if path == "/held" {
            while wire.news().expect("its beginning").kind != DATA {}
        }
        wire.frame(3, 0, stream, 8_u32.to_be_bytes());
    };
    at(1, "/silent");
    at(3, "/held");
    let ends: Vec<_> = node.lines(2).iter().map(end_of).collect();
    assert_eq!(ends, ["client/wait/abort", "client/answer/abort"]);
    wire.request(5, END_STREAM, &GET);
    assert_eq!(wire.outcome(5), Outcome::Answered(200, b"hello".to_vec()));
    assert_eq!(node.metric("intermission_h2_resets_total{direction=\"in\"}"), 2);
}

#[test]
fn a_body_that_does_not_go_on_costs_its_stream_alone() {
    let pace = Pace { body: Duration::from_millis(300), ..Pace::default() };
    let node = paced(Origin::replying("hello"), pace);
    let mut wire = Wire::connect(h2c(&node));
    wire.request(1, 0, &POST);
    wire.frame(DATA, 0, 1, "a part");
    assert!(matches!(wire.outcome(1), Outcome::Answered(408, _)));
    assert_eq!(node.end(), "client/body/timeout");
    wire.request(3, END_STREAM, &GET);
    assert!(matches!(wire.outcome(3), Outcome::Answered(200, _)));
}

#[test]
fn streams_of_one_connection_do_not_wait_for_each_other() {
    let node = before(Origin::acting(|request| match request.target() {
        "/held" => Act::Hold(Vec::new(), ok("finished")),
        _ => Act::Send(ok("hello")),
    }));
    let mut client = Client::connect(h2c(&node));
    let held = client.begin(plain(get("/held")), true);
    client.until(|| node.origin.requests().len() == 1);
    for _ in 0..50 {
        assert_eq!(client.ask(plain(get("/"))).text(), "hello");
    }
    node.origin.release();
    assert_eq!(client.finish(held).expect("an answer").text(), "finished");
}

#[test]
fn connect_and_what_is_not_spoken_here_are_refused() {
    let node = before(Origin::untouched());
    let mut wire = Wire::connect(h2c(&node));
    let connect = [(":method", "CONNECT"), (":authority", "site.test:443")];
    wire.request(1, 0, &connect);
    assert!(matches!(wire.outcome(1), Outcome::Answered(405, _)));
    wire.request(3, 0, &[&connect[..], &[(":scheme", "http"), (":path", "/")]].concat());
    assert_eq!(wire.outcome(3), Outcome::Reset(1), "CONNECT has no path");
    let extended = [
        (":method", "CONNECT"),
        (":protocol", "connect-udp"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "site.test"),
    ];
    wire.request(5, 0, &extended);
    assert!(matches!(wire.outcome(5), Outcome::Answered(501, _)));
    wire.request(7, END_STREAM, &[]);
    assert_eq!(wire.outcome(7), Outcome::Reset(1));
    assert!(wire.is_alive());
}

#[test]
fn http1_is_served_on_the_same_listener() {
    let node = before(Origin::replying("hello"));
    let mut raw = crate::support::raw::Raw::connect(h2c(&node));
    raw.send("POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(raw.response().text(), "hello");
    raw.send("GET / HTTP/1.1\r\nHost: site.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n");
    assert_eq!(raw.response().status(), 200, "there is no upgrade to HTTP/2");
    let seen = &node.origin.requests()[1];
    assert_eq!((seen.field("upgrade"), seen.field("http2-settings")), (None, None));
    assert_eq!(node.lines(2)[1]["protocol"], "h1");
}

#[test]
fn a_listener_of_http1_takes_no_preface() {
    let node = before(Origin::untouched());
    let mut raw = crate::support::raw::Raw::connect(node.address());
    raw.send(super::wire::PREFACE);
    assert_eq!(raw.response().status(), 505);
}

#[test]
fn a_form_is_captured_over_http2_too() {
    let node = before(Origin::untouched());
    node.close(Mode::Page);
    let mut client = Client::connect(h2c(&node));
    let form = get("/claims").method(Method::POST).header("accept", "text/html");
    let form = form.header("origin", "http://site.test").header("sec-fetch-site", "same-origin");
    let form = form.header("sec-fetch-mode", "navigate");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let got = client.post(plain(form), b"name=Ana");
    assert_eq!(got.status, 303, "{got:?}");
    let cookie = got.field("set-cookie").and_then(|cookie| cookie.split(';').next());
    let cookie = cookie.expect("a key").to_owned();
    let receipt = got.field("location").expect("a receipt").to_owned();
    // A browser sends each pair by itself.
    let shown = Request::builder().uri(format!("http://site.test{receipt}"));
    let shown = client.ask(plain(shown.header("cookie", "a=1").header("cookie", cookie)));
    assert_eq!(shown.status, 200);
    assert!(shown.text().contains("Ana"));
}

#[test]
fn blocks_of_fields_may_come_in_pieces() {
    let node = before(Origin::replying("hello"));
    let mut wire = Wire::connect(h2c(&node));
    let block = block(&GET);
    let (first, rest) = block.split_at(1);
    wire.frame(HEADERS, END_STREAM, 1, first);
    for (at, byte) in rest.iter().enumerate().take(3) {
        wire.frame(9, 0, 1, [*byte]);
        assert!(at < 3);
    }
    wire.frame(9, END_HEADERS, 1, &rest[3..]);
    assert_eq!(wire.outcome(1), Outcome::Answered(200, b"hello".to_vec()));
}
