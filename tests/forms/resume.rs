//! From the ticket to the application's answer, and every way it can go wrong.

use super::stage::{Browser, Stage, hidden, saved};
use crate::support::eventually;
use crate::support::origin::{Act, Origin, answer, ok};

/// An application that answers every post as told.
fn answering(bytes: Vec<u8>) -> Origin {
    Origin::acting(move |_| Act::Send(bytes.clone()))
}

fn thanks() -> Origin {
    answering(answer("302 Found", &[("location", "/thanks"), ("set-cookie", "seen=1")], ""))
}

/// The instant at the beginning of this text.
fn instant(text: &str) -> jiff::Timestamp {
    text.split('"').next().expect("an end").parse().expect("an instant")
}

/// A form saved while closed, on a stage that is open again.
fn reopened(stage: &Stage, browser: &mut Browser) -> String {
    stage.close();
    let receipt = browser.save("/claims?id=7", "name=Ana&note=a+b%2fc");
    stage.reopen();
    receipt
}

#[test]
fn what_was_kept_is_sent_once_and_byte_for_byte() {
    let stage = Stage::replaying(thanks());
    let mut browser = stage.browser();
    browser.cookies.insert("session".into(), "s3ss10n".into());
    let receipt = reopened(&stage, &mut browser);
    let form = browser.form(&receipt);
    let (target, form) = browser.press(&receipt, &form);
    assert_eq!(target, "/claims?id=7");
    let native = browser.post(&target, &form);
    assert_eq!((native.status(), native.field("location")), (302, Some("/thanks")));
    assert_eq!(native.field_values("set-cookie"), ["seen=1"]);
    let sent = &stage.origin.requests()[0];
    assert_eq!((sent.method(), sent.target()), ("POST", "/claims?id=7"));
    assert_eq!(sent.text(), "name=Ana&note=a+b%2fc");
    assert_eq!(sent.field("content-length"), Some("21"));
    assert_eq!(sent.field("cookie"), Some("session=s3ss10n"), "theirs and not ours");
    assert_eq!(sent.field("origin"), Some(browser.origin().as_str()));
    assert_eq!(sent.field("referer"), Some(format!("{}/form?step=2", browser.origin()).as_str()));
    let resumed = sent.field("intermission-resumed").expect("it says so");
    assert!(resumed.starts_with("captured=") && resumed.ends_with(";mode=replay"), "{resumed}");

    let again = browser.post(&target, &form);
    assert_eq!((again.status(), again.field("location")), (303, Some(receipt.as_str())));
    let pressed = browser.post(&format!("{receipt}/resume"), &form);
    let to_receipt = (303, Some(receipt.as_str()));
    assert_eq!((pressed.status(), pressed.field("location")), to_receipt, "an older page");
    assert_eq!(stage.origin.requests().len(), 1, "nothing was sent again");
    assert_eq!(browser.state(&receipt), "accepted");
    let page = browser.get(&receipt).text();
    let told: Vec<jiff::Timestamp> = page.split("datetime=\"").skip(1).map(instant).collect();
    let kept_for = told[1].duration_since(told[0]).as_secs();
    assert!((900..1000).contains(&kept_for), "it goes soon, and the page says so: {kept_for} s");
    let token = hidden(&page, "im_csrf").expect("a token");
    browser.post(&format!("{receipt}/done"), &format!("im_csrf={token}"));
    assert_eq!(browser.get(&receipt).status(), 410);
}

#[test]
fn an_upload_arrives_as_it_was() {
    let stage = Stage::replaying(answering(ok("thanks")));
    stage.close();
    let mut browser = stage.browser();
    let mut upload =
        b"--b0undary\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n"
            .to_vec();
    upload.extend((0..400_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
    upload.extend_from_slice(b"\r\n--b0undary--\r\n");
    let kind = "multipart/form-data; boundary=b0undary";
    let receipt = saved(&browser.post_as("/upload", kind, &upload));
    stage.reopen();
    assert_eq!(browser.send(&receipt).text(), "thanks");
    let sent = &stage.origin.requests()[0];
    assert!(sent.body == upload, "{} of {} bytes", sent.body.len(), upload.len());
    assert_eq!(sent.field("content-type"), Some(kind));
    assert!(sent.chunks.is_empty(), "many applications read no chunked form");
}

/// An application with a live form.
fn live_form(page: &'static str) -> Origin {
    Origin::acting(move |request| {
        let fields = [("content-type", "text/html"), ("set-cookie", "csrf=fresh; Path=/")];
        Act::Send(match request.method() {
            "GET" => answer("200 OK", &fields, page),
            _ => answer("303 See Other", &[("location", "/thanks")], ""),
        })
    })
}

#[test]
fn stale_tokens_are_renewed_from_the_live_form() {
    let page = r#"<form method="post" action="/claims?id=7">
        <input type="hidden" name="csrf_token" value="fr&amp;esh"><input name="name" value=""></form>"#;
    let stage = Stage::confirming(live_form(page));
    let mut browser = stage.browser();
    browser.cookies.insert("csrf".into(), "stale".into());
    browser.cookies.insert("session".into(), "s".into());
    stage.close();
    let receipt = browser.save("/claims?id=7", "csrf_token=stale&name=Ana&version=3");
    stage.reopen();
    let native = browser.send(&receipt);
    assert_eq!(native.status(), 303, "{}", native.text());
    assert_eq!(native.field_values("set-cookie"), ["csrf=fresh; Path=/"]);
    let requests = stage.origin.requests();
    let [get, post] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((get.method(), get.target()), ("GET", "/form?step=2"));
    assert_eq!(get.field("cookie"), Some("csrf=stale; session=s"));
    assert_eq!(get.field("content-length"), None);
    assert_eq!(post.text(), "csrf_token=fr%26esh&name=Ana&version=3");
    assert_eq!(post.field("cookie"), Some("session=s; csrf=fresh"));
    assert!(post.field("intermission-resumed").is_some_and(|value| value.ends_with("confirm")));
    assert_eq!(browser.state(&receipt), "accepted");
}

#[test]
fn nothing_is_sent_where_the_live_form_is_gone_or_asks_to_sign_in() {
    let stage = Stage::confirming(live_form("<p>another page</p>"));
    stage.close();
    let mut browser = stage.browser();
    let receipt = browser.save("/claims", "csrf_token=stale&name=Ana");
    stage.reopen();
    let answer = browser.send(&receipt);
    let note = format!("{receipt}?note=no_form");
    assert_eq!((answer.status(), answer.field("location")), (303, Some(note.as_str())));
    assert_eq!(browser.state(&receipt), "held");
    assert_eq!(stage.origin.requests().len(), 1, "the page was asked for, nothing was posted");
    assert_eq!(hidden(&browser.get(&note).text(), "mode").as_deref(), Some("replay"));

    let login = answer_login();
    let stage = Stage::confirming(login);
    stage.close();
    let mut browser = stage.browser();
    let receipt = browser.save("/claims", "csrf_token=stale");
    stage.reopen();
    let answer = browser.send(&receipt);
    let note = format!("{receipt}?note=sign_in");
    assert_eq!(answer.field("location"), Some(note.as_str()));
    assert_eq!(browser.state(&receipt), "held");
    assert!(browser.get(&note).text().contains("href=\"&#x2f;form?step=2\""), "where to sign in");
}

fn answer_login() -> Origin {
    answering(answer("302 Found", &[("location", "/portal/login?next=/claims")], ""))
}

#[track_caller]
fn outcome(origin: Origin, state: &str) -> (Stage, Browser, String) {
    let stage = Stage::replaying(origin);
    let mut browser = stage.browser();
    let receipt = reopened(&stage, &mut browser);
    let answer = browser.send(&receipt);
    assert_eq!((answer.status(), answer.field("location")), (303, Some(receipt.as_str())));
    assert_eq!(browser.state(&receipt), state);
    (stage, browser, receipt)
}

#[test]
fn refusals_are_explained_and_nothing_is_lost() {
    for status in ["400 Bad Request", "403 Forbidden", "419 Page Expired", "429 Slow", "503 No"] {
        outcome(answering(answer(status, &[], "")), "refused");
    }
    let (_stage, mut browser, receipt) = outcome(answer_login(), "refused");
    let page = browser.get(&receipt).text();
    assert!(page.contains("href=\"&#x2f;form?step=2\""), "where to sign in: {page}");
}

#[test]
fn what_the_application_says_about_the_form_itself_is_shown() {
    for status in ["409 Conflict", "422 Unprocessable"] {
        let stage = Stage::replaying(answering(answer(status, &[], "look here")));
        let mut browser = stage.browser();
        let receipt = reopened(&stage, &mut browser);
        assert_eq!(browser.send(&receipt).text(), "look here");
        assert_eq!(browser.state(&receipt), "refused");
    }
}

#[test]
fn what_may_have_arrived_is_in_doubt_and_nothing_repeats_it() {
    for status in ["500 Oops", "502 Bad Gateway", "504 Gateway Timeout"] {
        outcome(answering(answer(status, &[], "")), "unknown");
    }
    let reset = Origin::acting(|_| Act::SendAndReset(Vec::new()));
    let (stage, mut browser, receipt) = outcome(reset, "unknown");
    assert_eq!(stage.origin.requests().len(), 1, "sent once, and not again by itself");
    let form = browser.form(&receipt).replace("&checked=yes", "");
    let unchecked = browser.post(&format!("{receipt}/resume"), &form);
    assert_eq!((unchecked.status(), unchecked.field("location")), (303, Some(receipt.as_str())));
    assert_eq!(browser.state(&receipt), "unknown");
    browser.send(&receipt);
    assert_eq!(stage.origin.requests().len(), 2, "its owner looked");
}

#[test]
fn what_was_never_sent_is_held_as_before() {
    let origin = Origin::replying("");
    let dead = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = dead.local_addr().expect("bound");
    drop(dead);
    let stage = Stage::with_upstream(origin, address);
    let mut browser = stage.browser();
    let receipt = reopened(&stage, &mut browser);
    let answer = browser.send(&receipt);
    assert_eq!((answer.status(), answer.field("location")), (303, Some(receipt.as_str())));
    assert_eq!(browser.state(&receipt), "held");
    assert_eq!(browser.send(&receipt).status(), 303, "and can be sent again");
}

#[test]
fn a_place_that_closed_again_gets_nothing() {
    let stage = Stage::replaying(Origin::untouched());
    let mut browser = stage.browser();
    let receipt = reopened(&stage, &mut browser);
    let form = browser.form(&receipt);
    let (target, form) = browser.press(&receipt, &form);
    assert_eq!(browser.state(&receipt), "armed");
    stage.close();
    let answer = browser.post(&target, &form);
    assert_eq!((answer.status(), answer.field("location")), (303, Some(receipt.as_str())));
    assert_eq!(browser.state(&receipt), "held");
    let closed = browser.post(&format!("{receipt}/resume"), &form);
    assert_eq!(closed.status(), 503);
    assert!(closed.field("retry-after").is_some());
}

#[test]
fn a_double_press_is_one_send() {
    let stage = Stage::replaying(thanks());
    let mut browser = stage.browser();
    let receipt = reopened(&stage, &mut browser);
    let form = browser.form(&receipt);
    let (target, form) = browser.press(&receipt, &form);
    let resume = format!("{receipt}/resume");
    assert_eq!(browser.post(&resume, &form).status(), 307, "the first press may be lost");
    assert_eq!(browser.post(&resume, &form.replace("replay", "confirm")).status(), 409);
    assert_eq!(browser.post(&resume, &form.replace("im_csrf=", "im_csrf=x")).status(), 409);
    assert_eq!(browser.post(&target, &form).status(), 302);
    assert_eq!(stage.origin.requests().len(), 1);
}

#[test]
fn of_many_tickets_at_once_one_is_sent() {
    let stage = Stage::replaying(thanks());
    let mut browser = stage.browser();
    let receipt = reopened(&stage, &mut browser);
    let form = browser.form(&receipt);
    let (target, form) = browser.press(&receipt, &form);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let post = || scope.spawn(|| browser.clone().post(&target, &form).status());
        let posts: Vec<_> = (0..12).map(|_| post()).collect();
        posts.into_iter().map(|post| post.join().expect("an answer")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 302).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 302 | 303)), "{statuses:?}");
    assert_eq!(stage.origin.requests().len(), 1);
}

#[test]
fn a_target_that_looks_like_another_host_stays_on_this_one() {
    let stage = Stage::replaying(thanks());
    let mut browser = stage.browser();
    stage.close();
    let answer = browser.post("//evil.example/x", "a=1");
    if answer.status() == 303 {
        stage.reopen();
        let receipt = saved(&answer);
        let form = browser.form(&receipt);
        let (location, _) = browser.press(&receipt, &form);
        assert_eq!(location, format!("{}//evil.example/x", browser.origin()));
    } else {
        assert_eq!(answer.status(), 400);
    }
}

#[test]
fn foreign_and_made_up_tickets_are_not_forwarded() {
    let stage = Stage::replaying(Origin::untouched());
    let (mut owner, mut other) = (stage.browser(), stage.browser());
    let receipt = reopened(&stage, &mut owner);
    stage.close();
    other.save("/claims", "x=1");
    stage.reopen();
    let form = owner.form(&receipt);
    let (target, form) = owner.press(&receipt, &form);
    assert_eq!(other.post(&target, &form).status(), 410, "another browser's");
    assert_eq!(owner.post(&target, "intermission_ticket=made-up").status(), 410);
    let elsewhere = owner.post("/claims?id=8", &form);
    assert_eq!(elsewhere.field("location"), Some(receipt.as_str()), "for another place");
    assert_eq!(owner.state(&receipt), "armed");
}

#[test]
fn small_posts_of_the_application_pass_untouched() {
    let stage = Stage::replaying(Origin::replying("done"));
    let mut browser = stage.browser();
    stage.close();
    browser.save("/claims", "a=1");
    stage.reopen();
    let body = "intermission_tickets=1&b=%2f";
    assert_eq!(browser.post("/other", body).text(), "done");
    assert_eq!(stage.origin.requests()[0].text(), body);
    stage.close();
    browser.save("/claims", "a=2");
    assert_eq!(stage.origin.requests().len(), 1);
}

#[test]
fn a_route_for_copies_sends_nothing() {
    let stage = Stage::with_forms(Origin::untouched(), "resume = \"copy\"");
    let mut browser = stage.browser();
    let receipt = reopened(&stage, &mut browser);
    let page = browser.get(&receipt).text();
    assert_eq!(hidden(&page, "intermission_ticket"), None);
    let token = hidden(&page, "im_csrf").expect("it can be deleted");
    let form = format!("intermission_ticket=x&im_csrf={token}&mode=replay");
    let answer = browser.post(&format!("{receipt}/resume"), &form);
    assert_eq!((answer.status(), answer.field("location")), (303, Some(receipt.as_str())));
    assert_eq!(browser.state(&receipt), "held");
}

#[test]
fn the_outcome_counts_though_the_visitor_left() {
    let late = Origin::acting(|_| Act::Hold(Vec::new(), ok("late")));
    let stage = Stage::replaying(late);
    let mut browser = stage.browser();
    let receipt = reopened(&stage, &mut browser);
    let form = browser.form(&receipt);
    let (target, form) = browser.press(&receipt, &form);
    let head = browser.post_head(&target, super::stage::URLENCODED);
    let mut leaving = browser.connect();
    leaving.send(format!("{head}content-length: {}\r\n\r\n{form}", form.len()));
    stage.origin.wait_for(1);
    assert_eq!(browser.state(&receipt), "sending");
    leaving.reset();
    stage.origin.release();
    eventually("the outcome", || Some(()).filter(|()| browser.state(&receipt) == "accepted"));
    assert_eq!(stage.origin.requests().len(), 1);
}

#[test]
fn what_was_kept_goes_where_a_live_form_would_go() {
    let page = "<form action=/apply method=post><input name=csrf_token value=fresh></form>";
    let rules = "resume = \"confirm\"\n[route.rewrite]\nfrom = \"/apply\"\nto = \"/inner\"\n\
                 [route.request_headers]\nset = { x-host = \"{host}\" }";
    let stage = Stage::with_forms(live_form(page), rules);
    let mut browser = stage.browser();
    stage.close();
    let receipt = browser.save("/apply", "name=Ada&csrf_token=stale");
    stage.reopen();
    browser.send(&receipt);
    let requests = stage.origin.requests();
    let targets: Vec<_> = requests.iter().map(|seen| (seen.method(), seen.target())).collect();
    assert_eq!(targets, [("GET", "/form?step=2"), ("POST", "/inner")]);
    assert!(requests.iter().all(|seen| seen.field("x-host") == seen.field("x-forwarded-host")));
    assert_eq!(requests[1].text(), "name=Ada&csrf_token=fresh");
}
