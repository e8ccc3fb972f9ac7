//! Posts with the field of a ticket, whoever sends them: the application never sees one.

use super::stage::{Browser, Stage, URLENCODED};
use crate::support::origin::Origin;

/// Every head under which a ticket may come that nobody here can redeem.
fn as_strangers(browser: &Browser, path: &str) -> Vec<(&'static str, String)> {
    let own = browser.post_head(path, URLENCODED);
    let elsewhere = own.replace("same-origin", "cross-site");
    let silent = own.replace("sec-fetch-site: same-origin\r\n", "");
    let script = own.replace("navigate", "cors") + "x-requested-with: XMLHttpRequest\r\n";
    let program = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {URLENCODED}\r\n");
    let heads = [own, elsewhere, silent, script, program];
    ["its own page", "another site", "an old browser", "a script", "a program"]
        .into_iter()
        .zip(heads)
        .collect()
}

#[test]
fn a_ticket_that_nobody_can_redeem_never_reaches_the_application() {
    let stage = Stage::replaying(Origin::untouched());
    let mut owner = stage.browser();
    stage.close();
    let receipt = owner.save("/claims?id=7", "name=Ana");
    stage.reopen();
    let form = owner.form(&receipt);
    let (target, form) = owner.press(&receipt, &form);
    let foreign =
        [("session".to_owned(), "s".to_owned()), ("intermission".into(), "v1.a.b".into())];
    for closed in [false, true] {
        if closed {
            stage.close();
        }
        for cookies in [&[][..], &foreign] {
            let mut stranger = stage.browser();
            stranger.cookies.extend(cookies.iter().cloned());
            for (who, head) in as_strangers(&stranger, &target) {
                let length = form.len();
                let whole = format!("{head}content-length: {length}\r\n\r\n{form}");
                let (one, two) = form.split_at(7);
                let parts = format!(
                    "{head}transfer-encoding: chunked\r\n\r\n7\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
                    two.len()
                );
                let none = format!("{head}content-length: 20\r\n\r\nintermission_ticket=");
                let long = format!("{form}&{}", "x".repeat(2000));
                let long = format!(
                    "{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
                    long.len()
                );
                for request in [whole, parts, none, long] {
                    let answer = stranger.exchange(request.as_bytes());
                    assert_eq!(answer.status(), 410, "{who}, closed: {closed}: {}", answer.text());
                    assert_eq!(answer.field("set-cookie"), None, "{who}");
                }
            }
        }
        assert_eq!(owner.state(&receipt), "armed", "nobody else can use it up");
    }
}

#[test]
fn posts_that_do_not_tell_their_length_stream_on_untouched() {
    let stage = Stage::replaying(Origin::replying("done"));
    let browser = stage.browser();
    let head = browser.post_head("/other", URLENCODED);
    let mut client = browser.connect();
    client.send(format!("{head}transfer-encoding: chunked\r\n\r\n5\r\ninter\r\n"));
    client.send("c\r\nmission_tick\r\n");
    // From here on it is none of ours: it goes on though its end is far.
    client.send("4\r\n&a=1\r\n");
    stage.origin.wait_for_bytes(b"intermission_tick&a=1");
    client.send("6\r\n&b=%2f\r\n0\r\n\r\n");
    assert_eq!(client.response().text(), "done");
    assert_eq!(stage.origin.requests()[0].text(), "intermission_tick&a=1&b=%2f");
    let mut whole = stage.browser();
    let body = "a=1&b=%2f&c=four-and-more";
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n19\r\n{body}\r\n0\r\n\r\n");
    assert_eq!(whole.exchange(chunked.as_bytes()).text(), "done");
    assert_eq!(stage.origin.requests()[1].text(), body);
}
