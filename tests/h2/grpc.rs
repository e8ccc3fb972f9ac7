//! gRPC: calls as the libraries frame them, and what they are told when there is nobody to call.

use std::time::Duration;

use http::{HeaderMap, Method};
use intermission::proxy::Pace;
use intermission::window::state::Mode;

use super::good::{Answer, Client, get, plain};
use super::{before, h2c, paced};
use crate::proxy::node::{Node, Setup};
use crate::support::origin::{Act, Origin};

fn call() -> http::request::Builder {
    let call = get("/shop.Orders/Place").method(Method::POST).header("te", "trailers");
    call.header("content-type", "application/grpc+proto").header("grpc-timeout", "5S")
}

fn message(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("a length").to_be_bytes();
    [&[0][..], &length, text.as_bytes()].concat()
}

fn status(answer: &Answer) -> Option<&str> {
    assert_eq!(answer.status, 200, "gRPC knows no other");
    answer.field("grpc-status")
}

fn of(trailers: Option<&HeaderMap>) -> &str {
    trailers.and_then(|trailers| trailers["grpc-status"].to_str().ok()).expect("a status")
}

#[test]
fn a_call_and_its_trailers_pass() {
    let node = before(Origin::acting(|_| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        let body = message("placed");
        let size = format!("{:x}\r\n", body.len());
        let end = "\r\n0\r\ngrpc-status: 0\r\ngrpc-message: ok\r\n\r\n";
        Act::Send([head.as_bytes(), size.as_bytes(), &body, end.as_bytes()].concat())
    }));
    let got = Client::connect(h2c(&node)).post(plain(call()), &message("order"));
    assert_eq!((got.body.as_slice(), of(got.trailers.as_ref())), (&message("placed")[..], "0"));
    let seen = &node.origin.requests()[0];
    assert_eq!((seen.field("te"), seen.body.clone()), (Some("trailers"), message("order")));
    assert_eq!(seen.field("grpc-timeout"), Some("5S"));
}

#[test]
fn an_answer_of_trailers_alone_passes() {
    let node = before(Origin::acting(|_| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 5\r\n";
        Act::Send(format!("{head}content-length: 0\r\n\r\n").into())
    }));
    let got = Client::connect(h2c(&node)).post(plain(call()), &message("order"));
    assert_eq!(status(&got), Some("5"));
}

#[test]
fn messages_pass_one_by_one_in_both_directions() {
    let node = before(Origin::acting(|_| Act::Stall(Vec::new())));
    let mut client = Client::connect(h2c(&node));
    let mut call = client.begin(plain(call()), false);
    for text in ["first", "second", "third"] {
        client.send(&mut call, &message(text), false);
        // It reaches the application although the call has not ended.
        let wire = || String::from_utf8_lossy(&node.origin.wire().concat()).into_owned();
        client.until(|| wire().contains(text));
    }
    let node = before(Origin::acting(|_| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n\
                    transfer-encoding: chunked\r\n\r\n3\r\none\r\n";
        Act::Hold(head.into(), b"3\r\ntwo\r\n0\r\ngrpc-status: 0\r\n\r\n".to_vec())
    }));
    let mut client = Client::connect(h2c(&node));
    let mut call = client.begin(plain(self::call()), false);
    client.send(&mut call, &message("go"), true);
    let (first, mut stream) = client.wait(async {
        let mut stream = call.answer.await.expect("an answer").into_body();
        (stream.data().await.expect("a message").expect("a message"), stream)
    });
    assert_eq!(&first[..], b"one", "it does not wait for the second");
    node.origin.release();
    let rest = client.wait(super::good::take(&mut stream)).expect("the rest");
    assert_eq!(rest, b"two");
    let trailers = client.wait(async { stream.trailers().await }).expect("trailers");
    assert_eq!(of(trailers.as_ref()), "0");
}

#[test]
fn a_call_may_pause_longer_than_a_body() {
    let pace = Pace { body: Duration::from_millis(200), ..Pace::default() };
    let node = paced(Origin::replying("done"), pace);
    let mut client = Client::connect(h2c(&node));
    let mut call = client.begin(plain(call()), false);
    client.send(&mut call, &message("first"), false);
    let wire = || String::from_utf8_lossy(&node.origin.wire().concat()).into_owned();
    client.until(|| wire().contains("first"));
    // SLEEP: the client has nothing to say.
    std::thread::sleep(Duration::from_secs(1));
    client.send(&mut call, &message("second"), true);
    assert_eq!(client.finish(call).expect("an answer").text(), "done");
    // Anybody else who pauses as long is cut: `a_body_that_does_not_go_on_costs_its_stream_alone`.
    assert_eq!(node.end(), "done");
}

#[test]
fn a_closed_place_is_unavailable_with_a_time_to_come_back() {
    let node = before(Origin::untouched());
    node.close_scope(Mode::Page, &[], &[], Some(Duration::from_secs(600)));
    let got = Client::connect(h2c(&node)).post(plain(call()), &message("order"));
    assert_eq!((status(&got), got.field("content-type")), (Some("14"), Some("application/grpc")));
    let pushback = got.field("grpc-retry-pushback-ms").and_then(|value| value.parse().ok());
    let pushback: u64 = pushback.expect("a number");
    assert!((500_000..800_000).contains(&pushback), "{pushback}");
    let details = got.field("grpc-status-details-bin").expect("details").trim_end_matches('=');
    let details = details.replace('+', "-").replace('/', "_");
    let details = intermission::digest::unbase64url(&details).expect("base64");
    assert_eq!(details[..2], [0x08, 14]);
    let shown = String::from_utf8_lossy(&details).into_owned();
    assert!(shown.contains("type.googleapis.com/google.rpc.RetryInfo"), "{shown}");
    assert!(got.field("grpc-message").is_some_and(|message| !message.is_empty()));
    assert!(got.body.is_empty() && got.trailers.is_none());
}

#[test]
fn a_place_closed_for_who_knows_how_long_promises_nothing() {
    let node = before(Origin::untouched());
    node.close(Mode::Page);
    let got = Client::connect(h2c(&node)).post(plain(call()), &message("order"));
    assert_eq!(status(&got), Some("14"));
    assert_eq!(got.field("grpc-retry-pushback-ms"), None);
    assert_eq!(got.field("grpc-status-details-bin"), None);
}

#[test]
fn failures_are_told_in_the_words_of_grpc() {
    let setup = || Setup { listen: super::LISTEN, ..Setup::default() };
    let slow = Setup { route: "answer_timeout = \"200ms\"", ..setup() };
    let gone = Setup { server: Some(([127, 0, 0, 1], 1).into()), ..setup() };
    let stall = || Origin::acting(|_| Act::Stall(Vec::new()));
    let reset = || Origin::acting(|_| Act::SendAndReset(Vec::new()));
    for (node, wanted, end) in [
        (Node::start(Origin::untouched(), &gone), "14", "upstream/connect/refused"),
        (Node::start(reset(), &setup()), "14", "upstream/wait/reset"),
        (Node::start(stall(), &slow), "4", "upstream/wait/timeout"),
    ] {
        let got = Client::connect(h2c(&node)).post(plain(call()), &message("order"));
        assert_eq!(status(&got), Some(wanted), "{end}");
        assert!(got.field("grpc-message").is_some());
        assert_eq!(node.end(), end);
    }
    let node = before(Origin::untouched());
    let elsewhere = plain(call().uri("http://nowhere.example/shop.Orders/Place"));
    let got = Client::connect(h2c(&node)).post(elsewhere, &message("order"));
    assert_eq!(status(&got), Some("12"));
}
