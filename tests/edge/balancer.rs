//! Connections that a balancer passes on, over the wire.

use std::net::SocketAddr;

use intermission::addr::proxy_protocol::{Version, encode, encode_local};

use super::secure::Certificate;
use crate::proxy::node::{Node, Setup, get};
use crate::support::http1::Message;
use crate::support::origin::Origin;

/// The tests' own address is a balancer's.
const BALANCED: &str = "proxy_protocol = [\"127.0.0.0/8\"]";

fn node(listen: &'static str) -> Node {
    Node::start(Origin::replying("hello"), &Setup { listen, ..Setup::default() })
}

fn header(version: Version, source: &str) -> Vec<u8> {
    let destination = "198.51.100.1:443".parse().expect("an address");
    encode(version, source.parse::<SocketAddr>().expect("an address"), destination)
}

/// What the application is told about a request behind this header.
fn passed_on(node: &Node, header: &[u8], request: &str) -> Message {
    let mut client = node.connect();
    client.send([header, request.as_bytes()].concat());
    assert_eq!(client.response().text(), "hello");
    node.origin.requests().pop().expect("a request")
}

/// Whether a connection that begins so is closed without a byte of an answer.
fn is_refused(node: &Node, bytes: &[u8]) -> bool {
    let mut client = node.connect();
    // It may be closed before the last of them.
    let _ = client.try_send(bytes);
    client.rest().is_empty()
}

#[test]
fn the_source_of_a_header_is_the_client() {
    let node = node(BALANCED);
    for version in [Version::V1, Version::V2] {
        let v4 = passed_on(&node, &header(version, "192.0.2.7:4000"), &get("/"));
        assert_eq!(v4.field("x-forwarded-for"), Some("192.0.2.7"));
        let v6 = passed_on(&node, &header(version, "[2001:db8::7]:4000"), &get("/"));
        assert_eq!(v6.field("x-forwarded-for"), Some("2001:db8::7"));
        let local = passed_on(&node, &encode_local(version), &get("/"));
        assert_eq!(local.field("x-forwarded-for"), Some("127.0.0.1"));
    }
    let clients: Vec<_> = node.lines(6).iter().map(|line| line["client"].clone()).collect();
    let one = ["192.0.2.7", "2001:db8::7", "127.0.0.1"];
    assert_eq!(clients, [one, one].concat());
}

#[test]
fn a_header_that_comes_byte_by_byte_is_read_to_its_end_and_no_further() {
    let node = node(BALANCED);
    for version in [Version::V1, Version::V2] {
        let bytes = [&header(version, "192.0.2.7:4000"), get("/").as_bytes()].concat();
        let mut client = node.connect();
        for byte in &bytes {
            client.send([*byte]);
        }
        assert_eq!(client.response().text(), "hello");
        // The same connection goes on as any other does.
        client.send(get("/again"));
        assert_eq!(client.response().text(), "hello");
        let seen = node.origin.requests().pop().expect("a request");
        assert_eq!((seen.target(), seen.field("x-forwarded-for")), ("/again", Some("192.0.2.7")));
    }
}

#[test]
fn a_balancer_must_say_whose_its_connection_is() {
    let setup = Setup { listen: BALANCED, ..Setup::default() };
    let node = Node::start(Origin::untouched(), &setup);
    let broken = [header(Version::V2, "192.0.2.7:4000").as_slice(), b""].concat();
    let mut reserved = broken.clone();
    reserved[12] = 0x31;
    let requests = [get("/").into_bytes(), b"PROXY TCP4 me you 1 2\r\n".to_vec(), reserved];
    for bytes in requests {
        assert!(is_refused(&node, &[&bytes[..], get("/").as_bytes()].concat()), "{bytes:?}");
    }
    let mut silent = node.connect();
    silent.send(&broken[..20]);
    silent.finish();
    assert!(silent.rest().is_empty(), "a header that ends early");
}

#[test]
fn a_stranger_may_not_say_whose_its_connection_is() {
    let setup = Setup { listen: "proxy_protocol = [\"192.0.2.0/24\"]", ..Setup::default() };
    let node = Node::start(Origin::untouched(), &setup);
    for version in [Version::V1, Version::V2] {
        let mut client = node.connect();
        client.send([&header(version, "192.0.2.7:4000"), get("/").as_bytes()].concat());
        assert_eq!(client.response().status(), 400, "{version:?}");
        assert!(client.rest().is_empty());
    }
}

#[test]
fn a_header_does_not_make_its_client_trusted() {
    let both = "proxy_protocol = [\"127.0.0.0/8\"]\ntrusted = [\"127.0.0.0/8\", \"10.0.0.0/8\"]";
    let node = node(both);
    let spoof = "GET / HTTP/1.1\r\nHost: site.test\r\nX-Forwarded-For: 203.0.113.66\r\n\
                 X-Forwarded-Proto: https\r\n\r\n";
    let stranger = passed_on(&node, &header(Version::V2, "192.0.2.7:4000"), spoof);
    assert_eq!(stranger.field_values("x-forwarded-for"), ["192.0.2.7"]);
    assert_eq!(stranger.field("x-forwarded-proto"), Some("http"));
    // Control: a proxy of ours behind the balancer is believed.
    let ours = passed_on(&node, &header(Version::V2, "10.0.0.7:4000"), spoof);
    assert_eq!(ours.field_values("x-forwarded-for").join(", "), "203.0.113.66, 10.0.0.7");
    assert_eq!(ours.field("x-forwarded-proto"), Some("https"));
}

#[test]
fn tls_begins_right_behind_the_header() {
    let certificate = Certificate::new();
    let listen = "proxy_protocol = [\"127.0.0.0/8\"]\nhttps = [\"127.0.0.1:0\"]";
    let setup = Setup { listen, more: certificate.section(), ..Setup::default() };
    let node = Node::start(Origin::replying("hello"), &setup);
    for version in [Version::V1, Version::V2] {
        let before = header(version, "192.0.2.7:4000");
        let got = certificate.ask(node.addresses()[1], &before, &get("/"));
        assert_eq!(got.text(), "hello");
        let seen = node.origin.requests().pop().expect("a request");
        let told = (seen.field("x-forwarded-for"), seen.field("x-forwarded-proto"));
        assert_eq!(told, (Some("192.0.2.7"), Some("https")));
    }
}
