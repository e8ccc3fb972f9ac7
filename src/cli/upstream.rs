//! `intermission upstream`: which servers there are, how they are, and which of them take requests.

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{ContentArrangement, Table, presets};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::json;

use super::client::{self, Client};
use super::{Fault, Reach, text};
use crate::clock::{Clock, Wall};

#[derive(Args)]
pub(super) struct Upstream {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tell which servers there are, how they are, and what operators say of them.
    List(List),
    /// Say whether a server takes requests; that holds through reloads and restarts.
    Set(Set),
}

#[derive(Args)]
struct List {
    /// Only this upstream.
    #[arg(value_name = "UPSTREAM")]
    upstream: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Args)]
struct Set {
    /// The upstream.
    #[arg(value_name = "UPSTREAM")]
    upstream: String,
    /// The server, as it is typed in the config.
    #[arg(value_name = "SERVER")]
    server: String,
    /// What it shall be.
    #[arg(value_name = "STATE")]
    state: State,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Clone, Copy, ValueEnum)]
enum State {
    /// It takes requests.
    Ready,
    /// It takes only requests that are bound to it by a hash.
    Drain,
    /// It takes nothing.
    Maint,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Drain => "drain",
            Self::Maint => "maint",
        }
    }
}

#[derive(Deserialize)]
struct PoolShown {
    name: String,
    servers: Vec<ServerShown>,
}

#[derive(Deserialize)]
struct ServerShown {
    name: String,
    weight: u32,
    state: String,
    decision: Option<Decision>,
    addresses: Vec<PlaceShown>,
}

#[derive(Deserialize)]
struct PlaceShown {
    address: String,
    health: String,
    health_since: Option<Wall>,
    #[serde(default)]
    health_error: String,
}

#[derive(Deserialize)]
struct Decision {
    at: Wall,
    by: String,
    why: String,
    upstream: String,
    server: String,
    state: String,
}

impl Upstream {
    pub(super) fn run(self) -> Result<(), Fault> {
        match self.command {
            Command::List(list) => list.run(),
            Command::Set(set) => set.run(),
        }
    }
}

impl List {
    fn run(self) -> Result<(), Fault> {
        let path = match &self.upstream {
            Some(name) => format!("/api/v1/upstreams/{}", text::escaped(name)),
            None => "/api/v1/upstreams".to_owned(),
        };
        let answer = Client::new(&self.reach)?.get(&path)?;
        if self.reach.json {
            anstream::println!("{answer:#}");
            return Ok(());
        }
        let pools: Vec<PoolShown> = match self.upstream {
            Some(_) => vec![client::read(answer["upstream"].clone())?],
            None => client::read(answer["upstreams"].clone())?,
        };
        anstream::println!("{}", render(&pools, Clock::System.now(), &TimeZone::system()));
        if let Some(strangers) = answer.get("not_in_config") {
            let strangers: Vec<Decision> = client::read(strangers.clone())?;
            for Decision { upstream, server, state, .. } in strangers {
                anstream::println!("not in the config: {upstream} {server} ({state})");
            }
        }
        Ok(())
    }
}

impl Set {
    fn run(self) -> Result<(), Fault> {
        let Self { upstream, server, state, reason, reach } = self;
        let (up, at) = (text::escaped(&upstream), text::escaped(&server));
        let path = format!("/api/v1/upstreams/{up}/servers/{at}/state");
        let body = json!({ "state": state.name(), "reason": reason });
        let answer = Client::new(&reach)?.post(&path, &body)?;
        if reach.json {
            anstream::println!("{answer:#}");
            return Ok(());
        }
        let generation = &answer["generation"];
        let state = state.name();
        anstream::println!("{upstream} {server}: {state}, from generation {generation} on");
        Ok(())
    }
}

fn render(pools: &[PoolShown], now: Wall, zone: &TimeZone) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["upstream", "server", "address", "weight", "state", "health", "who, why"]);
    for pool in pools {
        for server in &pool.servers {
            for place in &server.addresses {
                table.add_row([
                    pool.name.clone(),
                    server.name.clone(),
                    place.address.clone(),
                    server.weight.to_string(),
                    server.state.clone(),
                    place.shown(now, zone),
                    server.decision.as_ref().map(|by| by.shown(now, zone)).unwrap_or_default(),
                ]);
            }
        }
    }
    table.to_string()
}

impl PlaceShown {
    fn shown(&self, now: Wall, zone: &TimeZone) -> String {
        let since = self.health_since.map(|at| format!(" since {}", text::since(at, now, zone)));
        let why = if self.health_error.is_empty() { "" } else { ": " };
        format!("{}{}{why}{}", self.health, since.unwrap_or_default(), self.health_error)
    }
}

impl Decision {
    fn shown(&self, now: Wall, zone: &TimeZone) -> String {
        let why = if self.why.is_empty() { String::new() } else { format!(": {}", self.why) };
        format!("{}, {}{why}", self.by, text::instant(self.at, now, zone))
    }
}
