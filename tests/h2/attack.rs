//! Clients that mean harm: floods end their own connection and nobody else's; a window that stays
//! shut ends in time. Each comes with the well-behaved client that the same bound must spare.

use std::time::Duration;

use intermission::limit;
use intermission::proxy::Pace;

use super::good::{Client, get, plain};
use super::wire::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GET, GOAWAY, HEADERS, Outcome, PING, POST,
    PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, Wire, block,
};
use super::{before, h2c, paced};
use crate::proxy::node::{Node, end_of};
use crate::support::origin::{Act, Origin, ok};

const ENHANCE_YOUR_CALM: u32 = 11;
const SOON: Duration = Duration::from_millis(300);

/// Sends this often, or until the connection is gone; gives what the last word was.
fn flood(wire: &mut Wire, times: usize, frames: &[Frame]) -> Outcome {
    let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
    for _ in 0..times {
        if !wire.raw(&bytes) {
            break;
        }
    }
    wire.outcome(u32::MAX)
}

fn is_ended(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Goaway(ENHANCE_YOUR_CALM) | Outcome::Closed)
}

/// A client that minds its own business on another connection.
fn is_well(node: &Node) {
    assert_eq!(Client::connect(h2c(node)).ask(plain(get("/"))).text(), "hello");
}

#[test]
fn floods_of_control_frames_end_the_connection() {
    let node = before(Origin::replying("hello"));
    let most = limit::H2_CONTROL_FRAMES_MAX as usize;
    for (name, frame) in [
        ("PING", Frame::new(PING, 0, 0, [0; 8])),
        ("SETTINGS", Frame::new(SETTINGS, 0, 0, [])),
        ("PRIORITY", Frame::new(PRIORITY, 0, 7, [0, 0, 0, 0, 1])),
        ("WINDOW_UPDATE", Frame::new(WINDOW_UPDATE, 0, 0, [0, 0, 0, 1])),
        ("an unknown frame", Frame::new(0x42, 0, 0, [])),
    ] {
        let mut wire = Wire::connect(h2c(&node));
        let outcome = flood(&mut wire, most * 20, std::slice::from_ref(&frame));
        assert!(is_ended(&outcome), "{name}: {outcome:?}");
        is_well(&node);
        let mut wire = Wire::connect(h2c(&node));
        let bytes = frame.bytes().repeat(most / 2);
        wire.raw(&bytes);
        assert!(wire.is_alive(), "{name}: half of it is nobody's flood");
    }
    let calm = node.metric("intermission_h2_goaways_total{reason=\"calm\"}");
    assert_eq!(calm, 5);
}

#[test]
fn frames_that_go_with_answers_are_no_flood() {
    let node = before(Origin::replying("hello"));
    let mut wire = Wire::connect(h2c(&node));
    let count = limit::H2_CONTROL_FRAMES_MAX / 2;
    for at in 0..count {
        let stream = at * 2 + 1;
        wire.request(stream, END_STREAM, &GET);
        for _ in 0..4 {
            wire.frame(WINDOW_UPDATE, 0, 0, [0, 0, 0, 5]);
        }
        assert_eq!(wire.outcome(stream), Outcome::Answered(200, b"hello".to_vec()));
    }
    assert!(wire.is_alive());
}

#[test]
fn rapid_resets_end_the_connection() {
    let node = before(Origin::acting(|_| Act::Stall(Vec::new())));
    let mut wire = Wire::connect(h2c(&node));
    let mut outcome = None;
    for at in 0..20_000_u32 {
        let stream = at * 2 + 1;
        let head = Frame::new(HEADERS, END_STREAM | END_HEADERS, stream, block(&GET));
        let reset = Frame::new(RST_STREAM, 0, stream, 8_u32.to_be_bytes());
        if !wire.raw(&[head.bytes(), reset.bytes()].concat()) {
            outcome = Some(Outcome::Closed);
            break;
        }
    }
    let outcome = outcome.unwrap_or_else(|| wire.outcome(u32::MAX));
    assert!(is_ended(&outcome), "{outcome:?}");
}

#[test]
fn resets_of_requests_that_have_reached_a_server_have_a_budget_too() {
    let node = before(Origin::acting(|_| Act::Stall(Vec::new())));
    let mut wire = Wire::connect(h2c(&node));
    let most = limit::H2_RESETS_MAX;
    let mut stream = 1;
    // One by one: the library counts only what it has not yet handed on.
    let mut alive = 0;
    for at in 0..most + 200 {
        wire.request(stream, END_STREAM, &GET);
        if at % 10 == 0 && !wire.is_alive() {
            break;
        }
        if !wire.frame(RST_STREAM, 0, stream, 8_u32.to_be_bytes()) {
            break;
        }
        alive = at;
        stream += 2;
    }
    assert!(alive >= most / 2, "{alive} were let pass");
    let outcome = wire.outcome(u32::MAX);
    assert!(is_ended(&outcome), "{outcome:?} after {alive}");
}

#[test]
fn streams_made_to_be_reset_by_us_end_the_connection() {
    let node = before(Origin::acting(|_| Act::Stall(Vec::new())));
    for evil in [
        |stream| vec![Frame::new(WINDOW_UPDATE, 0, stream, [0; 4])],
        |stream| vec![Frame::new(WINDOW_UPDATE, 0, stream, 0x7fff_ffff_u32.to_be_bytes())],
        |stream| vec![Frame::new(HEADERS, END_HEADERS, stream, block(&[("a", "b")]))],
        |stream| vec![Frame::new(PRIORITY, 0, stream, [&stream.to_be_bytes()[..], &[1]].concat())],
    ] {
        let mut wire = Wire::connect(h2c(&node));
        let mut ended = false;
        for at in 0..2_000_u32 {
            let stream = at * 2 + 1;
            let mut frames = vec![Frame::new(HEADERS, END_HEADERS, stream, block(&POST))];
            frames.extend(evil(stream));
            let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
            if !wire.raw(&bytes) {
                ended = true;
                break;
            }
        }
        let outcome = if ended { Outcome::Closed } else { wire.outcome(u32::MAX) };
        assert!(matches!(outcome, Outcome::Goaway(_) | Outcome::Closed), "{outcome:?}");
    }
}

#[test]
fn heads_without_an_end_and_empty_data_end_the_connection() {
    let node = before(Origin::replying("hello"));
    let mut wire = Wire::connect(h2c(&node));
    wire.frame(HEADERS, 0, 1, block(&GET));
    let outcome = flood(&mut wire, 20_000, &[Frame::new(CONTINUATION, 0, 1, [])]);
    assert!(matches!(outcome, Outcome::Goaway(_) | Outcome::Closed), "{outcome:?}");
    let mut wire = Wire::connect(h2c(&node));
    wire.frame(HEADERS, 0, 1, block(&GET));
    let large = block(&[("x-large", &"a".repeat(16_000))]);
    let outcome = flood(&mut wire, 2_000, &[Frame::new(CONTINUATION, 0, 1, large)]);
    assert!(matches!(outcome, Outcome::Goaway(_) | Outcome::Closed), "{outcome:?}");
    let mut wire = Wire::connect(h2c(&node));
    wire.request(1, 0, &POST);
    let outcome = flood(&mut wire, 20_000, &[Frame::new(DATA, 0, 1, [])]);
    assert!(is_ended(&outcome), "{outcome:?}");
    is_well(&node);
}

#[test]
fn a_table_that_unfolds_into_much_is_bounded() {
    let node = before(Origin::untouched());
    let mut wire = Wire::connect(h2c(&node));
    // One field of 3,900 bytes, remembered; then named 10,000 times in as many bytes.
    let mut bomb = block(&GET);
    bomb.extend([0x40, 1, b'a', 127]);
    let rest = 3_900 - 127_usize;
    bomb.extend([u8::try_from(rest % 128).expect("a byte") | 128, (rest / 128) as u8]);
    bomb.extend(vec![b'x'; 3_900]);
    bomb.extend(vec![0xbe; 10_000]);
    wire.frame(HEADERS, END_STREAM | END_HEADERS, 1, bomb);
    match wire.outcome(1) {
        Outcome::Answered(status, _) => assert_eq!(status, 431),
        Outcome::Reset(_) | Outcome::Goaway(_) | Outcome::Closed => {}
    }
}

#[test]
fn no_more_streams_than_were_offered_are_served_at_once() {
    let node = before(Origin::acting(|_| Act::Stall(Vec::new())));
    let mut wire = Wire::connect(h2c(&node));
    let most = limit::H2_STREAMS_MAX;
    for at in 0..=most {
        wire.request(at * 2 + 1, END_STREAM, &GET);
    }
    assert_eq!(wire.outcome(most * 2 + 1), Outcome::Reset(7), "REFUSED_STREAM: try again");
    assert!(wire.is_alive());
}

#[test]
fn a_window_that_stays_shut_costs_its_stream_in_time() {
    let pace = Pace { write: SOON, ..Pace::default() };
    for (window, body) in [(0, "x".repeat(5)), (0, "x".repeat(1 << 20)), (7, "x".repeat(1 << 20))] {
        let flood = ok(body);
        let node = paced(Origin::acting(move |_| Act::Send(flood.clone())), pace);
        let mut wire = Wire::with_settings(h2c(&node), [(4, window)]);
        wire.request(1, END_STREAM, &GET);
        let outcome = wire.outcome(1);
        assert_eq!(outcome, Outcome::Reset(8), "CANCEL");
        assert_eq!(node.end(), "client/answer/timeout");
        assert!(wire.is_alive(), "a stream is no connection");
    }
}

#[test]
fn a_window_that_opens_now_and_then_is_none_that_stays_shut() {
    let pace = Pace { write: SOON * 3, ..Pace::default() };
    let body = ok("x".repeat(40));
    let node = paced(Origin::acting(move |_| Act::Send(body.clone())), pace);
    let mut wire = Wire::with_settings(h2c(&node), [(4, 10)]);
    wire.request(1, END_STREAM, &GET);
    let mut got = 0;
    while got < 40 {
        let frame = wire.news().expect("a piece");
        if frame.kind == DATA {
            got += frame.payload.len();
            // SLEEP: the client takes its time, and less than it has.
            std::thread::sleep(SOON);
            wire.frame(WINDOW_UPDATE, 0, 1, 10_u32.to_be_bytes());
        }
    }
    assert_eq!(node.end(), "done");
}

#[test]
fn a_window_that_opens_byte_by_byte_is_too_slow() {
    let pace = Pace { write: SOON, slow: SOON, ..Pace::default() };
    let body = ok("x".repeat(10_000));
    let node = paced(Origin::acting(move |_| Act::Send(body.clone())), pace);
    let mut wire = Wire::with_settings(h2c(&node), [(4, 1)]);
    wire.request(1, END_STREAM, &GET);
    let mut got = 0;
    loop {
        let frame = wire.news().expect("a piece, or a reset");
        if frame.kind == RST_STREAM {
            break;
        }
        if frame.kind == DATA {
            got += 1;
            // SLEEP: a byte in time, and far below the rate that is wanted.
            std::thread::sleep(SOON / 4);
            wire.frame(WINDOW_UPDATE, 0, 1, 1_u32.to_be_bytes());
        }
    }
    assert!(got < 1_000, "{got} bytes");
    assert_eq!(node.end(), "client/answer/timeout");
}

#[test]
fn the_window_of_the_connection_is_no_way_to_hold_streams() {
    let pace = Pace { write: SOON, keep_alive: SOON, ..Pace::default() };
    let flood = ok("x".repeat(60_000));
    let node = paced(Origin::acting(move |_| Act::Send(flood.clone())), pace);
    let mut wire = Wire::connect(h2c(&node));
    for at in 0..10 {
        wire.request(at * 2 + 1, END_STREAM, &GET);
    }
    let mut seen = Vec::new();
    while let Some(frame) = wire.news() {
        if frame.kind == GOAWAY || frame.kind == RST_STREAM {
            seen.push(frame.kind);
        }
    }
    assert!(seen.contains(&RST_STREAM) && seen.contains(&GOAWAY), "{seen:?}");
    let ends: Vec<_> = node.lines(10).iter().map(end_of).collect();
    assert!(ends.iter().filter(|end| *end == "client/answer/timeout").count() >= 8, "{ends:?}");
}

#[test]
fn a_client_that_reads_nothing_is_cut() {
    let pace = Pace { write: SOON, ..Pace::default() };
    let flood = ok("x".repeat(32 << 20));
    let node = paced(Origin::acting(move |_| Act::Send(flood.clone())), pace);
    let mut wire = Wire::with_settings(h2c(&node), [(4, 0x7fff_ffff)]);
    wire.frame(WINDOW_UPDATE, 0, 0, 0x7000_0000_u32.to_be_bytes());
    wire.request(1, END_STREAM, &GET);
    assert_eq!(node.end(), "client/answer/timeout");
    let closed = || (node.metric("intermission_connections ") == 0).then_some(());
    crate::support::eventually("the connection is gone", closed);
    drop(wire);
}
