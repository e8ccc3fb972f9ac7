//! `intermission history`: who changed what, newest first.

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::client::{self, Client};
use super::{Fault, Reach, text};
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
        let (path, member) = match &self.window {
            Some(window) => (format!("/api/v1/windows/{}", text::segment(window)?), "history"),
            None => (format!("/api/v1/history?limit={}", self.limit), "items"),
        };
        let answer = client.get(&path)?;
        if self.reach.json {
            anstream::println!("{answer:#}");
            return Ok(());
        }
        let mut entries: Vec<Entry> = client::read(answer[member].clone())?;
        if self.window.is_some() {
            entries.reverse();
        }
        entries.truncate(self.limit as usize);
        anstream::println!("{}", render(&entries, Clock::System.now(), &TimeZone::system()));
        Ok(())
    }
}

fn render(entries: &[Entry], now: Wall, zone: &TimeZone) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["when", "who", "what", "back", "why", "window"]);
    for entry in entries {
        table.add_row([
            text::instant(entry.at, now, zone),
            entry.by.clone(),
            entry.what(),
            entry.promised_end.map(|end| text::instant(end, now, zone)).unwrap_or_default(),
            entry.why.clone(),
            entry.window.clone(),
        ]);
    }
    table.to_string()
}
