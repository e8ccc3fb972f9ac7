//! `intermission history`: who changed what, newest first.

use clap::Args;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::client::{self, Client};
use super::{Fault, Reach, table, text};
use crate::clock::{Clock, Wall};

#[derive(Args)]
pub(super) struct History {
    /// Only this window's.
    #[arg(long, value_name = "ID")]
    window: Option<String>,
    /// How many entries at most.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Deserialize)]
struct Entry {
    window: String,
    at: Wall,
    by: String,
    why: String,
    from: Option<String>,
    to: String,
    promised_end: Option<Wall>,
}

impl Entry {
    /// `draining`, `draining → closed`, `closed, another end`
    fn what(&self) -> String {
        match &self.from {
            None => self.to.clone(),
            Some(from) if *from == self.to => format!("{from}, another end"),
            Some(from) => format!("{from} → {}", self.to),
        }
    }
}

impl History {
    pub(super) fn run(self) -> Result<(), Fault> {
        let client = Client::new(&self.reach)?;
        let path = match &self.window {
            Some(window) => format!("/api/v1/windows/{}", text::segment(window)?),
            None => format!("/api/v1/history?limit={}", self.limit),
        };
        let answer = client.get(&path)?;
        if self.reach.json {
            anstream::println!("{answer:#}");
            return Ok(());
        }
        let entries = answer.get("history").cloned();
        let is_oldest_first = entries.is_some();
        let entries = entries.unwrap_or_else(|| table::items(&answer, "entries"));
        let mut entries: Vec<Entry> = client::read(entries)?;
        if is_oldest_first {
            entries.reverse();
        }
        entries.truncate(self.limit as usize);
        anstream::print!("{}", render(&entries, Clock::System.now(), &TimeZone::system()));
        Ok(())
    }
}

fn render(entries: &[Entry], now: Wall, zone: &TimeZone) -> String {
    let rows = entries.iter().map(|entry| {
        let back =
            entry.promised_end.map(|end| format!("\nback {}", text::instant(end, now, zone)));
        [
            text::instant(entry.at, now, zone),
            entry.by.clone(),
            format!("{}{}\n{}", entry.what(), back.unwrap_or_default(), entry.window),
            entry.why.clone(),
        ]
    });
    table::of(["when", "who", "what, and of which window", "why"], rows, "nothing was closed yet")
}
