//! `intermission on`: closes regions × routes now.

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{self, Client};
use super::confirm::Consent;
use super::shown::WindowShown;
use super::wait::Wait;
use super::{Fault, Reach, text};
use crate::clock::Clock;

#[derive(Args)]
pub(super) struct On {
    #[command(flatten)]
    place: Place,
    /// Why: visitors read it, and it stands in the history.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// What happens to requests.
    #[arg(long, value_enum, default_value = "page")]
    mode: ModeChoice,
    /// In how long it will be back, such as 15m or 1h30m.
    #[arg(long, value_name = "SPAN", conflicts_with = "until")]
    back_in: Option<String>,
    /// When it will be back: 16:00, or 2026-11-21T16:00:00Z.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// More for visitors to read.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    message: String,
    /// Whom visitors can ask.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    contact: String,
    /// What visitors can do instead.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    alternative: String,
    /// How long requests in flight may take to finish, such as 30s.
    #[arg(long, value_name = "SPAN")]
    drain: Option<String>,
    /// What becomes of requests that have not finished by then.
    #[arg(long, value_enum, value_name = "ACTION")]
    drain_action: Option<DrainChoice>,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    consent: Consent,
    /// Where another operator would have to approve: close alone, as an admin.
    #[arg(long)]
    emergency: bool,
    /// Close nothing; print what would be closed.
    #[arg(long, conflicts_with = "wait_drained")]
    dry_run: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Regions × routes.
#[derive(Args)]
pub(super) struct Place {
    /// A region; may be given several times. All of them if none is given.
    #[arg(long = "region", value_name = "NAME")]
    regions: Vec<String>,
    /// A route; may be given several times. All of them if none is given.
    #[arg(long = "route", value_name = "NAME")]
    routes: Vec<String>,
    /// The whole site.
    #[arg(long, conflicts_with_all = ["regions", "routes"])]
    all: bool,
}

impl Place {
    /// Whether nothing was named, not even everything.
    pub(super) fn is_unsaid(&self) -> bool {
        self.regions.is_empty() && self.routes.is_empty() && !self.all
    }

    /// The members of a request's body.
    pub(super) fn json(&self) -> Result<Value, Fault> {
        if self.is_unsaid() {
            let ways = "--region, --route, or --all for the whole site";
            return Err(Fault::Usage(format!("say what is meant: {ways}")));
        }
        let names = |names: &[String]| if names.is_empty() { json!("all") } else { json!(names) };
        Ok(json!({ "regions": names(&self.regions), "routes": names(&self.routes) }))
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum ModeChoice {
    /// Every request gets the page.
    Page,
    /// Reading works; forms and other changes get the page.
    #[value(name = "read_only", alias = "read-only")]
    ReadOnly,
    /// Some requests wait, for a while, for a short window to end; the rest get the page.
    Hold,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum DrainChoice {
    /// They finish, however long that takes.
    Finish,
    /// Forms that are kept at hand are saved; all else finishes.
    Capture,
    /// As capture, and all else is cut off.
    Close,
}

#[derive(Deserialize)]
struct Switched {
    window: WindowShown,
    generation: u64,
}

#[derive(Deserialize)]
struct Rehearsed {
    count: usize,
    already_closed: usize,
    cells: Vec<CellShown>,
}

#[derive(Deserialize)]
struct CellShown {
    route: String,
    region: String,
    closed: bool,
}

impl On {
    pub(super) fn run(self) -> Result<(), Fault> {
        let body = self.body()?;
        let client = Client::new(&self.reach)?;
        if self.dry_run {
            return self.rehearse(client.post("/api/v1/switches?dry_run=true", &body)?);
        }
        self.consent.get(&client, "/api/v1/switches", &body)?;
        let answer = client.post("/api/v1/switches", &body)?;
        let switched: Switched = client::read(answer.clone())?;
        let waits = self.wait.wait_drained;
        if self.reach.json && !waits {
            anstream::println!("{answer:#}");
        } else if !self.reach.json {
            switched.print();
        }
        let window = &switched.window.id;
        if waits { self.wait.drained(&client, window, self.reach.json) } else { Ok(()) }
    }

    fn body(&self) -> Result<Value, Fault> {
        let mut body = self.place.json()?;
        let mode = match self.mode {
            ModeChoice::Page => "page",
            ModeChoice::ReadOnly => "read_only",
            ModeChoice::Hold => "hold",
        };
        body["mode"] = json!(mode);
        body["reason"] = json!(self.reason);
        body["message"] = json!(self.message);
        body["contact"] = json!(self.contact);
        body["alternative"] = json!(self.alternative);
        if let Some(back_in) = &self.back_in {
            body["back_in"] = json!(back_in);
        }
        if let Some(until) = &self.until {
            body["until"] = json!(text::parse_until(until, &Clock::System, &TimeZone::system())?);
        }
        if let Some(drain) = &self.drain {
            body["drain"] = json!(drain);
        }
        if let Some(action) = self.drain_action {
            body["drain_action"] = json!(match action {
                DrainChoice::Finish => "finish",
                DrainChoice::Capture => "capture",
                DrainChoice::Close => "close",
            });
        }
        if self.emergency {
            body["emergency"] = json!(true);
        }
        Ok(body)
    }

    fn rehearse(&self, answer: Value) -> Result<(), Fault> {
        if self.reach.json {
            anstream::println!("{answer:#}");
            return Ok(());
        }
        let rehearsed: Rehearsed = client::read(answer)?;
        for CellShown { route, region, closed } in &rehearsed.cells {
            let already = if *closed { " (closed already)" } else { "" };
            anstream::println!("{route} in {region}{already}");
        }
        let Rehearsed { count, already_closed, .. } = rehearsed;
        anstream::println!("would be closed: {count}, of which closed already: {already_closed}");
        Ok(())
    }
}

impl Switched {
    fn print(&self) {
        let Self { window, generation } = self;
        let (clock, zone) = (Clock::System, TimeZone::system());
        let now = window.began.unwrap_or_else(|| clock.now());
        anstream::println!("closed: {} ({})", window.place(), window.mode);
        anstream::println!("back:   {}", text::until(window.promised_end, now, &zone));
        anstream::println!("in flight: {}", window.in_flight_total);
        anstream::println!("window {} from generation {generation} on", window.id);
    }
}
