//! "Save for later": the form that a page has open is kept as if it had been submitted.

use serde_json::Value;

use super::stage::{Browser, Stage, URLENCODED};
use crate::support::http1::Message;
use crate::support::origin::Origin;

const HOLD: &str = "/.intermission/v1/hold";

/// How a hold differs from the usual.
struct Held<'a> {
    form: &'a str,
    more: &'a str,
    kind: &'a str,
    body: &'a str,
}

impl Default for Held<'_> {
    fn default() -> Self {
        Self { form: "/claims?x=1", more: "", kind: URLENCODED, body: "name=Ana" }
    }
}

/// The head that a browser sends with our script's `fetch`.
fn head(browser: &Browser, held: &Held<'_>) -> String {
    let origin = browser.origin();
    let head = browser.head("POST", HOLD);
    let head = head.replace("sec-fetch-mode: navigate", "sec-fetch-mode: cors");
    let head = head.replace("accept: text/html,application/xhtml+xml", "accept: */*");
    let Held { form, more, kind, .. } = held;
    format!(
        "{head}origin: {origin}\r\nreferer: {origin}/form?step=2\r\ncontent-type: {kind}\r\n\
         intermission-form: {form}\r\n{more}"
    )
}

fn hold(browser: &mut Browser, held: &Held<'_>) -> Message {
    let head = head(browser, held);
    let request = format!("{head}content-length: {}\r\n\r\n{}", held.body.len(), held.body);
    browser.exchange(request.as_bytes())
}

#[track_caller]
fn kept(answer: &Message) -> Value {
    assert_eq!(answer.status(), 201, "{}", answer.text());
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    let told: Value = serde_json::from_str(&answer.text()).expect("JSON");
    assert_eq!(told["receipt"].as_str(), answer.field("location"));
    told
}

#[track_caller]
fn assert_refused(answer: &Message, status: u16, reason: &str) {
    assert_eq!((answer.status(), answer.text().contains("\"saved\":false")), (status, true));
    assert_eq!(answer.field("content-type"), Some("application/problem+json"));
    let told: Value = serde_json::from_str(&answer.text()).expect("JSON");
    assert_eq!(
        (told["reason"].as_str(), told["status"].as_u64()),
        (Some(reason), Some(status.into()))
    );
}

#[test]
fn what_is_held_is_sent_like_any_other_form() {
    let stage = Stage::replaying(Origin::replying("applied"));
    stage.close();
    let mut browser = stage.browser();
    let told = kept(&hold(&mut browser, &Held::default()));
    let receipt = told["receipt"].as_str().expect("a receipt").to_owned();
    assert!(told["id"].as_str().is_some_and(|id| receipt.ends_with(id)));
    assert!(
        told["expires"].is_string() && told["reference"].as_str().is_some_and(|r| r.len() >= 9)
    );
    assert_eq!(stage.origin.requests().len(), 0);
    // The same once more, as by a double click, and as the form itself would be submitted.
    let again = kept(&hold(&mut browser, &Held::default()));
    assert_eq!(again["receipt"], told["receipt"]);
    assert_eq!(browser.save("/claims?x=1", "name=Ana"), receipt);
    stage.reopen();
    assert_eq!(browser.send(&receipt).text(), "applied");
    let request = stage.origin.requests().pop().expect("sent");
    assert_eq!((request.method(), request.target()), ("POST", "/claims?x=1"));
    assert_eq!(request.text(), "name=Ana");
    assert!(request.field("referer").is_some_and(|from| from.ends_with("/form?step=2")));
}

#[test]
fn the_page_may_be_told_where_no_referrer_is() {
    let stage = Stage::replaying(Origin::replying("applied"));
    stage.close();
    let mut browser = stage.browser();
    let more = "intermission-page: /claims/new?step=3\r\n";
    let told = kept(&hold(&mut browser, &Held { more, ..Held::default() }));
    let fields = browser.get(&format!("{}/fields", told["receipt"].as_str().expect("one")));
    let fields: Value = serde_json::from_str(&fields.text()).expect("JSON");
    assert_eq!(fields["page"], "/claims/new?step=3");
}

#[test]
fn files_are_held_too() {
    let stage = Stage::replaying(Origin::replying("applied"));
    stage.close();
    let mut browser = stage.browser();
    let body = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n";
    let held = Held { kind: "multipart/form-data; boundary=b", body, ..Held::default() };
    let receipt = kept(&hold(&mut browser, &held))["receipt"].as_str().expect("one").to_owned();
    stage.reopen();
    browser.send(&receipt);
    assert_eq!(stage.origin.requests().pop().expect("sent").text(), body);
}

#[test]
fn nothing_is_held_where_the_form_can_be_sent() {
    let stage = Stage::replaying(Origin::untouched());
    let mut browser = stage.browser();
    assert_refused(&hold(&mut browser, &Held::default()), 409, "open");
    assert!(browser.cookies.is_empty());
}

#[test]
fn what_would_not_be_kept_is_not_held() {
    let forms = "never_kept = [\"iban\"]\nbody_bytes_max = \"16B\"";
    let stage = Stage::with_forms(Origin::untouched(), forms);
    stage.close();
    let mut browser = stage.browser();
    let with = |body| Held { body, ..Held::default() };
    assert_refused(&hold(&mut browser, &with("password=x")), 422, "secret");
    assert_refused(&hold(&mut browser, &with("iban=DE1")), 422, "secret");
    assert_refused(&hold(&mut browser, &with("name=0123456789abc")), 413, "size");
    let json = Held { kind: "application/json", body: "{}", ..Held::default() };
    assert_refused(&hold(&mut browser, &json), 415, "type");
    let broken = Held { kind: "multipart/form-data; boundary=b", body: "no", ..Held::default() };
    assert_refused(&hold(&mut browser, &broken), 400, "broken");
    let stage = Stage::with_forms(Origin::untouched(), "keep = false");
    stage.close();
    assert_refused(&hold(&mut stage.browser(), &Held::default()), 403, "policy");
}

#[test]
fn only_a_page_of_this_site_holds_and_only_for_a_place_of_it() {
    let stage = Stage::replaying(Origin::untouched());
    stage.close();
    let browser = stage.browser();
    let usual = head(&browser, &Held::default());
    let port = browser.origin();
    let doubtful = [
        usual.replace("sec-fetch-site: same-origin", "sec-fetch-site: cross-site"),
        usual.replace(
            &format!("origin: {port}\r\nreferer"),
            "origin: http://evil.example\r\nreferer",
        ),
        // A program, which sends neither.
        usual
            .replace("sec-fetch-site: same-origin\r\n", "")
            .replace(&format!("origin: {port}\r\nreferer: {port}/form?step=2\r\n"), ""),
    ];
    for head in doubtful {
        assert_ne!(head, usual);
        let request = format!("{head}content-length: 3\r\n\r\na=1");
        assert_refused(&browser.clone().exchange(request.as_bytes()), 403, "origin");
    }
    let elsewhere = [
        "https://evil.example/claims",
        "//evil.example/claims",
        "/\\evil.example/claims",
        "claims",
        "",
        "/claims#part",
        "/cl\u{e4}ims",
        "/claims x",
    ];
    for form in elsewhere {
        let answer = hold(&mut browser.clone(), &Held { form, ..Held::default() });
        assert_refused(&answer, 403, "origin");
    }
    for form in ["/.intermission/s", "/a/../.intermission/v1/hold", "/a%2fb"] {
        let answer = hold(&mut browser.clone(), &Held { form, ..Held::default() });
        assert_refused(&answer, 403, "policy");
    }
    let mut reader = stage.browser();
    assert_eq!(reader.get(HOLD).field("allow"), Some("POST"));
}

#[test]
fn a_line_break_in_what_is_told_splits_nothing() {
    let stage = Stage::replaying(Origin::replying("applied"));
    stage.close();
    let mut browser = stage.browser();
    let form = "/claims?x=%0d%0ax-evil:%201";
    let told = kept(&hold(&mut browser, &Held { form, ..Held::default() }));
    let receipt = told["receipt"].as_str().expect("one").to_owned();
    stage.reopen();
    browser.send(&receipt);
    let request = stage.origin.requests().pop().expect("sent");
    assert_eq!(request.target(), form);
    assert_eq!(request.field("x-evil"), None);
}

#[test]
fn who_waits_for_a_go_ahead_is_told_first_what_will_not_be_kept() {
    let stage = Stage::replaying(Origin::untouched());
    stage.close();
    let browser = stage.browser();
    let expects = |form| {
        let more = "expect: 100-continue\r\n";
        let head = head(&browser, &Held { form, more, ..Held::default() });
        let mut client = browser.connect();
        client.send(format!("{head}content-length: 8\r\n\r\n"));
        client
    };
    assert_eq!(expects("//evil.example/").response().status(), 403);
    let mut client = expects("/claims");
    assert_eq!(client.any_response().status(), 100);
    client.send("name=Ana");
    assert_eq!(client.response().status(), 201);
}
