//! One client connection: hyper over the guarded socket, then whatever is left to say or to carry.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use http::{HeaderValue, StatusCode};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::answer;
use super::deadline::{Clockwork, Wait};
use super::ending::Story;
use super::gather::Gather;
use super::guard::{Guard, Wire};
use super::head::Scheme;
use super::request;
use super::upgrade::{self, Upstream};
use super::worker::Worker;
use crate::addr::{ClientAddr, PeerAddr};
use crate::limit;
use crate::telemetry::end::End;

/// What the requests of one connection share.
pub(super) struct Conn {
    pub worker: Rc<Worker>,
    pub peer: PeerAddr,
    /// The peer's address as a header value, written once.
    pub peer_text: HeaderValue,
    pub clockwork: Clockwork,
    pub wire: Rc<Wire>,
    /// The server's side of a tunnel that begins when hyper is done.
    pub upgrade: RefCell<Option<Upstream>>,
    closing: Cell<bool>,
    expecting: Cell<bool>,
    /// The last `Forwarded` value, by host and scheme: most connections ask one host only.
    pub forwarded: RefCell<Option<(HeaderValue, Scheme, HeaderValue)>>,
}

impl Conn {
    /// A request has begun.
    pub(super) fn begin(&self) {
        self.wire.begin();
        self.expecting.set(false);
    }

    /// A request has ended: the connection waits for the next one.
    pub(super) fn end(&self) {
        self.clockwork.clear(Wait::Upstream);
        self.clockwork.clear(Wait::Body);
        let pace = self.clockwork.pace();
        let next = if self.wire.in_head() { pace.head } else { pace.keep_alive };
        self.clockwork.restart(Wait::Head, next);
        self.wire.end();
    }

    /// The connection ends after the answer that is being made.
    pub(super) fn close_after_answer(&self) {
        self.closing.set(true);
    }

    /// Whether it does.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// The client waits for `100 Continue`, which asking for the body would send.
    pub(super) fn expects_continue(&self) {
        self.expecting.set(true);
    }

    /// Whether it does.
    pub(super) fn is_expecting(&self) -> bool {
        self.expecting.get()
    }
}

/// How hyper's part of a connection ended.
enum Ended {
    Served(hyper::Result<()>),
    Late,
    Cut,
}

/// Serves a connection to its end.
pub(super) async fn serve(worker: Rc<Worker>, stream: TcpStream, peer: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let registered = worker.sweep.register();
    let clockwork = registered.share();
    clockwork.restart(Wait::Head, clockwork.pace().head);
    let wire = Rc::new(Wire::default());
    let address = peer.ip().to_canonical().to_string();
    let conn = Rc::new(Conn {
        worker: Rc::clone(&worker),
        peer: PeerAddr(peer),
        peer_text: HeaderValue::from_str(&address).expect("an address is visible ASCII"),
        clockwork: clockwork.clone(),
        wire: Rc::clone(&wire),
        upgrade: RefCell::default(),
        closing: Cell::new(false),
        expecting: Cell::new(false),
        forwarded: RefCell::default(),
    });
    let guard = Guard::new(Gather(stream), Rc::clone(&wire), clockwork.clone());
    let service = service_fn(|request| request::serve(&conn, request));
    let mut http = worker.http.serve_connection(TokioIo::new(guard), service);
    let mut graceful = false;
    let ended = poll_fn(|cx| {
        clockwork.watch(cx);
        if worker.stopping() && !graceful {
            graceful = true;
            Pin::new(&mut http).graceful_shutdown();
        }
        if let Poll::Ready(served) = Pin::new(&mut http).poll(cx) {
            return Poll::Ready(Ended::Served(served));
        }
        if worker.cutting() {
            return Poll::Ready(Ended::Cut);
        }
        // The head of a request behind the one that is being answered may take its time.
        let late = clockwork.passed(Wait::Head) && !wire.in_flight();
        if late { Poll::Ready(Ended::Late) } else { Poll::Pending }
    })
    .await;
    let parts = http.into_parts();
    let stream = parts.io.into_inner().into_inner().0;
    let tunnel = conn.upgrade.take();
    match (ended, tunnel) {
        (Ended::Served(Ok(())), Some(upstream)) => {
            upgrade::tunnel(&conn, stream, parts.read_buf, upstream).await;
        }
        (ended, _) => {
            let story = |status, end| tell(&conn, status, end);
            close(stream, last_words(&ended, &wire, story)).await;
        }
    }
}

/// What is still to be said to a client whose connection ends in the middle of a head: hyper has
/// answered what it could not parse, the guard's and the sweep's findings are answered here.
fn last_words(ended: &Ended, wire: &Wire, tell: impl Fn(StatusCode, End)) -> Option<&'static [u8]> {
    match (ended, wire.fault()) {
        (Ended::Cut, _) => None,
        (Ended::Late, _) if !wire.in_head() => None,
        (Ended::Late, _) => {
            tell(StatusCode::REQUEST_TIMEOUT, End::ClientHeadTimeout);
            Some(answer::BARE_TIMEOUT)
        }
        (Ended::Served(Err(error)), _) if error.is_parse_too_large() => {
            tell(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, End::ClientHeadTooLarge);
            None
        }
        (Ended::Served(Err(error)), _) if error.is_parse() => {
            tell(StatusCode::BAD_REQUEST, End::ClientHeadMalformed);
            None
        }
        (Ended::Served(_), Some(fault)) if fault.is_size() => {
            tell(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, End::ClientHeadTooLarge);
            Some(answer::BARE_TOO_LARGE)
        }
        (Ended::Served(_), Some(fault)) if !fault.is_in_body() => {
            tell(StatusCode::BAD_REQUEST, End::ClientHeadMalformed);
            Some(answer::BARE_MALFORMED)
        }
        (Ended::Served(_), _) => None,
    }
}

/// The story of a request whose head was never whole.
fn tell(conn: &Rc<Conn>, status: StatusCode, end: End) {
    let client = ClientAddr(conn.peer.0.ip().to_canonical());
    let request = http::Request::new(());
    let mut story = Story::begin(conn, client, &request);
    story.answered(status, end);
    story.complete();
}

/// Says the last words and closes so that the client can read them: bytes that it is still
/// sending are taken for a while, since closing on them would reset the connection.
async fn close(mut stream: TcpStream, words: Option<&[u8]>) {
    let farewell = async {
        if let Some(words) = words {
            stream.write_all(words).await?;
        }
        stream.shutdown().await?;
        let mut taken = 0;
        let mut sink = [0; 4096];
        while taken < limit::LINGER_BYTES_MAX {
            match stream.read(&mut sink).await? {
                0 => break,
                count => taken += count as u64,
            }
        }
        Ok::<_, std::io::Error>(())
    };
    let _ = tokio::time::timeout(limit::LINGER, farewell).await;
}
