//! What does not end by itself, in maintenance: WebSockets, event streams, gRPC streams, and what
//! is let be.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use intermission::proxy::Pace;
use intermission::window::state::Mode;

use super::node::{Node, Setup, get};
use super::tunnel::{SWITCH, switching_to, upgrade};
use crate::support::PATIENCE;
use crate::support::http1::{self, Progress, Side};
use crate::support::origin::{Act, Origin};
use crate::support::raw::Raw;

/// A Close frame 1012, as RFC 6455 §5.5.1 has it.
const CLOSED: &[u8] = b"\x88\x18\x03\xf4closed for maintenance";
const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
                      Transfer-Encoding: chunked\r\n\r\n";

fn setup(more: &str) -> Setup {
    let pace = Pace { spread: Duration::from_millis(1), ..Pace::default() };
    let more = format!(
        "[[route]]\nname = \"other\"\nhosts = [\"*.test\"]\npaths = [\"/other/*\"]\n\
         upstream = \"app\"\n{more}"
    );
    Setup { pace, more, ..Setup::default() }
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// An open WebSocket, of which so much of the server's bytes has come.
fn socket(node: &Node, path: &str, first: &[u8]) -> Raw {
    let mut client = node.connect();
    client.send(upgrade().replace("/live", path));
    assert_eq!(client.response().status(), 101);
    assert_eq!(client.bytes(first.len()), first);
    client
}

#[test]
fn a_websocket_is_closed_with_1012_once_its_time_to_drain_is_over() {
    let node = Node::start(switching_to(b"\x81\x02hi"), &setup(""));
    let mut client = socket(&node, "/live", b"\x81\x02hi");
    let mut other = socket(&node, "/other/live", b"\x81\x02hi");
    node.close_scope(Mode::Page, &[], &["site"], None);
    client.send(b"\x81\x83\0\0\0\0abc");
    assert_eq!(client.bytes(9), b"\x81\x83\0\0\0\0abc", "until then it works");
    assert_eq!(client.bytes(CLOSED.len()), CLOSED);
    // The application was told too, masked as a client's frames are.
    node.origin.wait_for_bytes(b"\x88\x98");
    client.send(b"\x88\x82\0\0\0\0\x03\xf4");
    assert_eq!(client.rest(), b"", "nothing behind a Close");
    assert_eq!(node.end(), "proxy/answer/closed");
    other.send(b"\x81\x81\0\0\0\0x");
    assert_eq!(other.bytes(7), b"\x81\x81\0\0\0\0x", "another route's stays");
}

#[test]
fn a_close_comes_between_two_frames_and_never_inside_one() {
    let whole = [&b"\x82\x7e\x01\x00"[..], &[7; 256]].concat();
    let (half, rest) = whole.split_at(104);
    let act = Act::Hold([SWITCH.as_bytes(), half].concat(), [rest, b"\x81\x05lost"].concat());
    let origin = Origin::acting(move |request| match request.target() {
        "/half" => act.clone(),
        _ => Act::Echo(SWITCH.into()),
    });
    let node = Node::start(origin, &setup(""));
    let mut client = socket(&node, "/half", half);
    let mut witness = socket(&node, "/live", b"");
    node.close(Mode::ReadOnly);
    assert_eq!(witness.bytes(CLOSED.len()), CLOSED);
    assert!(client.is_silent_for(TWO_SWEEPS), "the frame is not whole");
    node.origin.release();
    assert_eq!(client.bytes(rest.len()), rest);
    assert_eq!(client.bytes(CLOSED.len()), CLOSED);
}

#[test]
fn who_does_not_take_leave_is_cut() {
    let node = Node::start(switching_to(b""), &setup(""));
    // Half a frame of the client's: nothing can be put behind it, nor behind its echo.
    let mut client = socket(&node, "/live", b"");
    client.send(b"\x81\x85\0\0\0\0a");
    assert_eq!(client.bytes(7), b"\x81\x85\0\0\0\0a");
    node.close(Mode::Page);
    assert_eq!(client.rest(), b"");
    assert_eq!(node.end(), "proxy/answer/closed");
}

#[test]
fn an_event_stream_ends_between_two_events_and_says_when_to_come_back() {
    let node = Node::start(events("data: 1\n\n", ""), &setup(""));
    let mut client = node.connect();
    client.send(get("/events"));
    node.origin.wait_for(1);
    node.close_scope(Mode::Page, &[], &[], Some(Duration::from_secs(600)));
    let text = client.response().text();
    let retry = text.strip_prefix("data: 1\n\nretry: ").expect("its last words");
    let retry: u64 = retry.trim_end_matches('\n').parse().expect("milliseconds");
    assert!((595_000..=670_000).contains(&retry), "{retry}");
    assert!(text.ends_with("\n\n"));
    assert_eq!(node.end(), "proxy/answer/closed");
    client.send(get("/events"));
    assert_eq!(client.response().status(), 503, "the connection is good for more");
}

#[test]
fn an_event_that_was_begun_is_let_finish() {
    let node = Node::start(events("data: half", " and half\n\ndata: lost\n"), &setup(""));
    let mut client = node.connect();
    client.send(get("/events"));
    let mut witness = socket(&node, "/live", b"");
    node.close(Mode::Page);
    assert_eq!(witness.bytes(CLOSED.len()), CLOSED);
    assert_eq!(client.response_to_head().status(), 200);
    drop(client.bytes(chunk("data: half").len()));
    assert!(client.is_silent_for(TWO_SWEEPS), "the event is not whole");
    node.origin.release();
    let rest = chunks_left(&mut client);
    assert!(rest.starts_with(" and half\n\nretry: "), "{rest}");
}

#[test]
fn what_only_reads_stays_where_reading_is_open_and_a_download_everywhere() {
    for (mode, origin) in [
        (Mode::ReadOnly, events("data: 1\n\n", "data: 2\n\n")),
        (Mode::Page, long("data: 1\n\n", "data: 2\n\n")),
    ] {
        let node = Node::start(origin, &setup(""));
        let mut client = node.connect();
        client.send(get("/events"));
        let mut witness = socket(&node, "/live", b"");
        node.close(mode);
        assert_eq!(witness.bytes(CLOSED.len()), CLOSED);
        assert_eq!(client.response_to_head().status(), 200);
        drop(client.bytes(chunk("data: 1\n\n").len()));
        assert!(client.is_silent_for(TWO_SWEEPS), "{mode:?}: it ended");
        node.origin.release();
        let rest = chunks_left(&mut client);
        assert_eq!(rest, "data: 2\n\n", "{mode:?}");
    }
}

#[test]
fn a_window_that_ends_in_time_cuts_nothing() {
    let mut setup = setup("");
    setup.pace.spread = Duration::from_secs(3600);
    let node = Node::start(switching_to(b""), &setup);
    let mut client = socket(&node, "/live", b"");
    node.close(Mode::Page);
    // Its turn is set by then, and far off.
    assert!(client.is_silent_for(Duration::from_millis(1_600)));
    node.reopen();
    client.send(b"\x81\x81\0\0\0\0x");
    assert_eq!(client.bytes(7), b"\x81\x81\0\0\0\0x");
}

#[test]
fn a_grpc_stream_ends_as_unavailable() {
    let message = "\0\0\0\0\x02hi";
    let head = EVENTS.replace("text/event-stream; charset=utf-8", "application/grpc+proto");
    let first = head + &chunk(message);
    let origin = Origin::acting(move |_| Act::Stall(first.clone().into()));
    let node = Node::start(origin, &setup_h2c());
    let to = node.addresses()[1];
    let closing = || node.close_scope(Mode::Page, &[], &[], Some(Duration::from_secs(600)));
    let (body, trailers) = grpc(to, closing);
    assert_eq!(body, message.as_bytes());
    let field = |name: &str| trailers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(field("grpc-status"), Some("14"));
    assert_eq!(field("grpc-message"), Some("closed for maintenance"));
    let pushback = field("grpc-retry-pushback-ms").expect("when to come back");
    let pushback: u64 = pushback.parse().expect("milliseconds");
    assert!((595_000..=670_000).contains(&pushback), "{pushback}");
    assert_eq!(node.end(), "proxy/answer/closed");
}

const TWO_SWEEPS: Duration = Duration::from_millis(600);

/// What is left of an answer in chunks.
fn chunks_left(client: &mut Raw) -> String {
    let mut bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    loop {
        bytes.extend_from_slice(&client.bytes(1));
        match http1::read(&bytes, Side::Response) {
            Progress::Whole(message, _) => return message.text(),
            Progress::Partial | Progress::UntilClose(_) => {}
            Progress::Broken(what) => panic!("{what}"),
        }
    }
}

/// An application with an event stream that holds, and WebSockets at `/live`.
fn events(first: &str, then: &str) -> Origin {
    chunks(EVENTS, first, then)
}

/// The same with a download instead.
fn long(first: &str, then: &str) -> Origin {
    chunks(&EVENTS.replace("text/event-stream", "text/plain"), first, then)
}

fn chunks(head: &str, first: &str, then: &str) -> Origin {
    let first = head.to_owned() + &chunk(first);
    let act = Act::Hold(first.into(), (chunk(then) + "0\r\n\r\n").into());
    Origin::acting(move |request| match request.target() {
        "/live" => Act::Echo(SWITCH.into()),
        _ => act.clone(),
    })
}

fn setup_h2c() -> Setup {
    Setup { listen: "h2c = [\"127.0.0.1:0\"]", ..setup("") }
}

/// Calls a method over HTTP/2, does something when the first message has come, and gives all that
/// was answered.
fn grpc(to: SocketAddr, then: impl FnOnce()) -> (Vec<u8>, HeaderMap) {
    let call = async {
        let stream = tokio::net::TcpStream::connect(to).await.expect("a listener");
        let (mut requests, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        let driver = tokio::spawn(connection);
        let request = http::Request::post("http://site.test/pkg.Service/Watch")
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        let request = request.body(()).expect("a request");
        let (answer, mut upload) = requests.send_request(request, false).expect("a stream");
        upload.send_data(Bytes::from_static(b"\0\0\0\0\0"), true).expect("a message");
        let mut body = answer.await.expect("an answer").into_body();
        let mut bytes = body.data().await.expect("a message").expect("a message").to_vec();
        then();
        while let Some(more) = body.data().await {
            bytes.extend_from_slice(&more.expect("bytes"));
        }
        let trailers = body.trailers().await.expect("an end").expect("trailers");
        driver.abort();
        (bytes, trailers)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, call).await }).expect("in time")
}
