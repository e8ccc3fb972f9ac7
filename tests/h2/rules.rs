//! What a route changes in heads and bodies, of requests of HTTP/2.

use http::{Method, StatusCode};

use super::good::{Client, get, plain};
use super::{h2c, routed};
use crate::proxy::node::{Node, Setup};
use crate::support::origin::{Act, Origin, answer};

#[test]
fn paths_hosts_and_fields_are_changed_as_those_of_http_1() {
    let route = "strip_prefix = \"/app\"\nhost = \"app.internal\"\n\
                 [route.request_headers]\nset = { x-from = \"{scheme}://{host} {client}\" }\n\
                 [route.response_headers]\nset = { x-host = \"{host}\" }\nremove = [\"server\"]";
    let origin = Origin::acting(|_| {
        let fields = [("Server", "x"), ("Location", "http://app.internal/in")];
        Act::Send(answer("201 Created", &fields, "made"))
    });
    let node = routed(origin, route);
    let got = Client::connect(h2c(&node)).ask(plain(get("/app//x/y?z=/app")));
    assert_eq!((got.status, got.text().as_str()), (StatusCode::CREATED, "made"));
    assert_eq!((got.field("server"), got.field("x-host")), (None, Some("site.test")));
    assert_eq!(got.field("location"), Some("http://site.test/app/in"));
    let seen = node.origin.requests().pop().expect("a request");
    assert_eq!((seen.target(), seen.field("host")), ("/x/y?z=/app", Some("app.internal")));
    assert_eq!(seen.field("x-forwarded-host"), Some("site.test"));
    assert_eq!(seen.field("x-from"), Some("http://site.test 127.0.0.1"));
}

#[test]
fn a_route_that_leads_elsewhere_does_so_on_every_stream() {
    let listen = "h2c = [\"127.0.0.1:0\"]\ntrusted = [\"192.0.2.0/24\"]";
    let setup = Setup { listen, route: "https_redirect = true", ..Setup::default() };
    let node = Node::start(Origin::untouched(), &setup);
    let mut client = Client::connect(h2c(&node));
    for (method, status) in [(Method::GET, 301), (Method::HEAD, 301), (Method::DELETE, 308)] {
        let got = client.ask(plain(get("/a?b=c").method(method.clone())));
        assert_eq!((got.status.as_u16(), got.text().len()), (status, 0), "{method}");
        assert_eq!(got.field("location"), Some("https://site.test/a?b=c"), "{method}");
    }
}

#[test]
fn an_answer_is_compressed_on_a_stream() {
    let body = "a line that comes again and again\n".repeat(4000);
    let sent = body.clone();
    let fields = [("Content-Type", "text/html")];
    let origin = Origin::acting(move |_| Act::Send(answer("200 OK", &fields, &sent)));
    let node = routed(origin, "[route.compression]");
    let mut client = Client::connect(h2c(&node));
    let got = client.ask(plain(get("/").header("accept-encoding", "br")));
    assert_eq!((got.field("content-encoding"), got.field("content-length")), (Some("br"), None));
    assert!(got.body.len() * 10 < body.len(), "{} bytes", got.body.len());
    assert_eq!(client.ask(plain(get("/"))).text(), body, "control: who asks for none gets none");
}

#[test]
fn a_page_on_a_stream_gets_our_script_and_is_compressed_afterwards() {
    let page = format!("<html><head></head>{}", "<p>again and again</p>".repeat(500));
    let sent = page.clone();
    let fields = [("Content-Type", "text/html")];
    let origin = Origin::acting(move |_| Act::Send(answer("200 OK", &fields, &sent)));
    let node = routed(origin, "[route.compression]");
    let mut client = Client::connect(h2c(&node));
    let visit = |coding: &str| {
        let request = get("/").header("sec-fetch-dest", "document");
        plain(request.header("accept-encoding", coding))
    };
    let tag = intermission::inject::rewrite::Tag::new("site", None);
    let tag = String::from_utf8_lossy(tag.bytes()).into_owned();
    let got = client.ask(visit("identity"));
    assert_eq!(got.text(), page.replacen("<head>", &format!("<head>{tag}"), 1));
    let small = client.ask(visit("gzip"));
    assert_eq!(small.field("content-encoding"), Some("gzip"));
    assert!(small.body.len() * 5 < page.len(), "{} bytes", small.body.len());
}
