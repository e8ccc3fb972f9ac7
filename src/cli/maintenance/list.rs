//! `intermission maintenance list`.

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::cli::client::{self, Client};
use crate::cli::shown::{MaintenanceShown, WindowShown};
use crate::cli::{Fault, Reach, table, text, wait};
use crate::clock::Clock;

#[derive(Args)]
pub(super) struct List {
    /// Which ones.
    #[arg(long, value_enum, default_value = "open")]
    state: Wanted,
    /// Look again every second until interrupted.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Clone, Copy, ValueEnum)]
enum Wanted {
    /// Planned and under way.
    Open,
    /// Completed and cancelled.
    Over,
    /// Both.
    All,
}

#[derive(Deserialize)]
struct Row {
    #[serde(flatten)]
    shown: MaintenanceShown,
    #[serde(default)]
    windows: Vec<WindowShown>,
}

impl List {
    pub(super) fn run(self) -> Result<(), Fault> {
        let client = Client::new(&self.reach)?;
        let path = match self.state {
            Wanted::Open => "/api/v1/maintenances?state=open",
            Wanted::Over => "/api/v1/maintenances?state=over",
            Wanted::All => "/api/v1/maintenances?state=all",
        };
        wait::watch(self.watch, || {
            let answer = client.all(path)?;
            if self.reach.json {
                return Ok(table::json(&answer, self.watch));
            }
            Ok(render(&client::read::<Vec<Row>>(table::items(&answer, "maintenances"))?))
        })
    }
}

fn render(rows: &[Row]) -> String {
    let (now, zone) = (Clock::System.now(), TimeZone::system());
    let rows = rows.iter().map(|Row { shown, windows }| {
        let over = windows.iter().filter(|window| window.is_over()).count();
        let next = windows.iter().find(|window| !window.is_over());
        let next = next.map(|window| {
            let at = match window.in_force() {
                true => format!("back {}", text::until(window.promised_end, now, &zone)),
                false => {
                    let starts = window.starts().map(|at| text::instant(at, now, &zone));
                    format!("begins {}", starts.unwrap_or_default())
                }
            };
            format!("{}: {}\n{at}", window.part(), window.state)
        });
        [
            format!("{}\n{}", shown.title, shown.id),
            shown.progress.clone(),
            format!("{over} of {} over", windows.len()),
            next.unwrap_or_default(),
            shown.owner.clone(),
        ]
    });
    table::of(["maintenance", "is", "phases", "now or next", "owner"], rows, "nothing is planned")
}
