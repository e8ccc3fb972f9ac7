//! Reading the config again: all of it or nothing, whoever asks.

use serde_json::json;

use super::node::{Node, config_text};
use crate::support::eventually;

const RELOAD: &str = "POST /api/v1/config/reload";

#[test]
fn a_good_file_is_in_force_when_the_reload_is_answered() {
    let node = Node::start();
    let (_, before) = node.operator("GET /api/v1/status", "");
    assert_eq!(node.visit("eu.localhost", "/news/1"), 404);
    let more = "[[route]]\nname = \"news\"\npaths = [\"/news/*\"]\nupstream = \"app\"\n";
    std::fs::write(node.config(), config_text(&node.origin) + more).expect("written");
    let (status, outcome) = node.operator(RELOAD, "");
    assert_eq!((status, outcome["result"].as_str()), (200, Some("ok")), "{outcome}");
    assert_eq!(node.visit("eu.localhost", "/news/1"), 200);
    let (_, after) = node.operator("GET /api/v1/status", "");
    assert_ne!(before["config"]["fingerprint"], after["config"]["fingerprint"]);
    assert_eq!(after["config"]["last_reload"]["fingerprint"], after["config"]["fingerprint"]);
}

#[test]
fn a_bad_file_changes_nothing_and_says_where_it_is_bad() {
    let node = Node::start();
    let (_, before) = node.operator("GET /api/v1/status", "");
    let bad = config_text(&node.origin).replace("upstream = \"app\"", "upstream = \"ap\"");
    std::fs::write(node.config(), bad).expect("written");
    for line in ["POST /api/v1/config/check", RELOAD] {
        let (status, problem) = node.operator(line, "");
        assert_eq!((status, problem["code"].as_str()), (422, Some("bad_config")), "{line}");
        let problems = problem["problems"].as_array().expect("a list");
        assert_eq!(problems.len(), 2, "both routes name it");
        assert!(problems.iter().all(|one| one["line"].as_u64() > Some(0)));
    }
    assert_eq!(node.visit("eu.localhost", "/claims/1"), 200, "the old config serves on");
    let (_, after) = node.operator("GET /api/v1/status", "");
    assert_eq!(before["config"]["fingerprint"], after["config"]["fingerprint"]);
    assert_eq!(after["config"]["last_reload"]["result"], "failed");
    let metrics = || node.ask("GET /metrics", "", "").text();
    eventually("the failure is counted", || {
        metrics().contains("result=\"failed\"} ").then_some(())
    });
}

#[test]
fn windows_outlive_reloads_and_hold_their_routes() {
    let node = Node::start();
    let on = r#"{"regions":["apac"],"routes":["claims"],"reason":"x"}"#;
    assert_eq!(node.operator("POST /api/v1/switches", on).0, 201);
    let text = config_text(&node.origin);
    std::fs::write(node.config(), text.replace("\"claims\"", "\"claims-2\"")).expect("written");
    let (status, problem) = node.operator(RELOAD, "");
    assert_eq!(status, 422);
    let detail = problem["detail"].as_str().expect("a sentence");
    assert!(detail.contains("`claims` is closed by window"), "{detail}");
    assert_eq!(node.visit("apac.localhost", "/claims/1"), 503);
    std::fs::write(node.config(), text.replace("title = \"Claims\"", "title = \"Your claims\""))
        .expect("written");
    assert_eq!(node.operator(RELOAD, "").0, 200);
    assert_eq!(node.visit("apac.localhost", "/claims/1"), 503, "closed in the new config too");
    assert_eq!(node.visit("eu.localhost", "/claims/1"), 200);
}

#[test]
fn no_reload_leads_a_closed_path_to_an_open_route() {
    let node = Node::start();
    let on = r#"{"regions":["apac"],"routes":["claims"],"reason":"x"}"#;
    assert_eq!(node.operator("POST /api/v1/switches", on).0, 201);
    let text = config_text(&node.origin);
    let route = |name: &str, host: &str, path: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\nhosts = [\"{host}\"]\npaths = [\"{path}\"]\n\
             upstream = \"app\"\n"
        )
    };
    let moved = text.replace("\"/claims/*\"", "\"/other/*\"");
    let opens = [
        ("moved", moved.clone() + &route("new", "*", "/claims/*")),
        ("left to everything", moved + &route("rest", "*", "/*")),
        ("carved out", text.clone() + &route("new", "*", "/claims/{id}/edit")),
        ("carved out for a host", text.clone() + &route("new", "apac.localhost", "/claims/*")),
    ];
    for (how, config) in opens {
        std::fs::write(node.config(), config).expect("written");
        for line in ["POST /api/v1/config/check", RELOAD] {
            let (status, problem) = node.operator(line, "");
            assert_eq!(status, 422, "{how}, {line}: {problem}");
            let detail = problem["detail"].as_str().expect("a sentence");
            assert!(detail.contains("from the route `claims`, which is closed"), "{how}: {detail}");
        }
        assert_eq!(node.visit("apac.localhost", "/claims/7/edit"), 503, "{how}");
    }
    let harmless = text + &route("new", "*", "/news/*");
    std::fs::write(node.config(), harmless).expect("written");
    assert_eq!(node.operator(RELOAD, "").0, 200);
    assert_eq!(node.visit("apac.localhost", "/claims/7/edit"), 503);
    assert_eq!(node.visit("apac.localhost", "/news/7"), 200);
}

#[test]
fn a_change_of_the_file_is_noticed() {
    let node = Node::start();
    let renamed = config_text(&node.origin).replace("\"Quotes\"", "\"Your quotes\"");
    std::fs::write(node.config(), renamed).expect("written");
    let reload = eventually("the file was read again", || {
        let (_, status) = node.operator("GET /api/v1/status", "");
        let reload = status["config"]["last_reload"].clone();
        (!reload.is_null()).then_some(reload)
    });
    assert_eq!((&reload["result"], &reload["trigger"]), (&json!("ok"), &json!("file")));
}

#[test]
fn what_needs_a_restart_is_said() {
    let node = Node::start();
    let text = config_text(&node.origin).replace("workers = 1", "workers = 2");
    std::fs::write(node.config(), text).expect("written");
    let (status, outcome) = node.operator(RELOAD, "");
    assert_eq!(status, 200);
    let warning = outcome["warnings"][0].as_str().expect("a sentence");
    assert!(warning.contains("node.workers"), "{warning}");
}
