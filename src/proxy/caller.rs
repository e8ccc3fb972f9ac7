//! Who is asking: the peer of a connection, or whom a trusted peer says that it asks for.

use std::borrow::Cow;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderValue, Request};

use super::head::Scheme;
use super::lane::Lane;
use super::worker::Current;
use crate::addr::forwarded::{self, Chain, Element};
use crate::addr::{ClientAddr, Networks, PeerAddr, canonical_host};
use crate::region::Trust;
use crate::snapshot::ForwardedBy;

/// Who is asking.
pub(super) struct Caller {
    /// Whom the request is for.
    pub client: ClientAddr,
    /// What its browser speaks.
    pub scheme: Scheme,
    /// What a trusted peer says; none of a stranger.
    pub said: Option<Box<Said>>,
}

/// What a trusted peer says of a request that it passes on.
pub(super) struct Said {
    /// The addresses that the request came through.
    pub chain: Chain,
    /// The host that the client asked for, with its port, if the peer tells another than it asks
    /// for itself.
    pub host: Option<HeaderValue>,
}

impl Caller {
    /// Of a request's head, before anything else is known of it.
    pub(super) fn of<B>(lane: &Lane, current: &Current, request: &Request<B>) -> Self {
        let site = &current.snapshot.site;
        let peer = lane.link.peer;
        if !site.trusted.contains(peer.0.ip()) {
            let client = ClientAddr(peer.0.ip().to_canonical());
            return Self { client, scheme: lane.link.scheme, said: None };
        }
        let told = match site.forwarded {
            ForwardedBy::XForwarded => Told::by_list(&site.trusted, peer, request.headers()),
            ForwardedBy::Forwarded => Told::by_elements(&site.trusted, peer, request.headers()),
        };
        let scheme = told.proto.as_deref().and_then(scheme).unwrap_or(lane.link.scheme);
        let host = told.host.as_deref().filter(|host| {
            let mut scratch = String::new();
            canonical_host(host, &mut scratch).is_ok()
        });
        let host = host.and_then(|host| HeaderValue::from_str(host).ok());
        let client = told.chain.client();
        Self { client, scheme, said: Some(Box::new(Said { chain: told.chain, host })) }
    }

    /// Whether it speaks for others.
    pub(super) fn trust(&self) -> Trust {
        if self.said.is_some() { Trust::Trusted } else { Trust::Stranger }
    }
}

/// A scheme as proxies write it; WebSocket's are those of the page that it is on.
fn scheme(text: &str) -> Option<Scheme> {
    let is = |known: &[&str]| known.iter().any(|known| text.eq_ignore_ascii_case(known));
    if is(&["https", "wss"]) {
        Some(Scheme::Https)
    } else if is(&["http", "ws"]) {
        Some(Scheme::Http)
    } else {
        None
    }
}

/// What was read of either field.
struct Told<'a> {
    chain: Chain,
    proto: Option<Cow<'a, str>>,
    host: Option<Cow<'a, str>>,
}

impl<'a> Told<'a> {
    fn by_list(trusted: &Networks, peer: PeerAddr, headers: &'a HeaderMap) -> Self {
        let addresses =
            forwarded::entries(texts(headers, "x-forwarded-for")).map(forwarded::address);
        let chain = trusted.chain(peer, addresses);
        let proto = written_by(headers, "x-forwarded-proto", chain.entry).map(Cow::Borrowed);
        let host = written_by(headers, "x-forwarded-host", chain.entry).map(Cow::Borrowed);
        Self { chain, proto, host }
    }

    fn by_elements(trusted: &Networks, peer: PeerAddr, headers: &'a HeaderMap) -> Self {
        let elements = || forwarded::elements(texts(headers, FORWARDED.as_str()));
        let chain = trusted.chain(peer, elements().map(|element| element.client));
        // Every one of these was written by a trusted proxy; the one nearest to the client knows.
        let believed: Vec<Element<'a>> = elements().take(chain.entry + 1).collect();
        let proto = believed.iter().rev().find_map(|element| element.proto.clone());
        let host = believed.iter().rev().find_map(|element| element.host.clone());
        Self { chain, proto, host }
    }
}

fn texts<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> impl DoubleEndedIterator<Item = &'a str> {
    // A value that is no text is no address either: it must not vanish from its place in the list.
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("-"))
}

/// The entry of a list that the proxy wrote which the client asked: as far from the right as the
/// client's address, or the leftmost one where proxies between did not add to it.
fn written_by<'a>(headers: &'a HeaderMap, name: &'static str, entry: usize) -> Option<&'a str> {
    forwarded::entries(texts(headers, name)).take(entry + 1).last()
}
