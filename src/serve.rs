//! The composition root: builds in order, binds, spawns, waits, drains.
//!
//! The planes meet here and nowhere else: the snapshot (control → data), the vault (data → store),
//! telemetry (both → out).

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::{Loaded, Process};
#[cfg(feature = "acme")]
use crate::control::acme;
use crate::control::admin::{self, Admin};
use crate::control::chores;
use crate::control::gauges::{Gauges, Latency};
use crate::control::health::Checks;
use crate::control::names::{self, Names, Resolver};
use crate::control::phase::{Phase, stopped};
use crate::control::reload::Reloader;
use crate::control::traffic::Traffic;
use crate::control::{BootError, Parts, Reconciler};
use crate::limit;
use crate::proxy;
use crate::snapshot::Live;
use crate::store::embedded::Embedded;
use crate::store::{self, Store, StoreError};
use crate::telemetry::access::{AccessLog, AccessWriter};
use crate::telemetry::metrics::Metrics;
use crate::vault::seal::NodeKeyError;
use crate::vault::{NodeKey, Vault};

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

/// Why a node did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened at.
    #[error("cannot listen for {what} at {}: {source}", addresses(.at))]
    Bind {
        /// `visitors` or `the admin API`.
        what: &'static str,
        /// Where.
        at: Vec<SocketAddr>,
        /// What the system says.
        source: io::Error,
    },
    /// The access log cannot be opened.
    #[error("the access log cannot be opened: {0}")]
    Access(#[source] io::Error),
    /// The store cannot be opened.
    #[error("the store in {} cannot be opened: {source}", at.display())]
    Store {
        /// Its directory.
        at: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// The node's key cannot be read or made.
    #[error(transparent)]
    Key(#[from] NodeKeyError),
    /// Submissions that the last process left cannot be put right.
    #[error("submissions cannot be recovered: {0}")]
    Recover(#[source] StoreError),
    /// Windows in force cannot be put in force.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// The system gives no thread, runtime or signal.
    #[error("cannot start {what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

fn addresses(at: &[SocketAddr]) -> String {
    at.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A node that serves.
pub struct Running {
    proxy: Vec<SocketAddr>,
    admin: SocketAddr,
    workers: proxy::Workers,
    phase: watch::Sender<Phase>,
    control: JoinHandle<()>,
    store: Arc<Embedded>,
    access: AccessWriter,
    drain: Duration,
}

/// How a node ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stopped {
    /// Connections that were cut because they were not done in time.
    pub cut: usize,
}

/// Starts a node. When this returns, visitors and operators are served.
pub fn start(options: Options) -> Result<Running, ServeError> {
    let Options { loaded, file, clock, signals } = options;
    let process = loaded.process.clone();
    // ORDER: whatever another process can hold is taken before anything is changed.
    let sockets = bind_visitors(&process)?;
    let (listener, admin) = bind_admin(process.admin.listen)?;
    let access = AccessLog::start(process.access_target.clone(), process.access_format);
    let (access, access_writer) = access.map_err(ServeError::Access)?;
    let at = process.store_dir.clone();
    let engine = store::open(&at, clock.clone());
    let engine = Arc::new(engine.map_err(|source| ServeError::Store { at, source })?);
    let metrics = Metrics::default();
    metrics.watch_access(&access);
    let store = Arc::clone(&engine) as Arc<dyn Store>;
    let key = NodeKey::load_or_create(&process.store_dir)?;
    let vault = Vault::new(Arc::clone(&store), key, clock.clone(), loaded.site.node_tag);
    let (phase, phases) = watch::channel(Phase::Starting);
    let plane = ControlPlane {
        loaded,
        file,
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
    };
    // ORDER: windows are in force before the first request is judged.
    let (live, control) = plane.spawn()?;
    let workers = proxy::Parts { live, vault, metrics, access, clock };
    let workers = proxy::Workers::spawn(sockets, &workers);
    let workers = workers.map_err(|source| ServeError::System { what: "the workers", source })?;
    let proxy = workers.addresses().to_vec();
    phase.send_replace(Phase::Serving);
    tracing::info!(visitors = %addresses(&proxy), %admin, "serving");
    let (store, access, drain) = (engine, access_writer, limit::DRAIN_DEADLINE);
    Ok(Running { proxy, admin, workers, phase, control, store, access, drain })
}

impl Running {
    /// Where visitors are served.
    pub fn proxy_addresses(&self) -> &[SocketAddr] {
        &self.proxy
    }

    /// Where operators are served.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Serves until SIGTERM or SIGINT says to stop, then stops. A second one ends the process at
    /// once: what was acknowledged is durable, and the next start recovers the rest.
    ///
    /// The signals are awaited on the calling thread, not by the control plane: a node whose
    /// control plane broke off serves on with what is in force, and can still be stopped.
    pub fn wait(self) -> Result<Stopped, ServeError> {
        let failed = |source| ServeError::System { what: "signal handlers", source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let mut told = runtime.block_on(async { told_to_stop() }).map_err(failed)?;
        runtime.block_on(told.recv());
        let impatient = std::thread::Builder::new().name("second-signal".to_owned());
        let impatient = impatient.spawn(move || {
            runtime.block_on(told.recv());
            tracing::warn!("told to stop a second time: not waiting for requests in flight");
            std::process::exit(1);
        });
        impatient.map_err(failed)?;
        Ok(self.stop())
    }

    /// Stops: first balancers are told, then no connection is taken any more, then requests under
    /// way finish or are cut at the deadline, then what was written is flushed.
    pub fn stop(self) -> Stopped {
        self.phase.send_replace(Phase::Draining);
        tracing::info!("stopping: requests in flight may finish");
        let cut = self.workers.stop(self.drain);
        self.phase.send_replace(Phase::Stopped);
        if self.control.join().is_err() {
            tracing::error!("the control plane panicked");
        }
        // ORDER: the store last but one: until here somebody may have something to keep.
        self.store.shutdown();
        self.access.stop();
        tracing::info!(cut, "stopped");
        Stopped { cut }
    }
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
        let Loaded { site, pages, process } = self.loaded;
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
        let reloads = self.file.map(|file| {
            let (clock, handle) = (self.clock.clone(), handle.clone());
            let (reloader, reloads) = Reloader::new(file.clone(), process.clone(), handle, clock);
            tasks.spawn(named("reloader", reloader.run()));
            (file, reloads)
        });
        if let Some((file, reloads)) = &reloads {
            let phase = self.phase.clone();
            let pages = process.pages_dir.clone();
            let watch = chores::watch_file(file, pages, reloads.clone(), phase);
            tasks.spawn(named("config watch", watch.map_err(failed("the config watch"))?));
        }
        let reloads = reloads.map(|(_, reloads)| reloads);
        #[cfg(feature = "acme")]
        if let Some(reloads) = &reloads {
            let (reloads, clock) = (reloads.clone(), self.clock.clone());
            let renewals = acme::run(live.clone(), reloads, clock, self.phase.clone());
            tasks.spawn(named("acme", renewals));
        }
        if self.signals == Signals::Heeded {
            let (reloads, access) = (reloads.clone(), self.access);
            let hangups = chores::heed_hangups(reloads, access, self.phase.clone());
            tasks.spawn(named("hangups", hangups.map_err(failed("signal handlers"))?));
        }
        let told_to_stop =
            |mut phase: watch::Receiver<Phase>| async move { stopped(&mut phase).await };
        let (metrics, store) = (self.metrics, self.store);
        let names = Names::new(handle.clone(), self.resolver, metrics.clone());
        tasks.spawn(named("names", names.run(told_to_stop(self.phase.clone()))));
        let checks = Checks::new(handle.clone(), self.clock.clone(), metrics.clone());
        tasks.spawn(named("health checks", checks.run(told_to_stop(self.phase.clone()))));
        let clock = self.clock.clone();
        let engine = self.engine;
        let figures: Latency = Box::new(move || engine.latency());
        let holds = (Arc::clone(&store), figures);
        let gauges = Gauges::new(metrics.clone(), holds, clock, &handle, reloads.as_ref());
        tasks.spawn(named("gauges", gauges.run()));
        tasks.spawn(named(
            "vault sweep",
            chores::sweep(self.vault, self.clock.clone(), self.phase.clone()),
        ));
        let listener = tokio::net::TcpListener::from_std(self.listener);
        let listener = listener.map_err(failed("the admin listener"))?;
        let admin = Admin {
            rules: process.admin,
            handle,
            live: live.clone(),
            store,
            traffic,
            reloads,
            metrics,
            phase: self.phase,
            began: self.clock.now(),
            clock: self.clock,
            drain: process.drain,
            refusals: admin::Refusals::default(),
        };
        tasks.spawn(named("admin", admin::serve(listener, admin)));
        Ok((live, tasks))
    }
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

/// SIGTERM and SIGINT.
struct Told(Signal, Signal);

/// Listens from now on.
fn told_to_stop() -> io::Result<Told> {
    Ok(Told(signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}

impl Told {
    async fn recv(&mut self) {
        // CANCEL: a signal that arrives meanwhile is remembered by its stream.
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

/// Tries again while an address is in use: the process before may just be ending, or a connection
/// of somebody's may hold the port for a moment.
pub fn patiently<T>(bind: impl Fn() -> std::io::Result<T>) -> std::io::Result<T> {
    let mut left = limit::BIND_ATTEMPTS_MAX;
    loop {
        left -= 1;
        match bind() {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && left > 0 => {
                std::thread::sleep(limit::BIND_AGAIN_AFTER);
            }
            bound => return bound,
        }
    }
}

fn bind_visitors(process: &Process) -> Result<proxy::Bound, ServeError> {
    let bind = || proxy::Bound::bind(&process.listeners, process.workers);
    patiently(bind).map_err(|source| ServeError::Bind {
        what: "visitors",
        at: process.listeners.iter().map(|listener| listener.at).collect(),
        source,
    })
}

fn bind_admin(at: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let bind = || {
        let listener = TcpListener::bind(at)?;
        listener.set_nonblocking(true)?;
        let at = listener.local_addr()?;
        Ok((listener, at))
    };
    let bound = patiently(bind);
    let at = vec![at];
    bound.map_err(|source| ServeError::Bind { what: "the admin API", at, source })
}
