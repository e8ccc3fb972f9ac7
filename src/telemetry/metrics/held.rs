//! Requests that wait for a window to end.

use std::sync::Arc;

use super::exposition::{Named, Page, counter, gauge, number};
use super::read;
use crate::telemetry::shard::{Held, WorkerCells};

pub(super) const HELD: Named = gauge(
    "intermission_held_requests",
    &[],
    "Requests that wait for a window of mode `hold` to end.",
);
pub(super) const HELD_TOTAL: Named = counter(
    "intermission_held_requests_total",
    &["outcome"],
    "Requests that were to wait for a window to end: called when it did, late, full (there was no \
     seat), gone (the client), stop.",
);

/// What the workers counted.
pub(super) fn expose(workers: &[Arc<WorkerCells>], page: &mut Page) {
    let told = |at: usize| workers.iter().map(|worker| read(&worker.held[at])).sum::<u64>();
    let began: u64 = workers.iter().map(|worker| read(&worker.held_began)).sum();
    let full = Held::Full as usize;
    let ended: u64 = (0..Held::NAMES.len()).filter(|at| *at != full).map(told).sum();
    page.add(HELD, [number(&[], began.saturating_sub(ended))]);
    let outcomes = Held::NAMES.iter().enumerate();
    page.add(HELD_TOTAL, outcomes.map(|(at, name)| number(&[("outcome", name)], told(at))));
}
