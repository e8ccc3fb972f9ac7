//! What time it is on a worker: what is written down goes by the machine's clock, and what is
//! judged goes by the steady one, so that a jump of the former ends no window early.

use std::cell::Cell;

use crate::clock::steady::Steady;
use crate::clock::{Clock, Tick, Wall};

/// The clocks of one worker.
pub(super) struct Time {
    clock: Clock,
    /// Both hands at the last sweep.
    epoch: Cell<(Tick, Wall)>,
    steady: Cell<Steady>,
    /// What the steady clock said at the last sweep.
    moment: Cell<Wall>,
}

impl Time {
    /// Begins by believing the clock.
    pub(super) fn new(clock: &Clock) -> Self {
        let (now, tick) = clock.hands();
        Self {
            clock: clock.clone(),
            epoch: Cell::new((clock.tick(), now)),
            steady: Cell::new(Steady::from(now, tick).silent()),
            moment: Cell::new(now),
        }
    }

    /// Looks at all clocks.
    pub(super) fn sweep(&self) {
        self.epoch.set((self.clock.tick(), self.clock.now()));
        self.moment.set(self.now());
    }

    /// By which windows begin, end and reopen: a jump of the machine's clock is believed only after
    /// it has stood for a while.
    pub(super) fn now(&self) -> Wall {
        let (wall, tick) = self.clock.hands();
        let mut steady = self.steady.get();
        let now = steady.look(wall, tick);
        self.steady.set(steady);
        now
    }

    /// The same to the precision of the sweep: to judge by, at no cost.
    pub(super) fn moment(&self) -> Wall {
        self.moment.get()
    }

    /// The machine's wall time of a tick, for what is written down.
    pub(super) fn wall(&self, tick: Tick) -> Wall {
        let (then, wall) = self.epoch.get();
        wall.plus(tick.since(then))
    }

    /// The machine's wall time at the last sweep.
    pub(super) fn swept(&self) -> Wall {
        self.epoch.get().1
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOON: Wall = Wall::from_millis(1_795_262_400_000);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn a_jump_is_written_down_and_not_judged_by() {
        for to in [NOON.plus(DAY), NOON.minus(DAY)] {
            let clock = Clock::manual(NOON);
            let time = Time::new(&clock);
            clock.jump(to);
            time.sweep();
            assert_eq!(time.swept(), to);
            let near = |told: Wall| told.since(NOON) < DAY / 2 && NOON.since(told) < DAY / 2;
            assert!(near(time.now()) && near(time.moment()), "{}", time.now());
        }
        // The control: time that passes is believed at once.
        let clock = Clock::manual(NOON);
        let time = Time::new(&clock);
        clock.set(NOON.plus(DAY));
        assert_eq!((time.now(), time.moment()), (NOON.plus(DAY), NOON));
    }
}
