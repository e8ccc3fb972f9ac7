//! Programs at a closed place: what they sent is kept, and they send it on themselves.

use std::net::SocketAddr;

use super::stage::Stage;
use crate::support::eventually;
use crate::support::http1::Message;
use crate::support::origin::{Act, Origin, answer, ok};
use crate::support::raw::{Raw, exchange};

const ORDER: &str = r#"{"order": {"item": "CANARYbook", "count": 2}}"#;

/// A program that talks JSON.
struct Program {
    to: SocketAddr,
    fields: String,
}

impl Program {
    fn at(stage: &Stage) -> Self {
        let fields = "authorization: Bearer CANARYtoken\r\naccept: application/json\r\n".to_owned();
        Self { to: stage.address(), fields }
    }

    fn head(&self, method: &str, path: &str, more: &str, length: usize) -> String {
        let Self { to, fields } = self;
        let port = to.port();
        format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost:{port}\r\n{fields}{more}\
             content-length: {length}\r\n\r\n"
        )
    }

    fn ask(&self, method: &str, path: &str, more: &str, body: &str) -> Message {
        exchange(self.to, self.head(method, path, more, body.len()) + body)
    }

    fn post(&self, more: &str, body: &str) -> Message {
        let more = format!("content-type: application/json\r\n{more}");
        self.ask("POST", "/api/orders?dry=no", &more, body)
    }

    /// Leaves an order; gives the address where its status is told.
    #[track_caller]
    fn leave(&self, more: &str, body: &str) -> String {
        let told = self.post(&format!("prefer: respond-async\r\n{more}"), body);
        assert_eq!(told.status(), 202, "{}", told.text());
        assert_eq!(told.field("preference-applied"), Some("respond-async"));
        assert_eq!(told.field("set-cookie"), None);
        assert!(told.field("retry-after").is_some());
        told.field("location").expect("where its status is").to_owned()
    }

    fn status(&self, address: &str) -> serde_json::Value {
        let told = self.ask("GET", address, "", "");
        serde_json::from_slice(&told.body).unwrap_or_else(|_| panic!("no JSON: {}", told.text()))
    }

    /// Sends on what was kept, as its status says.
    #[track_caller]
    fn resume(&self, status: &serde_json::Value, leave_out: &str) -> Message {
        let resume = &status["resume"];
        let url = resume["url"].as_str().expect("an address");
        let path = url.splitn(4, '/').nth(3).expect("a path");
        let mut more = String::new();
        for (name, value) in resume["headers"].as_object().expect("fields") {
            if name != leave_out {
                more += &format!("{name}: {}\r\n", value.as_str().expect("text"));
            }
        }
        self.ask(resume["method"].as_str().expect("a method"), &format!("/{path}"), &more, "")
    }
}

fn closed(origin: Origin) -> Stage {
    let stage = Stage::replaying(origin);
    stage.close();
    stage
}

#[test]
fn what_a_program_sent_is_kept_and_sent_on_by_the_program() {
    let mut stage = closed(Origin::acting(|_| Act::Send(answer("201 Created", &[], "made"))));
    let program = Program::at(&stage);
    let address = program.leave("", ORDER);
    let waiting = program.status(&address);
    assert_eq!((&waiting["state"], &waiting["closed"]), (&"held".into(), &true.into()));
    assert!(waiting["resume"].is_null(), "it is closed: {waiting}");
    stage.reopen();
    let ready = program.status(&address);
    let sent = program.resume(&ready, "");
    assert_eq!((sent.status(), sent.text().as_str()), (201, "made"));
    let [request] = &stage.origin.requests()[..] else { panic!("sent once") };
    assert_eq!((request.method(), request.target()), ("POST", "/api/orders?dry=no"));
    assert_eq!(request.text(), ORDER);
    assert_eq!(request.field("content-type"), Some("application/json"));
    assert_eq!(request.field("authorization"), Some("Bearer CANARYtoken"));
    assert_eq!(request.field("intermission-ticket"), None);
    let done = program.status(&address);
    assert_eq!((&done["state"], &done["answer"]), (&"accepted".into(), &201.into()));
    // The same ticket again sends nothing.
    assert_eq!(program.resume(&ready, "").status(), 409);
    assert_eq!(stage.origin.requests().len(), 1);
    stage.stop();
    assert!(!stage.stores("CANARY"), "neither body nor credentials are in the store");
    let capability = address.rsplit('/').next().expect("a capability");
    assert!(!stage.stores(capability));
}

#[test]
fn whoever_asks_for_nothing_is_told_that_nothing_was_kept() {
    let stage = closed(Origin::untouched());
    let program = Program::at(&stage);
    let told = program.post("", ORDER);
    assert_eq!(told.status(), 503);
    assert_eq!(told.field("content-type"), Some("application/problem+json"));
    assert!(told.field("retry-after").is_some(), "webhooks try again by themselves");
    assert!(told.text().contains("\"saved\":false"), "{}", told.text());
    let refusing = Stage::with_forms(Origin::untouched(), "programs = \"refuse\"");
    refusing.close();
    let told = Program::at(&refusing).post("prefer: respond-async\r\n", ORDER);
    assert_eq!((told.status(), told.field("preference-applied")), (503, None));
    let keeping = Stage::with_forms(Origin::untouched(), "programs = \"keep\"");
    keeping.close();
    let told = Program::at(&keeping).post("", ORDER);
    assert_eq!((told.status(), told.field("preference-applied")), (202, None));
}

#[test]
fn secrets_and_pages_of_other_sites_leave_nothing() {
    let mut stage = closed(Origin::untouched());
    let program = Program::at(&stage);
    for body in [
        r#"{"user": {"pass\u0077ord": "CANARYsecret"}}"#,
        r#"{"password": {"value": "CANARYsecret"}}"#,
        r#"{"note": "CANARY 4111 1111 1111 1111"}"#,
        r#"{"cards": [4111111111111111]}"#,
    ] {
        let told = program.post("prefer: respond-async\r\n", body);
        assert_eq!(told.status(), 503, "{body}");
        assert_eq!(told.field("intermission-state"), Some("closed;saved=?0;reason=secret"));
    }
    let told = program.post("prefer: respond-async\r\n", "{\"a\":");
    assert_eq!(told.field("intermission-state"), Some("closed;saved=?0;reason=broken"));
    let foreign = "prefer: respond-async\r\norigin: http://evil.example\r\n";
    assert_eq!(program.post(foreign, ORDER).status(), 503);
    assert!(stage.status().contains("\"submissions\":{}"), "{}", stage.status());
    stage.stop();
    assert!(!stage.stores("CANARY"));
    let small = Stage::with_forms(Origin::untouched(), "body_bytes_max = \"4KiB\"");
    small.close();
    let body = format!("[{}1]", "1,".repeat(2500));
    let told = Program::at(&small).post("prefer: respond-async\r\n", &body);
    assert_eq!(told.field("intermission-state"), Some("closed;saved=?0;reason=size"));
}

#[test]
fn a_name_that_its_client_gave_makes_two_requests_one() {
    let stage = closed(Origin::replying("made"));
    let program = Program::at(&stage);
    let named = "idempotency-key: \"8e03978e\"\r\n";
    let address = program.leave(named, ORDER);
    assert_eq!(program.leave(named, ORDER), address);
    let other = program.post(&format!("prefer: respond-async\r\n{named}"), "{}");
    assert_eq!(other.status(), 422, "{}", other.text());
    // Somebody else's of the same name is not its.
    let fields = program.fields.replace("CANARYtoken", "CANARYother");
    let stranger = Program { fields, ..Program::at(&stage) };
    assert_ne!(stranger.leave(named, ORDER), address);
    // One that is still arriving keeps the name.
    let late = "idempotency-key: \"late\"\r\n";
    let more = format!(
        "content-type: application/json\r\nprefer: respond-async\r\nexpect: 100-continue\r\n{late}"
    );
    let mut first = Raw::connect(stage.address());
    first.send(program.head("POST", "/api/orders?dry=no", &more, ORDER.len()));
    // Whose body is waited for has its name.
    assert_eq!(first.any_response().status(), 100);
    let told = program.post(&format!("prefer: respond-async\r\n{late}"), "{} ");
    assert_eq!(told.status(), 409, "{}", told.text());
    first.send(ORDER);
    assert_eq!(first.response().status(), 202);
    stage.reopen();
    assert_eq!(program.resume(&program.status(&address), "").text(), "made");
    let request = &stage.origin.requests()[0];
    assert_eq!(request.field("idempotency-key"), Some("\"8e03978e\""));
    assert_eq!(program.status(&address)["state"], "accepted");
}

#[test]
fn a_name_is_known_though_the_nodes_key_was_replaced_meanwhile() {
    let stage = closed(Origin::replying("made"));
    let program = Program::at(&stage);
    let named = "idempotency-key: \"8e03978e\"\r\n";
    let address = program.leave(named, ORDER);
    for _ in 0..2 {
        let turned = stage.ask("POST", "/api/v1/store/keys", "{}");
        assert_eq!(turned.status(), 200, "{}", turned.text());
        assert_eq!(program.leave(named, ORDER), address, "one request, one submission");
        let other = program.post(&format!("prefer: respond-async\r\n{named}"), "{}");
        assert_eq!(other.status(), 422, "{}", other.text());
        // The new key counts what the former ones wrap when it is asked about, and wraps it anew.
        eventually("the former key to be free", || {
            let told = stage.ask("GET", "/api/v1/store/keys", "").text();
            told.contains("\"left\":0").then_some(())
        });
    }
    assert_ne!(program.leave("idempotency-key: \"other\"\r\n", ORDER), address);
}

#[test]
fn what_may_have_arrived_goes_again_only_after_a_look() {
    let fail = |request: &Message| match request.field("x-try") {
        Some("2") => Act::Send(ok("made")),
        Some(_) | None => Act::SendAndReset(Vec::new()),
    };
    let stage = closed(Origin::acting(fail));
    let program = Program::at(&stage);
    let address = program.leave("", ORDER);
    stage.reopen();
    let lost = program.resume(&program.status(&address), "");
    assert_eq!((lost.status(), lost.field("intermission-state")), (502, Some("unknown")));
    assert_eq!(lost.field("content-location"), Some(&address[..]));
    let unknown = program.status(&address);
    assert_eq!(
        (&unknown["state"], &unknown["resume"]["check_first"]),
        (&"unknown".into(), &true.into())
    );
    assert_eq!(program.resume(&unknown, "Intermission-Checked").status(), 409);
    assert_eq!(stage.origin.requests().len(), 1);
    let fields = format!("{}x-try: 2\r\n", program.fields);
    let second = Program { fields, ..Program::at(&stage) };
    assert_eq!(second.resume(&program.status(&address), "").text(), "made");
}

#[test]
fn nothing_is_sent_to_another_address_or_by_a_stranger() {
    let stage = closed(Origin::untouched());
    let program = Program::at(&stage);
    let address = program.leave("", ORDER);
    let closed = program.status(&address);
    assert!(closed["resume"].is_null());
    let guess = format!("{}AAAA", &address[..address.len() - 4]);
    assert_eq!(program.ask("GET", &guess, "", "").status(), 404);
    assert_eq!(program.ask("DELETE", &guess, "", "").status(), 404);
    stage.reopen();
    let ticket = program.status(&address)["resume"]["headers"]["Intermission-Ticket"].clone();
    let field = format!("intermission-ticket: {}\r\n", ticket.as_str().expect("a ticket"));
    for (method, path) in [("POST", "/api/other"), ("PUT", "/api/orders?dry=no")] {
        assert_eq!(program.ask(method, path, &field, "").status(), 409, "{method} {path}");
    }
    for forged in ["x", "x.y", "AAAA.BBBB"] {
        let field = format!("intermission-ticket: {forged}\r\n");
        assert_eq!(program.ask("POST", "/api/orders?dry=no", &field, "").status(), 410);
    }
    stage.close();
    assert_eq!(program.ask("POST", "/api/orders?dry=no", &field, "").status(), 503);
    assert_eq!(program.status(&address)["state"], "held");
}

#[test]
fn a_program_takes_back_what_it_left() {
    let mut stage = closed(Origin::untouched());
    let program = Program::at(&stage);
    let address = program.leave("", ORDER);
    let wrong = program.ask("POST", &address, "", "");
    assert_eq!((wrong.status(), wrong.field("allow")), (405, Some("GET, HEAD, DELETE")));
    assert_eq!(program.ask("DELETE", &address, "", "").status(), 204);
    let gone = program.ask("GET", &address, "", "");
    assert_eq!(gone.status(), 410);
    assert!(gone.text().contains("discarded"), "{}", gone.text());
    stage.stop();
}

#[test]
fn a_request_without_a_body_is_kept_too() {
    let stage = closed(Origin::replying("gone"));
    let program = Program::at(&stage);
    let told = program.ask("DELETE", "/api/orders/7", "prefer: respond-async\r\n", "");
    assert_eq!(told.status(), 202, "{}", told.text());
    let address = told.field("location").expect("its status").to_owned();
    stage.reopen();
    assert_eq!(program.resume(&program.status(&address), "").text(), "gone");
    let request = &stage.origin.requests()[0];
    assert_eq!((request.method(), request.target()), ("DELETE", "/api/orders/7"));
    assert_eq!((request.field("content-type"), request.body.len()), (None, 0));
}
