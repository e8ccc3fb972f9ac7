//! `intermission token`: tokens for the admin API, for its config or made by itself.

use clap::{Args, Subcommand, ValueEnum};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::json;

use super::client::{self, Client};
use super::{Fault, Reach, table, text};
use crate::clock::{Clock, Wall};
use crate::digest;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Token {
    /// Whose token it is; this name stands in the history. Without a command, a token is made
    /// here, without the admin API, and the config takes its hash.
    #[arg(long, value_name = "NAME", required = true)]
    name: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Let the admin API make one, which holds at once.
    Create(Create),
    /// Tell which there are, of the config too.
    List(List),
    /// Take one back at once.
    Revoke(Revoke),
}

#[derive(Args)]
struct Create {
    /// Whose token it is; this name stands in the history.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What it may do.
    #[arg(long, value_enum, default_value = "viewer")]
    role: Role,
    /// How long it holds, such as 30d; for ever if it is left out.
    #[arg(long = "for", value_name = "SPAN")]
    life: Option<String>,
    /// A region it may change; may be given several times. All of them if none is given.
    #[arg(long = "region", value_name = "NAME")]
    regions: Vec<String>,
    /// A route it may change; may be given several times. All of them if none is given.
    #[arg(long = "route", value_name = "NAME")]
    routes: Vec<String>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    /// Reads.
    Viewer,
    /// Closes, plans, reopens.
    Operator,
    /// Makes tokens too, and reloads the config.
    Admin,
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
    token: String,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Deserialize)]
struct TokenShown {
    #[serde(default)]
    id: Option<String>,
    name: String,
    role: String,
    #[serde(default)]
    scope: Option<super::shown::ScopeShown>,
    #[serde(default)]
    certificate: Option<String>,
    #[serde(default)]
    not_after: Option<Wall>,
    #[serde(default)]
    revoked: Option<Wall>,
}

impl Token {
    pub(super) fn run(self) -> Result<(), Fault> {
        match self.command {
            None => by_hand(self.name.as_deref().unwrap_or_default().trim(), self.json),
            Some(Command::Create(create)) => create.run(),
            Some(Command::List(List { reach })) => {
                let answer = Client::new(&reach)?.all("/api/v1/tokens")?;
                table::print(reach.json, &answer, |answer| {
                    Ok(list(&client::read::<Vec<_>>(table::items(answer, "tokens"))?))
                })
            }
            Some(Command::Revoke(Revoke { token, reach })) => {
                let path = format!("/api/v1/tokens/{}", text::segment(&token)?);
                let answer = Client::new(&reach)?.delete(&path)?;
                table::print(reach.json, &answer, |_| Ok(format!("revoked: {token}\n")))
            }
        }
    }
}

/// A token that nobody but its holder knows; the config takes its hash.
fn by_hand(name: &str, as_json: bool) -> Result<(), Fault> {
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(Fault::Usage("--name wants a name".to_owned()));
    }
    let token = format!("im_{}", digest::base64url(&digest::random::<32>()));
    let sha256 = digest::hex(&digest::sha256(token.as_bytes()));
    if as_json {
        anstream::println!("{}", json!({ "name": name, "token": token, "sha256": sha256 }));
        return Ok(());
    }
    let quoted = toml::Value::from(name).to_string();
    anstream::println!("The token, shown only now. Keep it secret:\n\n  {token}\n");
    anstream::println!("Use it:\n\n  export INTERMISSION_TOKEN={token}\n");
    anstream::println!("Put this into the config, then restart:\n");
    anstream::println!("[[admin.token]]\nname = {quoted}\nsha256 = \"{sha256}\"");
    Ok(())
}

impl Create {
    fn run(self) -> Result<(), Fault> {
        let role = match self.role {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        };
        let names = |names: &[String]| if names.is_empty() { json!("all") } else { json!(names) };
        let mut body = json!({
            "name": self.name,
            "role": role,
            "regions": names(&self.regions),
            "routes": names(&self.routes),
        });
        if let Some(life) = &self.life {
            body["for"] = json!(life);
        }
        let answer = Client::new(&self.reach)?.post("/api/v1/tokens", &body)?;
        table::print(self.reach.json, &answer, |answer| {
            let secret = answer["secret"].as_str().unwrap_or_default();
            Ok(format!(
                "The token, shown only now. Keep it secret:\n\n  {secret}\n\nUse it:\n\n  \
                 export INTERMISSION_TOKEN={secret}\n"
            ))
        })
    }
}

fn list(tokens: &[TokenShown]) -> String {
    let (now, zone) = (Clock::System.now(), TimeZone::system());
    let rows = tokens.iter().map(|token| {
        let until = match (token.revoked, token.not_after) {
            (Some(at), _) => format!("revoked {}", text::instant(at, now, &zone)),
            (None, Some(at)) => text::until(Some(at), now, &zone),
            (None, None) => "for ever".to_owned(),
        };
        [
            match &token.certificate {
                Some(certificate) => format!("{}\nor certificate {certificate}", token.name),
                None => token.name.clone(),
            },
            token.role.clone(),
            token.scope.as_ref().map(|scope| scope.place()).unwrap_or_default(),
            until,
            token.id.clone().unwrap_or_else(|| "in the config".to_owned()),
        ]
    });
    table::of(["name", "role", "where", "until", "token"], rows, "no tokens")
}
