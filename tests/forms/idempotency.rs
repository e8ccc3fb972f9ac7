//! One key on every attempt.

use std::sync::Mutex;

use super::stage::{Stage, URLENCODED, saved, saved_as};
use crate::support::origin::{Act, Origin, answer, ok};

const HONOURED: &str = "resume = \"replay\"\ntee = true\nidempotency_key = true";

/// Answers only what is sent for the second time or later.
fn forgetful() -> Origin {
    Origin::acting(|request| match request.field("intermission-resumed") {
        None => Act::SendAndReset(Vec::new()),
        Some(_) => Act::Send(ok("taken")),
    })
}

#[test]
fn what_may_have_arrived_goes_again_under_the_same_key_without_a_question() {
    let stage = Stage::with_forms(forgetful(), HONOURED);
    let mut browser = stage.browser();
    let receipt = saved_as(&browser.post("/claims", "name=Ana"), "unknown");
    let page = browser.get(&receipt).text();
    assert!(!page.contains("type=\"checkbox\""), "{page}");
    assert!(page.contains("takes them only once"), "{page}");
    let form = browser.form(&receipt).replace("&checked=yes", "");
    let (path, form) = browser.press(&receipt, &form);
    assert_eq!(browser.post(&path, &form).text(), "taken");
    let keys: Vec<_> = stage.origin.requests().iter().map(key).collect();
    let [first, second] = &keys[..] else { panic!("{keys:?}") };
    assert_eq!(first, second);
    assert!(first.starts_with('"') && first.ends_with('"') && first.len() > 20, "{first}");
}

fn key(request: &crate::support::http1::Message) -> String {
    request.field("idempotency-key").unwrap_or("none").to_owned()
}

#[test]
fn a_form_captured_while_closed_has_one_key_and_each_form_its_own() {
    let stage = Stage::with_forms(Origin::replying("taken"), HONOURED);
    let mut browser = stage.browser();
    stage.close();
    let receipts = ["name=Ana", "name=Bea"].map(|form| browser.save("/claims", form));
    stage.reopen();
    receipts.iter().for_each(|receipt| assert_eq!(browser.send(receipt).status(), 200));
    let keys: Vec<_> = stage.origin.requests().iter().map(key).collect();
    assert_ne!(keys[0], keys[1]);
    assert!(keys.iter().all(|key| key.starts_with('"')), "{keys:?}");
}

#[test]
fn a_route_that_does_not_say_so_gets_no_key_and_asks() {
    let stage = Stage::with_forms(forgetful(), "resume = \"replay\"\ntee = true");
    let mut browser = stage.browser();
    let receipt = saved_as(&browser.post("/claims", "name=Ana"), "unknown");
    assert!(browser.get(&receipt).text().contains("type=\"checkbox\""));
    assert_eq!(browser.send(&receipt).text(), "taken");
    assert!(stage.origin.requests().iter().all(|request| key(request) == "none"));
}

#[test]
fn a_clients_own_key_is_the_one_that_goes() {
    let stage = Stage::with_forms(Origin::replying("taken"), HONOURED);
    let mut browser = stage.browser();
    stage.close();
    let head = browser.post_head("/claims", URLENCODED) + "idempotency-key: \"mine-1\"\r\n";
    let receipt =
        saved(&browser.exchange(format!("{head}content-length: 3\r\n\r\na=1").as_bytes()));
    stage.reopen();
    assert_eq!(browser.send(&receipt).text(), "taken");
    assert_eq!(key(&stage.origin.requests()[0]), "\"mine-1\"");
    assert!(!stage.stores("mine-1"), "it is sealed like the rest");
}

/// An application that knows requests by their key, as the draft says: what it has answered it
/// answers again, and another payload under the same key is refused. Its first answer is lost.
fn keeping_the_draft(first: &'static str) -> Origin {
    let known: Mutex<Vec<(String, String)>> = Mutex::default();
    Origin::acting(move |request| {
        if request.method() == "GET" {
            let fresh = known.lock().expect("unpoisoned").len();
            let page = format!(
                r#"<form method="post" action="/claims"><input type="hidden" name="csrf_token" value="fresh-{fresh}-{}">"#,
                request.field("cookie").map_or(0, str::len)
            );
            return Act::Send(answer("200 OK", &[("content-type", "text/html")], page));
        }
        let mut known = known.lock().expect("unpoisoned");
        let (key, body) = (key(request), request.text());
        let before = known.iter().find(|(before, _)| *before == key).cloned();
        known.push((key, body.clone()));
        match (before, first) {
            (None, "lost") => Act::SendAndReset(Vec::new()),
            (None, status) if known.len() == 1 => Act::Send(answer(status, &[], "no")),
            (None, _) => Act::Send(ok("taken")),
            (Some((_, other)), _) if other != body => Act::Send(answer("422 Other", &[], "reused")),
            (Some(_), "lost") => Act::Send(ok("taken, as I said")),
            (Some(_), status) => Act::Send(answer(status, &[], "no, as I said")),
        }
    })
}

const CONFIRMED: &str = "resume = \"confirm\"\nidempotency_key = true";

#[test]
fn what_may_have_arrived_goes_again_byte_for_byte_under_its_key() {
    let stage = Stage::with_forms(keeping_the_draft("lost"), CONFIRMED);
    let mut browser = stage.browser();
    stage.close();
    let receipt = browser.save("/claims", "csrf_token=stale&name=Ana");
    stage.reopen();
    browser.send(&receipt);
    assert_eq!(browser.state(&receipt), "unknown");
    // A page asked for now would have another token.
    browser.cookies.insert("session".into(), "another".into());
    assert_eq!(browser.send(&receipt).text(), "taken, as I said");
    let posts: Vec<_> =
        stage.origin.requests().into_iter().filter(|request| request.method() == "POST").collect();
    let [first, second] = &posts[..] else { panic!("{posts:?}") };
    assert_eq!((key(first), first.text()), (key(second), second.text()));
    assert!(first.text().starts_with("csrf_token=fresh-"), "the first had a fresh one");
    assert_eq!(browser.state(&receipt), "accepted");
    assert!(!stage.stores("fresh-"), "what is remembered of it is sealed");
}

#[test]
fn a_refusal_uses_a_key_up_and_the_next_attempt_has_its_own() {
    let stage = Stage::with_forms(keeping_the_draft("403 Forbidden"), CONFIRMED);
    let mut browser = stage.browser();
    stage.close();
    let receipt = browser.save("/claims", "csrf_token=stale&name=Ana");
    stage.reopen();
    browser.send(&receipt);
    assert_eq!(browser.state(&receipt), "refused");
    assert_eq!(browser.send(&receipt).text(), "taken");
    let posts: Vec<_> =
        stage.origin.requests().into_iter().filter(|request| request.method() == "POST").collect();
    let [first, second] = &posts[..] else { panic!("{posts:?}") };
    let ours = key(first).trim_matches('"').to_owned();
    assert_eq!(key(second), format!("\"{ours}-2\""));
    assert_ne!(first.text(), second.text(), "with a token that was fresh then");
    assert_eq!(browser.state(&receipt), "accepted");
}

#[test]
fn a_repetition_that_meets_the_first_still_under_way_leaves_it_in_doubt() {
    let stage = Stage::with_forms(
        Origin::acting(|request| match request.field("intermission-resumed") {
            None => Act::SendAndReset(Vec::new()),
            Some(_) => Act::Send(answer("409 Conflict", &[], "still at it")),
        }),
        HONOURED,
    );
    let mut browser = stage.browser();
    let receipt = saved_as(&browser.post("/claims", "name=Ana"), "unknown");
    assert_eq!(browser.send(&receipt).text(), "still at it", "the application's own words");
    assert_eq!(browser.state(&receipt), "unknown", "nobody may believe that it did not arrive");
    // The control: a first send that is answered so was not taken.
    stage.close();
    let receipt = browser.save("/claims", "name=Bea");
    stage.reopen();
    browser.send(&receipt);
    assert_eq!(browser.state(&receipt), "refused");
}
