//! `intermission maintenance preview`: what a file would plan, and when it comes again, without
//! asking anybody.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use crate::clock::{Clock, Wall};
use crate::config::{Color, Problem, maintenances};

/// Show when a maintenance in a file would be, and tell everything that is wrong with it. Nobody
/// is asked and nothing is planned.
///
/// Exits with 0 if it could be planned, with 64 if not.
#[derive(clap::Args, Clone, Debug)]
pub struct Preview {
    /// The document: .toml, .yaml or .json.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How many occurrences are shown, up to 1000.
    #[arg(long, short = 'n', default_value_t = 10)]
    count: usize,
    /// From when on, instead of now.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    from: Option<Wall>,
    /// A config file, whose regions, routes and blackouts it is held against.
    #[arg(long, short, value_name = "FILE", env = "INTERMISSION_CONFIG")]
    config: Option<PathBuf>,
    /// Tell it as JSON, for machines.
    #[arg(long)]
    json: bool,
}

fn instant(text: &str) -> Result<Wall, String> {
    Wall::parse(text).map_err(|error| format!("{error}; write 2026-11-29T16:00:00Z"))
}

/// What `--json` prints.
#[derive(Serialize)]
struct Told<O, W> {
    ok: bool,
    occurrences: Vec<O>,
    warnings: Vec<W>,
    problems: Vec<Problem>,
}

impl Preview {
    /// Reads, prints, and tells how it went.
    pub fn run(self) -> ExitCode {
        let now = self.from.unwrap_or_else(|| Clock::default().now());
        match maintenances::preview(&self.file, self.config.as_deref(), self.count, now) {
            Ok((occurrences, warnings)) if self.json => {
                print(&Told { ok: true, occurrences, warnings, problems: Vec::new() })
            }
            Ok((occurrences, warnings)) => {
                for warning in warnings {
                    anstream::eprintln!("warning: {warning}");
                }
                if occurrences.is_empty() {
                    anstream::println!("it does not come again");
                }
                for occurrence in occurrences {
                    for (at, phase) in occurrence.phases.iter().enumerate() {
                        let ends = phase.local_ends.as_deref().unwrap_or("an end nobody knows");
                        let lead = if at == 0 { "- " } else { "  " };
                        let name = if phase.name.is_empty() { "" } else { "  " };
                        let times = format!("{} until {ends}", phase.local_starts);
                        anstream::println!("{lead}{times}{name}{}", phase.name);
                    }
                    if let Some(blackout) = &occurrence.blackout {
                        anstream::println!("  passed over: it lies in the blackout `{blackout}`");
                    }
                }
                ExitCode::SUCCESS
            }
            Err(problems) if self.json => {
                let problems = problems.iter().cloned().collect();
                let none = (Vec::<()>::new(), Vec::<()>::new());
                print(&Told { ok: false, occurrences: none.0, warnings: none.1, problems });
                ExitCode::from(super::check::USAGE)
            }
            Err(problems) => {
                anstream::eprint!("{}", problems.render(Color::Styled));
                ExitCode::from(super::check::USAGE)
            }
        }
    }
}

fn print(told: &impl Serialize) -> ExitCode {
    let text = serde_json::to_string_pretty(told).expect("texts and numbers have a JSON form");
    anstream::println!("{text}");
    ExitCode::SUCCESS
}
