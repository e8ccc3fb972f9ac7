//! The data plane: worker threads that carry requests.
//!
//! Each worker is one thread with a single-threaded runtime, its own sockets (`SO_REUSEPORT`), its
//! own upstream connections, its own view of the snapshot and its own counters. A forwarded
//! request takes no lock, and no other thread is woken for it.

mod accept;
mod admit;
mod answer;
mod body;
mod bypass;
mod caller;
mod capture;
mod coding;
mod compress;
mod confirm;
mod conn;
mod date;
mod deadline;
mod doors;
mod ending;
mod exchange;
mod fields;
mod flight;
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
mod hold;
mod hop;
mod inbound;
mod lane;
mod lasting;
mod learnt;
mod listen;
mod own;
mod page;
mod pipe;
mod probe;
mod programs;
mod proof;
mod proxy_protocol;
mod refill;
mod request;
mod resume;
mod rewrite;
mod socket;
mod target;
mod tee;
mod tempo;
mod ticket;
mod time;
mod tls;
mod trace;
mod trailers;
mod turnstile;
mod unanswered;
mod upgrade;
mod upstream;
mod visitor;
mod wire;
mod worker;

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use doors::Doors;
use learnt::Learnt;
use tokio::sync::watch;

pub use listen::{Bound, Inherited};

use crate::clock::Clock;
use crate::limit;
use crate::snapshot::Live;
pub use crate::snapshot::Pace;
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
    Draining(Drain),
    Cutting,
}

/// How workers stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Drain {
    queue: Queue,
    /// How long what is under way may take.
    deadline: Duration,
}

impl Drain {
    /// When the first of what lasts has its turn to end, and over which time the turns fall.
    fn turns(self, spread: Duration) -> (Duration, Duration) {
        let over = spread.min(self.deadline / 2);
        let after = match self.queue {
            Queue::Ours => Duration::ZERO,
            Queue::Others => self.deadline.saturating_sub(over).saturating_sub(limit::LEAVE * 2),
        };
        (after, over)
    }
}

/// Whose connections are that nobody has accepted yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Queue {
    /// Ours: they are served before the sockets close.
    Ours,
    /// Another process's, which listens at the same sockets.
    Others,
}

/// The running workers.
pub struct Workers {
    threads: Vec<JoinHandle<std::io::Result<usize>>>,
    addresses: Vec<SocketAddr>,
    phase: watch::Sender<Phase>,
    doors: Doors,
}

impl Workers {
    /// Starts one worker per set of sockets.
    pub fn spawn(bound: Bound, parts: &Parts) -> std::io::Result<Self> {
        let (phase, _) = watch::channel(Phase::Serving);
        let (sockets, addresses) = bound.into_parts();
        let count = sockets.len();
        let doors = Doors::new(doors::raise_files());
        let learnt = Learnt::default();
        let mut threads = Vec::new();
        for (number, listeners) in sockets.into_iter().enumerate() {
            let (parts, house) = (parts.clone(), (count, doors.clone(), learnt.clone()));
            let phase = phase.subscribe();
            let thread = std::thread::Builder::new().name(format!("worker-{number}"));
            threads.push(thread.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build_local(tokio::runtime::LocalOptions::default())?;
                runtime.block_on(worker::run(parts, listeners, house, phase))
            })?);
        }
        Ok(Self { threads, addresses, phase, doors })
    }

    /// Where requests are taken.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes no new connection and lets requests finish. Blocks until they have, or `deadline` has
    /// passed; what is left by then is cut, and counted.
    pub fn stop(self, deadline: Duration) -> usize {
        self.drain(Queue::Ours, deadline);
        self.join(deadline, || {})
    }

    /// Balancers that ask are told to send nobody any more; who comes is still served.
    pub fn leave(&self) {
        self.doors.leave();
    }

    /// From now on no connection is taken. Answers say that their connection ends; what lasts has
    /// its turn soon if we stop, and as late as it can if another process goes on.
    pub fn drain(&self, queue: Queue, deadline: Duration) {
        let _ = self.phase.send(Phase::Draining(Drain { queue, deadline }));
    }

    /// Waits for requests under way until `deadline` has passed, then says `late` and cuts them.
    /// Gives the number of connections that were cut. Blocks the calling thread.
    pub fn join(self, deadline: Duration, late: impl FnOnce() + Send + 'static) -> usize {
        let (ended, wait) = std::sync::mpsc::sync_channel::<()>(1);
        let phase = self.phase;
        let cutter = std::thread::spawn(move || {
            if wait.recv_timeout(deadline).is_err() {
                late();
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
