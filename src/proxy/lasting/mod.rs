//! What does not end by itself: WebSockets, event streams, gRPC streams.
//!
//! When their place closes, or the node stops, they are let be until the drain deadline; then each
//! has its turn at a random moment of a bounded time, and takes leave in its own protocol's words.
//! Whatever else is under way (a download, a long poll) is never cut by a window.
//!
//! Nothing here runs while nothing is closed: the worker's sweep looks at the register, and what
//! has its turn is woken by its lane's deadline [`Wait::Turn`].

pub(super) mod events;
pub(super) mod frames;
pub(super) mod leave;
pub(super) mod messages;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use slab::Slab;

use super::deadline::{Clockwork, Wait};
use super::worker::Worker;
use crate::clock::Wall;
use crate::decide::retry_after::retry_after;
use crate::limit;
use crate::region::RegionIx;
use crate::route::RouteIx;
use crate::snapshot::{Closure, Pass, Reads, Site, Snapshot};
use crate::telemetry::end::End;

/// All that lasts on one worker.
#[derive(Default)]
pub(super) struct Register {
    entries: RefCell<Slab<Entry>>,
}

struct Entry {
    place: Place,
    clockwork: Clockwork,
    /// Whether its turn was set.
    called: bool,
}

/// Where something lasts: indexes of the site it was judged by.
pub(super) struct Place {
    site: Arc<Site>,
    route: RouteIx,
    region: RegionIx,
    method: Method,
    reads: Reads,
    /// The bypass by which it came into a closed place.
    pass: Option<Pass>,
}

/// Why something that lasts ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Why {
    /// A window closed its place.
    Window,
    /// The node stops.
    Stop,
}

impl Why {
    /// What is told of it.
    pub(super) const fn end(self) -> End {
        match self {
            Self::Window => End::ProxyAnswerClosed,
            Self::Stop => End::ProxyAnswerStop,
        }
    }

    /// What its client is told.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Window => "closed for maintenance",
            Self::Stop => "the proxy restarts",
        }
    }
}

/// Something that lasts, on the register until this is dropped.
pub(super) struct Lasting {
    worker: Rc<Worker>,
    clockwork: Clockwork,
    key: usize,
}

impl Place {
    /// Where a request of this method is.
    pub(super) fn of(
        site: &Arc<Site>,
        (route, region): (RouteIx, RegionIx),
        method: &Method,
    ) -> Self {
        let reads = Reads::Beyond;
        Self { site: Arc::clone(site), route, region, method: method.clone(), reads, pass: None }
    }

    /// What closes it in `snapshot`. After a reload routes and regions are known by their names.
    pub(super) fn closure<'s>(
        &self,
        snapshot: &'s Snapshot,
        now: Wall,
    ) -> Option<&'s Arc<Closure>> {
        if Arc::ptr_eq(&self.site, &snapshot.site) {
            return snapshot.cells.closure_for(self.route, self.region, &self.method, now);
        }
        let route = snapshot.site.route_named(&self.site.rules(self.route).name)?;
        let region = snapshot.site.regions.named(self.site.regions.name(self.region))?;
        snapshot.cells.closure_for(route, region, &self.method, now)
    }

    fn is_over(&self, snapshot: &Snapshot, now: Wall) -> bool {
        if self.pass.is_some_and(|pass| snapshot.beside.grants.holds(pass, now)) {
            return false;
        }
        // Who is under way while a place reopens was let in.
        let closure = self.closure(snapshot, now).filter(|by| by.course.ramp.is_none());
        let deadline = closure.and_then(|by| by.drain_deadline(self.reads));
        deadline.is_some_and(|deadline| deadline <= now)
    }
}

impl Register {
    /// Gives a turn to whatever must end by now, and takes it back from what may stay because its
    /// window ended meanwhile. `spread` is the time over which the turns of a window fall.
    pub(super) fn call(&self, worker: &Worker, snapshot: &Snapshot, spread: Duration) {
        let mut entries = self.entries.borrow_mut();
        let (drain, now) = (worker.drain(), worker.time.now());
        if drain.is_none()
            && snapshot.cells.is_open()
            && entries.iter().all(|(_, entry)| !entry.called)
        {
            return;
        }
        let (after, over) = drain.map_or((Duration::ZERO, spread), |drain| drain.turns(spread));
        let over = u64::try_from(over.as_millis()).unwrap_or(u64::MAX).max(1);
        for (_, entry) in &mut *entries {
            let ends = drain.is_some() || entry.place.is_over(snapshot, now);
            if ends && !entry.called {
                let turn = after + Duration::from_millis(worker.jitter() % over);
                entry.clockwork.restart(Wait::Turn, turn);
            }
            if !ends && entry.called {
                entry.clockwork.clear(Wait::Turn);
            }
            entry.called = ends;
        }
    }
}

impl Lasting {
    /// Puts something on the register that was judged by this site to be at this place.
    pub(super) fn begin(
        worker: &Rc<Worker>,
        site: &Arc<Site>,
        (route, region): (RouteIx, RegionIx),
        (method, reads, pass): (&Method, Reads, Option<Pass>),
        clockwork: Clockwork,
    ) -> Self {
        let place = Place { reads, pass, ..Place::of(site, (route, region), method) };
        let entry = Entry { place, clockwork: clockwork.clone(), called: false };
        let key = worker.lasting.entries.borrow_mut().insert(entry);
        Self { worker: Rc::clone(worker), clockwork, key }
    }

    /// Whether its turn to end has come.
    pub(super) fn is_due(&self) -> bool {
        self.clockwork.passed(Wait::Turn)
    }

    /// Whether it has had the time to take leave.
    pub(super) fn is_overdue(&self) -> bool {
        self.clockwork.passed_by(Wait::Turn, limit::LEAVE)
    }

    /// Why it ends.
    pub(super) fn why(&self) -> Why {
        if self.worker.stopping() { Why::Stop } else { Why::Window }
    }

    /// Milliseconds after which its client may come back, jittered; none if nobody knows.
    pub(super) fn back_in_ms(&self) -> Option<u64> {
        let jitter = self.worker.jitter();
        if self.worker.stopping() {
            let least = limit::EVENTS_RETRY_STOP.as_millis() as u64;
            return Some(least + jitter % (least + 1));
        }
        let snapshot = Arc::clone(&self.worker.current().snapshot);
        let entries = self.worker.lasting.entries.borrow();
        let now = self.worker.time.now();
        let closure = entries.get(self.key)?.place.closure(&snapshot, now)?;
        let seconds = retry_after(closure.until, now, jitter)?;
        Some(seconds.saturating_mul(1000).saturating_add(jitter % 1000))
    }

    /// A number that nobody foresees well enough to matter: for jitter and for masks.
    pub(super) fn jitter(&self) -> u64 {
        self.worker.jitter()
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        // The lane may carry another request after this one.
        self.clockwork.clear(Wait::Turn);
        self.worker.lasting.entries.borrow_mut().remove(self.key);
    }
}
