//! How far the windows over a cell are, and how visitors are let into it little by little.

use std::time::Duration;

use crate::clock::Wall;
use crate::id::Id;
use crate::window::plan::RampBy;
use crate::window::state::{State, Window};

/// How far the windows over a cell are, all in all.
#[derive(Clone, Debug)]
pub struct Course {
    /// Of the windows the one that keeps the cell closed the longest, as far as one can tell.
    pub state: State,
    /// What it is about, in a few words; empty if nobody said.
    pub title: String,
    /// How visitors are let in; none unless every window over the cell lets them in.
    pub ramp: Option<Ramp>,
}

/// How visitors are let into a cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ramp {
    /// The window that is reopening.
    pub window: Id,
    /// From when on.
    pub from: Wall,
    /// From when on everybody is let in.
    pub until: Wall,
    /// What grows meanwhile.
    pub by: RampBy,
}

impl Course {
    /// Of these windows, which are in force and of which the first governs.
    pub(super) fn of(windows: &[&Window]) -> Self {
        let state = windows.iter().map(|window| window.state).max_by_key(|state| rank(*state));
        let ramps: Option<Vec<Ramp>> = windows.iter().map(|window| Ramp::of(window)).collect();
        Self {
            state: state.unwrap_or(State::Closed),
            title: windows.first().map(|first| first.texts.title.clone()).unwrap_or_default(),
            ramp: ramps.into_iter().flatten().max_by_key(|ramp| (ramp.until, ramp.window)),
        }
    }
}

/// How far from open.
const fn rank(state: State) -> u8 {
    match state {
        State::Overrun => 4,
        State::Draining | State::Closed => 3,
        State::Verifying => 2,
        State::Reopening => 1,
        State::Planned | State::Stalled | State::Ended | State::Cancelled => 0,
    }
}

impl Ramp {
    fn of(window: &Window) -> Option<Self> {
        let (from, until) = window.ramp()?;
        Some(Self { window: window.id, from, until, by: window.plan.ramp?.by })
    }

    /// When it is the turn of who stands at this place of all 2⁶⁴, by share: the share of those who
    /// are in grows evenly, so the turns fall evenly too.
    pub fn turn(&self, place: u64) -> Wall {
        let over = self.until.since(self.from).as_millis();
        let after = (over * u128::from(place)) >> 64;
        self.from.plus(Duration::from_millis(u64::try_from(after).unwrap_or(u64::MAX)))
    }
}
