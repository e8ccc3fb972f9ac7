//! Which admin API a command speaks to, and as whom: flags, then the environment, then the file of
//! servers that an operator keeps.

mod servers;

use std::path::{Path, PathBuf};

use clap::Args;

use super::Fault;

/// Where the admin API is if nobody says.
const DEFAULT_SERVER: &str = "http://127.0.0.1:7070";

/// Where the admin API is, who asks, and how its answers are shown. Its ids are of its own, since
/// commands have arguments that are called so too.
#[derive(Args)]
#[command(next_help_heading = "Admin API")]
pub(super) struct Reach {
    /// The admin API: http://…, https://…, or unix:/path (http://127.0.0.1:7070).
    #[arg(id = "reach_server", long = "server", env = "INTERMISSION_SERVER", value_name = "URL")]
    server: Option<String>,
    /// A server by its name in ~/.config/intermission/cli.toml.
    #[arg(
        id = "reach_profile",
        long = "profile",
        env = "INTERMISSION_PROFILE",
        value_name = "NAME"
    )]
    profile: Option<String>,
    /// The token; better in a file or the environment, where other users of the machine cannot
    /// see it.
    #[arg(
        id = "reach_token",
        long = "token",
        env = "INTERMISSION_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    token: Option<String>,
    /// A file with the token in it.
    #[arg(
        id = "reach_token_file",
        long = "token-file",
        env = "INTERMISSION_TOKEN_FILE",
        value_name = "FILE"
    )]
    token_file: Option<PathBuf>,
    /// The CA that an https server must be known by; else those that the machine trusts.
    #[arg(long, env = "INTERMISSION_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Print the API's JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// What [`Reach`] comes to.
pub(super) struct Target {
    pub(super) url: String,
    pub(super) token: Option<String>,
    pub(super) ca: Option<PathBuf>,
    /// What is shown to a server that wants a client's certificate: chain and key.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
}

impl Reach {
    /// Looks it all up.
    ///
    /// What the file says for a server holds only if that server is asked: a token must not be
    /// shown to another one because an address was given by hand.
    pub(super) fn target(&self) -> Result<Target, Fault> {
        let known = match &self.server {
            Some(_) if self.profile.is_none() => None,
            Some(_) | None => servers::find(self.profile.as_deref())?,
        };
        if let (Some(_), Some(name)) = (&self.server, &self.profile) {
            let clash = format!("--server and --profile {name} say two addresses; give one");
            return Err(Fault::Usage(clash));
        }
        let token = match (&self.token, &self.token_file) {
            (Some(_), Some(_)) => {
                let clash = "a token and a token's file are given, by flag or environment";
                return Err(Fault::Usage(format!("{clash}; give one")));
            }
            (Some(token), None) => Some(token.trim().to_owned()),
            (None, Some(file)) => Some(token_in(file)?),
            (None, None) => match &known {
                Some(known) => known.token()?,
                None => None,
            },
        };
        let url = self.server.clone().or_else(|| known.as_ref().map(|known| known.url.clone()));
        let url = url.unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        let (ca, identity) = match known {
            Some(known) => (self.ca.clone().or_else(|| known.ca.clone()), known.identity()?),
            None => (self.ca.clone(), None),
        };
        Ok(Target { url, token, ca, identity })
    }
}

/// The token that a file holds, and nothing else.
fn token_in(file: &Path) -> Result<String, Fault> {
    let read = std::fs::read_to_string(file);
    let text = read.map_err(|error| {
        Fault::Usage(format!("the token's file {} cannot be read: {error}", file.display()))
    })?;
    let token = text.trim();
    if token.is_empty() {
        return Err(Fault::Usage(format!("the token's file {} is empty", file.display())));
    }
    Ok(token.to_owned())
}
