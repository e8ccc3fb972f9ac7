//! Servers by the admin API and the command line: listed, taken out, and put back.

use serde_json::{Value, json};

use super::cli::run;
use super::node::{Node, TOKEN};

fn path(node: &Node) -> String {
    format!("/api/v1/upstreams/app/servers/{}/state", node.origin.address())
}

#[test]
fn a_server_is_taken_out_and_stays_out_over_a_restart() {
    let mut node = Node::start();
    let server = node.origin.address().to_string();
    let (status, list) = node.operator("GET /api/v1/upstreams", "");
    assert_eq!(status, 200);
    let app = &list["upstreams"][0];
    assert_eq!((&app["name"], &app["servers"][0]["name"]), (&json!("app"), &json!(server)));
    let first = &app["servers"][0];
    assert_eq!((&first["state"], &first["version"]), (&json!("ready"), &json!(0)));
    let place = json!({ "address": server, "health": "unchecked" });
    assert_eq!(first["addresses"], json!([place]));

    let maint = r#"{"state":"maint","reason":"new disks"}"#;
    let (status, posted) = node.operator(&format!("POST {}", path(&node)), maint);
    assert_eq!((status, &posted["decision"]["by"]), (200, &json!("ops")), "{posted}");
    node.restart();
    let (_, list) = node.operator("GET /api/v1/upstreams/app", "");
    let first = &list["upstream"]["servers"][0];
    assert_eq!(
        (&first["state"], &first["decision"]["why"]),
        (&json!("maint"), &json!("new disks"))
    );
    let ready = r#"{"state":"ready"}"#;
    assert_eq!(node.operator(&format!("POST {}", path(&node)), ready).0, 200);
    let (_, list) = node.operator("GET /api/v1/upstreams/app", "");
    let states: Vec<_> = list["history"].as_array().expect("a list").iter().collect();
    assert_eq!((states.len(), &states[0]["state"]), (2, &json!("ready")), "newest first");
}

#[test]
fn who_was_slower_reads_so_and_what_cannot_be_is_refused() {
    let node = Node::start();
    let line = format!("POST {}", path(&node));
    let fields = |etag: &str| {
        let kind = "Content-Type: application/json";
        format!("Authorization: Bearer {TOKEN}\r\n{kind}\r\nIf-Match: \"{etag}\"\r\n")
    };
    let drain = r#"{"state":"drain"}"#;
    let first = node.ask(&line, &fields("0"), drain);
    assert_eq!((first.status(), first.field("etag")), (200, Some("\"1\"")));
    let second = node.ask(&line, &fields("0"), drain);
    let said: Value = serde_json::from_slice(&second.body).expect("JSON");
    assert_eq!((second.status(), &said["code"]), (412, &json!("changed_meanwhile")));
    assert_eq!(said["version"], 1);
    for (line, body, status, code) in [
        (line.replace("app/", "nobody/"), drain, 404, "no_such_server"),
        (line.replace("127.0.0.1", "127.0.0.2"), drain, 404, "no_such_server"),
        (line.clone(), r#"{"state":"off"}"#, 422, "invalid_field"),
        (line.clone(), r#"{"state":"drain","why":"x"}"#, 422, "invalid_field"),
        ("GET /api/v1/upstreams/nobody".to_owned(), "", 404, "no_such_upstream"),
    ] {
        let (got, said) = node.operator(&line, body);
        assert_eq!((got, &said["code"]), (status, &json!(code)), "{line} {body}: {said}");
    }
}

#[test]
fn the_command_lists_servers_and_sets_them() {
    let node = Node::start();
    let server = node.origin.address().to_string();
    let set = ["upstream", "set", "app", &server, "drain", "--reason", "new disks"];
    let (code, said) = run(&node, &set);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&format!("app {server}: drain, from generation 2 on")), "{said}");
    let (code, said) = run(&node, &["upstream", "list"]);
    assert_eq!(code, 0, "{said}");
    for part in ["app", &server, "drain", "unchecked", "ops", "new disks"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let (_, said) = run(&node, &["upstream", "list", "app", "--json"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said["history"][0]["state"], "drain");
    let (code, said) = run(&node, &["upstream", "set", "app", "elsewhere:1", "maint"]);
    assert_eq!(code, 1);
    assert!(said.contains("the upstream `app` has no server `elsewhere:1`"), "{said}");
    assert_eq!(run(&node, &["upstream", "set", "app", &server, "off"]).0, 64);
}
