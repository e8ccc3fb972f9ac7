//! Deadlines of connections, looked at by one sweep per worker instead of one timer per request.
//!
//! A timer wheel entry costs more than everything else we decide about a small request. Deadlines
//! here are numbers in a cell; a sweep every [`limit::DEADLINE_SWEEP`] wakes whoever is late.

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use crate::snapshot::{Limits, Pace};

/// What a connection may be waiting for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wait {
    /// Bytes of a head, or of the next request.
    Head = 0,
    /// Bytes of a request's body.
    Body = 1,
    /// The upstream.
    Upstream = 2,
    /// The client, to take bytes of an answer.
    Write = 3,
    /// Nothing at all: when a connection may be parked.
    Park = 5,
    /// An answer, for a client that has ended its side.
    Gone = 6,
    /// Its turn to end, of what does not end by itself (`lasting`).
    Turn = 4,
    /// The end of a window.
    Hold = 7,
}

/// The deadlines of one connection.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// Milliseconds on the worker's clock; 0 is none.
    at: [Cell<u64>; 8],
    waker: RefCell<Option<Waker>>,
}

/// All deadlines of a worker, and its coarse clock.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    now: Cell<u64>,
    bounds: RefCell<(Pace, Limits)>,
    entries: RefCell<slab::Slab<Rc<Deadlines>>>,
}

/// A registered set of deadlines; leaves the sweep when dropped.
#[derive(Debug)]
pub(super) struct Registered {
    sweep: Rc<Sweep>,
    key: usize,
    deadlines: Rc<Deadlines>,
}

impl Sweep {
    /// For clients that may take this long and this much.
    pub(super) fn new(bounds: (Pace, Limits)) -> Self {
        Self { bounds: RefCell::new(bounds), ..Self::default() }
    }

    /// From now on clients may take this long and this much.
    pub(super) fn set_bounds(&self, bounds: (Pace, Limits)) {
        self.bounds.replace(bounds);
    }

    /// How long clients may take.
    pub(super) fn pace(&self) -> Ref<'_, Pace> {
        Ref::map(self.bounds.borrow(), |(pace, _)| pace)
    }

    /// How much clients may take.
    pub(super) fn limits(&self) -> Ref<'_, Limits> {
        Ref::map(self.bounds.borrow(), |(_, limits)| limits)
    }

    /// Milliseconds since the worker began, as of the last sweep.
    pub(super) fn now(&self) -> u64 {
        self.now.get()
    }

    /// Over which time turns to end fall.
    pub(super) fn spread(&self) -> Duration {
        self.pace().spread
    }

    /// Registers a connection.
    pub(super) fn register(self: &Rc<Self>) -> Registered {
        let deadlines = Rc::new(Deadlines::default());
        let key = self.entries.borrow_mut().insert(Rc::clone(&deadlines));
        Registered { sweep: Rc::clone(self), key, deadlines }
    }

    /// Moves the clock to `now` and wakes every connection that is late.
    pub(super) fn sweep(&self, now: u64) {
        self.now.set(now.max(1));
        for (_, deadlines) in &*self.entries.borrow() {
            if deadlines.at.iter().any(|at| at.get() != 0 && at.get() <= now) {
                deadlines.wake();
            }
        }
    }

    /// Wakes every connection, so that it sees that the worker stops.
    pub(super) fn wake_all(&self) {
        for (_, deadlines) in &*self.entries.borrow() {
            deadlines.wake();
        }
    }
}

impl Deadlines {
    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    fn watch(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }
}

impl Registered {
    /// The deadlines themselves, for a body that outlives the borrow.
    pub(super) fn share(&self) -> Clockwork {
        Clockwork { sweep: Rc::clone(&self.sweep), deadlines: Rc::clone(&self.deadlines) }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.sweep.entries.borrow_mut().remove(self.key);
    }
}

/// Sets and reads one connection's deadlines.
#[derive(Clone, Debug)]
pub(super) struct Clockwork {
    sweep: Rc<Sweep>,
    deadlines: Rc<Deadlines>,
}

impl Clockwork {
    /// How long the client may take.
    pub(super) fn pace(&self) -> Ref<'_, Pace> {
        self.sweep.pace()
    }

    /// How much the client may take.
    pub(super) fn limits(&self) -> Ref<'_, Limits> {
        self.sweep.limits()
    }

    /// Milliseconds since the worker began, as of the last sweep.
    pub(super) fn now(&self) -> u64 {
        self.sweep.now()
    }

    /// When the deadline of `wait` passes; 0 if nothing is waited for.
    pub(super) fn until(&self, wait: Wait) -> u64 {
        self.deadlines.at[wait as usize].get()
    }

    /// Lets the deadline of `wait` pass at this moment, as [`Clockwork::until`] gave it.
    pub(super) fn set_until(&self, wait: Wait, at: u64) {
        self.deadlines.at[wait as usize].set(at);
    }

    /// Starts the deadline of `wait`, unless it already runs.
    pub(super) fn arm(&self, wait: Wait, span: Duration) {
        if self.deadlines.at[wait as usize].get() == 0 {
            self.restart(wait, span);
        }
    }

    /// Starts the deadline of `wait` from now.
    pub(super) fn restart(&self, wait: Wait, span: Duration) {
        let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.deadlines.at[wait as usize].set(self.sweep.now().saturating_add(span).max(1));
    }

    /// Nothing is waited for.
    pub(super) fn clear(&self, wait: Wait) {
        self.deadlines.at[wait as usize].set(0);
    }

    /// Whether the deadline of `wait` has passed.
    pub(super) fn passed(&self, wait: Wait) -> bool {
        let at = self.deadlines.at[wait as usize].get();
        at != 0 && at <= self.sweep.now()
    }

    /// Wakes the task that watches.
    pub(super) fn wake(&self) {
        self.deadlines.wake();
    }

    /// Whether the deadline of `wait` passed at least `span` ago.
    pub(super) fn passed_by(&self, wait: Wait, span: Duration) -> bool {
        let at = self.deadlines.at[wait as usize].get();
        let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        at != 0 && at.saturating_add(span) <= self.sweep.now()
    }

    /// Wakes the task of `cx` when a deadline passes.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        self.deadlines.watch(cx);
    }
}
