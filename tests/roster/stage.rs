//! A reconciler with its health checks and look-ups, over a store that survives it.

use std::path::Path;
use std::sync::Arc;

use intermission::clock::Clock;
use intermission::config::{self, Loaded};
use intermission::control::health::Checks;
use intermission::control::names::{Names, Resolver};
use intermission::control::roster::{Health, Place};
use intermission::control::traffic::{InFlight, Traffic};
use intermission::control::{Handle, Parts, Reconciler};
use intermission::snapshot::{Live, Member, UpstreamIx};
use intermission::store::{self, Store, embedded::Embedded};
use intermission::telemetry::metrics::Metrics;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::PATIENCE;

pub(super) struct Stage {
    pub(super) handle: Handle,
    pub(super) live: Live,
    pub(super) metrics: Metrics,
    engine: Arc<Embedded>,
    tasks: JoinSet<()>,
}

struct Nobody;

impl Traffic for Nobody {
    fn in_flight(&self) -> Vec<InFlight> {
        Vec::new()
    }
}

pub(super) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let patient = async { tokio::time::timeout(PATIENCE * 2, test).await };
    runtime.block_on(patient).expect("the test ends in time");
}

/// A config with one upstream `app`, which says this.
pub(super) fn loaded(upstream: &str) -> Loaded {
    let text = format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n[store]\ndirectory = \"store\"\n\
         [listen]\nhttp = [\"127.0.0.1:0\"]\n\
         [[upstream]]\nname = \"app\"\n{upstream}\n\
         [[route]]\nname = \"site\"\npaths = [\"/*\"]\nupstream = \"app\"\n"
    );
    let loaded = config::load_text("test.toml", &text, Path::new("."));
    loaded.unwrap_or_else(|problems| panic!("{}", problems.render(config::Color::Plain)))
}

/// Checks as fast as the config takes them.
pub(super) fn checked(servers: &str, health: &str) -> String {
    format!(
        "servers = [{servers}]\n[upstream.health]\ninterval = \"20ms\"\ntimeout = \"1s\"\n{health}"
    )
}

impl Stage {
    pub(super) async fn over(folder: &TempDir, upstream: &str, resolver: Resolver) -> Self {
        let clock = Clock::System;
        let engine = Arc::new(store::open(folder.path(), clock.clone()).expect("a store"));
        let Loaded { site, pages, .. } = loaded(upstream);
        let store = Arc::clone(&engine) as Arc<dyn Store>;
        let traffic = Arc::new(Nobody);
        let parts = Parts { store, site, pages, clock: clock.clone(), traffic };
        let (reconciler, live, handle) = Reconciler::boot(parts).await.expect("it boots");
        let metrics = Metrics::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(reconciler.run());
        let checks = Checks::new(handle.clone(), clock, metrics.clone());
        tasks.spawn(checks.run(std::future::pending()));
        let names = Names::new(handle.clone(), resolver, metrics.clone());
        tasks.spawn(names.run(std::future::pending()));
        Self { handle, live, metrics, engine, tasks }
    }

    /// A stage whose names are the system's business.
    pub(super) async fn with(folder: &TempDir, upstream: &str) -> Self {
        Self::over(folder, upstream, intermission::control::names::system()).await
    }

    pub(super) async fn reload(&self, upstream: &str) {
        let Loaded { site, pages, .. } = loaded(upstream);
        self.handle.reload(site, pages).await.expect("it is taken");
    }

    /// Ends as a process does that is told to stop.
    pub(super) async fn close(mut self) {
        self.tasks.shutdown().await;
        self.engine.shutdown();
    }

    /// The roster that workers see.
    pub(super) fn members(&self) -> Vec<Member> {
        self.live.snapshot().roster.members(UpstreamIx(0)).to_vec()
    }

    /// What is known of each address, in the order of the config.
    pub(super) fn places(&self) -> Vec<Place> {
        places(&self.handle)
    }

    /// Waits until what is known is as wanted.
    pub(super) async fn until(&self, wanted: impl Fn(&[Place]) -> bool) {
        let mut standing = self.handle.watch();
        let handle = &self.handle;
        let seen = standing.wait_for(|_| wanted(&places(handle)));
        seen.await.expect("the reconciler lives");
    }

    /// Waits until this many checks more have ended.
    pub(super) async fn after_checks(&self, more: u64) {
        let until = self.checks() + more;
        while self.checks() < until {
            // SLEEP: the pause between two looks at a counter, which announces nothing.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    fn checks(&self) -> u64 {
        let text = self.metrics.render();
        let lines = text.lines().filter(|l| l.starts_with("intermission_health_checks_total{"));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }
}

fn places(handle: &Handle) -> Vec<Place> {
    let standing = handle.standing();
    let servers = standing.servers.pools().iter().flat_map(|pool| &pool.servers);
    servers.flat_map(|server| server.places.clone()).collect()
}

/// Whether every place is so.
pub(super) fn all(health: fn(&Health) -> bool) -> impl Fn(&[Place]) -> bool {
    move |places| places.iter().all(|place| health(&place.health))
}

pub(super) fn well(health: &Health) -> bool {
    matches!(health, Health::Healthy { .. })
}

pub(super) fn ill(health: &Health) -> bool {
    matches!(health, Health::Unhealthy { .. })
}
