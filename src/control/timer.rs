//! When the reconciler must look at its windows next.

use std::time::Duration;

use crate::clock::Wall;
use crate::limit;
use crate::window::state::{State, Window};

/// How the last look went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Last {
    /// Whatever was due was done.
    Done,
    /// The store refused; the same is due still.
    Failed,
}

/// How long to sleep at most, before these windows with their next deadlines.
///
/// Deadlines are wall instants, and the wall clock may jump while we sleep by the monotonic one;
/// so no sleep is longer than [`limit::CLOCK_LOOK_EVERY`], and a jump is noticed within that. After
/// a failure it is exactly that long: a full disk must not become a busy loop.
pub(super) fn wait<'a>(
    now: Wall,
    windows: impl Iterator<Item = (&'a Window, Option<Wall>)>,
    last: Last,
) -> Duration {
    let failed = last == Last::Failed;
    windows.fold(limit::CLOCK_LOOK_EVERY, |wait, (window, due)| {
        let due = due.filter(|_| !failed);
        let wait = due.map_or(wait, |due| wait.min(due.since(now)));
        match window.state {
            State::Draining => wait.min(limit::DRAIN_COUNT_EVERY),
            State::Planned
            | State::Stalled
            | State::Closed
            | State::Overrun
            | State::Verifying
            | State::Reopening
            | State::Ended
            | State::Cancelled => wait,
        }
    })
}
