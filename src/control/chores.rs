//! What the control plane does besides: it watches the config file, heeds SIGHUP, and has the
//! vault erase what is due.

use std::io;
use std::path::{Path, PathBuf};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::phase::{Phase, stopped};
use super::reload::{Reloads, Trigger, Way};
use super::service;
use crate::clock::{Clock, Tick, Wall};
use crate::config;
use crate::limit;
use crate::telemetry::access::AccessLog;
use crate::vault::Vault;
use crate::vault::retention::Erasing;

/// Asks for a reload whenever the file has other content.
pub fn watch_file(
    file: &Path,
    pages: Option<PathBuf>,
    reloads: Reloads,
    mut phase: watch::Receiver<Phase>,
) -> io::Result<impl Future<Output = ()> + use<>> {
    let (tell, mut told) = mpsc::channel(1);
    let watch = config::watch::watch(file, tell)?;
    watch.pages(pages);
    Ok(async move {
        loop {
            // CANCEL: a lost word is still in the channel.
            tokio::select! {
                changed = told.recv() => match changed {
                    Some(()) => reloads.request(Trigger::File),
                    None => break,
                },
                () = stopped(&mut phase) => break,
            }
        }
        // The watch ends here: its thread is joined, which takes no longer than a look at the file.
        drop(watch);
    })
}

/// SIGHUP: the access log is opened anew, the config is read again, and the service manager is
/// told of both ends of it.
pub fn heed_hangups(
    reloads: Option<Reloads>,
    access: AccessLog,
    mut phase: watch::Receiver<Phase>,
) -> io::Result<impl Future<Output = ()> + use<>> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            // CANCEL: a signal that arrives meanwhile is remembered by its stream.
            tokio::select! {
                _ = hangup.recv() => {
                    access.reopen();
                    service::reloading();
                    if let Some(reloads) = &reloads {
                        // How it went is told by the reloader; it is over in any case.
                        let _ = reloads.carry_out(Trigger::Signal, Way::Apply).await;
                    }
                    service::ready("serving");
                }
                () = stopped(&mut phase) => return,
            }
        }
    })
}

/// Tells whether the wall clock is to be believed where a mistake cannot be mended.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    wall: Wall,
    tick: Tick,
    /// When it was begun to be watched, or jumped last.
    since: Tick,
}

impl Steady {
    /// Begins to watch.
    pub const fn from(wall: Wall, tick: Tick) -> Self {
        Self { wall, tick, since: tick }
    }

    /// Looks at both clocks.
    pub fn look(&mut self, wall: Wall, tick: Tick) -> Erasing {
        let ran = tick.since(self.tick);
        let told = wall.since(self.wall);
        let back = self.wall.since(wall);
        if told.abs_diff(ran).max(back) > limit::CLOCK_JUMP {
            tracing::warn!(from = %self.wall, to = %wall, "the clock jumped: nothing is erased yet");
            self.since = tick;
        }
        (self.wall, self.tick) = (wall, tick);
        let settled = tick.since(self.since) >= limit::CLOCK_SETTLES;
        if settled { Erasing::Due } else { Erasing::Nothing }
    }
}

/// Erases what is due, as long as the node lives.
pub async fn sweep(vault: Vault, clock: Clock, mut phase: watch::Receiver<Phase>) {
    let mut steady = Steady::from(clock.now(), clock.tick());
    let mut due = tokio::time::interval(limit::VAULT_SWEEP_EVERY);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // CANCEL: nothing has begun in either branch.
        tokio::select! {
            _ = due.tick() => {}
            () = stopped(&mut phase) => return,
        }
        if let Err(error) = vault.rewrap().await {
            tracing::warn!(%error, "what former node keys wrapped cannot be looked at");
        }
        let erasing = steady.look(clock.now(), clock.tick());
        if let Err(error) = vault.sweep_as(erasing).await {
            tracing::warn!(%error, "submissions that are due cannot be looked at");
        }
    }
}
