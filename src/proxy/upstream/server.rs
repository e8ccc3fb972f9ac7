//! One server of an upstream, as one worker knows it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::super::deadline::Sweep;
use super::balance::{self, Candidate};
use super::connect::Manner;
use super::group::Group;
use super::lease::{Carrier, Exclusive, Lease};
use super::outlier::Outlier;
use super::session::Sessions;
use crate::addr::ServerAddr;

use crate::limit;
use crate::snapshot::{Duty, Member, Speaks};

/// See the module.
pub(in crate::proxy) struct Server {
    pub(super) address: ServerAddr,
    pub(super) name: Arc<str>,
    pub(super) group: Rc<Group>,
    pub(super) sweep: Rc<Sweep>,
    pub(super) outlier: Outlier,
    pub(super) sessions: Sessions,
    standing: Cell<Standing>,
    manner: RefCell<Rc<Manner>>,
    /// Counts changes of the manner: connections of before are not used again.
    pub(super) epoch: Cell<u32>,
    in_flight: Cell<usize>,
    idle: RefCell<Vec<Idle>>,
    mark: u64,
}

/// What the newest snapshot says of a server.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Standing {
    weight: u32,
    duty: Duty,
    healthy: bool,
    /// Requests at once.
    most: usize,
    /// Since when it is eligible, in milliseconds of the worker's clock; 0 is always.
    since: u64,
}

struct Idle {
    connection: Exclusive,
    since: u64,
}

/// A place at a server: one of the requests that it may be asked at once.
pub(in crate::proxy) struct Held {
    server: Option<Rc<Server>>,
}

impl Server {
    /// A server that nothing is known of yet.
    pub(super) fn new(
        member: &Member,
        group: &Rc<Group>,
        sweep: &Rc<Sweep>,
        manner: &Rc<Manner>,
    ) -> Rc<Self> {
        let address = member.address;
        Rc::new(Self {
            address,
            name: Arc::clone(&member.name),
            group: Rc::clone(group),
            sweep: Rc::clone(sweep),
            outlier: Outlier::default(),
            sessions: Sessions::default(),
            standing: Cell::new(Standing {
                weight: member.weight,
                duty: Duty::Maint,
                healthy: false,
                most: usize::MAX,
                since: 0,
            }),
            manner: RefCell::new(Rc::clone(manner)),
            epoch: Cell::new(0),
            in_flight: Cell::new(0),
            idle: RefCell::default(),
            mark: balance::hash(address.to_string().as_bytes()),
        })
    }

    /// What a new snapshot says of it; `since` is as in [`Standing`].
    pub(super) fn stands(&self, member: &Member, most: usize, manner: &Rc<Manner>, since: u64) {
        self.standing.set(Standing {
            weight: member.weight,
            duty: member.duty,
            healthy: member.healthy,
            most,
            since,
        });
        let before = self.manner.replace(Rc::clone(manner));
        if !before.is_same(manner) {
            self.epoch.set(self.epoch.get() + 1);
            self.idle.borrow_mut().clear();
            self.sessions.retire();
        }
    }

    /// How it is connected to.
    pub(super) fn manner(&self) -> Rc<Manner> {
        Rc::clone(&self.manner.borrow())
    }

    /// Whether it is well: neither its health checks nor its answers say otherwise.
    pub(super) fn is_well(&self, now: u64) -> bool {
        self.standing.get().healthy && !self.outlier.is_out(now)
    }

    /// Whether operators let it be asked; `bound` for a request of a visitor who was there before.
    pub(super) fn takes(&self, bound: bool) -> bool {
        match self.standing.get().duty {
            Duty::Ready => true,
            Duty::Drain => bound,
            Duty::Maint => false,
        }
    }

    /// Whether it may be asked one more.
    pub(super) fn has_room(&self) -> bool {
        self.in_flight.get() < self.standing.get().most
    }

    /// What a choice has to know of it; its weight grows while it is spared.
    pub(super) fn candidate(&self, at: usize, now: u64, slow_start: u64) -> Candidate {
        let Standing { weight, since, .. } = self.standing.get();
        let weight = u64::from(weight) * 100;
        let since = since.max(self.outlier.until());
        let age = now.saturating_sub(since);
        let weight = if since == 0 || age >= slow_start {
            weight
        } else {
            let grown = (100 - limit::SLOW_START_FROM) * age / slow_start;
            (weight * (limit::SLOW_START_FROM + grown) / 100).max(1)
        };
        Candidate { at, weight, in_flight: self.in_flight.get(), mark: self.mark }
    }

    /// Takes a place at it, if there is room.
    pub(super) fn hold(self: &Rc<Self>) -> Option<Held> {
        self.has_room().then(|| {
            self.in_flight.set(self.in_flight.get() + 1);
            Held { server: Some(Rc::clone(self)) }
        })
    }

    fn release(&self) {
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
    }

    /// The idle connection that was used last and is still good, and since when it is idle.
    fn idle(&self) -> Option<(Exclusive, u64)> {
        let mut idle = self.idle.borrow_mut();
        let mut at = idle.len();
        while at > 0 {
            at -= 1;
            let connection = &idle[at].connection;
            if connection.is_ready() {
                let Idle { connection, since } = idle.remove(at);
                return Some((connection, since));
            }
            // If it is neither, its task has not yet seen the end of the last answer.
            if connection.is_closed() {
                idle.remove(at);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&self, connection: Exclusive) {
        let mut idle = self.idle.borrow_mut();
        let fresh = connection.epoch == self.epoch.get() && !connection.is_closed();
        if idle.len() < limit::POOL_IDLE_MAX && fresh && self.manner.borrow().is_pooled() {
            idle.push(Idle { connection, since: self.sweep.now() });
        }
    }

    /// Closes connections that have been idle since before `oldest`.
    pub(super) fn prune(&self, oldest: u64) {
        let stays = |one: &Idle| one.since >= oldest && !one.connection.is_closed();
        self.idle.borrow_mut().retain(stays);
        self.sessions.prune(oldest);
    }
}

impl Held {
    /// Where the place is.
    pub(in crate::proxy) fn server(&self) -> &Rc<Server> {
        self.server.as_ref().expect("INVARIANT: it is only taken when the place is given up")
    }

    /// A connection that is at hand; back if there is none.
    pub(in crate::proxy) fn pooled(self) -> Result<Lease, Self> {
        let server = self.server();
        match server.manner().speaks {
            Speaks::Http1 => {}
            Speaks::Http2 | Speaks::Either => {
                if let Some(stream) = server.sessions.stream(server.sweep.now()) {
                    return Ok(Lease { carrier: Carrier::Shared(stream), held: self });
                }
            }
        }
        match server.idle() {
            Some((connection, since)) => {
                let carrier = Carrier::Exclusive { connection, idle_since: Some(since) };
                Ok(Lease { carrier, held: self })
            }
            None => Err(self),
        }
    }

    /// Gives the place up though somebody may wait for it.
    pub(super) fn release(mut self) {
        if let Some(server) = self.server.take() {
            server.release();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(server) = self.server.take() else { return };
        if !server.group.is_awaited() {
            return server.release();
        }
        // Whoever waits takes the place over, unless the server is not to be asked any more.
        let may = server.takes(false)
            && server.is_well(server.sweep.now())
            && server.in_flight.get() <= server.standing.get().most;
        let group = Rc::clone(&server.group);
        let held = Self { server: Some(server) };
        match may {
            true => group.hand_over(held).err().into_iter().for_each(Self::release),
            false => held.release(),
        }
    }
}
