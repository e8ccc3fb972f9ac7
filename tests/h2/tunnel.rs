//! WebSocket over a stream (RFC 8441).

use intermission::window::state::Mode;

use super::wire::{DATA, END_STREAM, GET, GOAWAY, HEADERS, Outcome, RST_STREAM, Wire, status_of};
use super::{before, h2c, routed};
use crate::support::origin::{Act, Origin, answer, ok};
use intermission::digest::websocket_accept;

const CONNECT: [(&str, &str); 7] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":path", "/live"),
    (":authority", "site.test"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-protocol", "chat"),
];

fn switching() -> Origin {
    Origin::acting(|request| {
        let key = request.field("sec-websocket-key").unwrap_or_default();
        let accept = websocket_accept(key.as_bytes());
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\nbehind"
        );
        Act::Echo(head.into())
    })
}

/// The bytes of DATA frames on stream 1 until there are this many.
fn bytes(wire: &mut Wire, count: usize) -> Vec<u8> {
    let mut got = Vec::new();
    while got.len() < count {
        let frame = wire.news().expect("a frame");
        assert_eq!((frame.kind, frame.stream), (DATA, 1), "{frame:?}");
        wire.frame(8, 0, 0, (frame.payload.len() as u32).max(1).to_be_bytes());
        wire.frame(8, 0, 1, (frame.payload.len() as u32).max(1).to_be_bytes());
        got.extend(frame.payload);
    }
    got
}

#[test]
fn a_stream_becomes_a_tunnel_and_the_server_sees_an_upgrade() {
    let node = before(switching());
    let mut wire = Wire::connect(h2c(&node));
    wire.request(1, 0, &CONNECT);
    let head = wire.news().expect("an answer");
    assert_eq!((head.kind, head.flags & END_STREAM), (HEADERS, 0));
    assert_eq!(status_of(&head.payload), 200);
    assert_eq!(bytes(&mut wire, 6), b"behind");
    for piece in [&b"\x81\x05hello"[..], &[0xff; 16_000]] {
        wire.frame(DATA, 0, 1, piece);
        assert_eq!(bytes(&mut wire, piece.len()), piece);
    }
    let seen = &node.origin.requests()[0];
    assert_eq!(seen.first_line, "GET /live HTTP/1.1");
    assert_eq!(
        (seen.field("connection"), seen.field("upgrade")),
        (Some("upgrade"), Some("websocket"))
    );
    assert_eq!(seen.field("sec-websocket-key").map(str::len), Some(24));
    assert_eq!(seen.field("sec-websocket-protocol"), Some("chat"));
    assert_eq!((seen.field("host"), seen.field("transfer-encoding")), (Some("site.test"), None));
    wire.request(3, END_STREAM, &GET);
    wire.frame(DATA, END_STREAM, 1, []);
    let end = loop {
        let frame = wire.news().expect("its end");
        if frame.stream == 1 {
            break frame;
        }
    };
    assert_eq!((end.kind, end.flags & END_STREAM), (DATA, END_STREAM));
    let line = &node.lines(1)[0];
    assert_eq!((&line["status"], &line["end"]), (&200.into(), &"done".into()));
    assert!(wire.is_alive());
}

#[test]
fn a_closed_place_answers_before_anything_is_switched() {
    let node = before(Origin::untouched());
    for (mode, stream) in [(Mode::Page, 1), (Mode::ReadOnly, 3)] {
        node.close(mode);
        let mut wire = Wire::connect(h2c(&node));
        wire.request(stream, 0, &CONNECT);
        assert!(matches!(wire.outcome(stream), Outcome::Answered(503, _)), "{mode:?}");
    }
}

#[test]
fn a_route_without_websockets_says_so() {
    let node = routed(Origin::untouched(), "websocket = false");
    let mut wire = Wire::connect(h2c(&node));
    wire.request(1, 0, &CONNECT);
    assert!(matches!(wire.outcome(1), Outcome::Answered(501, _)));
}

#[test]
fn what_is_no_true_switch_opens_no_tunnel() {
    let wrong = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    for (answer, status) in [
        (wrong.into(), 502),
        (ok("plain"), 502),
        (answer("403 Forbidden", &[], "no"), 403),
        (answer("426 Upgrade Required", &[], "no"), 426),
    ] {
        let node = before(Origin::acting(move |_| Act::Send(answer.clone())));
        let mut wire = Wire::connect(h2c(&node));
        wire.request(1, 0, &CONNECT);
        wire.frame(DATA, 0, 1, "early");
        let outcome = wire.outcome(1);
        assert!(matches!(outcome, Outcome::Answered(got, _) if got == status), "{outcome:?}");
        let wire = node.origin.wire().concat();
        assert!(!String::from_utf8_lossy(&wire).contains("early"), "it reached the application");
    }
}

#[test]
fn a_tunnel_that_breaks_is_reset_and_told_of() {
    let node = before(switching());
    let mut wire = Wire::connect(h2c(&node));
    wire.request(1, 0, &CONNECT);
    assert_eq!(wire.news().expect("an answer").kind, HEADERS);
    assert_eq!(bytes(&mut wire, 6), b"behind");
    wire.frame(RST_STREAM, 0, 1, 8_u32.to_be_bytes());
    assert_eq!(node.end(), "client/answer/abort");
    assert!(wire.is_alive());
    let node = before(Origin::acting(|request| {
        let key = request.field("sec-websocket-key").unwrap_or_default();
        let accept = websocket_accept(key.as_bytes());
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        Act::SendAndReset(head.into())
    }));
    let mut wire = Wire::connect(h2c(&node));
    wire.request(1, 0, &CONNECT);
    loop {
        let frame = wire.news().expect("a reset");
        assert_ne!(frame.kind, GOAWAY);
        if frame.kind == RST_STREAM {
            break;
        }
        assert_eq!(frame.flags & END_STREAM, 0, "it looks as if it had ended: {frame:?}");
    }
    assert_eq!(node.end(), "upstream/answer/reset");
}
