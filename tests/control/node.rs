//! A whole node inside the test, on ports of its own, and an operator who speaks to it.

use std::path::{Path, PathBuf};

use intermission::clock::Clock;
use intermission::config;
use intermission::digest;
use intermission::serve::{self, Options, Running, Signals};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::http1::Message;
use crate::support::origin::Origin;
use crate::support::raw;

/// The token that every test node knows.
pub(super) const TOKEN: &str = "im_of-the-tests";

pub(super) struct Node {
    running: Option<Running>,
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
        let origin = Origin::replying("hello");
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(config_path(folder.path()), config_text(&origin)).expect("a file");
        let mut node = Self { running: None, origin, folder };
        node.begin();
        node
    }

    fn begin(&mut self) {
        let file = self.config();
        let loaded = config::load(&file).expect("a config without problems");
        let options =
            Options { loaded, file: Some(file), clock: Clock::System, signals: Signals::Ignored };
        self.running = Some(serve::start(options).expect("a node that starts"));
    }

    /// Ends the process's part of the node and starts it anew over the same store.
    pub(super) fn restart(&mut self) {
        self.running.take().expect("a running node").stop();
        self.begin();
    }

    pub(super) fn config(&self) -> PathBuf {
        config_path(self.folder.path())
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("a running node")
    }

    pub(super) fn admin(&self) -> std::net::SocketAddr {
        self.running().admin_address()
    }

    /// What a visitor of this host gets.
    pub(super) fn visit(&self, host: &str, path: &str) -> u16 {
        let to = self.running().proxy_addresses()[0];
        raw::exchange(to, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).status()
    }

    /// A request to the admin API with exactly these header lines besides Host and length.
    pub(super) fn ask(&self, line: &str, fields: &str, body: &str) -> Message {
        let (host, length) = (self.admin(), body.len());
        let head = format!("{line} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n");
        raw::exchange(self.admin(), format!("{head}{fields}\r\n{body}"))
    }

    /// What the operator with the token gets for a JSON body (or none).
    pub(super) fn operator(&self, line: &str, body: &str) -> (u16, Value) {
        let fields = format!("Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n");
        let answer = self.ask(line, &fields, body);
        (answer.status(), serde_json::from_slice(&answer.body).expect("JSON"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }
}

fn config_path(folder: &Path) -> PathBuf {
    folder.join("intermission.toml")
}
