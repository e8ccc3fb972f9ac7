//! `intermission approve`: the second operator's word.

use clap::Args;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::json;

use super::client::{self, Client};
use super::shown::ScopeShown;
use super::{Fault, Reach, table, text};
use crate::clock::{Clock, Wall};

#[derive(Args)]
pub(super) struct Approve {
    /// What is approved; left out, all that waits is listed.
    #[arg(value_name = "ID")]
    approval: Option<String>,
    /// Turn it down instead: it is forgotten.
    #[arg(long, requires = "approval")]
    drop: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Deserialize)]
struct Waiting {
    id: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    scope: Option<ScopeShown>,
    #[serde(default)]
    not_after: Option<Wall>,
}

impl Approve {
    pub(super) fn run(self) -> Result<(), Fault> {
        let client = Client::new(&self.reach)?;
        let Some(approval) = &self.approval else {
            let answer = client.all("/api/v1/approvals")?;
            return table::print(self.reach.json, &answer, |answer| {
                Ok(list(&client::read::<Vec<_>>(table::items(answer, "approvals"))?))
            });
        };
        let path = format!("/api/v1/approvals/{}", text::segment(approval)?);
        if self.drop {
            let answer = client.delete(&path)?;
            return table::print(self.reach.json, &answer, |_| {
                Ok(format!("dropped: {approval}\n"))
            });
        }
        let answer = client.post(&path, &json!({}))?;
        table::print(self.reach.json, &answer, |_| Ok(format!("approved and done: {approval}\n")))
    }
}

fn list(waiting: &[Waiting]) -> String {
    let (now, zone) = (Clock::System.now(), TimeZone::system());
    let rows = waiting.iter().map(|one| {
        [
            one.by.clone(),
            one.action.clone(),
            one.scope.as_ref().map(ScopeShown::place).unwrap_or_default(),
            text::until(one.not_after, now, &zone),
            one.id.clone(),
        ]
    });
    table::of(
        ["asked by", "what", "where", "expires", "approval"],
        rows,
        "nothing waits for approval",
    )
}
