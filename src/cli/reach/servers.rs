//! The file of servers that an operator keeps: `~/.config/intermission/cli.toml`.
//!
//! ```toml
//! default = "staging"
//!
//! [server.staging]
//! url = "https://intermission.staging.example.com:7070"
//! token_file = "/home/ops/.config/intermission/staging.token"
//! ca = "/etc/ssl/example-ca.pem"
//! # certificate = "…", key = "…" where the server wants a client's certificate
//! ```

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::token_in;
use crate::cli::Fault;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default: Option<String>,
    #[serde(default)]
    server: BTreeMap<String, Known>,
}

/// One server.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    pub(super) url: String,
    token: Option<String>,
    token_file: Option<PathBuf>,
    pub(super) ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl Known {
    pub(super) fn token(&self) -> Result<Option<String>, Fault> {
        match (&self.token, &self.token_file) {
            (Some(token), _) => Ok(Some(token.trim().to_owned())),
            (None, Some(file)) => token_in(file).map(Some),
            (None, None) => Ok(None),
        }
    }

    pub(super) fn identity(&self) -> Result<Option<(PathBuf, PathBuf)>, Fault> {
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Ok(Some((certificate.clone(), key.clone()))),
            (None, None) => Ok(None),
            (Some(_), None) | (None, Some(_)) => {
                let wanted = "`certificate` and `key` go together";
                Err(Fault::Usage(format!("the server {}: {wanted}", self.url)))
            }
        }
    }
}

/// The server of this name, or the default one; none if there is no file and none is asked for.
pub(super) fn find(name: Option<&str>) -> Result<Option<Known>, Fault> {
    let Some(path) = path() else { return missing(name, "there is no home folder") };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return missing(name, &format!("there is no {}", path.display()));
        }
        Err(error) => {
            return Err(Fault::Usage(format!("{} cannot be read: {error}", path.display())));
        }
    };
    let file: File = toml::from_str(&text)
        .map_err(|error| Fault::Usage(format!("{}: {error}", path.display())))?;
    let Some(name) = name.or(file.default.as_deref()) else { return Ok(None) };
    let Some(known) = file.server.get(name) else {
        let names: Vec<&str> = file.server.keys().map(String::as_str).collect();
        let names = names.join(", ");
        let path = path.display();
        return Err(Fault::Usage(format!("{path} has no [server.{name}]; it has: {names}")));
    };
    if known.token.is_some() {
        keep_private(&path)?;
    }
    Ok(Some(known.clone()))
}

fn missing(name: Option<&str>, why: &str) -> Result<Option<Known>, Fault> {
    match name {
        None => Ok(None),
        Some(name) => Err(Fault::Usage(format!("no server \"{name}\" is known: {why}"))),
    }
}

/// A file with a secret in it is its owner's alone.
fn keep_private(path: &Path) -> Result<(), Fault> {
    let mode = std::fs::metadata(path).map(|about| about.permissions().mode()).unwrap_or_default();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(Fault::Usage(format!("{path} has a token in it and others may read it: chmod 600 {path}")))
}

fn path() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(folder.join("intermission/cli.toml"))
}
