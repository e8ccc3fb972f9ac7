//! Refused tokens, counted by address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Tick;
use crate::limit;

/// How often each address was refused in its current span of time.
#[derive(Default)]
pub(super) struct Refusals(Mutex<HashMap<IpAddr, Refusal>>);

#[derive(Clone, Copy)]
struct Refusal {
    since: Tick,
    count: u32,
    /// How often in a row the bound was met.
    met: u32,
}

impl Refusal {
    /// A minute; twice as long each time that the bound was met in the one before.
    fn span(&self) -> Duration {
        let span = Duration::from_secs(60) * (1 << self.met.min(16));
        span.min(limit::ADMIN_REFUSALS_SPAN_MAX)
    }

    /// How long it has been quiet beyond its span.
    fn is_over(&self, now: Tick) -> bool {
        now.since(self.since) >= self.span()
    }
}

impl Refusals {
    /// Counts one more refusal of this address. None while there are few, else how long until it
    /// is told again why it is refused.
    pub(super) fn count(&self, address: IpAddr, now: Tick) -> Option<Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= limit::ADMIN_REFUSED_ADDRESSES_MAX {
            all.retain(|_, refusal| !refusal.is_over(now));
        }
        if all.len() >= limit::ADMIN_REFUSED_ADDRESSES_MAX {
            let oldest = all.iter().min_by_key(|(_, refusal)| refusal.since).map(|(at, _)| *at);
            oldest.map(|oldest| all.remove(&oldest));
        }
        let fresh = Refusal { since: now, count: 0, met: 0 };
        let refusal = all.entry(network(address)).or_insert(fresh);
        if refusal.is_over(now) {
            let many = refusal.count > limit::ADMIN_REFUSALS_PER_MINUTE_MAX;
            let quiet = now.since(refusal.since) >= refusal.span() * 2;
            let met = if many && !quiet { refusal.met + 1 } else { 0 };
            *refusal = Refusal { met, ..fresh };
        }
        refusal.count = refusal.count.saturating_add(1);
        let is_told = refusal.count <= limit::ADMIN_REFUSALS_PER_MINUTE_MAX;
        (!is_told).then(|| refusal.span().saturating_sub(now.since(refusal.since)))
    }
}

/// IPv4 addresses one by one; IPv6 by /64, since one customer has a whole one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Wall};

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn who_goes_on_guessing_is_sent_away_for_twice_as_long_each_time() {
        let start = Clock::manual(Wall::from_millis(0)).tick();
        let refusals = Refusals::default();
        let guesser: IpAddr = "192.0.2.1".parse().expect("an address");
        let mut from = start;
        for minutes in [1_u32, 2, 4, 8] {
            let told = (0..12).map(|_| refusals.count(guesser, from)).collect::<Vec<_>>();
            assert!(told[..10].iter().all(Option::is_none), "{minutes}: {told:?}");
            assert_eq!(told[11], Some(MINUTE * minutes));
            from = from.plus(MINUTE * minutes);
        }
        let other = "192.0.2.2".parse().expect("an address");
        assert_eq!(refusals.count(other, from), None, "nobody else is");
        let rested = from.plus(MINUTE * 60);
        for _ in 0..10 {
            assert_eq!(refusals.count(guesser, rested), None);
        }
        assert_eq!(refusals.count(guesser, rested), Some(MINUTE), "who rests begins anew");
    }
}
