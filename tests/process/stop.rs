//! SIGTERM: what is under way finishes, what lasts takes leave, and what is cut is told.

use rustix::process::Signal;

use super::node::Stage;
use crate::support::eventually;
use crate::support::origin::{Act, Origin, ok};
use crate::support::raw::Raw;

const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                        Upgrade: websocket\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const EVENTS: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                        Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n";
const LEAVE: &[u8] = b"\x88\x14\x03\xe9the proxy restarts";

fn origin() -> Origin {
    Origin::acting(|request| match request.target() {
        "/live" => Act::Echo(SWITCH.into()),
        "/events" => Act::Stall(EVENTS.into()),
        "/held" => Act::Hold(Vec::new(), ok("finished")),
        _ => Act::Send(ok("hello")),
    })
}

fn asking(stage: &Stage, target: &str, fields: &str) -> Raw {
    let mut client = stage.connect();
    client.send(format!("GET {target} HTTP/1.1\r\nHost: site.test\r\n{fields}\r\n"));
    client
}

#[test]
fn nothing_under_way_is_lost_and_what_lasts_takes_leave() {
    let stage = Stage::new(origin(), "[window]\nspread = \"500ms\"\n[stop]\nlame_duck = \"1s\"");
    let mut process = stage.start();
    let mut held: Vec<Raw> = (0..200).map(|_| asking(&stage, "/held", "")).collect();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut sockets: Vec<Raw> = (0..50).map(|_| asking(&stage, "/live", upgrade)).collect();
    for socket in &mut sockets {
        assert_eq!(socket.response().status(), 101);
    }
    let mut events = asking(&stage, "/events", "");
    stage.origin.wait_for(251);
    process.signal(Signal::TERM);
    stage.hear("STOPPING=1");
    eventually("balancers are told", || {
        (stage.operator("GET /ready", "").status() == 503).then_some(())
    });
    let mut lame = asking(&stage, "/", "");
    assert_eq!(lame.response().text(), "hello", "visitors are still taken");
    for socket in &mut sockets {
        assert_eq!(socket.bytes(LEAVE.len()), LEAVE);
        socket.send(b"\x88\x82\0\0\0\0\x03\xe9");
        assert_eq!(socket.rest(), b"");
    }
    let text = events.response().text();
    assert!(text.starts_with("data: 1\n\nretry: "), "{text:?}");
    stage.origin.release();
    for client in &mut held {
        let answer = client.response();
        assert_eq!(
            (answer.text().as_str(), answer.field("connection")),
            ("finished", Some("close"))
        );
    }
    assert!(process.ended().success());
    assert!(!stage.log().contains("not done in time"), "{}", stage.log());
}

/// The control of the test above: what does not finish is cut, and the log says what it was.
#[test]
fn what_is_not_done_in_time_is_cut_and_told() {
    let stage = Stage::new(origin(), "[stop]\ndeadline = \"300ms\"");
    let mut process = stage.start();
    let mut held = asking(&stage, "/held", "");
    stage.origin.wait_for(1);
    process.signal(Signal::TERM);
    assert_eq!(held.rest(), b"");
    assert!(process.ended().success());
    let log = stage.log();
    let told = log.lines().find(|line| line.contains("not done in time")).expect("it is told");
    assert!(told.contains("site") && told.contains("requests=1"), "{told}");
}

#[test]
fn who_was_in_the_queue_is_served() {
    let stage = Stage::new(origin(), "");
    let mut process = stage.start();
    // Many at once: some are not accepted yet when the signal comes.
    let mut clients: Vec<Raw> = (0..300).map(|_| stage.connect()).collect();
    process.signal(Signal::TERM);
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    }
    let served = clients
        .iter_mut()
        .filter_map(|client| client.rest().starts_with(b"HTTP/1.1 200").then_some(()));
    let served = served.count();
    assert_eq!(served, clients.len());
    assert!(process.ended().success());
}
