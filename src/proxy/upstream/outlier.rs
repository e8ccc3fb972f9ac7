//! Servers that fail are passed over for a while, without anybody being asked: what a worker's own
//! requests met is enough.

use std::cell::Cell;

use crate::limit;
use crate::snapshot::Ejection;

/// What is known of one server's failures. Times are milliseconds of the worker's clock.
#[derive(Debug, Default)]
pub(super) struct Outlier {
    /// Failures in a row.
    failures: Cell<u32>,
    /// Ejections since it was last well for as long as one took.
    times: Cell<u32>,
    /// Passed over until then; 0 if it never was.
    until: Cell<u64>,
    /// A success after that shows that it is well again.
    forgiven: Cell<u64>,
}

impl Outlier {
    /// Whether it is passed over.
    pub(super) fn is_out(&self, now: u64) -> bool {
        self.until.get() > now
    }

    /// When it was last passed over until; 0 if it never was.
    pub(super) fn until(&self) -> u64 {
        self.until.get()
    }

    /// It answered.
    pub(super) fn succeeded(&self, now: u64) {
        self.failures.set(0);
        if self.times.get() > 0 && now > self.forgiven.get() {
            self.times.set(0);
        }
    }

    /// It failed. Whether it has to be passed over from now on, if the others can do without it.
    pub(super) fn failed(&self, now: u64, rule: &Ejection) -> bool {
        self.failures.set(self.failures.get().saturating_add(1));
        self.failures.get() >= rule.failures && !self.is_out(now)
    }

    /// Passes it over from now on. Afterwards one failure is enough to pass it over again.
    pub(super) fn eject(&self, now: u64, rule: &Ejection) {
        let span = span(self.times.get(), rule);
        self.until.set(now.saturating_add(span));
        self.forgiven.set(now.saturating_add(span).saturating_add(span));
        self.times.set(self.times.get().saturating_add(1));
        self.failures.set(rule.failures.saturating_sub(1));
    }
}

/// How long a server is passed over that was so often before.
fn span(times: u32, rule: &Ejection) -> u64 {
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let most = millis(limit::EJECTION_TIME_MAX).max(millis(rule.time));
    millis(rule.time).saturating_mul(1 << times.min(16)).min(most)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RULE: Ejection = Ejection { failures: 3, time: Duration::from_secs(10), share_max: 50 };

    #[test]
    fn failures_in_a_row_count_and_a_success_between_them_begins_anew() {
        let server = Outlier::default();
        assert!(!server.failed(1, &RULE) && !server.failed(1, &RULE));
        server.succeeded(1);
        assert!(!server.failed(1, &RULE) && !server.failed(1, &RULE) && server.failed(1, &RULE));
    }

    #[test]
    fn each_further_time_is_twice_as_long_until_it_was_well_for_as_long() {
        let server = Outlier::default();
        let mut now = 1;
        for span in [10_000, 20_000, 40_000] {
            while !server.failed(now, &RULE) {}
            server.eject(now, &RULE);
            assert!(server.is_out(now + span - 1) && !server.is_out(now + span));
            now += span;
        }
        assert!(server.failed(now, &RULE), "one failure is enough now");
        server.succeeded(now);
        server.succeeded(now + 40_001);
        while !server.failed(now, &RULE) {}
        server.eject(now, &RULE);
        assert!(!server.is_out(now + 10_000), "it was well for long enough");
        assert_eq!(span(30, &RULE), 300_000);
    }
}
