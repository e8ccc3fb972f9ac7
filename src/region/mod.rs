//! Who belongs to which region.
//!
//! # Order
//!
//! 1. **Header.** Believed from trusted peers only. Header names are asked in the order in which
//!    the config first names them; if a header comes more than once, its last value counts, since
//!    that is the one the trusted peer appended. A value that no region has is passed over.
//! 2. **Host.** Exactly this host, then wildcards from the longest domain to the shortest, then
//!    any host.
//! 3. **Client network.** The longest prefix.
//! 4. The node's **own** region.
//!
//! Where two regions claim the same header value, host or network, the first one has it.

mod networks;

use std::collections::HashMap;

use foldhash::fast::RandomState;
use http::{HeaderMap, HeaderName};

use self::networks::NetworkMap;
use crate::addr::{ClientAddr, HostMap, HostPattern, Networks};

/// Which region, as an index into the region table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct RegionIx(pub u16);

/// How one region is known.
#[derive(Clone, Debug)]
pub struct RegionRule {
    /// In scopes, logs and metrics.
    pub name: String,
    /// A header and its value; believed from trusted peers only.
    pub header: Option<(HeaderName, String)>,
    /// Hosts that belong to it.
    pub hosts: Vec<HostPattern>,
    /// Client networks that belong to it.
    pub networks: Networks,
}

/// Whether the peer may speak for others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// Its forwarding and region headers are believed.
    Trusted,
    /// They are not.
    Stranger,
}

/// Who belongs to which region.
pub struct RegionTable {
    names: Vec<String>,
    by_name: HashMap<String, RegionIx, RandomState>,
    headers: Vec<HeaderRule>,
    hosts: HostMap<RegionIx>,
    networks: NetworkMap,
    own: RegionIx,
}

/// A header and the regions that its values name.
struct HeaderRule {
    name: HeaderName,
    values: Vec<(String, RegionIx)>,
}

impl RegionTable {
    /// The table of these regions; `own` is the node's, and one of them.
    pub fn new(rules: Vec<RegionRule>, own: RegionIx) -> Self {
        let mut headers: Vec<HeaderRule> = Vec::new();
        let mut hosts = HostMap::default();
        let mut networks = Vec::new();
        let mut names = Vec::with_capacity(rules.len());
        let mut by_name = HashMap::default();
        for (rule, at) in rules.into_iter().zip(0..=u16::MAX) {
            let region = RegionIx(at);
            by_name.entry(rule.name.clone()).or_insert(region);
            names.push(rule.name);
            if let Some((name, value)) = rule.header {
                match headers.iter_mut().find(|known| known.name == name) {
                    Some(known) => known.values.push((value, region)),
                    None => headers.push(HeaderRule { name, values: vec![(value, region)] }),
                }
            }
            for host in &rule.hosts {
                hosts.entry(host).get_or_insert(region);
            }
            networks.extend(rule.networks.iter().map(|network| (network, region)));
        }
        let networks = NetworkMap::new(&networks);
        Self { names, by_name, headers, hosts, networks, own }
    }

    /// How many regions there are.
    #[expect(clippy::len_without_is_empty, reason = "there is always the node's own region")]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The node's own region.
    pub fn own(&self) -> RegionIx {
        self.own
    }

    /// The region of this name.
    pub fn named(&self, name: &str) -> Option<RegionIx> {
        self.by_name.get(name).copied()
    }

    /// All names, in the order of the indexes.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.iter().map(String::as_str)
    }

    /// A region's name.
    pub fn name(&self, region: RegionIx) -> &str {
        &self.names[usize::from(region.0)]
    }

    /// The region of a request to the canonical `host`.
    pub fn find(
        &self,
        host: &str,
        headers: &HeaderMap,
        client: ClientAddr,
        trust: Trust,
    ) -> RegionIx {
        let told = match trust {
            Trust::Trusted => self.headers.iter().find_map(|rule| rule.find(headers)),
            Trust::Stranger => None,
        };
        told.or_else(|| self.hosts.most_specific_first(host).next().copied())
            .or_else(|| self.networks.find(client.0))
            .unwrap_or(self.own)
    }
}

impl HeaderRule {
    fn find(&self, headers: &HeaderMap) -> Option<RegionIx> {
        let told = headers.get_all(&self.name).iter().next_back()?.to_str().ok()?.trim();
        let (_, region) = self.values.iter().find(|(value, _)| value.eq_ignore_ascii_case(told))?;
        Some(*region)
    }
}
