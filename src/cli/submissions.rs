//! `intermission submissions`: how many forms were kept, and what became of them; never what is in
//! them.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;

use super::client::{self, Client};
use super::{Fault, Reach, table, text};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Submissions {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only this one, by the reference that stands on the visitor's receipt.
    #[arg(long, value_name = "REFERENCE")]
    reference: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Subcommand)]
enum Command {
    /// Tell what is known of one, by the reference that a visitor reads out.
    Find(One),
    /// Erase one for a visitor who asks for it. Nobody reads it before.
    Erase(One),
}

#[derive(Args)]
struct One {
    /// The reference on the visitor's receipt, such as K7QF-2M9X, or its id.
    #[arg(value_name = "REFERENCE")]
    reference: String,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    route: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    count: u64,
    #[serde(default)]
    bytes: u64,
}

impl Submissions {
    pub(super) fn run(self) -> Result<(), Fault> {
        match (self.command, self.reference) {
            (Some(Command::Erase(one)), _) => {
                let answer = Client::new(&one.reach)?.delete(&one.path())?;
                table::print(one.reach.json, &answer, known)
            }
            (Some(Command::Find(one)), _) => one.find(),
            (None, Some(reference)) => One { reference, reach: self.reach }.find(),
            (None, None) => all(&self.reach),
        }
    }
}

impl One {
    fn path(&self) -> String {
        format!("/api/v1/submissions/{}", text::escaped(&self.reference))
    }

    fn find(&self) -> Result<(), Fault> {
        let answer = Client::new(&self.reach)?.get(&self.path())?;
        table::print(self.reach.json, &answer, known)
    }
}

fn known(answer: &Value) -> Result<String, Fault> {
    let members = answer.as_object().into_iter().flatten();
    let rows = members.map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        [name.replace('_', " "), text]
    });
    Ok(table::of(["what", "is"], rows, "nothing is known of it"))
}

fn all(reach: &Reach) -> Result<(), Fault> {
    let answer = Client::new(reach)?.all("/api/v1/submissions")?;
    table::print(reach.json, &answer, |answer| {
        let rows: Vec<Row> = client::read(table::items(answer, "submissions"))?;
        let rows = rows.into_iter().filter(|row| row.count > 0).map(|row| {
            let size = format!("{} KiB", row.bytes.div_ceil(1024));
            [row.route, row.state, row.count.to_string(), size]
        });
        Ok(table::of(["route", "state", "forms", "size"], rows, "no forms were kept"))
    })
}
