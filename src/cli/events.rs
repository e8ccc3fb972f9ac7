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
        client.follow("/api/v1/events", self.after.as_deref(), |event| {
            let line = match self.reach.json {
                true => {
                    json!({ "event": event.kind, "id": event.id, "data": event.data }).to_string()
                }
                false => told(&event, &zone),
            };
            anstream::println!("{line}");
            left = left.saturating_sub(1);
            left > 0
        })
    }
}

/// `15:02:11 window closed 06gz… ops: database upgrade`
fn told(event: &Event, zone: &TimeZone) -> String {
    let text = |name: &str| event.data.get(name).and_then(Value::as_str).unwrap_or_default();
    let at = Wall::parse(text("at")).ok();
    let at = at.map(|at| at.timestamp().to_zoned(zone.clone()).strftime("%H:%M:%S").to_string());
    let parts = ["state", "to", "window", "maintenance", "id", "by", "why"].map(text);
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{} {} {}", at.unwrap_or_default(), event.kind, parts.join(" ")).trim().to_owned()
}
