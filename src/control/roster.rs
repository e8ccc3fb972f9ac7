//! What is known of every server: where it is, how it is, and what operators say of it.
//!
//! The reconciler holds one [`Servers`], changes it by what health checks, look-ups and operators
//! tell, and publishes the roster that follows from it. Nothing here waits or asks anybody.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::addr::ServerAddr;
use crate::clock::{Tick, Wall};
use crate::duty::{Duty, Posting};
use crate::snapshot::{Member, Roster, Site};

/// Every server of the config in force, and every decision that operators made.
#[derive(Clone, Debug, Default)]
pub struct Servers {
    pools: Vec<Pool>,
    /// By upstream and server. Those of servers that the config does not name wait here.
    postings: BTreeMap<(String, String), Posting>,
}

/// The servers of one upstream.
#[derive(Clone, Debug)]
pub struct Pool {
    /// The upstream's name.
    pub name: Arc<str>,
    /// In the order of the config.
    pub servers: Vec<Server>,
}

/// One server of an upstream.
#[derive(Clone, Debug)]
pub struct Server {
    /// As it is typed in the config.
    pub name: Arc<str>,
    /// Its share of the requests.
    pub weight: u32,
    /// Where it is: one place for each address of its name.
    pub places: Vec<Place>,
    /// What operators said last; none if they never did.
    pub posting: Option<Posting>,
}

/// A server at one address.
#[derive(Clone, Debug)]
pub struct Place {
    /// The address.
    pub address: ServerAddr,
    /// How it is.
    pub health: Health,
    since: Option<Tick>,
}

/// How a server is at one address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(tag = "health", rename_all = "snake_case")]
pub enum Health {
    /// The config asks for no checks.
    Unchecked,
    /// No check has ended yet; it counts as healthy.
    Unknown,
    /// Checks say that it is well.
    Healthy {
        /// Since when.
        health_since: Wall,
    },
    /// Checks say that it is not.
    Unhealthy {
        /// Since when.
        health_since: Wall,
        /// What the last check before that saw.
        health_error: String,
    },
}

/// Something that was seen of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// The server as it is typed.
    pub server: Arc<str>,
    /// What was seen.
    pub what: Sight,
}

/// What was seen of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sight {
    /// Its name leads here.
    Addresses(Vec<ServerAddr>),
    /// So it is at this address.
    Health(ServerAddr, Health),
}

impl Health {
    /// Whether it is asked.
    pub const fn is_well(&self) -> bool {
        match self {
            Self::Unchecked | Self::Unknown | Self::Healthy { .. } => true,
            Self::Unhealthy { .. } => false,
        }
    }
}

impl Server {
    /// What operators say of it.
    pub fn duty(&self) -> Duty {
        self.posting.as_ref().map_or(Duty::Ready, |posting| posting.state)
    }
}

impl Servers {
    /// The servers of a config at the start, with the decisions that the store has.
    pub fn of(site: &Site, postings: Vec<Posting>) -> Self {
        let key = |posting: &Posting| (posting.upstream.clone(), posting.server.clone());
        let postings = postings.into_iter().map(|posting| (key(&posting), posting)).collect();
        Self { pools: Vec::new(), postings }.under(site, None)
    }

    /// The servers of another config. What is known of one that has the same name in an upstream
    /// of the same name stays known; one that is new becomes eligible `now`.
    pub fn under(&self, site: &Site, now: Option<Tick>) -> Self {
        let pools = site.upstreams.iter().map(|upstream| {
            let known = self.pool(&upstream.name);
            let is_checked = upstream.health.is_some();
            let servers = upstream.servers.iter().map(|server| {
                let known = known.and_then(|pool| pool.server(&server.name));
                let key = (upstream.name.to_string(), server.name.to_string());
                Server {
                    name: Arc::clone(&server.name),
                    weight: server.weight,
                    places: places(&server.addresses, known, is_checked, now),
                    posting: self.postings.get(&key).cloned(),
                }
            });
            Pool { name: Arc::clone(&upstream.name), servers: servers.collect() }
        });
        Self { pools: pools.collect(), postings: self.postings.clone() }
    }

    /// Takes what was seen; tells whether that changes anything. What was seen of a server that
    /// the config no longer names is nothing.
    pub fn see(&mut self, seen: &Seen, now: Tick) -> bool {
        let Some(server) = self.server_mut(&seen.upstream, &seen.server) else { return false };
        match &seen.what {
            Sight::Addresses(addresses) => {
                let before: HashSet<_> = server.places.iter().map(|place| place.address).collect();
                if addresses.len() == before.len() && addresses.iter().all(|a| before.contains(a)) {
                    return false;
                }
                let first = server.places.first();
                let is_checked = first.is_some_and(|place| place.health != Health::Unchecked);
                server.places = places(addresses, Some(server), is_checked, Some(now));
            }
            Sight::Health(address, health) => {
                let place = server.places.iter_mut().find(|place| place.address == *address);
                let Some(place) = place.filter(|place| place.health != *health) else {
                    return false;
                };
                // A check that was under way when the config stopped asking for it.
                if place.health == Health::Unchecked {
                    return false;
                }
                if health.is_well() && !place.health.is_well() {
                    place.since = Some(now);
                }
                place.health = health.clone();
            }
        }
        true
    }

    /// Takes a decision that is stored.
    pub fn post(&mut self, posting: Posting, now: Tick) {
        if let Some(server) = self.server_mut(&posting.upstream, &posting.server) {
            if posting.state == Duty::Ready && server.duty() != Duty::Ready {
                server.places.iter_mut().for_each(|place| place.since = Some(now));
            }
            server.posting = Some(posting.clone());
        }
        self.postings.insert((posting.upstream.clone(), posting.server.clone()), posting);
    }

    /// What workers are told.
    pub fn roster(&self) -> Roster {
        let members = |pool: &Pool| {
            // Two names may well lead to one address, which is asked once.
            let mut seen = HashSet::new();
            let each = pool.servers.iter().flat_map(|server| {
                server.places.iter().map(|place| Member {
                    name: Arc::clone(&server.name),
                    address: place.address,
                    weight: server.weight,
                    duty: server.duty(),
                    healthy: place.health.is_well(),
                    since: place.since,
                })
            });
            each.filter(|member| seen.insert(member.address)).collect()
        };
        Roster::new(self.pools.iter().map(members).collect())
    }

    /// Every upstream, in the order of the config.
    pub fn pools(&self) -> &[Pool] {
        &self.pools
    }

    /// The upstream of this name.
    pub fn pool(&self, upstream: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| *pool.name == *upstream)
    }

    /// Decisions about servers that the config does not name: kept in case it does again.
    pub fn strangers(&self) -> impl Iterator<Item = &Posting> {
        let known = |posting: &&Posting| {
            self.pool(&posting.upstream).is_none_or(|pool| pool.server(&posting.server).is_none())
        };
        self.postings.values().filter(known)
    }

    fn server_mut(&mut self, upstream: &str, server: &str) -> Option<&mut Server> {
        let pool = self.pools.iter_mut().find(|pool| *pool.name == *upstream)?;
        pool.servers.iter_mut().find(|known| *known.name == *server)
    }
}

impl Pool {
    /// The server that is typed like this.
    pub fn server(&self, name: &str) -> Option<&Server> {
        self.servers.iter().find(|server| *server.name == *name)
    }
}

/// The places of these addresses, in the order in which they were first met.
fn places(
    addresses: &[ServerAddr],
    known: Option<&Server>,
    is_checked: bool,
    now: Option<Tick>,
) -> Vec<Place> {
    let known: &[Place] = known.map_or(&[], |server| &server.places);
    let stays = known.iter().filter(|place| addresses.contains(&place.address)).cloned();
    let is_known = |address: &ServerAddr| known.iter().any(|place| place.address == *address);
    let fresh = addresses.iter().filter(|address| !is_known(address)).map(|address| {
        let health = if is_checked { Health::Unknown } else { Health::Unchecked };
        Place { address: *address, health, since: now }
    });
    let mut places: Vec<Place> = stays.chain(fresh).collect();
    for place in &mut places {
        match (is_checked, &place.health) {
            (true, Health::Unchecked) => place.health = Health::Unknown,
            (true, Health::Unknown | Health::Healthy { .. } | Health::Unhealthy { .. }) => {}
            (false, _) => place.health = Health::Unchecked,
        }
    }
    places
}
