//! What control tells of servers: how many stand how, the checks of them, names gone stale.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus::proto::Metric;

use super::exposition::{Named, Page, counter, gauge, number};
use super::{Metrics, lock};

pub(super) const SERVERS: Named = gauge(
    "intermission_upstream_servers",
    &["upstream", "state"],
    "Servers, by address: ready, unhealthy (and ready else), drain, maint.",
);
pub(super) const CHECKS: Named = counter(
    "intermission_health_checks_total",
    &["upstream", "result"],
    "Health checks of servers that ended: good or bad.",
);
pub(super) const STALE: Named = gauge(
    "intermission_upstream_names_stale",
    &[],
    "Names of servers whose last look-up failed; their addresses stay.",
);

/// The servers of one upstream, by how they stand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ServerCounts {
    /// They take requests.
    pub ready: u64,
    /// They would, were they well.
    pub unhealthy: u64,
    /// They take bound requests only.
    pub drain: u64,
    /// They take nothing.
    pub maint: u64,
}

/// What control told.
#[derive(Clone, Default)]
pub(super) struct ServerFigures {
    counts: Vec<(Arc<str>, ServerCounts)>,
    /// Bad and good ones, by upstream.
    checks: BTreeMap<Arc<str>, [u64; 2]>,
    stale: u64,
}

impl Metrics {
    /// The servers of every upstream of the config in force.
    pub fn servers(&self, counts: Vec<(Arc<str>, ServerCounts)>) {
        lock(&self.0.told).servers.counts = counts;
    }

    /// A check of a server of this upstream ended.
    pub fn health_checked(&self, upstream: &Arc<str>, good: bool) {
        let mut told = lock(&self.0.told);
        let checks = &mut told.servers.checks;
        checks.entry(Arc::clone(upstream)).or_default()[usize::from(good)] += 1;
    }

    /// A name became stale, or is so no more.
    pub fn name_stale(&self, is: bool) {
        let stale = &mut lock(&self.0.told).servers.stale;
        *stale = if is { *stale + 1 } else { stale.saturating_sub(1) };
    }
}

pub(super) fn expose(figures: &ServerFigures, page: &mut Page) {
    let states = |(upstream, counts): &(Arc<str>, ServerCounts)| {
        let ServerCounts { ready, unhealthy, drain, maint } = *counts;
        [("ready", ready), ("unhealthy", unhealthy), ("drain", drain), ("maint", maint)]
            .map(|(state, count)| number(&[("upstream", upstream), ("state", state)], count))
    };
    page.add(SERVERS, figures.counts.iter().flat_map(states));
    let results = |(upstream, [bad, good]): (&Arc<str>, &[u64; 2])| -> [Metric; 2] {
        [("good", *good), ("bad", *bad)]
            .map(|(result, count)| number(&[("upstream", upstream), ("result", result)], count))
    };
    page.add(CHECKS, figures.checks.iter().flat_map(results));
    page.add(STALE, [number(&[], figures.stale)]);
}
