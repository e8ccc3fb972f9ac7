//! Resume codes, references, and a computer that others use.

use super::stage::{Browser, Shape, Stage, URLENCODED, hidden};
use crate::support::http1::Message;
use crate::support::origin::Origin;

/// What a page tells in its first definition of this class after `from`.
fn codes_of(page: &str) -> Vec<(String, String)> {
    let told = page.split("<dd class=\"code\" dir=\"ltr\">").skip(1);
    let told: Vec<_> =
        told.map(|rest| rest.split('<').next().expect("an end").to_owned()).collect();
    told.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

/// Presses a button on a receipt.
fn press(browser: &mut Browser, receipt: &str, action: &str) -> Message {
    let page = browser.get(receipt).text();
    let token = hidden(&page, "im_csrf").expect("a token");
    browser.post(&format!("{receipt}/{action}"), &format!("im_csrf={token}"))
}

fn typed((reference, code): &(String, String), wanted: &str) -> String {
    format!("reference={reference}&code={code}&do={wanted}")
}

#[test]
fn a_code_opens_answers_elsewhere_and_never_sends_them() {
    let stage = Stage::replaying(Origin::untouched());
    stage.close();
    let mut browser = stage.browser();
    let receipt = browser.save("/claims", "name=Ana&story=rear-ended");
    let made = press(&mut browser, &receipt, "code");
    assert_eq!((made.status(), made.field("cache-control")), (200, Some("no-store")));
    let codes = codes_of(&made.text());
    let [code] = codes.as_slice() else { panic!("{}", made.text()) };
    stage.reopen();
    let mut elsewhere = stage.browser();
    let asked = elsewhere.get("/.intermission/r");
    assert_eq!(asked.status(), 200);
    assert!(asked.text().contains("name=\"code\""), "{}", asked.text());
    let shown = elsewhere.post("/.intermission/r", &typed(code, ""));
    assert_eq!(shown.status(), 200);
    let page = shown.text();
    assert!(page.contains("rear-ended"), "{page}");
    for send in ["intermission_ticket", "/resume", "im_csrf"] {
        assert!(!page.contains(send), "nobody sends what somebody else may have typed: {page}");
    }
    assert!(elsewhere.cookies.is_empty(), "a code leaves nothing in a browser");
    let data = elsewhere.post("/.intermission/r", &typed(code, "data"));
    assert_eq!(data.text(), "name:\nAna\n\nstory:\nrear-ended\n\n");
    assert_eq!(browser.state(&receipt), "held", "nothing has changed so far");
    let deleted = elsewhere.post("/.intermission/r", &typed(code, "discard"));
    assert_eq!(deleted.status(), 200);
    assert_eq!(browser.state(&receipt), "discarded");
    assert_eq!(elsewhere.post("/.intermission/r", &typed(code, "")).status(), 403);
}

#[test]
fn guessing_ends_in_429_and_links_change_nothing() {
    let stage = Stage::replaying(Origin::untouched());
    stage.close();
    let mut browser = stage.browser();
    let receipt = browser.save("/claims", "name=Ana");
    for action in ["code", "leave"] {
        let scanned = browser.get(&format!("{receipt}/{action}"));
        assert_eq!(scanned.field("location"), Some(receipt.as_str()), "a GET does nothing");
        let forged = browser.post(&format!("{receipt}/{action}"), "im_csrf=forged");
        assert_eq!(forged.status(), 403);
    }
    let page = press(&mut browser, &receipt, "code").text();
    let code = codes_of(&page).remove(0);
    let form = typed(&code, "discard");
    let cross = format!(
        "{}origin: http://evil.example\r\ncontent-type: {URLENCODED}\r\ncontent-length: {}\r\n\r\n{form}",
        browser.head("POST", "/.intermission/r").replace("same-origin", "cross-site"),
        form.len()
    );
    assert_eq!(browser.exchange(cross.as_bytes()).status(), 403, "another site");
    let link = format!("/.intermission/r?reference={}&code={}&do=discard", code.0, code.1);
    assert_eq!(browser.get(&link).status(), 200, "it only asks");
    assert_eq!(browser.state(&receipt), "held");
    let wrong = (code.0.clone(), "0000-0000-0000-0000".to_owned());
    for _ in 0..5 {
        let refused = browser.post("/.intermission/r", &typed(&wrong, ""));
        assert_eq!(refused.status(), 403);
        let stranger = hidden(&refused.text(), "reference").unwrap_or_default();
        assert!(!stranger.contains('<'), "what was typed is shown again, as text");
    }
    let late = browser.post("/.intermission/r", &typed(&code, ""));
    assert_eq!(late.status(), 429, "the right one, too");
    assert!(late.field("retry-after").is_some());
    assert_eq!(browser.state(&receipt), "held");
}

#[test]
fn a_shared_computer_forgets_and_codes_remember() {
    let stage = Stage::replaying(Origin::untouched());
    stage.close();
    let mut browser = stage.browser();
    let receipts = ["name=Ana", "name=Bea"].map(|form| browser.save("/claims", form));
    let left = press(&mut browser, &receipts[0], "leave");
    let cookie = left.field("set-cookie").expect("the cookie is taken back").to_owned();
    assert!(cookie.contains("Max-Age=0"), "{cookie}");
    assert!(left.text().contains("data-forget=\"intermission:\""), "the script forgets too");
    let codes = codes_of(&left.text());
    assert_eq!(codes.len(), 2, "one for each: {}", left.text());
    let mut next = stage.browser();
    next.cookies.clone_from(&browser.cookies);
    next.cookies.retain(|_, value| !value.is_empty());
    for receipt in &receipts {
        assert_eq!(next.get(receipt).status(), 404, "whoever sits there next sees nothing");
    }
    let opened: Vec<_> =
        codes.iter().map(|code| next.post("/.intermission/r", &typed(code, "")).text()).collect();
    for name in ["Ana", "Bea"] {
        assert_eq!(opened.iter().filter(|page| page.contains(name)).count(), 1, "{name}");
    }
}

#[test]
fn a_help_desk_finds_and_erases_by_reference_and_never_reads() {
    let stage = Stage::replaying(Origin::untouched());
    stage.close();
    let mut browser = stage.browser();
    let receipt = browser.save("/claims", "name=Ana-the-canary");
    let page = browser.get(&receipt).text();
    let (_, rest) = page.split_once("<dd class=\"code\">").expect("a reference");
    let reference = rest.split('<').next().expect("an end");
    assert_eq!(reference.len(), 9, "{reference}");
    let spoken = reference.to_lowercase().replace('-', "%20");
    let path = format!("/api/v1/submissions/{spoken}");
    let known = stage.ask("GET", &path, "");
    assert_eq!(known.status(), 200, "{}", known.text());
    assert!(known.text().contains("\"held\"") && !known.text().contains("canary"));
    assert_eq!(stage.ask("DELETE", "/api/v1/submissions/0000-0000", "").status(), 404);
    let erased = stage.ask("DELETE", &path, "");
    assert_eq!(erased.status(), 200, "{}", erased.text());
    assert!(erased.text().contains("\"discarded\"") && !erased.text().contains("canary"));
    assert_eq!(browser.state(&receipt), "discarded");
    assert_eq!(stage.ask("DELETE", &path, "").status(), 409, "there is nothing left to erase");
    let audit = stage.ask("GET", "/api/v1/audit", "").text();
    assert!(audit.contains("DELETE /api/v1/submissions/{id}") && audit.contains("tester"));
}

#[test]
fn an_address_has_its_share_and_the_one_beside_it_too() {
    let shape =
        Shape { trusted: "\"127.0.0.1\"", limits: "forms_per_minute = 2", ..Shape::default() };
    let stage = Stage::shaped(Origin::untouched(), shape);
    stage.close();
    let post = |from: &str, form: &str| {
        let mut browser = stage.browser();
        let head = browser.post_head("/claims", URLENCODED);
        let by =
            if from.is_empty() { String::new() } else { format!("x-forwarded-for: {from}\r\n") };
        let length = form.len();
        browser.exchange(format!("{head}{by}content-length: {length}\r\n\r\n{form}").as_bytes())
    };
    for form in ["a=1", "a=2"] {
        assert_eq!(post("192.0.2.1", form).status(), 303);
    }
    let over = post("192.0.2.1", "a=3");
    assert_eq!(over.status(), 503);
    assert!(over.text().contains("no more room"), "the page says why: {}", over.text());
    assert_eq!(post("192.0.2.2", "a=3").status(), 303, "another address");
    for n in 0..6 {
        assert_eq!(post("", &format!("a={n}")).status(), 303, "this machine speaks for many");
    }
}

#[test]
fn the_node_key_is_replaced_while_forms_come_and_go() {
    let stage = Stage::replaying(Origin::replying("taken"));
    stage.close();
    let mut early = stage.browser();
    let first = early.save("/claims", "name=Ana");
    let keys = || -> serde_json::Value {
        let told = stage.ask("GET", "/api/v1/store/keys", "").text();
        serde_json::from_str(&told).expect("JSON")
    };
    let before = keys()["key"].clone();
    let turned = stage.ask("POST", "/api/v1/store/keys", "{}");
    assert_eq!(turned.status(), 200, "{}", turned.text());
    let after = keys();
    assert_ne!(after["key"], before);
    assert_eq!((&after["former"], &after["left"]), (&serde_json::json!([before]), &0.into()));
    let again = stage.ask("POST", "/api/v1/store/keys", "{}");
    assert_eq!(again.status(), 409, "{}", again.text());
    let mut late = stage.browser();
    let second = late.save("/claims", "name=Bea");
    stage.reopen();
    assert_eq!(early.send(&first).status(), 200);
    assert_eq!(late.send(&second).status(), 200);
}
