//! Requests in flight whose place a window closes for good: cut off when the time to drain is over,
//! if the window says so.
//!
//! Nobody keeps a list of them. When a window begins to cut, the worker wakes all that wait, and
//! each looks for itself; while none does, what that costs is one look at a number.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use http::Method;

use super::deadline::Sweep;
use super::head::Judged;
use super::lane::Lane;
use super::lasting::Place;
use super::worker::{Current, Worker};
use crate::clock::Wall;
use crate::region::RegionIx;
use crate::route::RouteIx;
use crate::snapshot::{Closure, Cut, Reads, Snapshot};

/// By which snapshot how many windows cut off what is in flight somewhere.
#[derive(Default)]
pub(super) struct Cuts(Cell<(u64, usize)>);

impl Cuts {
    /// Lets whatever is in flight look whether a window cuts it off, when one begins to.
    pub(super) fn call(&self, snapshot: &Snapshot, sweep: &Sweep, now: Wall) {
        let count = if snapshot.cells.is_open() { 0 } else { snapshot.cells.cuts_by(now) };
        let cuts = (snapshot.generation, count);
        let before = self.0.replace(cuts);
        if count > 0 && before != cuts {
            sweep.wake_all();
        }
    }

    fn any(&self) -> bool {
        self.0.get().1 > 0
    }
}

/// Where a request is in flight, and by what it was judged.
#[derive(Clone)]
pub(super) struct Flight {
    worker: Rc<Worker>,
    current: Rc<Current>,
    place: Option<(RouteIx, RegionIx)>,
    /// What closed its place and let it pass nevertheless: that does not cut it off later.
    passed: Option<Arc<Closure>>,
    /// Whether it is a form that is kept at hand.
    caught: bool,
}

impl Flight {
    /// Of a request that was judged. Who was let into a closed place is never cut off.
    pub(super) fn of(lane: &Lane, judged: &Judged) -> Self {
        Self {
            worker: Rc::clone(&lane.link.worker),
            current: Rc::clone(&judged.current),
            place: judged.place.filter(|_| judged.let_in.is_none()),
            passed: judged.closure.clone(),
            caught: judged.catches.is_some(),
        }
    }

    /// Whether it is not waited for any longer.
    pub(super) fn is_cut(&self, method: &Method) -> bool {
        self.worker.cuts.any() && self.looks(method, |cut| cut.all || self.caught)
    }

    /// Whether an answer that has begun is cut off.
    pub(super) fn is_cut_off(&self, method: &Method) -> bool {
        self.worker.cuts.any() && self.looks(method, |cut| cut.all)
    }

    fn looks(&self, method: &Method, cuts: impl Fn(&Cut) -> bool) -> bool {
        let Some(place) = self.place else { return false };
        let (worker, now) = (&self.worker, self.worker.moment());
        let snapshot = Arc::clone(&worker.current().snapshot);
        let place = Place::of(&self.current.snapshot.site, place, method);
        let Some(closure) = place.closure(&snapshot, now) else { return false };
        let reads = if method.is_safe() { Reads::Only } else { Reads::Beyond };
        let passed = |cut: &Cut| {
            self.passed.as_ref().is_some_and(|passed| passed.windows.contains(&cut.window))
        };
        closure.cuts.iter().any(|cut| {
            let meant = reads == Reads::Beyond || cut.reads == Reads::Only;
            cut.at <= now && meant && cuts(cut) && !passed(cut)
        })
    }
}
