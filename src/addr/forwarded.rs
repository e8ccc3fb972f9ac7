//! Whom a request is for, as trusted peers tell: `X-Forwarded-For`, or `Forwarded` (RFC 7239).
//!
//! Both are lists that each proxy appends to, so both are read from right to left: what the peer
//! wrote is at the end, and left of the first address that is no trusted proxy stands only what
//! that stranger said of itself. Nothing on the left can change how the right is read.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use super::{ClientAddr, Networks, PeerAddr};

/// The addresses that a request came through, as far as trusted peers vouch for them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    /// From the peer back to the client.
    addresses: Vec<IpAddr>,
    /// Which entry, counted from the right, was written by the proxy that the client asked.
    pub entry: usize,
}

impl Chain {
    /// The first of the chain.
    pub fn client(&self) -> ClientAddr {
        ClientAddr(self.addresses.last().copied().unwrap_or(IpAddr::from([0, 0, 0, 0])))
    }

    /// From the client to the peer.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().rev().copied()
    }
}

impl Networks {
    /// The chain behind `peer`, which is one of these networks; `entries` come from right to left.
    ///
    /// The last address that is not a trusted proxy is the client. An entry that is no address ends
    /// the search, since nothing left of it can be vouched for.
    pub fn chain(&self, peer: PeerAddr, entries: impl Iterator<Item = Option<IpAddr>>) -> Chain {
        let mut chain = Chain { addresses: vec![peer.0.ip().to_canonical()], entry: 0 };
        for (at, entry) in entries.enumerate() {
            chain.entry = at;
            let Some(address) = entry else { break };
            chain.addresses.push(address);
            if !self.contains(address) {
                break;
            }
        }
        chain
    }
}

/// The entries of a list without quotes, from right to left.
pub fn entries<'a>(
    values: impl DoubleEndedIterator<Item = &'a str>,
) -> impl Iterator<Item = &'a str> {
    values.rev().flat_map(|value| value.rsplit(',')).map(str::trim)
}

/// An entry of `X-Forwarded-For`: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or
/// `[2001:db8::1]:80`.
pub fn address(entry: &str) -> Option<IpAddr> {
    let address = entry.parse::<IpAddr>().ok();
    let address = address.or_else(|| entry.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    address.or_else(bracketed).map(|address| address.to_canonical())
}

/// What one proxy says in `Forwarded`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Element<'a> {
    /// Who asked it, if it tells an address; `unknown` and made-up names are none.
    pub client: Option<IpAddr>,
    /// The scheme it was asked by.
    pub proto: Option<Cow<'a, str>>,
    /// The host it was asked for.
    pub host: Option<Cow<'a, str>>,
}

/// The elements of `Forwarded` fields, from right to left. One that is malformed says nothing.
pub fn elements<'a>(
    values: impl DoubleEndedIterator<Item = &'a str>,
) -> impl Iterator<Item = Element<'a>> {
    let elements = values.rev().flat_map(|value| Split { rest: Some(value), at: b',' });
    // RFC 9110 §5.6.1: empty elements of a list count for nothing.
    elements.filter(|text| !text.is_empty()).map(|text| element(text).unwrap_or_default())
}

fn element(text: &str) -> Option<Element<'_>> {
    let mut element = Element::default();
    let mut seen = [false; 4];
    for pair in (Split { rest: Some(text), at: b';' }) {
        if pair.is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=')?;
        let value = token_or_quoted(value)?;
        let known = ["for", "proto", "host", "by"];
        let Some(known) = known.iter().position(|known| name.eq_ignore_ascii_case(known)) else {
            if name.is_empty() || !name.bytes().all(is_token) {
                return None;
            }
            continue;
        };
        // RFC 7239 §4: each parameter must not occur more than once.
        if std::mem::replace(&mut seen[known], true) {
            return None;
        }
        match known {
            0 => element.client = node(&value)?,
            1 => element.proto = Some(value),
            2 => element.host = Some(value),
            _ => {}
        }
    }
    Some(element)
}

/// A node (RFC 7239 §6): outer none if it is malformed, inner none if it hides its address.
#[expect(clippy::option_option, reason = "malformed, hidden, or an address")]
fn node(text: &str) -> Option<Option<IpAddr>> {
    let hidden = |name: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        name.eq_ignore_ascii_case("unknown")
            || name.strip_prefix('_').is_some_and(|name| !name.is_empty() && name.bytes().all(fits))
    };
    let port = |port: &str| {
        let digits = (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
        digits || hidden(port) && port.starts_with('_')
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        let address = address.parse::<std::net::Ipv6Addr>().ok()?;
        let fits = after.is_empty() || after.strip_prefix(':').is_some_and(port);
        return fits.then(|| Some(IpAddr::V6(address).to_canonical()));
    }
    let (name, after) = text.split_once(':').map_or((text, None), |(name, at)| (name, Some(at)));
    if !after.is_none_or(port) {
        return None;
    }
    if hidden(name) {
        return Some(None);
    }
    let address = name.parse::<std::net::Ipv4Addr>().ok()?;
    Some(Some(IpAddr::V4(address)))
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn token_or_quoted(text: &str) -> Option<Cow<'_, str>> {
    let Some(inner) = text.strip_prefix('"') else {
        let token = !text.is_empty() && text.bytes().all(is_token);
        return token.then_some(Cow::Borrowed(text));
    };
    let inner = inner.strip_suffix('"')?;
    if !inner.contains(['\\', '"']) {
        return Some(Cow::Borrowed(inner));
    }
    let mut plain = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => plain.push(letters.next()?),
            '"' => return None,
            other => plain.push(other),
        }
    }
    Some(Cow::Owned(plain))
}

/// Splits a text at a byte that is not in quotes, from right to left, and trims the parts.
///
/// Quotes that a stranger leaves open on the left swallow what is left of them, never what a proxy
/// of ours wrote behind them.
struct Split<'a> {
    rest: Option<&'a str>,
    at: u8,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest?;
        let bytes = text.as_bytes();
        let mut quoted = false;
        for (place, byte) in bytes.iter().enumerate().rev() {
            if *byte == b'"' {
                let escapes = bytes[..place].iter().rev().take_while(|byte| **byte == b'\\');
                if !quoted {
                    quoted = true;
                } else if escapes.count() % 2 == 0 {
                    quoted = false;
                }
            } else if *byte == self.at && !quoted {
                self.rest = Some(&text[..place]);
                return Some(text[place + 1..].trim_matches([' ', '\t']));
            }
        }
        self.rest = None;
        Some(text.trim_matches([' ', '\t']))
    }
}
