//! What the binary tells of a node, and who may do what there.

use std::process::Stdio;

use serde_json::Value;

use super::cli::{binary, run, told};
use super::node::{Node, TOKEN};
use crate::support::origin::{Act, Origin, ok};

fn said(node: &Node, arguments: &[&str]) -> String {
    let (code, said) = run(node, arguments);
    assert_eq!(code, 0, "{arguments:?}: {said}");
    said
}

fn json(node: &Node, arguments: &[&str]) -> Value {
    let said = said(node, &[arguments, &["--json"]].concat());
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"))
}

fn close(node: &Node) {
    said(node, &["on", "--region", "apac", "--route", "claims", "--reason", "upgrade"]);
}

#[test]
fn the_matrix_shows_every_place() {
    let node = Node::start();
    close(&node);
    let told = said(&node, &["state"]);
    let head = told.lines().nth(1).expect("a head");
    assert!(head.contains("apac") && head.contains("eu"), "{told}");
    let claims = told.lines().find(|line| line.contains("claims")).expect("a row");
    assert!(
        claims.contains("open") && claims.contains("clos") | claims.contains("drain"),
        "{told}"
    );
    let places = json(&node, &["state"]);
    assert_eq!(places["items"].as_array().map(Vec::len), Some(4));
    assert_eq!(said(&node, &["in-flight"]), "nothing is in flight\n");
    assert_eq!(json(&node, &["in-flight"])["items"], serde_json::json!([]));
    assert_eq!(said(&node, &["submissions"]), "no forms were kept\n");
    assert_eq!(json(&node, &["submissions"])["items"], serde_json::json!([]));
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let node = Node::start();
    let scope = ["--role", "operator", "--region", "apac", "--for", "30d"];
    let made = json(&node, &[&["token", "create", "--name", "night"][..], &scope].concat());
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    let id = made["token"]["id"].as_str().expect("an id").to_owned();
    let told = said(&node, &["token", "list"]);
    for part in ["ops", "in the config", "night", "operator", "all routes in apac", &id] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let by = |arguments: &[&str]| {
        let output = binary()
            .args(arguments)
            .env("INTERMISSION_SERVER", format!("http://{}", node.admin()))
            .env("INTERMISSION_TOKEN", &secret)
            .output();
        super::cli::told(&output.expect("the binary runs"))
    };
    let (code, told) = by(&["on", "--region", "eu", "--route", "claims", "--reason", "x"]);
    assert_eq!(code, 77, "{told}");
    assert_eq!(by(&["on", "--region", "apac", "--route", "claims", "--reason", "x"]).0, 0);
    assert_eq!(said(&node, &["token", "revoke", &id]), format!("revoked: {id}\n"));
    assert_eq!(by(&["status"]).0, 77);
    assert!(said(&node, &["token", "list"]).contains("revoked"), "it is told for ever");
    let told = said(&node, &["token", "create", "--name", "looker"]);
    assert!(told.contains("shown only now") && told.contains("INTERMISSION_TOKEN=im_"), "{told}");
    let audit = said(&node, &["audit"]);
    for part in ["night", "ops", "/api/v1/switches", "done", "127.0.0.1"] {
        assert!(audit.contains(part), "{part} in {audit}");
    }
    let entries = json(&node, &["audit", "--limit", "2"]);
    assert_eq!(entries["items"].as_array().map(Vec::len), Some(2));
    assert!(said(&node, &["audit", "--changes"]).contains("+ {"));
}

#[test]
fn events_are_told_as_they_happen() {
    let node = Node::start();
    for as_json in [false, true] {
        let mut command = binary();
        command
            .args(["events", "--count", "3"])
            .args(as_json.then_some("--json"))
            .env("INTERMISSION_SERVER", format!("http://{}", node.admin()))
            .env("INTERMISSION_TOKEN", TOKEN)
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let out = std::io::BufReader::new(child.stdout.take().expect("piped"));
        let mut lines = std::io::BufRead::lines(out);
        // The first one says that we are heard.
        let hello = lines.next().expect("a line").expect("text");
        close(&node);
        said(&node, &["off", "--all"]);
        let rest: Vec<String> = lines.map(|line| line.expect("text")).collect();
        assert!(child.wait().expect("it ends").success());
        let all = rest.join("\n");
        assert!(all.contains("window") && all.contains("upgrade"), "{hello}\n{all}");
        assert_eq!(serde_json::from_str::<Value>(&rest[0]).is_ok(), as_json, "{all}");
    }
}

#[test]
fn nothing_waits_for_approval_where_nothing_needs_it() {
    let node = Node::start();
    assert_eq!(said(&node, &["approve"]), "nothing waits for approval\n");
    assert_eq!(json(&node, &["approve"])["items"], serde_json::json!([]));
    let (code, told) = run(&node, &["approve", "06gztbqhshkpq4cety4t50r98by6pz54"]);
    assert!(code == 1 && told.contains("nothing waits"), "{told}");
}

#[test]
fn a_list_of_several_pages_is_told_to_its_end() {
    let api = Origin::acting(|request| {
        let (held, next) = match request.target().split_once("after=") {
            None => ("held", r#""claims/held""#),
            Some((_, "claims%2Fheld")) => ("sent", "null"),
            Some((_, other)) => panic!("{other}"),
        };
        let row = format!(r#"{{"route":"claims","state":"{held}","count":1,"bytes":1}}"#);
        Act::Send(ok(format!(r#"{{"items":[{row}],"next":{next}}}"#)))
    });
    let ask = |more: &[&str]| {
        let mut command = binary();
        command.env("INTERMISSION_SERVER", format!("http://{}", api.address()));
        command.env("INTERMISSION_TOKEN", "im_x").arg("submissions").args(more);
        told(&command.output().expect("the binary runs"))
    };
    let (code, people) = ask(&[]);
    assert!(code == 0 && people.contains("held") && people.contains("sent"), "{people}");
    let (code, json) = ask(&["--json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((code, json["items"].as_array().map(Vec::len)), (0, Some(2)), "{json}");
    assert!(json["next"].is_null(), "{json}");
}
