//! HTTP/1.1: hyper over the guarded socket while there is something to carry, the bare socket while
//! there is not, then whatever is left to say.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use http::{Request, StatusCode};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::answer;
use super::deadline::Wait;
use super::ending::Story;
use super::gather::Gather;
use super::guard::{Guard, Wire};
use super::inbound::Inbound;
use super::lane::{Kind, Lane, Link};
use super::request;
use super::socket::Socket;
use super::upgrade;
use super::wire::Fault;
use crate::addr::ClientAddr;
use crate::limit;
use crate::telemetry::end::End;

/// How hyper's part of a connection ended.
enum Ended {
    Served(hyper::Result<()>),
    Late,
    Cut,
    /// Nothing is under way: the connection can be parked.
    Quiet,
}

/// A socket between two requests, until when it may stay so.
struct Parked {
    socket: Socket,
    until: u64,
}

/// Serves a connection to its end. Between requests nothing is held but the socket: hyper and its
/// buffers are made when bytes come, and dropped when a request has long been answered.
pub(super) async fn serve(link: Rc<Link>, socket: Socket) {
    let mut parked = match &socket {
        Socket::Plain(_) => Some(Parked { socket, until: 0 }),
        // What came with the handshake's end is in the TLS session, where the socket tells of
        // nothing.
        Socket::Tls(_) => Box::pin(carry(&link, socket)).await,
    };
    while let Some(idle) = parked {
        parked = match rest(&link, idle).await {
            Some(socket) => Box::pin(carry(&link, socket)).await,
            None => None,
        };
    }
}

/// Waits for bytes. None if none came in time, or none is waited for any more.
async fn rest(link: &Link, Parked { socket, until }: Parked) -> Option<Socket> {
    let registered = link.worker.sweep.register();
    let clockwork = registered.share();
    match until {
        0 => clockwork.restart(Wait::Head, clockwork.pace().head),
        until => clockwork.set_until(Wait::Head, until),
    }
    let mut hurried = false;
    let came = poll_fn(|cx| {
        clockwork.watch(cx);
        if link.worker.stopping() && !std::mem::replace(&mut hurried, true) {
            // A request may be on its way; whoever stays silent is not waited for.
            clockwork.restart(Wait::Head, link.stays());
        }
        if socket.poll_readable(cx).is_ready() {
            return Poll::Ready(true);
        }
        let over = clockwork.passed(Wait::Head) || link.worker.cutting();
        if over { Poll::Ready(false) } else { Poll::Pending }
    })
    .await;
    drop(registered);
    if came {
        return Some(socket);
    }
    Box::pin(close(socket, None)).await;
    None
}

/// Carries requests until none is under way; gives the socket back if it can carry more.
async fn carry(link: &Rc<Link>, socket: Socket) -> Option<Parked> {
    let worker = Rc::clone(&link.worker);
    let lane = Lane::new(link, Kind::Http1);
    let clockwork = lane.clockwork.clone();
    clockwork.restart(Wait::Head, clockwork.pace().head);
    clockwork.restart(Wait::Park, limit::PARKED_AFTER);
    let wire = Rc::clone(&lane.wire);
    let guard = Guard::new(Gather(socket), Rc::clone(&wire), clockwork.clone());
    let service =
        service_fn(|request: Request<_>| request::serve(&lane, request.map(Inbound::Http1)));
    let mut http = worker.http().serve_connection(TokioIo::new(guard), service);
    let mut hurried = false;
    let ended = poll_fn(|cx| {
        clockwork.watch(cx);
        let hurry = worker.stopping() && !std::mem::replace(&mut hurried, worker.stopping());
        if hurry && !wire.in_flight() && !wire.in_head() {
            // As above; the answer to a request that still comes says that it is the last.
            clockwork.restart(Wait::Head, link.stays());
        }
        if let Poll::Ready(served) = Pin::new(&mut http).poll(cx) {
            return Poll::Ready(Ended::Served(served));
        }
        if worker.cutting() {
            return Poll::Ready(Ended::Cut);
        }
        if clockwork.passed(Wait::Park) && wire.is_quiet() {
            return Poll::Ready(Ended::Quiet);
        }
        // The head of a request behind the one that is being answered may take its time.
        let late = clockwork.passed(Wait::Head) && !wire.in_flight();
        if late { Poll::Ready(Ended::Late) } else { Poll::Pending }
    })
    .await;
    let parts = http.into_parts();
    let socket = parts.io.into_inner().into_inner().0;
    let tunnel = lane.upgrade.take();
    match (ended, tunnel) {
        (Ended::Served(Ok(())), Some(upstream)) => {
            Box::pin(upgrade::tunnel(&lane, socket, parts.read_buf, upstream)).await;
        }
        (Ended::Quiet, _) if parts.read_buf.is_empty() => {
            return Some(Parked { socket, until: clockwork.until(Wait::Head) });
        }
        // What is left to do for a socket is its end; under TLS the peer is told (RFC 8446 §6.1).
        (Ended::Served(Ok(())), None) if parts.read_buf.is_empty() && lane.is_done() => {
            if let Socket::Tls(_) = socket {
                Box::pin(close(socket, None)).await;
            }
        }
        (ended, _) => {
            let story = |status, end| tell(&lane, status, end);
            Box::pin(close(socket, last_words(&ended, &wire, story))).await;
        }
    }
    None
}

/// What is still to be said to a client whose connection ends in the middle of a head: hyper has
/// answered what it could not parse, the guard's and the sweep's findings are answered here.
fn last_words(ended: &Ended, wire: &Wire, tell: impl Fn(StatusCode, End)) -> Option<&'static [u8]> {
    match (ended, wire.fault()) {
        (Ended::Cut | Ended::Quiet, _) => None,
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
        (Ended::Served(_), Some(Fault::OtherVersion)) => {
            tell(StatusCode::HTTP_VERSION_NOT_SUPPORTED, End::ClientHeadUnsupported);
            Some(answer::BARE_OTHER_VERSION)
        }
        (Ended::Served(_), Some(fault)) if !fault.is_in_body() => {
            tell(StatusCode::BAD_REQUEST, End::ClientHeadMalformed);
            Some(answer::BARE_MALFORMED)
        }
        (Ended::Served(_), _) => None,
    }
}

/// The story of a request whose head was never whole.
fn tell(lane: &Rc<Lane>, status: StatusCode, end: End) {
    let client = ClientAddr(lane.link.peer.0.ip().to_canonical());
    let request = http::Request::new(());
    let mut story = Story::begin(lane, client, &request);
    story.answered(status, end);
    story.complete();
}

/// Says the last words and closes so that the client can read them: bytes that it is still
/// sending are taken for a while, since closing on them would reset the connection.
pub(super) async fn close(mut socket: Socket, words: Option<&[u8]>) {
    let farewell = async {
        if let Some(words) = words {
            socket.write_all(words).await?;
        }
        socket.shutdown().await?;
        let mut taken = 0;
        let mut sink = [0; 4096];
        while taken < limit::LINGER_BYTES_MAX {
            match socket.read(&mut sink).await? {
                0 => break,
                count => taken += count as u64,
            }
        }
        Ok::<_, std::io::Error>(())
    };
    let _ = tokio::time::timeout(limit::LINGER, farewell).await;
}
