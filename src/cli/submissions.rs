//! `intermission submissions`: how many forms were kept, and what became of them; never what is in
//! them.

use clap::Args;
use serde::Deserialize;

use super::client::{self, Client};
use super::{Fault, Reach, table, text};

#[derive(Args)]
pub(super) struct Submissions {
    /// Only this one, by the reference that stands on the visitor's receipt.
    #[arg(long, value_name = "REFERENCE")]
    reference: Option<String>,
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
        let client = Client::new(&self.reach)?;
        if let Some(reference) = &self.reference {
            let path = format!("/api/v1/submissions/{}", text::escaped(reference));
            let answer = client.get(&path)?;
            return table::print(self.reach.json, &answer, |answer| {
                let shown = answer.get("submission").unwrap_or(answer);
                let members = shown.as_object().into_iter().flatten();
                let rows = members.map(|(name, value)| {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    [name.replace('_', " "), text]
                });
                Ok(table::of(["what", "is"], rows, "nothing is known of it"))
            });
        }
        let answer = client.get("/api/v1/submissions")?;
        table::print(self.reach.json, &answer, |answer| {
            let rows: Vec<Row> = client::read(table::items(answer, "submissions"))?;
            let rows = rows.into_iter().filter(|row| row.count > 0).map(|row| {
                let size = format!("{} KiB", row.bytes.div_ceil(1024));
                [row.route, row.state, row.count.to_string(), size]
            });
            Ok(table::of(["route", "state", "forms", "size"], rows, "no forms were kept"))
        })
    }
}
