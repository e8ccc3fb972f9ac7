//! The states × events table as operators meet it: each state reached by nothing but the API, each
//! action asked for there. What the table forbids is a 409 that names the state, and changes
//! nothing.

use std::time::Duration;

use intermission::clock::Clock;
use intermission::window::plan::Plan;
use intermission::window::scope::Selection;
use intermission::window::state::{Author, Checks, Event, Order, State, Texts, Window};
use serde_json::{Value, json};

use super::node::{Node, TOKEN};
use crate::support::origin::{Act, Origin, ok};
use crate::support::{eventually, raw};

/// What an operator can do to a window as it is.
const ACTIONS: [&str; 8] = [
    "start",
    "amend",
    "amend to more",
    "extend",
    "extend to later",
    "end",
    "end unchecked",
    "cancel",
];

/// A node whose origin never answers below `/claims/slow`.
fn node() -> Node {
    Node::before(Origin::acting(|request| match request.target().contains("slow") {
        true => Act::Stall(Vec::new()),
        false => Act::Send(ok("hello")),
    }))
}

fn window(node: &Node, id: &str) -> (Window, Value) {
    let (status, shown) = node.operator(&format!("GET /api/v1/windows/{id}"), "");
    assert_eq!(status, 200, "{shown}");
    let window = serde_json::from_value(shown["window"].clone()).expect("a window");
    (window, shown["window"].clone())
}

fn switch(node: &Node, more: &Value) -> String {
    let mut body = json!({ "regions": ["eu"], "routes": ["claims"], "reason": "x" });
    for (name, value) in more.as_object().expect("members") {
        body[name] = value.clone();
    }
    let (status, on) = node.operator("POST /api/v1/switches", &body.to_string());
    assert_eq!(status, 201, "{on}");
    on["window"]["id"].as_str().expect("an id").to_owned()
}

fn plan(node: &Node, phases: &Value) -> Vec<String> {
    let body = json!({ "title": "A test", "kind": "emergency", "phases": phases });
    let (status, told) = node.operator("POST /api/v1/maintenances", &body.to_string());
    assert_eq!(status, 201, "{told}");
    let windows = told["maintenance"]["windows"].as_array().expect("windows");
    windows.iter().map(|window| window["id"].as_str().expect("an id").to_owned()).collect()
}

fn done(node: &Node, id: &str, action: &str) {
    let (status, told) = node.operator(&format!("POST /api/v1/windows/{id}/{action}"), "{}");
    assert_eq!(status, 200, "{action}: {told}");
}

/// A phase that begins now, with what else it has.
fn phase(more: &Value) -> Value {
    let mut phase = json!({ "regions": ["eu"], "routes": ["claims"], "lasts": "1h" });
    for (name, value) in more.as_object().expect("members") {
        phase[name] = value.clone();
    }
    phase
}

/// A window in this state, by what operators do, and time.
fn reach(node: &Node, state: State) -> String {
    let far = json!({ "starts": "2030-03-03T16:00:00Z" });
    let planned = || plan(node, &json!([phase(&far)])).remove(0);
    let begun = |more: &Value| plan(node, &json!([phase(more)])).remove(0);
    let is = |id: &str, wanted: State| window(node, id).0.state == wanted;
    let id = match state {
        State::Planned => planned(),
        State::Stalled => {
            let soon = Clock::System.now().plus(Duration::from_secs(1));
            let late = json!({ "starts": soon.to_string(), "start_within": "1s" });
            plan(node, &json!([phase(&json!({})), phase(&late)])).remove(1)
        }
        State::Draining => switch(node, &json!({ "drain": "1h" })),
        State::Closed => begun(&json!({ "drain": "0s" })),
        State::Overrun => switch(node, &json!({ "drain": "0s", "back_in": "1s" })),
        State::Verifying => {
            let probes = json!([{ "path": "/claims/1", "status": 418 }]);
            let id = begun(&json!({ "drain": "0s", "verification": { "probes": probes } }));
            eventually("closed", || is(&id, State::Closed).then_some(()));
            done(node, &id, "end");
            id
        }
        State::Reopening => {
            let id = begun(&json!({ "drain": "0s", "ramp": { "over": "1h" } }));
            eventually("closed", || is(&id, State::Closed).then_some(()));
            done(node, &id, "end");
            id
        }
        State::Ended => {
            let id = switch(node, &json!({}));
            done(node, &id, "end");
            id
        }
        State::Cancelled => {
            let id = planned();
            done(node, &id, "cancel");
            id
        }
    };
    eventually(state.name(), || is(&id, state).then_some(()));
    id
}

/// An action as the table knows it, and as operators ask for it: method, end of the path, body.
struct Action {
    event: Event,
    method: &'static str,
    end: &'static str,
    body: Value,
}

fn action(name: &str, window: &Window) -> Action {
    let post = |event, end, body| Action { event, method: "POST", end, body };
    let later = window.plan.starts.plus(Duration::from_secs(365 * 86_400));
    match name {
        "start" => post(Event::Begin, "/start", json!({})),
        "amend" => amendment(window, &["claims"]),
        // What is under way on claims stays in the scope, so that what drains again goes on to.
        "amend to more" => amendment(window, &["claims", "quotes"]),
        "extend" => post(Event::Extend(None), "/extend", json!({ "until": null })),
        "extend to later" => {
            post(Event::Extend(Some(later)), "/extend", json!({ "until": later.to_string() }))
        }
        "end" => post(Event::End(Checks::Planned), "/end", json!({})),
        "end unchecked" => {
            post(Event::End(Checks::Skipped), "/end", json!({ "skip_checks": true }))
        }
        "cancel" => post(Event::Cancel, "/cancel", json!({})),
        other => panic!("{other}"),
    }
}

/// Another reason, a later end, and these routes.
fn amendment(window: &Window, routes: &[&str]) -> Action {
    let Window { mut scope, mode, plan, .. } = window.clone();
    scope.routes = Selection::of(routes.iter().map(ToString::to_string));
    let texts = Texts { reason: "disks".to_owned(), ..window.texts.clone() };
    let more = json!({ "routes": routes, "drain": "1h", "texts": { "reason": "disks" } });
    let mut told = phase(&more);
    if window.began.is_none() {
        told["starts"] = json!("2030-03-04T16:00:00Z");
    }
    let promised_end = Some(plan.starts.plus(Duration::from_secs(3_600)));
    let plan = Plan { drain: Duration::from_secs(3_600), ..plan };
    let event = Event::Amend(Box::new(Order { scope, mode, texts, promised_end, plan }));
    Action { event, method: "PUT", end: "", body: json!({ "window": told }) }
}

/// Asks for the action, rehearsed and then meant, and holds the answers against the table. Tells
/// whether the table allows it: if not, the window is as it was.
fn hold_against_the_table(node: &Node, id: &str, name: &str) -> bool {
    let (before, shown) = window(node, id);
    let state = before.state.name();
    let told = format!("{name} of what is {state}");
    let author = Author { by: "ops".to_owned(), why: String::new() };
    let Action { event, method, end, body } = action(name, &before);
    let step = before.clone().step(&event, &author, Clock::System.now());
    for (query, rehearsed) in [("?dry_run=true", true), ("", false)] {
        let line = format!("{method} /api/v1/windows/{id}{end}{query}");
        let answer = node.with(TOKEN, &line, "If-Match: *\r\n", &body.to_string());
        let status = answer.status();
        let answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
        match &step {
            Ok(step) if !rehearsed => {
                let after = step.as_ref().map_or(state, |step| step.window.state.name());
                assert_eq!((status, &answer["window"]["state"]), (200, &json!(after)), "{told}");
            }
            Ok(_) => assert_eq!(status, 200, "{told}{query}: {answer}"),
            Err(_) => {
                assert_eq!(
                    (status, &answer["code"]),
                    (409, &json!("wrong_state")),
                    "{told}{query}"
                );
                assert_eq!(answer["state"], state, "{told}: {answer}");
                let detail = answer["detail"].as_str().expect("a sentence");
                assert!(detail.contains(state), "{told}: {detail}");
            }
        }
        if rehearsed || step.is_err() {
            let (after, now) = window(node, id);
            let as_before = (before.version, before.state);
            assert_eq!((after.version, after.state), as_before, "{told}{query}");
            for member in ["promised_end", "texts", "scope"] {
                assert_eq!(now[member], shown[member], "{told}{query}: {member}");
            }
        }
    }
    step.is_ok()
}

/// Leaves nothing closed or planned.
fn clear(node: &Node) {
    let open = node.operator("GET /api/v1/windows?state=live", "").1;
    for window in open["items"].as_array().into_iter().flatten() {
        let id = window["id"].as_str().expect("an id");
        let began = !window["began"].is_null();
        let (how, body) = if began { ("end", r#"{"skip_checks":true}"#) } else { ("cancel", "{}") };
        node.operator(&format!("POST /api/v1/windows/{id}/{how}"), body);
    }
}

#[test]
fn what_the_table_forbids_is_a_conflict_that_names_the_state() {
    let node = node();
    // Something is under way for ever, so that what drains goes on to.
    let mut visitor = raw::Raw::connect(node.visitors());
    visitor.send("GET /claims/slow HTTP/1.1\r\nHost: eu.localhost\r\n\r\n");
    node.origin.wait_for(1);
    let (mut legal, mut illegal) = (0, 0);
    for state in State::ALL {
        let mut id = None;
        for name in ACTIONS {
            let this = id.take().unwrap_or_else(|| reach(&node, state));
            if hold_against_the_table(&node, &this, name) {
                legal += 1;
                clear(&node);
            } else {
                illegal += 1;
                id = Some(this);
            }
        }
        clear(&node);
    }
    assert!(legal >= 30 && illegal >= 30, "{legal} legal, {illegal} not");
    assert_eq!(legal + illegal, State::ALL.len() * ACTIONS.len());
}
