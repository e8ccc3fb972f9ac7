//! `intermission extend`: promises visitors another end.

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::client::{self, Client};
use super::shown::WindowShown;
use super::status::StatusShown;
use super::{Fault, Reach, text};
use crate::clock::Clock;

#[derive(Args)]
#[group(id = "promise", required = true, multiple = false)]
pub(super) struct Promise {
    /// In how long from now it will be back, such as 15m.
    #[arg(long, value_name = "SPAN")]
    back_in: Option<String>,
    /// When it will be back: 16:00, or 2026-11-21T16:00:00Z.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Nobody knows when it will be back.
    #[arg(long)]
    unknown: bool,
}

#[derive(Args)]
pub(super) struct Extend {
    /// Which window; may be left out while only one is in force.
    #[arg(long, value_name = "ID")]
    window: Option<String>,
    #[command(flatten)]
    promise: Promise,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    reach: Reach,
}

impl Promise {
    /// The members of a request's body; no time at all means that the end is not known.
    pub(super) fn json(&self, clock: &Clock, zone: &TimeZone) -> Result<Value, Fault> {
        if let Some(back_in) = &self.back_in {
            return Ok(json!({ "back_in": back_in }));
        }
        let until = self.until.as_deref();
        let until = until.map(|until| text::parse_until(until, clock, zone)).transpose()?;
        Ok(json!({ "until": until }))
    }
}

impl Extend {
    pub(super) fn run(self) -> Result<(), Fault> {
        let clock = Clock::System;
        let zone = TimeZone::system();
        let mut body = self.promise.json(&clock, &zone)?;
        body["reason"] = json!(self.reason);
        let client = Client::new(&self.reach)?;
        let window = match self.window {
            Some(window) => window,
            None => the_only_one(&client)?,
        };
        let path = format!("/api/v1/windows/{}/extend", text::segment(&window)?);
        let answer = client.post(&path, &body)?;
        if self.reach.json {
            anstream::println!("{answer:#}");
            return Ok(());
        }
        let window: WindowShown = client::read(answer["window"].clone())?;
        let until = text::until(window.promised_end, clock.now(), &zone);
        anstream::println!("{} is back: {until}", window.place());
        Ok(())
    }
}

fn the_only_one(client: &Client) -> Result<String, Fault> {
    let status: StatusShown = client::read(client.get("/api/v1/status")?)?;
    let in_force: Vec<_> = status.windows.iter().filter(|window| window.in_force()).collect();
    match in_force.as_slice() {
        [] => Err(Fault::Failed("nothing is closed".to_owned())),
        [window] => Ok(window.id.clone()),
        several => {
            let each = several.iter().map(|w| format!("\n  {}  {}", w.id, w.place()));
            let each = each.collect::<String>();
            Err(Fault::Usage(format!("several windows are in force; say which by --window:{each}")))
        }
    }
}
