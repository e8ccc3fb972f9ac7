//! `intermission events`: changes as they happen.

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::client::{Client, Event};
use super::{Fault, Reach};
use crate::clock::Wall;

#[derive(Args)]
pub(super) struct Events {
    /// Begin after this event instead of now; each event tells its id.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// Return after so many events instead of when interrupted.
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
    #[command(flatten)]
    reach: Reach,
}

impl Events {
    pub(super) fn run(self) -> Result<(), Fault> {
        let client = Client::new(&self.reach)?;
        let mut left = self.count.unwrap_or(u64::MAX);
        let zone = TimeZone::system();
        let mut last = self.after;
        // A stream ends after some minutes; the next one goes on where it was.
        while left > 0 {
            let mut reached = last.clone();
            client.follow("/api/v1/events", last.as_deref(), |event| {
                anstream::println!("{}", told(&event, self.reach.json, &zone));
                if !event.id.is_empty() {
                    reached = Some(event.id);
                }
                left = left.saturating_sub(1);
                left > 0
            })?;
            last = reached;
        }
        Ok(())
    }
}

/// `15:02:11 window closed 06gz… ops: database upgrade`
fn told(event: &Event, as_json: bool, zone: &TimeZone) -> String {
    if as_json {
        let Event { kind, id, data } = event;
        return json!({ "event": kind, "id": id, "data": data }).to_string();
    }
    let text = |name: &str| event.data.get(name).and_then(Value::as_str).unwrap_or_default();
    let at = Wall::parse(text("at")).ok();
    let at = at.map(|at| at.timestamp().to_zoned(zone.clone()).strftime("%H:%M:%S").to_string());
    let parts = ["state", "to", "window", "maintenance", "id", "by", "why"].map(text);
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{} {} {}", at.unwrap_or_default(), event.kind, parts.join(" ")).trim().to_owned()
}
