//! Whether a client keeps up a least rate: the time that we spend waiting for it is paid for with
//! the bytes that it moves. A pause costs what it lasts, so that a slow network passes and a
//! trickle that is meant to hold a connection does not.

use std::cell::Cell;
use std::time::Duration;

use super::deadline::{Clockwork, Wait};
use crate::limit;

/// What a client has left, one way.
#[derive(Debug, Default)]
pub(super) struct Tempo {
    /// Microseconds that it may yet be waited for; none before it was waited for at all.
    left: Cell<Option<u64>>,
    /// Since when it is waited for, in milliseconds on the worker's clock; 0 is not.
    since: Cell<u64>,
}

impl Tempo {
    /// The client is waited for, at most `idle` from now, and no longer than it has left of `grace`
    /// and what it earned.
    pub(super) fn wait(&self, clockwork: &Clockwork, on: Wait, idle: Duration, grace: Duration) {
        if self.since.get() != 0 {
            return;
        }
        self.since.set(clockwork.now().max(1));
        let left = match clockwork.limits().body_rate {
            0 => idle,
            _ => Duration::from_micros(self.left.get().unwrap_or(micros(grace))),
        };
        self.left.set(Some(self.left.get().unwrap_or(micros(grace))));
        clockwork.restart(on, idle.min(left));
    }

    /// The client moved this many bytes, and is not waited for.
    pub(super) fn moved(&self, clockwork: &Clockwork, on: Wait, bytes: u64) {
        if self.since.get() == 0 && self.left.get().is_none() {
            // Never waited for: nearly every body.
            return;
        }
        let since = self.since.replace(0);
        let spent = if since == 0 { 0 } else { clockwork.now().saturating_sub(since) };
        let rate = clockwork.limits().body_rate.max(1);
        let earned = bytes.saturating_mul(1_000_000) / rate;
        let left = self.left.get().unwrap_or(0).saturating_sub(spent.saturating_mul(1_000));
        let most = micros(limit::BODY_RATE_CREDIT);
        self.left.set(Some(left.saturating_add(earned).min(most.max(left))));
        clockwork.clear(on);
    }

    /// Another body begins.
    pub(super) fn restart(&self) {
        self.left.set(None);
        self.since.set(0);
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
