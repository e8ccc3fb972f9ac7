//! How many requests may be sent again after they may have reached a server. A share of the
//! requests: when a server is in trouble, retries of all of them would be the next one's.

use std::cell::Cell;

use crate::limit;

/// What one retry costs, so that shares of it can be saved.
const WHOLE: u64 = 100;

/// The retries that a worker may make to an upstream.
#[derive(Debug)]
pub(super) struct Budget {
    /// In hundredths of a retry.
    saved: Cell<u64>,
    /// When time was last counted, in milliseconds of the worker's clock.
    counted: Cell<u64>,
}

/// What a second saves is there from the beginning.
impl Default for Budget {
    fn default() -> Self {
        let saved = Cell::new(u64::from(limit::RETRY_FLOOR) * WHOLE);
        Self { saved, counted: Cell::default() }
    }
}

impl Budget {
    /// A request that saves its share.
    pub(super) fn asked(&self) {
        self.save(u64::from(limit::RETRY_SHARE));
    }

    /// Takes a retry out, if there is one.
    pub(super) fn take(&self, now: u64) -> bool {
        let since = now.saturating_sub(self.counted.replace(now));
        self.save(since.saturating_mul(u64::from(limit::RETRY_FLOOR) * WHOLE) / 1000);
        let left = self.saved.get().checked_sub(WHOLE);
        if let Some(left) = left {
            self.saved.set(left);
        }
        left.is_some()
    }

    fn save(&self, share: u64) {
        let most = u64::from(limit::RETRY_SAVED_MAX) * WHOLE;
        self.saved.set(self.saved.get().saturating_add(share).min(most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(budget: &Budget, now: u64) -> usize {
        (0..1000).take_while(|_| budget.take(now)).count()
    }

    #[test]
    fn a_fifth_of_the_requests_and_three_a_second_may_be_sent_again() {
        let budget = Budget::default();
        assert_eq!(taken(&budget, 1), 3);
        assert_eq!(taken(&budget, 1001), 3);
        (0..50).for_each(|_| budget.asked());
        assert_eq!(taken(&budget, 1001), 10);
        (0..100_000).for_each(|_| budget.asked());
        assert_eq!(taken(&budget, 1001), 100, "a quiet day is no licence for a storm");
    }
}
