//! Asking before a command that much traffic would feel.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::Fault;
use super::client::{self, Client};

/// Whether the operator has said yes already.
#[derive(Args)]
pub(super) struct Consent {
    /// Do it without asking, however much traffic it closes.
    #[arg(long)]
    yes: bool,
}

/// What a rehearsal tells of the traffic that would be closed.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Hit {
    requests: u64,
    share: f64,
    confirm: bool,
}

impl Consent {
    /// Rehearses a command and asks if it closes more of the last hour's traffic than the node's
    /// `admin.confirm_share`. Without a terminal nobody can be asked, and so it is not done.
    pub(super) fn get(&self, client: &Client, path: &str, body: &Value) -> Result<(), Fault> {
        if self.yes {
            return Ok(());
        }
        let rehearsed = client.post(&format!("{path}?dry_run=true"), body)?;
        let hit = rehearsed.get("last_hour").cloned().unwrap_or_default();
        let hit: Hit = if hit.is_null() { Hit::default() } else { client::read(hit)? };
        if !hit.confirm {
            return Ok(());
        }
        let percent = hit.share * 100.0;
        let felt = format!(
            "this closes what got {percent:.0} % of the last hour's traffic ({} requests)",
            hit.requests
        );
        if !std::io::stdin().is_terminal() {
            return Err(Fault::Usage(format!("{felt}; say --yes if it is meant")));
        }
        if agreed(&format!("{felt}. Go on?"))? {
            return Ok(());
        }
        Err(Fault::Failed("not done, as you said".to_owned()))
    }
}

/// Asks on the terminal; anything but yes is no.
pub(super) fn agreed(question: &str) -> Result<bool, Fault> {
    let answer = asked(&format!("{question} [y/N]"))?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Asks on the terminal, by standard error, so that the output stays clean.
pub(super) fn asked(question: &str) -> Result<String, Fault> {
    let failed = |error: std::io::Error| Fault::Failed(format!("the terminal: {error}"));
    anstream::eprint!("{question} ");
    std::io::stderr().flush().map_err(failed)?;
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line).map_err(failed)? == 0 {
        return Err(Fault::Usage("the input ended before everything was answered".to_owned()));
    }
    Ok(line.trim().to_owned())
}
