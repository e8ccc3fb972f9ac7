//! What somebody would try who means harm, and races that nobody means.

use super::stage::{Browser, Shape, Stage, URLENCODED, saved};
use crate::support::eventually;
use crate::support::origin::{Act, Origin, answer, ok};

#[test]
fn a_small_post_that_is_under_way_when_its_place_closes_is_waited_for() {
    let stage = Stage::replaying(Origin::replying("applied"));
    let browser = stage.browser();
    // Any small form may be a ticket, and is looked into.
    let mut client = browser.connect();
    let head = browser.post_head("/claims", URLENCODED);
    client.send(format!("{head}content-length: 24\r\n\r\nname="));
    let counted = || stage.status().contains("\"in_flight_total\":1").then_some(());
    stage.close();
    eventually("the post to be counted in its closed place", counted);
    assert!(stage.status().contains("\"draining\""), "{}", stage.status());
    client.send("Maria-of-the-hills!");
    assert_eq!(client.response().text(), "applied", "it was judged while the place was open");
    eventually("the place to be drained", || stage.status().contains("\"closed\"").then_some(()));
    assert_eq!(stage.origin.requests().len(), 1);
}

/// An application with a live form, slow enough for others to come in between.
fn live_form() -> Origin {
    Origin::acting(|request| match request.method() {
        "GET" => {
            let page = r#"<form method="post"><input type="hidden" name="csrf_token" value="new">"#;
            Act::Send(answer("200 OK", &[("content-type", "text/html")], page))
        }
        _ => Act::Send(answer("303 See Other", &[("location", "/thanks")], "")),
    })
}

/// Presses Send and follows, as one of several tabs that show the same receipt.
fn press_and_follow(mut tab: Browser, receipt: &str, form: &str) {
    let pressed = tab.post(&format!("{receipt}/resume"), form);
    match pressed.status() {
        307 => {
            let target = pressed.field("location").expect("where to").to_owned();
            let answer = tab.post(&target, form);
            assert_eq!(answer.status(), 303, "{}", answer.text());
        }
        // Another tab was first, or the place is closed just now.
        303 | 403 | 409 | 503 => {}
        status => panic!("{status}: {}", pressed.text()),
    }
}

#[test]
fn however_many_tabs_press_on_however_many_workers_it_is_sent_once() {
    let shape = Shape { workers: 4, forms: "resume = \"confirm\"", ..Shape::default() };
    let stage = Stage::shaped(live_form(), shape);
    let mut browser = stage.browser();
    for round in 0..4 {
        stage.close();
        let marker = format!("round-{round}");
        let receipt = browser.save("/claims", &format!("csrf_token=old&name={marker}"));
        stage.reopen();
        let form = browser.form(&receipt);
        std::thread::scope(|scope| {
            let tabs: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| press_and_follow(browser.clone(), &receipt, &form)))
                .collect();
            // The window opens and closes meanwhile. Each tab gives up on an answer that never is.
            while !tabs.iter().all(|tab| tab.is_finished()) {
                stage.close();
                stage.reopen();
            }
            let seen: Vec<_> = tabs.into_iter().map(|tab| tab.join()).collect();
            assert!(seen.iter().all(Result::is_ok), "a tab saw what it should not");
        });
        let sent = || {
            let requests = stage.origin.requests();
            requests.iter().filter(|request| request.text().contains(&marker)).count()
        };
        match browser.state(&receipt).as_str() {
            "accepted" => assert_eq!(sent(), 1),
            "held" => assert_eq!(sent(), 0, "the window was in force at each press"),
            other => panic!("{other} after {} sends", sent()),
        }
    }
}

#[test]
fn no_answer_of_the_application_replaces_a_visitors_key() {
    let planted = [
        ("set-cookie", "intermission=v1.a.b"),
        ("set-cookie", "intermission\t=v1.a.b; Path=/"),
        ("set-cookie", "=intermission=v1.a.b"),
        ("set-cookie", " __Host-intermission = v1.a.b"),
        ("set-cookie", "own=1; x=intermission=2"),
        ("set-cookie", "intermission-theme=dark"),
    ];
    let stage =
        Stage::replaying(Origin::acting(move |_| Act::Send(answer("200 OK", &planted, ""))));
    let answer = stage.browser().get("/");
    let kept = ["own=1; x=intermission=2", "intermission-theme=dark"];
    assert_eq!(answer.field_values("set-cookie"), kept);
}

#[test]
fn no_link_on_a_receipt_leads_to_another_host() {
    let origin = Origin::acting(|_| Act::Send(answer("401 Unauthorized", &[], "who are you?")));
    let stage = Stage::replaying(origin);
    for (target, referer) in [("//evil.example/x", ""), ("/x", "//evil.example/form")] {
        let mut browser = stage.browser();
        stage.close();
        let origin = browser.origin();
        let head = browser.head("POST", target);
        let referer = match referer {
            "" => String::new(),
            path => format!("referer: {origin}{path}\r\n"),
        };
        let fields = format!("origin: {origin}\r\n{referer}content-type: {URLENCODED}\r\n");
        let request = format!("{head}{fields}content-length: 3\r\n\r\na=1");
        let receipt = saved(&browser.exchange(request.as_bytes()));
        stage.reopen();
        let form = browser.form(&receipt);
        browser.press(&receipt, &form);
        let answer = browser.post(target, &form);
        assert_eq!(answer.status(), 303, "{}", answer.text());
        let page = browser.get(&receipt).text();
        assert!(page.contains("were not accepted"), "{page}");
        for elsewhere in ["href=\"//", "href=\"/\\", "href=\"&#x2f;&#x2f;", "href=\"&#x2f;\\"] {
            assert!(!page.contains(elsewhere), "{page}");
        }
    }
}

#[test]
fn one_connection_of_a_trusted_peer_may_speak_for_both_schemes() {
    let shape = Shape { trusted: "\"127.0.0.0/8\"", ..Shape::default() };
    let stage = Stage::shaped(Origin::replying("ok"), shape);
    let mut peer = stage.browser().connect();
    for scheme in ["https", "http", "https"] {
        peer.send(format!(
            "GET / HTTP/1.1\r\nhost: example.org\r\nx-forwarded-proto: {scheme}\r\n\r\n"
        ));
        assert_eq!(peer.response().text(), "ok");
        let requests = stage.origin.requests();
        let request = requests.last().expect("it arrived");
        assert_eq!(request.field("x-forwarded-proto"), Some(scheme));
        let forwarded = request.field("forwarded").expect("one");
        assert!(forwarded.ends_with(&format!("proto={scheme}")), "{forwarded}");
    }
}

#[test]
fn what_was_typed_is_text_wherever_it_is_shown() {
    let stage = Stage::replaying(Origin::acting(|_| Act::Send(ok("thanks"))));
    stage.close();
    let mut browser = stage.browser();
    let hostile = "\"><img src=x onerror=alert(1)>";
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{hostile}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{}\"\r\n\r\nx\r\n--b--\r\n",
        hostile.replace('"', "%22"),
        hostile.replace('"', "%22"),
    );
    let kind = "multipart/form-data; boundary=b";
    let receipt = saved(&browser.post_as("/x?q=%22%3E%3Cimg%20src=x", kind, body.as_bytes()));
    for page in [receipt.clone(), "/.intermission/s".to_owned()] {
        let page = browser.get(&page);
        assert!(!page.text().contains("<img"), "{}", page.text());
        let csp = page.field("content-security-policy").expect("a policy");
        assert!(
            csp.contains("default-src 'none'") && csp.contains("frame-ancestors 'none'"),
            "{csp}"
        );
        assert_eq!(page.field("cache-control"), Some("no-store"));
    }
    let data = browser.get(&format!("{receipt}/data"));
    assert_eq!(data.field("x-content-type-options"), Some("nosniff"));
    assert!(data.field("content-disposition").is_some_and(|told| told.starts_with("attachment")));
}
