//! How many requests came to each place in the last hour: by this an operator is told whom a
//! window would hit. Sampled once a minute, never by a request.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::phase::{Phase, stopped};
use super::traffic::{Begun, Traffic};
use crate::limit;

/// A route and a region.
type Place = (Arc<str>, Arc<str>);

/// The minutes of the last hour.
#[derive(Default)]
pub struct Hour(Mutex<Ring>);

#[derive(Default)]
struct Ring {
    minutes: VecDeque<Minute>,
    /// What was counted at the last look, by place.
    last: Begun,
}

struct Minute {
    /// The busiest places.
    places: HashMap<Place, u64>,
    /// All of them together, also those that are not kept one by one.
    total: u64,
}

/// Requests of the last hour.
pub struct Counts {
    /// By route and region.
    pub places: HashMap<Place, u64>,
    /// On all of them.
    pub total: u64,
    /// How many minutes were watched to their end.
    pub minutes: u32,
}

impl Hour {
    /// Looks at what was counted since the start, a minute after the last look.
    pub fn look(&self, traffic: &dyn Traffic) {
        let now = traffic.begun();
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut places: Vec<_> = ring.since(&now).collect();
        let total = places.iter().map(|(_, count)| count).sum();
        if places.len() > limit::HOUR_PLACES_MAX {
            places.select_nth_unstable_by_key(limit::HOUR_PLACES_MAX, |(_, count)| {
                std::cmp::Reverse(*count)
            });
            places.truncate(limit::HOUR_PLACES_MAX);
        }
        if ring.minutes.len() >= limit::HOUR_MINUTES {
            ring.minutes.pop_front();
        }
        ring.minutes.push_back(Minute { places: places.into_iter().collect(), total });
        ring.last = now;
    }

    /// What came in the last hour, with the minute that goes on: an operator who asks right after
    /// the start of the node is told of what came since.
    pub fn counts(&self, traffic: &dyn Traffic) -> Counts {
        let now = traffic.begun();
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = Counts {
            places: HashMap::new(),
            total: ring.minutes.iter().map(|minute| minute.total).sum(),
            minutes: u32::try_from(ring.minutes.len()).unwrap_or(u32::MAX),
        };
        for (place, count) in ring.minutes.iter().flat_map(|minute| &minute.places) {
            *counts.places.entry(place.clone()).or_default() += count;
        }
        for (place, count) in ring.since(&now) {
            counts.total += count;
            *counts.places.entry(place).or_default() += count;
        }
        counts
    }
}

impl Ring {
    /// What came since the last look.
    fn since<'a>(&self, now: &'a Begun) -> impl Iterator<Item = (Place, u64)> + use<'a, '_> {
        now.iter().filter_map(|(place, count)| {
            // A count that fell was begun anew: its table went with a former config.
            let before = self.last.get(place).copied().filter(|before| before <= count);
            let came = count - before.unwrap_or_default();
            (came > 0).then(|| (place.clone(), came))
        })
    }
}

/// Looks once a minute, as long as the node lives.
pub async fn watch(hour: Arc<Hour>, traffic: Arc<dyn Traffic>, mut phase: watch::Receiver<Phase>) {
    let mut due = tokio::time::interval(limit::HOUR_LOOK_EVERY);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // The first tick is at once, and nothing has come yet.
    due.tick().await;
    loop {
        // CANCEL: nothing has begun in either branch.
        tokio::select! {
            _ = due.tick() => hour.look(&*traffic),
            () = stopped(&mut phase) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::traffic::InFlight;

    struct Told(Begun);

    impl Traffic for Told {
        fn in_flight(&self) -> Vec<InFlight> {
            Vec::new()
        }

        fn begun(&self) -> Begun {
            self.0.clone()
        }
    }

    fn told(counts: &[(&str, u64)]) -> Told {
        let one = |(route, count): &(&str, u64)| (((*route).into(), "eu".into()), *count);
        Told(counts.iter().map(one).collect())
    }

    #[test]
    fn an_hour_is_the_last_sixty_looks() {
        let hour = Hour::default();
        for minute in 1..=90u64 {
            hour.look(&told(&[("claims", minute * 10), ("idle", 7)]));
        }
        let counts = hour.counts(&told(&[("claims", 900), ("idle", 7)]));
        assert_eq!((counts.total, counts.minutes), (600, 60));
        assert_eq!(counts.places.len(), 1, "who did not come is not kept");
        hour.look(&told(&[("claims", 3)]));
        let counts = hour.counts(&told(&[("claims", 3)]));
        assert_eq!(counts.total, 593, "a count that began anew counts from there");
    }

    #[test]
    fn the_minute_that_goes_on_counts() {
        let hour = Hour::default();
        let counts = hour.counts(&told(&[("claims", 5)]));
        assert_eq!((counts.total, counts.minutes), (5, 0));
        hour.look(&told(&[("claims", 5)]));
        let counts = hour.counts(&told(&[("claims", 7)]));
        assert_eq!((counts.total, counts.minutes), (7, 1), "each of them once");
        assert_eq!(counts.places[&("claims".into(), "eu".into())], 7);
    }

    #[test]
    fn the_busiest_places_are_kept_and_all_are_counted() {
        let hour = Hour::default();
        let many: Vec<_> = (0..limit::HOUR_PLACES_MAX + 5).map(|at| format!("r{at}")).collect();
        let counts: Vec<_> = many.iter().zip(1..).map(|(name, at)| (name.as_str(), at)).collect();
        hour.look(&told(&counts));
        let kept = hour.counts(&told(&counts));
        assert_eq!(kept.places.len(), limit::HOUR_PLACES_MAX);
        assert_eq!(kept.total, counts.iter().map(|(_, count)| count).sum::<u64>());
        assert!(!kept.places.contains_key(&("r0".into(), "eu".into())), "the quietest is left out");
    }
}
