//! Requests that wait for a short window to end (mode `hold`).
//!
//! Nothing but the head of a request waits: its body stays with the client, so what is held takes
//! no more memory than any request under way. Each window says how many may wait on the node and
//! how long; who finds no seat, or has waited so long, is answered as closed.
//!
//! When its place opens, a request is called: by each worker in the order in which they came, not
//! all at once but a part with every sweep, so that an application that has just come back is not
//! met by everybody who waited for it. It is then judged anew, by the snapshot of that moment. So
//! it makes no difference why the window ended, nor what was done to it meanwhile.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use http::Request;

use super::caller::Caller;
use super::deadline::{Clockwork, Wait};
use super::ending::Story;
use super::head::{self, Bad, Judged};
use super::lane::Lane;
use super::lasting::Place;
use super::worker::Worker;
use crate::clock::Wall;
use crate::decide::Verdict;
use crate::id::Id;
use crate::limit;
use crate::snapshot::{Closure, Snapshot};
use crate::telemetry::end::End;
use crate::telemetry::shard::Held;
use crate::telemetry::tally::Waited;
use crate::window::plan::Hold;
use crate::window::state::Mode;

/// How many wait on this node, by window. Taken when a request begins or ends to wait, and at no
/// other time.
#[derive(Clone, Debug, Default)]
pub(super) struct Seats(Arc<Mutex<HashMap<Id, u32>>>);

/// A place to wait. Dropping it gives it back.
struct Seat {
    seats: Seats,
    window: Id,
}

impl Seats {
    fn take(&self, window: Id, most: u32) -> Option<Seat> {
        let mut taken = self.lock();
        let count = taken.entry(window).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Seat { seats: self.clone(), window })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Id, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if let Some(count) = taken.get_mut(&self.window) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.window);
            }
        }
    }
}

/// All that waits on one worker, in the order in which it came.
#[derive(Default)]
pub(super) struct Queue {
    entries: RefCell<BTreeMap<u64, Rc<Entry>>>,
    next: Cell<u64>,
    /// How many are called with each sweep, while some are still to be called.
    batch: Cell<usize>,
}

struct Entry {
    place: Place,
    clockwork: Clockwork,
    called: Cell<bool>,
}

/// What a sweep finds of a request that waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It still has to wait.
    Waits,
    /// Nobody need be spared it: we would answer it, or a ramp says who is let in.
    Spared,
    /// Perhaps it goes to the application.
    Passes,
}

impl Entry {
    fn fate(&self, snapshot: &Snapshot, now: Wall) -> Fate {
        match self.place.closure(snapshot, now) {
            Some(closure) if closure.course.ramp.is_some() => Fate::Spared,
            Some(closure) if closure.holds() => Fate::Waits,
            Some(closure) => match closure.mode {
                Mode::Page | Mode::Hold => Fate::Spared,
                Mode::ReadOnly => Fate::Passes,
            },
            None => Fate::Passes,
        }
    }

    fn call(&self) {
        self.called.set(true);
        self.clockwork.wake();
    }
}

impl Queue {
    /// Calls those whose place is open, as many as have their turn, and lets the others look
    /// whether their client is still there.
    pub(super) fn call(&self, snapshot: &Snapshot, now: Wall) {
        let entries = self.entries.borrow();
        let mut open = Vec::new();
        for entry in entries.values().filter(|entry| !entry.called.get()) {
            match entry.fate(snapshot, now) {
                Fate::Waits => entry.clockwork.wake(),
                Fate::Spared => entry.call(),
                Fate::Passes => open.push(entry),
            }
        }
        let batch = open.len().div_ceil(limit::HELD_SWEEPS).max(limit::HELD_CALLED_AT_LEAST);
        let batch = batch.max(self.batch.get());
        open.iter().take(batch).for_each(|entry| entry.call());
        self.batch.set(if open.len() > batch { batch } else { 0 });
    }

    fn add(&self, place: Place, clockwork: Clockwork) -> (u64, Rc<Entry>) {
        let number = self.next.get();
        self.next.set(number + 1);
        let entry = Rc::new(Entry { place, clockwork, called: Cell::new(false) });
        self.entries.borrow_mut().insert(number, Rc::clone(&entry));
        (number, entry)
    }
}

/// Why somebody waits no longer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Its place seems to be open.
    Called,
    /// It has waited as long as it may.
    Late,
    /// The node stops.
    Stop,
    /// The client has ended its side: it is gone, or will send nothing more.
    Gone,
}

/// A request that waits. CANCEL: dropped where its client has gone; the seat is free at once.
struct Waiting<'a> {
    lane: &'a Lane,
    number: u64,
    entry: Rc<Entry>,
    told: Held,
    seat: Seat,
}

impl<'a> Waiting<'a> {
    fn begin(lane: &'a Lane, judged: &Judged, method: &http::Method, seat: Seat) -> Option<Self> {
        let place = Place::of(&judged.current.snapshot.site, judged.place?, method);
        let worker = &lane.link.worker;
        let (number, entry) = worker.held.add(place, lane.clockwork.clone());
        lane.wire.hold(true);
        worker.shard.held_began();
        Some(Self { lane, number, entry, told: Held::Gone, seat })
    }

    async fn wait(&self, left: Duration) -> Why {
        let Lane { clockwork, wire, .. } = self.lane;
        self.entry.called.set(false);
        clockwork.restart(Wait::Hold, left);
        // The lane's task is woken by its clockwork, and by its socket.
        poll_fn(|_| {
            if self.lane.link.worker.stopping() {
                Poll::Ready(Why::Stop)
            } else if wire.is_ended() {
                Poll::Ready(Why::Gone)
            } else if self.entry.called.get() {
                Poll::Ready(Why::Called)
            } else if clockwork.passed(Wait::Hold) {
                Poll::Ready(Why::Late)
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.lane.clockwork.clear(Wait::Hold);
        self.lane.wire.hold(false);
        let worker = &self.lane.link.worker;
        worker.held.entries.borrow_mut().remove(&self.number);
        worker.shard.held_ended(self.told);
        let went = match self.told {
            Held::Called => Waited::Released,
            Held::Late | Held::Full | Held::Gone | Held::Stop => Waited::InVain,
        };
        worker.shard.waited(self.seat.window, went);
    }
}

/// Whether the body of a request was looked into, so that it is known to be no ticket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked {
    /// It was.
    Into,
    /// Not yet.
    Not,
}

/// Waits with a request that was judged so, and judges it anew. What is given is never to wait.
pub(super) async fn wait<B>(
    lane: &Rc<Lane>,
    judged: Judged,
    story: &mut Story,
    request: &Request<B>,
    looked: Looked,
) -> Result<Judged, Bad> {
    let worker = &lane.link.worker;
    let began = worker.clock.tick();
    let Some((window, Hold { most, longest })) = bounds(judged.closure.as_deref()) else {
        return Ok(unheld(judged, story, None));
    };
    let waiting = worker.seats().take(window, most);
    let waiting = waiting.and_then(|seat| Waiting::begin(lane, &judged, request.method(), seat));
    let Some(mut waiting) = waiting else {
        worker.shard.held_not();
        return Ok(unheld(judged, story, Some(End::ProxyHoldFull)));
    };
    story.holds(began);
    loop {
        let left = longest.saturating_sub(worker.clock.tick().since(began));
        let why = waiting.wait(left).await;
        story.held();
        let judged = again(lane, worker, story, request, looked)?;
        if judged.verdict != Verdict::Hold {
            waiting.told = Held::Called;
            return Ok(judged);
        }
        let (told, end) = match why {
            // It was closed again in between: it keeps its turn.
            Why::Called => continue,
            Why::Late => (Held::Late, Some(End::ProxyHoldTimeout)),
            Why::Stop => (Held::Stop, None),
            Why::Gone => (Held::Gone, Some(End::ClientWaitAbort)),
        };
        waiting.told = told;
        return Ok(unheld(judged, story, end));
    }
}

fn bounds(closure: Option<&Closure>) -> Option<(Id, Hold)> {
    let closure = closure?;
    Some((closure.notice.window, closure.hold?))
}

fn again<B>(
    lane: &Rc<Lane>,
    worker: &Rc<Worker>,
    story: &mut Story,
    request: &Request<B>,
    looked: Looked,
) -> Result<Judged, Bad> {
    let current = worker.current();
    let caller = Caller::of(lane, &current, request);
    let mut judged = head::judge(lane, current, caller, request)?;
    if looked == Looked::Into && judged.verdict == Verdict::Resume {
        judged.verdict = judged.otherwise;
    }
    story.judged(&judged);
    Ok(judged)
}

/// What becomes of a request that does not wait, or no longer.
fn unheld(judged: Judged, story: &mut Story, end: Option<End>) -> Judged {
    let judged = Judged { verdict: judged.unheld, ..judged };
    story.judged(&judged);
    story.ends_as(end);
    judged
}
