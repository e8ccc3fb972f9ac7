//! What a route changes in heads: fields, paths and hosts.

use crate::proxy::node::{Node, Setup, get};
use crate::support::http1::Message;
use crate::support::origin::{Act, Origin, answer};

fn node(route: &'static str) -> Node {
    Node::start(Origin::replying("hello"), &Setup { route, ..Setup::default() })
}

/// What the application sees of a request to this target.
fn seen(node: &Node, target: &str) -> Message {
    assert_eq!(node.ask(get(target)).text(), "hello", "{target}");
    node.origin.requests().pop().expect("a request")
}

#[test]
fn fields_of_requests_are_removed_set_and_added() {
    let route = r#"
[route.request_headers]
remove = ["x-debug", "User-Agent"]
set = { x-real-ip = "{client}", x-from = "{scheme}://{host} {route} {{}}", X-Fixed = "é" }
add = { x-seen-by = "edge" }
"#;
    let node = node(route);
    let request = "GET / HTTP/1.1\r\nHost: site.test:81\r\nX-Debug: 1\r\nX-Debug: 2\r\n\
                   User-Agent: x\r\nX-Real-IP: 6.6.6.6\r\nX-Seen-By: first\r\nX-Kept: y\r\n\r\n";
    assert_eq!(node.ask(request).text(), "hello");
    let seen = node.origin.requests().pop().expect("a request");
    assert_eq!((seen.field("x-debug"), seen.field("user-agent")), (None, None));
    assert_eq!(seen.field_values("x-real-ip"), ["127.0.0.1"]);
    assert_eq!(seen.field_values("x-from"), ["http://site.test:81 site {}"]);
    assert_eq!(seen.field_values("x-seen-by"), ["first", "edge"]);
    assert_eq!((seen.field("x-kept"), seen.field("host")), (Some("y"), Some("site.test:81")));
    assert_eq!(seen.field("x-fixed").map(str::len), Some(2));
}

#[test]
fn a_request_id_is_the_one_of_the_access_line() {
    let route = "[route.request_headers]\nset = { x-request-id = \"{request_id}\" }";
    let node = node(route);
    let ids: Vec<_> =
        (0..2).map(|_| seen(&node, "/").field("x-request-id").expect("an id").to_owned()).collect();
    let told: Vec<_> = node.lines(2).iter().map(|line| line["request"].clone()).collect();
    assert_eq!(told, ids);
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn fields_of_answers_are_removed_set_and_added_and_the_answer_is_whole() {
    let route = r#"
[route.response_headers]
remove = ["server", "x-powered-by"]
set = { x-frame-options = "DENY", x-host = "{host}" }
add = { link = "</a.css>; rel=preload" }
"#;
    let origin = Origin::acting(|_| {
        let fields = [("Server", "old"), ("X-Frame-Options", "ALLOW"), ("Link", "<b>")];
        Act::Send(answer("200 OK", &fields, "hello"))
    });
    let node = Node::start(origin, &Setup { route, ..Setup::default() });
    let got = node.ask(get("/"));
    assert_eq!((got.text().as_str(), got.field("server")), ("hello", None));
    assert_eq!(got.field_values("x-frame-options"), ["DENY"]);
    assert_eq!(got.field("x-host"), Some("site.test"));
    assert_eq!(got.field_values("link"), ["<b>", "</a.css>; rel=preload"]);
}

#[test]
fn a_prefix_is_stripped_and_the_rest_goes_up_as_it_was_sent() {
    let node = node("strip_prefix = \"/app\"");
    for (asked, wanted) in [
        ("/app", "/"),
        ("/app/", "/"),
        ("/app?a=b", "/?a=b"),
        ("/app/x/y?q=/app/", "/x/y?q=/app/"),
        ("/app/a%20b;v=1/%C3%A9", "/a%20b;v=1/%C3%A9"),
        ("/app//evil.example/x", "/evil.example/x"),
        ("/app/x//y", "/x//y"),
        // Other spellings of the same path mean the same.
        ("/%61pp/x", "/x"),
        ("/./app/x?q", "/x?q"),
        ("/app/../app/x", "/x"),
        ("/app/y/../x", "/y/../x"),
        // Not below the prefix: nothing to strip.
        ("/apple/x", "/apple/x"),
        ("/app/../x", "/app/../x"),
        ("/x/app/y", "/x/app/y"),
    ] {
        let request = seen(&node, asked);
        assert_eq!(request.target(), wanted, "{asked}");
        let stripped = wanted != asked;
        let prefix = request.field("x-forwarded-prefix");
        assert_eq!(prefix.is_some(), stripped || asked == "/app/y/../x", "{asked}");
    }
}

#[test]
fn a_prefix_is_replaced() {
    let node = node("rewrite = { from = \"/old/\", to = \"/new/er\" }");
    for (asked, wanted) in [
        ("/old", "/new/er"),
        ("/old/", "/new/er/"),
        ("/old/x?y=/old/", "/new/er/x?y=/old/"),
        ("/older", "/older"),
        ("/old/../secret", "/old/../secret"),
        ("/old/%2e%2e/old/x", "/new/er/x"),
    ] {
        assert_eq!(seen(&node, asked).target(), wanted, "{asked}");
    }
}

#[test]
fn servers_are_asked_for_a_host_of_their_own() {
    let node = node("host = \"app.internal:81\"");
    let seen = seen(&node, "/x");
    assert_eq!(seen.field_values("host"), ["app.internal:81"]);
    assert_eq!(seen.field("x-forwarded-host"), Some("site.test"));
    assert_eq!(
        node.ask("GET http://site.test/y HTTP/1.1\r\nHost: site.test\r\n\r\n").status(),
        200
    );
    let absolute = node.origin.requests().pop().expect("a request");
    assert_eq!((absolute.target(), absolute.field("host")), ("/y", Some("app.internal:81")));
}

#[test]
fn a_location_below_what_servers_know_is_one_that_visitors_can_ask_for() {
    let origin = Origin::acting(|request| {
        let to = request.field("x-to").expect("where to").to_owned();
        Act::Send(answer("302 Found", &[("Location", &to)], ""))
    });
    let route = "host = \"app.internal\"\nrewrite = { from = \"/old\", to = \"/new\" }";
    let node = Node::start(origin, &Setup { route, ..Setup::default() });
    for (told, wanted) in [
        ("/new/login?next=/new/x", "/old/login?next=/new/x"),
        ("/new", "/old"),
        ("/newer", "/newer"),
        ("/old/login", "/old/login"),
        ("http://app.internal/new/x#y", "http://site.test/old/x#y"),
        ("https://APP.internal", "http://site.test/"),
        ("http://site.test/new/x", "http://site.test/old/x"),
        ("https://other.example/new/x", "https://other.example/new/x"),
        ("//other.example/new/x", "//other.example/new/x"),
        ("login", "login"),
        ("mailto:a@b", "mailto:a@b"),
    ] {
        let got = node.ask(format!("GET /old HTTP/1.1\r\nHost: site.test\r\nX-To: {told}\r\n\r\n"));
        assert_eq!(got.field("location"), Some(wanted), "{told}");
    }
}
