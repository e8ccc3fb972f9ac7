//! What was forwarded, by route and region: for those who watch a place reopen, and for those who
//! want to know whom a window would meet. Not exposed: series by route and region would be many.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Metrics, lock, read};
use crate::id::Id;
use crate::telemetry::shard::TableCells;
use crate::window::tally::Tally;

/// Requests of one place, or of several.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Forwarded {
    /// Those that were forwarded and ended.
    pub requests: u64,
    /// Those of them whose answer was a 5xx, the application's or ours.
    pub failures: u64,
}

/// By route and region.
pub(super) type Places = HashMap<(Arc<str>, Arc<str>), Forwarded>;

impl Metrics {
    /// The sum over the places that are wanted, which are asked by route and region.
    pub fn forwarded(&self, wanted: impl Fn(&str, &str) -> bool) -> Forwarded {
        let places = self.places();
        let wanted = places.iter().filter(|((route, region), _)| wanted(route, region));
        wanted.fold(Forwarded::default(), |sum, (_, place)| Forwarded {
            requests: sum.requests + place.requests,
            failures: sum.failures + place.failures,
        })
    }

    /// Hashes visitors by this from now on, as other processes over the same store do.
    pub fn seed_visitors(&self, seed: u64) {
        self.0.registry.board.seed(seed);
    }

    /// What this process counted of windows.
    pub fn tallies(&self) -> HashMap<Id, Tally> {
        self.0.registry.board.sums()
    }

    /// Forgets what was counted of a window that is over, and stored.
    pub fn forget_tally(&self, window: Id) {
        self.0.registry.board.forget(window);
    }

    /// Requests that were forwarded since the process began, by route and region.
    pub fn places(&self) -> HashMap<(Arc<str>, Arc<str>), Forwarded> {
        let tables = self.tables();
        let mut places = lock(&self.0.retired_places).clone();
        tables.iter().for_each(|table| add(&mut places, table));
        places
    }
}

pub(super) fn add(places: &mut Places, table: &TableCells) {
    for (route, row) in table.rows() {
        for (region, cells) in table.regions.iter().zip(&row.forwarded) {
            let [requests, failures] = cells.each_ref().map(read);
            if requests > 0 {
                let place = places.entry((Arc::clone(route), Arc::clone(region))).or_default();
                place.requests += requests;
                place.failures += failures;
            }
        }
    }
}
