//! Maintenances by the binary: planned from files, led through their phases, told of.

use std::path::PathBuf;

use serde_json::Value;

use super::cli::run;
use super::node::Node;

/// Two phases: one that can be begun at any time, one in years.
const PLAN: &str = r#"
title = "Database upgrade"
owner = "platform"
[texts]
reason = "a faster database"
[[phase]]
name = "development"
regions = ["eu"]
routes = ["claims"]
starts = "2030-03-03T16:00:00Z"
lasts = "4h"
[[phase]]
name = "production"
regions = ["apac"]
mode = "read_only"
starts = "2030-03-04T16:00:00Z"
ends = "2030-03-04T20:00:00Z"
"#;

fn file(node: &Node, name: &str, text: &str) -> PathBuf {
    let path = node.folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    path
}

/// A command that must succeed; what it says.
fn said(node: &Node, arguments: &[&str]) -> String {
    let (code, said) = run(node, arguments);
    assert_eq!(code, 0, "{arguments:?}: {said}");
    said
}

/// The same as JSON.
fn json(node: &Node, arguments: &[&str]) -> Value {
    let said = said(node, &[arguments, &["--json"]].concat());
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"))
}

#[test]
fn a_plan_is_rehearsed_planned_listed_shown_and_replaced() {
    let node = Node::start();
    let path = file(&node, "plan.toml", PLAN);
    let path = path.to_str().expect("text");
    let told = said(&node, &["maintenance", "diff", "--file", path]);
    assert!(told.contains("phase 1, development") && told.contains("claims in eu"), "{told}");
    let told = said(&node, &["maintenance", "plan", "--file", path, "--dry-run"]);
    assert!(told.contains("phase 2, production"), "{told}");
    assert_eq!(json(&node, &["maintenance", "diff", "--file", path])["dry_run"], true);
    assert_eq!(said(&node, &["maintenance", "list"]), "nothing is planned\n");

    let told = said(&node, &["maintenance", "plan", "--file", path]);
    assert!(told.starts_with("planned: Database upgrade\n"), "{told}");
    let all = json(&node, &["maintenance", "list"]);
    let id = all["items"][0]["id"].as_str().expect("an id").to_owned();
    assert!(told.ends_with(&format!("maintenance {id}\n")), "{told}");
    for which in [&id, &id[..20], "Database upgrade"] {
        let shown = json(&node, &["maintenance", "show", which]);
        assert_eq!(shown["windows"][1]["mode"], "read_only");
    }
    let told = said(&node, &["maintenance", "list"]);
    for part in ["Database upgrade", &id, "0 of 2 over", "begins 2030-03-03 16:00", "platform"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let told = said(&node, &["maintenance", "show", &id]);
    for part in ["Database upgrade (planned)", "planned, major", "by ops", "phase 2, production"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let told = said(&node, &["window", "list"]);
    assert!(told.contains("all routes in apac") && told.contains("planned"), "{told}");
    assert_eq!(json(&node, &["window", "list"])["items"].as_array().map(Vec::len), Some(2));

    let other = file(&node, "other.toml", &PLAN.replace("lasts = \"4h\"", "lasts = \"6h\""));
    let other = other.to_str().expect("text");
    let told = said(&node, &["maintenance", "diff", "--file", other]);
    assert!(
        told.starts_with("now:\n") && told.contains("20:00") && told.contains("22:00"),
        "{told}"
    );
    said(&node, &["maintenance", "plan", "--file", other, "--replace", &id]);
    let shown = json(&node, &["maintenance", "show", &id]);
    let end = shown["windows"][0]["promised_end"].as_str().expect("an instant");
    assert!(end.starts_with("2030-03-03T22:00:00"), "{end}");
}

#[test]
fn what_is_wrong_with_a_plan_is_told_by_field() {
    let node = Node::start();
    let wrong = PLAN.replace("lasts = \"4h\"", "ends = \"2030-03-02T16:00:00Z\"");
    let wrong = file(&node, "wrong.toml", &wrong.replace("claims", "claim"));
    let (code, told) =
        run(&node, &["maintenance", "plan", "--file", wrong.to_str().expect("text")]);
    assert_eq!(code, 64, "{told}");
    assert!(told.contains("phases[0].ends") && told.contains("claim"), "{told}");
    let broken = file(&node, "broken.yaml", "title: [\n");
    let (code, told) =
        run(&node, &["maintenance", "plan", "--file", broken.to_str().expect("text")]);
    assert!(code == 64 && told.contains("broken.yaml"), "{told}");
    let (code, told) = run(&node, &["maintenance", "plan"]);
    assert!(code == 64 && told.contains("--file"), "nobody can be asked: {told}");
    let (code, told) = run(&node, &["maintenance", "show", "Nothing"]);
    assert!(code == 64 && told.contains("no maintenance is called"), "{told}");
    let preview = ["maintenance", "preview", wrong.to_str().expect("text")];
    assert_eq!(run(&node, &preview).0, 64);
    let good = file(&node, "good.toml", PLAN);
    let told = said(&node, &["maintenance", "preview", good.to_str().expect("text")]);
    assert!(told.contains("development"), "{told}");
}

#[test]
fn phases_are_begun_extended_ended_and_cancelled() {
    let node = Node::start();
    let path = file(&node, "plan.toml", PLAN);
    said(&node, &["maintenance", "plan", "--file", path.to_str().expect("text")]);
    let of = "Database upgrade";
    let (code, told) = run(&node, &["maintenance", "end", of]);
    assert!(code == 1 && told.contains("no phase of \"Database upgrade\" is in force"), "{told}");
    let told = said(&node, &["maintenance", "start", of, "--reason", "early", "--wait-drained"]);
    assert!(told.contains("closed: claims in eu") && told.contains("drained"), "{told}");
    assert_eq!(node.visit("eu.localhost", "/claims/1"), 503);
    let told = said(&node, &["maintenance", "extend", of, "--back-in", "30m"]);
    assert!(told.contains("claims in eu is back:"), "{told}");
    let told = said(&node, &["maintenance", "update", of, "half of it is done"]);
    assert_eq!(told, "told: half of it is done\n");
    let ended = json(&node, &["maintenance", "end", of, "--skip-checks", "--wait"]);
    assert_eq!(ended["window"]["state"], "ended");
    assert_eq!(node.visit("eu.localhost", "/claims/1"), 200);
    let cancelled = said(&node, &["maintenance", "cancel", of, "--reason", "another day"]);
    assert!(cancelled.starts_with("cancelled"), "{cancelled}");
    let link = ["--text", "It went well.", "--link", "https://example.com/42"];
    said(&node, &[&["maintenance", "aftermath", of][..], &link].concat());
    let shown = said(&node, &["maintenance", "show", of]);
    for part in ["completed", "half of it is done", "afterwards: It went well.", "cancelled"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let told = said(&node, &["maintenance", "list", "--state", "over"]);
    assert!(told.contains("2 of 2 over"), "{told}");
    let history = said(&node, &["history"]);
    assert!(history.contains("early") && history.contains("another day"), "{history}");
}

#[test]
fn one_window_is_begun_extended_ended_and_cancelled() {
    let node = Node::start();
    let path = file(&node, "plan.toml", PLAN);
    said(&node, &["maintenance", "plan", "--file", path.to_str().expect("text")]);
    let shown = json(&node, &["maintenance", "show", "Database upgrade"]);
    let id = |at: usize| shown["windows"][at]["id"].as_str().expect("an id").to_owned();
    let started = json(&node, &["window", "start", &id(0), "--wait-drained"]);
    assert_eq!(started["window"]["state"], "closed");
    let extended = json(&node, &["window", "extend", &id(0), "--unknown"]);
    assert_eq!(extended["window"]["promised_end"], Value::Null);
    let told = said(&node, &["window", "end", &id(0), "--reason", "done"]);
    assert!(told.starts_with("reopened: claims in eu"), "{told}");
    let told = said(&node, &["window", "cancel", &id(1)]);
    assert_eq!(told, "cancelled: all routes in apac\n");
    let (code, told) = run(&node, &["window", "start", &id(1)]);
    assert!(code == 1 && told.contains("cancelled"), "{told}");
    assert_eq!(said(&node, &["window", "list"]), "no windows\n");
}
