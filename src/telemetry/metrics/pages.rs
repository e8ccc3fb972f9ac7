//! Pages that our script could go into.

use std::sync::Arc;

use super::exposition::{Named, Page, counter, number};
use super::read;
use crate::telemetry::insertion::Insertion;
use crate::telemetry::shard::WorkerCells;

pub(super) const PAGES: Named = counter(
    "intermission_pages_total",
    &["outcome"],
    "Pages that our script could go into: injected, or why not.",
);

/// What the workers counted.
pub(super) fn expose(workers: &[Arc<WorkerCells>], page: &mut Page) {
    let told = |at: usize| workers.iter().map(|worker| read(&worker.pages[at])).sum::<u64>();
    let outcomes = Insertion::NAMES.iter().enumerate();
    page.add(PAGES, outcomes.map(|(at, name)| number(&[("outcome", name)], told(at))));
}
