//! How a connection ends: idle, silent, with the process, by its client.

use std::time::Duration;

use intermission::proxy::Pace;

use super::good::{Client, get, plain};
use super::wire::{
    ACK, DATA, END_STREAM, GET, GOAWAY, HEADERS, Outcome, PING, PREFACE, SETTINGS, Wire,
    settings_payload,
};
use super::{Secured, before, h2c, paced};
use crate::proxy::node::{Node, end_of};
use crate::support::origin::{Act, Origin, ok};
use crate::support::{PATIENCE, eventually};

const SOON: Duration = Duration::from_millis(300);

fn holding() -> Origin {
    Origin::acting(|request| match request.target() {
        "/held" => Act::Hold(Vec::new(), ok("finished")),
        _ => Act::Send(ok("hello")),
    })
}

fn held() -> [(&'static str, &'static str); 4] {
    [GET[0], GET[1], GET[2], (":path", "/held")]
}

/// The kinds and last stream ids of what comes until the end; PINGs are answered.
fn farewell(wire: &mut Wire) -> Vec<(u8, u32)> {
    let mut seen = Vec::new();
    while let Some(frame) = wire.next() {
        match frame.kind {
            PING if frame.flags & ACK == 0 => drop(wire.frame(PING, ACK, 0, &frame.payload)),
            GOAWAY => {
                assert_eq!(frame.code(), 0, "NO_ERROR");
                let last = frame.payload[..4].try_into().expect("four bytes");
                seen.push((GOAWAY, u32::from_be_bytes(last)));
            }
            HEADERS | DATA => seen.push((frame.kind, frame.stream)),
            _ => {}
        }
    }
    seen
}

#[test]
fn a_connection_without_streams_is_told_and_closed() {
    let node = paced(Origin::replying("hello"), Pace { keep_alive: SOON, ..Pace::default() });
    let mut wire = Wire::connect(h2c(&node));
    wire.request(1, END_STREAM, &GET);
    assert_eq!(wire.outcome(1), Outcome::Answered(200, b"hello".to_vec()));
    assert_eq!(farewell(&mut wire), [(GOAWAY, 0x7fff_ffff), (GOAWAY, 1)]);
    assert_eq!(node.metric("intermission_h2_goaways_total{reason=\"idle\"}"), 1);
}

#[test]
fn one_that_does_not_let_go_is_cut() {
    let pace = Pace { keep_alive: SOON, write: SOON, ..Pace::default() };
    let node = paced(Origin::replying("hello"), pace);
    let mut wire = Wire::connect(h2c(&node));
    // No PING is answered.
    while wire.next().is_some() {}
}

#[test]
fn a_stream_keeps_its_connection_however_long_it_takes() {
    let node = paced(holding(), Pace { keep_alive: SOON, ..Pace::default() });
    let mut wire = Wire::connect(h2c(&node));
    wire.request(1, END_STREAM, &held());
    node.origin.wait_for(1);
    assert!(wire.is_alive());
    assert!(wire.is_silent_for(SOON * 4), "it is not idle");
    node.origin.release();
    assert_eq!(wire.outcome(1), Outcome::Answered(200, b"finished".to_vec()));
}

#[test]
fn a_preface_that_does_not_come_is_not_waited_for() {
    let node = paced(Origin::untouched(), Pace { head: SOON, ..Pace::default() });
    let mut wire = Wire::silent(h2c(&node));
    wire.raw(PREFACE);
    while wire.next().is_some() {}
}

#[test]
fn settings_are_to_be_acknowledged() {
    let node = paced(Origin::replying("hello"), Pace { head: SOON, ..Pace::default() });
    let mut wire = Wire::silent(h2c(&node));
    wire.raw(PREFACE);
    wire.frame(SETTINGS, 0, 0, []);
    assert_eq!(wire.outcome(1), Outcome::Goaway(4), "SETTINGS_TIMEOUT");
    let mut wire = Wire::connect(h2c(&node));
    assert!(wire.is_alive());
    let _ = wire.is_silent_for(SOON * 3);
    assert!(wire.is_alive(), "they were");
}

#[test]
fn what_is_under_way_finishes_when_the_process_stops_and_nothing_new_begins() {
    let node = before(holding());
    let mut wire = Wire::connect(h2c(&node));
    wire.request(1, END_STREAM, &held());
    let mut idle = Wire::connect(h2c(&node));
    assert!(idle.is_alive());
    node.origin.wait_for(1);
    let stopping = node.stop(PATIENCE);
    assert_eq!(farewell(&mut idle), [(GOAWAY, 0x7fff_ffff), (GOAWAY, 0)]);
    let told = wire.news().expect("a GOAWAY");
    assert_eq!((told.kind, told.code()), (GOAWAY, 0));
    node.origin.release();
    let seen = farewell(&mut wire);
    assert!(seen.contains(&(HEADERS, 1)) && seen.contains(&(DATA, 1)), "{seen:?}");
    assert_eq!(stopping.join().expect("it stops"), 0);
    assert_eq!(node.lines(1).iter().map(end_of).collect::<Vec<_>>(), ["done"]);
}

#[test]
fn a_request_that_crosses_the_first_goaway_is_served() {
    let node = before(holding());
    let mut wire = Wire::connect(h2c(&node));
    wire.request(1, END_STREAM, &held());
    node.origin.wait_for(1);
    let stopping = node.stop(PATIENCE);
    assert_eq!(wire.news().expect("a GOAWAY").kind, GOAWAY);
    let ping = wire.next().expect("a PING behind it");
    assert_eq!((ping.kind, ping.flags), (PING, 0));
    // It was on its way before that was answered.
    wire.request(3, END_STREAM, &GET);
    assert_eq!(wire.outcome(3), Outcome::Answered(200, b"hello".to_vec()));
    wire.frame(PING, ACK, 0, &ping.payload);
    node.origin.release();
    drop(farewell(&mut wire));
    assert_eq!(stopping.join().expect("it stops"), 0);
}

#[test]
fn a_client_that_has_just_shaken_hands_is_heard_though_the_process_stops() {
    let secured = Secured::before(holding());
    let mut late = secured.shaken();
    // The server speaks first: it is waiting for the preface now.
    assert_eq!(late.next().expect("its SETTINGS").kind, SETTINGS);
    let mut idle = secured.connect();
    assert!(idle.is_alive());
    let stopping = secured.node.stop(PATIENCE);
    assert_eq!(farewell(&mut idle), [(GOAWAY, 0x7fff_ffff), (GOAWAY, 0)]);
    let begins = late.raw(PREFACE) && late.frame(SETTINGS, 0, 0, settings_payload([(1, 0)]));
    assert!(begins, "the connection is there");
    late.request(1, END_STREAM, &GET);
    let seen = farewell(&mut late);
    assert!(seen.contains(&(HEADERS, 1)) && seen.contains(&(DATA, 1)), "{seen:?}");
    assert_eq!(stopping.join().expect("it stops"), 0);
}

#[test]
fn what_is_not_done_in_time_is_cut_and_told_of() {
    let node = before(holding());
    let mut wire = Wire::connect(h2c(&node));
    wire.request(1, END_STREAM, &held());
    node.origin.wait_for(1);
    assert_eq!(node.stop(SOON).join().expect("it stops"), 1);
    while wire.next().is_some() {}
    assert_eq!(node.lines(1).iter().map(end_of).collect::<Vec<_>>(), ["proxy/answer/stop"]);
}

#[test]
fn a_client_that_vanishes_takes_its_streams_along() {
    let node = before(holding());
    let mut wire = Wire::connect(h2c(&node));
    wire.request(1, END_STREAM, &held());
    wire.request(3, END_STREAM, &held());
    node.origin.wait_for(2);
    wire.abort();
    let ends: Vec<_> = node.lines(2).iter().map(end_of).collect();
    assert_eq!(ends, ["client/wait/abort", "client/wait/abort"]);
    let gone = |node: &Node| (node.metric("intermission_connections ") == 0).then_some(());
    eventually("the connection is gone", || gone(&node));
}

#[test]
fn many_requests_leave_nothing_behind() {
    let node = before(Origin::replying("hello"));
    let mut client = Client::connect(h2c(&node));
    for _ in 0..500 {
        assert_eq!(client.ask(plain(get("/"))).text(), "hello");
    }
    assert_eq!(node.metric("intermission_h2_streams_total"), 500);
    assert_eq!(node.metric("intermission_h2_connections_total"), 1);
    assert_eq!(node.metric("intermission_in_flight"), 0);
    assert_eq!(node.lines(500).len(), 500);
}

#[test]
fn a_stream_that_is_reset_waits_for_no_window() {
    use intermission::window::plan::{Hold, Plan};
    use intermission::window::state::Mode;
    let node = before(Origin::replying("hello"));
    let hold = Hold { most: 9, longest: Duration::from_secs(3600) };
    node.close_by(Mode::Hold, Plan { hold, ..Plan::default() }, None);
    let held = || node.metric("intermission_held_requests ");
    let mut client = Client::connect(h2c(&node));
    let [left, stays] = [(); 2].map(|()| client.begin(plain(get("/")), true));
    client.until(|| held() == 2);
    drop(left);
    client.until(|| held() == 1);
    node.reopen();
    let answer = client.wait(stays.answer).expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(end_of(&node.lines(1)[0]), "client/wait/abort");
}
