//! What a request is addressed to, and what is passed on of it, byte by byte.

use intermission::window::state::Mode;

use crate::proxy::node::{Node, Setup, end_of, get};
use crate::support::http1::Message;
use crate::support::origin::Origin;

/// What the application got of a request that it answered.
fn passed(node: &Node, request: &str) -> Message {
    assert_eq!(node.ask(request).text(), "hello", "{request}");
    node.origin.requests().pop().expect("a request")
}

#[test]
fn an_absolute_target_takes_the_place_of_the_host() {
    let node = Node::before(Origin::replying("hello"));
    for (line, host, target) in [
        ("GET http://site.test/a?b HTTP/1.1", "site.test", "/a?b"),
        ("GET http://site.test HTTP/1.1", "site.test", "/"),
        ("GET http://site.test?b HTTP/1.1", "site.test", "/?b"),
        ("GET http://SITE.test:81/a HTTP/1.1", "SITE.test:81", "/a"),
        ("GET HTTP://site.test/a HTTP/1.1", "site.test", "/a"),
        ("GET http://site.test/a HTTP/1.0", "site.test", "/a"),
    ] {
        let got = passed(&node, &format!("{line}\r\nHost: other.test\r\n\r\n"));
        assert_eq!((got.field_values("host"), got.target()), (vec![host], target), "{line}");
        assert_eq!(got.field_values("x-forwarded-host"), [host]);
    }
    let got = node.ask("GET http://nowhere.example/ HTTP/1.1\r\nHost: site.test\r\n\r\n");
    assert_eq!(got.status(), 404, "the target is asked, not the host");
}

#[test]
fn a_closed_place_is_not_dodged_by_the_form_of_a_target() {
    let node = Node::before(Origin::untouched());
    node.close(Mode::Page);
    for request in [
        "GET http://site.test/a HTTP/1.1\r\nHost: nowhere.example\r\n\r\n",
        "GET http://SITE.TEST.:80/a HTTP/1.1\r\nHost: site.test\r\n\r\n",
        "get /a HTTP/1.1\r\nHost: site.test\r\n\r\n",
        "PURGE /a HTTP/1.1\r\nHost: site.test\r\n\r\n",
        "OPTIONS /a HTTP/1.1\r\nHost: site.test\r\nMax-Forwards: 0\r\n\r\n",
    ] {
        assert_eq!(node.ask(request).status(), 503, "{request}");
    }
}

#[test]
fn a_request_of_http_1_0_without_a_host_is_for_the_address_it_came_to() {
    let more = "[[route]]\nname = \"check\"\ntitle = \"Check\"\nhosts = [\"127.0.0.1\"]\n\
                paths = [\"/*\"]\nupstream = \"app\"\n";
    let setup = Setup { more: more.to_owned(), ..Setup::default() };
    let node = Node::start(Origin::replying("hello"), &setup);
    let got = passed(&node, "OPTIONS / HTTP/1.0\r\n\r\n");
    assert_eq!(got.field_values("host"), [node.address().to_string()]);
    assert_eq!(got.first_line, "OPTIONS / HTTP/1.1");
    assert_eq!(node.ask("OPTIONS / HTTP/1.1\r\n\r\n").status(), 400);
}

#[test]
fn methods_pass_as_they_are() {
    let node = Node::before(Origin::replying("hello"));
    let long = "M".repeat(300);
    for method in ["get", "Get", "PURGE", "M-SEARCH", "PROPFIND", "a!#$%&'*+.^_`|~1", &long] {
        let got = passed(&node, &format!("{method} /a HTTP/1.1\r\nHost: site.test\r\n\r\n"));
        assert_eq!(got.method(), method);
    }
}

#[test]
fn a_body_is_a_body_whatever_the_method() {
    let node = Node::before(Origin::replying("hello"));
    for method in ["GET", "DELETE", "OPTIONS", "PURGE"] {
        let head = format!("{method} /a HTTP/1.1\r\nHost: site.test\r\n");
        let got = passed(&node, &format!("{head}Content-Length: 3\r\n\r\nabc"));
        assert_eq!((got.text().as_str(), got.field("content-length")), ("abc", Some("3")));
        let got = passed(
            &node,
            &format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n3;x=\"y\r\n\
                                          abc\r\n0\r\n\r\n"
            )
            .replace("\"y", "y"),
        );
        assert_eq!(
            (got.text().as_str(), got.field_values("transfer-encoding")),
            ("abc", vec!["chunked"])
        );
        assert!(!String::from_utf8_lossy(&got.raw).contains("x=y"), "no extension passes");
    }
}

#[test]
fn a_request_that_nobody_behind_this_is_meant_by_ends_here() {
    let node = Node::before(Origin::replying("hello"));
    let options = |left: &str| {
        format!("OPTIONS /a HTTP/1.1\r\nHost: site.test\r\nMax-Forwards: {left}\r\n\r\n")
    };
    let got = node.ask(options("0"));
    assert_eq!((got.status(), got.field("content-length")), (200, Some("0")));
    assert!(got.field("allow").is_some_and(|allow| allow.contains("GET")));
    assert_eq!(node.origin.requests(), []);
    assert_eq!(passed(&node, &options("5")).field("max-forwards"), Some("4"));
    let got = passed(&node, &options("5").replace("OPTIONS", "GET"));
    assert_eq!(got.field("max-forwards"), Some("5"), "of other methods it means nothing");
}

#[test]
fn trailers_pass_and_those_that_belong_into_a_head_do_not() {
    let node = Node::before(Origin::replying("hello"));
    let names = "X-Sum, Cookie, X-Forwarded-For, Content-Length, Intermission-Resumed, X_Sum";
    let got = passed(
        &node,
        &format!(
            "POST /a HTTP/1.1\r\nHost: site.test\r\nTE: trailers\r\nTrailer: {names}\r\n\
             Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nCookie: a=b\r\n\
             X-Forwarded-For: 6.6.6.6\r\nContent-Length: 9\r\nIntermission-Resumed: 1\r\n\
             X_Sum: 2\r\n\r\n"
        ),
    );
    assert_eq!(got.trailers, [("x-sum".to_owned(), "1".to_owned())]);
    assert_eq!(
        (got.text().as_str(), got.field_values("x-forwarded-for")),
        ("abc", vec!["127.0.0.1"])
    );
}

#[test]
fn an_expectation_of_http_1_0_is_none() {
    let node = Node::before(Origin::replying("hello"));
    let head = "POST / HTTP/1.0\r\nHost: site.test\r\nExpect: 100-continue\r\nContent-Length: 3";
    let mut client = node.connect();
    client.send(format!("{head}\r\n\r\nabc"));
    assert_eq!(client.any_response().status(), 200, "no interim answer");
    node.close(Mode::Page);
    assert_eq!(node.ask(format!("{head}\r\n\r\nabc").replace("POST", "PUT")).status(), 503);
}

#[test]
fn an_empty_body_that_is_expected_asks_for_nothing() {
    let node = Node::before(Origin::replying("hello"));
    let head = "POST / HTTP/1.1\r\nHost: site.test\r\nExpect: 100-Continue\r\nContent-Length: 0";
    let mut client = node.connect();
    for _ in 0..2 {
        client.send(format!("{head}\r\n\r\n"));
        assert_eq!(client.any_response().text(), "hello");
    }
    let got = node.origin.requests().pop().expect("a request");
    assert_eq!(got.field("expect"), None);
}

#[test]
fn empty_lines_before_a_request_are_nothing() {
    let node = Node::before(Origin::replying("hello"));
    let mut client = node.connect();
    client.send(format!("\r\n{}\r\n{}", get("/a"), get("/b")));
    assert_eq!(
        (client.response().text(), client.response().text()),
        ("hello".into(), "hello".into())
    );
    let ends: Vec<_> = node.lines(2).iter().map(end_of).collect();
    assert_eq!(ends, ["done", "done"]);
}
