//! Whom a request is for, as trusted peers tell: both fields, read from right to left.

use intermission::addr::forwarded::{self, Element};
use intermission::addr::{Networks, PeerAddr};

fn trusted() -> Networks {
    Networks::new(vec!["10.0.0.0/8".parse().expect("a network")])
}

fn peer(text: &str) -> PeerAddr {
    PeerAddr(std::net::SocketAddr::new(text.parse().expect("an address"), 1))
}

/// The client, and which entry from the right tells of it.
fn by_list(peer: &str, values: &[&str]) -> (String, usize) {
    let entries = forwarded::entries(values.iter().copied()).map(forwarded::address);
    let chain = trusted().chain(self::peer(peer), entries);
    (chain.client().to_string(), chain.entry)
}

fn by_elements(values: &[&str]) -> (String, usize) {
    let elements = forwarded::elements(values.iter().copied()).map(|element| element.client);
    let chain = trusted().chain(peer("10.0.0.1"), elements);
    (chain.client().to_string(), chain.entry)
}

fn is(client: &str, entry: usize) -> (String, usize) {
    (client.to_owned(), entry)
}

#[test]
fn the_last_untrusted_address_is_the_client() {
    let list = ["203.0.113.7, 198.51.100.1, 10.0.0.2"];
    assert_eq!(by_list("10.0.0.1", &list), is("198.51.100.1", 1));
    assert_eq!(by_list("10.0.0.1", &["203.0.113.7", "[2001:db8::1]:443"]), is("2001:db8::1", 0));
    assert_eq!(by_list("::ffff:10.0.0.1", &["198.51.100.1:90"]), is("198.51.100.1", 0));
    assert_eq!(by_list("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), is("10.0.0.3", 1));
    let elements = ["for=203.0.113.7, For=198.51.100.1;proto=https, for=10.0.0.2"];
    assert_eq!(by_elements(&elements), is("198.51.100.1", 1));
    assert_eq!(by_elements(&["for=1.1.1.1", "for=\"[2001:db8::1]:443\""]), is("2001:db8::1", 0));
    assert_eq!(by_elements(&["for=\"198.51.100.1:_port\";by=_us"]), is("198.51.100.1", 0));
}

#[test]
fn a_value_that_is_no_address_ends_the_search() {
    assert_eq!(by_list("10.0.0.1", &["203.0.113.7, unknown, 10.0.0.2"]), is("10.0.0.2", 1));
    assert_eq!(by_list("10.0.0.1", &["203.0.113.7, , 10.0.0.2"]), is("10.0.0.2", 1));
    assert_eq!(by_list("10.0.0.1", &[]), is("10.0.0.1", 0));
    for hidden in ["for=unknown", "for=_me", "for=\"_me:80\"", "proto=https", "for=x", "nonsense"] {
        let value = format!("for=203.0.113.7, {hidden}, for=10.0.0.2");
        assert_eq!(by_elements(&[&value]), is("10.0.0.2", 1), "{hidden}");
    }
}

#[test]
fn what_a_stranger_leaves_open_swallows_nothing_on_the_right() {
    // What a client sent, and behind it what our balancer appended.
    for left in
        ["for=\"", "for=\"x", "for=6.6.6.6;by=\"", "\\\"", "\"\\", "for=\"a, for=\"b\"", "\"\"\""]
    {
        let value = format!("{left}, for=198.51.100.1");
        assert_eq!(by_elements(&[&value]), is("198.51.100.1", 0), "{left}");
        let quoted = format!("{left}, for=\"[2001:db8::1]:80\";host=\"a,b\"");
        assert_eq!(by_elements(&[&quoted]), is("2001:db8::1", 0), "{left}");
    }
}

#[test]
fn an_element_is_read_as_the_standard_has_it() {
    let read = |text: &'static str| forwarded::elements([text].into_iter()).next().expect("one");
    let full = read("for=192.0.2.60;proto=http;by=203.0.113.43;Host=\"a\\.test:81\";ext=1");
    assert_eq!(full.client, Some([192, 0, 2, 60].into()));
    assert_eq!((full.proto.as_deref(), full.host.as_deref()), (Some("http"), Some("a.test:81")));
    for malformed in [
        "for=192.0.2.1;for=192.0.2.2",
        "for=[2001:db8::1]",
        "for=\"2001:db8::1\"",
        "for=\"[2001:db8::1\"",
        "for=\"[2001:db8::1]x\"",
        "for=\"192.0.2.1:\"",
        "for=192.0.2.1 ;proto = http",
        "for=192.0.2.1;=x",
        "for=192.0.2.1;host=a b",
        "for=\"192.0.2.1",
        "for=",
    ] {
        assert_eq!(read(malformed), Element::default(), "{malformed}");
    }
    assert_eq!(forwarded::elements([", ,"].into_iter()).count(), 0);
}
