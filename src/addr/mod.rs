//! Addresses with their roles, and who is trusted to speak for a client.

mod host;
pub mod proxy_protocol;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

pub use host::{HostFault, HostMap, HostPattern, HostPatternFault, canonical_host};

/// Where a connection comes from: the peer of our socket.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PeerAddr(pub SocketAddr);

/// Whom a request is for: the peer, or the address a trusted peer vouches for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ClientAddr(pub IpAddr);

/// A member of an upstream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct ServerAddr(pub SocketAddr);

impl fmt::Display for ClientAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ServerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of networks. Few are configured, so a list is faster than a trie.
#[derive(Clone, Debug, Default)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// The set of these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether the address lies in one of them. An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The networks.
    pub fn iter(&self) -> impl Iterator<Item = IpNet> {
        self.0.iter().copied()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The client behind `peer`, given the `X-Forwarded-For` values in order of appearance.
    ///
    /// Read from right to left: the last address that is not a trusted proxy is the client. A
    /// value that is no address ends the search, since nothing left of it can be vouched for.
    pub fn client<'a>(
        &self,
        peer: PeerAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    ) -> ClientAddr {
        let mut client = peer.0.ip().to_canonical();
        if !self.contains(client) {
            return ClientAddr(client);
        }
        for entry in forwarded_for.rev().flat_map(|value| value.rsplit(',')) {
            let Some(address) = entry_address(entry.trim()) else { break };
            client = address;
            if !self.contains(client) {
                break;
            }
        }
        ClientAddr(client)
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn entry_address(entry: &str) -> Option<IpAddr> {
    let address = entry.parse::<IpAddr>().ok();
    let address = address.or_else(|| entry.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    address.or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let trusted = Networks::new(vec!["10.0.0.0/8".parse().expect("a network")]);
        let peer = PeerAddr(SocketAddr::new(peer.parse().expect("an address"), 1));
        trusted.client(peer, forwarded.iter().copied()).to_string()
    }

    #[test]
    fn a_stranger_speaks_only_for_itself() {
        assert_eq!(client("192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
    }

    #[test]
    fn the_last_untrusted_address_is_the_client() {
        assert_eq!(client("10.0.0.1", &["203.0.113.7, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["203.0.113.7", "[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.1:90"]), "198.51.100.1");
    }

    #[test]
    fn a_value_that_is_no_address_ends_the_search() {
        assert_eq!(client("10.0.0.1", &["203.0.113.7, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }
}
