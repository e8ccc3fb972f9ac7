//! What becomes of requests in flight when the time to drain is over.

use super::stage::{Browser, Stage, URLENCODED, saved_as};
use crate::support::eventually;
use crate::support::origin::{Act, Origin, ok};
use crate::support::raw::Raw;

/// An application that answers nothing before it is released, but for the half of `/half`.
fn slow() -> Stage {
    let held = ok("done at last");
    let origin = Origin::acting(move |request| match request.target() {
        "/half" => Act::Hold(held[..held.len() - 4].into(), held[held.len() - 4..].into()),
        _ => Act::Hold(Vec::new(), held.clone()),
    });
    Stage::with_forms(origin, "resume = \"replay\"\ntee = true")
}

fn get(browser: &Browser, path: &str) -> Raw {
    let mut client = browser.connect();
    client.send(browser.head("GET", path) + "\r\n");
    client
}

fn post(browser: &Browser) -> Raw {
    let mut client = browser.connect();
    let head = browser.post_head("/claims", URLENCODED);
    client.send(format!("{head}content-length: 8\r\n\r\nname=Ana"));
    client
}

/// Closes the place, and waits until the time to drain is over.
fn closed_by(stage: &Stage, action: &str) {
    stage.close_as(&format!(r#""drain":"300ms","drain_action":"{action}""#));
    eventually("the window is closed", || {
        stage.status().contains("\"state\":\"closed\"").then_some(())
    });
}

#[test]
fn a_form_at_hand_becomes_a_receipt_and_all_else_finishes() {
    let stage = slow();
    let mut browser = stage.browser();
    let (mut reading, mut sending) = (get(&browser, "/slow"), post(&browser));
    stage.origin.wait_for(2);
    closed_by(&stage, "capture");
    let answer = sending.response();
    browser.take_cookies(&answer);
    let receipt = saved_as(&answer, "unknown");
    assert!(browser.get(&receipt).text().contains("Ana"));
    stage.origin.release();
    assert_eq!(reading.response().text(), "done at last");
}

#[test]
fn whoever_is_left_is_cut_off_where_the_window_says_so() {
    let stage = slow();
    let mut browser = stage.browser();
    let (mut reading, mut sending) = (get(&browser, "/slow"), post(&browser));
    let mut half = get(&browser, "/half");
    stage.origin.wait_for(3);
    closed_by(&stage, "close");
    let cut = reading.response();
    assert_eq!((cut.status(), cut.field("retry-after").is_some()), (503, true));
    let answer = sending.response();
    browser.take_cookies(&answer);
    saved_as(&answer, "unknown");
    let half = half.rest();
    assert!(half.starts_with(b"HTTP/1.1 200") && half.ends_with(b"done at "), "{half:?}");
}

#[test]
fn by_itself_a_window_cuts_nobody_off() {
    let stage = slow();
    let browser = stage.browser();
    let (mut reading, mut sending) = (get(&browser, "/slow"), post(&browser));
    let mut half = get(&browser, "/half");
    stage.origin.wait_for(3);
    closed_by(&stage, "finish");
    stage.origin.release();
    for client in [&mut reading, &mut sending, &mut half] {
        assert_eq!(client.response().text(), "done at last");
    }
}

#[test]
fn what_a_window_lets_pass_it_does_not_cut_off() {
    let stage = slow();
    let order = r#""mode":"read_only","drain":"0s","drain_action":"close""#;
    stage.close_as(order);
    eventually("the window is closed", || {
        stage.status().contains("\"state\":\"closed\"").then_some(())
    });
    let browser = stage.browser();
    let mut reading = get(&browser, "/slow");
    stage.origin.wait_for(1);
    stage.origin.release();
    assert_eq!(reading.response().text(), "done at last");
}
