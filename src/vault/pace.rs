//! How often an address may do something that costs us: a bucket for each, bounded in number.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Tick;
use crate::limit;

const MINUTE: Duration = Duration::from_secs(60);

/// Buckets by address. An address may do at once what it may do in a minute, and then as much as
/// flows back.
#[derive(Default)]
pub(super) struct Pace {
    /// When each bucket is at rest again; one that is at rest says nothing.
    busy: Mutex<HashMap<IpAddr, Tick>>,
}

impl Pace {
    /// Takes one; how long to wait where there is none. Zero a minute is no bound.
    pub(super) fn take(&self, address: IpAddr, per_minute: u32, now: Tick) -> Result<(), Duration> {
        if per_minute == 0 {
            return Ok(());
        }
        let (address, each) = (network_of(address), MINUTE / per_minute);
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if busy.len() >= limit::PACED_ADDRESSES_MAX && !busy.contains_key(&address) {
            busy.retain(|_, rest| *rest > now);
            // So many at once are no visitors; what they may do is bounded elsewhere too.
            if busy.len() >= limit::PACED_ADDRESSES_MAX {
                return Ok(());
            }
        }
        let rest = busy.get(&address).copied().filter(|rest| *rest > now).unwrap_or(now);
        let rest_after = rest.plus(each);
        let over = rest_after.since(now).saturating_sub(MINUTE);
        if !over.is_zero() {
            return Err(over);
        }
        busy.insert(address, rest_after);
        Ok(())
    }

    /// Gives one back that was taken.
    pub(super) fn give_back(&self, address: IpAddr, per_minute: u32) {
        let Some(each) = MINUTE.checked_div(per_minute) else { return };
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rest) = busy.get_mut(&network_of(address)) {
            *rest = rest.minus(each);
        }
    }
}

/// One household has a /64 of IPv6, and may take any address of it.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn an_address_gets_its_share_a_minute_and_no_other_s() {
        let (pace, start) = (Pace::default(), Clock::System.tick());
        let ada: IpAddr = "192.0.2.1".parse().expect("an address");
        let same: IpAddr = "::ffff:192.0.2.1".parse().expect("an address");
        for _ in 0..5 {
            assert_eq!(pace.take(ada, 5, start), Ok(()));
        }
        let wait = pace.take(same, 5, start).expect_err("one too many");
        assert_eq!(wait, Duration::from_secs(12));
        assert_eq!(pace.take("192.0.2.2".parse().expect("an address"), 5, start), Ok(()));
        assert_eq!(pace.take(ada, 5, start.plus(wait)), Ok(()));
        assert!(pace.take(ada, 5, start.plus(wait)).is_err());
        pace.give_back(ada, 5);
        assert_eq!(pace.take(ada, 5, start.plus(wait)), Ok(()));
        assert_eq!(pace.take(ada, 0, start), Ok(()), "no bound");
    }

    #[test]
    fn a_household_is_one_address() {
        let (pace, start) = (Pace::default(), Clock::System.tick());
        let of = |end: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, end]);
        assert_eq!(pace.take(of(1), 1, start), Ok(()));
        assert!(pace.take(of(2), 1, start).is_err());
    }
}
