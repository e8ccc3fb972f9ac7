//! The way to an upstream: its servers as one snapshot shows them, and who of them is next.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use super::balance::{self, Candidate};
use super::group::{self, Group};
use super::server::{Held, Server};
use crate::addr::ClientAddr;
use crate::snapshot::{Balance, Ejection, HashBy, Upstream};

/// See the module.
pub(in crate::proxy) struct Way {
    group: Rc<Group>,
    servers: Vec<Rc<Server>>,
    balance: Balance,
    ejection: Option<Ejection>,
    slow_start: u64,
    queue_max: usize,
    credit: RefCell<Vec<i64>>,
    drawn: Cell<u64>,
}

/// What became of the search for a server.
pub(in crate::proxy) enum Drawn {
    /// A place at one.
    Held(Held),
    /// All that may be asked are as busy as they may be.
    Full,
    /// None may be asked.
    Nobody,
}

/// The servers that a request was sent to in vain.
#[derive(Default)]
pub(in crate::proxy) struct Tried(Vec<Rc<Server>>);

impl Tried {
    /// Adds one.
    pub(in crate::proxy) fn add(&mut self, server: &Rc<Server>) {
        self.0.push(Rc::clone(server));
    }

    /// Begins anew.
    pub(in crate::proxy) fn forget(&mut self) {
        self.0.clear();
    }

    fn has(&self, server: &Rc<Server>) -> bool {
        self.0.iter().any(|tried| Rc::ptr_eq(tried, server))
    }
}

impl Way {
    /// To these servers of an upstream.
    pub(super) fn new(
        upstream: &Upstream,
        group: Rc<Group>,
        servers: Vec<Rc<Server>>,
        queue_max: usize,
    ) -> Self {
        Self {
            group,
            balance: upstream.care.balance.clone(),
            ejection: upstream.care.ejection,
            slow_start: u64::try_from(upstream.care.slow_start.as_millis()).unwrap_or(u64::MAX),
            queue_max,
            credit: RefCell::new(vec![0; servers.len()]),
            drawn: Cell::new(balance::mixed(std::process::id().into())),
            servers,
        }
    }

    /// What stands for a visitor who is always sent to the same server, and whether the visitor was
    /// there before, as far as one can see.
    pub(in crate::proxy) fn key(&self, fields: &HeaderMap, client: ClientAddr) -> Option<Key> {
        let Balance::Hash(by) = &self.balance else { return None };
        let (hash, bound) = match by {
            HashBy::Client => {
                // Every visitor has an address: it binds nobody.
                let hash = match client.0 {
                    std::net::IpAddr::V4(v4) => balance::hash(&v4.octets()),
                    std::net::IpAddr::V6(v6) => balance::hash(&v6.octets()),
                };
                (hash, false)
            }
            HashBy::Header(name) => (balance::hash(fields.get(name)?.as_bytes()), true),
            HashBy::Cookie(name) => (balance::hash(cookie(fields, name)?), true),
        };
        Some(Key { hash, bound })
    }

    /// A place at the server that is next, but at none of `tried`. Those that are not well are
    /// asked only if there is no other.
    pub(in crate::proxy) fn draw(&self, key: Option<Key>, tried: &Tried, now: u64) -> Drawn {
        if self.group.is_awaited() && tried.0.is_empty() {
            return Drawn::Full;
        }
        let bound = key.is_some_and(|key| key.bound);
        let may = |server: &Rc<Server>| server.takes(bound) && !tried.has(server);
        if let [server] = &self.servers[..] {
            return if may(server) { held(server) } else { Drawn::Nobody };
        }
        let well = |server: &Rc<Server>| may(server) && server.is_well(now);
        if self.servers.iter().any(well) {
            self.draw_among(key, now, well)
        } else if self.servers.iter().any(may) {
            self.draw_among(key, now, may)
        } else {
            Drawn::Nobody
        }
    }

    fn draw_among(
        &self,
        key: Option<Key>,
        now: u64,
        may: impl Fn(&Rc<Server>) -> bool + Copy,
    ) -> Drawn {
        let slow_start = if key.is_some() { 0 } else { self.slow_start };
        let candidates = self.servers.iter().enumerate();
        let candidates = candidates
            .filter(move |(_, server)| may(server) && server.has_room())
            .map(move |(at, server): (usize, &Rc<Server>)| server.candidate(at, now, slow_start));
        let drawn = self.choose(key, candidates);
        drawn.map_or(Drawn::Full, |at| held(&self.servers[at]))
    }

    fn choose(
        &self,
        key: Option<Key>,
        candidates: impl Iterator<Item = Candidate> + Clone,
    ) -> Option<usize> {
        match (key, &self.balance) {
            (Some(key), _) => balance::of_key(candidates, key.hash),
            (None, Balance::LeastRequests) => balance::less_busy(candidates, || self.random()),
            (None, Balance::RoundRobin | Balance::Hash(_)) => {
                balance::in_turn(candidates, &mut self.credit.borrow_mut())
            }
        }
    }

    fn random(&self) -> u64 {
        let next = self.drawn.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.drawn.set(next);
        balance::mixed(next)
    }

    /// What its servers share.
    pub(in crate::proxy) fn group(&self) -> &Group {
        &self.group
    }

    /// How many may wait for a place.
    pub(in crate::proxy) fn queue_max(&self) -> usize {
        self.queue_max
    }

    /// Whether there is another server to turn to.
    pub(in crate::proxy) fn has_choice(&self) -> bool {
        self.servers.len() > 1
    }

    /// A server answered.
    pub(in crate::proxy) fn succeeded(&self, server: &Server) {
        server.outlier.succeeded(server.sweep.now());
    }

    /// A server failed. True if it is passed over from now on.
    pub(in crate::proxy) fn failed(&self, server: &Server) -> bool {
        let Some(rule) = &self.ejection else { return false };
        let now = server.sweep.now();
        if !server.outlier.failed(now, rule) {
            return false;
        }
        let out = self.servers.iter().filter(|other| other.outlier.is_out(now)).count();
        let most = self.servers.len() * rule.share_max as usize / 100;
        if out >= most {
            return false;
        }
        server.outlier.eject(now, rule);
        true
    }

    /// Gives places that became free other than by a request's end (a server that came, or is well
    /// again) to those who wait.
    pub(in crate::proxy) fn serve_waiting(&self, now: u64) {
        group::serve_waiting(&self.group, || {
            let may = |server: &Rc<Server>| server.takes(false) && server.is_well(now);
            match self.draw_among(None, now, may) {
                Drawn::Held(held) => Some(held),
                Drawn::Full | Drawn::Nobody => None,
            }
        });
    }
}

/// What stands for a visitor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::proxy) struct Key {
    hash: u64,
    /// The visitor was there before, and may have left something at the server.
    bound: bool,
}

fn held(server: &Rc<Server>) -> Drawn {
    server.hold().map_or(Drawn::Full, Drawn::Held)
}

/// The value of the first cookie of this name.
fn cookie<'a>(fields: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let values = fields.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let mut pairs = values.flat_map(|value| value.split(|byte| *byte == b';'));
    pairs.find_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}
