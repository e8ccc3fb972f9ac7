//! The stage of the demo: the application, the proxy in front, a folder that goes away afterwards.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::app::{App, Ledger};
use super::visitor::{Request, exchange};
use crate::clock::Clock;
use crate::digest;
use crate::serve;

/// The config that the demo runs, but for addresses, folders and the token.
const CONFIG: &str = include_str!("../../../config/demo.toml");
/// How long the proxy may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How often a condition is looked at while it is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The name of the operator's token, as the history shows it.
pub(super) const OPERATOR: &str = "demo";

/// Everything that runs.
pub(super) struct Stage {
    pub(super) ledger: Arc<Ledger>,
    pub(super) proxy: SocketAddr,
    pub(super) admin: SocketAddr,
    /// The operator's secret. It opens only this demo's admin API.
    pub(super) token: String,
    app: Option<App>,
    node: Option<Child>,
    // Last, so that the folder outlives what writes into it.
    folder: TempDir,
}

/// Which ports are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ports {
    /// 8080 and 7070 if they are free: easy to type.
    Friendly,
    /// Whatever is free.
    Free,
}

/// Why the stage does not stand.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    #[error("the demo's application cannot start: {0}")]
    App(#[source] io::Error),
    #[error("no log: {0}")]
    Log(String),
    #[error("the demo's folder cannot be written: {0}")]
    Folder(#[source] io::Error),
    #[error("no free port on 127.0.0.1: {0}")]
    Port(#[source] io::Error),
    #[error("config/demo.toml is not what the demo expects: {0}")]
    Config(String),
    #[error("the proxy cannot be started: {0}")]
    Spawn(#[source] io::Error),
    #[error("the proxy cannot be started: {0}")]
    Serve(#[from] serve::ServeError),
    #[error("the proxy is not ready after {} s; its log ends with:\n{log}", READY_WITHIN.as_secs())]
    NotReady { log: String },
    #[error("the proxy stopped by itself ({status}); its log ends with:\n{log}")]
    Stopped { status: std::process::ExitStatus, log: String },
}

impl Stage {
    /// Starts the application, and writes the config for a proxy in front of it.
    pub(super) fn build(ports: Ports) -> Result<Self, StageError> {
        let folder = tempfile::Builder::new().prefix("intermission-demo-").tempdir();
        let folder = folder.map_err(StageError::Folder)?;
        let ledger = Arc::new(Ledger::default());
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let app = App::start(Arc::clone(&ledger), anywhere, Clock::System);
        let app = app.map_err(StageError::App)?;
        let (proxy, admin) = (free_port(ports, 8080)?, free_port(ports, 7070)?);
        let token = digest::base64url(&digest::random::<24>());
        let app = Some(app);
        let stage = Self { ledger, proxy, admin, token, app, node: None, folder };
        let config = stage.config()?;
        std::fs::write(stage.config_path(), config).map_err(StageError::Folder)?;
        Ok(stage)
    }

    /// Starts the proxy as a process of its own on the stage's config and store, and waits until it
    /// is ready.
    pub(super) fn start_proxy(&mut self) -> Result<(), StageError> {
        let log = File::options().create(true).append(true).open(self.log_path());
        let log = log.map_err(StageError::Folder)?;
        let own = std::env::current_exe().map_err(StageError::Spawn)?;
        let node = Command::new(own)
            .arg("serve")
            .arg("--config")
            .arg(self.config_path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.node = Some(node.map_err(StageError::Spawn)?);
        self.wait_until_ready()
    }

    /// Ends the proxy the hard way (SIGKILL): what it did not write down is lost.
    pub(super) fn kill_proxy(&mut self) -> Result<(), StageError> {
        let Some(mut node) = self.node.take() else { return Ok(()) };
        node.kill().and_then(|()| node.wait()).map_err(StageError::Spawn)?;
        Ok(())
    }

    /// Stops the application and starts it again over the same ledger: sessions stay, tokens in
    /// pages that were loaded before go stale.
    pub(super) fn restart_app(&mut self) -> Result<(), StageError> {
        let Some(app) = self.app.take() else { return Ok(()) };
        let address = app.address();
        drop(app);
        let app = App::start(Arc::clone(&self.ledger), address, Clock::System);
        self.app = Some(app.map_err(StageError::App)?);
        Ok(())
    }

    /// Where the store is.
    pub(super) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Where the access lines go.
    pub(super) fn access_log(&self) -> PathBuf {
        self.folder.path().join("access.log")
    }

    /// The temporary folder.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The config that the proxy runs.
    pub(super) fn config_path(&self) -> PathBuf {
        self.folder.path().join("demo.toml")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("proxy.log")
    }

    fn wait_until_ready(&mut self) -> Result<(), StageError> {
        let ready = Request::get("/ready").field("host", &self.admin.to_string());
        let clock = Clock::System;
        let deadline = clock.tick().plus(READY_WITHIN);
        while clock.tick() < deadline {
            let answer = exchange(self.admin, &ready, Duration::from_secs(2));
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            self.still_running()?;
            std::thread::sleep(LOOK_EVERY);
        }
        Err(StageError::NotReady { log: self.log_end() })
    }

    fn still_running(&mut self) -> Result<(), StageError> {
        let ended = self.node.as_mut().and_then(|node| node.try_wait().ok().flatten());
        match ended {
            Some(status) => Err(StageError::Stopped { status, log: self.log_end() }),
            None => Ok(()),
        }
    }

    /// The last lines that the proxy wrote.
    pub(super) fn log_end(&self) -> String {
        let log = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn config(&self) -> Result<String, StageError> {
        let wrong = |what: &str| StageError::Config(what.to_owned());
        let mut config: toml::Table =
            CONFIG.parse().map_err(|error: toml::de::Error| wrong(error.message()))?;
        let app = self.app.as_ref().map_or(self.proxy, App::address);
        let text = |value: &dyn ToString| toml::Value::String(value.to_string());
        let list = |value: &dyn ToString| toml::Value::Array(vec![text(value)]);
        table(&mut config, "listen")?.insert("http".into(), list(&self.proxy));
        let admin = table(&mut config, "admin")?;
        admin.insert("listen".into(), text(&self.admin));
        let mut token = toml::Table::new();
        token.insert("name".into(), text(&OPERATOR));
        token.insert("sha256".into(), text(&digest::hex(&digest::sha256(self.token.as_bytes()))));
        admin.insert("token".into(), toml::Value::Array(vec![toml::Value::Table(token)]));
        table(&mut config, "store")?.insert("directory".into(), text(&self.store().display()));
        table(&mut config, "log")?.insert("access".into(), text(&self.access_log().display()));
        let upstreams = config.get_mut("upstream").and_then(toml::Value::as_array_mut);
        for upstream in upstreams.ok_or_else(|| wrong("no [[upstream]]"))? {
            let upstream = upstream.as_table_mut().ok_or_else(|| wrong("[[upstream]]"))?;
            upstream.insert("servers".into(), list(&app));
        }
        toml::to_string(&config).map_err(|error| wrong(&error.to_string()))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.kill_proxy();
    }
}

fn table<'a>(config: &'a mut toml::Table, name: &str) -> Result<&'a mut toml::Table, StageError> {
    let entry = config.entry(name).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    entry.as_table_mut().ok_or_else(|| StageError::Config(format!("{name} is not a table")))
}

/// The friendly port if it is wanted and free, else one that the system picks.
fn free_port(ports: Ports, friendly: u16) -> Result<SocketAddr, StageError> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = match ports {
        Ports::Friendly => bind(friendly).or_else(|_| bind(0)),
        Ports::Free => bind(0),
    };
    listener.and_then(|listener| listener.local_addr()).map_err(StageError::Port)
}
