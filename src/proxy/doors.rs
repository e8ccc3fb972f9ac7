//! Who may come in: connections are counted by node and by address, over all workers. The counts
//! are written to when a connection opens and when it closes, and at no other time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::hold::Seats;
use super::turnstile::Turnstile;
use crate::limit;
use crate::snapshot::Limits;

/// The doors of a node, shared by its workers.
#[derive(Clone, Debug)]
pub(super) struct Doors(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    inside: AtomicUsize,
    by_address: [Mutex<HashMap<IpAddr, usize>>; limit::ADDRESS_SHARDS],
    /// Files that this process may open.
    files: u64,
    seats: Seats,
    turnstile: Turnstile,
    leaving: AtomicBool,
}

/// A connection that came in. Dropping it lets another in.
#[derive(Debug)]
pub(super) struct Inside {
    counts: Arc<Counts>,
    /// Whom it is counted for; none if its peer is trusted.
    address: Option<IpAddr>,
}

/// Which bound keeps a connection out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Full {
    /// The node's.
    Node,
    /// Its address's.
    Address,
}

impl Doors {
    /// Of an empty house that may open this many files.
    pub(super) fn new(files: u64) -> Self {
        let by_address = std::array::from_fn(|_| Mutex::default());
        Self(Arc::new(Counts {
            inside: AtomicUsize::new(0),
            by_address,
            files,
            seats: Seats::default(),
            turnstile: Turnstile::default(),
            leaving: AtomicBool::new(false),
        }))
    }

    /// For those who wait inside.
    pub(super) fn seats(&self) -> &Seats {
        &self.0.seats
    }

    /// Lets a connection in, if there is room.
    pub(super) fn enter(
        &self,
        peer: IpAddr,
        trusted: bool,
        limits: &Limits,
    ) -> Result<Inside, Full> {
        let files = usize::try_from(self.0.files / 2).unwrap_or(usize::MAX);
        let most = limits.connections.min(files.max(1));
        // Relaxed: a number, not an order.
        if self.0.inside.fetch_add(1, Ordering::Relaxed) >= most {
            self.0.inside.fetch_sub(1, Ordering::Relaxed);
            return Err(Full::Node);
        }
        let address = (!trusted).then(|| subscriber(peer));
        // ORDER: from here on dropping it takes the first count back.
        let mut inside = Inside { counts: Arc::clone(&self.0), address: None };
        if let Some(address) = address {
            let mut counts = lock(self.0.shard(address));
            let count = counts.entry(address).or_insert(0);
            if *count >= limits.connections_per_address {
                return Err(Full::Address);
            }
            *count += 1;
            inside.address = Some(address);
        }
        Ok(inside)
    }

    /// Nobody should be sent here any more.
    pub(super) fn leave(&self) {
        self.0.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether nobody should be sent here any more.
    pub(super) fn is_leaving(&self) -> bool {
        self.0.leaving.load(Ordering::Relaxed)
    }

    /// Where visitors are let into a closed place by number.
    pub(super) fn turnstile(&self) -> &Turnstile {
        &self.0.turnstile
    }

    /// Whether a file of this number leaves those alone that connections must leave to others:
    /// the system gives the lowest number that is free.
    pub(super) fn spares(&self, file: i32) -> bool {
        let used = u64::try_from(file).unwrap_or(0);
        used < self.0.files.saturating_sub(limit::FILES_RESERVED.min(self.0.files / 4))
    }
}

impl Counts {
    fn shard(&self, address: IpAddr) -> &Mutex<HashMap<IpAddr, usize>> {
        let last = match address {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(address) => address.octets()[7],
        };
        &self.by_address[usize::from(last) % limit::ADDRESS_SHARDS]
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.counts.inside.fetch_sub(1, Ordering::Relaxed);
        let Some(address) = self.address else { return };
        let mut counts = lock(self.counts.shard(address));
        match counts.get_mut(&address) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                counts.remove(&address);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A count is whole at any time: nothing panics between two of its writes.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one subscriber holds: an IPv4 address, or a /64 of IPv6.
fn subscriber(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

/// Raises the number of files that this process may open to what the system lets it, and gives
/// it.
pub(super) fn raise_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let files = if raised.is_ok() { maximum } else { current };
    files.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(connections: usize, connections_per_address: usize) -> Limits {
        Limits { connections, connections_per_address, ..Limits::default() }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_node_is_full_before_an_address_is() {
        let doors = Doors::new(1_000);
        let two = limits(2, 100);
        let first = doors.enter(ip("10.0.0.1"), false, &two).expect("room");
        let _second = doors.enter(ip("10.0.0.1"), true, &two).expect("room");
        assert_eq!(doors.enter(ip("10.0.0.2"), true, &two).err(), Some(Full::Node));
        drop(first);
        assert!(doors.enter(ip("10.0.0.2"), false, &two).is_ok());
    }

    #[test]
    fn one_subscriber_takes_its_share_and_no_more() {
        let doors = Doors::new(1_000);
        let two = limits(100, 2);
        let enter = |peer: &str| doors.enter(ip(peer), false, &two);
        let _first = enter("2001:db8::1").expect("room");
        let second = enter("2001:db8::2").expect("room");
        assert_eq!(enter("2001:db8::3").err(), Some(Full::Address));
        let _other = enter("2001:db8:0:1::1").expect("another network");
        let _mapped = enter("::ffff:10.0.0.1").expect("room");
        assert!(doors.enter(ip("2001:db8::3"), true, &two).is_ok(), "trusted");
        drop(second);
        assert!(enter("2001:db8::3").is_ok());
        assert_eq!(doors.0.inside.load(Ordering::Relaxed), 3, "all others have left");
    }

    #[test]
    fn connections_never_take_more_than_half_of_the_files() {
        let doors = Doors::new(4);
        let _held = [(), ()].map(|()| doors.enter(ip("10.0.0.1"), true, &limits(9, 9)));
        assert_eq!(doors.enter(ip("10.0.0.1"), true, &limits(9, 9)).err(), Some(Full::Node));
        assert!(doors.spares(2) && !doors.spares(3));
    }
}
