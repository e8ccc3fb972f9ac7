//! A reconciler over the real store that moves only when it is told to: time, crashes and all.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use intermission::clock::{Clock, Wall};
use intermission::config::Loaded;
use intermission::control::{Change, Draft, Expected, Handle, Parts, Reconciler, Refused};
use intermission::id::Id;
use intermission::snapshot::Live;
use intermission::store::embedded::Embedded;
use intermission::store::{self, Store};
use intermission::window::draft::{self, Given, Past};
use intermission::window::state::{State, Window};
use serde_json::json;
use tempfile::TempDir;

use super::desk::{Count, ROUTES, START, loaded, ops};
use super::faulty::Faulty;

/// Everything that survives a crash, and the process that may suffer one.
pub(crate) struct Bench {
    pub(crate) engine: Arc<Embedded>,
    pub(crate) store: Arc<Faulty>,
    pub(crate) clock: Clock,
    pub(crate) traffic: Arc<Count>,
    node: Option<Node>,
    _folder: TempDir,
}

struct Node {
    reconciler: Reconciler,
    live: Live,
    handle: Handle,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        // Where memory can stand in for a disk it does: what is synced here is not the point.
        let memory = Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.expect("a folder");
        let clock = Clock::manual(START);
        let engine = Arc::new(store::open(folder.path(), clock.clone()).expect("a store"));
        let store = Arc::new(Faulty::over(Arc::clone(&engine) as Arc<dyn Store>));
        let traffic = Arc::new(Count::default());
        let mut bench = Self { engine, store, clock, traffic, node: None, _folder: folder };
        bench.boot().await;
        bench
    }

    /// A process begins, whatever became of the one before.
    pub(crate) async fn boot(&mut self) {
        self.node = None;
        self.store.free();
        let Loaded { site, pages, .. } = loaded(&ROUTES);
        let parts = Parts {
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            site,
            pages,
            clock: self.clock.clone(),
            traffic: Arc::clone(&self.traffic) as _,
        };
        let (reconciler, live, handle) = Reconciler::boot(parts).await.expect("it boots");
        self.node = Some(Node { reconciler, live, handle });
    }

    fn node(&self) -> &Node {
        self.node.as_ref().expect("a process")
    }

    pub(crate) fn live(&self) -> &Live {
        &self.node().live
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.node().handle
    }

    pub(crate) fn now(&self) -> Wall {
        self.clock.now()
    }

    /// One round of the reconciler; none is left if it crashed.
    pub(crate) async fn turn(&mut self) -> Option<()> {
        self.ask(async |_| {}).await
    }

    /// Asks, and lets the reconciler work until it has answered; nobody answers if it crashed.
    pub(crate) async fn ask<T>(&mut self, question: impl AsyncFnOnce(Handle) -> T) -> Option<T> {
        let node = self.node.as_mut()?;
        let asked = question(node.handle.clone());
        let store = Arc::clone(&self.store);
        let answer = {
            let both = async { tokio::join!(biased; asked, node.reconciler.turn()).0 };
            tokio::select! {
                biased;
                () = store.crashed() => None,
                answer = both => Some(answer),
            }
        };
        if answer.is_none() {
            self.node = None;
        }
        answer
    }

    /// The same where nothing crashes.
    pub(crate) async fn done(
        &mut self,
        question: impl AsyncFnOnce(Handle) -> Result<Change, Refused>,
    ) -> Change {
        self.ask(question).await.expect("no crash").expect("done")
    }

    pub(crate) async fn refused(
        &mut self,
        question: impl AsyncFnOnce(Handle) -> Result<Change, Refused>,
    ) -> Refused {
        self.ask(question).await.expect("no crash").expect_err("refused")
    }

    /// Time passes, and the reconciler looks.
    pub(crate) async fn pass(&mut self, span: Duration) {
        self.clock.set(self.clock.now().plus(span));
        self.turn().await;
    }

    pub(crate) async fn pass_to(&mut self, at: Wall) {
        self.clock.set(at);
        self.turn().await;
    }

    /// Nothing is under way any more, and that was seen.
    pub(crate) async fn drain(&mut self) {
        for _ in 0..3 {
            self.pass(Duration::from_millis(200)).await;
        }
    }

    /// Plans and gives the windows' ids.
    pub(crate) async fn plan(&mut self, draft: Draft) -> Vec<Id> {
        let change = self.done(async |handle| handle.plan(draft).await).await;
        change.maintenance.expect("the maintenance").windows.clone()
    }

    pub(crate) async fn window(&self, id: Id) -> Window {
        self.engine.window(id).await.expect("readable").expect("stored")
    }

    pub(crate) async fn state(&self, id: Id) -> State {
        self.window(id).await.state
    }

    pub(crate) async fn states(&self, ids: &[Id]) -> Vec<State> {
        let mut states = Vec::new();
        for id in ids {
            states.push(self.state(*id).await);
        }
        states
    }

    /// Why it is in the state that it is in.
    pub(crate) async fn why(&self, id: Id) -> String {
        let history = self.engine.history_of(id).await.expect("readable");
        history.last().expect("an entry").why.clone()
    }

    pub(crate) async fn end(&mut self, id: Id) {
        use intermission::control::Which;
        use intermission::window::state::Checks;
        let which = Which::Window(id, Expected::Any);
        self.done(async |handle| handle.end(which, Checks::Planned, ops()).await).await;
    }
}

/// Runs a test on a bench.
pub(crate) fn on_a_bench<F: Future<Output = ()>>(test: impl FnOnce(Bench) -> F) {
    super::desk::run(async { test(Bench::start().await).await });
}

/// A maintenance of phases: a name, a region, and from when to when in minutes from the start.
pub(crate) fn drafted(phases: &[(&str, &str, i64, i64)]) -> Draft {
    let minute = |at: i64| Wall::from_millis(START.millis() + at * 60_000).rfc3339();
    let phases = phases.iter().map(|(name, region, from, to)| {
        json!({ "name": name, "regions": [region], "starts": minute(*from), "ends": minute(*to) })
    });
    compiled(json!({ "title": "database upgrade", "phases": phases.collect::<Vec<_>>() }), START)
}

/// What a document asks for.
pub(crate) fn compiled(document: serde_json::Value, now: Wall) -> Draft {
    let read: draft::Draft = serde_json::from_value(document).expect("a document");
    let given = Given { now, drain: Duration::from_secs(30), past: Past::Allowed };
    let compiled = read.compile(&given).expect("no faults");
    Draft { maintenance: compiled.maintenance, phases: compiled.phases }
}
