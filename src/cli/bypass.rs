//! `intermission bypass`: lets people through what is closed.

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::json;

use super::client::{self, Client};
use super::shown::ScopeShown;
use super::{Fault, Reach, table, text};
use crate::clock::{Clock, Wall};

#[derive(Args)]
pub(super) struct Bypass {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make one. Its link and its secret are shown only now.
    Create(Create),
    /// Tell which there are.
    List(List),
    /// Take one back at once.
    Revoke(Revoke),
}

#[derive(Args)]
struct Create {
    /// How long it holds, such as 1h.
    #[arg(long = "for", value_name = "SPAN")]
    life: String,
    /// What it is for; stands in the list and in the history.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// A region it lets into; may be given several times. All of them if none is given.
    #[arg(long = "region", value_name = "NAME")]
    regions: Vec<String>,
    /// A route it lets into; may be given several times. All of them if none is given.
    #[arg(long = "route", value_name = "NAME")]
    routes: Vec<String>,
    /// Only through this window.
    #[arg(long, value_name = "ID")]
    window: Option<String>,
    /// Lets clients of this network in, instead of those who hold a link.
    #[arg(long = "network", value_name = "CIDR")]
    networks: Vec<String>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Args)]
struct List {
    #[command(flatten)]
    reach: Reach,
}

#[derive(Args)]
struct Revoke {
    /// Its id, from the list.
    #[arg(value_name = "ID")]
    bypass: String,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Deserialize)]
struct BypassShown {
    id: String,
    scope: ScopeShown,
    #[serde(default)]
    window: Option<String>,
    #[serde(default)]
    networks: Vec<String>,
    expires: Wall,
    #[serde(default)]
    by: String,
    #[serde(default)]
    why: String,
}

impl Bypass {
    pub(super) fn run(self) -> Result<(), Fault> {
        match self.command {
            Command::Create(create) => create.run(),
            Command::List(List { reach }) => {
                let answer = Client::new(&reach)?.all("/api/v1/bypasses")?;
                table::print(reach.json, &answer, |answer| {
                    Ok(list(&client::read::<Vec<_>>(table::items(answer, "bypasses"))?))
                })
            }
            Command::Revoke(Revoke { bypass, reach }) => {
                let path = format!("/api/v1/bypasses/{}", text::segment(&bypass)?);
                let answer = Client::new(&reach)?.delete(&path)?;
                table::print(reach.json, &answer, |_| Ok(format!("revoked: {bypass}\n")))
            }
        }
    }
}

impl Create {
    fn run(self) -> Result<(), Fault> {
        let names = |names: &[String]| if names.is_empty() { json!("all") } else { json!(names) };
        let mut body = json!({
            "for": self.life,
            "reason": self.reason,
            "regions": names(&self.regions),
            "routes": names(&self.routes),
        });
        if let Some(window) = &self.window {
            body["window"] = json!(text::segment(window)?);
        }
        if !self.networks.is_empty() {
            body["networks"] = json!(self.networks);
        }
        let answer = Client::new(&self.reach)?.post("/api/v1/bypasses", &body)?;
        table::print(self.reach.json, &answer, |answer| {
            let shown: BypassShown = client::read(answer["bypass"].clone())?;
            let (now, zone) = (Clock::System.now(), TimeZone::system());
            let until = text::until(Some(shown.expires), now, &zone);
            let mut told = format!("lets through: {}\nuntil:  {until}\n", shown.scope.place());
            if shown.networks.is_empty() {
                let said = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
                told += &format!("link:   {}\n", said("link"));
                told += &format!("header: Intermission-Bypass: {}\n", said("secret"));
                told += "Both are shown only now. Whoever has them is let through.\n";
            } else {
                told += &format!("for:    {}\n", shown.networks.join(", "));
            }
            told += &format!("bypass {}\n", shown.id);
            Ok(told)
        })
    }
}

fn list(bypasses: &[BypassShown]) -> String {
    let (now, zone) = (Clock::System.now(), TimeZone::system());
    let rows = bypasses.iter().map(|bypass| {
        let window = bypass.window.as_ref().map(|id| format!(", window {id}")).unwrap_or_default();
        let whom = match bypass.networks.as_slice() {
            [] => "holders of its link".to_owned(),
            networks => networks.join(", "),
        };
        [
            format!("{}{window}", bypass.scope.place()),
            whom,
            text::until(Some(bypass.expires), now, &zone),
            bypass.by.clone(),
            bypass.why.clone(),
            bypass.id.clone(),
        ]
    });
    table::of(["where", "whom", "until", "by", "why", "bypass"], rows, "no bypasses")
}
