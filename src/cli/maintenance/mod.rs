//! `intermission maintenance`: plans, tells of, and leads maintenances through their phases.

mod acts;
mod interview;
mod list;
mod plan;
mod show;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::{self, Answer, Client};
use super::preview::Preview;
use super::shown::{MaintenanceShown, WindowShown};
use super::window::{End, Extend, Start};
use super::{Fault, Reach, table, text};

#[derive(Args)]
pub(super) struct Maintenance {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plan one, from a file or by questions.
    Plan(plan::Plan),
    /// Tell what a plan would change, whom it hits, and what it conflicts with.
    Diff(plan::Diff),
    /// Show when a plan would be, and tell everything that is wrong with it; nobody is asked.
    Preview(Preview),
    /// Tell which maintenances are planned and under way.
    List(list::List),
    /// Tell one, with its phases and updates.
    Show(show::Show),
    /// Begin its next phase now.
    Start(Act<Start>),
    /// Promise visitors another end of the phase in force.
    Extend(Act<Extend>),
    /// End the phase in force: verified and ramped, if it is to be.
    End(Act<End>),
    /// Cancel all of its phases that have not begun.
    Cancel(acts::CancelAll),
    /// Tell visitors and colleagues how it goes.
    Update(acts::Update),
    /// Say afterwards what happened.
    Aftermath(acts::Aftermath),
    /// Tell what it came to: times, visitors, forms.
    Report(acts::Report),
}

/// Which maintenance.
#[derive(Args)]
pub(super) struct Which {
    /// Its id, the beginning of it, or its title.
    #[arg(value_name = "MAINTENANCE")]
    which: String,
}

/// One phase of a maintenance, and what is done to it.
#[derive(Args)]
struct Act<T: Args> {
    #[command(flatten)]
    which: Which,
    /// Which phase, counted from 1; may be left out where only one is meant.
    #[arg(long, value_name = "NUMBER")]
    phase: Option<u32>,
    #[command(flatten)]
    what: T,
    #[command(flatten)]
    reach: Reach,
}

/// A maintenance with its windows.
struct Loaded {
    shown: MaintenanceShown,
    windows: Vec<WindowShown>,
    answer: Answer,
}

impl Maintenance {
    pub(super) fn run(self) -> Result<ExitCode, Fault> {
        // It says by its code whether a plan is well.
        if let Command::Preview(command) = self.command {
            return Ok(command.run());
        }
        self.command.run().map(|()| ExitCode::SUCCESS)
    }
}

impl Command {
    fn run(self) -> Result<(), Fault> {
        match self {
            Self::Preview(_) => Ok(()),
            Self::Plan(command) => command.run(),
            Self::Diff(command) => command.run(),
            Self::List(command) => command.run(),
            Self::Show(command) => command.run(),
            Self::Start(act) => {
                let client = Client::new(&act.reach)?;
                let window = act.window(&client, "has not begun", |window| {
                    !window.in_force() && !window.is_over()
                })?;
                act.what.run(&client, &window, act.reach.json)
            }
            Self::Extend(act) => {
                let client = Client::new(&act.reach)?;
                let window = act.window(&client, "is in force", WindowShown::in_force)?;
                act.what.run(&client, &window, act.reach.json)
            }
            Self::End(act) => {
                let client = Client::new(&act.reach)?;
                let window = act.window(&client, "is in force", WindowShown::in_force)?;
                act.what.run(&client, &window, act.reach.json)
            }
            Self::Cancel(command) => command.run(),
            Self::Update(command) => command.run(),
            Self::Aftermath(command) => command.run(),
            Self::Report(command) => command.run(),
        }
    }
}

impl<T: Args> Act<T> {
    /// The phase that is meant: the one that is named, else the first that it can be done to.
    fn window(
        &self,
        client: &Client,
        wanted: &str,
        fits: impl Fn(&WindowShown) -> bool,
    ) -> Result<String, Fault> {
        let loaded = self.which.load(client)?;
        let number = |window: &WindowShown| window.phase.as_ref().map(|phase| phase.number);
        let title = &loaded.shown.title;
        let found = match self.phase {
            Some(phase) => loaded.windows.iter().find(|window| number(window) == Some(phase)),
            None => loaded.windows.iter().find(|window| fits(window)),
        };
        match (found, self.phase) {
            (Some(window), _) => Ok(window.id.clone()),
            (None, Some(phase)) => {
                let count = loaded.windows.len();
                Err(Fault::Usage(format!("\"{title}\" has {count} phases, and no phase {phase}")))
            }
            (None, None) => Err(Fault::Failed(format!("no phase of \"{title}\" {wanted}"))),
        }
    }
}

impl Which {
    /// The id that is meant.
    pub(super) fn id(&self, client: &Client) -> Result<String, Fault> {
        let wanted = self.which.trim();
        let is_id = wanted.len() == 32 && wanted.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_id {
            return Ok(wanted.to_owned());
        }
        let answer = client.all("/api/v1/maintenances?state=all")?;
        let known: Vec<MaintenanceShown> = client::read(table::items(&answer, "maintenances"))?;
        let fits = |one: &&MaintenanceShown| {
            (wanted.len() >= 4 && one.id.starts_with(wanted)) || one.title == wanted
        };
        let found: Vec<_> = known.iter().filter(fits).collect();
        match found.as_slice() {
            [one] => Ok(one.id.clone()),
            [] => Err(Fault::Usage(format!(
                "no maintenance is called \"{wanted}\"; `intermission maintenance list` tells them"
            ))),
            several => {
                let each = several.iter().map(|one| format!("\n  {}  {}", one.id, one.title));
                let each = each.collect::<String>();
                Err(Fault::Usage(format!("\"{wanted}\" could be several; say which:{each}")))
            }
        }
    }

    fn load(&self, client: &Client) -> Result<Loaded, Fault> {
        load(client, &self.id(client)?)
    }
}

fn load(client: &Client, id: &str) -> Result<Loaded, Fault> {
    let answer = client.look(&path(id)?)?;
    let whole = answer.body.get("maintenance").unwrap_or(&answer.body).clone();
    let windows = [&answer.body["windows"], &whole["windows"]];
    let windows = windows.into_iter().find(|list| list[0].is_object()).cloned();
    let windows = client::read(windows.unwrap_or_else(|| Value::Array(Vec::new())))?;
    Ok(Loaded { shown: client::read(whole)?, windows, answer })
}

fn path(id: &str) -> Result<String, Fault> {
    Ok(format!("/api/v1/maintenances/{}", text::segment(id)?))
}
