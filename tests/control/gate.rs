//! Who may do what: roles, scopes, tokens that were made, repeated requests, the audit, and where
//! two operators are needed.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use intermission::clock::Clock;
use intermission::grant::reply::Reply;
use intermission::store::{self, Store as _};
use intermission::{digest, limit};
use serde_json::{Value, json};

use super::node::{Node, TOKEN};
use crate::support::http1::Message;
use crate::support::origin::Origin;
use crate::support::tls::{Ca, Visitor};

const CLOSE: &str = r#"{"regions":["apac"],"routes":["claims"],"reason":"x"}"#;
const SWITCH: &str = "POST /api/v1/switches";

fn hash(token: &str) -> String {
    digest::hex(&digest::sha256(token.as_bytes()))
}

/// A further token of the config: `more` are its other keys.
fn declared(token: &str, more: &str) -> String {
    let hash = hash(token);
    format!("[[admin.token]]\nname = \"{token}\"\nsha256 = \"{hash}\"\n{more}\n")
}

/// A node that also knows a viewer, an operator of claims in eu, and one of everything; two are
/// needed for quotes.
fn node() -> Node {
    Node::configured(Origin::replying("hello"), |text, _| {
        let viewer = declared("im_viewer", "role = \"viewer\"");
        let claims = "role = \"operator\"\nregions = [\"apac\"]\nroutes = [\"claims\"]";
        let claims = declared("im_claims", claims);
        let ada = declared("im_ada", "role = \"operator\"");
        format!("{text}{viewer}{claims}{ada}[[approval]]\nroutes = [\"quotes\"]\n")
    })
}

#[track_caller]
fn told(answer: &Message) -> (u16, Value) {
    (answer.status(), serde_json::from_slice(&answer.body).unwrap_or_default())
}

#[track_caller]
fn refused(answer: &Message) -> (u16, String) {
    let (status, problem) = told(answer);
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

/// Every mutation that the page about the API names.
fn mutations() -> Vec<String> {
    let page = include_str!("../../src/control/README.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let named = rows.filter_map(|row| row.split('`').next());
    let named = named.filter(|line| line.contains(" /api/") && !line.starts_with("GET "));
    named.map(|line| line.replace(['{', '}'], "")).collect()
}

#[test]
fn no_mutation_is_a_viewers_or_anybodys() {
    let node = node();
    let all = mutations();
    assert!(all.len() >= 11, "{all:?}");
    for line in &all {
        assert!([401, 429].contains(&node.ask(line, "", "{}").status()), "{line}");
        let answer = node.with("im_viewer", line, "", "{}");
        assert_eq!(refused(&answer), (403, "role_wanted".to_owned()), "{line}");
        // The control: an admin is not refused for who they are.
        let answer = node.with(TOKEN, line, "", "{}");
        assert!(![401, 403, 405].contains(&answer.status()), "{line}: {}", answer.text());
    }
    assert_eq!(node.with("im_viewer", "GET /api/v1/status", "", "").status(), 200);
    for line in ["GET /api/v1/tokens", "POST /api/v1/config/reload", "POST /api/v1/tokens"] {
        let answer = node.with("im_ada", line, "", "{}");
        assert_eq!(refused(&answer), (403, "role_wanted".to_owned()), "{line}");
    }
}

#[test]
fn a_token_changes_nothing_outside_its_scope() {
    let node = node();
    let more = r#"{"regions":["apac","eu"],"routes":["claims"],"reason":"x"}"#;
    let (status, problem) = told(&node.with("im_claims", SWITCH, "", more));
    assert_eq!((status, &problem["code"]), (403, &json!("outside_scope")));
    assert!(problem["detail"].as_str().is_some_and(|told| told.contains("the regions eu")));
    let all = r#"{"regions":"all","routes":["claims"],"reason":"x"}"#;
    assert_eq!(refused(&node.with("im_claims", SWITCH, "", all)).0, 403);
    let rehearsal = format!("{SWITCH}?dry_run=true");
    assert_eq!(refused(&node.with("im_claims", &rehearsal, "", all)).0, 403);
    assert_eq!(node.visit("eu.localhost", "/claims/1"), 200);

    let (status, on) = told(&node.with("im_claims", SWITCH, "", CLOSE));
    assert_eq!(status, 201, "{on}");
    let (_, other) =
        node.operator(SWITCH, r#"{"regions":["eu"],"routes":["claims"],"reason":"x"}"#);
    let id = other["window"]["id"].as_str().expect("an id");
    for (action, body) in [("extend", r#"{"until":null}"#), ("end", "{}")] {
        let line = format!("POST /api/v1/windows/{id}/{action}");
        let answer = node.with("im_claims", &line, "", body);
        assert_eq!(refused(&answer), (403, "outside_scope".to_owned()), "{action}");
        assert_eq!(node.with("im_ada", &line, "", body).status(), 200, "{action}");
    }
    let server = node.origin.address();
    let line = format!("POST /api/v1/upstreams/app/servers/{server}/state");
    let answer = node.with("im_claims", &line, "", r#"{"state":"drain"}"#);
    assert_eq!(refused(&answer), (403, "outside_scope".to_owned()), "it serves quotes too");
}

#[test]
fn a_token_is_made_shown_once_and_revoked() {
    let mut node = node();
    let body = r#"{"name":"bob","role":"operator","routes":["claims"],"for":"1h"}"#;
    let (status, made) = told(&node.with(TOKEN, "POST /api/v1/tokens", "", body));
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("im_") && secret.len() > 40);
    let again = node.with(TOKEN, "POST /api/v1/tokens", "", body);
    assert_eq!(refused(&again), (422, "invalid_field".to_owned()), "the name is taken");

    let (status, on) = told(&node.with(&secret, SWITCH, "", CLOSE));
    assert_eq!(status, 201, "{on}");
    assert_eq!(node.operator("GET /api/v1/history", "").1["items"][0]["by"], "bob");
    node.restart();
    assert_eq!(node.with(&secret, "GET /api/v1/status", "", "").status(), 200);

    let listed = node.with(TOKEN, "GET /api/v1/tokens", "", "").text();
    let audit = node.with(TOKEN, "GET /api/v1/audit", "", "").text();
    for text in [&listed, &audit] {
        assert!(text.contains("bob") && !text.contains(&secret) && !text.contains(&hash(&secret)));
    }
    let id = made["token"]["id"].as_str().expect("an id");
    let revoke = format!("DELETE /api/v1/tokens/{id}");
    assert_eq!(node.with(TOKEN, &revoke, "", "").status(), 200);
    assert_eq!(node.with(&secret, "GET /api/v1/status", "", "").status(), 401);
    node.restart();
    assert_eq!(node.with(&secret, "GET /api/v1/status", "", "").status(), 401);
}

#[test]
fn a_repeated_creation_is_answered_again_and_done_once() {
    let mut node = node();
    let key = "Idempotency-Key: 7f\r\n";
    let first = node.with(TOKEN, SWITCH, key, CLOSE);
    assert_eq!((first.status(), first.field("idempotency-replayed")), (201, None));
    node.restart();
    let second = node.with(TOKEN, SWITCH, key, CLOSE);
    assert_eq!((second.status(), second.text()), (201, first.text()));
    assert_eq!(second.field("idempotency-replayed"), Some("true"));
    assert_eq!(second.field("location"), first.field("location"));
    assert_eq!(second.field("etag"), first.field("etag"));
    let (_, windows) = node.operator("GET /api/v1/windows", "");
    assert_eq!(windows["items"].as_array().map(Vec::len), Some(1), "{windows}");

    let other = r#"{"regions":["eu"],"routes":["claims"],"reason":"x"}"#;
    let answer = node.with(TOKEN, SWITCH, key, other);
    assert_eq!(refused(&answer), (422, "key_reused".to_owned()));
    assert_eq!(node.with("im_ada", SWITCH, key, other).status(), 201, "another operator's key");
    for wrong in ["Idempotency-Key: \r\n", "Idempotency-Key: a\r\nIdempotency-Key: b\r\n"] {
        assert_eq!(refused(&node.with(TOKEN, SWITCH, wrong, CLOSE)).0, 422, "{wrong}");
    }
    let key = "Idempotency-Key: free\r\n";
    assert_eq!(node.with(TOKEN, SWITCH, key, "{}").status(), 422);
    assert_eq!(node.with(TOKEN, SWITCH, key, CLOSE).status(), 201, "what was refused left it free");
    let (_, audit) = node.operator("GET /api/v1/audit", "");
    assert_eq!(audit["items"].as_array().map(Vec::len), Some(4), "a repetition is none: {audit}");
}

#[test]
fn a_secret_is_not_kept_for_a_repetition() {
    let node = node();
    let body = r#"{"name":"bob","role":"viewer"}"#;
    let ask = || node.with(TOKEN, "POST /api/v1/tokens", "Idempotency-Key: k\r\n", body);
    let (first, second) = (told(&ask()).1, told(&ask()).1);
    assert!(first["secret"].as_str().is_some());
    assert_eq!(second, json!({ "token": first["token"], "secret": null }));
}

#[test]
fn every_change_is_noted_with_what_was_before_and_refused_ones_as_such() {
    let node = node();
    let (_, on) = node.operator(SWITCH, CLOSE);
    let id = on["window"]["id"].as_str().expect("an id");
    let path = format!("/api/v1/windows/{id}/extend");
    let (status, _) = node.operator(&format!("POST {path}"), r#"{"back_in":"1h"}"#);
    assert_eq!(status, 200);
    node.with("im_viewer", SWITCH, "", CLOSE);
    node.operator("POST /api/v1/switches?dry_run=true", CLOSE);
    // One that knows no rehearsals either refuses, or does it and is noted.
    let token = r#"{"name":"bob","role":"viewer"}"#;
    let rehearsal = node.operator("POST /api/v1/tokens?dry_run=true", token);
    assert_ne!(rehearsal.0, 201, "{}", rehearsal.1);
    let (_, audit) = node.operator("GET /api/v1/audit", "");
    let items = audit["items"].as_array().expect("a list");
    assert_eq!(items.len(), 3, "a rehearsal is none: {audit}");
    let [refused, extended, switched] = [&items[0], &items[1], &items[2]];
    assert_eq!(refused["refused"], "role_wanted");
    assert_eq!(refused["by"], "im_viewer");
    assert_eq!((&extended["subject"], &extended["refused"]), (&json!(path), &Value::Null));
    assert_eq!(extended["action"], "POST /api/v1/windows/{id}/extend");
    assert_eq!(extended["before"]["promised_end"], Value::Null);
    assert!(extended["after"]["window"]["promised_end"].is_string(), "{extended}");
    assert_eq!((&switched["by"], &switched["before"]), (&json!("ops"), &Value::Null));
    assert_eq!((&switched["from"], &switched["seq"]), (&json!("127.0.0.1"), &json!(1)));
    let (_, page) = node.operator("GET /api/v1/audit?limit=2", "");
    assert_eq!(page["next"], "2");
    let (_, rest) = node.operator("GET /api/v1/audit?limit=2&after=2", "");
    assert_eq!((&rest["items"][0]["seq"], &rest["next"]), (&json!(1), &Value::Null));
}

#[test]
fn what_needs_two_waits_for_the_second() {
    let node = node();
    let quotes = r#"{"regions":["apac"],"routes":["quotes"],"reason":"x"}"#;
    let (status, held) = told(&node.with("im_ada", SWITCH, "", quotes));
    assert_eq!((status, &held["approval"]["by"]), (202, &json!("im_ada")), "{held}");
    assert_eq!(node.visit("apac.localhost", "/quotes/1"), 200, "nothing is closed yet");
    let id = held["approval"]["id"].as_str().expect("an id");
    let approve = format!("POST /api/v1/approvals/{id}");
    assert_eq!(refused(&node.with("im_ada", &approve, "", "")), (403, "own_request".to_owned()));
    assert_eq!(
        refused(&node.with("im_claims", &approve, "", "")),
        (403, "outside_scope".to_owned())
    );
    let (_, waiting) = node.operator("GET /api/v1/approvals", "");
    assert_eq!(waiting["items"][0]["id"], id);
    let (status, on) = told(&node.with(TOKEN, &approve, "", ""));
    assert_eq!(status, 201, "{on}");
    assert_eq!(node.visit("apac.localhost", "/quotes/1"), 503);
    assert_eq!(refused(&node.with(TOKEN, &approve, "", "")).0, 404, "once");
    let (_, history) = node.operator("GET /api/v1/history?limit=50", "");
    let entries = history["items"].as_array().expect("a list");
    let first = entries.last().expect("an entry");
    assert_eq!((&first["by"], &first["why"]), (&json!("im_ada"), &json!("x (approved by ops)")));
    let off = r#"{"regions":["apac"],"routes":["quotes"]}"#;
    let off = node.with("im_ada", "POST /api/v1/switches/off", "", off);
    assert_eq!(off.status(), 200, "reopening never waits: {}", off.text());
}

#[test]
fn an_emergency_is_an_admins_and_what_is_dropped_is_not_done() {
    let node = node();
    let quotes = r#"{"regions":["apac"],"routes":["quotes"],"reason":"x","emergency":true}"#;
    let answer = node.with("im_ada", SWITCH, "", quotes);
    assert_eq!(refused(&answer), (403, "role_wanted".to_owned()));
    assert_eq!(node.with(TOKEN, SWITCH, "", quotes).status(), 201);
    assert_eq!(node.visit("apac.localhost", "/quotes/1"), 503);
    let all = r#"{"regions":["eu"],"reason":"x"}"#;
    let (status, held) = told(&node.with("im_ada", SWITCH, "Idempotency-Key: a\r\n", all));
    assert_eq!(status, 202);
    let again = told(&node.with("im_ada", SWITCH, "Idempotency-Key: a\r\n", all));
    assert_eq!(again, (202, held.clone()), "asked for once");
    let id = held["approval"]["id"].as_str().expect("an id");
    assert_eq!(node.with(TOKEN, &format!("DELETE /api/v1/approvals/{id}"), "", "").status(), 200);
    let approve = format!("POST /api/v1/approvals/{id}");
    assert_eq!(refused(&node.with(TOKEN, &approve, "", "")), (404, "no_such_approval".to_owned()));
    assert_eq!(node.visit("eu.localhost", "/quotes/1"), 200);
}

#[test]
fn a_page_that_a_browser_calls_foreign_changes_nothing() {
    let node = node();
    for site in ["cross-site", "same-site"] {
        let answer = node.with(TOKEN, SWITCH, &format!("Sec-Fetch-Site: {site}\r\n"), CLOSE);
        assert_eq!(refused(&answer), (403, "foreign_origin".to_owned()), "{site}");
    }
    assert_eq!(node.with(TOKEN, SWITCH, "Sec-Fetch-Site: same-origin\r\n", CLOSE).status(), 201);
}

#[test]
fn our_own_user_needs_no_token_at_the_socket() {
    let mut node = Node::configured(Origin::replying("hello"), |text, _| {
        text.replacen("[[admin.token]]", "unix = \"admin.sock\"\n[[admin.token]]", 1)
    });
    for _ in 0..2 {
        let at = node.folder.path().join("admin.sock");
        let mode = std::fs::metadata(&at).expect("a socket").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut socket = UnixStream::connect(&at).expect("it listens");
        let head = format!("{SWITCH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        let fields = format!("Content-Type: application/json\r\nContent-Length: {}", CLOSE.len());
        write!(socket, "{head}{fields}\r\n\r\n{CLOSE}").expect("sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        let (_, audit) = node.operator("GET /api/v1/audit?limit=1", "");
        assert_eq!(audit["items"][0]["from"], "unix");
        let by = audit["items"][0]["by"].as_str().expect("a name");
        assert!(by.starts_with("unix:"), "{by}");
        // A socket that the former process left is taken over.
        node.restart();
    }
}

#[test]
fn an_operator_is_known_by_the_certificate_they_show() {
    let ca = Ca::new("operators");
    let node = Node::configured(Origin::replying("hello"), |text, folder| {
        ca.issue(&["localhost"]).write(folder, "admin");
        std::fs::write(folder.join("ca.pem"), ca.pem()).expect("written");
        let files = "chain = \"admin.pem\"\nkey = \"admin.key\"\nclient_ca = \"ca.pem\"";
        let watch = "name = \"watch\"\ncertificate = \"watch.example\"\nrole = \"viewer\"";
        format!("{text}[admin.tls]\n{files}\n[[admin.token]]\n{watch}\n")
    });
    let ask = |names: &[&str], fields: &str, line: &str| {
        let mut talk = Visitor::showing(&ca, &ca.issue(names)).connect(node.admin(), "localhost");
        let length = CLOSE.len();
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n");
        let kind = "Content-Type: application/json\r\n";
        talk.ask(format!("{head}{kind}{fields}\r\n{CLOSE}"))
    };
    let status = "GET /api/v1/status";
    assert_eq!(ask(&["watch.example"], "", status).status(), 200);
    assert_eq!(refused(&ask(&["watch.example"], "", SWITCH)), (403, "role_wanted".to_owned()));
    assert_eq!(ask(&["other.example"], "", status).status(), 401, "known to nobody");
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(ask(&["other.example"], &bearer, SWITCH).status(), 201, "the token counts");
    let wrong = "Authorization: Bearer im_wrong\r\n";
    assert_eq!(ask(&["watch.example"], wrong, status).status(), 401, "what is presented counts");
    let answer =
        Visitor::trusting(&ca).try_connect(node.admin(), "localhost").and_then(|mut talk| {
            talk.try_ask(format!("{status} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n"))
        });
    assert!(answer.is_err(), "without a certificate nobody is let in");
}

#[test]
fn at_once_or_after_a_crash_a_key_is_carried_out_no_more_than_once() {
    let key = |name: &str| digest::sha256(format!("ops\0{name}").as_bytes());
    let node = Node::configured(Origin::replying("hello"), |text, folder| {
        // What a process leaves that took the key and ended before it had the answer.
        let store = store::open(&folder.join("store"), Clock::System).expect("a store");
        let asked = digest::sha256(format!("POST\0/api/v1/switches\0{CLOSE}").as_bytes());
        let at = Clock::System.now();
        let not_after = at.plus(limit::REPLY_KEPT);
        let begun = Reply { key: key("crashed"), asked, at, not_after, answer: None };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(store.keep_reply(begun)).expect("kept");
        store.shutdown();
        text
    });
    let with = |key: &str| node.with(TOKEN, SWITCH, &format!("Idempotency-Key: {key}\r\n"), CLOSE);
    assert_eq!(refused(&with("crashed")), (409, "outcome_unknown".to_owned()));
    assert_eq!(node.visit("apac.localhost", "/claims/1"), 200, "nothing was done");

    let answers: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| with("at once"))).collect();
        asking.into_iter().map(|asked| asked.join().expect("an answer")).collect()
    });
    for answer in &answers {
        let is_told = answer.status() == 201 || refused(answer) == (409, "in_progress".to_owned());
        assert!(is_told, "{}", answer.text());
    }
    let (_, windows) = node.operator("GET /api/v1/windows", "");
    assert_eq!(windows.to_string().matches("\"version\"").count(), 1, "{windows}");
}
