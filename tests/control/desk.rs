//! A reconciler over the real store, and everything around it that a test can turn.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use intermission::clock::{Clock, Wall};
use intermission::config::{self, Loaded};
use intermission::control::traffic::{InFlight, Traffic};
use intermission::control::{BootError, Handle, Parts, Reconciler, Standing};
use intermission::snapshot::{Live, Snapshot};
use intermission::store::embedded::Embedded;
use intermission::store::{self, Store};
use intermission::window::plan::Plan;
use intermission::window::scope::{Scope, Selection};
use intermission::window::state::{Author, Mode, Order, Texts};
use tempfile::TempDir;

use super::faulty::Faulty;
use crate::support::PATIENCE;

/// A reconciler at work, and everything around it that a test can turn.
pub(crate) struct Desk {
    pub(crate) live: Live,
    pub(crate) handle: Handle,
    pub(crate) engine: Arc<Embedded>,
    pub(crate) store: Arc<Faulty>,
    pub(crate) clock: Clock,
    pub(crate) traffic: Arc<Count>,
    work: tokio::task::JoinHandle<()>,
}

/// As many requests as the test says, all on claims in apac.
#[derive(Default)]
pub(crate) struct Count(pub(crate) AtomicU64);

/// So many requests that who counts them panics.
pub(crate) const PANIC: u64 = u64::MAX;

impl Traffic for Count {
    fn in_flight(&self) -> Vec<InFlight> {
        let count = self.0.load(Ordering::SeqCst);
        assert_ne!(count, PANIC, "as the test wishes");
        let (tunnels, streams) = (0, 0);
        let (route, region) = ("claims".into(), "apac".into());
        vec![InFlight { route, region, count, tunnels, streams }]
    }
}

pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let patient = async { tokio::time::timeout(PATIENCE * 2, test).await };
    runtime.block_on(patient).expect("the test ends in time");
}

pub(crate) fn loaded(routes: &[&str]) -> Loaded {
    let mut text = "\
[admin]\nlisten = \"127.0.0.1:0\"\n[node]\nname = \"n\"\nregion = \"eu\"\n\
[store]\ndirectory = \"store\"\n[listen]\nhttp = [\"127.0.0.1:0\"]\n\
[[region]]\nname = \"eu\"\n[[region]]\nname = \"apac\"\nhosts = [\"apac.localhost\"]\n\
[[upstream]]\nname = \"app\"\nservers = [\"127.0.0.1:9\"]\n"
        .to_owned();
    for route in routes {
        text += &format!(
            "[[route]]\nname = \"{route}\"\npaths = [\"/{route}/*\"]\nupstream = \"app\"\n"
        );
    }
    config::load_text("test.toml", &text, Path::new(".")).expect("a config without problems")
}

pub(crate) const ROUTES: [&str; 3] = ["claims", "quotes", "news"];
pub(crate) const START: Wall = Wall::from_millis(1_795_262_400_000);

impl Desk {
    pub(crate) async fn over(folder: &TempDir, clock: Clock) -> Self {
        Self::boot(folder, clock, &ROUTES).await.expect("it boots")
    }

    pub(crate) async fn boot(
        folder: &TempDir,
        clock: Clock,
        routes: &[&str],
    ) -> Result<Self, BootError> {
        let engine = Arc::new(store::open(folder.path(), clock.clone()).expect("a store"));
        let store = Arc::new(Faulty::over(Arc::clone(&engine) as Arc<dyn Store>));
        let traffic = Arc::new(Count::default());
        let Loaded { site, pages, .. } = loaded(routes);
        let parts = Parts {
            store: Arc::clone(&store) as Arc<dyn Store>,
            site,
            pages,
            clock: clock.clone(),
            traffic: Arc::clone(&traffic) as Arc<dyn Traffic>,
        };
        let booted = Reconciler::boot(parts).await;
        let (reconciler, live, handle) = booted.inspect_err(|_| engine.shutdown())?;
        let work = tokio::spawn(reconciler.run());
        Ok(Self { live, handle, engine, store, clock, traffic, work })
    }

    /// Ends as a process that is told to stop does.
    pub(crate) async fn close(self) {
        drop(self.handle);
        self.work.await.expect("the reconciler ends when nobody asks any more");
        self.engine.shutdown();
    }

    /// Waits until what is in force is as wanted.
    pub(crate) async fn until(&self, wanted: impl FnMut(&Arc<Standing>) -> bool) -> Arc<Standing> {
        let mut standing = self.handle.watch();
        Arc::clone(&*standing.wait_for(wanted).await.expect("the reconciler lives"))
    }
}

pub(crate) fn scope(regions: &[&str], routes: &[&str]) -> Scope {
    let of = |names: &[&str]| Selection::of(names.iter().map(|name| (*name).to_owned()));
    Scope { regions: of(regions), routes: of(routes), ..Scope::default() }
}

pub(crate) fn order(regions: &[&str], routes: &[&str]) -> Order {
    let texts = Texts { reason: "database upgrade".to_owned(), ..Texts::default() };
    let drain = Duration::from_secs(30);
    Order {
        scope: scope(regions, routes),
        mode: Mode::Page,
        texts,
        promised_end: None,
        plan: Plan::draining(drain),
    }
}

pub(crate) fn ops() -> Author {
    Author { by: "ops".to_owned(), why: "database upgrade".to_owned() }
}

pub(crate) fn is_closed(snapshot: &Snapshot, route: &str, region: &str) -> bool {
    let route = snapshot.site.route_named(route).expect("a route");
    let region = snapshot.site.regions.named(region).expect("a region");
    snapshot.cells.closure(route, region).is_some()
}
