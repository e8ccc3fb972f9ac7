//! The admin API over the wire: who gets in, what is refused and in which words, and that an
//! answered switch is seen by the next visitor.

use serde_json::{Value, json};

use super::node::{Node, TOKEN};
use crate::support::http1::Message;

const ROUTES: [&str; 21] = [
    "GET /api/v1/tokens",
    "POST /api/v1/tokens",
    "DELETE /api/v1/tokens/0",
    "GET /api/v1/approvals",
    "POST /api/v1/approvals/0",
    "DELETE /api/v1/approvals/0",
    "GET /api/v1/audit",
    "GET /api/v1/openapi.json",
    "GET /api/v1/status",
    "POST /api/v1/switches",
    "POST /api/v1/switches/off",
    "GET /api/v1/windows",
    "GET /api/v1/windows/0",
    "POST /api/v1/windows/0/end",
    "POST /api/v1/windows/0/extend",
    "GET /api/v1/history",
    "GET /api/v1/upstreams",
    "GET /api/v1/upstreams/app",
    "POST /api/v1/upstreams/app/servers/s/state",
    "POST /api/v1/config/reload",
    "POST /api/v1/config/check",
];

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n")
}

/// A refusal: its status and code, after a look at its form.
#[track_caller]
fn refusal(answer: &Message) -> (u16, String) {
    let form = answer.field("content-type");
    assert_eq!(form, Some("application/problem+json"), "{}", answer.text());
    let problem: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(problem["status"], answer.status());
    assert!(!problem["detail"].as_str().expect("a sentence").is_empty());
    (answer.status(), problem["code"].as_str().expect("a code").to_owned())
}

#[test]
fn without_a_right_token_no_route_says_anything() {
    let node = Node::start();
    let wrong = ["", "Authorization: Bearer im_wrong\r\n", "Authorization: Basic b3BzOm9wcw==\r\n"];
    let mut said = Vec::new();
    for line in ROUTES.iter().chain(&["GET /api/v1/nothing", "DELETE /api/v1/status"]) {
        for fields in wrong {
            let answer = node.ask(line, fields, "{}");
            said.push((answer.status(), answer.text()));
            assert!([401, 429].contains(&answer.status()), "{line} {fields}: {}", answer.status());
        }
        let (status, _) = node.operator(line, "{}");
        assert!(![401, 403, 429].contains(&status), "{line} with the right token: {status}");
    }
    said.sort();
    said.dedup();
    assert_eq!(said.len(), 2, "one uniform answer, and one after too many: {said:?}");
    assert!(node.operator("GET /api/v1/windows", "").1["items"].as_array().is_some());
}

#[test]
fn probes_and_metrics_need_no_token() {
    let node = Node::start();
    for (line, part) in
        [("GET /health", "ok"), ("GET /ready", "serving"), ("GET /metrics", "intermission_")]
    {
        let answer = node.ask(line, "", "");
        assert_eq!(answer.status(), 200, "{line}");
        assert!(answer.text().contains(part), "{line}: {}", answer.text());
    }
}

#[test]
fn guessing_is_slowed_down_and_the_operator_still_gets_in() {
    let node = Node::start();
    let mut refused = Vec::new();
    for guess in 0..50 {
        let answer = node.ask("GET /api/v1/status", &bearer(&format!("im_{guess}")), "");
        refused.push(answer.status());
        if answer.status() == 429 {
            assert_eq!(refusal(&answer).1, "too_many_refusals");
            assert!(answer.field("retry-after").is_some());
        }
    }
    assert_eq!(refused.iter().filter(|status| **status == 401).count(), 10);
    assert_eq!(refused.iter().filter(|status| **status == 429).count(), 40);
    assert_eq!(node.operator("GET /api/v1/status", "").0, 200);
}

#[test]
fn a_tricked_browser_is_refused() {
    let node = Node::start();
    let port = node.admin().port();
    let body = r#"{"regions":["apac"],"reason":"x"}"#;
    let ask = |host: &str, fields: &str| {
        let head = format!("POST /api/v1/switches HTTP/1.1\r\nHost: {host}\r\n{fields}");
        let length = format!("Content-Length: {}\r\n", body.len());
        let request = format!("{head}{}{length}\r\n{body}", bearer(TOKEN));
        crate::support::raw::exchange(node.admin(), request)
    };
    for host in ["evil.example", "127.0.0.1.evil.example", "intermission.internal:7070"] {
        assert_eq!(refusal(&ask(host, "")), (421, "foreign_host".to_owned()), "{host}");
    }
    let own = format!("127.0.0.1:{port}");
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1", "file://"] {
        let answer = ask(&own, &format!("Origin: {origin}\r\n"));
        assert_eq!(refusal(&answer), (403, "foreign_origin".to_owned()), "{origin}");
    }
    assert_eq!(node.visit("apac.localhost", "/claims/1"), 200, "nothing was closed");
    assert_eq!(ask("localhost", "").status(), 201);
    assert_eq!(ask(&own, &format!("Origin: http://{own}\r\n")).status(), 201);
}

#[test]
fn every_refusal_is_a_problem_that_says_what_and_where() {
    let node = Node::start();
    let token = bearer(TOKEN);
    let plain = format!("Authorization: Bearer {TOKEN}\r\nContent-Type: text/plain\r\n");
    let large = format!(r#"{{"reason":"{}"}}"#, "x".repeat(1024 * 1024));
    let long = format!(r#"{{"regions":["eu"],"reason":"{}"}}"#, "x".repeat(2_001));
    let on = "POST /api/v1/switches";
    let table: [(&str, &str, &str, u16, &str, &str); 21] = [
        ("GET /api/v1/nothing", &token, "", 404, "not_found", ""),
        ("GET /nothing", &token, "", 404, "not_found", ""),
        ("DELETE /api/v1/status", &token, "", 405, "wrong_method", ""),
        (on, &plain, "{}", 415, "not_json", ""),
        (on, &token, &large, 413, "too_large", ""),
        (on, &token, "{", 400, "broken_json", ""),
        (on, &token, "{} {}", 400, "broken_json", ""),
        (on, &token, "{}", 422, "invalid_field", ""),
        (on, &token, r#"{"reason":"x"}"#, 422, "invalid_field", "regions"),
        (on, &token, r#"{"regions":[],"reason":"x"}"#, 422, "invalid_field", "regions"),
        (on, &token, r#"{"regions":"eu","reason":"x"}"#, 422, "invalid_field", "regions"),
        (on, &token, r#"{"regions":["eu"],"reason":" "}"#, 422, "invalid_field", "reason"),
        (
            on,
            &token,
            r#"{"regions":["eu"],"reason":"x","mode":"of"}"#,
            422,
            "invalid_field",
            "mode",
        ),
        (on, &token, r#"{"regions":["eu"],"reason":"x","bak":1}"#, 422, "invalid_field", "bak"),
        (
            on,
            &token,
            r#"{"regions":["eu"],"reason":"x","back_in":"soon"}"#,
            422,
            "invalid_field",
            "back_in",
        ),
        (
            on,
            &token,
            r#"{"regions":["eu"],"reason":"x","until":"2020-01-01T00:00:00Z"}"#,
            422,
            "invalid_field",
            "until",
        ),
        (on, &token, &long, 422, "invalid_field", "reason"),
        (on, &token, r#"{"routes":["claim"],"reason":"x"}"#, 422, "unknown_name", ""),
        ("POST /api/v1/switches/off", &token, r#"{"regions":"all"}"#, 409, "nothing_closed", ""),
        ("GET /api/v1/windows/xyz", &token, "", 404, "no_such_window", ""),
        ("GET /api/v1/history?limit=0", &token, "", 422, "invalid_field", "limit"),
    ];
    for (line, fields, body, status, code, field) in table {
        let answer = node.ask(line, fields, body);
        let told = &body[..body.len().min(80)];
        assert_eq!(refusal(&answer), (status, code.to_owned()), "{line} {told} {}", answer.text());
        if !field.is_empty() {
            let problem: Value = serde_json::from_slice(&answer.body).expect("JSON");
            assert_eq!(problem["field"], field, "{line} {told}");
        }
    }
    assert_eq!(node.operator("GET /api/v1/windows", "").1["items"], json!([]));
}

#[test]
fn an_unknown_name_is_answered_with_what_was_meant() {
    let node = Node::start();
    let body = r#"{"regions":["apc"],"routes":["klaims"],"reason":"x"}"#;
    let (status, problem) = node.operator("POST /api/v1/switches", body);
    assert_eq!(status, 422);
    assert_eq!(problem["unknown"][0]["meant"], "apac");
    assert_eq!(problem["unknown"][0]["known"], json!(["eu", "apac"]));
    assert_eq!(problem["unknown"][1]["meant"], "claims");
    let detail = problem["detail"].as_str().expect("a sentence");
    assert!(detail.contains(r#"there is no region "apc" (did you mean "apac"?)"#), "{detail}");
}

#[test]
fn the_next_visitor_after_the_answer_meets_the_switch() {
    let node = Node::start();
    for round in 0..20 {
        assert_eq!(node.visit("apac.localhost", "/claims/1"), 200, "round {round}");
        let body = r#"{"regions":["apac"],"routes":["claims"],"reason":"x","back_in":"15m"}"#;
        let (status, on) = node.operator("POST /api/v1/switches", body);
        assert_eq!(status, 201, "{on}");
        assert_eq!(node.visit("apac.localhost", "/claims/1"), 503, "round {round}");
        assert_eq!(node.visit("eu.localhost", "/claims/1"), 200);
        assert_eq!(node.visit("apac.localhost", "/quotes/1"), 200);
        let off = r#"{"regions":["apac"],"routes":["claims"],"reason":"done"}"#;
        let (status, off) = node.operator("POST /api/v1/switches/off", off);
        assert_eq!(status, 200);
        assert_eq!(off["windows"][0]["id"], on["window"]["id"]);
        assert!(on["generation"].as_u64() < off["generation"].as_u64());
    }
    let (_, history) = node.operator("GET /api/v1/history?limit=2", "");
    assert_eq!(history["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(history["items"][0]["by"], "ops");
    assert_eq!(history["items"][0]["why"], "done");
}

#[test]
fn a_rehearsal_names_the_cells_and_closes_none() {
    let node = Node::start();
    let body = r#"{"regions":"all","routes":["claims"],"reason":"x"}"#;
    let (status, told) = node.operator("POST /api/v1/switches?dry_run=true", body);
    assert_eq!((status, told["count"].as_u64()), (200, Some(2)));
    let cell = json!({ "route": "claims", "region": "apac", "closed": false, "last_hour": 0 });
    assert_eq!(told["cells"][1], cell);
    assert_eq!(node.visit("eu.localhost", "/claims/1"), 200);
    let (status, problem) = node.operator("POST /api/v1/switches?dry=true", body);
    assert_eq!((status, problem["code"].as_str()), (400, Some("bad_query")));
}

#[test]
fn a_window_changes_only_for_who_has_read_it_as_it_is() {
    let node = Node::start();
    let on = r#"{"regions":["eu"],"reason":"x","drain":"0s"}"#;
    let (_, on) = node.operator("POST /api/v1/switches", on);
    let id = on["window"]["id"].as_str().expect("an id");
    // The drain of nothing ends at once; the version that is in force is the one that is shown.
    let etag = crate::support::eventually("the window is closed", || {
        let shown = node.ask(&format!("GET /api/v1/windows/{id}"), &bearer(TOKEN), "");
        let is_closed = shown.text().contains(r#""state":"closed""#);
        is_closed.then(|| shown.field("etag").expect("an ETag").to_owned())
    });
    let with = |etag: &str| format!("{}If-Match: {etag}\r\n", bearer(TOKEN));
    let extend = format!("POST /api/v1/windows/{id}/extend");
    let body = r#"{"back_in":"1h","reason":"slow"}"#;
    let stale = node.ask(&extend, &with("\"1\""), body);
    assert_eq!(refusal(&stale), (412, "changed_meanwhile".to_owned()));
    assert_eq!(refusal(&node.ask(&extend, &with("3"), body)), (400, "bad_if_match".to_owned()));
    assert_eq!(node.ask(&extend, &with(&etag), body).status(), 200);
    assert_eq!(refusal(&node.ask(&extend, &with(&etag), body)).0, 412, "used up");
    let (status, unknown) = node.operator(&extend, r#"{"until":null}"#);
    assert_eq!((status, &unknown["window"]["promised_end"]), (200, &Value::Null));
    let end = format!("POST /api/v1/windows/{id}/end");
    assert_eq!(node.operator(&end, "").0, 200, "no body is needed");
    let (status, problem) = node.operator(&end, "");
    assert_eq!((status, problem["code"].as_str()), (409, Some("wrong_state")));
    let (_, ended) = node.operator("GET /api/v1/windows?state=ended", "");
    assert_eq!(ended["items"][0]["id"], id);
}

#[test]
fn what_is_closed_survives_a_restart_and_is_told() {
    let mut node = Node::start();
    let body = r#"{"regions":["apac"],"routes":["claims"],"mode":"read_only","reason":"x"}"#;
    assert_eq!(node.operator("POST /api/v1/switches", body).0, 201);
    node.restart();
    let (_, status) = node.operator("GET /api/v1/status", "");
    assert_eq!(status["windows"][0]["mode"], "read_only");
    assert_eq!(status["closed_cells"], 1);
    assert_eq!(status["node"], "node-1");
    assert_eq!(node.visit("apac.localhost", "/claims/1"), 200, "reading works");
    let metrics = node.ask("GET /metrics", "", "").text();
    assert!(metrics.contains("intermission_snapshot_generation"), "{metrics}");
}
