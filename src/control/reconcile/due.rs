//! What happens by itself: the clock acts on windows, and what is in flight ends.

use std::collections::BTreeSet;

use super::Reconciler;
use crate::clock::Wall;
use crate::control::batch::{Batch, Member};
use crate::control::scopes;
use crate::control::timer::Last;
use crate::control::traffic;
use crate::id::Id;
use crate::limit;
use crate::store::Commit;
use crate::window::state::{Author, Event, Gate, State, Window};

impl Reconciler {
    /// Lets the clock act on every window that is due, until none is.
    ///
    /// This ends: by time alone no window comes back to a state that it was in, and the next
    /// occurrence of a maintenance lies ahead.
    pub(super) async fn tick(&mut self) {
        loop {
            let batch = Batch::of(self.due());
            if batch.members.is_empty() {
                self.last = Last::Done;
                return;
            }
            self.settle(batch).await;
            if self.last == Last::Failed {
                return;
            }
        }
    }

    /// One step of each window that is due, one window of each maintenance: what the others do
    /// may depend on it.
    fn due(&self) -> Vec<Member> {
        let mut moving = BTreeSet::new();
        let mut due = Vec::new();
        for window in self.books.windows.values() {
            let gate = self.gate(window);
            if window.next_deadline(gate).is_none_or(|deadline| deadline > self.now) {
                continue;
            }
            let maintenance = window.phase.as_ref().map(|phase| phase.maintenance);
            if maintenance.is_some_and(|id| !moving.insert(id)) {
                continue;
            }
            let author = Author::intermission(self.reason(window, gate));
            if let Ok(step) = self.step(window, &Event::Tick(gate), &author) {
                due.push(Member { commit: self.with_next(vec![step]), answer: None });
            }
        }
        due
    }

    /// What the phase before says to a window, and the config: one whose scope names what is not
    /// there would be told as closed, and not be.
    pub(super) fn gate(&self, window: &Window) -> Gate {
        let gate = self.books.gate(window);
        let begins =
            window.state == State::Planned && gate == Gate::Open && window.plan.starts <= self.now;
        if begins && !scopes::unknown(&window.scope, &self.parts.site).is_empty() {
            return Gate::Failed;
        }
        gate
    }

    fn reason(&self, window: &Window, gate: Gate) -> &'static str {
        let now: Wall = self.now;
        if window.state.in_force() && window.hard_limit().is_some_and(|limit| limit <= now) {
            return "its hard limit has passed";
        }
        match window.state {
            State::Planned => match gate {
                Gate::Failed if self.books.gate(window) == Gate::Open => {
                    "the config does not have what it is to close"
                }
                Gate::Failed => "the phase before it was cancelled",
                Gate::Waiting => "the phase before it has not ended in time",
                Gate::Open if window.too_late_from() <= now => "it could not begin in time",
                Gate::Open => "its time has come",
            },
            State::Stalled => "it waits for a decision",
            State::Draining if window.drain_deadline <= now => "the time to drain is over",
            State::Draining | State::Closed | State::Overrun => "the promised end has passed",
            State::Verifying => "the time to verify is over",
            State::Reopening => "everybody is let in again",
            State::Ended | State::Cancelled => "it is over",
        }
    }

    /// Tells draining windows when nothing is under way in their scope any more.
    pub(super) async fn count_traffic(&mut self) {
        let (_, now) = self.parts.clock.hands();
        if now.since(self.counted) < limit::DRAIN_COUNT_EVERY {
            return;
        }
        self.counted = now;
        let draining = self.books.windows.values().filter(|w| w.state == State::Draining);
        let draining: BTreeSet<Id> = draining.map(|window| window.id).collect();
        // ORDER: a window is first counted a whole interval after it was first seen draining, so
        // that a worker that had just decided by the old snapshot has counted its request.
        let before = std::mem::replace(&mut self.draining, draining);
        let counted: Vec<Id> = self.draining.intersection(&before).copied().collect();
        if counted.is_empty() {
            return;
        }
        let all = self.parts.traffic.in_flight();
        let windows = counted.iter().filter_map(|id| self.books.windows.get(id));
        let empty = windows.filter(|window| traffic::count_within(&all, &window.scope) == 0);
        let author = Author::intermission("nothing is in flight");
        let steps = empty.filter_map(|window| self.step(window, &Event::Drained, &author).ok());
        let members = steps.map(|step| Member { commit: Commit::from(step), answer: None });
        let batch = Batch::of(members.collect());
        self.settle(batch).await;
    }
}
