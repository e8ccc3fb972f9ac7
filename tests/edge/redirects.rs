//! Routes that lead elsewhere, and to https.

use intermission::window::state::Mode;

use super::secure::Certificate;
use crate::proxy::node::{Node, Setup, get, post};
use crate::support::origin::{Act, Origin, answer};

const HSTS: &str = "max-age=31536000; includeSubDomains";

/// A node whose other routes lead elsewhere.
fn leading() -> Node {
    let more = r#"
[[route]]
name = "old"
hosts = ["old.test"]
paths = ["/*"]
redirect = { to = "https://www.example.com/new{path}{query}" }
[[route]]
name = "fixed"
hosts = ["fixed.test"]
paths = ["/*"]
redirect = { to = "https://www.example.com", status = 302 }
[[route]]
name = "same"
paths = ["/moved/*"]
hosts = ["site.test"]
redirect = { to = "/here{path}", status = 301 }
"#;
    Node::start(Origin::untouched(), &Setup { more: more.to_owned(), ..Setup::default() })
}

fn ask(node: &Node, host: &str, target: &str) -> (u16, String) {
    let got = node.ask(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    (got.status(), got.field("location").unwrap_or_default().to_owned())
}

#[test]
fn a_route_leads_where_it_says_and_nowhere_else() {
    let node = leading();
    let to = |status, location: &str| (status, location.to_owned());
    let base = "https://www.example.com/new";
    assert_eq!(ask(&node, "old.test", "/a%20b?c=d"), to(308, &format!("{base}/a%20b?c=d")));
    assert_eq!(ask(&node, "old.test", "/"), to(308, &format!("{base}/")));
    assert_eq!(ask(&node, "old.test:8080", "/?"), to(308, &format!("{base}/?")));
    assert_eq!(ask(&node, "fixed.test", "/x"), to(302, "https://www.example.com"));
    // What would be another site's address to a browser stays behind the fixed beginning.
    let evil = "//evil.example/moved";
    assert_eq!(ask(&node, "old.test", evil), to(308, &format!("{base}{evil}")));
    assert_eq!(
        ask(&node, "site.test", "/moved//evil.example"),
        to(301, "/here/moved//evil.example")
    );
    let got = node.ask("POST /x HTTP/1.1\r\nHost: old.test\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(got.status(), 308, "a post is led on as a post");
    let lines = node.lines(7);
    assert!(lines.iter().all(|line| line["verdict"] == "redirect" && line["end"] == "done"));
}

#[test]
fn a_window_wins_over_a_redirect() {
    let node = leading();
    node.close_scope(Mode::Page, &[], &["old"], None);
    assert_eq!(ask(&node, "old.test", "/x").0, 503);
    assert_eq!(ask(&node, "fixed.test", "/x").0, 302, "another route is open");
    node.close_scope(Mode::ReadOnly, &[], &["old"], None);
    assert_eq!(ask(&node, "old.test", "/x").0, 308, "reading passes");
    let post = "POST /x HTTP/1.1\r\nHost: old.test\r\nContent-Length: 1\r\n\r\na";
    assert_eq!(node.ask(post).status(), 503);
    node.reopen();
    assert_eq!(ask(&node, "old.test", "/x").0, 308);
}

/// A node that speaks TLS too, and leads there.
fn securing(origin: Origin, certificate: &Certificate) -> Node {
    let setup = Setup {
        listen: "https = [\"127.0.0.1:0\"]",
        route: "https_redirect = true\nhsts = \"max-age=31536000; includeSubDomains\"",
        more: certificate.section() + "[[probe]]\npath = \"/healthz\"\n",
        ..Setup::default()
    };
    Node::start(origin, &setup)
}

#[test]
fn http_is_led_to_https_and_only_there_told_to_stay() {
    let certificate = Certificate::new();
    let origin = Origin::acting(|_| {
        Act::Send(answer("200 OK", &[("Strict-Transport-Security", "max-age=1")], "hello"))
    });
    let node = securing(origin, &certificate);
    let got = node.ask(get("/a?b=c"));
    assert_eq!((got.status(), got.field("location")), (301, Some("https://site.test/a?b=c")));
    assert_eq!(got.field("strict-transport-security"), None);
    let posted = node.ask(post("/a", "x=y"));
    assert_eq!((posted.status(), posted.field("location")), (308, Some("https://site.test/a")));
    assert_eq!(node.origin.connections(), 0, "nothing went up in the clear");
    for exempt in ["/healthz", "/.well-known/acme-challenge/x"] {
        let got = node.ask(get(exempt));
        assert_eq!((got.status(), got.field("strict-transport-security")), (200, None), "{exempt}");
    }
    let got = certificate.ask(node.addresses()[1], b"", &get("/a"));
    assert_eq!(got.text(), "hello");
    assert_eq!(got.field_values("strict-transport-security"), [HSTS]);
}

#[test]
fn a_host_with_a_port_is_led_to_the_port_of_tls() {
    let certificate = Certificate::new();
    let node = securing(Origin::untouched(), &certificate);
    // Port 0 of the config is not one to lead to in earnest; that it is used shows whose it is.
    assert_eq!(ask(&node, "site.test:8080", "/x").1, "https://site.test:0/x");
}

#[test]
fn closed_pages_are_told_over_tls_alone_and_tell_to_stay() {
    let certificate = Certificate::new();
    let node = securing(Origin::untouched(), &certificate);
    node.close(Mode::Page);
    assert_eq!(node.ask(get("/a")).status(), 301);
    let probe = node.ask(get("/healthz"));
    assert_eq!((probe.status(), probe.field("strict-transport-security")), (200, None));
    for target in ["/a", "/.intermission/s/unknown"] {
        let got = certificate.ask(node.addresses()[1], b"", &get(target));
        assert!(got.status() == 503 || got.status() == 404, "{target}: {}", got.status());
        assert_eq!(got.field_values("strict-transport-security"), [HSTS], "{target}");
    }
}

#[test]
fn what_a_trusted_proxy_says_of_the_scheme_counts() {
    let setup = Setup {
        listen: "trusted = [\"127.0.0.0/8\"]",
        route: "https_redirect = true\nhsts = \"max-age=31536000; includeSubDomains\"",
        ..Setup::default()
    };
    let node = Node::start(Origin::replying("hello"), &setup);
    let by = |proto: &str| {
        let fields = format!("X-Forwarded-Proto: {proto}\r\nX-Forwarded-Host: www.test\r\n");
        node.ask(format!("GET /a HTTP/1.1\r\nHost: site.test\r\n{fields}\r\n"))
    };
    let secure = by("https");
    assert_eq!((secure.status(), secure.field("strict-transport-security")), (200, Some(HSTS)));
    let plain = by("http");
    assert_eq!((plain.status(), plain.field("location")), (301, Some("https://www.test/a")));
}
