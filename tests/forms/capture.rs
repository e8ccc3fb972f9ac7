//! What is kept, and what is honestly not.

use intermission::limit;

use super::stage::{Stage, URLENCODED, saved};
use crate::support::eventually;
use crate::support::origin::Origin;
use crate::support::raw::exchange;

const MULTIPART: &str = "multipart/form-data; boundary=b0undary";

fn closed() -> Stage {
    let stage = Stage::replaying(Origin::untouched());
    stage.close();
    stage
}

#[test]
fn a_form_to_a_closed_place_is_kept_and_answered_with_its_receipt() {
    let stage = closed();
    let mut browser = stage.browser();
    let answer = browser.post("/claims?id=7", "name=Ana+K");
    let receipt = saved(&answer);
    let cookie = answer.field("set-cookie").expect("a key for the browser");
    assert!(cookie.starts_with("intermission=v1."), "{cookie}");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let page = browser.get(&receipt);
    assert_eq!((page.status(), page.field("intermission-state")), (200, Some("held")));
    assert!(page.text().contains("Ana K"), "{}", page.text());
    assert!(!page.text().contains("intermission_ticket"), "it cannot be sent while it is closed");
    assert_eq!(page.field("referrer-policy"), Some("same-origin"));
    assert_eq!(page.field("cache-control"), Some("no-store"));
    assert!(page.field("content-security-policy").is_some());
}

#[test]
fn a_double_click_is_one_submission() {
    let stage = closed();
    let mut browser = stage.browser();
    let first = browser.save("/claims", "name=Ana");
    assert_eq!(browser.save("/claims", "name=Ana"), first);
    assert_ne!(browser.save("/claims", "name=Bea"), first);
    let list = browser.get("/.intermission/s").text();
    assert_eq!(list.matches("href=\"/.intermission/s/").count(), 2, "{list}");
}

#[track_caller]
fn not_kept(stage: &Stage, content_type: &str, body: &[u8], reason: &str) {
    let mut browser = stage.browser();
    let answer = browser.post_as("/claims", content_type, body);
    assert_eq!(answer.status(), 503, "{reason}");
    let state = format!("closed;saved=?0;reason={reason}");
    assert_eq!(answer.field("intermission-state"), Some(state.as_str()));
    assert_eq!(answer.field("set-cookie"), None);
    assert!(answer.field("retry-after").is_some());
    assert!(answer.text().contains("not saved"), "{}", answer.text());
}

#[test]
fn secrets_are_never_kept() {
    let mut stage = closed();
    not_kept(&stage, URLENCODED, b"user=CANARYuser&password=CANARYsecret", "secret");
    not_kept(&stage, URLENCODED, b"otp=123456", "secret");
    not_kept(&stage, URLENCODED, b"reference=4111+1111+1111+1111", "secret");
    let mut upload =
        b"--b0undary\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n"
            .to_vec();
    upload.extend(b"CANARYfile ".iter().cycle().take(3 * limit::FRAME_BYTES));
    upload.extend_from_slice(b"\r\n--b0undary\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nx\r\n--b0undary--\r\n");
    not_kept(&stage, MULTIPART, &upload, "secret");
    stage.stop();
    assert!(!stage.stores("CANARY"));
}

#[test]
fn what_was_typed_is_not_in_the_store() {
    let mut stage = closed();
    let mut browser = stage.browser();
    browser.save("/claims?CANARYquery", "CANARYname=CANARYvalue");
    let key = browser.cookies["intermission"].rsplit('.').next().expect("a secret").to_owned();
    stage.stop();
    assert!(!stage.stores("CANARY"));
    assert!(!stage.stores(&key));
}

#[test]
fn what_is_too_large_or_broken_is_not_kept() {
    let stage = Stage::with_forms(Origin::untouched(), "body_bytes_max = \"4KiB\"");
    stage.close();
    let long = format!("a={}", "x".repeat(5000));
    not_kept(&stage, URLENCODED, long.as_bytes(), "size");
    not_kept(&stage, URLENCODED, "a=1&".repeat(1001).as_bytes(), "size");
    not_kept(&stage, MULTIPART, b"--b0undary\r\nno form\r\n", "broken");
    not_kept(&stage, "multipart/form-data", b"x", "broken");
    not_kept(&stage, "application/json", b"{}", "type");
}

#[test]
fn posts_of_other_sites_and_of_programs_are_not_kept() {
    let stage = closed();
    let port = stage.address().port();
    let post = |fields: &str| {
        exchange(
            stage.address(),
            format!(
                "POST /claims HTTP/1.1\r\nhost: localhost:{port}\r\naccept: text/html\r\n{fields}\
                 content-type: {URLENCODED}\r\ncontent-length: 3\r\n\r\na=1"
            ),
        )
    };
    let evil =
        "origin: http://evil.example\r\nsec-fetch-site: cross-site\r\nsec-fetch-mode: navigate\r\n";
    let answer = post(evil);
    assert_eq!(answer.field("intermission-state"), Some("closed;saved=?0;reason=origin"));
    assert_eq!(post("").field("intermission-state"), Some("closed;saved=?0;reason=origin"));
    let own = format!("origin: http://localhost:{port}\r\nx-requested-with: XMLHttpRequest\r\n");
    let answer = post(&own);
    assert_eq!(answer.field("intermission-state"), Some("closed;saved=?0;reason=type"));
}

#[test]
fn a_client_that_waits_for_100_is_asked_for_a_form_only_if_it_is_wanted() {
    let stage = closed();
    let browser = stage.browser();
    let head = |content_type: &str, length: u64| {
        let head = browser.post_head("/claims", content_type);
        format!("{head}expect: 100-continue\r\ncontent-length: {length}\r\n\r\n")
    };
    let mut wanted = browser.connect();
    wanted.send(head(URLENCODED, 3));
    assert_eq!(wanted.any_response().status(), 100);
    wanted.send("a=1");
    saved(&wanted.any_response());
    let mut unwanted = browser.connect();
    unwanted.send(head(URLENCODED, limit::FORM_BYTES_MAX + 1));
    let answer = unwanted.any_response();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.field("intermission-state"), Some("closed;saved=?0;reason=size"));
}

#[test]
fn a_browser_keeps_no_more_than_its_share() {
    let stage = closed();
    let mut browser = stage.browser();
    for number in 0..limit::SUBMISSIONS_PER_BROWSER_MAX {
        browser.save("/claims", &format!("n={number}"));
    }
    let answer = browser.post("/claims", "n=more");
    assert_eq!(answer.field("intermission-state"), Some("closed;saved=?0;reason=quota"));
}

#[test]
fn a_client_that_vanishes_in_the_middle_leaves_nothing() {
    let stage = closed();
    let mut browser = stage.browser();
    browser.save("/claims", "first=1");
    let head = browser.post_head("/claims", URLENCODED);
    let mut half = browser.connect();
    half.send(format!("{head}content-length: 200000\r\n\r\na={}", "x".repeat(150_000)));
    half.reset();
    let mut chunked = browser.connect();
    chunked.send(format!("{head}transfer-encoding: chunked\r\n\r\n3\r\na=1\r\n"));
    chunked.finish();
    let _ = chunked.rest();
    let list = eventually("an answered list", || {
        Some(browser.get("/.intermission/s")).filter(|answer| answer.status() == 200)
    });
    assert_eq!(list.text().matches("href=\"/.intermission/s/").count(), 1);
}

#[test]
fn a_route_that_keeps_nothing_says_so() {
    let stage = Stage::with_forms(Origin::untouched(), "keep = false");
    stage.close();
    not_kept(&stage, URLENCODED, b"a=1", "policy");
}
