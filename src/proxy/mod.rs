//! The data plane: worker threads that carry requests.
//!
//! Each worker is one thread with a single-threaded runtime, its own sockets (`SO_REUSEPORT`), its
//! own upstream connections, its own view of the snapshot and its own counters. A forwarded
//! request takes no lock, and no other thread is woken for it.

mod answer;
mod body;
mod caller;
mod capture;
mod confirm;
mod conn;
mod date;
mod deadline;
mod doors;
mod ending;
mod fields;
mod flow;
mod forward;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
mod gather;
mod grpc;
mod guard;
mod h1;
mod h2;
mod head;
mod hop;
mod inbound;
mod lane;
mod lasting;
mod listen;
mod own;
mod proof;
mod proxy_protocol;
mod request;
mod resume;
mod socket;
mod tempo;
mod tls;
mod upgrade;
mod upstream;
mod visitor;
mod wire;
mod worker;

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use doors::Doors;
use tokio::sync::watch;

use crate::clock::Clock;
pub use crate::snapshot::Pace;
use crate::snapshot::{Listener, Live};
use crate::telemetry::access::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::vault::Vault;

/// What workers are made of.
#[derive(Clone)]
pub struct Parts {
    /// What requests are judged by.
    pub live: Live,
    /// Where forms are kept.
    pub vault: Vault,
    /// What is counted.
    pub metrics: Metrics,
    /// What is told.
    pub access: AccessLog,
    /// What time it is.
    pub clock: Clock,
}

/// How far a worker is with stopping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Serving,
    Draining,
    Cutting,
}

/// The sockets of all workers, bound before anything is started.
pub struct Bound {
    sockets: Vec<Vec<(std::net::TcpListener, Listener)>>,
    addresses: Vec<SocketAddr>,
}

/// The running workers.
pub struct Workers {
    threads: Vec<JoinHandle<std::io::Result<usize>>>,
    addresses: Vec<SocketAddr>,
    phase: watch::Sender<Phase>,
}

impl Bound {
    /// Binds every address once per worker. Port 0 picks a port, the same for all workers.
    ///
    /// An address at which somebody listens already is refused: the system would share it with
    /// another process of the same user, whose windows and forms are not ours.
    pub fn bind(listeners: &[Listener], workers: usize) -> std::io::Result<Self> {
        listeners.iter().try_for_each(|listener| listen::is_free(listener.at))?;
        let mut sockets: Vec<Vec<_>> = (0..workers.max(1)).map(|_| Vec::new()).collect();
        let mut addresses = Vec::new();
        for listener in listeners {
            let mut address = listener.at;
            for sockets in &mut sockets {
                let socket = listen::bind(address)?;
                address = socket.local_addr()?;
                sockets.push((socket, *listener));
            }
            addresses.push(address);
        }
        Ok(Self { sockets, addresses })
    }

    /// The addresses, with the ports that were picked.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl Workers {
    /// Starts one worker per set of sockets.
    pub fn spawn(bound: Bound, parts: &Parts) -> std::io::Result<Self> {
        let (phase, _) = watch::channel(Phase::Serving);
        let count = bound.sockets.len();
        let doors = Doors::new(doors::raise_files());
        let mut threads = Vec::new();
        for (number, listeners) in bound.sockets.into_iter().enumerate() {
            let (parts, doors) = (parts.clone(), doors.clone());
            let phase = phase.subscribe();
            let thread = std::thread::Builder::new().name(format!("worker-{number}"));
            threads.push(thread.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build_local(tokio::runtime::LocalOptions::default())?;
                runtime.block_on(worker::run(parts, listeners, (count, doors), phase))
            })?);
        }
        Ok(Self { threads, addresses: bound.addresses, phase })
    }

    /// Where requests are taken.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes no new connection, lets requests finish until `drain` has passed, then cuts them.
    /// Gives the number of connections that were cut. Blocks the calling thread.
    pub fn stop(self, drain: Duration) -> usize {
        let _ = self.phase.send(Phase::Draining);
        let (ended, wait) = std::sync::mpsc::sync_channel::<()>(1);
        let phase = self.phase;
        let cutter = std::thread::spawn(move || {
            if wait.recv_timeout(drain).is_err() {
                let _ = phase.send(Phase::Cutting);
            }
        });
        let mut cut = 0;
        for thread in self.threads {
            match thread.join() {
                Ok(Ok(count)) => cut += count,
                Ok(Err(error)) => tracing::error!(%error, "a worker failed"),
                Err(_) => tracing::error!("a worker panicked"),
            }
        }
        let _ = ended.send(());
        let _ = cutter.join();
        cut
    }
}
