//! What the service manager (systemd) is told, and what it gives: `sd_notify` and socket
//! activation. Without one all of this does nothing.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

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

/// How often the service manager wants to hear that we live; none if it does not ask.
pub fn watchdog_every() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|within| within / 2).filter(|every| !every.is_zero())
}

/// Says that we live as long as the control plane runs, which this is a task of, and every worker
/// has swept since the last time.
pub async fn watchdog(every: Duration, metrics: Metrics, mut phase: watch::Receiver<Phase>) {
    let mut looks = tokio::time::interval(every);
    let mut before: Vec<u64> = Vec::new();
    loop {
        // CANCEL: nothing has begun in either branch.
        tokio::select! {
            _ = looks.tick() => {}
            () = stopped(&mut phase) => return,
        }
        let beats = metrics.beats();
        let stuck = beats.iter().zip(&before).filter(|(now, before)| now == before).count();
        if stuck == 0 {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!(stuck, "workers are stuck: the service manager is not told we live");
        }
        before = beats;
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
