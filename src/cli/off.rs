//! `intermission off`: reopens what was closed.

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{self, Client};
use super::on::Place;
use super::shown::WindowShown;
use super::{Fault, Reach};

#[derive(Args)]
pub(super) struct Off {
    #[command(flatten)]
    place: Place,
    /// End this window.
    #[arg(long, value_name = "ID", conflicts_with_all = ["regions", "routes", "all"])]
    window: Option<String>,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Deserialize)]
struct Ended {
    #[serde(default)]
    windows: Vec<WindowShown>,
    window: Option<WindowShown>,
    generation: u64,
}

impl Off {
    pub(super) fn run(self) -> Result<(), Fault> {
        let (path, body) = self.request()?;
        let answer = Client::new(&self.reach)?.post(&path, &body)?;
        if self.reach.json {
            anstream::println!("{answer:#}");
            return Ok(());
        }
        let ended: Ended = client::read(answer)?;
        for window in ended.windows.iter().chain(&ended.window) {
            anstream::println!("reopened: {} (window {})", window.place(), window.id);
        }
        anstream::println!("from generation {} on", ended.generation);
        Ok(())
    }

    fn request(&self) -> Result<(String, Value), Fault> {
        if let Some(window) = &self.window {
            let path = format!("/api/v1/windows/{}/end", super::text::segment(window)?);
            return Ok((path, json!({ "reason": self.reason })));
        }
        if self.place.is_unsaid() {
            let ways = "--region, --route, --window, or --all for everything that is closed";
            return Err(Fault::Usage(format!("say what reopens: {ways}")));
        }
        let mut body = self.place.json()?;
        body["reason"] = json!(self.reason);
        Ok(("/api/v1/switches/off".to_owned(), body))
    }
}
