//! Visitors let in by number: so many new ones a minute, on this node.
//!
//! The one thing that workers share behind a lock, because a number of the whole node is asked
//! for, and a visitor's connections come to any of them. It is asked only while a window reopens by
//! a number, and only for who has no admission yet.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;

use crate::clock::Wall;
use crate::id::Id;
use crate::limit;
use crate::snapshot::Ramp;

/// Of a node, shared by its workers.
#[derive(Clone, Debug, Default)]
pub(super) struct Turnstile(Arc<Mutex<HashMap<Id, Gate>>>);

#[derive(Debug)]
struct Gate {
    /// Who was let in, as far as they are remembered.
    inside: HashSet<u64, RandomState>,
    /// Thousandths of a visitor that may come in now.
    room: u128,
    counted: Wall,
}

impl Turnstile {
    /// Whether the visitor of this number may come in, now or because it has before.
    pub(super) fn admit(&self, ramp: &Ramp, per_minute: u32, who: u64, now: Wall) -> bool {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() >= limit::RAMPS_AT_ONCE_MAX && !gates.contains_key(&ramp.window) {
            // Ids are in the order of time: the oldest is over.
            if let Some(oldest) = gates.keys().min().copied() {
                gates.remove(&oldest);
            }
        }
        let gate = gates.entry(ramp.window).or_insert_with(|| Gate {
            inside: HashSet::default(),
            room: 1_000,
            counted: ramp.from.max(now),
        });
        gate.admit(per_minute, who, now)
    }
}

impl Gate {
    fn admit(&mut self, per_minute: u32, who: u64, now: Wall) -> bool {
        if self.inside.contains(&who) {
            return true;
        }
        // Whole thousandths only are taken out of the time that passed, so that none gets lost.
        let grown = now.since(self.counted).as_millis() * u128::from(per_minute) / 60;
        if grown > 0 {
            self.counted = now;
        }
        // A quiet minute is no reason for a crowd: what was not used is kept for ten seconds.
        let most = (u128::from(per_minute) * 1_000 / 6).max(1_000);
        self.room = (self.room + grown).min(most);
        if self.room < 1_000 {
            return false;
        }
        self.room -= 1_000;
        if self.inside.len() < limit::ADMITTED_ADDRESSES_MAX {
            self.inside.insert(who);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::id::NodeTag;
    use crate::window::plan::RampBy;

    const START: Wall = Wall::from_millis(1_795_262_400_000);

    fn ramp() -> Ramp {
        let (from, until) = (START, START.plus(Duration::from_secs(600)));
        let window = Id::new(START, NodeTag(1));
        Ramp { window, from, until, by: RampBy::PerMinute(60) }
    }

    #[test]
    fn so_many_new_ones_a_minute_and_who_is_in_stays_in() {
        let (turnstile, ramp) = (Turnstile::default(), ramp());
        let mut inside = Vec::new();
        // Ten strangers a second for two minutes, each a new one.
        for tick in 0..1_200 {
            let now = START.plus(Duration::from_millis(100 * tick));
            if turnstile.admit(&ramp, 60, tick, now) {
                inside.push(tick);
            }
            for known in &inside {
                assert!(turnstile.admit(&ramp, 60, *known, now), "{known} was in");
            }
        }
        assert!((118..=122).contains(&inside.len()), "{}", inside.len());
    }

    #[test]
    fn a_quiet_hour_lets_no_crowd_in() {
        let (turnstile, ramp) = (Turnstile::default(), ramp());
        assert!(turnstile.admit(&ramp, 60, 0, START));
        let later = START.plus(Duration::from_secs(3600));
        let inside = (1..1_000).filter(|who| turnstile.admit(&ramp, 60, *who, later)).count();
        assert_eq!(inside, 10);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (turnstile, ramp) = (Turnstile::default(), ramp());
        let many = limit::ADMITTED_ADDRESSES_MAX as u64 + 10;
        let at = |who| START.plus(Duration::from_millis(who));
        let let_in = (0..many).filter(|who| turnstile.admit(&ramp, u32::MAX, *who, at(*who)));
        let let_in = let_in.count();
        assert_eq!(let_in as u64, many, "there is room for everybody");
        for _ in 0..2 * limit::RAMPS_AT_ONCE_MAX {
            let another = Ramp { window: Id::new(START, NodeTag(1)), ..ramp };
            turnstile.admit(&another, 60, 1, START);
        }
        let gates = turnstile.0.lock().expect("nobody panicked");
        assert!(gates.len() <= limit::RAMPS_AT_ONCE_MAX);
        assert!(gates.values().all(|gate| gate.inside.len() <= limit::ADMITTED_ADDRESSES_MAX));
    }
}
