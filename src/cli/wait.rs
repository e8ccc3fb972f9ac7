//! Looking again and again: `--watch`, `--wait-drained`, `--wait`.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use clap::Args;

use super::client::{self, Client};
use super::shown::WindowShown;
use super::{Fault, table};
use crate::clock::Clock;

/// How often `--watch` looks.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// How often a window is looked at that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a command waits for before it returns.
#[derive(Args)]
pub(super) struct Wait {
    /// Return only when no request is in flight there any more.
    #[arg(long)]
    pub(super) wait_drained: bool,
    /// How many seconds to wait at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, requires = "wait_drained")]
    timeout: u64,
}

/// The same for commands that end a window.
#[derive(Args)]
pub(super) struct WaitEnd {
    /// Return only when it is verified and reopened to everybody.
    #[arg(long)]
    pub(super) wait: bool,
    /// How many seconds to wait at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, requires = "wait")]
    timeout: u64,
}

/// Shows what `look` tells, once or every second until the reader is gone.
pub(super) fn watch(
    again: bool,
    mut look: impl FnMut() -> Result<String, Fault>,
) -> Result<(), Fault> {
    let terminal = std::io::stdout().is_terminal();
    loop {
        let shown = look()?;
        if again && terminal {
            anstream::print!("\u{1b}[H\u{1b}[2J");
        }
        anstream::print!("{shown}");
        // A reader that is gone, such as `head`, ends the watch.
        if std::io::stdout().flush().is_err() || !again {
            return Ok(());
        }
        std::thread::sleep(WATCH_EVERY);
    }
}

impl Wait {
    /// Waits until requests that began before the window are done. The window's own count is the
    /// authority: it moves on to `closed` when nothing is left, or when its time is up.
    pub(super) fn drained(&self, client: &Client, window: &str, json: bool) -> Result<(), Fault> {
        let told = "drained: nothing is in flight there";
        until(client, window, self.timeout, json, told, |shown| {
            if shown.is_over() {
                let state = &shown.state;
                return Err(Fault::Failed(format!("window {window} was {state} meanwhile")));
            }
            if shown.state != "draining" && shown.in_flight_total == 0 {
                return Ok(None);
            }
            let count = shown.in_flight_total;
            Ok(Some(format!("{count} requests are still in flight; the scope stays closed")))
        })
    }
}

impl WaitEnd {
    /// Waits until the window has ended; one that falls back to `overrun` has failed.
    pub(super) fn ended(&self, client: &Client, window: &str, json: bool) -> Result<(), Fault> {
        until(client, window, self.timeout, json, "reopened to everybody", |shown| {
            match shown.state.as_str() {
                "ended" => Ok(None),
                "overrun" => {
                    let why = last_reason(client, window);
                    let place = shown.place();
                    Err(Fault::Failed(format!("{place} stays closed: {why}")))
                }
                "cancelled" => Err(Fault::Failed(format!("window {window} was cancelled"))),
                state => Ok(Some(format!("{} is {state}", shown.place()))),
            }
        })
    }
}

/// Why the window is where it is, as its history tells.
fn last_reason(client: &Client, window: &str) -> String {
    let answer = client.get(&format!("/api/v1/windows/{window}")).unwrap_or_default();
    let entries = answer["history"].as_array();
    let why = entries.and_then(|entries| entries.last()?["why"].as_str().map(str::to_owned));
    why.filter(|why| !why.is_empty()).unwrap_or_else(|| "the history says no more".to_owned())
}

/// Looks at a window until `open` finds nothing left to wait for.
fn until(
    client: &Client,
    window: &str,
    timeout: u64,
    json: bool,
    told: &str,
    open: impl Fn(&WindowShown) -> Result<Option<String>, Fault>,
) -> Result<(), Fault> {
    let clock = Clock::System;
    let began = clock.tick();
    loop {
        let answer = client.get(&format!("/api/v1/windows/{window}"))?;
        let shown: WindowShown = client::read(answer["window"].clone())?;
        let Some(open) = open(&shown)? else {
            let text = if json { table::json(&answer, false) } else { format!("{told}\n") };
            anstream::print!("{text}");
            return Ok(());
        };
        if clock.tick().since(began) >= Duration::from_secs(timeout) {
            return Err(Fault::TimedOut(format!("{open} after {timeout} s")));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
