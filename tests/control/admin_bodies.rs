//! Bodies that another reader would let pass: whatever the document does not describe is refused,
//! with the place that is wrong.

use serde_json::{Value, json};

use super::node::{Node, TOKEN};

const PLAN: &str = "POST /api/v1/maintenances";

/// A plan that is fine, with this in one phase.
fn phase(name: &str, value: &Value) -> String {
    let mut phase =
        json!({ "routes": ["claims"], "lasts": "1h", "starts": "2030-03-03T16:00:00Z" });
    phase[name] = value.clone();
    json!({ "title": "A test", "phases": [phase] }).to_string()
}

#[track_caller]
fn refused_at(node: &Node, line: &str, body: &str, field: &str) {
    let answer = node.with(TOKEN, line, "If-Match: *\r\n", body);
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    assert_eq!((answer.status(), &problem["field"]), (422, &json!(field)), "{body}: {problem}");
    let detail = problem["detail"].as_str().expect("a sentence");
    assert!(!detail.is_empty() && !detail.contains("struct"), "{detail}");
}

#[test]
fn a_list_is_no_object_at_any_depth_and_the_place_is_told() {
    let node = Node::start();
    let nothing = json!([]);
    for (name, value, field) in [
        ("hold", json!([null, null]), "phases[0].hold"),
        ("ramp", json!(["10m", "share"]), "phases[0].ramp"),
        ("texts", nothing.clone(), "phases[0].texts"),
        ("verification", nothing.clone(), "phases[0].verification"),
        ("verification", json!({ "probes": [[]] }), "phases[0].verification.probes[0]"),
        ("texts", json!({ "languages": { "fr": [] } }), "phases[0].texts.languages.fr"),
        ("texts", json!({ "languages": [] }), "phases[0].texts.languages"),
        ("mode", json!({ "page": null }), "phases[0].mode"),
        ("ramp", json!({ "over": "1m", "by": { "share": null } }), "phases[0].ramp.by"),
        (
            "ramp",
            json!({ "over": "1m", "by": { "per_minute": [] } }),
            "phases[0].ramp.by.per_minute",
        ),
        ("lasts", json!(3), "phases[0].lasts"),
    ] {
        refused_at(&node, PLAN, &phase(name, &value), field);
    }
    let phases = json!({ "title": "A test", "phases": [[]] }).to_string();
    refused_at(&node, PLAN, &phases, "phases[0]");
    refused_at(&node, PLAN, r#"{"title":"A test","texts":[],"phases":[]}"#, "texts");
    refused_at(&node, PLAN, r#"{"title":"A","title":"B","phases":[]}"#, "title");
    refused_at(&node, PLAN, "[]", "");
    refused_at(&node, "POST /api/v1/config/check", "[null]", "");
    let switch = r#"{"routes":["claims"],"reason":"x"}"#;
    let (_, on) = node.operator("POST /api/v1/switches", switch);
    let id = on["window"]["id"].as_str().expect("an id");
    let one = format!("PUT /api/v1/windows/{id}");
    refused_at(&node, &one, r#"{"window":[]}"#, "window");
    refused_at(&node, &one, r#"{"window":{"hold":[null,null]}}"#, "window.hold");
    // The control: the same, as it is meant.
    for (name, value) in [
        ("hold", json!({})),
        ("ramp", json!({ "over": "10m", "by": { "per_minute": 5 } })),
        ("ramp", json!({ "over": "10m", "by": "share" })),
        ("texts", json!({ "languages": { "fr": { "title": "Un essai" } } })),
        ("verification", json!({ "probes": [{ "path": "/claims/1" }] })),
        ("mode", json!("read_only")),
    ] {
        let (status, told) = node.operator(PLAN, &phase(name, &value));
        assert_eq!(status, 201, "{name}: {told}");
    }
}

#[test]
fn where_a_body_may_be_left_out_the_document_says_so_of_null_too() {
    let node = Node::start();
    let (_, document) = node.operator("GET /api/v1/openapi.json", "");
    let paths = document["paths"].as_object().expect("paths");
    let bodies = paths.iter().filter_map(|(path, item)| {
        let body = item["post"].get("requestBody")?;
        Some((path, body["content"]["application/json"]["schema"].clone()))
    });
    let mut spare = Vec::new();
    for (path, schema) in bodies {
        let kinds = schema["oneOf"].as_array().cloned().unwrap_or_default();
        let says = kinds.iter().any(|kind| kind["type"] == "null");
        let target = path.replace(['{', '}'], "");
        for body in ["null", " null\n", ""] {
            let (status, told) = node.operator(&format!("POST {target}"), body);
            // Nothing is called so, which is told after the body was read.
            let read = status != 422 || told["code"] == "bad_config";
            assert_eq!(read || status == 404, says || status == 404, "{path} {body:?}: {told}");
        }
        if says {
            spare.push(path.clone());
        }
    }
    assert!(spare.iter().any(|path| path.ends_with("config/check")), "{spare:?}");
    assert!(spare.len() >= 3, "{spare:?}");
}
