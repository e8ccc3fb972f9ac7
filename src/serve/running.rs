//! A node that serves: how it ends, and how it makes room for another.

use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::handover::{self, Giver};
use super::sockets::{Shared, Sockets, Takeover};
use super::{Options, ServeError, Signals};
use crate::clock::Clock;
use crate::config::{Loaded, Process, StopRules};
use crate::control::phase::Phase;
use crate::control::service;
use crate::limit;
use crate::proxy::{Queue, Workers};
use crate::snapshot::Live;
use crate::store::embedded::Embedded;
use crate::telemetry::access::AccessWriter;
use crate::telemetry::metrics::{InFlightCount, Metrics};
use crate::vault::Vault;

/// A node that serves.
pub struct Running {
    pub(super) proxy: Vec<SocketAddr>,
    pub(super) admin: SocketAddr,
    pub(super) workers: Workers,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) control: JoinHandle<()>,
    pub(super) store: Arc<Embedded>,
    pub(super) access: AccessWriter,
    pub(super) shared: Shared,
    pub(super) vault: Vault,
    pub(super) metrics: Metrics,
    pub(super) again: Again,
}

/// What a node is started with a second time, if nobody takes its place after all.
pub(super) struct Again {
    pub(super) process: Process,
    pub(super) file: Option<PathBuf>,
    pub(super) clock: Clock,
    pub(super) signals: Signals,
    pub(super) live: Live,
}

/// How a node ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stopped {
    /// Connections that were cut because they were not done in time.
    pub cut: usize,
}

/// What a process is told.
enum Event {
    Stop,
    Upgrade,
    TakeOver(UnixStream),
}

/// What became of handing over.
enum Handed {
    /// Another process serves.
    Over(Leaving),
    /// This one goes on.
    Back(Box<Running>),
}

/// A node whose place was taken: what is under way finishes.
struct Leaving {
    workers: Workers,
    access: AccessWriter,
    metrics: Metrics,
    rules: StopRules,
}

/// What is left to do before the process ends.
enum Last {
    Stop(Box<Running>),
    Leave(Leaving),
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

    /// Serves until SIGTERM or SIGINT says to stop, then stops; or until another process takes
    /// over, which SIGUSR2 starts. A second SIGTERM ends the process at once: what was
    /// acknowledged is durable, and the next start recovers the rest.
    ///
    /// The signals are awaited on the calling thread, not by the control plane: a node whose
    /// control plane broke off serves on with what is in force, and can still be stopped.
    pub fn wait(self) -> Result<Stopped, ServeError> {
        let failed = |source| ServeError::System { what: "signal handlers", source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let store = &self.again.process.store_dir;
        let mut told = runtime.block_on(async { Told::listen(store) }).map_err(failed)?;
        service::ready("serving");
        let mut running = self;
        let last = loop {
            match runtime.block_on(told.next()) {
                Event::Stop => break Last::Stop(Box::new(running)),
                Event::Upgrade => start_another(),
                Event::TakeOver(stream) => match running.hand_over(stream)? {
                    Handed::Over(leaving) => break Last::Leave(leaving),
                    Handed::Back(back) => running = *back,
                },
            }
        };
        let impatient = std::thread::Builder::new().name("second-signal".to_owned());
        let impatient = impatient.spawn(move || {
            runtime.block_on(told.stop());
            tracing::warn!("told to stop a second time: not waiting for requests in flight");
            std::process::exit(1);
        });
        impatient.map_err(failed)?;
        Ok(match last {
            Last::Stop(running) => {
                service::stopping("requests in flight may finish");
                running.stop()
            }
            Last::Leave(leaving) => leaving.finish(),
        })
    }

    /// Stops: first balancers are told, then no connection is taken any more, then requests under
    /// way finish or are cut at the deadline, then what was written is flushed.
    pub fn stop(self) -> Stopped {
        let StopRules { lame_duck, deadline } = self.again.process.stop;
        self.phase.send_replace(Phase::Draining);
        self.workers.leave();
        if !lame_duck.is_zero() {
            tracing::info!(?lame_duck, "stopping: balancers are told, visitors are still taken");
            std::thread::sleep(lame_duck);
        }
        tracing::info!("stopping: requests in flight may finish");
        self.workers.drain(Queue::Ours, deadline);
        // ORDER: a handle that stays would keep visitors waiting in a queue that nobody looks at.
        drop(self.shared);
        let metrics = self.metrics;
        let cut = self.workers.join(deadline, move || tell_cut(&metrics));
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

    /// Hands the sockets and the store over to a process that asks for them.
    fn hand_over(self, stream: UnixStream) -> Result<Handed, ServeError> {
        let giver = match Giver::offer(stream, &self.shared) {
            Ok(giver) => giver,
            Err(error) => {
                tracing::warn!(%error, "nothing was handed over");
                return Ok(Handed::Back(Box::new(self)));
            }
        };
        let rules = self.again.process.stop;
        tracing::info!(to = giver.pid(), "handing over: connections wait until the other begins");
        self.workers.drain(Queue::Others, rules.deadline);
        wait_for_promises(&self.vault);
        // ORDER: nobody is left to write when the store is closed, and it is closed when it is said
        // to be free.
        self.phase.send_replace(Phase::Stopped);
        if self.control.join().is_err() {
            tracing::error!("the control plane panicked");
        }
        self.store.shutdown();
        let Self { workers, access, metrics, shared, again, .. } = self;
        let leaving = Leaving { workers, access, metrics, rules };
        match giver.release().and_then(|()| {
            service::main_process(giver.pid());
            giver.leave()
        }) {
            Ok(()) => {
                tracing::info!("handed over: requests in flight may finish");
                Ok(Handed::Over(leaving))
            }
            Err(error) => {
                tracing::error!(%error, "the other process did not begin: this one goes on");
                service::main_process(std::process::id());
                let rest = std::thread::Builder::new().name("rest".to_owned());
                let rest = rest.spawn(move || leaving.finish());
                rest.map_err(|source| ServeError::System { what: "a thread", source })?;
                again.start(shared).map(Box::new).map(Handed::Back)
            }
        }
    }
}

impl Leaving {
    fn finish(self) -> Stopped {
        let metrics = self.metrics;
        let cut = self.workers.join(self.rules.deadline, move || tell_cut(&metrics));
        self.access.stop();
        tracing::info!(cut, "what was under way has ended");
        Stopped { cut }
    }
}

impl Again {
    /// Starts a node with what was in force last, at the same sockets. The process that was to
    /// take over may hold the store until it has ended.
    fn start(self, shared: Shared) -> Result<Running, ServeError> {
        let Self { process, file, clock, signals, live } = self;
        let mut left = limit::HANDOVER_ATTEMPTS_MAX;
        loop {
            left -= 1;
            let now = live.snapshot();
            let (site, pages) = (Arc::clone(&now.site), Arc::clone(&now.pages));
            let loaded = Loaded { site, pages, process: process.clone(), declared: None };
            let (file, clock) = (file.clone(), clock.clone());
            let options = Options { loaded, file, clock, signals, takeover: Takeover::No };
            let failed = |source| ServeError::System { what: "handles of the sockets", source };
            let sockets = Sockets::again(&process, shared.again().map_err(failed)?)?;
            match super::start_at(options, sockets) {
                Err(ServeError::Store { source, .. }) if left > 0 => {
                    tracing::warn!(%source, "the store is not free yet");
                    std::thread::sleep(limit::HANDOVER_AGAIN_AFTER);
                }
                started => return started,
            }
        }
    }
}

/// Waits until nothing is under way that wants the store, within bounds.
fn wait_for_promises(vault: &Vault) {
    let mut left = limit::HANDOVER_PROMISES;
    while vault.promises() > 0 && !left.is_zero() {
        std::thread::sleep(limit::HANDOVER_LOOK_EVERY);
        left = left.saturating_sub(limit::HANDOVER_LOOK_EVERY);
    }
    let promises = vault.promises();
    if promises > 0 {
        tracing::warn!(promises, "captures or sends were under way when the store was handed over");
    }
}

/// Tells what is about to be cut.
fn tell_cut(metrics: &Metrics) {
    for InFlightCount { route, region, count, .. } in metrics.in_flight() {
        tracing::warn!(%route, %region, requests = count, "not done in time: cut");
    }
}

/// Starts the program anew, as it lies on the disk now; it will ask for the sockets.
fn start_another() {
    match another() {
        Ok(mut child) => {
            tracing::info!(pid = child.id(), "started another process to take over");
            let wait = move || match child.wait() {
                Ok(status) if !status.success() => {
                    tracing::error!(%status, "the process that was to take over ended");
                }
                Ok(_) | Err(_) => {}
            };
            let waiter = std::thread::Builder::new().name("another".to_owned()).spawn(wait);
            if let Err(error) = waiter {
                tracing::error!(%error, "nobody waits for the other process");
            }
        }
        Err(error) => tracing::error!(%error, "no other process can be started"),
    }
}

fn another() -> io::Result<Child> {
    let program = std::env::current_exe()?;
    // A program that was replaced is still known by its old name, with this mark behind it.
    let program = match program.to_str().and_then(|name| name.strip_suffix(" (deleted)")) {
        Some(name) => PathBuf::from(name),
        None => program,
    };
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1));
    if !std::env::args_os().any(|argument| argument == "--takeover") {
        command.arg("--takeover");
    }
    // It was said of this process; the other one is watched just the same.
    command.env_remove("WATCHDOG_PID").stdin(Stdio::null()).spawn()
}

/// What a process listens to.
struct Told {
    terminate: Signal,
    interrupt: Signal,
    upgrade: Signal,
    takers: Option<tokio::net::UnixListener>,
}

impl Told {
    /// Listens from now on.
    fn listen(store: &Path) -> io::Result<Self> {
        let takers = handover::listen(store).and_then(tokio::net::UnixListener::from_std);
        let takers = takers.map_err(|error| {
            tracing::warn!(%error, "no other process can take over from this one");
        });
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            upgrade: signal(SignalKind::user_defined2())?,
            takers: takers.ok(),
        })
    }

    async fn next(&mut self) -> Event {
        loop {
            // CANCEL: a signal that arrives meanwhile is remembered by its stream, a process that
            // asks by the listener.
            tokio::select! {
                _ = self.terminate.recv() => return Event::Stop,
                _ = self.interrupt.recv() => return Event::Stop,
                _ = self.upgrade.recv() => return Event::Upgrade,
                asked = accept(self.takers.as_ref()) => match asked {
                    Ok(stream) => return Event::TakeOver(stream),
                    Err(error) => {
                        tracing::warn!(%error, "a process that would take over is not heard");
                        tokio::time::sleep(limit::ACCEPT_AGAIN_AFTER).await;
                    }
                },
            }
        }
    }

    async fn stop(&mut self) {
        // CANCEL: as above.
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn accept(takers: Option<&tokio::net::UnixListener>) -> io::Result<UnixStream> {
    match takers {
        Some(takers) => takers.accept().await?.0.into_std(),
        None => std::future::pending().await,
    }
}
