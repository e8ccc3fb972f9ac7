//! Client networks to regions, longest prefix first.

use std::net::IpAddr;

use ipnet::IpNet;

use super::RegionIx;

/// The address space cut into pieces, each of which belongs to the longest prefix over it. A
/// look-up is one binary search, however deep networks are nested.
pub(super) struct NetworkMap {
    v4: Pieces,
    v6: Pieces,
}

impl NetworkMap {
    /// The map of these networks. Of two equal ones, the first counts.
    pub(super) fn new(networks: &[(IpNet, RegionIx)]) -> Self {
        let (v4, v6): (Vec<_>, Vec<_>) =
            networks.iter().partition(|(network, _)| matches!(network, IpNet::V4(_)));
        Self { v4: Pieces::new(&v4), v6: Pieces::new(&v6) }
    }

    /// The region of the longest prefix over an address. An IPv4 address mapped into IPv6 counts
    /// as IPv4.
    pub(super) fn find(&self, address: IpAddr) -> Option<RegionIx> {
        match address.to_canonical() {
            address @ IpAddr::V4(_) => self.v4.find(number(address)),
            address @ IpAddr::V6(_) => self.v6.find(number(address)),
        }
    }
}

/// Where each piece begins and whose it is, in order. Before the first one is nobody's.
struct Pieces(Vec<(u128, Option<RegionIx>)>);

impl Pieces {
    fn new(networks: &[(IpNet, RegionIx)]) -> Self {
        let mut spans: Vec<Span> = networks.iter().map(Span::of).collect();
        // Outer networks before inner ones; the sort is stable, so of equal ones the first stays.
        spans.sort_by_key(|span| (span.first, std::cmp::Reverse(span.last)));
        spans.dedup_by_key(|span| (span.first, span.last));
        let mut pieces = Self(Vec::with_capacity(2 * spans.len()));
        let mut around: Vec<Span> = Vec::new();
        for span in spans {
            pieces.close(&mut around, |outer| outer.last < span.first);
            pieces.begin(span.first, Some(span.region));
            around.push(span);
        }
        pieces.close(&mut around, |_| true);
        pieces
    }

    /// Ends the networks that `is_over`, from the inside to the outside.
    fn close(&mut self, around: &mut Vec<Span>, is_over: impl Fn(&Span) -> bool) {
        while let Some(inner) = around.pop_if(|inner| is_over(inner)) {
            if let Some(after) = inner.last.checked_add(1) {
                self.begin(after, around.last().map(|outer| outer.region));
            }
        }
    }

    fn begin(&mut self, at: u128, region: Option<RegionIx>) {
        match self.0.last_mut() {
            Some(last) if last.0 == at => last.1 = region,
            Some(_) | None => self.0.push((at, region)),
        }
    }

    fn find(&self, address: u128) -> Option<RegionIx> {
        let after = self.0.partition_point(|(first, _)| *first <= address);
        self.0[..after].last().and_then(|(_, region)| *region)
    }
}

/// One network as numbers. Two of them are apart, or one holds the other.
struct Span {
    first: u128,
    last: u128,
    region: RegionIx,
}

impl Span {
    fn of((network, region): &(IpNet, RegionIx)) -> Self {
        let (first, last) = (number(network.network()), number(network.broadcast()));
        Self { first, last, region: *region }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}
