//! When the clock acts on a window, and which instants its plan comes to.

use super::event::Gate;
use super::plan::Reopen;
use super::state::{State, Window};
use crate::clock::Wall;

impl Window {
    /// When the clock will next change this window by itself, as long as `gate` says the same.
    pub fn next_deadline(&self, gate: Gate) -> Option<Wall> {
        let due = match self.state {
            State::Planned => Some(match gate {
                Gate::Open => self.plan.starts,
                Gate::Waiting => self.too_late_from(),
                Gate::Failed => self.since,
            }),
            State::Draining => Some(
                self.auto_end().map_or(self.drain_deadline, |end| end.min(self.drain_deadline)),
            ),
            State::Closed => self.promised_end,
            State::Verifying => Some(self.verify_deadline()),
            State::Reopening => Some(self.ramp_end()),
            State::Stalled | State::Overrun | State::Ended | State::Cancelled => None,
        };
        let limit = self.hard_limit().filter(|_| self.state.in_force());
        [due, limit].into_iter().flatten().min()
    }

    /// When it ends whatever else holds.
    pub fn hard_limit(&self) -> Option<Wall> {
        Some(self.began?.plus(self.plan.hard_limit?))
    }

    /// From when on visitors are let in and until when it takes to let in everybody.
    pub fn ramp(&self) -> Option<(Wall, Wall)> {
        (self.state == State::Reopening).then_some(())?;
        Some((self.since, self.ramp_end()))
    }

    /// From when on it does not begin by itself any more.
    pub fn too_late_from(&self) -> Wall {
        let latest = self.plan.starts.plus(self.plan.start_within);
        // A window that is over before it could begin has missed its time.
        self.promised_end
            .filter(|end| *end > self.plan.starts)
            .map_or(latest, |end| end.min(latest))
    }

    pub(super) fn is_over_limit(&self, now: Wall) -> bool {
        self.hard_limit().is_some_and(|limit| limit <= now)
    }

    /// One without a verification, which cannot be, has failed it.
    pub(super) fn verify_deadline(&self) -> Wall {
        self.plan.verification.as_ref().map_or(self.since, |plan| self.since.plus(plan.within))
    }

    /// When it is left without an order.
    pub(super) fn auto_end(&self) -> Option<Wall> {
        self.promised_end.filter(|_| self.plan.reopen == Reopen::Auto)
    }

    pub(super) fn ramp_end(&self) -> Wall {
        self.plan.ramp.map_or(self.since, |ramp| self.since.plus(ramp.over))
    }

    pub(super) fn promise_is_broken(&self, now: Wall) -> bool {
        self.promised_end.is_some_and(|end| end <= now)
    }
}
