//! What is done to a maintenance as a whole, and what it came to.

use clap::Args;
use serde_json::json;

use super::Which;
use crate::cli::client::Client;
use crate::cli::window::Cancel;
use crate::cli::{Fault, Reach, table};

#[derive(Args)]
pub(super) struct CancelAll {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    cancel: Cancel,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Args)]
pub(super) struct Update {
    #[command(flatten)]
    which: Which,
    /// What is told.
    #[arg(value_name = "TEXT")]
    text: String,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Args)]
pub(super) struct Aftermath {
    #[command(flatten)]
    which: Which,
    /// What happened.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    text: String,
    /// Where the incident report is.
    #[arg(long, value_name = "URL", default_value = "", hide_default_value = true)]
    link: String,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Args)]
pub(super) struct Report {
    #[command(flatten)]
    which: Which,
    /// Print Markdown, as it is read on a terminal too.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    #[command(flatten)]
    reach: Reach,
}

impl CancelAll {
    pub(super) fn run(self) -> Result<(), Fault> {
        let client = Client::new(&self.reach)?;
        let path = format!("{}/cancel", super::path(&self.which.id(&client)?)?);
        let answer = client.post(&path, &json!({ "reason": self.cancel.reason }))?;
        table::print(self.reach.json, &answer, |_| {
            Ok("cancelled: all phases that had not begun\n".to_owned())
        })
    }
}

impl Update {
    pub(super) fn run(self) -> Result<(), Fault> {
        let client = Client::new(&self.reach)?;
        let path = format!("{}/updates", super::path(&self.which.id(&client)?)?);
        let answer = client.post(&path, &json!({ "text": self.text }))?;
        table::print(self.reach.json, &answer, |_| Ok(format!("told: {}\n", self.text)))
    }
}

impl Aftermath {
    pub(super) fn run(self) -> Result<(), Fault> {
        if self.text.is_empty() && self.link.is_empty() {
            return Err(Fault::Usage("say what happened: --text, --link or both".to_owned()));
        }
        let client = Client::new(&self.reach)?;
        let path = format!("{}/aftermath", super::path(&self.which.id(&client)?)?);
        let answer = client.post(&path, &json!({ "text": self.text, "link": self.link }))?;
        table::print(self.reach.json, &answer, |_| Ok("kept with the report\n".to_owned()))
    }
}

impl Report {
    pub(super) fn run(self) -> Result<(), Fault> {
        let client = Client::new(&self.reach)?;
        let path = format!("{}/report", super::path(&self.which.id(&client)?)?);
        if self.reach.json {
            anstream::println!("{:#}", client.get(&path)?);
            return Ok(());
        }
        let text = client.text(&path, "text/markdown")?;
        anstream::println!("{}", text.trim_end());
        Ok(())
    }
}
