//! What the service manager (systemd) is told, and what it gives: `sd_notify` and socket
//! activation. Without one all of this does nothing.

use std::io;
use std::net::TcpListener;

use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use sd_notify::NotifyState;
use tokio::sync::watch;

use super::phase::{Phase, stopped};
use crate::telemetry::metrics::Metrics;

/// Visitors and operators are served.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The config is being read again; [`ready`] follows, however that goes.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the service manager is not told of the reload"),
    }
}

/// Nothing more is taken; what is under way finishes.
pub fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// Another process of ours is the service from now on.
pub fn main_process(pid: u32) {
    tell(&[NotifyState::MainPid(pid)]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

/// Says that we live as long as the control plane runs, which this is a task of, and every worker
/// has swept since the last time.
pub struct Watch {
    metrics: Metrics,
    phase: watch::Receiver<Phase>,
}

impl Watch {
    /// Over the workers that count here.
    pub fn of(metrics: &Metrics, phase: &watch::Receiver<Phase>) -> Self {
        Self { metrics: metrics.clone(), phase: phase.clone() }
    }

    /// Ends with the node; at once, if the service manager does not ask whether we live.
    pub async fn run(mut self) {
        let every = sd_notify::watchdog_enabled().map(|within| within / 2);
        let Some(every) = every.filter(|every| !every.is_zero()) else { return };
        let mut looks = tokio::time::interval(every);
        let mut before: Vec<u64> = Vec::new();
        loop {
            // CANCEL: nothing has begun in either branch.
            tokio::select! {
                _ = looks.tick() => {}
                () = stopped(&mut self.phase) => return,
            }
            let beats = self.metrics.beats();
            let stuck = beats.iter().zip(&before).filter(|(now, before)| now == before).count();
            if stuck == 0 {
                tell(&[NotifyState::Watchdog]);
            } else {
                tracing::error!(
                    stuck,
                    "workers are stuck: the service manager is not told we live"
                );
            }
            before = beats;
        }
    }
}

/// The sockets that the service manager listens at for us. Each is taken by the number that it was
/// given under, through a handle of this very process.
pub fn sockets() -> io::Result<Vec<TcpListener>> {
    let numbers = sd_notify::listen_fds()?;
    if numbers.len() == 0 {
        return Ok(Vec::new());
    }
    let us = pidfd_open(getpid(), PidfdFlags::empty())?;
    let taken = numbers.map(|number| pidfd_getfd(&us, number, PidfdGetfdFlags::empty()));
    taken.map(|socket| Ok(TcpListener::from(socket?))).collect()
}
