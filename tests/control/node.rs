//! A whole node inside the test, on ports of its own, and an operator who speaks to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use intermission::clock::Clock;
use intermission::config;
use intermission::digest;
use intermission::serve::{self, Options, Running, Signals, Takeover};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::http1::Message;
use crate::support::origin::Origin;
use crate::support::raw;

/// The token that every test node knows.
pub(super) const TOKEN: &str = "im_of-the-tests";

pub(super) struct Node {
    running: Mutex<Option<Running>>,
    visitors: SocketAddr,
    admin: SocketAddr,
    pub(super) origin: Origin,
    pub(super) folder: TempDir,
}

/// The config of a test node: routes claims and quotes, regions eu (its own) and apac.
pub(super) fn config_text(origin: &Origin) -> String {
    let hash = digest::hex(&digest::sha256(TOKEN.as_bytes()));
    format!(
        r#"
[node]
name = "node-1"
region = "eu"
workers = 1
[listen]
http = ["127.0.0.1:0"]
[admin]
listen = "127.0.0.1:0"
[[admin.token]]
name = "ops"
sha256 = "{hash}"
[store]
directory = "store"
[log]
access = "off"
[[region]]
name = "eu"
[[region]]
name = "apac"
hosts = ["apac.localhost"]
[[upstream]]
name = "app"
servers = ["{}"]
[[route]]
name = "claims"
title = "Claims"
paths = ["/claims/*"]
upstream = "app"
[[route]]
name = "quotes"
title = "Quotes"
paths = ["/quotes/*"]
upstream = "app"
"#,
        origin.address()
    )
}

impl Node {
    /// A node in front of an origin that says "hello".
    pub(super) fn start() -> Self {
        Self::before(Origin::replying("hello"))
    }

    /// A node in front of this origin.
    pub(super) fn before(origin: Origin) -> Self {
        Self::configured(origin, |text, _| text)
    }

    /// A node whose config is changed before it starts, in its folder.
    pub(super) fn configured(origin: Origin, change: impl FnOnce(String, &Path) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = change(config_text(&origin), folder.path());
        std::fs::write(config_path(folder.path()), text).expect("a file");
        let running = begin(&config_path(folder.path()));
        let (visitors, admin) = (running.proxy_addresses()[0], running.admin_address());
        Self { running: Mutex::new(Some(running)), visitors, admin, origin, folder }
    }

    /// Ends the process's part of the node and starts it anew over the same store.
    pub(super) fn restart(&mut self) {
        self.stop();
        let running = begin(&self.config());
        (self.visitors, self.admin) = (running.proxy_addresses()[0], running.admin_address());
        self.running = Mutex::new(Some(running));
    }

    fn stop(&self) {
        let running = self.running.lock().expect("not poisoned").take();
        running.map(Running::stop);
    }

    pub(super) fn config(&self) -> PathBuf {
        config_path(self.folder.path())
    }

    /// Where operators are served.
    pub(super) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where visitors are served.
    pub(super) fn visitors(&self) -> SocketAddr {
        self.visitors
    }

    /// What a visitor of this host gets.
    pub(super) fn visit(&self, host: &str, path: &str) -> u16 {
        raw::exchange(self.visitors(), format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .status()
    }

    /// A request to the admin API with exactly these header lines besides Host and length.
    pub(super) fn ask(&self, line: &str, fields: &str, body: &str) -> Message {
        let (host, length) = (self.admin(), body.len());
        let head = format!("{line} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n");
        raw::exchange(self.admin(), format!("{head}{fields}\r\n{body}"))
    }

    /// The header lines of an operator who sends JSON.
    pub(super) fn bearer(&self) -> String {
        format!("Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n")
    }

    /// As [`Node::ask`] with this token and a JSON body (or none), and these further fields.
    pub(super) fn with(&self, token: &str, line: &str, fields: &str, body: &str) -> Message {
        let bearer = format!("Authorization: Bearer {token}\r\n");
        let fields = format!("{bearer}Content-Type: application/json\r\n{fields}");
        self.ask(line, &fields, body)
    }

    /// What the operator with the token gets for a JSON body (or none).
    pub(super) fn operator(&self, line: &str, body: &str) -> (u16, Value) {
        let answer = self.ask(line, &self.bearer(), body);
        (answer.status(), serde_json::from_slice(&answer.body).expect("JSON"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}

fn begin(file: &Path) -> Running {
    let loaded = config::load(file).expect("a config without problems");
    let (file, clock, signals) = (Some(file.to_owned()), Clock::System, Signals::Ignored);
    serve::start(Options { loaded, file, clock, signals, takeover: Takeover::No })
        .expect("a node that starts")
}

fn config_path(folder: &Path) -> PathBuf {
    folder.join("intermission.toml")
}
