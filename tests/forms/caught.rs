//! Forms that are on their way when the application fails.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::JoinHandle;

use intermission::limit;

use super::stage::{Shape, Stage, URLENCODED, saved_as};
use crate::support::eventually;
use crate::support::http1::Message;
use crate::support::origin::{Act, Origin, answer, ok};

const TEED: &str = "resume = \"replay\"\ntee = true";
const MULTIPART: &str = "multipart/form-data; boundary=b0undary";

/// A node in front of an application that does this with posts.
fn failing(act: impl Fn(&Message) -> Act + Send + Sync + 'static) -> Stage {
    Stage::with_forms(Origin::acting(act), TEED)
}

fn resetting() -> Stage {
    failing(|_| Act::SendAndReset(Vec::new()))
}

/// An address where nobody listens, kept from others until it is dropped.
fn deserted() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has ports");
    let address = listener.local_addr().expect("a bound socket");
    (listener, address)
}

/// An application that dies once it has this many bytes of a request.
fn dying(after: usize) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let (listener, address) = deserted();
    let dies = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the proxy connects");
        let mut seen = Vec::new();
        let mut piece = [0; 4096];
        while seen.len() < after {
            let count = stream.read(&mut piece).expect("bytes of a request");
            assert!(count > 0, "the proxy stays");
            seen.extend_from_slice(&piece[..count]);
        }
        crate::support::raw::reset(stream);
        seen
    });
    (address, dies)
}

/// Whether the node has kept nothing at all.
fn keeps_nothing(stage: &Stage) -> bool {
    stage.status().contains("\"submissions\":{}")
}

fn upload_of(bytes: usize) -> Vec<u8> {
    let mut body =
        b"--b0undary\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n"
            .to_vec();
    body.extend(b"words of a file ".iter().cycle().take(bytes));
    body.extend_from_slice(b"\r\n--b0undary--\r\n");
    body
}

#[test]
fn a_form_that_nobody_took_is_held_and_goes_once_the_application_is_back() {
    let (listener, server) = deserted();
    drop(listener);
    let shape = Shape { forms: TEED, ..Shape::default() };
    let stage = Stage::start(Origin::untouched(), server, shape);
    let mut browser = stage.browser();
    let receipt = saved_as(&browser.post("/claims?id=7", "name=Ana"), "held");
    let page = browser.get(&receipt).text();
    assert!(page.contains("intermission_ticket"), "it is open: Send is offered at once: {page}");
    assert!(!page.contains("type=\"checkbox\""), "nothing was sent, so nothing is to be checked");
    let back = Origin::at(server).expect("its port is free still");
    eventually("the application is asked again", || {
        let answer = browser.send(&receipt);
        (answer.status() == 200 && answer.text() == "back").then_some(())
    });
    let requests = back.requests();
    assert_eq!((requests[0].method(), requests[0].text().as_str()), ("POST", "name=Ana"));
    assert_eq!(browser.state(&receipt), "accepted");
}

#[test]
fn a_form_whose_connection_broke_is_unknown_and_asks_before_it_goes_again() {
    let stage = failing(|request| match request.field("intermission-resumed") {
        None => Act::SendAndReset(Vec::new()),
        Some(_) => Act::Send(ok("taken")),
    });
    let mut browser = stage.browser();
    let receipt = saved_as(&browser.post("/claims", "name=Ana"), "unknown");
    assert_eq!(stage.origin.requests().len(), 1, "it was not sent again by itself");
    let page = browser.get(&receipt).text();
    assert!(page.contains("may or may not have arrived"), "{page}");
    assert!(page.contains("name=\"checked\" value=\"yes\" required"), "{page}");
    let unchecked = browser.form(&receipt).replace("&checked=yes", "");
    assert_eq!(browser.post(&format!("{receipt}/resume"), &unchecked).status(), 303);
    assert_eq!(stage.origin.requests().len(), 1, "nor without its owner's word");
    assert_eq!(browser.send(&receipt).text(), "taken");
    assert_eq!(browser.state(&receipt), "accepted");
}

#[test]
fn an_answer_that_says_the_application_failed_is_replaced_by_the_receipt() {
    for status in ["502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"] {
        let stage = failing(move |_| Act::Send(answer(status, &[("retry-after", "9")], "down")));
        let mut browser = stage.browser();
        let receipt = saved_as(&browser.post("/claims", "name=Ana"), "unknown");
        assert!(browser.get(&receipt).text().contains("Ana"), "{status}");
    }
    // What an application says for itself is its own to say.
    for status in ["200 OK", "403 Forbidden", "409 Conflict", "500 Internal Server Error"] {
        let stage = failing(move |_| Act::Send(answer(status, &[], "said")));
        let native = stage.browser().post("/claims", "name=Ana");
        assert_eq!(
            (native.text().as_str(), native.field("set-cookie")),
            ("said", None),
            "{status}"
        );
        assert!(keeps_nothing(&stage), "{status}: {}", stage.status());
    }
}

#[test]
fn a_form_is_kept_whole_though_the_application_died_in_the_middle_of_it() {
    let (server, dies) = dying(300);
    let shape = Shape { forms: TEED, ..Shape::default() };
    let stage = Stage::start(Origin::untouched(), server, shape);
    let mut browser = stage.browser();
    let first = format!("first=CANARYone&padding={}&", "x".repeat(4000));
    let (head, second) = (browser.post_head("/claims", URLENCODED), "second=CANARYtwo");
    let mut client = browser.connect();
    client.send(format!("{head}content-length: {}\r\n\r\n{first}", first.len() + second.len()));
    let seen = dies.join().expect("it dies as it should");
    assert!(!seen.windows(9).any(|bytes| bytes == b"CANARYtwo"), "the rest came later");
    client.send(second);
    let answer = client.response();
    browser.take_cookies(&answer);
    let receipt = saved_as(&answer, "unknown");
    let copy = browser.get(&format!("{receipt}/data")).text();
    assert!(copy.contains("CANARYone") && copy.contains("CANARYtwo"), "{copy}");
}

#[test]
fn a_form_that_never_came_whole_is_not_kept() {
    let (server, dies) = dying(300);
    let shape = Shape { forms: TEED, ..Shape::default() };
    let mut stage = Stage::start(Origin::untouched(), server, shape);
    let browser = stage.browser();
    let head = browser.post_head("/claims", URLENCODED);
    let mut client = browser.connect();
    client.send(format!("{head}content-length: 900\r\n\r\nfirst=CANARYone&"));
    dies.join().expect("it dies as it should");
    client.finish();
    let answer = client.rest();
    assert!(!answer.starts_with(b"HTTP/1.1 303"), "{}", String::from_utf8_lossy(&answer));
    assert!(keeps_nothing(&stage), "{}", stage.status());
    stage.stop();
    assert!(!stage.stores("CANARY"));
}

#[test]
fn secrets_and_posts_of_other_sites_are_not_caught() {
    let mut stage = resetting();
    let mut browser = stage.browser();
    for body in ["user=Ana&password=CANARYsecret", "reference=4111+1111+1111+1111", "otp=123456"] {
        let answer = browser.post("/claims", body);
        assert_eq!((answer.status(), answer.field("set-cookie")), (502, None), "{body}");
    }
    let head = browser.post_head("/claims", URLENCODED);
    let foreign = head
        .replace("same-origin", "cross-site")
        .replace(&format!("origin: {}", browser.origin()), "origin: http://evil.example");
    let answer = browser.exchange(format!("{foreign}content-length: 3\r\n\r\na=1").as_bytes());
    assert_eq!((answer.status(), answer.field("set-cookie")), (502, None));
    assert!(keeps_nothing(&stage), "{}", stage.status());
    stage.stop();
    assert!(!stage.stores("CANARY"));
}

#[test]
fn a_route_that_catches_nothing_answers_as_ever() {
    let stage = Stage::replaying(Origin::acting(|_| Act::SendAndReset(Vec::new())));
    let answer = stage.browser().post("/claims", "name=Ana");
    assert_eq!((answer.status(), answer.field("set-cookie")), (502, None));
    let page = answer.text();
    assert!(page.contains("check whether it arrived"), "{page}");
    assert!(keeps_nothing(&stage), "{}", stage.status());
}

#[test]
fn a_form_longer_than_is_kept_at_hand_is_caught_only_if_none_of_it_was_read() {
    let long = upload_of(limit::TEE_BYTES_MAX + 1);
    let stage = resetting();
    let answer = stage.browser().post_as("/claims", MULTIPART, &long);
    assert_eq!((answer.status(), answer.field("set-cookie")), (502, None));
    let fits = upload_of(limit::TEE_BYTES_MAX - 4096);
    let mut browser = stage.browser();
    saved_as(&browser.post_as("/claims", MULTIPART, &fits), "unknown");
    let (listener, server) = deserted();
    drop(listener);
    let shape = Shape { forms: TEED, ..Shape::default() };
    let stage = Stage::start(Origin::untouched(), server, shape);
    let mut browser = stage.browser();
    let receipt = saved_as(&browser.post_as("/claims", MULTIPART, &long), "held");
    assert_eq!(browser.get(&receipt).status(), 200);
}

#[test]
fn what_a_worker_keeps_at_hand_is_bounded_and_given_back() {
    let refused = answer("503 Service Unavailable", &[], "down");
    let stage = failing(move |_| Act::Hold(Vec::new(), refused.clone()));
    let body = format!("a={}", "x".repeat(limit::TEE_BYTES_MAX - 2));
    let most = limit::TEE_BYTES_PER_WORKER_MAX / limit::TEE_BYTES_MAX;
    let request = |browser: &super::stage::Browser| {
        let head = browser.post_head("/claims", URLENCODED);
        format!("{head}content-length: {}\r\n\r\n{body}", body.len())
    };
    let mut clients = Vec::new();
    for number in 1..=most + 2 {
        let browser = stage.browser();
        let mut client = browser.connect();
        client.send(request(&browser));
        stage.origin.wait_for(number);
        clients.push(client);
    }
    stage.origin.release();
    let told: Vec<u16> = clients.iter_mut().map(|client| client.response().status()).collect();
    let caught = told.iter().filter(|status| **status == 303).count();
    assert_eq!(caught, most, "{told:?}");
    assert_eq!(told.iter().filter(|status| **status == 503).count(), 2, "{told:?}");
    // Their room is free again.
    let answer = stage.browser().post("/claims", &body);
    assert_eq!(answer.status(), 303, "{}", answer.text());
}

#[test]
fn nothing_is_written_while_the_answer_may_still_come() {
    let mut stage = failing(|_| Act::Stall(Vec::new()));
    let browser = stage.browser();
    let head = browser.post_head("/claims", URLENCODED);
    let mut client = browser.connect();
    client.send(format!("{head}content-length: 12\r\n\r\nname=CANARYx"));
    stage.origin.wait_for(1);
    assert!(keeps_nothing(&stage), "{}", stage.status());
    // A client that leaves takes its form along.
    drop(client);
    stage.stop();
    assert!(!stage.stores("CANARY"));
}

#[test]
fn the_same_form_pressed_again_after_a_break_is_not_taken_for_one_that_was_not_sent() {
    let stage = resetting();
    let mut browser = stage.browser();
    stage.close();
    let held = browser.save("/claims", "name=Ana");
    stage.reopen();
    let unknown = saved_as(&browser.post("/claims", "name=Ana"), "unknown");
    assert_ne!(held, unknown);
    assert_eq!(browser.state(&held), "held");
}
