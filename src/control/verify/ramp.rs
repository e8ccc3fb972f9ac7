//! Whether those who were let in are served.
//!
//! A look finds a ramp unwell if the servers behind its scope are (half of those of an upstream
//! or more), if one of the plan's probes is, or if more than
//! [`RAMP_FAILURES_PERCENT`](limit::RAMP_FAILURES_PERCENT) of a hundred requests that were
//! forwarded in the scope ended with 5xx. [`RAMP_BAD_LOOKS`](limit::RAMP_BAD_LOOKS) such looks in
//! a row close the scope again; one that finds it well begins anew.

use super::places::Wanted;
use super::{Of, Shared, pace};
use crate::limit;
use crate::telemetry::metrics::Forwarded;
use crate::window::state::Window;

pub(super) async fn watch(window: &Window, shared: &Shared) {
    let Some(ramp) = window.plan.ramp else { return };
    shared.begin(window, Of::Ramp, 0, shared.clock.now());
    let plan = window.plan.verification.as_ref();
    let every = pace(plan, ramp.over);
    let counted = || {
        let scope = &window.scope;
        shared
            .metrics
            .forwarded(|route, region| scope.routes.covers(route) && scope.regions.covers(region))
    };
    let mut errors = Errors::since(counted());
    let mut bad = 0;
    loop {
        tokio::time::sleep(every).await;
        let mut faults = shared.round(window, plan, Wanted::Most).await;
        faults.extend(errors.look(counted()));
        let first = faults.first().cloned();
        shared.ended(window, faults);
        let Some(fault) = first else {
            bad = 0;
            continue;
        };
        bad += 1;
        if bad >= limit::RAMP_BAD_LOOKS {
            let why = format!("reopening: {fault}");
            shared.metrics.ramp_failed();
            shared.tell(|| shared.handle.failed(window.id, window.version, why.clone())).await;
            return;
        }
    }
}

/// Counts failures among forwarded requests, from one look that could say something to the next.
struct Errors {
    from: Forwarded,
}

impl Errors {
    fn since(from: Forwarded) -> Self {
        Self { from }
    }

    /// What is wrong, if anything is. Too few requests say nothing yet: they are looked at again
    /// with those that follow.
    fn look(&mut self, now: Forwarded) -> Option<String> {
        let requests = now.requests.saturating_sub(self.from.requests);
        let failures = now.failures.saturating_sub(self.from.failures);
        if requests < limit::RAMP_REQUESTS_MIN {
            return None;
        }
        self.from = now;
        let over = failures * 100 > requests * limit::RAMP_FAILURES_PERCENT;
        over.then(|| format!("{failures} of {requests} requests that were let in failed with 5xx"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(requests: u64, failures: u64) -> Forwarded {
        Forwarded { requests, failures }
    }

    #[test]
    fn failures_count_among_enough_requests_and_from_the_last_look_on() {
        let mut errors = Errors::since(seen(1_000, 900));
        assert_eq!(errors.look(seen(1_019, 919)), None, "too few requests say nothing");
        assert!(errors.look(seen(1_020, 920)).is_some(), "20 of 20");
        assert_eq!(errors.look(seen(1_120, 930)), None, "10 of 100 may fail");
        assert!(errors.look(seen(1_220, 941)).is_some(), "11 of 100 may not");
        assert_eq!(errors.look(seen(1_240, 941)), None, "what was before is forgotten");
    }
}
