//! What the service manager hears, and the sockets that it gives.

use std::net::TcpListener;

use rustix::process::Signal;

use super::node::{Process, Stage};
use crate::support::origin::Origin;

#[test]
fn the_service_manager_hears_of_start_reload_life_and_stop() {
    let stage = Stage::new(Origin::replying("hello"), "");
    let mut command = stage.command(&[]);
    command.env("WATCHDOG_USEC", "1200000");
    let mut process = Process::spawn(command);
    stage.hear("READY=1");
    for _ in 0..3 {
        stage.hear("WATCHDOG=1");
    }
    process.signal(Signal::HUP);
    let said = stage.hear("RELOADING=1");
    assert!(said.contains("MONOTONIC_USEC="), "{said}");
    stage.hear("READY=1");
    process.signal(Signal::TERM);
    stage.hear("STOPPING=1");
    assert!(process.ended().success());
}

#[test]
fn a_socket_of_the_service_manager_is_served() {
    let stage = Stage::new(Origin::replying("hello"), "");
    let socket = TcpListener::bind(stage.visitors).expect("a free port");
    // Somebody waits in it already: for that such sockets are there.
    let mut early = stage.connect();
    early.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    let mut process = Process::spawn(stage.activated(socket));
    stage.hear("READY=1");
    assert_eq!(early.response().text(), "hello");
    for _ in 0..20 {
        let mut client = stage.connect();
        client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
        assert_eq!(client.response().text(), "hello");
    }
    process.signal(Signal::TERM);
    assert!(process.ended().success());
}

#[test]
fn a_socket_that_the_config_does_not_want_is_a_reason_not_to_start() {
    let stage = Stage::new(Origin::untouched(), "");
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = socket.local_addr().expect("an address");
    let mut process = Process::spawn(stage.activated(socket));
    assert_eq!(process.ended().code(), Some(1));
    let log = stage.log();
    assert!(log.contains(&format!("listens at {at}")), "{log}");
    assert!(log.contains(&stage.visitors.to_string()), "{log}");
}
