//! What the servers of one upstream share on one worker, whatever the snapshot says: those who wait
//! for a place, and the budget of retries.

use std::cell::RefCell;
use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::budget::Budget;
use super::server::Held;

/// A place at a server, when one is free. Given up by dropping it.
pub(in crate::proxy) type Waiting = oneshot::Receiver<Held>;

/// The requests of one worker to one upstream.
#[derive(Default)]
pub(in crate::proxy) struct Group {
    queue: RefCell<VecDeque<oneshot::Sender<Held>>>,
    budget: Budget,
}

impl Group {
    /// Waits behind everyone who waits already; none if that is too many.
    pub(in crate::proxy) fn wait(&self, most: usize) -> Option<Waiting> {
        let mut queue = self.queue.borrow_mut();
        if queue.len() >= most {
            queue.retain(|waiting| !waiting.is_closed());
        }
        if queue.len() >= most {
            return None;
        }
        let (give, waiting) = oneshot::channel();
        queue.push_back(give);
        Some(waiting)
    }

    /// Whether anybody waits: then nobody else may go first.
    pub(super) fn is_awaited(&self) -> bool {
        let mut queue = self.queue.borrow_mut();
        while queue.front().is_some_and(oneshot::Sender::is_closed) {
            queue.pop_front();
        }
        !queue.is_empty()
    }

    /// Gives a place to the one who waits longest. Back if nobody does.
    pub(super) fn hand_over(&self, mut held: Held) -> Result<(), Held> {
        loop {
            // The borrow ends before anybody is woken.
            let first = self.queue.borrow_mut().pop_front();
            let Some(first) = first else { return Err(held) };
            match first.send(held) {
                Ok(()) => return Ok(()),
                Err(back) => held = back,
            }
        }
    }

    /// A request that saves its share of a retry.
    pub(in crate::proxy) fn asked(&self) {
        self.budget.asked();
    }

    /// Takes a retry out of the budget, if there is one.
    pub(in crate::proxy) fn may_repeat(&self, now: u64) -> bool {
        self.budget.take(now)
    }
}

/// A place that was free until now, at one of these servers, for as many as wait.
pub(super) fn serve_waiting(group: &Group, mut free: impl FnMut() -> Option<Held>) {
    while group.is_awaited() {
        let Some(held) = free() else { return };
        if let Err(nobody) = group.hand_over(held) {
            nobody.release();
            return;
        }
    }
}
