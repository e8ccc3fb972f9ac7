//! Servers that speak HTTP/2 and say that they did not look at a form: nothing was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::stage::{Shape, Stage, URLENCODED, saved_as};
use crate::support::origin::Origin;
use crate::upstream::h2_origin::{ByHand, Step};

const TEED: &str = "resume = \"replay\"\ntee = true";

/// A server that does what it is told last, and how it is told.
fn told(first: Step) -> (ByHand, impl Fn(Step)) {
    let steps = [Step::Answer, Step::Refuse, Step::Away, Step::Close];
    let number = move |step| steps.iter().position(|known| *known == step).expect("a step") as u8;
    let now = Arc::new(AtomicU8::new(number(first)));
    let theirs = Arc::clone(&now);
    let server = ByHand::start(move |_, _| steps[usize::from(theirs.load(Ordering::SeqCst))]);
    (server, move |step| now.store(number(step), Ordering::SeqCst))
}

fn before(server: &ByHand) -> Stage {
    let shape = Shape { forms: TEED, upstream: "protocol = \"h2\"", ..Shape::default() };
    Stage::start(Origin::untouched(), server.address, shape)
}

/// One that is looked into before it goes on, and one that streams.
fn forms() -> [String; 2] {
    ["name=Ana".to_owned(), format!("name=Ana&story={}", "wave ".repeat(4_000))]
}

#[test]
fn a_form_that_a_server_did_not_look_at_is_held() {
    for step in [Step::Refuse, Step::Away] {
        for form in forms() {
            let (server, tell) = told(step);
            let stage = before(&server);
            let mut browser = stage.browser();
            let receipt = saved_as(&browser.post("/claims", &form), "held");
            let page = browser.get(&receipt).text();
            assert!(!page.contains("type=\"checkbox\""), "{step:?}: nothing is to be checked");
            let asked = server.counts().requests;
            assert!(asked >= 1, "{step:?}: it was offered to the server");
            // Pressed while the server still refuses: held as before.
            let again = browser.send(&receipt);
            assert_eq!((again.status(), again.field("location")), (303, Some(receipt.as_str())));
            assert_eq!(browser.state(&receipt), "held", "{step:?}");
            assert!(server.counts().requests > asked, "{step:?}: it was offered once more");
            tell(Step::Answer);
            assert_eq!(browser.send(&receipt).status(), 200, "{step:?}");
            assert_eq!(browser.state(&receipt), "accepted", "{step:?}");
        }
    }
}

#[test]
fn a_form_that_a_server_may_have_looked_at_is_in_doubt() {
    for form in forms() {
        let (server, tell) = told(Step::Close);
        let stage = before(&server);
        let mut browser = stage.browser();
        let receipt = saved_as(&browser.post("/claims", &form), "unknown");
        assert_eq!(server.counts().requests, 1, "it is not offered to anybody again");
        assert!(browser.get(&receipt).text().contains("type=\"checkbox\""));
        // Its owner's word sends it, and a refusal then does not make it one that never arrived.
        tell(Step::Refuse);
        browser.send(&receipt);
        assert_eq!(browser.state(&receipt), "unknown");
    }
}

#[test]
fn a_form_that_was_refused_in_the_middle_of_its_body_is_held_whole() {
    let (server, _tell) = told(Step::Refuse);
    let stage = before(&server);
    let mut browser = stage.browser();
    let (first, second) = ("first=CANARYone&".repeat(100), "second=CANARYtwo");
    let head = browser.post_head("/claims", URLENCODED);
    let mut client = browser.connect();
    client.send(format!("{head}content-length: {}\r\n\r\n{first}", first.len() + second.len()));
    server.wait("the head at the server", |counts| counts.requests >= 1);
    client.send(second);
    let answer = client.response();
    browser.take_cookies(&answer);
    let receipt = saved_as(&answer, "held");
    let copy = browser.get(&format!("{receipt}/data")).text();
    assert!(copy.contains("CANARYone") && copy.contains("CANARYtwo"), "{copy}");
}
