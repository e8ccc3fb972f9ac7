//! One key on every attempt.

use super::stage::{Stage, URLENCODED, saved, saved_as};
use crate::support::origin::{Act, Origin, ok};

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
