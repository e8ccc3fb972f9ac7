//! What the store tells of itself: atomics that the writer sets and anybody reads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Four buckets for each doubling, from 1 µs to over an hour.
const BUCKETS: usize = 4 * 32;

/// The store's figures at one instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoreGauges {
    /// From taking a batch to its answers, the last one.
    pub commit_last: Duration,
    /// The same, exceeded by half of all batches since the start (up to a quarter too high).
    pub commit_p50: Duration,
    /// The same, exceeded by one batch in a hundred (up to a quarter too high).
    pub commit_p99: Duration,
    /// All commits together.
    pub commit_sum: Duration,
    /// Batches that were committed.
    pub batches: u64,
    /// Jobs in them.
    pub jobs: u64,
    /// Batches of which nothing was acknowledged, and checkpoints that failed.
    pub failures: u64,
    /// How often writing went on after a failure.
    pub repairs: u64,
    /// Pages in the write-ahead log.
    pub wal_pages: u64,
    /// 1 if sealed frames were found damaged at the start.
    pub damaged: u64,
    /// Bytes that are free on the store's file system.
    pub free_bytes: u64,
    /// 1 while so few are free that nothing more is kept.
    pub is_full: u64,
}

/// The writer's side of [`StoreGauges`].
pub(super) struct Meter {
    last: AtomicU64,
    sum: AtomicU64,
    jobs: AtomicU64,
    failures: AtomicU64,
    pub(super) repairs: AtomicU64,
    pub(super) wal_pages: AtomicU64,
    pub(super) damaged: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            last: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            jobs: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            repairs: AtomicU64::new(0),
            wal_pages: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    pub(super) fn committed(&self, jobs: usize, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.last.store(micros, Relaxed);
        self.sum.fetch_add(micros, Relaxed);
        self.jobs.fetch_add(jobs as u64, Relaxed);
        self.buckets[bucket(micros)].fetch_add(1, Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> StoreGauges {
        let counts = self.buckets.each_ref().map(|bucket| bucket.load(Relaxed));
        let batches = counts.iter().sum();
        StoreGauges {
            commit_last: Duration::from_micros(self.last.load(Relaxed)),
            commit_p50: exceeded_by(&counts, batches / 2),
            commit_p99: exceeded_by(&counts, batches / 100),
            commit_sum: Duration::from_micros(self.sum.load(Relaxed)),
            batches,
            jobs: self.jobs.load(Relaxed),
            failures: self.failures.load(Relaxed),
            repairs: self.repairs.load(Relaxed),
            wal_pages: self.wal_pages.load(Relaxed),
            damaged: self.damaged.load(Relaxed),
            free_bytes: 0,
            is_full: 0,
        }
    }
}

/// The bucket of a duration: its doubling, and the two bits after the leading one.
fn bucket(micros: u64) -> usize {
    let doubling = micros.max(1).ilog2();
    let quarter = if doubling < 2 { 0 } else { micros >> (doubling - 2) & 3 };
    (doubling as usize * 4 + quarter as usize).min(BUCKETS - 1)
}

/// The upper bound of a bucket.
fn bound(bucket: usize) -> Duration {
    let quarters = 5 + (bucket % 4) as u64;
    Duration::from_micros((quarters << (bucket / 4)).div_ceil(4))
}

/// The upper bound that at most `above` of the counted durations exceed.
fn exceeded_by(counts: &[u64; BUCKETS], above: u64) -> Duration {
    let mut over: u64 = counts.iter().sum();
    for (at, count) in counts.iter().enumerate() {
        over -= count;
        if *count > 0 && over <= above {
            return bound(at);
        }
    }
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_at_most_a_quarter_above_the_truth() {
        let meter = Meter::new();
        for micros in 1..=10_000 {
            meter.committed(2, Duration::from_micros(micros));
        }
        let read = meter.read();
        assert_eq!((read.batches, read.jobs), (10_000, 20_000));
        for (told, truth) in [(read.commit_p50, 5_000), (read.commit_p99, 9_900)] {
            let truth = Duration::from_micros(truth);
            assert!(truth <= told && told <= truth * 5 / 4, "{told:?} for {truth:?}");
        }
        assert_eq!(Meter::new().read(), StoreGauges::default());
    }
}
