//! Hosts: their canonical form, the patterns that operators write for them, and a map by pattern.

use std::collections::HashMap;
use std::fmt::Write;
use std::net::Ipv6Addr;

use foldhash::fast::RandomState;

use crate::limit;

/// Why a text is not a host that requests are served for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HostFault {
    /// Nothing, or only a port.
    #[error("no host")]
    Empty,
    /// Longer than a name in the domain name system can be.
    #[error("a host of more than {} bytes", limit::HOST_BYTES_MAX)]
    TooLong,
    /// Two dots in a row, or one at the beginning.
    #[error("an empty label in the host")]
    EmptyLabel,
    /// Anything but letters, digits, `-`, `_` and `.`: userinfo, a list, a path, a space.
    #[error("a character in the host that does not belong there")]
    Character,
    /// Brackets that do not hold an IPv6 address.
    #[error("brackets without an IPv6 address")]
    Ipv6,
    /// Not a number from 1 to 65535.
    #[error("a port that is not a number from 1 to 65535")]
    Port,
}

/// The canonical form of a `Host` or `:authority`: lower-case, without its port and trailing dot;
/// `scratch` holds it where it is not a part of what was sent. Nothing is allocated as long as
/// `scratch` is large enough.
pub fn canonical_host<'a>(raw: &'a str, scratch: &'a mut String) -> Result<&'a str, HostFault> {
    if raw.starts_with('[') {
        return canonical_ipv6(raw, scratch);
    }
    let (end, letters) = name(raw.as_bytes())?;
    if let Some(after) = raw.get(end + 1..) {
        check_port(after)?;
    }
    let name = &raw[..end];
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return Err(HostFault::Empty);
    }
    if name.len() > limit::HOST_BYTES_MAX {
        return Err(HostFault::TooLong);
    }
    match letters {
        Letters::Lower => Ok(name),
        Letters::Mixed => {
            scratch.clear();
            scratch.push_str(name);
            scratch.make_ascii_lowercase();
            Ok(scratch)
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Letters {
    Lower,
    Mixed,
}

/// What a byte is in a host.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Lower-case letters, digits, `-` and `_`.
    Plain,
    Upper,
    Dot,
    Colon,
    Foreign,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Foreign; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => Class::Plain,
            b'A'..=b'Z' => Class::Upper,
            b'.' => Class::Dot,
            b':' => Class::Colon,
            _ => Class::Foreign,
        };
        byte += 1;
    }
    classes
};

/// Where the name ends, a trailing dot included, and how it is written.
fn name(raw: &[u8]) -> Result<(usize, Letters), HostFault> {
    let mut letters = Letters::Lower;
    let mut after_dot = true;
    for (at, byte) in raw.iter().enumerate() {
        match CLASSES[usize::from(*byte)] {
            Class::Plain => after_dot = false,
            Class::Upper => {
                letters = Letters::Mixed;
                after_dot = false;
            }
            // A dot alone is no host at all.
            Class::Dot if after_dot && (at > 0 || raw.len() > 1) => {
                return Err(HostFault::EmptyLabel);
            }
            Class::Dot => after_dot = true,
            Class::Colon => return Ok((at, letters)),
            Class::Foreign => return Err(HostFault::Character),
        }
    }
    Ok((raw.len(), letters))
}

fn canonical_ipv6<'a>(raw: &'a str, scratch: &'a mut String) -> Result<&'a str, HostFault> {
    let (address, after) = raw[1..].split_once(']').ok_or(HostFault::Ipv6)?;
    let address: Ipv6Addr = address.parse().map_err(|_| HostFault::Ipv6)?;
    match after.strip_prefix(':') {
        Some(port) => check_port(port)?,
        None if after.is_empty() => {}
        None => return Err(HostFault::Character),
    }
    scratch.clear();
    write!(scratch, "[{address}]").map_err(|_| HostFault::Ipv6)?;
    Ok(scratch)
}

fn check_port(port: &str) -> Result<(), HostFault> {
    let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(1..) if digits => Ok(()),
        Ok(_) | Err(_) => Err(HostFault::Port),
    }
}

/// `example.com`, `*.example.com`, or any host.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum HostPattern {
    /// Every host.
    Any,
    /// This host, in canonical form.
    Exact(String),
    /// Every host below this domain, but not itself: `*.example.com` is stored as `example.com`.
    Below(String),
}

/// Why a text is not a host pattern.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HostPatternFault {
    /// A star in another place than as the first label.
    #[error("a `*` stands for whole labels at the beginning: write `*.example.com`, or `*` alone")]
    Star,
    /// It has a port.
    #[error("routes are the same on all ports: write `{0}`")]
    Port(String),
    /// It is a URL.
    #[error("only the host is wanted, such as `example.com`: no `://`, no path")]
    Url,
    /// Letters beyond ASCII.
    #[error("write the name in its ASCII form, which begins with `xn--`")]
    NotAscii,
    /// It is no host at all.
    #[error("not a host: {0}")]
    Host(#[from] HostFault),
}

impl HostPattern {
    /// Reads `*`, `*.example.com` or a host.
    pub fn parse(text: &str) -> Result<Self, HostPatternFault> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.contains('/') {
            return Err(HostPatternFault::Url);
        }
        if !text.is_ascii() {
            return Err(HostPatternFault::NotAscii);
        }
        let domain = text.strip_prefix("*.");
        let name = domain.unwrap_or(text);
        if name.contains('*') {
            return Err(HostPatternFault::Star);
        }
        let mut scratch = String::new();
        let host = canonical_host(name, &mut scratch)?.to_owned();
        if name.rsplit(']').next().is_some_and(|after| after.contains(':')) {
            let star = if domain.is_some() { "*." } else { "" };
            return Err(HostPatternFault::Port(format!("{star}{host}")));
        }
        match domain {
            Some(_) if host.starts_with('[') => Err(HostPatternFault::Star),
            Some(_) => Ok(Self::Below(host)),
            None => Ok(Self::Exact(host)),
        }
    }

    /// A canonical host that is meant, and by no narrower pattern that anybody would write.
    pub fn example(&self) -> String {
        match self {
            Self::Any => "any.invalid".to_owned(),
            Self::Exact(name) => name.clone(),
            Self::Below(domain) => format!("any-host.{domain}"),
        }
    }

    /// Whether the canonical `host` is meant.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(name) => name == host,
            Self::Below(domain) => host
                .strip_suffix(domain.as_str())
                .and_then(|labels| labels.strip_suffix('.'))
                .is_some_and(|labels| !labels.is_empty()),
        }
    }
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(name) => f.write_str(name),
            Self::Below(domain) => write!(f, "*.{domain}"),
        }
    }
}

/// Values by host pattern. A look-up costs the same however many there are.
#[derive(Clone, Debug)]
pub struct HostMap<T> {
    exact: HashMap<Box<str>, Option<T>, RandomState>,
    below: HashMap<Box<str>, Option<T>, RandomState>,
    any: Option<T>,
}

impl<T> HostMap<T> {
    /// The place of this pattern.
    pub fn entry(&mut self, pattern: &HostPattern) -> &mut Option<T> {
        match pattern {
            HostPattern::Any => &mut self.any,
            HostPattern::Exact(name) => self.exact.entry(name.as_str().into()).or_default(),
            HostPattern::Below(name) => self.below.entry(name.as_str().into()).or_default(),
        }
    }

    /// What is kept for the canonical `host`: exactly it, then wildcards from the longest domain
    /// to the shortest, then any.
    pub fn most_specific_first(&self, host: &str) -> impl Iterator<Item = &T> {
        let exact = if self.exact.is_empty() { None } else { self.exact.get(host) };
        let labels = if self.below.is_empty() { None } else { parent(host) };
        let below = std::iter::successors(labels, |domain| parent(domain));
        let below = below.filter_map(|domain| self.below.get(domain));
        exact.into_iter().chain(below).flatten().chain(&self.any)
    }
}

impl<T> Default for HostMap<T> {
    fn default() -> Self {
        Self { exact: HashMap::default(), below: HashMap::default(), any: None }
    }
}

/// The domain that a name lies in.
fn parent(name: &str) -> Option<&str> {
    let dot = name.bytes().position(|byte| byte == b'.')?;
    Some(&name[dot + 1..])
}
