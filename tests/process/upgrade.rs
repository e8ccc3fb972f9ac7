//! One process after another: the sockets stay open, so that nobody is refused.

use rustix::process::Signal;

use super::node::{Load, Process, Stage, send};
use crate::support::eventually;
use crate::support::origin::{Act, Origin, ok};

fn hello() -> Origin {
    Origin::acting(|request| match request.target() {
        "/held" => Act::Hold(Vec::new(), ok("finished")),
        _ => Act::Send(ok("hello")),
    })
}

#[test]
fn another_process_takes_over_under_load_and_nobody_notices() {
    let stage = Stage::new(hello(), "");
    let mut process = stage.start();
    let mut held = stage.connect();
    held.send("GET /held HTTP/1.1\r\nHost: site.test\r\n\r\n");
    stage.origin.wait_for(1);
    let order = r#"{"routes":["site"],"reason":"before","back_in":"1h"}"#;
    assert_eq!(stage.operator("POST /api/v1/switches", order).status(), 201);
    assert_eq!(
        stage.operator("POST /api/v1/switches/off", r#"{"routes":["site"],"reason":"x"}"#).status(),
        200
    );
    let load = Load::start(&stage, 8);
    for _ in 0..3 {
        load.goes_on(200);
        let next = Process::spawn(stage.command(&["--takeover"]));
        stage.hear(&format!("MAINPID={}", next.id()));
        stage.hear("READY=1");
        load.goes_on(200);
        let mut before = std::mem::replace(&mut process, next);
        stage.origin.release();
        assert!(before.ended().success(), "{}", stage.log());
    }
    assert_eq!(load.end(), Vec::<String>::new(), "{}", stage.log());
    assert_eq!(held.response().text(), "finished", "it outlived the process it came to first");
    let history = stage.operator("GET /api/v1/history", "").text();
    assert!(history.contains("before"), "the store came along: {history}");
}

/// The control: the same load sees it when a process ends before the next begins.
#[test]
fn without_a_handover_visitors_are_refused() {
    let stage = Stage::new(hello(), "");
    let mut process = stage.start();
    let load = Load::start(&stage, 8);
    load.goes_on(200);
    process.signal(Signal::TERM);
    assert!(process.ended().success());
    let _next = stage.start();
    load.goes_on(200);
    assert!(load.end().iter().any(|fault| fault.starts_with("connect: ")));
}

#[test]
fn a_process_that_cannot_begin_leaves_the_one_that_serves_in_place() {
    let stage = Stage::new(hello(), "");
    let mut process = stage.start();
    let load = Load::start(&stage, 4);
    load.goes_on(100);
    // A config without the route that is closed is refused, when the store is open already.
    stage.configure(
        "site",
        "[[route]]\nname = \"other\"\npaths = [\"/other\"]\nupstream = \"origin\"",
    );
    assert_eq!(stage.operator("POST /api/v1/config/reload", "").status(), 200);
    let order = r#"{"routes":["other"],"reason":"stays closed","back_in":"1h"}"#;
    assert_eq!(stage.operator("POST /api/v1/switches", order).status(), 201);
    stage.configure("site", "");
    let mut next = Process::spawn(stage.command(&["--takeover"]));
    assert_eq!(next.ended().code(), Some(1));
    load.goes_on(100);
    assert!(process.runs(), "{}", stage.log());
    assert!(stage.log().contains("would come up open"), "{}", stage.log());
    let windows = || stage.operator("GET /api/v1/windows", "").text();
    assert!(windows().contains("stays closed"));
    assert_eq!(load.end(), Vec::<String>::new(), "{}", stage.log());
    // And it can still be replaced by one that begins.
    stage.configure(
        "site",
        "[[route]]\nname = \"other\"\npaths = [\"/other\"]\nupstream = \"origin\"",
    );
    let next = Process::spawn(stage.command(&["--takeover"]));
    stage.hear(&format!("MAINPID={}", next.id()));
    assert!(process.ended().success());
    assert!(windows().contains("stays closed"));
}

#[test]
fn a_process_starts_its_own_successor_when_it_is_told_to() {
    let stage = Stage::new(hello(), "");
    let mut process = stage.start();
    process.signal(Signal::USR2);
    let said = stage.hear("MAINPID=");
    let id = said.trim_start_matches("MAINPID=").trim().parse().expect("a process");
    stage.hear("READY=1");
    assert!(process.ended().success());
    let mut client = stage.connect();
    client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    assert_eq!(client.response().text(), "hello");
    send(id, Signal::TERM);
    stage.hear("STOPPING=1");
    eventually("it is gone", || {
        std::net::TcpStream::connect(stage.visitors).is_err().then_some(())
    });
}

#[test]
fn whoever_has_nobody_to_take_over_from_just_starts() {
    let stage = Stage::new(hello(), "");
    let mut process = Process::spawn(stage.command(&["--takeover"]));
    stage.hear("READY=1");
    let mut second = Process::spawn(stage.command(&[]));
    assert_eq!(second.ended().code(), Some(1), "an address is not shared by accident");
    assert!(process.runs());
}
