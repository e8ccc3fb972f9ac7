//! Both planes in one test: a reconciler, workers, health checks and the verifier, with the
//! [`Handle`] in the test's own hand.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::Duration;

use intermission::clock::{Clock, Wall};
use intermission::config::{self, Loaded};
use intermission::control::health::Checks;
use intermission::control::report::Reports;
use intermission::control::tally::Keeper;
use intermission::control::traffic::Traffic;
use intermission::control::verify::{Doors, Verification, Verifications, Verifier};
use intermission::control::{
    Change, Expected, Handle, Parts, Reconciler, Refused, Standing, Which,
};
use intermission::id::Id;
use intermission::proxy::{self, Bound, Workers};
use intermission::snapshot::Live;
use intermission::store::embedded::Embedded;
use intermission::store::{self, Store};
use intermission::telemetry::access::{AccessLog, AccessWriter};
use intermission::telemetry::metrics::Metrics;
use intermission::vault::{NodeKey, Vault};
use intermission::window::history::Entry;
use intermission::window::plan::{Plan, Probe, Ramp, RampBy, Verification as Wanted};
use intermission::window::report::Report;
use intermission::window::state::{Checks as Ending, Order, State, Window};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::desk::{ops, order};
use crate::support::{PATIENCE, eventually, raw};

/// Routes claims (claims.test) and quotes (any host); regions eu, its own, and apac, which a
/// trusted peer tells and which claims has an upstream of its own in.
pub(super) fn config_text(eu: SocketAddr, apac: SocketAddr, more: &str) -> String {
    format!(
        r#"
[admin]
listen = "127.0.0.1:0"
[node]
name = "n"
region = "eu"
workers = 1
[store]
directory = "store"
[log]
access = "off"
[listen]
http = ["127.0.0.1:0"]
trusted = ["10.0.0.0/8"]
[[region]]
name = "eu"
[[region]]
name = "apac"
header = {{ name = "x-region", value = "apac" }}
[[upstream]]
name = "app-eu"
servers = ["{eu}"]
{more}
[[upstream]]
name = "app-apac"
servers = ["{apac}"]
[[route]]
name = "claims"
hosts = ["claims.test"]
paths = ["/*"]
upstream = "app-eu"
upstreams = {{ apac = "app-apac" }}
[[route]]
name = "quotes"
paths = ["/quotes/*"]
upstream = "app-eu"
"#
    )
}

pub(super) struct Stage {
    pub(super) handle: Handle,
    pub(super) engine: Arc<Embedded>,
    metrics: Metrics,
    pub(super) views: Verifications,
    pub(super) visitors: SocketAddr,
    reports: Reports,
    workers: Option<Workers>,
    /// What the test itself waits on.
    runtime: Runtime,
    stop: watch::Sender<bool>,
    control: Option<JoinHandle<()>>,
    _writer: AccessWriter,
}

impl Stage {
    /// Over this folder, which may have a store from before.
    pub(super) fn over(folder: &Path, text: &str) -> Self {
        let loaded = load(folder, text);
        let clock = Clock::System;
        let engine = Arc::new(store::open(&folder.join("store"), clock.clone()).expect("a store"));
        let metrics = Metrics::default();
        let Loaded { site, pages, process, .. } = loaded;
        let node_tag = site.node_tag;
        let parts = Parts {
            store: Arc::clone(&engine) as Arc<dyn Store>,
            site,
            pages,
            clock: clock.clone(),
            traffic: Arc::new(metrics.clone()) as Arc<dyn Traffic>,
        };
        let bound = Bound::bind(&process.listeners, 1).expect("loopback has ports");
        let visitors = bound.addresses()[0];
        let doors = Doors::new(bound.doors(&process.listeners));
        let key = NodeKey::load_or_create(folder).expect("a key");
        let key_seed = key.visitor_seed();
        let vault = Vault::new(Arc::clone(&engine) as _, key, clock.clone(), node_tag);
        let (access, writer) =
            AccessLog::start(process.access_target, process.access_format).expect("a log");
        metrics.seed_visitors(key_seed);
        let keeper = Keeper::new(metrics.clone(), Arc::clone(&engine) as Arc<dyn Store>);
        let store = Arc::clone(&engine) as Arc<dyn Store>;
        let reports = Reports::new(store, keeper.clone(), clock.clone());
        let (stop, stopped) = watch::channel(false);
        let (give, booted) = std::sync::mpsc::sync_channel(1);
        let told = metrics.clone();
        let control = std::thread::spawn(move || {
            runtime().block_on(serve(parts, told, keeper, doors, give, stopped));
        });
        let (live, handle, views) = booted.recv().expect("it boots");
        let told = metrics.clone();
        let parts = proxy::Parts { live, vault, metrics: told, access, clock };
        let workers = Some(Workers::spawn(bound, &parts).expect("threads"));
        let (control, runtime) = (Some(control), runtime());
        Self {
            handle,
            engine,
            metrics,
            views,
            visitors,
            reports,
            workers,
            runtime,
            stop,
            control,
            _writer: writer,
        }
    }

    fn wait<T>(&self, what: &str, ask: impl Future<Output = T>) -> T {
        let patient = async { tokio::time::timeout(PATIENCE, ask).await };
        self.runtime.block_on(patient).unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }

    /// Closes under this plan.
    pub(super) fn close(&self, regions: &[&str], routes: &[&str], plan: Plan) -> Arc<Window> {
        self.switch(Order { plan, ..order(regions, routes) })
    }

    /// Closes so.
    pub(super) fn switch(&self, order: Order) -> Arc<Window> {
        let change = self.wait("a switch", self.handle.switch(order, ops()));
        Arc::clone(&change.expect("it closes").windows[0])
    }

    /// Says that the work is done.
    pub(super) fn end(&self, window: Id) {
        self.leave(window, Ending::Planned);
    }

    /// Says that the work is done, and whether it is to be looked at.
    pub(super) fn leave(&self, window: Id, checks: Ending) {
        let which = Which::Window(window, Expected::Any);
        let ended = self.wait("an end", self.handle.end(which, checks, ops()));
        ended.expect("it ends");
    }

    /// Says that visitors were promised another end.
    pub(super) fn extend(&self, window: Id, end: Wall) {
        let extended = self.handle.extend(window, Expected::Any, Some(end), ops());
        self.wait("an extension", extended).expect("it is extended");
    }

    /// Tells of a failure of this version.
    pub(super) fn fail_late(&self, window: Id, version: u64) -> Result<Change, Refused> {
        self.wait("an answer", self.handle.failed(window, version, "late".to_owned()))
    }

    /// Waits for a window's state; one that is over is read from the store.
    pub(super) fn until(&self, window: Id, state: State) {
        let mut standing = self.handle.watch();
        let is = |standing: &Arc<Standing>| {
            let found = standing.windows.iter().find(|one| one.id == window);
            found.map_or(state.is_over(), |found| found.state == state)
        };
        let what = format!("{}; it is {:?}", state.name(), self.history(window));
        self.wait(&what, async { standing.wait_for(is).await.map(drop).expect("it lives") });
    }

    pub(super) fn history(&self, window: Id) -> Vec<Entry> {
        self.wait("the history", self.engine.history_of(window)).expect("a history")
    }

    /// The states of a window's life so far, and why it is in the last one.
    pub(super) fn life(&self, window: Id) -> (Vec<&'static str>, String) {
        let history = self.history(window);
        let why = history.last().map(|entry| entry.why.clone()).unwrap_or_default();
        (history.iter().map(|entry| entry.to.name()).collect(), why)
    }

    pub(super) fn view(&self, window: Id) -> Option<Verification> {
        self.views.of(window)
    }

    /// The status of a visitor's page.
    pub(super) fn visit(&self, host: &str, path: &str, fields: &str) -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
        raw::exchange(self.visitors, request).status()
    }

    /// Waits until a metric's line is this.
    pub(super) fn until_metric(&self, line: &str) {
        let is = || self.metrics.render().lines().any(|l| l == line).then_some(());
        eventually(line, is);
    }

    /// The report of a switch.
    pub(super) fn report(&self, window: Id) -> Report {
        let report = self.wait("a report", self.reports.window(window));
        report.expect("the store is there").expect("so is the window")
    }

    /// Puts a config in force.
    pub(super) fn reload(&self, folder: &Path, text: &str) {
        let Loaded { site, pages, .. } = load(folder, text);
        let reloaded = self.wait("a reload", self.handle.reload(site, pages));
        reloaded.expect("it is taken");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.control.take().map(JoinHandle::join);
        self.workers.take().map(|workers| workers.stop(Duration::ZERO));
        self.engine.shutdown();
    }
}

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

/// The control plane, as far as it is about windows and servers.
async fn serve(
    parts: Parts,
    metrics: Metrics,
    keeper: Keeper,
    doors: Doors,
    booted: SyncSender<(Live, Handle, Verifications)>,
    stopped: watch::Receiver<bool>,
) {
    let clock = parts.clock.clone();
    let (reconciler, live, handle) = Reconciler::boot(parts).await.expect("it boots");
    let verifier = Verifier::new(handle.clone(), clock.clone(), metrics.clone(), doors);
    let checks = Checks::new(handle.clone(), clock, metrics);
    let standing = handle.watch();
    booted.send((live, handle, verifier.views())).expect("somebody waits");
    tokio::spawn(reconciler.run());
    tokio::spawn(checks.run(std::future::pending()));
    tokio::spawn(verifier.run(std::future::pending()));
    let (stop, asked) = watch::channel(false);
    let kept = tokio::spawn(keeper.run(standing, until(asked)));
    until(stopped).await;
    stop.send_replace(true);
    kept.await.expect("tallies are kept");
}

async fn until(mut told: watch::Receiver<bool>) {
    told.wait_for(|told| *told).await.expect("somebody tells");
}

fn load(folder: &Path, text: &str) -> Loaded {
    match config::load_text("stage.toml", text, folder) {
        Ok(loaded) => loaded,
        Err(problems) => panic!("{:?}", problems.iter().collect::<Vec<_>>()),
    }
}

/// Two rounds in a row, as fast as tests want them.
pub(super) fn wanted(probes: Vec<Probe>) -> Wanted {
    Wanted {
        probes,
        health: true,
        successes: 2,
        every: Duration::from_millis(20),
        within: Duration::from_secs(15),
    }
}

pub(super) fn probe(path: &str) -> Probe {
    Probe { path: path.to_owned(), ..Probe::default() }
}

/// Closed at once, verified so, and ramped over this time if at all.
pub(super) fn plan(wanted: Option<Wanted>, ramp: Option<Duration>) -> Plan {
    let ramp = ramp.map(|over| Ramp { over, by: RampBy::Share });
    Plan { verification: wanted, ramp, ..Plan::draining(Duration::ZERO) }
}
