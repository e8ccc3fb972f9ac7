//! What belongs to one hop and is not passed on (RFC 9110 §7.6), and what this hop adds.

use std::net::IpAddr;

use http::header::{
    CONNECTION, COOKIE, EXPECT, Entry, FORWARDED, HOST, HeaderName, SET_COOKIE, TE,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{HeaderMap, HeaderValue};

use super::caller::Said;
use super::fields::Fields;
use super::head::{Judged, Scheme};
use super::lane::Lane;
use crate::snapshot::ForwardedBy;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
/// RFC 9440 §2.2.
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Whether the request asks for a protocol that may pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Switch {
    /// `Upgrade: websocket` passes.
    WebSocket,
    /// Nothing of the kind.
    None,
}

/// A `Connection` field that names what must not be taken away from a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Abused;

/// Makes a client's fields fit for the server: takes away what belongs to this hop and what only
/// we may say, adds whom the request is for.
pub(super) fn up(
    headers: &mut HeaderMap,
    lane: &Lane,
    judged: &Judged,
    switch: Switch,
) -> Result<(), Abused> {
    let fields = judged.fields;
    if fields.any(Fields::CONNECTION) && take_connection(headers)? {
        lane.has_asked_all();
    }
    if fields.any(Fields::HOP.and(Fields::UPGRADE).and(Fields::EXPECT)) {
        take_rest(headers);
    }
    if switch == Switch::WebSocket {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    if fields.any(Fields::FOREIGN) {
        take_foreign(headers, judged.said.is_some());
    }
    if let Some(certificate) = lane.link.proved.as_ref().and_then(|p| p.certificate.as_ref()) {
        headers.insert(CLIENT_CERT, certificate.clone());
        headers.remove(CLIENT_CERT_CHAIN);
    }
    if fields.any(Fields::COOKIE) {
        take_our_cookie(headers);
    }
    judged.trace.say(fields, headers);
    say_for_whom(headers, lane, judged);
    if let Some(via) = &judged.site().via {
        headers.append(VIA, via.of(judged.version).clone());
    }
    Ok(())
}

/// Makes a server's fields fit for the client.
pub(super) fn down(headers: &mut HeaderMap, via: Option<&HeaderValue>) {
    let fields = Fields::of(headers);
    if fields.any(Fields::CONNECTION) {
        // A server that names what it must not name loses the field and nothing else.
        let _ = take_connection(headers);
    }
    if fields.any(Fields::HOP.and(Fields::UPGRADE)) {
        headers.remove(KEEP_ALIVE);
        headers.remove(PROXY_CONNECTION);
        headers.remove(TRANSFER_ENCODING);
        headers.remove(UPGRADE);
    }
    if fields.any(Fields::SET_COOKIE) {
        take_our_cookie_back(headers);
    }
    if let Some(via) = via {
        headers.append(VIA, via.clone());
    }
}

/// Takes what belongs to this hop; tells whether it is the connection's last message.
fn take_connection(headers: &mut HeaderMap) -> Result<bool, Abused> {
    let Entry::Occupied(connection) = headers.entry(CONNECTION) else { return Ok(false) };
    let (_, mut values) = connection.remove_entry_mult();
    // Nearly every such field says `keep-alive` or `close` and nothing else.
    let first = values.next();
    let says =
        |value: &HeaderValue, word: &str| value.as_bytes().eq_ignore_ascii_case(word.as_bytes());
    let values: Vec<HeaderValue> = match (first, values.next()) {
        (Some(only), None) if says(&only, "keep-alive") => return Ok(false),
        (Some(only), None) if says(&only, "close") => return Ok(true),
        (first, second) => first.into_iter().chain(second).chain(values).collect(),
    };
    let mut closes = false;
    for name in values.iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(',')) {
        let name = name.trim();
        closes |= name.eq_ignore_ascii_case("close");
        if name.eq_ignore_ascii_case("keep-alive") || name.eq_ignore_ascii_case("close") {
            continue;
        }
        if must_stay(name) {
            return Err(Abused);
        }
        headers.remove(name);
    }
    Ok(closes)
}

/// Fields that a `Connection` field may not take away: removing them changes what a request means
/// or whom it is for.
fn must_stay(name: &str) -> bool {
    const STAY: [&str; 8] = [
        "host",
        "cookie",
        "authorization",
        "content-length",
        "content-type",
        "forwarded",
        "origin",
        "transfer-encoding",
    ];
    STAY.iter().any(|stay| name.eq_ignore_ascii_case(stay))
        || name.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("x-forwarded-"))
}

fn take_rest(headers: &mut HeaderMap) {
    headers.remove(KEEP_ALIVE);
    headers.remove(PROXY_CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    headers.remove(UPGRADE);
    headers.remove(HTTP2_SETTINGS);
    // hyper answers `100-continue` itself when the body is first asked for.
    headers.remove(EXPECT);
    if let Some(te) = headers.get(TE) {
        let trailers = te.to_str().is_ok_and(|te| {
            te.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
        });
        if trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        } else {
            headers.remove(TE);
        }
    }
}

/// Fields that only we may send, and fields that servers read as others (`x_forwarded_for`). A
/// balancer in front that is trusted may tell of the certificate that was shown to it.
fn take_foreign(headers: &mut HeaderMap, trusted: bool) {
    let foreign = |name: &&HeaderName| {
        let name = name.as_str();
        let certificate = name == CLIENT_CERT || name == CLIENT_CERT_CHAIN;
        certificate && !trusted
            || name.starts_with("intermission-")
            || memchr::memchr(b'_', name.as_bytes()).is_some()
    };
    let names: Vec<HeaderName> = headers.keys().filter(foreign).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn take_our_cookie(headers: &mut HeaderMap) {
    let Entry::Occupied(mut cookies) = headers.entry(COOKIE) else { return };
    if !cookies
        .iter()
        .any(|value| memchr::memmem::find(value.as_bytes(), b"intermission").is_some())
    {
        return;
    }
    let kept: Vec<&[u8]> = cookies
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii)
        .filter(|pair| !is_our_cookie(pair))
        .collect();
    match HeaderValue::from_bytes(&kept.join(&b"; "[..])) {
        Ok(value) if !value.is_empty() => {
            cookies.insert(value);
        }
        _ => {
            cookies.remove();
        }
    }
}

fn is_our_cookie(pair: &[u8]) -> bool {
    pair.split(|byte| *byte == b'=').next().is_some_and(is_our_name)
}

/// A visitor's key, a bypass, an admission, a wish to see a form with the answers in it.
fn is_our_name(name: &[u8]) -> bool {
    let name = name.strip_prefix(b"__Host-").unwrap_or(name);
    matches!(
        name,
        b"intermission"
            | b"intermission-bypass"
            | b"intermission-admitted"
            | b"intermission-refill"
    )
}

fn take_our_cookie_back(headers: &mut HeaderMap) {
    let Entry::Occupied(cookies) = headers.entry(SET_COOKIE) else { return };
    if cookies.iter().any(|value| sets_our_cookie(value.as_bytes())) {
        let (name, values) = cookies.remove_entry_mult();
        let kept: Vec<_> = values.filter(|value| !sets_our_cookie(value.as_bytes())).collect();
        for value in kept {
            headers.append(name.clone(), value);
        }
    }
}

/// Whether a `Set-Cookie` would replace a visitor's key. Browsers trim the name, and send a cookie
/// without one as its bare value (RFC 6265bis §5.6), so that `=intermission=x` comes back as ours.
fn sets_our_cookie(cookie: &[u8]) -> bool {
    let pair = cookie.split(|byte| *byte == b';').next().unwrap_or_default();
    let mut parts = pair.split(|byte| *byte == b'=').map(<[u8]>::trim_ascii);
    let name = parts.find(|part| !part.is_empty()).unwrap_or_default();
    is_our_name(name)
}

/// `X-Forwarded-For`, `-Proto`, `-Host` and `Forwarded` (RFC 7239). What a stranger says of itself
/// is replaced; of what a trusted peer says, the field it is believed by is kept and the peer
/// added, and the others are written anew so that all of them tell the same.
fn say_for_whom(headers: &mut HeaderMap, lane: &Lane, judged: &Judged) {
    let host = headers.get(HOST).cloned().unwrap_or(HeaderValue::from_static("unknown"));
    // One growth of the map instead of up to three.
    headers.reserve(5);
    if let Some(said) = &judged.said {
        return say_what_was_said(headers, lane, judged, said, host);
    }
    if judged.fields.any(Fields::FORWARDED) {
        take_x_forwarded(headers);
    }
    let forwarded = forwarded(lane, &host, judged.scheme);
    headers.insert(FORWARDED_FOR, lane.link.peer_text.clone());
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(judged.scheme.name()));
    headers.insert(FORWARDED_HOST, host);
    headers.insert(FORWARDED, forwarded);
}

fn say_what_was_said(
    headers: &mut HeaderMap,
    lane: &Lane,
    judged: &Judged,
    said: &Said,
    asked: HeaderValue,
) {
    let host = said.host.clone().unwrap_or(asked);
    let addresses: Vec<IpAddr> = said.chain.addresses().collect();
    match judged.site().forwarded {
        ForwardedBy::XForwarded => {
            headers.append(FORWARDED_FOR, lane.link.peer_text.clone());
        }
        ForwardedBy::Forwarded => {
            take_x_forwarded(headers);
            let texts: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
            headers.insert(FORWARDED_FOR, visible(&texts.join(", ")));
        }
    }
    let ours = forwarded(lane, &host, judged.scheme);
    // What a client may have left open in this field would mislead who reads it from the left.
    let elements = match addresses.split_last() {
        None | Some((_, [])) => ours,
        Some((_, before)) => {
            let before: String =
                before.iter().map(|address| format!("for={}, ", node(*address))).collect();
            visible(&(before + ours.to_str().unwrap_or("for=unknown")))
        }
    };
    headers.insert(FORWARDED, elements);
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(judged.scheme.name()));
    headers.insert(FORWARDED_HOST, host);
}

fn take_x_forwarded(headers: &mut HeaderMap) {
    let stranger = |name: &&HeaderName| name.as_str().starts_with("x-forwarded-");
    let names: Vec<HeaderName> = headers.keys().filter(stranger).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn visible(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown"))
}

/// An address as `Forwarded` writes it.
fn node(address: IpAddr) -> String {
    if address.is_ipv6() { format!("\"[{address}]\"") } else { address.to_string() }
}

fn forwarded(lane: &Lane, host: &HeaderValue, scheme: Scheme) -> HeaderValue {
    let mut known = lane.link.forwarded.borrow_mut();
    if let Some((for_host, for_scheme, value)) = &*known
        && for_host == host
        && *for_scheme == scheme
    {
        return value.clone();
    }
    let peer = node(lane.link.peer.0.ip().to_canonical());
    let name = host.to_str().unwrap_or("unknown").replace(['"', '\\'], "");
    let text = format!("for={peer};host=\"{name}\";proto={}", scheme.name());
    let value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("for=unknown"));
    // A copy: the value itself is a part of the buffer that the head was read into, which would
    // live as long as the connection.
    let host = HeaderValue::from_bytes(host.as_bytes()).unwrap_or(value.clone());
    *known = Some((host, scheme, value.clone()));
    value
}
