//! Tells the metrics what control knows: the generation, windows, reloads, what the store holds.

use std::sync::Arc;

use tokio::sync::watch;

use super::command::{Handle, Standing};
use super::reload::{Outcome, Reloads, Verdict};
use super::roster::{Pool, Servers};
use super::{drift, figures};
use crate::clock::Clock;
use crate::duty::Duty;
use crate::limit;
use crate::snapshot::Live;
use crate::store::Store;
use crate::store::embedded::StoreGauges;
use crate::telemetry::metrics::{Metrics, Reload, ServerCounts, StoreFigures};

/// How long the store's commits took.
pub type Latency = Box<dyn Fn() -> StoreGauges + Send>;

/// Who knows, and who is told.
pub struct Gauges {
    metrics: Metrics,
    store: Arc<dyn Store>,
    latency: Latency,
    clock: Clock,
    live: Live,
    standing: watch::Receiver<Arc<Standing>>,
    reloads: Option<watch::Receiver<Option<Arc<Outcome>>>>,
}

impl Gauges {
    /// Tells `metrics`.
    pub fn new(
        metrics: Metrics,
        (store, latency): (Arc<dyn Store>, Latency),
        clock: Clock,
        handle: &Handle,
        reloads: Option<&Reloads>,
    ) -> Self {
        let (standing, reloads) = (handle.watch(), reloads.map(Reloads::watch));
        let live = handle.live();
        Self { metrics, store, latency, clock, live, standing, reloads }
    }

    /// Works until the reconciler is gone.
    pub async fn run(mut self) {
        let mut census = tokio::time::interval(limit::CENSUS_EVERY);
        census.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.windows();
        loop {
            let reloaded = async {
                match &mut self.reloads {
                    Some(reloads) => reloads.changed().await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            // CANCEL: each branch only says that there is something to look at.
            tokio::select! {
                changed = self.standing.changed() => match changed {
                    Ok(()) => self.windows(),
                    Err(_) => return,
                },
                alive = reloaded => if alive { self.reload() } else { self.reloads = None },
                _ = census.tick() => self.census().await,
            }
        }
    }

    fn windows(&mut self) {
        let standing = Arc::clone(&self.standing.borrow_and_update());
        self.metrics.servers(counts(&standing.servers));
        self.metrics.generation(standing.generation);
        self.metrics.windows(figures::of(&standing, self.clock.now()));
        self.certificates();
    }

    fn certificates(&self) {
        let site = Arc::clone(&self.live.snapshot().site);
        let shown = site.tls.iter().flat_map(|tls| tls.certificates());
        self.metrics.certificates(shown.map(|one| (one.name.clone(), one.not_after)));
    }

    fn reload(&mut self) {
        let Some(reloads) = &mut self.reloads else { return };
        let Some(outcome) = reloads.borrow_and_update().clone() else { return };
        let went = match outcome.result {
            Verdict::Ok => Reload::Done,
            Verdict::Failed => Reload::Failed,
        };
        self.metrics.reload(went, self.clock.now());
    }

    async fn census(&mut self) {
        // Overruns grow though nothing changes.
        let standing = Arc::clone(&self.standing.borrow());
        self.metrics.windows(figures::of(&standing, self.clock.now()));
        self.metrics.drift(drift::all(&standing).count() as u64);
        // A failure is counted by the store itself, and logged where it hurts.
        let Ok(census) = self.store.census().await else { return };
        let by_state = census.submissions.iter().map(|(state, count)| (state.name(), *count));
        let latency = (self.latency)();
        self.metrics.store(StoreFigures {
            submissions: by_state.collect(),
            bytes: census.bytes,
            commits: latency.batches,
            commit_sum: latency.commit_sum,
            commit_p50: latency.commit_p50,
            commit_p99: latency.commit_p99,
            failures: latency.failures,
            free_bytes: latency.free_bytes,
            is_full: latency.is_full,
        });
    }
}

fn counts(servers: &Servers) -> Vec<(Arc<str>, ServerCounts)> {
    let of = |pool: &Pool| {
        let mut counts = ServerCounts::default();
        for server in &pool.servers {
            for place in &server.places {
                let count = match server.duty() {
                    Duty::Ready if place.health.is_well() => &mut counts.ready,
                    Duty::Ready => &mut counts.unhealthy,
                    Duty::Drain => &mut counts.drain,
                    Duty::Maint => &mut counts.maint,
                };
                *count += 1;
            }
        }
        (Arc::clone(&pool.name), counts)
    };
    servers.pools().iter().map(of).collect()
}
