//! Which servers of each upstream may be asked, as of one generation.
//!
//! The config says which servers there are; their addresses, their health and what operators say
//! of them change while it stays. Control writes all that into a roster and publishes it, so that
//! a worker never asks anybody but the snapshot.

use std::sync::Arc;

use super::{Site, UpstreamIx};
use crate::addr::ServerAddr;
use crate::clock::Tick;
use crate::duty::Duty;

/// The servers of every upstream, by [`UpstreamIx`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Roster {
    upstreams: Vec<Arc<[Member]>>,
}

/// A server as it stands now. A name that leads to several addresses is a member for each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// As it was typed: `app-1.internal:9000`.
    pub name: Arc<str>,
    /// Where it is.
    pub address: ServerAddr,
    /// Its share of the requests, from 1.
    pub weight: u32,
    /// What operators say.
    pub duty: Duty,
    /// What health checks say; true where there are none.
    pub healthy: bool,
    /// When it became eligible, for a slow start; none if it was from the beginning.
    pub since: Option<Tick>,
}

impl Member {
    /// Whether it is asked when nobody speaks for a certain server.
    pub fn is_eligible(&self) -> bool {
        self.healthy && self.duty == Duty::Ready
    }
}

impl Roster {
    /// Everything that the config names, at the addresses that were found when it was compiled.
    pub fn of(site: &Site) -> Self {
        let members = |servers: &[super::Server]| {
            let each = servers.iter().flat_map(|server| {
                server.addresses.iter().map(|address| Member {
                    name: Arc::clone(&server.name),
                    address: *address,
                    weight: server.weight,
                    duty: Duty::Ready,
                    healthy: true,
                    since: None,
                })
            });
            each.collect()
        };
        Self { upstreams: site.upstreams.iter().map(|up| members(&up.servers)).collect() }
    }

    /// A roster of these members.
    pub fn new(upstreams: Vec<Arc<[Member]>>) -> Self {
        Self { upstreams }
    }

    /// The servers of an upstream.
    pub fn members(&self, upstream: UpstreamIx) -> &Arc<[Member]> {
        &self.upstreams[upstream.0 as usize]
    }
}
