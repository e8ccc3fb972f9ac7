//! `intermission maintenance show`.

use clap::Args;
use jiff::tz::TimeZone;

use super::{Loaded, Which};
use crate::cli::client::Client;
use crate::cli::shown::SourceShown;
use crate::cli::{Fault, Reach, table, text, wait, window};
use crate::clock::Clock;

#[derive(Args)]
pub(super) struct Show {
    #[command(flatten)]
    which: Which,
    /// Look again every second until interrupted.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    reach: Reach,
}

impl Show {
    pub(super) fn run(self) -> Result<(), Fault> {
        let client = Client::new(&self.reach)?;
        let id = self.which.id(&client)?;
        wait::watch(self.watch, || {
            let loaded = super::load(&client, &id)?;
            if self.reach.json {
                return Ok(table::json(&loaded.answer.body, self.watch));
            }
            Ok(loaded.render())
        })
    }
}

impl Loaded {
    /// The maintenance for people.
    pub(super) fn render(&self) -> String {
        let Self { shown, windows, .. } = self;
        let (now, zone) = (Clock::System.now(), TimeZone::system());
        let mut told = format!("{} ({})\n", shown.title, shown.progress);
        let mut row = |name: &str, value: &str| {
            if !value.is_empty() {
                told += &format!("{name:<9} {value}\n");
            }
        };
        row("id", &shown.id);
        let kind = [shown.kind.as_str(), shown.severity.as_str()];
        row("kind", &kind.into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(", "));
        row("owner", &shown.owner);
        let created = shown.created.map(|at| format!(", {}", text::instant(at, now, &zone)));
        row("planned", &format!("by {}{}", shown.by, created.unwrap_or_default()));
        if let SourceShown::File(file) = &shown.source {
            row("declared", &format!("in {file}"));
        }
        if let Some(again) = &shown.recurrence {
            row("again", &format!("{} ({})", again.rule, again.zone));
        }
        told += &format!("\n{}", window::list(windows));
        if !shown.drift.is_empty() {
            told += &format!("it stands otherwise than its document says:\n{}", shown.drifts());
        }
        for update in &shown.updates {
            let at = text::instant(update.at, now, &zone);
            told += &format!("{at} {}: {}\n", update.by, update.text);
        }
        if let Some(aftermath) = &shown.aftermath {
            told += &format!("\nafterwards: {} {}\n", aftermath.text, aftermath.link);
        }
        told
    }
}
