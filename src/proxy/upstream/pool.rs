//! The servers that a worker knows, and their connections, from one snapshot to the next.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::super::deadline::Sweep;
use super::connect::Manner;
use super::group::Group;
use super::server::Server;
use super::way::Way;
use crate::addr::ServerAddr;
use crate::clock::Tick;
use crate::limit;
use crate::snapshot::{Member, Upstream};

/// See the module. What two upstreams say of one address stays apart: they may speak to it
/// differently.
pub(in crate::proxy) struct Pool {
    groups: RefCell<HashMap<Arc<str>, Rc<Group>>>,
    servers: RefCell<HashMap<Identity, Rc<Server>>>,
    sweep: Rc<Sweep>,
    workers: usize,
    began: Tick,
}

/// A server: by its upstream's name and where it is.
type Identity = (Arc<str>, ServerAddr);

impl Pool {
    /// An empty pool on the clock, which began then, of one of so many workers.
    pub(in crate::proxy) fn new(sweep: Rc<Sweep>, began: Tick, workers: usize) -> Rc<Self> {
        Rc::new(Self {
            groups: RefCell::default(),
            servers: RefCell::default(),
            sweep,
            workers,
            began,
        })
    }

    /// The way to an upstream as a new snapshot shows it.
    pub(in crate::proxy) fn way(&self, upstream: &Upstream, members: &[Member]) -> Way {
        let group = {
            let mut groups = self.groups.borrow_mut();
            Rc::clone(groups.entry(Arc::clone(&upstream.name)).or_default())
        };
        let manner = Rc::new(Manner::of(upstream));
        let most = upstream.care.connections_max.map_or(usize::MAX, |most| self.share(most));
        // Whoever was there before this worker is spared nothing.
        let millis = |since: Tick| u64::try_from(since.since(self.began).as_millis()).ok();
        let mut servers = self.servers.borrow_mut();
        let server = |member: &Member| {
            let key = (Arc::clone(&upstream.name), member.address);
            let server = servers
                .entry(key)
                .or_insert_with(|| Server::new(member, &group, &self.sweep, &manner));
            let since = member.since.and_then(millis).unwrap_or(0);
            server.stands(member, most, &manner, since);
            Rc::clone(server)
        };
        let servers = members.iter().map(server).collect();
        Way::new(upstream, group, servers, self.share(upstream.care.queue_max))
    }

    /// Closes connections that have been idle for too long, and forgets servers that no snapshot
    /// names any more.
    pub(in crate::proxy) fn prune(&self) {
        let span = u64::try_from(limit::POOL_IDLE.as_millis()).unwrap_or(u64::MAX);
        let oldest = self.sweep.now().saturating_sub(span);
        self.servers.borrow_mut().retain(|_, server| {
            server.prune(oldest);
            Rc::strong_count(server) > 1
        });
        self.groups.borrow_mut().retain(|_, group| Rc::strong_count(group) > 1);
    }

    /// A worker's share of what a node may do.
    fn share(&self, most: usize) -> usize {
        (most / self.workers).max(1)
    }
}
