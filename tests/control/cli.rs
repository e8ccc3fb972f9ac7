//! The real binary: its words and exit codes against a real node.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use intermission::cli::status::{Paint, StatusShown, render};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::node::{Node, TOKEN, config_text};
use crate::support::origin::{Act, Origin};
use crate::support::{eventually, raw};

pub(super) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_intermission"));
    for name in ["SERVER", "PROFILE", "TOKEN", "TOKEN_FILE", "CA"] {
        command.env_remove(format!("INTERMISSION_{name}"));
    }
    // No file of servers of whoever runs the tests.
    command.env("XDG_CONFIG_HOME", "/nonexistent").env("TZ", "UTC").env_remove("COLUMNS");
    command.stdin(Stdio::null());
    command
}

/// What a command said, and its exit code.
pub(super) fn run(node: &Node, arguments: &[&str]) -> (i32, String) {
    let output = binary()
        .args(arguments)
        .env("INTERMISSION_SERVER", format!("http://{}", node.admin()))
        .env("INTERMISSION_TOKEN", TOKEN)
        .output();
    told(&output.expect("the binary runs"))
}

pub(super) fn told(output: &Output) -> (i32, String) {
    let code = output.status.code().expect("it ended by itself");
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (code, String::from_utf8(text).expect("text"))
}

#[test]
fn an_operator_closes_extends_looks_and_reopens() {
    let node = Node::start();
    let on = ["on", "--region", "apac", "--route", "claims", "--reason", "database upgrade"];
    let (code, said) = run(&node, &[&on[..], &["--back-in", "15m", "--wait-drained"]].concat());
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("closed: claims in apac (page)") && said.contains("drained"), "{said}");
    assert_eq!(node.visit("apac.localhost", "/claims/1"), 503);
    let (_, status) = run(&node, &["status", "--json"]);
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["windows"][0]["texts"]["reason"], "database upgrade");
    let (code, said) = run(&node, &["extend", "--back-in", "2h", "--reason", "slow disks"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("claims in apac is back:"), "{said}");
    let (_, history) = run(&node, &["history"]);
    for part in ["database upgrade", "slow disks", "ops", "draining → closed"] {
        assert!(history.contains(part), "{part} in {history}");
    }
    let off = ["off", "--region", "apac", "--route", "claims"];
    assert_eq!(run(&node, &off).0, 0);
    assert_eq!(node.visit("apac.localhost", "/claims/1"), 200);
    let (code, said) = run(&node, &off);
    assert_eq!(code, 1);
    assert!(said.contains("nothing is closed in regions: apac, routes: claims"), "{said}");
}

#[test]
fn exit_codes_are_the_documented_ones() {
    let node = Node::start();
    let unheard = |variable: &str, value: &str| {
        let output = binary().arg("status").env(variable, value).output();
        told(&output.expect("the binary runs"))
    };
    let (code, said) = unheard("INTERMISSION_SERVER", "http://127.0.0.1:1");
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("INTERMISSION_SERVER"), "{said}");
    let (code, said) = unheard("INTERMISSION_SERVER", "ftp://127.0.0.1:1");
    assert_eq!(code, 64, "{said}");
    let (code, said) = unheard("INTERMISSION_SERVER", &format!("http://{}", node.admin()));
    assert_eq!(code, 77, "{said}");
    assert!(said.contains("INTERMISSION_TOKEN"), "{said}");
    for wrong in [
        &["on", "--reason", "x"][..],
        &["on", "--region", "eu"],
        &["off"],
        &["frobnicate"],
        &["extend", "--window", "x"],
        &["on", "--all", "--reason", "x", "--until", "soon"],
    ] {
        let (code, said) = run(&node, wrong);
        assert_eq!(code, 64, "{wrong:?}: {said}");
    }
    let (code, said) = run(&node, &["on", "--route", "claim", "--reason", "x"]);
    assert_eq!(code, 64);
    assert!(said.contains("did you mean \"claims\""), "{said}");
    let (code, help) = told(&binary().arg("--help").output().expect("the binary runs"));
    assert_eq!(code, 0);
    for documented in ["  64  ", "  69  ", "  75  ", "  77  ", "  79  ", "INTERMISSION_TOKEN"] {
        assert!(help.contains(documented), "{documented} in {help}");
    }
}

#[test]
fn a_new_token_opens_the_door_that_its_hash_is_at() {
    let output = binary().args(["token", "--name", "o\"ps"]).output().expect("the binary runs");
    let (code, said) = told(&output);
    assert_eq!(code, 0);
    let token =
        said.lines().find_map(|line| line.trim().strip_prefix("export INTERMISSION_TOKEN="));
    let config = said.split_once("[[admin.token]]").expect("TOML to paste").1;
    let config: toml::Table = config.parse().expect("TOML");
    let hash = intermission::digest::sha256(token.expect("a token").as_bytes());
    assert_eq!(config["sha256"].as_str(), Some(intermission::digest::hex(&hash).as_str()));
    assert_eq!(config["name"].as_str(), Some("o\"ps"));
    let (code, script) = told(&binary().args(["completions", "bash"]).output().expect("it runs"));
    assert!(code == 0 && script.contains("intermission"));
}

#[test]
fn status_is_a_table_for_people() {
    let window = |state: &str, promised_end: Value| {
        json!({
            "id": "06gztbqhshkpq4cety4t50r98by6pz54", "version": 2, "state": state,
            "scope": {"regions": ["apac"], "routes": "all"}, "mode": "page",
            "texts": {"reason": "database upgrade", "message": "", "contact": "", "alternative": ""},
            "began": "2026-11-21T11:48:00Z", "drain_deadline": "2026-11-21T12:00:12Z",
            "promised_end": promised_end, "ended": null, "by": "ops",
            "in_flight": [{"route": "claims", "region": "apac", "count": 3}], "in_flight_total": 3,
        })
    };
    let status: StatusShown = serde_json::from_value(json!({
        "node": "node-1", "version": "0.1.0", "phase": "serving", "now": "2026-11-21T12:00:00Z",
        "began": "2026-11-21T09:00:00Z", "uptime_secs": 10_800, "generation": 7,
        "config": {"fingerprint": "07d8bbfe915b2d75", "last_reload": null},
        "windows": [
            window("draining", json!("2026-11-21T12:14:59Z")),
            window("overrun", json!("2026-11-21T11:57:00Z")),
            window("closed", Value::Null),
        ],
        "closed_cells": 12, "in_flight": [{"route": "claims", "region": "apac", "count": 3}],
        "connections": 40, "store": {"submissions": {"held": 12, "done": 0}, "bytes": 34_567},
    }))
    .expect("what the API answers");
    let table = render(&status, Some(100), Paint::Plain, &TimeZone::UTC);
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("status_table", table);
    });
    let narrow = render(&status, Some(50), Paint::Plain, &TimeZone::UTC);
    let table = narrow.lines().filter(|line| line.contains('─') || line.contains('═'));
    assert!(table.map(|line| line.chars().count()).all(|width| width <= 50), "{narrow}");
}

/// A `serve` of its own. Killed if the test fails.
struct Serving {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
}

impl Serving {
    fn start(config: &Path) -> Self {
        let child = binary().args(["serve", "--config"]).arg(config).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the binary runs");
        let log = BufReader::new(child.stderr.take().expect("piped"));
        Self { child, log }
    }

    /// The first line of the log with `part` in it; the log ends when the process does.
    fn line_with(&mut self, part: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            let count = self.log.read_line(&mut line).expect("text");
            assert!(count > 0, "the log ended without {part}: {seen}");
            if line.contains(part) {
                return line;
            }
            seen += &line;
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent =
            Command::new("sh").args(["-c", "kill -\"$1\" \"$2\"", "sh", name, &pid]).status();
        assert!(sent.expect("a shell").success());
    }
}

/// The address after `key` in a line of the log.
fn address(line: &str, key: &str) -> SocketAddr {
    let at = line.split_once(key).expect("an address").1;
    at.split_whitespace().next().expect("an address").parse().expect("an address")
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn serve_heeds_its_signals() {
    let origin = Origin::replying("hello");
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("intermission.toml");
    std::fs::write(&config, config_text(&origin)).expect("written");
    let mut serving = Serving::start(&config);
    let line = serving.line_with("serving visitors=");
    let visit = |to| raw::exchange(to, "GET /claims/1 HTTP/1.1\r\nHost: a\r\n\r\n").status();
    assert_eq!(visit(address(&line, "visitors=")), 200);
    serving.signal("HUP");
    assert!(serving.line_with("the config was read again").contains("Signal"));
    std::fs::write(&config, "nonsense").expect("written");
    serving.signal("HUP");
    serving.line_with("the config was not taken");
    assert_eq!(visit(address(&line, "visitors=")), 200);
    serving.signal("TERM");
    serving.line_with("stopped cut=0");
    let code = eventually("the process ended", || serving.child.try_wait().expect("a child"));
    assert_eq!(code.code(), Some(0));
}

#[test]
fn a_node_that_stops_says_so_and_is_not_kept_by_a_slow_request() {
    let origin = Origin::acting(|_| Act::Stall(Vec::new()));
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("intermission.toml");
    std::fs::write(&config, config_text(&origin)).expect("written");
    let mut serving = Serving::start(&config);
    let line = serving.line_with("serving visitors=");
    let admin = address(&line, "admin=");
    let ready = || raw::exchange(admin, format!("GET /ready HTTP/1.1\r\nHost: {admin}\r\n\r\n"));
    assert_eq!(ready().status(), 200);
    let mut visitor = raw::Raw::connect(address(&line, "visitors="));
    visitor.send("GET /claims/1 HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.wait_for(1);
    serving.signal("TERM");
    serving.line_with("requests in flight may finish");
    assert_eq!((ready().status(), ready().text().contains("draining")), (503, true));
    serving.signal("TERM");
    serving.line_with("told to stop a second time");
    let code = eventually("the process ended", || serving.child.try_wait().expect("a child"));
    assert_eq!(code.code(), Some(1));
}

#[test]
fn serve_says_what_is_wrong_before_it_touches_anything() {
    let origin = Origin::replying("hello");
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("intermission.toml");
    std::fs::write(&config, "[nonsense]\n").expect("written");
    let serve = || binary().args(["serve", "--config"]).arg(&config).output().expect("it runs");
    let (code, said) = told(&serve());
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("nonsense") && said.contains("intermission.toml"), "{said}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().expect("an address").to_string();
    let text = config_text(&origin).replacen("127.0.0.1:0", &at, 1);
    std::fs::write(&config, text).expect("written");
    let (code, said) = told(&serve());
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&format!("cannot listen for visitors at {at}")), "{said}");
    assert!(!folder.path().join("store").exists(), "the store was not touched");
}
