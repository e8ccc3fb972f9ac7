//! From the config file to what the planes run on: file → model → compile, all problems at once.
//!
//! [`load`] is what `serve` starts from, what a reload runs and all that `check` does: a file that
//! loads is a file that can be served. It looks up server names and reads templates, so it blocks.

mod acme;
mod admin;
mod blackouts;
mod care;
mod compile;
mod edge;
mod file;
mod files;
mod health;
pub mod keys;
mod limits;
pub mod maintenances;
mod names;
mod node;
mod problem;
mod quantity;
mod reload;
mod resolve;
mod routes;
mod store;
mod tls;
mod upstreams;
pub mod watch;

use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeTable;

pub use problem::{Color, Problem, Problems};
pub use reload::{compatible, opened, uncovered, unserved};
pub use resolve::addresses_of;
pub use routes::{CSRF_FIELDS, SIGN_IN_PATHS};

use crate::grant::Role;
use crate::pages::Pages;
use crate::snapshot::{AccessFormat, Listener, LogTarget, Site};
use crate::tls::Server;
use crate::window::scope::Scope;
use crate::{digest, limit};

/// A config that can be served.
pub struct Loaded {
    /// What requests are judged by; a reload changes it.
    pub site: Arc<Site>,
    /// The templates; a reload changes them.
    pub pages: Arc<Pages>,
    /// What only a restart changes.
    pub process: Process,
    /// The maintenances that files declare; a reload changes them. None if no file was read: what
    /// was declared before stays.
    pub declared: Option<Vec<maintenances::Declared>>,
}

/// What only a restart changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Process {
    /// Where visitors connect.
    pub listeners: Vec<Listener>,
    /// Worker threads of the data plane.
    pub workers: usize,
    /// The admin API.
    pub admin: AdminRules,
    /// Where windows and submissions are kept.
    pub store_dir: PathBuf,
    /// How much is kept there, and the keys that it is sealed with.
    pub store: StoreRules,
    /// Where access lines go.
    pub access_target: LogTarget,
    /// How an access line looks.
    pub access_format: AccessFormat,
    /// How long requests in flight may take to finish after a scope closes, unless the switch
    /// says otherwise.
    pub drain: Duration,
    /// How the process stops.
    pub stop: StopRules,
    /// The directory of the operator's templates, to be watched together with the file.
    pub pages_dir: Option<PathBuf>,
}

/// How much is kept, and the keys that it is sealed with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreRules {
    /// Sealed bytes of all submissions.
    pub bytes_max: u64,
    /// Free bytes of the file system below which nothing more is kept; none is the usual reserve.
    pub free_bytes_min: Option<u64>,
    /// The key that seals; none is one of the store's own directory.
    pub key: Option<KeyFrom>,
    /// Keys that sealed before, and still open.
    pub former_keys: Vec<KeyFrom>,
}

/// Where a node key is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyFrom {
    /// In a file.
    File(PathBuf),
    /// In a variable of the environment.
    Env(String),
    /// Among the credentials that systemd passes.
    Credential(String),
}

/// How the process stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StopRules {
    /// From being told until no connection is taken any more.
    pub lame_duck: Duration,
    /// From then until what is under way is cut.
    pub deadline: Duration,
}

/// The admin API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdminRules {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Who may use it.
    pub tokens: Vec<Token>,
    /// Values of `Host` that are accepted besides the address itself, in lower case.
    pub hosts: Vec<String>,
    /// A socket for those who are on the machine as the same user.
    pub unix: Option<PathBuf>,
    /// What callers are shown where it listens.
    pub tls: Option<AdminTls>,
    /// Where nobody closes anything alone.
    pub approvals: Vec<Scope>,
    /// Above which share of the last hour's requests, in percent, people are asked whether they
    /// mean it.
    pub confirm_share: u8,
}

/// How the admin API is encrypted.
#[derive(Clone)]
pub struct AdminTls {
    /// What it was read from.
    pub files: Vec<PathBuf>,
    /// Whether callers have to show certificates.
    pub asks: bool,
    /// Does the handshakes.
    pub server: Server,
}

impl PartialEq for AdminTls {
    fn eq(&self, other: &Self) -> bool {
        (&self.files, self.asks) == (&other.files, other.asks)
    }
}

impl Eq for AdminTls {}

impl fmt::Debug for AdminTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdminTls({:?})", self.files)
    }
}

/// Somebody who may use the admin API.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// In the history of windows and in logs.
    pub name: String,
    /// Of the secret. The secret itself is nowhere. None if it is known by a certificate alone.
    pub sha256: Option<digest::Hash>,
    /// A DNS name of the certificate that it is known by, in lower case.
    pub certificate: Option<String>,
    /// What it may do.
    pub role: Role,
    /// Where.
    pub scope: Scope,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.name)
    }
}

/// Reads and compiles a config file. Relative paths in it are meant from its own directory.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    let name = path.display().to_string();
    let text = read_bounded(path, limit::CONFIG_BYTES_MAX)?;
    let base = path.parent().unwrap_or(Path::new("."));
    load_text(&name, &text, base)
}

/// The text of a file that may have so many bytes.
fn read_bounded(path: &Path, most: u64) -> Result<String, Problems> {
    let name = path.display().to_string();
    let bytes = read(path).map_err(|fault| {
        let help = "is it there, and may this user read it?";
        Problems::unreadable(&name, format!("the file cannot be read: {fault}"), help)
    })?;
    if bytes.len() as u64 > most {
        let help = format!("it may have {} KiB; is this the right file?", most / 1024);
        return Err(Problems::unreadable(&name, "the file is too large", help));
    }
    String::from_utf8(bytes).map_err(|fault| {
        let at = fault.utf8_error().valid_up_to();
        let line = fault.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let help = "save it as UTF-8";
        Problems::unreadable(&name, format!("line {line} is not UTF-8"), help)
    })
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(limit::CONFIG_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Compiles the text of a config file called `name`. Relative paths in it are meant from `base`.
pub fn load_text(name: &str, text: &str, base: &Path) -> Result<Loaded, Problems> {
    let mut found = problem::Found::default();
    let (table, faults) = DeTable::parse_recoverable(text);
    if !faults.is_empty() {
        for fault in faults.iter().take(limit::SYNTAX_PROBLEMS_MAX) {
            let what = fault.message().lines().collect::<Vec<_>>().join(", ");
            let help = "this is the syntax of TOML: https://toml.io/en/v1.1.0";
            found.add(fault.span().unwrap_or(0..0), what, help);
        }
        hide_secrets(text, &mut found);
        // What a recovering parser makes of broken text is a guess: its meaning is not judged.
        return Err(problems(found, name, text));
    }
    let file = file::Section::new(&keys::FILE, table.get_ref(), 0..0, &mut found);
    let model = compile::Model {
        node: node::Node::read(&file, base, &mut found),
        regions: routes::regions(&file, &mut found),
        upstreams: upstreams::upstreams(&file, base, &mut found),
        routes: routes::routes(&file, &mut found),
        blackouts: blackouts::blackouts(&file, &mut found),
        maintenances: maintenances::directory(&file, base, &mut found),
    };
    let fingerprint = digest::hex(&digest::sha256(text.as_bytes())[..8]);
    let loaded = compile::compile(model, fingerprint, &mut found);
    match loaded {
        Some(loaded) if found.is_empty() => Ok(loaded),
        Some(_) | None => Err(problems(found, name, text)),
    }
}

/// In a file that cannot be parsed a secret is known by the name of its key alone.
fn hide_secrets(text: &str, found: &mut problem::Found) {
    for (at, key) in text.match_indices("sha256") {
        let start = at + key.len();
        let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let value = text[start..end].find(['"', '\'']).map_or(end, |quote| start + quote);
        found.hide(value..end);
    }
}

fn problems(found: problem::Found, name: &str, text: &str) -> Problems {
    let unexplained = || {
        let help = "this is a fault of Intermission's: please report it with the file";
        Problems::unreadable(name, "the file does not compile", help)
    };
    found.into_problems(name, text).unwrap_or_else(unexplained)
}
