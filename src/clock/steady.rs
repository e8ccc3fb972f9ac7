//! The wall clock as far as it is to be believed.
//!
//! A machine's wall clock is set by others: it jumps when it is corrected, and sometimes it jumps
//! to nonsense and back. Windows begin and end by it, which nobody can take back. So a jump is
//! believed only after it has stood for [`limit::WINDOW_CLOCK_SETTLES`]; until then time goes on
//! from where it was, at the pace of the monotonic clock. What a clock does within
//! [`limit::CLOCK_JUMP`] is a correction and believed at once.
//!
//! Control and each worker look for themselves, by the same rule: when control is gone, what a
//! jump would do to a hard limit or a ramp is still not done.

use super::{Tick, Wall};
use crate::limit;

/// Where both clocks stood when the wall clock was last believed.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    wall: Wall,
    tick: Tick,
    doubt: Option<Doubt>,
    tells: bool,
}

/// A jump that is not believed yet: where it led to, and when that was first seen.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    wall: Wall,
    tick: Tick,
}

impl Steady {
    /// Believes what the clock says now.
    pub const fn from(wall: Wall, tick: Tick) -> Self {
        Self { wall, tick, doubt: None, tells: true }
    }

    /// The same, without a word in the log: for those who are many.
    #[must_use]
    pub const fn silent(self) -> Self {
        Self { tells: false, ..self }
    }

    /// What time it is, by what both clocks say.
    pub fn look(&mut self, wall: Wall, tick: Tick) -> Wall {
        let expected = self.wall.plus(tick.since(self.tick));
        if is_near(wall, expected) {
            if self.doubt.take().is_some() && self.tells {
                tracing::info!(to = %wall, "the clock is back where it should be");
            }
            (self.wall, self.tick) = (wall, tick);
            return wall;
        }
        // A clock that goes on evenly from where it jumped to is one jump; others begin anew.
        let doubt = match self.doubt {
            Some(doubt) if is_near(wall, doubt.wall.plus(tick.since(doubt.tick))) => doubt,
            Some(_) | None => {
                if self.tells {
                    let (from, to) = (expected, wall);
                    tracing::warn!(%from, %to, "the clock jumped: not believed yet");
                }
                Doubt { wall, tick }
            }
        };
        if tick.since(doubt.tick) >= limit::WINDOW_CLOCK_SETTLES {
            if self.tells {
                let (from, to) = (expected, wall);
                tracing::warn!(%from, %to, "the clock jumped and stayed: believed");
            }
            *self = Self { wall, tick, doubt: None, ..*self };
            return wall;
        }
        self.doubt = Some(doubt);
        expected
    }
}

fn is_near(a: Wall, b: Wall) -> bool {
    a.since(b).max(b.since(a)) <= limit::CLOCK_JUMP
}
