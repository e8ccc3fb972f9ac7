//! The receipt, the list, the download, and who may act.

use super::stage::{Stage, URLENCODED, hidden};
use crate::support::origin::Origin;

#[test]
fn strangers_see_nothing_and_can_do_nothing() {
    let stage = Stage::replaying(Origin::untouched());
    stage.close();
    let mut owner = stage.browser();
    let receipt = owner.save("/claims", "name=Ana");
    let mut without = stage.browser();
    assert_eq!(without.get(&receipt).status(), 404);
    let mut other = stage.browser();
    other.save("/claims", "name=Bea");
    assert_eq!(other.get(&receipt).status(), 404);
    assert_eq!(other.get(&format!("{receipt}/data")).status(), 404);
    for action in ["resume", "discard", "done"] {
        let answer = other.post(&format!("{receipt}/{action}"), "im_csrf=x&mode=replay");
        assert_ne!(answer.status(), 307);
        assert!(answer.status() == 404 || answer.status() == 503, "{action}");
    }
    assert_eq!(owner.state(&receipt), "held");
    assert_eq!(without.get("/.intermission/s").status(), 200);
    assert_eq!(without.get("/.intermission/s/nonsense").status(), 404);
    assert_eq!(without.get("/.intermission/other").status(), 404);
}

#[test]
fn only_a_page_of_this_site_with_a_fresh_token_acts() {
    let stage = Stage::replaying(Origin::untouched());
    stage.close();
    let mut browser = stage.browser();
    let receipt = browser.save("/claims", "name=Ana");
    let page = browser.get(&receipt).text();
    let token = hidden(&page, "im_csrf").expect("a token");
    let discard = format!("{receipt}/discard");
    let form = format!("im_csrf={token}");
    let cross = format!(
        "{}origin: http://evil.example\r\ncontent-type: {URLENCODED}\r\ncontent-length: {}\r\n\r\n{form}",
        browser.head("POST", &discard).replace("same-origin", "cross-site"),
        form.len()
    );
    assert_eq!(browser.exchange(cross.as_bytes()).status(), 403, "another site");
    assert_eq!(browser.post(&discard, "im_csrf=wrong").status(), 403, "another page");
    assert_eq!(browser.post(&discard, "").status(), 403, "no page at all");
    assert_eq!(browser.state(&receipt), "held");
    assert_eq!(browser.get(&discard).field("location"), Some(receipt.as_str()), "GET does nothing");
    let answer = browser.post(&discard, &form);
    assert_eq!((answer.status(), answer.field("location")), (303, Some("/.intermission/s")));
    let gone = browser.get(&receipt);
    assert_eq!((gone.status(), gone.field("intermission-state")), (410, Some("discarded")));
    assert_eq!(browser.get(&format!("{receipt}/data")).status(), 410);
    assert_eq!(browser.post(&discard, &form).status(), 410);
}

#[test]
fn what_was_typed_can_be_downloaded() {
    let stage = Stage::replaying(Origin::untouched());
    stage.close();
    let mut browser = stage.browser();
    let long = "x".repeat(100_000);
    let receipt = browser.save("/claims", &format!("name=J%C3%BCrgen&csrf_token=t0k&text={long}"));
    let data = browser.get(&format!("{receipt}/data"));
    assert_eq!(data.status(), 200);
    assert_eq!(data.field("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(data.field("x-content-type-options"), Some("nosniff"));
    let disposition = data.field("content-disposition").expect("a download");
    assert!(disposition.starts_with("attachment; filename=\"answers-"), "{disposition}");
    assert_eq!(data.text(), format!("name:\nJürgen\n\ntext:\n{long}\n\n"));
}

#[test]
fn the_state_of_a_path_is_told_to_those_who_poll() {
    let stage = Stage::replaying(Origin::untouched());
    let mut browser = stage.browser();
    let open = browser.get("/.intermission/v1/state?p=/claims");
    assert_eq!(open.field("content-type"), Some("application/json"));
    assert!(open.text().contains("\"state\":\"open\""), "{}", open.text());
    stage.close();
    let closed = browser.get("/.intermission/v1/state?p=/claims");
    let json: serde_json::Value = serde_json::from_str(&closed.text()).expect("JSON");
    assert_eq!(json["state"], "closed");
    assert!(json["ends_at"].is_string() && json["poll_after_ms"].as_u64() >= Some(1000));
    let tag = closed.field("etag").expect("a tag").to_owned();
    let head = browser.head("GET", "/.intermission/v1/state?p=/claims");
    let same = browser.exchange(format!("{head}if-none-match: {tag}\r\n\r\n").as_bytes());
    assert_eq!(same.status(), 304);
}

#[test]
fn the_script_is_told_what_becomes_of_forms_and_when_to_leave() {
    let told = |forms: &str| {
        let stage = Stage::with_forms(Origin::untouched(), forms);
        let answer = stage.browser().get("/.intermission/v1/state?p=/claims&m=POST");
        serde_json::from_str::<serde_json::Value>(&answer.text()).expect("JSON")
    };
    let usual = told("csrf_fields = [\"seal\"]\nnever_kept = [\"diagnosis\"]");
    assert_eq!((&usual["keeps"], &usual["off"]), (&true.into(), &false.into()));
    assert_eq!((&usual["csrf"][0], &usual["never"][0]), (&"seal".into(), &"diagnosis".into()));
    assert_eq!(usual["service"], "Claims");
    assert_eq!(told("keep = false")["keeps"], false);
    assert_eq!(told("script = false")["off"], true);
}

#[test]
fn a_state_can_be_loaded_as_a_module() {
    let stage = Stage::replaying(Origin::untouched());
    let module = stage.browser().get("/.intermission/v1/state.mjs?p=/claims&m=POST&t=1");
    assert_eq!(module.field("content-type"), Some("text/javascript"));
    assert_eq!(module.field("cache-control"), Some("no-store"));
    let json = module.text().strip_prefix("export default ").expect("a module").to_owned();
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["state"], "open");
}

#[test]
fn the_script_is_served_packed_to_whoever_takes_it() {
    let stage = Stage::replaying(Origin::untouched());
    let mut browser = stage.browser();
    let path = intermission::inject::script_path();
    let mut get = |path: &str, fields: &str| {
        let head = browser.head("GET", path);
        browser.exchange(format!("{head}{fields}\r\n").as_bytes())
    };
    let plain = get(&path, "");
    assert_eq!((plain.status(), plain.field("content-encoding")), (200, None));
    assert!(plain.text().starts_with("(()=>{'use strict';"));
    let packed = get(&path, "accept-encoding: br, gzip\r\n");
    assert_eq!(packed.field("content-encoding"), Some("gzip"));
    assert_eq!(packed.field("vary"), Some("accept-encoding"));
    assert!(packed.body.len() <= 8 * 1024 && packed.body[..2] == [0x1f, 0x8b]);
    for name in ["more.js", "hold.js", "form.de.json"] {
        assert_eq!(get(&path.replace("form.js", name), "").status(), 200, "{name}");
    }
    assert_eq!(get(&path.replace("form.js", "other.js"), "").status(), 404);
}

#[test]
fn posts_to_our_own_endpoints_are_small() {
    let stage = Stage::replaying(Origin::untouched());
    stage.close();
    let mut browser = stage.browser();
    let receipt = browser.save("/claims", "name=Ana");
    let discard = format!("{receipt}/discard");
    assert_eq!(browser.post(&discard, &"x".repeat(1025)).status(), 400);
    let head = browser.post_head(&discard, URLENCODED);
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n");
    assert_eq!(browser.exchange(chunked.as_bytes()).status(), 403);
    let mut slow = browser.connect();
    slow.send(format!("{head}content-length: 9\r\n\r\nab"));
    slow.finish();
    let _ = slow.rest();
    assert_eq!(browser.state(&receipt), "held");
}

#[test]
fn methods_that_an_endpoint_has_not_are_refused() {
    let stage = Stage::replaying(Origin::untouched());
    let mut browser = stage.browser();
    let answer = browser.post("/.intermission/s", "a=1");
    assert_eq!((answer.status(), answer.field("allow")), (405, Some("GET, HEAD")));
    let head = browser.head("PUT", &format!("/.intermission/s/{}/done", "0".repeat(32)));
    let answer = browser.exchange(format!("{head}content-length: 0\r\n\r\n").as_bytes());
    assert_eq!((answer.status(), answer.field("allow")), (405, Some("POST")));
}
