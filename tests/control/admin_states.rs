//! The states × events table as operators meet it: each state reached by nothing but the API, each
//! action asked for there. What the table forbids is a 409 that names the state, and changes
//! nothing.

use intermission::clock::Clock;
use intermission::window::state::{Author, Checks, Event, State, Window};
use serde_json::{Value, json};

use super::node::Node;
use crate::support::origin::{Act, Origin, ok};
use crate::support::{eventually, raw};

/// What an operator can do to a window as it is.
const ACTIONS: [&str; 4] = ["start", "extend", "end", "cancel"];

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
            let soon = Clock::System.now().plus(std::time::Duration::from_secs(1));
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

fn event(action: &str) -> Event {
    match action {
        "start" => Event::Begin,
        "extend" => Event::Extend(None),
        "end" => Event::End(Checks::Planned),
        "cancel" => Event::Cancel,
        other => panic!("{other}"),
    }
}

/// Asks for the action, rehearsed and then meant, and holds the answers against the table.
fn hold_against_the_table(node: &Node, state: State, action: &str) -> bool {
    let told = format!("{action} of what is {}", state.name());
    let id = reach(node, state);
    let (before, shown) = window(node, &id);
    let author = Author { by: "ops".to_owned(), why: String::new() };
    let step = before.clone().step(&event(action), &author, Clock::System.now());
    // An end that says what holds already is not an error of the table's.
    let is_legal = matches!(&step, Ok(Some(_)));
    let body = if action == "extend" { r#"{"until":null}"# } else { "{}" };
    for (query, rehearsed) in [("?dry_run=true", true), ("", false)] {
        let line = format!("POST /api/v1/windows/{id}/{action}{query}");
        let (status, answer) = node.operator(&line, body);
        let may = is_legal || (rehearsed && step.is_ok());
        assert_eq!(status, if may { 200 } else { 409 }, "{told}{query}: {answer}");
        if !may {
            assert_eq!(answer["code"], "wrong_state", "{told}: {answer}");
            assert_eq!(answer["state"], state.name(), "{told}: {answer}");
            let detail = answer["detail"].as_str().expect("a sentence");
            assert!(detail.contains(state.name()), "{told}: {detail}");
        }
        if !may || rehearsed {
            let (after, now) = window(node, &id);
            assert_eq!((after.version, after.state), (before.version, state), "{told}{query}");
            assert_eq!(now["promised_end"], shown["promised_end"], "{told}{query}");
        }
    }
    let open = node.operator("GET /api/v1/windows?state=live", "").1;
    for window in open["items"].as_array().into_iter().flatten() {
        let id = window["id"].as_str().expect("an id");
        let began = !window["began"].is_null();
        let (how, body) = if began { ("end", r#"{"skip_checks":true}"#) } else { ("cancel", "{}") };
        node.operator(&format!("POST /api/v1/windows/{id}/{how}"), body);
    }
    is_legal
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
        for action in ACTIONS {
            match hold_against_the_table(&node, state, action) {
                true => legal += 1,
                false => illegal += 1,
            }
        }
    }
    assert!(legal >= 12 && illegal >= 12, "{legal} legal, {illegal} not");
    assert_eq!(legal + illegal, State::ALL.len() * ACTIONS.len());
}
