//! `intermission audit`: every change that operators made or were refused, newest first.

use clap::Args;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use super::client::{self, Client};
use super::{Fault, Reach, table, text};
use crate::clock::{Clock, Wall};

#[derive(Args)]
pub(super) struct Audit {
    /// How many entries at most.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: u32,
    /// Print before and after of each change too.
    #[arg(long)]
    changes: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Deserialize)]
struct Entry {
    at: Wall,
    by: String,
    action: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    refused: Option<String>,
    #[serde(default)]
    before: Value,
    #[serde(default)]
    after: Value,
}

impl Audit {
    pub(super) fn run(self) -> Result<(), Fault> {
        let path = format!("/api/v1/audit?limit={}", self.limit);
        let answer = Client::new(&self.reach)?.get(&path)?;
        table::print(self.reach.json, &answer, |answer| {
            let entries: Vec<Entry> = client::read(table::items(answer, "audit"))?;
            Ok(self.render(&entries))
        })
    }

    fn render(&self, entries: &[Entry]) -> String {
        let (now, zone) = (Clock::System.now(), TimeZone::system());
        let rows = entries.iter().map(|entry| {
            let went = entry.refused.as_deref().map_or("done", |code| code);
            let changes = match self.changes {
                true => format!("\n- {}\n+ {}", entry.before, entry.after),
                false => String::new(),
            };
            [
                text::instant(entry.at, now, &zone),
                format!("{}\n{}", entry.by, entry.from),
                format!("{}\n{}{changes}", entry.action, entry.subject),
                went.to_owned(),
            ]
        });
        table::of(["when", "who", "what", "went"], rows, "nobody asked for anything yet")
    }
}
