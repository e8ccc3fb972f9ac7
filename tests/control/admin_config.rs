//! What the admin API tells of configs before they are taken, and of declared maintenances that
//! stand otherwise than their files say.

use serde_json::{Value, json};

use super::cli::run;
use super::node::{Node, config_text};
use crate::support::origin::Origin;

const CHECK: &str = "POST /api/v1/config/check";

fn toml(node: &Node, text: &str) -> (u16, Value) {
    let fields = node.bearer().replace("application/json", "application/toml; charset=utf-8");
    let answer = node.ask(CHECK, &fields, text);
    (answer.status(), serde_json::from_slice(&answer.body).expect("JSON"))
}

#[test]
fn a_posted_text_is_checked_in_place_of_the_file_and_not_taken() {
    let node = Node::start();
    let text = std::fs::read_to_string(node.config()).expect("the file");
    let (status, told) = toml(&node, &text.replace("title = \"Quotes\"", "title = \"Q\""));
    assert_eq!((status, &told["result"]), (200, &json!("ok")), "{told}");
    let (_, now) = node.operator("GET /api/v1/status", "");
    assert_ne!(told["fingerprint"], now["config"]["fingerprint"], "it is another one");
    assert_eq!(told["generation"], Value::Null, "nothing is in force");

    let broken = text.replace("upstream = \"app\"", "upstream = \"ap\"");
    let (status, told) = toml(&node, &broken);
    assert_eq!((status, &told["code"]), (422, &json!("bad_config")), "{told}");
    let problems = told["problems"].as_array().expect("problems");
    assert_eq!(problems.len(), 2, "{told}");
    let line = broken.lines().position(|line| line.contains("\"ap\"")).expect("a line") + 1;
    assert_eq!((&problems[0]["line"], &problems[0]["column"]), (&json!(line), &json!(12)));
    let (status, told) = toml(&node, "not toml at all");
    assert_eq!((status, &told["problems"][0]["line"]), (422, &json!(1)), "{told}");

    // Without a body it is the file, as before; what is no kind of these is refused.
    assert_eq!(node.operator(CHECK, "").0, 200);
    let fields = node.bearer().replace("application/json", "text/plain");
    assert_eq!(node.ask(CHECK, &fields, &text).status(), 415);
    // A window whose route the text does not have would come open.
    let on = r#"{"regions":["eu"],"routes":["quotes"],"reason":"x"}"#;
    assert_eq!(node.operator("POST /api/v1/switches", on).0, 201);
    let (status, told) = toml(&node, &text.replace("name = \"quotes\"", "name = \"others\""));
    assert!(status == 422 && told["detail"].to_string().contains("quotes"), "{told}");
}

#[test]
fn a_text_that_could_read_files_is_an_admins() {
    let hash = intermission::digest::hex(&intermission::digest::sha256(b"im_ada"));
    let token =
        format!("[[admin.token]]\nname = \"a\"\nsha256 = \"{hash}\"\nrole = \"operator\"\n");
    let node = Node::configured(Origin::replying("hello"), |text, _| text + &token);
    let fields = "Authorization: Bearer im_ada\r\nContent-Type: application/toml\r\n";
    let answer = node.ask(CHECK, fields, &config_text(&node.origin));
    assert_eq!(answer.status(), 403, "{}", answer.text());
    // The control: the file may be checked by an operator.
    assert_eq!(node.ask(CHECK, "Authorization: Bearer im_ada\r\n", "").status(), 200);
}

const DECLARED: &str = r#"
title = "Nightly"
[[phase]]
regions = ["eu"]
routes = ["claims"]
starts = "2030-03-03T16:00:00Z"
ends = "2030-03-03T18:00:00Z"
"#;

/// A node with a directory of maintenances, in which one is declared.
fn declaring() -> Node {
    Node::configured(Origin::replying("hello"), |text, folder| {
        std::fs::create_dir(folder.join("plans")).expect("made");
        std::fs::write(folder.join("plans/nightly.toml"), DECLARED).expect("written");
        text + "[maintenances]\ndirectory = \"plans\"\n"
    })
}

#[test]
fn what_operators_changed_of_a_declared_one_is_told_everywhere() {
    let node = declaring();
    let shown = || node.operator("GET /api/v1/maintenances", "").1["items"][0].clone();
    assert_eq!(shown()["drift"], json!([]));
    assert_eq!(run(&node, &["maintenance", "diff"]).1, "everything stands as its file says\n");
    let window = shown()["windows"][0]["id"].as_str().expect("an id").to_owned();
    let later = r#"{"until":"2030-03-03T19:30:00Z"}"#;
    assert_eq!(node.operator(&format!("POST /api/v1/windows/{window}/extend"), later).0, 200);
    let drift = &shown()["drift"][0];
    assert_eq!(drift["field"], "phases[0].ends");
    assert_eq!(drift["declared"], "2030-03-03T18:00:00Z");
    assert_eq!(drift["live"], "2030-03-03T19:30:00Z");
    assert_eq!(node.operator("GET /api/v1/status", "").1["drift"], 1);
    let (code, told) = run(&node, &["maintenance", "diff"]);
    let line = "phases[0].ends: 2030-03-03T18:00:00Z declared, 2030-03-03T19:30:00Z in force";
    assert!(code == 0 && told.contains("nightly.toml") && told.contains(line), "{told}");
    let (_, told) = run(&node, &["maintenance", "diff", "--json"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["items"][0]["drift"][0]["live"], "2030-03-03T19:30:00Z");
    let (_, told) = run(&node, &["status"]);
    assert!(told.contains("otherwise than declared: 1"), "{told}");
    let (_, told) = run(&node, &["maintenance", "show", "Nightly"]);
    assert!(told.contains("in nightly.toml") && told.contains(line), "{told}");
    crate::support::eventually("the metric", || {
        let metrics = node.ask("GET /metrics", "", "").text();
        metrics.contains("\nintermission_maintenance_drift 1\n").then_some(())
    });
    what_other_directories_would_do(&node);
    // The file itself changes: it is what counts again.
    let file = node.folder.path().join("plans/nightly.toml");
    std::fs::write(&file, DECLARED.replace("T18:00", "T20:00")).expect("written");
    assert_eq!(node.operator("POST /api/v1/config/reload", "").0, 200);
    assert_eq!(shown()["drift"], json!([]));
    assert_eq!(node.operator(CHECK, "").1["declared"][0]["act"], "nothing");
}

/// A text may name another directory: what that would do to what is planned is told.
fn what_other_directories_would_do(node: &Node) {
    let text = std::fs::read_to_string(node.config()).expect("the file");
    let declared = |name: &str, file: Option<&str>| {
        let folder = node.folder.path().join(name);
        std::fs::create_dir(&folder).expect("made");
        if let Some(file) = file {
            std::fs::write(folder.join("nightly.toml"), file).expect("written");
        }
        let text = text.replace("\"plans\"", &format!("\"{name}\""));
        let (status, told) = toml(node, &text);
        assert_eq!(status, 200, "{told}");
        told["declared"].clone()
    };
    let same = declared("same", Some(DECLARED));
    assert_eq!((&same[0]["file"], &same[0]["act"]), (&json!("nightly.toml"), &json!("nothing")));
    let later = declared("later", Some(&DECLARED.replace("T18:00", "T20:00")));
    assert_eq!(later[0]["act"], "revise", "{later}");
    let end = later[0]["phases"][0]["ends"].as_str().expect("an end");
    assert!(end.starts_with("2030-03-03T20:00:00"), "{later}");
    let gone = declared("gone", None);
    assert_eq!((&gone[0]["file"], &gone[0]["act"]), (&json!("nightly.toml"), &json!("cancel")));
    let (_, all) = node.operator("GET /api/v1/maintenances", "");
    assert_eq!(all["items"][0]["progress"], "planned", "nothing was done");
}

#[test]
fn check_tells_what_the_directory_plans() {
    let node = declaring();
    let config = node.config();
    let config = config.to_str().expect("text");
    let (code, told) = run(&node, &["check", config]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("  nightly.toml: Nightly: 2030-03-03"), "{told}");
    let (_, told) = run(&node, &["check", config, "--json"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["maintenances"][0]["title"], "Nightly");
    let starts = told["maintenances"][0]["next"]["phases"][0]["starts"].as_str();
    assert!(starts.expect("an instant").starts_with("2030-03-03T16:00:00"), "{told}");
    let past = DECLARED.replace("2030-", "2020-");
    std::fs::write(node.folder.path().join("plans/nightly.toml"), past).expect("written");
    let (_, told) = run(&node, &["check", config]);
    assert!(told.contains("nightly.toml: Nightly: nothing is to come"), "{told}");
}

#[test]
fn people_are_asked_above_the_share_that_the_config_says() {
    let node = Node::configured(Origin::replying("hello"), |text, _| {
        text.replacen("[[admin.token]]", "confirm_share = 70\n[[admin.token]]", 1)
    });
    for _ in 0..30 {
        assert_eq!(node.visit("eu.localhost", "/claims/1"), 200);
    }
    for _ in 0..20 {
        assert_eq!(node.visit("eu.localhost", "/quotes/1"), 200);
    }
    let rehearse = |scope: &str| {
        let body = format!("{{{scope},\"reason\":\"x\"}}");
        let (status, told) = node.operator("POST /api/v1/switches?dry_run=true", &body);
        assert_eq!(status, 200, "{told}");
        told["last_hour"].clone()
    };
    let hit = rehearse("\"routes\":[\"claims\"]");
    assert_eq!((&hit["requests"], &hit["confirm"]), (&json!(30), &json!(false)), "{hit}");
    let hit = rehearse("\"regions\":\"all\"");
    assert_eq!((&hit["requests"], &hit["confirm"]), (&json!(50), &json!(true)), "{hit}");
    // Nobody can be asked without a terminal.
    let all = ["on", "--all", "--reason", "x"];
    let (code, told) = run(&node, &all);
    assert!(
        code == 64 && told.contains("100 % of the last hour's traffic (50 requests)"),
        "{told}"
    );
    assert_eq!(node.visit("eu.localhost", "/claims/1"), 200, "nothing was done");
    let (code, told) = run(&node, &["on", "--route", "claims", "--reason", "x"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(run(&node, &[&all[..], &["--yes"]].concat()).0, 0);
}

#[test]
fn an_emergency_is_planned_alone_by_an_admin() {
    let guarded = "[[approval]]\nroutes = [\"quotes\"]\n";
    let node = Node::configured(Origin::replying("hello"), |text, _| text + guarded);
    let plan = |kind: &str| {
        let phase = json!({ "routes": ["quotes"], "starts": "2030-03-03T16:00Z", "lasts": "1h" });
        let body = json!({ "title": "x", "kind": kind, "phases": [phase] });
        node.operator("POST /api/v1/maintenances", &body.to_string()).0
    };
    assert_eq!((plan("planned"), plan("emergency")), (202, 201));
}
