//! The live form, filled from a submission without any script, and who may have that.

use serde_json::Value;

use super::stage::{Browser, Stage, URLENCODED, hidden, saved};
use crate::support::http1::Message;
use crate::support::origin::{Act, Origin, answer};

const FORM: &str = r#"<!doctype html><html><head><title>Claim</title></head><body>
<form action="/claims" method="post"><input type="hidden" name="csrf_token" value="fresh">
<input name="name"><textarea name="story"></textarea><input type="file" name="photo"></form></body></html>"#;

/// An application with the form at any address.
fn form_with(fields: &'static [(&'static str, &'static str)]) -> Origin {
    Origin::acting(move |request| match request.method() {
        "GET" => Act::Send(answer("200 OK", fields, FORM)),
        _ => Act::Send(answer("303 See Other", &[("location", "/thanks")], "")),
    })
}

const HTML: &[(&str, &str)] = &[
    ("content-type", "text/html; charset=utf-8"),
    ("etag", "\"1\""),
    ("last-modified", "Sat, 21 Nov 2026 10:00:00 GMT"),
    ("cache-control", "public, max-age=60"),
];

/// Without our script in its pages, so that they are the application's byte for byte.
fn replaying(origin: Origin) -> Stage {
    Stage::with_forms(origin, "resume = \"replay\"\nscript = false")
}

/// Asks on a receipt for the live form; gives the answer.
#[track_caller]
fn ask(browser: &mut Browser, receipt: &str) -> Message {
    let page = browser.get(receipt).text();
    let token = hidden(&page, "im_csrf").expect("a token");
    browser.post(&format!("{receipt}/refill"), &format!("im_csrf={token}"))
}

/// Asks for it and follows; gives the page.
#[track_caller]
fn refill(browser: &mut Browser, receipt: &str) -> Message {
    let answer = ask(browser, receipt);
    assert_eq!(answer.status(), 303, "{}", answer.text());
    let to = answer.field("location").expect("where to");
    let (path, part) = to.split_once('#').expect("a part");
    assert_eq!(part, format!("im-refill={}", id(receipt)));
    browser.get(path)
}

fn id(receipt: &str) -> &str {
    receipt.rsplit('/').next().expect("an id")
}

const BODY: &str = "csrf_token=old&name=Ana&story=one%0D%0Atwo&extra=more";

#[test]
fn the_live_form_comes_filled_once_and_nothing_is_sent() {
    let stage = replaying(form_with(HTML));
    stage.close();
    let mut browser = stage.browser();
    let receipt = browser.save("/claims", BODY);
    stage.reopen();
    let answer = ask(&mut browser, &receipt);
    let cookie = answer.field("set-cookie").expect("a wish").to_owned();
    for told in ["Max-Age=120", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(told), "{cookie}");
    }
    let page = browser.get("/form?step=2");
    let html = page.text();
    assert!(html.contains("<input name=\"name\" value=\"Ana\">"), "{html}");
    assert!(html.contains("<textarea name=\"story\">\none\r\ntwo</textarea>"), "{html}");
    assert!(html.contains("data-im-filled=\"2\""), "{html}");
    assert!(html.contains("name=\"csrf_token\" value=\"fresh\""), "{html}");
    assert!(html.contains("<dt dir=\"auto\">extra</dt>") && html.contains("more</pre>"), "{html}");
    assert!(html.contains(&format!("{receipt}?note=refilled")), "{html}");
    assert_eq!(page.field("cache-control"), Some("no-store"));
    assert_eq!((page.field("etag"), page.field("last-modified")), (None, None));
    let requests = stage.origin.requests();
    assert_eq!(requests.len(), 1, "a page was fetched, and nothing was sent");
    assert!(!requests[0].field("cookie").is_some_and(|cookies| cookies.contains("intermission")));
    assert_eq!(browser.state(&receipt), "held");
    // The wish is fulfilled: the next page is the application's own.
    assert_eq!(browser.cookies.get("intermission-refill").map(String::as_str), Some(""));
    let plain = browser.get("/form?step=2");
    assert_eq!((plain.text(), plain.field("etag")), (FORM.to_owned(), Some("\"1\"")));
}

#[test]
fn our_script_and_the_answers_come_in_one_page() {
    let stage = Stage::replaying(form_with(HTML));
    stage.close();
    let mut browser = stage.browser();
    let receipt = browser.save("/claims", BODY);
    stage.reopen();
    let page = refill(&mut browser, &receipt);
    let html = page.text();
    assert_eq!(html.matches("<script async").count(), 1, "{html}");
    assert_eq!(html.matches("data-im-filled=\"2\"").count(), 1, "{html}");
    assert_eq!(page.field("etag"), None);
    let plain = browser.get("/form?step=2");
    assert!(plain.text().contains("<script async") && plain.field("etag").is_some());
}

#[test]
fn no_other_page_than_the_forms_own_is_filled() {
    let stage = replaying(form_with(HTML));
    stage.close();
    let mut browser = stage.browser();
    let receipt = browser.save("/claims", BODY);
    stage.reopen();
    ask(&mut browser, &receipt);
    for other in ["/form?step=1", "/form", "/other"] {
        assert_eq!(browser.get(other).text(), FORM, "{other}");
    }
    let script = browser.head("GET", "/form?step=2").replace("navigate", "cors");
    assert_eq!(
        browser.exchange(format!("{script}\r\n").as_bytes()).text(),
        FORM,
        "a script's read"
    );
    // The application asks to sign in first: the wish stays for the page after that.
    assert!(browser.get("/form?step=2").text().contains("data-im-filled"));
}

#[test]
fn an_answer_that_is_no_page_passes_as_it_is() {
    for fields in [
        &[("content-type", "application/json")][..],
        &[("content-type", "text/html"), ("content-encoding", "gzip")],
        &[("content-type", "text/html; charset=utf-16le")],
        &[("content-type", "text/html"), ("cache-control", "no-transform")],
        &[("content-type", "text/html"), ("content-disposition", "attachment; filename=a.html")],
    ] {
        let stage = Stage::with_forms(form_with(fields), "script = false");
        stage.close();
        let mut browser = stage.browser();
        let receipt = browser.save("/claims", BODY);
        stage.reopen();
        let page = refill(&mut browser, &receipt);
        assert_eq!(page.text(), FORM, "{fields:?}");
        assert!(browser.cookies["intermission-refill"].len() > 30, "the wish stays");
    }
}

#[test]
fn a_page_is_asked_for_whole_and_as_it_is() {
    let stage = replaying(form_with(HTML));
    stage.close();
    let mut browser = stage.browser();
    let receipt = browser.save("/claims", BODY);
    stage.reopen();
    ask(&mut browser, &receipt);
    let head = browser.head("GET", "/form?step=2");
    let more = "if-none-match: \"1\"\r\nrange: bytes=0-9\r\naccept-encoding: gzip, br\r\n";
    let page = browser.exchange(format!("{head}{more}\r\n").as_bytes());
    assert!(page.text().contains("data-im-filled"), "{}", page.text());
    let request = stage.origin.requests().pop().expect("asked");
    for name in ["if-none-match", "range"] {
        assert_eq!(request.field(name), None, "{name}");
    }
    assert_eq!(request.field("accept-encoding"), Some("identity"));
}

#[test]
fn what_was_typed_stays_text_in_the_applications_page() {
    let stage = replaying(form_with(HTML));
    stage.close();
    let mut browser = stage.browser();
    let hostile = "\"'><img src=x onerror=alert(1)></textarea></pre><script>alert(1)</script>";
    let part = |name: &str, file: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{hostile}\r\n")
    };
    let quoted = hostile.replace('"', "%22");
    let file = format!("; filename=\"{quoted}\"");
    let body = [part("name", ""), part("story", ""), part(&quoted, ""), part("photo", &file)];
    let body = format!("{}--b--\r\n", body.concat());
    let kind = "multipart/form-data; boundary=b";
    let receipt = saved(&browser.post_as("/claims", kind, body.as_bytes()));
    stage.reopen();
    let html = refill(&mut browser, &receipt).text();
    for mark in ["<img", "<script>alert", "onerror=alert(1)></textarea>"] {
        assert!(!html.contains(mark), "{html}");
    }
    assert_eq!(html.matches("&lt;img src=x").count(), 5, "{html}");
    assert_eq!(html.matches("</textarea>").count(), 1, "{html}");
}

#[test]
fn only_its_owner_on_a_page_of_this_site_gets_it() {
    let stage = replaying(form_with(HTML));
    stage.close();
    let mut owner = stage.browser();
    let receipt = owner.save("/claims", BODY);
    let mut other = stage.browser();
    let theirs = other.save("/claims", "name=Bea");
    stage.reopen();
    let token = hidden(&owner.get(&receipt).text(), "im_csrf").expect("a token");
    let form = format!("im_csrf={token}");
    let refill_of = |receipt: &str| format!("{receipt}/refill");
    assert_eq!(other.post(&refill_of(&receipt), &form).status(), 404, "another browser");
    assert_eq!(owner.post(&refill_of(&receipt), "im_csrf=x").status(), 403, "another page");
    let head = owner.post_head(&refill_of(&receipt), URLENCODED);
    let cross = head.replace("same-origin", "cross-site");
    let request = format!("{cross}content-length: {}\r\n\r\n{form}", form.len());
    let answer = owner.exchange(request.as_bytes());
    assert_eq!((answer.status(), answer.field("set-cookie")), (403, None), "another site");
    // A wish for another's submission, made up: the page comes as it is.
    other.cookies.insert("intermission-refill".into(), id(&receipt).into());
    assert_eq!(other.get("/form?step=2").text(), FORM);
    assert!(!theirs.is_empty());
}

#[test]
fn the_fields_are_told_to_a_script_of_this_site_alone() {
    let stage = Stage::replaying(Origin::untouched());
    stage.close();
    let mut browser = stage.browser();
    let body = "--b\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\nold\r\n\
                --b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\nAna\r\n\
                --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n";
    let kind = "multipart/form-data; boundary=b";
    let receipt = saved(&browser.post_as("/claims?x=1", kind, body.as_bytes()));
    let at = format!("{receipt}/fields");
    let answer = browser.get(&at);
    assert_eq!(answer.field("content-type"), Some("application/json"));
    assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    let told: Value = serde_json::from_str(&answer.text()).expect("JSON");
    let wanted = serde_json::json!({
        "id": id(&receipt), "page": "/form?step=2", "action": "/claims?x=1", "method": "POST",
        "fields": [{"name": "n", "value": "Ana"}, {"name": "f", "file": "a.txt", "size": 5}],
    });
    assert_eq!(told, wanted);
    assert_eq!(stage.browser().get(&at).status(), 404, "another browser");
    let head = browser.head("GET", &at);
    for site in ["cross-site", "same-site", "none"] {
        let head = head.replace("same-origin", site);
        let answer = browser.exchange(format!("{head}\r\n").as_bytes());
        assert_eq!((answer.status(), answer.text().contains("Ana")), (403, false), "{site}");
    }
    let old = head.replace("sec-fetch-site: same-origin\r\n", "");
    assert_eq!(browser.exchange(format!("{old}\r\n").as_bytes()).status(), 200);
    let from = "referer: http://evil.example/\r\n";
    assert_eq!(browser.exchange(format!("{old}{from}\r\n").as_bytes()).status(), 403);
}

#[test]
fn long_values_are_cut_and_said_to_be() {
    let stage = Stage::with_forms(Origin::untouched(), "body_bytes_max = \"4MiB\"");
    stage.close();
    let mut browser = stage.browser();
    let body = format!("a={}&b=%ff&c=3", "x".repeat(300 * 1024));
    let receipt = browser.save("/claims", &body);
    let told = browser.get(&format!("{receipt}/fields"));
    let told: Value = serde_json::from_str(&told.text()).expect("JSON");
    let length = told["fields"][0]["value"].as_str().map(str::len);
    assert_eq!((length, &told["fields"][0]["cut"]), (Some(256 * 1024), &Value::Bool(true)));
    assert_eq!(told["fields"][1]["cut"], true, "bytes that are no text");
    assert_eq!(told["fields"][2], serde_json::json!({"name": "c", "value": "3"}));
}

#[test]
fn it_is_offered_where_sending_again_would_not_do() {
    let act = |status: &'static str| {
        Stage::replaying(Origin::acting(move |_| Act::Send(answer(status, &[], ""))))
    };
    let order = |page: &str| page.find("/refill\"").zip(page.find("/resume\"")).map(|(a, b)| a < b);
    for (status, first) in
        [("422 No", true), ("404 Gone", true), ("403 No", false), ("502 Bad", true)]
    {
        let stage = act(status);
        stage.close();
        let mut browser = stage.browser();
        let receipt = browser.save("/claims", "name=Ana");
        stage.reopen();
        assert_eq!(order(&browser.get(&receipt).text().replace("&#x2f;", "/")), Some(false));
        browser.send(&receipt);
        let page = browser.get(&receipt).text().replace("&#x2f;", "/");
        assert_eq!(order(&page), Some(first), "{status}: {page}");
        assert!(page.contains("Other ways"), "{page}");
    }
    let stage = act("200 OK");
    stage.close();
    let mut browser = stage.browser();
    let receipt = browser.save("/claims", "name=Ana&g-recaptcha-response=03AG");
    let closed = browser.get(&receipt).text();
    assert!(!closed.contains("refill"), "{closed}");
    let answer = ask(&mut browser, &receipt);
    assert_eq!((answer.status(), answer.field("intermission-state")), (503, Some("closed")));
    stage.reopen();
    let page = browser.get(&receipt).text().replace("&#x2f;", "/");
    assert_eq!(order(&page), Some(true), "{page}");
    assert!(page.contains("works only once"), "{page}");
}

#[test]
fn what_may_come_from_another_site_is_given_back_and_never_sent() {
    let stage = Stage::with_forms(form_with(HTML), "resume = \"replay\"\nscript = false");
    stage.close();
    let mut browser = stage.browser();
    // A browser that knows no `Sec-Fetch-Site`, on a page with `Referrer-Policy: no-referrer`.
    let head = browser.head("POST", "/form");
    let head = head.replace("sec-fetch-site: same-origin\r\n", "");
    let head = head.replace("sec-fetch-mode: navigate\r\n", "");
    let more =
        format!("content-type: {URLENCODED}\r\ncontent-length: {}\r\n\r\n{BODY}", BODY.len());
    let request = format!("{head}origin: null\r\n{more}");
    let receipt = saved(&browser.exchange(request.as_bytes()));
    stage.reopen();
    let page = browser.get(&receipt).text();
    assert!(!page.contains("intermission_ticket") && page.contains("refill"), "{page}");
    let token = hidden(&page, "im_csrf").expect("a token");
    let form = format!("im_csrf={token}&mode=replay");
    let answer = browser.post(&format!("{receipt}/resume"), &form);
    assert_eq!((answer.status(), answer.field("location")), (303, Some(receipt.as_str())));
    assert_eq!(browser.state(&receipt), "held");
    assert_eq!(stage.origin.requests().len(), 0);
    let answer = ask(&mut browser, &receipt);
    let page = format!("/form#im-refill={}", id(&receipt));
    assert_eq!(answer.field("location"), Some(page.as_str()));
    // The control: from the same browser, evidence against it.
    stage.close();
    for against in ["referer: http://evil.example/\r\n", "sec-fetch-site: cross-site\r\n"] {
        let request = format!("{head}origin: null\r\n{against}{more}");
        let answer = stage.browser().exchange(request.as_bytes());
        let state = answer.field("intermission-state").unwrap_or_default();
        assert_eq!(state, "closed;saved=?0;reason=origin");
    }
}

#[test]
fn a_route_may_leave_all_sending_to_the_live_form() {
    let stage = Stage::with_forms(form_with(HTML), "resume = \"refill\"");
    stage.close();
    let mut browser = stage.browser();
    let receipt = browser.save("/claims", BODY);
    stage.reopen();
    let page = browser.get(&receipt).text();
    assert!(!page.contains("intermission_ticket"), "{page}");
    let token = hidden(&page, "im_csrf").expect("a token");
    let form = format!("im_csrf={token}&mode=replay");
    let answer = browser.post(&format!("{receipt}/resume"), &form);
    assert_eq!((answer.status(), answer.field("location")), (303, Some(receipt.as_str())));
    assert!(refill(&mut browser, &receipt).text().contains("value=\"Ana\""));
    // Back from there: did it arrive?
    let asks = browser.get(&format!("{receipt}?note=refilled")).text();
    assert!(asks.contains("Did your answers arrive?"), "{asks}");
    let answer = browser.post(&format!("{receipt}/discard"), &format!("im_csrf={token}"));
    assert_eq!((answer.status(), browser.state(&receipt)), (303, "discarded".to_owned()));
    let stage = Stage::with_forms(Origin::untouched(), "resume = \"copy\"");
    stage.close();
    let mut browser = stage.browser();
    let receipt = browser.save("/claims", BODY);
    stage.reopen();
    let answer = ask(&mut browser, &receipt);
    assert_eq!((answer.status(), answer.field("location")), (303, Some(receipt.as_str())));
}
