//! The composition root: builds in order, binds, spawns, waits, drains.
//!
//! The planes meet here and nowhere else: the snapshot (control → data), the vault (data → store),
//! telemetry (both → out).

mod error;
mod handover;
mod running;
mod secrets;
mod sockets;

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::{Loaded, Process};
#[cfg(feature = "acme")]
use crate::control::acme;
use crate::control::admin::{self, Admin};
use crate::control::chores;
use crate::control::declared::Declarations;
use crate::control::gauges::{Gauges, Latency};
use crate::control::health::Checks;
use crate::control::hour::{self, Hour};
use crate::control::names::{self, Names, Resolver};
use crate::control::phase::{Phase, stopped};
use crate::control::reload::{Reloader, Reloads};
use crate::control::report::Reports;
use crate::control::service::Watch;
use crate::control::tally::Keeper;
use crate::control::traffic::Traffic;
use crate::control::verify::{Doors, Verifications, Verifier};
use crate::control::{Handle, Parts, Reconciler};
use crate::limit;
use crate::proxy;
use crate::snapshot::Live;
use crate::store::Store;
use crate::store::embedded::{self, Embedded};
use crate::telemetry::access::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::vault::Vault;

use error::addresses;
use running::Again;
use sockets::Sockets;

pub use error::ServeError;
pub use running::{Running, Stopped};
pub use sockets::{Takeover, patiently};

pub use crate::telemetry::log::{Format as LogFormat, init as start_log};

/// What a node is started with.
pub struct Options {
    /// The compiled config.
    pub loaded: Loaded,
    /// The file that it came from: read again when it changes, at SIGHUP and by the admin API.
    pub file: Option<PathBuf>,
    /// What time it is.
    pub clock: Clock,
    /// Whether the process's signals are this node's.
    pub signals: Signals,
    /// Whether it may take the place of a node that serves.
    pub takeover: Takeover,
}

/// Whether a node listens to the signals of its process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signals {
    /// SIGHUP reads the config again and opens the access log anew. Those that stop the process
    /// are [`Running::wait`]'s.
    Heeded,
    /// It is stopped by [`Running::stop`] alone.
    Ignored,
}

/// Starts a node. When this returns, visitors and operators are served.
pub fn start(options: Options) -> Result<Running, ServeError> {
    // ORDER: whatever another process can hold is taken before anything is changed.
    let sockets = Sockets::acquire(&options.loaded.process, options.takeover)?;
    start_at(options, sockets)
}

/// Starts a node at these sockets.
fn start_at(options: Options, sockets: Sockets) -> Result<Running, ServeError> {
    let Options { loaded, file, clock, signals, takeover: _ } = options;
    let process = loaded.process.clone();
    let failed = |what| move |source| ServeError::System { what, source };
    let shared = sockets.share(&process).map_err(failed("handles of the sockets"))?;
    let Sockets { visitors, admin: listener, taker } = sockets;
    let doors = Doors::new(visitors.doors(&process.listeners));
    let admin = listener.local_addr().map_err(failed("the admin listener"))?;
    let access = AccessLog::start(process.access_target.clone(), process.access_format);
    let (access, access_writer) = access.map_err(ServeError::Access)?;
    if let Some(taker) = &taker {
        taker.wait_for_store().map_err(ServeError::Handover)?;
    }
    let at = process.store_dir.clone();
    let engine = embedded::open_with(&at, clock.clone(), process.store.free_bytes_min);
    let engine = Arc::new(engine.map_err(|source| ServeError::Store { at, source })?);
    let metrics = Metrics::default();
    metrics.watch_access(&access);
    let store = Arc::clone(&engine) as Arc<dyn Store>;
    let keys = secrets::keys(&process)?;
    metrics.seed_visitors(keys.first().visitor_seed());
    let (bounds, tag) = (secrets::bounds(&process), loaded.site.node_tag);
    let vault = Vault::with_bounds(Arc::clone(&store), keys, clock.clone(), tag, bounds);
    let (phase, phases) = watch::channel(Phase::Starting);
    let plane = ControlPlane {
        loaded,
        file: file.clone(),
        clock: clock.clone(),
        signals,
        store,
        engine: Arc::clone(&engine),
        vault: vault.clone(),
        metrics: metrics.clone(),
        access: access.clone(),
        listener,
        phase: phases,
        resolver: names::system(),
        doors,
    };
    // ORDER: windows are in force before the first request is judged.
    let (live, control) = plane.spawn()?;
    if let Some(taker) = &taker {
        // ORDER: until it has said so, the other process may still go on, and take the store back.
        taker.begin().map_err(ServeError::Handover)?;
    }
    let parts = proxy::Parts {
        live: live.clone(),
        vault: vault.clone(),
        metrics: metrics.clone(),
        access,
        clock: clock.clone(),
    };
    let workers = proxy::Workers::spawn(visitors, &parts);
    let workers = workers.map_err(failed("the workers"))?;
    let proxy = workers.addresses().to_vec();
    phase.send_replace(Phase::Serving);
    tracing::info!(visitors = %addresses(&proxy), %admin, "serving");
    let (store, access) = (engine, access_writer);
    let again = Again { process, file, clock, signals, live };
    Ok(Running {
        proxy,
        admin,
        workers,
        phase,
        control,
        store,
        access,
        shared,
        vault,
        metrics,
        again,
    })
}

/// What the control thread runs on.
struct ControlPlane {
    loaded: Loaded,
    file: Option<PathBuf>,
    clock: Clock,
    signals: Signals,
    store: Arc<dyn Store>,
    engine: Arc<Embedded>,
    vault: Vault,
    metrics: Metrics,
    access: AccessLog,
    listener: TcpListener,
    phase: watch::Receiver<Phase>,
    resolver: Resolver,
    doors: Doors,
}

impl ControlPlane {
    /// Starts the thread and waits until windows are in force.
    fn spawn(self) -> Result<(Live, JoinHandle<()>), ServeError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| ServeError::System { what: "a runtime", source })?;
        let (booted, wait) = sync_channel(1);
        let thread = std::thread::Builder::new().name("control".to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(self.run(&booted));
            // A name server that does not answer holds a thread, but must not hold the stop.
            runtime.shutdown_background();
        });
        let what = "the control thread";
        let thread = thread.map_err(|source| ServeError::System { what, source })?;
        match wait.recv() {
            Ok(Ok(live)) => Ok((live, thread)),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let source = io::Error::other("it panicked");
                Err(ServeError::System { what, source })
            }
        }
    }

    async fn run(self, booted: &SyncSender<Result<Live, ServeError>>) {
        let mut phase = self.phase.clone();
        let mut tasks = match self.boot().await {
            Ok((live, tasks)) => {
                let _ = booted.send(Ok(live));
                tasks
            }
            Err(error) => {
                let _ = booted.send(Err(error));
                return;
            }
        };
        let stopped = phase.wait_for(|phase| *phase == Phase::Stopped);
        let mut stopped = std::pin::pin!(stopped);
        loop {
            // CANCEL: a task that ends just now is joined in the next round or below.
            tokio::select! {
                _ = stopped.as_mut() => break,
                Some(ended) = tasks.join_next() => report(&ended),
            }
        }
        // The admin listener ends by the phase, and with it the last handles go; the reconciler
        // and the reloader end when theirs are gone. Who has not ended by then is cut.
        let all = async { while tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(limit::LINGER * 2, all).await;
    }

    /// Puts windows in force and starts the tasks of the plane.
    async fn boot(self) -> Result<(Live, JoinSet<&'static str>), ServeError> {
        let swept = self.vault.recover().await.map_err(ServeError::Recover)?;
        tracing::debug!(?swept, "submissions were recovered");
        let Loaded { site, pages, process, declared } = self.loaded;
        let traffic = Arc::new(self.metrics.clone());
        let parts = Parts {
            store: Arc::clone(&self.store),
            site,
            pages,
            clock: self.clock.clone(),
            traffic: Arc::clone(&traffic) as Arc<dyn Traffic>,
        };
        let (reconciler, live, handle) = Reconciler::boot(parts).await?;
        let failed = |what| move |source| ServeError::System { what, source };
        let mut tasks = JoinSet::new();
        tasks.spawn(named("reconciler", reconciler.run()));
        let (clock, store) = (self.clock.clone(), Arc::clone(&self.store));
        let plans = Declarations::new(handle.clone(), store, clock, process.drain);
        plans.begin(declared.as_deref()).await;
        let reloader = self.file.map(|file| {
            let (clock, handle) = (self.clock.clone(), handle.clone());
            let (reloader, reloads) = Reloader::new(file.clone(), process.clone(), handle, clock);
            (file, reloader.declaring(plans), reloads)
        });
        let reloads = reload(&mut tasks, reloader, &process, &self.phase)?;
        #[cfg(feature = "acme")]
        renewals(&mut tasks, &live, reloads.as_ref(), (&self.clock, &self.phase));
        if self.signals == Signals::Heeded {
            let hangups = chores::heed_hangups(reloads.clone(), self.access, self.phase.clone());
            tasks.spawn(named("hangups", hangups.map_err(failed("signal handlers"))?));
            tasks.spawn(named("watchdog", Watch::of(&self.metrics, &self.phase).run()));
        }
        let (store, engine) = (self.store, self.engine);
        let (metrics, vault) = (self.metrics, self.vault);
        let told = (handle.clone(), metrics.clone());
        care_for_servers(&mut tasks, told, self.resolver, self.clock.clone(), &self.phase);
        let (timed, told) = ((&self.clock, &self.phase), (&handle, &metrics, &store));
        let (verifications, reports) = look_after_windows(&mut tasks, told, self.doors, timed);
        let figures: Latency = Box::new(move || engine.latency());
        let (holds, clock) = ((Arc::clone(&store), figures), self.clock.clone());
        let gauges = Gauges::new(metrics.clone(), holds, clock, &handle, reloads.as_ref());
        tasks.spawn(named("gauges", gauges.run()));
        let sweep = chores::sweep(vault.clone(), self.clock.clone(), self.phase.clone());
        tasks.spawn(named("vault sweep", sweep));
        let hour = look_back(&mut tasks, &traffic, &self.phase);
        let (listeners, door) = admin_door(self.listener, &process, &store).await?;
        let admin = Admin {
            rules: process.admin,
            handle,
            live: live.clone(),
            store,
            vault,
            traffic,
            reloads,
            metrics,
            phase: self.phase,
            began: self.clock.now(),
            clock: self.clock,
            drain: process.drain,
            hour,
            door,
            verifications,
            reports,
        };
        tasks.spawn(named("admin", admin::serve(listeners, admin)));
        Ok((live, tasks))
    }
}

/// Reads the config again when it is asked for, and when its file changes.
fn reload(
    tasks: &mut JoinSet<&'static str>,
    reloader: Option<(PathBuf, Reloader, Reloads)>,
    process: &Process,
    phase: &watch::Receiver<Phase>,
) -> Result<Option<Reloads>, ServeError> {
    let Some((file, reloader, reloads)) = reloader else { return Ok(None) };
    let pages = process.pages_dir.clone();
    let watch = chores::watch_file(&file, pages, reloads.clone(), phase.clone());
    let failed = |source| ServeError::System { what: "the config watch", source };
    tasks.spawn(named("config watch", watch.map_err(failed)?));
    tasks.spawn(named("reloader", reloader.run()));
    Ok(Some(reloads))
}

/// Where operators are served, and what is remembered of them.
async fn admin_door(
    listener: TcpListener,
    process: &Process,
    store: &Arc<dyn Store>,
) -> Result<(admin::Listeners, admin::Door), ServeError> {
    let failed = |what| move |source| ServeError::System { what, source };
    let tcp = tokio::net::TcpListener::from_std(listener);
    let tcp = tcp.map_err(failed("the admin listener"))?;
    let unix = process.admin.unix.as_deref().map(admin::unix).transpose();
    let unix = unix.map_err(failed("the admin socket (admin.unix)"))?;
    let tls = process.admin.tls.as_ref().map(|tls| tls.server.clone());
    let door = admin::Door::open(store, &process.admin).await;
    let door =
        door.map_err(|source| ServeError::Store { at: process.store_dir.clone(), source })?;
    Ok((admin::Listeners { tcp, tls, unix }, door))
}

/// Asks for certificates by ACME, where a reload can put them in force.
#[cfg(feature = "acme")]
fn renewals(
    tasks: &mut JoinSet<&'static str>,
    live: &Live,
    reloads: Option<&Reloads>,
    (clock, phase): (&Clock, &watch::Receiver<Phase>),
) {
    if let Some(reloads) = reloads {
        let renewals = acme::run(live.clone(), reloads.clone(), clock.clone(), phase.clone());
        tasks.spawn(named("acme", renewals));
    }
}

/// Counts who comes, for operators who want to know whom a window would hit.
fn look_back(
    tasks: &mut JoinSet<&'static str>,
    traffic: &Arc<Metrics>,
    phase: &watch::Receiver<Phase>,
) -> Arc<Hour> {
    let hour = Arc::new(Hour::default());
    let counts = Arc::clone(traffic) as Arc<dyn Traffic>;
    let look = hour::watch(Arc::clone(&hour), counts, phase.clone());
    tasks.spawn(named("hour", look));
    hour
}

/// What goes on beside windows: verifications, looks at ramps, tallies.
fn look_after_windows(
    tasks: &mut JoinSet<&'static str>,
    (handle, metrics, store): (&Handle, &Metrics, &Arc<dyn Store>),
    doors: Doors,
    (clock, phase): (&Clock, &watch::Receiver<Phase>),
) -> (Verifications, Reports) {
    let told = |mut phase: watch::Receiver<Phase>| async move { stopped(&mut phase).await };
    let verifier = Verifier::new(handle.clone(), clock.clone(), metrics.clone(), doors);
    let views = verifier.views();
    tasks.spawn(named("verifier", verifier.run(told(phase.clone()))));
    let keeper = Keeper::new(metrics.clone(), Arc::clone(store));
    let keep = keeper.clone().run(handle.watch(), told(phase.clone()));
    tasks.spawn(named("tallies", keep));
    (views, Reports::new(Arc::clone(store), keeper, clock.clone()))
}

/// Look-ups of server names, and health checks.
fn care_for_servers(
    tasks: &mut JoinSet<&'static str>,
    (handle, metrics): (Handle, Metrics),
    resolver: Resolver,
    clock: Clock,
    phase: &watch::Receiver<Phase>,
) {
    let told = |mut phase: watch::Receiver<Phase>| async move { stopped(&mut phase).await };
    let names = Names::new(handle.clone(), resolver, metrics.clone());
    tasks.spawn(named("names", names.run(told(phase.clone()))));
    let checks = Checks::new(handle, clock, metrics);
    tasks.spawn(named("health checks", checks.run(told(phase.clone()))));
}

async fn named(name: &'static str, task: impl Future<Output = ()>) -> &'static str {
    task.await;
    name
}

fn report(ended: &Result<&'static str, tokio::task::JoinError>) {
    match ended {
        Ok(name) => tracing::debug!(name, "a task of the control plane ended"),
        Err(error) => tracing::error!(%error, "a task of the control plane broke off"),
    }
}
