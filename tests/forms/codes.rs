//! Resume codes, references, and a computer that others use.

use super::stage::{Browser, Shape, Stage, URLENCODED, hidden};
use crate::support::http1::Message;
use crate::support::origin::{Act, Origin, answer};

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

const FORM: &str = r#"<!doctype html><html><body><form action="/claims" method="post">
<input name="name"><textarea name="story"></textarea></form></body></html>"#;

fn with_form() -> Origin {
    let fields = [("content-type", "text/html"), ("etag", "\"1\"")];
    Origin::acting(move |_| Act::Send(answer("200 OK", &fields, FORM)))
}

/// Makes a code for what is saved while the place is closed; gives it with its receipt.
fn coded(browser: &mut Browser) -> (String, (String, String)) {
    let receipt = browser.save("/claims", "name=Ana&story=rear-ended");
    let made = press(browser, &receipt, "code").text();
    (receipt, codes_of(&made).remove(0))
}

#[test]
fn a_code_fills_the_live_form_elsewhere_under_the_rules_of_a_receipt() {
    let stage = Stage::with_forms(with_form(), "resume = \"replay\"\nscript = false");
    stage.close();
    let mut browser = stage.browser();
    let (receipt, code) = coded(&mut browser);
    let mut elsewhere = stage.browser();
    let closed = elsewhere.post("/.intermission/r", &typed(&code, ""));
    assert!(!closed.text().contains("refill"), "{}", closed.text());
    let early = elsewhere.post("/.intermission/r", &typed(&code, "refill"));
    assert_eq!((early.status(), early.field("intermission-state")), (503, Some("closed")));
    assert!(elsewhere.cookies.is_empty());
    stage.reopen();
    let offered = elsewhere.post("/.intermission/r", &typed(&code, "")).text();
    assert!(offered.contains("name=\"do\" value=\"refill\""), "{offered}");
    let asked = elsewhere.post("/.intermission/r", &typed(&code, "refill"));
    let led = (asked.status(), asked.field("location"));
    assert_eq!(led, (303, Some("/form?step=2")), "{}", asked.text());
    let wish = asked.field("set-cookie").expect("a wish").to_owned();
    for told in ["Max-Age=120", "HttpOnly", "SameSite=Lax"] {
        assert!(wish.contains(told), "{wish}");
    }
    let spelled = code.1.replace('-', "");
    assert!(!wish.contains(&code.1) && !wish.contains(&spelled), "not the code: {wish}");
    // No other page than the form's own, and nobody else by that cookie's number alone.
    assert_eq!(elsewhere.get("/other").text(), FORM);
    let id = receipt.rsplit('/').next().expect("an id");
    for value in [id.to_owned(), format!("{id}."), format!("{id}.{}", "A".repeat(43))] {
        let mut guesser = stage.browser();
        guesser.cookies.insert("intermission-refill".into(), value.clone());
        assert_eq!(guesser.get("/form?step=2").text(), FORM, "{value}");
    }
    let page = elsewhere.get("/form?step=2").text();
    assert!(page.contains("value=\"Ana\"") && page.contains("rear-ended</textarea>"), "{page}");
    let back = format!("href=\"/.intermission/r?reference={}\"", code.0);
    assert!(page.replace("&#x2F;", "/").contains(&back), "{page}");
    assert!(!page.contains(&format!("{receipt}?note=")), "there is no receipt here: {page}");
    assert_eq!(elsewhere.get("/form?step=2").text(), FORM, "once");
    let sent = stage.origin.requests();
    assert!(sent.iter().all(|request| request.method() == "GET"), "nothing was sent");
    let told = |request: &Message| request.field("cookie").unwrap_or_default().to_owned();
    assert!(sent.iter().map(told).all(|cookies| !cookies.contains("intermission")));
    assert_eq!(browser.state(&receipt), "held");
    assert_eq!(elsewhere.get(&receipt).status(), 404, "and it opens no receipt");
}

#[test]
fn a_code_that_is_void_or_of_another_host_fills_nothing() {
    let stage = Stage::with_forms(with_form(), "resume = \"replay\"\nscript = false");
    stage.close();
    let mut browser = stage.browser();
    let (receipt, code) = coded(&mut browser);
    stage.reopen();
    let mut elsewhere = stage.browser();
    let asked = elsewhere.post("/.intermission/r", &typed(&code, "refill"));
    assert_eq!(asked.status(), 303, "{}", asked.text());
    // Another code takes the place of this one, and with it of the wish that it made.
    let next = codes_of(&press(&mut browser, &receipt, "code").text()).remove(0);
    assert_eq!(elsewhere.get("/form?step=2").text(), FORM, "its code is void");
    let post = elsewhere.post_head("/.intermission/r", URLENCODED);
    let port = stage.address().port();
    let there = post.replace(&format!("localhost:{port}"), &format!("other.localhost:{port}"));
    for (wanted, says) in [("", "rear-ended"), ("refill", "rear-ended")] {
        let form = typed(&next, wanted);
        let length = form.len();
        let request = format!("{there}content-length: {length}\r\n\r\n{form}");
        let shown = elsewhere.exchange(request.as_bytes());
        assert_eq!(shown.status(), 200, "no form of its own is there: {}", shown.text());
        assert!(shown.text().contains(says) && !shown.text().contains("value=\"refill\""));
    }
    let stage = Stage::with_forms(with_form(), "resume = \"copy\"");
    stage.close();
    let (_, code) = coded(&mut stage.browser());
    stage.reopen();
    let copied = stage.browser().post("/.intermission/r", &typed(&code, "refill"));
    assert_eq!((copied.status(), copied.field("set-cookie")), (200, None));
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
    assert_eq!(again.status(), 200, "nothing needs the one before: {}", again.text());
    assert_eq!(keys()["former"].as_array().map(Vec::len), Some(2));
    let mut late = stage.browser();
    let second = late.save("/claims", "name=Bea");
    stage.reopen();
    assert_eq!(early.send(&first).status(), 200);
    assert_eq!(late.send(&second).status(), 200);
}
