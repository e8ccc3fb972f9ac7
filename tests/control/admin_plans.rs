//! Planning through the admin API: what is told before, what is kept, who was faster.

use serde_json::{Value, json};

use super::node::Node;
use crate::support::http1::Message;

/// An instant of the year after next: far away, but not so far that it is taken for a slip.
fn far(rest: &str) -> String {
    format!("{}-{rest}", jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year() + 2)
}

/// Three phases on three days, a long time from now.
pub(super) fn plan(title: &str) -> Value {
    json!({
        "title": title,
        "owner": "platform",
        "texts": { "reason": "a faster database", "languages": { "fr": { "reason": "base" } } },
        "announce": ["7d", "24h"],
        "phases": [
            { "name": "development", "regions": ["eu"], "routes": ["claims"],
              "starts": far("11-29T16:00:00Z"), "lasts": "4h", "disruption": "15m" },
            { "name": "apac", "regions": ["apac"],
              "starts": far("11-30T16:00:00Z"), "ends": far("11-30T20:00:00Z"),
              "verification": { "probes": [{ "path": "/health" }] }, "ramp": { "over": "10m" } },
            { "name": "eu", "regions": ["eu"], "starts": far("12-01T16:00:00Z"), "lasts": "4h" },
        ],
    })
}

fn with(node: &Node, fields: &str) -> String {
    format!("{}{fields}", node.bearer())
}

fn read(answer: &Message) -> Value {
    serde_json::from_slice(&answer.body).expect("JSON")
}

fn planned(node: &Node, title: &str) -> (String, String) {
    let answer = node.ask("POST /api/v1/maintenances", &node.bearer(), &plan(title).to_string());
    assert_eq!(answer.status(), 201, "{}", answer.text());
    let etag = answer.field("etag").expect("an ETag").to_owned();
    let id = read(&answer)["maintenance"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(answer.field("location"), Some(&*format!("/api/v1/maintenances/{id}")));
    (id, etag)
}

#[test]
fn a_maintenance_is_planned_shown_revised_and_given_up() {
    let node = Node::start();
    let (id, etag) = planned(&node, "Database upgrade");
    let path = format!("/api/v1/maintenances/{id}");
    let (status, shown) = node.operator(&format!("GET {path}"), "");
    assert_eq!((status, &shown["progress"]), (200, &json!("planned")));
    assert_eq!(shown["windows"].as_array().map(Vec::len), Some(3));
    assert_eq!(shown["windows"][1]["phase"]["name"], "apac");
    assert_eq!(shown["windows"][1]["state"], "planned");
    assert_eq!(shown["document"]["phases"][0]["lasts"], "4h", "as it was written");
    let (_, all) = node.operator("GET /api/v1/maintenances", "");
    assert_eq!(all["items"][0]["id"], json!(id));
    let (_, windows) = node.operator("GET /api/v1/windows?state=planned", "");
    assert_eq!(windows["items"].as_array().map(Vec::len), Some(3));
    assert_eq!(node.visit("eu.localhost", "/claims/1"), 200, "nothing is closed yet");

    let mut other = plan("Database upgrade, again");
    other["phases"][0]["lasts"] = json!("2h");
    let other = other.to_string();
    let put = format!("PUT {path}");
    assert_eq!(node.ask(&put, &node.bearer(), &other).status(), 428);
    let revised = node.ask(&put, &with(&node, &format!("If-Match: {etag}\r\n")), &other);
    assert_eq!(revised.status(), 200, "{}", revised.text());
    let (_, shown) = node.operator(&format!("GET {path}"), "");
    assert_eq!(shown["title"], "Database upgrade, again");
    assert_eq!(shown["windows"][0]["promised_end"], far("11-29T18:00:00.000Z"));
    let late = node.ask(&put, &with(&node, &format!("If-Match: {etag}\r\n")), &other);
    assert_eq!(late.status(), 412, "two operators at once: {}", late.text());

    let told = node.operator(&format!("POST {path}/updates"), r#"{"text":"copying"}"#);
    assert_eq!(told.0, 201, "{}", told.1);
    let after = r#"{"text":"all went well","link":"https://example.com/1"}"#;
    assert_eq!(node.operator(&format!("POST {path}/aftermath"), after).0, 200);
    let (_, shown) = node.operator(&format!("GET {path}"), "");
    assert_eq!(shown["updates"][0]["text"], "copying");
    assert_eq!(shown["aftermath"]["text"], "all went well");

    let (status, answer) = node.operator(&format!("POST {path}/cancel"), r#"{"reason":"later"}"#);
    assert_eq!((status, &answer["maintenance"]["progress"]), (200, &json!("cancelled")));
    let (_, open) = node.operator("GET /api/v1/maintenances", "");
    assert_eq!(open["items"], json!([]));
    for state in ["over", "all"] {
        let (_, over) = node.operator(&format!("GET /api/v1/maintenances?state={state}"), "");
        assert_eq!(over["items"][0]["id"], json!(id), "{state}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_field() {
    let node = Node::start();
    let mut wrong = plan("x");
    wrong["phases"][1]["ends"] = json!(far("11-30T15:00:00Z"));
    wrong["phases"][2]["lasts"] = json!("soon");
    wrong["phases"][0]["regions"] = json!(["ue"]);
    let (status, problem) = node.operator("POST /api/v1/maintenances", &wrong.to_string());
    assert_eq!(status, 422, "{problem}");
    let fields: Vec<_> = problem["problems"]
        .as_array()
        .expect("problems")
        .iter()
        .map(|fault| fault["field"].as_str().expect("a field"))
        .collect();
    for field in ["phases[1].ends", "phases[2].lasts", "phases[0].regions"] {
        assert!(fields.iter().any(|told| told.starts_with(field)), "{field}: {fields:?}");
    }
    let (status, problem) = node.operator("POST /api/v1/maintenances", r#"{"phases":[{"x":1}]}"#);
    assert_eq!((status, &problem["field"]), (422, &json!("phases[0].x")));
    assert_eq!(node.operator("GET /api/v1/maintenances", "").1["items"], json!([]));
}

#[test]
fn a_rehearsal_tells_what_would_close_and_changes_nothing() {
    let node = Node::start();
    let (_, before) = node.operator("GET /api/v1/status", "");
    let body = plan("x").to_string();
    let (status, told) = node.operator("POST /api/v1/maintenances?dry_run=true", &body);
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["dry_run"], true);
    assert_eq!(told["count"], 4, "claims and quotes in eu and in apac, each once: {told}");
    assert_eq!(told["phases"][0]["count"], 1);
    assert_eq!(told["phases"][1]["starts"], far("11-30T16:00:00.000Z"));
    assert_eq!(told["windows"][2]["state"], "planned");
    assert_eq!(told["approval_wanted"], false);
    let (id, _) = planned(&node, "real");
    let (_, shown) = node.operator(&format!("GET /api/v1/maintenances/{id}"), "");
    let window = shown["windows"][0]["id"].as_str().expect("an id").to_owned();
    let until = json!({ "until": far("11-29T22:00:00Z") }).to_string();
    let acts = [
        (format!("windows/{window}/start"), "{}", "draining"),
        (format!("windows/{window}/extend"), &*until, "planned"),
        (format!("windows/{window}/cancel"), "{}", "cancelled"),
    ];
    for (act, body, becomes) in acts {
        let (status, told) = node.operator(&format!("POST /api/v1/{act}?dry_run=true"), body);
        assert_eq!(status, 200, "{act}: {told}");
        assert_eq!(told["windows"][0]["state"], becomes, "{act}");
        assert_eq!(told["count"], 1, "{act}");
    }
    let end = format!("POST /api/v1/windows/{window}/end?dry_run=true");
    assert_eq!(node.operator(&end, "").0, 409, "what has not begun cannot be ended");
    let cancel = format!("POST /api/v1/maintenances/{id}/cancel?dry_run=true");
    assert_eq!(node.operator(&cancel, "").0, 200);
    let again = node.operator(&format!("GET /api/v1/maintenances/{id}"), "").1;
    assert_eq!(again, shown, "nothing changed");
    let (_, conflict) = node.operator("POST /api/v1/maintenances?dry_run=true", &body);
    assert_eq!(conflict["conflicts"][0]["with"]["window"]["maintenance"], json!(id));
    assert_eq!(before["closed_cells"], node.operator("GET /api/v1/status", "").1["closed_cells"]);
    let (_, audit) = node.operator("GET /api/v1/audit", "");
    assert_eq!(audit["items"].as_array().map(Vec::len), Some(1), "only what was done: {audit}");
    for refused in ["config/reload", "tokens", "config/check"] {
        let (status, problem) =
            node.operator(&format!("POST /api/v1/{refused}?dry_run=true"), "{}");
        assert_eq!((status, &problem["code"]), (400, &json!("bad_query")), "{refused}");
    }
}

#[test]
fn a_window_of_a_plan_is_amended_started_extended_and_ended() {
    let node = Node::start();
    let (id, _) = planned(&node, "x");
    let windows = node.operator(&format!("GET /api/v1/maintenances/{id}"), "").1["windows"].take();
    let window = windows[0]["id"].as_str().expect("an id");
    let path = format!("/api/v1/windows/{window}");
    let amendment = json!({ "reason": "smaller", "window": {
        "regions": ["eu"], "routes": ["quotes"], "starts": far("11-29T17:00:00Z"),
        "lasts": "1h", "drain": "0s" } });
    let put = |fields: &str| {
        node.ask(&format!("PUT {path}"), &with(&node, fields), &amendment.to_string())
    };
    assert_eq!(put("").status(), 428);
    assert_eq!(put("If-Match: \"9\"\r\n").status(), 412);
    let amended = put("If-Match: \"1\"\r\n");
    assert_eq!(amended.status(), 200, "{}", amended.text());
    assert_eq!(read(&amended)["window"]["scope"]["routes"], json!(["quotes"]));
    let wrong = r#"{"window":{"regions":["eu"],"starts":"2020-01-01T00:00:00Z","lasts":"1h"}}"#;
    let wrong = node.ask(&format!("PUT {path}"), &with(&node, "If-Match: *\r\n"), wrong);
    assert_eq!(read(&wrong)["field"], "window.starts", "{}", wrong.text());

    assert_eq!(node.visit("eu.localhost", "/quotes/1"), 200);
    assert_eq!(node.operator(&format!("POST {path}/start"), "").0, 200);
    assert_eq!(node.visit("eu.localhost", "/quotes/1"), 503);
    let (_, state) = node.operator("GET /api/v1/state?closed=true", "");
    assert_eq!(state["items"][0]["window"], json!(window), "{state}");
    assert_eq!(state["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(node.operator("GET /api/v1/state?region=apac", "").1["items"][0]["state"], "open");
    assert_eq!(node.operator(&format!("POST {path}/extend"), r#"{"back_in":"2h"}"#).0, 200);
    assert_eq!(node.operator(&format!("POST {path}/cancel"), "").0, 409, "it has begun");
    let (status, ended) = node.operator(&format!("POST {path}/end"), r#"{"skip_checks":true}"#);
    assert_eq!((status, &ended["window"]["state"]), (200, &json!("ended")));
    assert_eq!(node.visit("eu.localhost", "/quotes/1"), 200);
}

#[test]
fn a_page_is_looked_at_before_anything_is_closed() {
    let node = Node::start();
    let ask = |query: &str| node.ask(&format!("GET /api/v1/preview{query}"), &node.bearer(), "");
    let french = ask("?lang=fr&state=overrun");
    assert_eq!(french.status(), 200);
    assert_eq!(french.field("content-language"), Some("fr"));
    assert!(french.text().contains("lang=\"fr\""), "{}", french.text());
    for (format, kind) in [
        ("html", "text/html; charset=utf-8"),
        ("problem", "application/problem+json"),
        ("text", "text/plain; charset=utf-8"),
        ("grpc", "text/plain; charset=utf-8"),
    ] {
        let page = ask(&format!("?format={format}"));
        assert_eq!(page.field("content-type"), Some(kind));
        assert!(!page.body.is_empty());
    }
    let (id, _) = planned(&node, "x");
    let windows = node.operator(&format!("GET /api/v1/maintenances/{id}"), "").1["windows"].take();
    let window = windows[0]["id"].as_str().expect("an id");
    // What operators write is for people; programs and terminals are told what and until when.
    let page = ask(&format!("?window={window}")).text();
    assert!(page.contains("a faster database"), "{page}");
    assert_eq!(ask("?lang=xx").status(), 400);
    assert_eq!(ask("?route=nowhere").status(), 422);
}

#[test]
fn a_bypass_is_made_once_shown_without_its_secret_and_revoked() {
    let node = Node::start();
    let body = r#"{"for":"1h","routes":["claims"],"reason":"smoke test"}"#;
    let (status, made) = node.operator("POST /api/v1/bypasses", body);
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().expect("a secret");
    assert!(made["link"].as_str().is_some_and(|link| link.contains(secret)), "{made}");
    let listed = node.ask("GET /api/v1/bypasses", &node.bearer(), "");
    assert!(!listed.text().contains(secret));
    let id = made["bypass"]["id"].as_str().expect("an id");
    assert_eq!(read(&listed)["items"][0]["id"], json!(id));
    let audit = node.ask("GET /api/v1/audit", &node.bearer(), "").text();
    assert!(audit.contains("/api/v1/bypasses") && !audit.contains(secret), "{audit}");
    for (body, field) in [
        (r#"{"for":"0s"}"#, "for"),
        (r#"{"for":"31d"}"#, "for"),
        (r#"{"for":"1h","window":"06c3x2v8jh4t9g5m0r7n1q8w2e6y3k4d"}"#, "window"),
        (r#"{"for":"1h","networks":["everybody"]}"#, "networks[0]"),
    ] {
        let (status, problem) = node.operator("POST /api/v1/bypasses", body);
        assert_eq!((status, &problem["field"]), (422, &json!(field)), "{problem}");
    }
    let revoke = format!("DELETE /api/v1/bypasses/{id}");
    assert_eq!(node.operator(&revoke, "").0, 200);
    assert_eq!(node.operator("GET /api/v1/bypasses", "").1["items"], json!([]));
    assert_eq!(node.operator(&revoke, "").0, 404);
}
