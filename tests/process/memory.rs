//! What the process holds in memory while visitors' forms pass through it.

use super::node::{Process, Stage};
use crate::support::http1::Message;
use crate::support::origin::{Act, Origin};
use crate::support::raw::Raw;

const MIB: u64 = 1024 * 1024;
/// The most that a route keeps of an upload unless it says otherwise.
const UPLOAD_BYTES: usize = 25 << 20;
/// What may stay of it: the store's cache of pages (8 MiB), a few frames, and buffers.
const GROWTH_MAX: u64 = 14 * MIB;
/// Forms that wait for their application, and bytes of each.
const WAITING: (usize, usize) = (24, 1_000_000);

/// The most that the process ever held resident, in bytes.
fn peak(process: &Process) -> u64 {
    let path = format!("/proc/{}/status", process.id());
    let status = std::fs::read_to_string(path).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let figure = line.split_ascii_whitespace().next().expect("a figure");
    figure.parse::<u64>().expect("a number") * 1024
}

/// A connection on which a browser has sent this form.
fn posted(stage: &Stage, content_type: &str, body: &[u8]) -> Raw {
    let host = stage.visitors;
    let mut visitor = stage.connect();
    visitor.send(format!(
        "POST /photos HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nOrigin: http://{host}\r\n\
         Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    visitor.send(body);
    visitor
}

fn upload(stage: &Stage, bytes: usize) -> Message {
    let open = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.jpg\"\r\n\r\n";
    let close = "\r\n--b--\r\n";
    let photo = vec![b'x'; bytes - open.len() - close.len()];
    let body = [open.as_bytes(), &photo, close.as_bytes()].concat();
    posted(stage, "multipart/form-data; boundary=b", &body).response()
}

#[test]
fn an_upload_is_kept_in_bounded_memory() {
    let stage = Stage::new(Origin::untouched(), "");
    let process = stage.start();
    let order = r#"{"routes":["site"],"reason":"a test","back_in":"15m"}"#;
    assert_eq!(stage.operator("POST /api/v1/switches", order).status(), 201);
    assert_eq!(upload(&stage, 100_000).status(), 303, "what the first one needs is there");
    let before = peak(&process);
    assert_eq!(upload(&stage, UPLOAD_BYTES).status(), 303);
    let grown = peak(&process) - before;
    assert!(grown < GROWTH_MAX, "it grew by {grown} bytes");
}

/// The control: what the process does hold, the same look sees.
#[test]
fn forms_that_wait_in_memory_are_seen_there() {
    let stage = Stage::new(Origin::acting(|_| Act::Stall(Vec::new())), "[route.forms]\ntee = true");
    let process = stage.start();
    let before = peak(&process);
    let (forms, bytes) = WAITING;
    let body = [b"note=", "x".repeat(bytes).as_bytes()].concat();
    let kind = "application/x-www-form-urlencoded";
    let visitors: Vec<Raw> = (0..forms).map(|_| posted(&stage, kind, &body)).collect();
    stage.origin.wait_for(visitors.len());
    let grown = peak(&process) - before;
    assert!(grown > GROWTH_MAX, "it grew by {grown} bytes alone");
}
