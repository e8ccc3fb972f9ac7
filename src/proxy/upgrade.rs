//! WebSocket: an upgrade that the server accepted becomes a tunnel once hyper is done.

use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, request, response};
use tokio::io::{AsyncRead, AsyncWrite};

use super::body::Body;
use super::deadline::Wait;
use super::ending::Story;
use super::fields::Fields;
use super::flow::{Broken, Flow};
use super::head::Judged;
use super::hop::Switch;
use super::lane::{Kind, Lane};
use super::lasting::{Lasting, Why, frames};
use super::upstream::{Lease, Switching};
use crate::digest;
use crate::snapshot::Reads;
use crate::telemetry::end::End;
use crate::telemetry::under_way::Lasts;

/// What is told when the client's side of a tunnel breaks.
const CLIENT: End = End::ClientAnswerAbort;
/// What is told when the server's side does.
const SERVER: End = End::UpstreamAnswerReset;
/// Status codes of a Close (RFC 6455 §7.4.1, and the registry it begins).
const GOING_AWAY: u16 = 1001;
const SERVICE_RESTART: u16 = 1012;

/// The server's side of a tunnel to be.
pub(super) struct Upstream {
    socket: Switching,
    story: Box<Story>,
}

/// What a server that was asked for a WebSocket must say to have understood (RFC 6455 §4.2.2).
pub(super) struct Asked {
    accept: String,
}

impl Asked {
    /// By a request on its way to the server, if it asks for one.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        headers.contains_key(UPGRADE).then_some(())?;
        let key = headers.get(SEC_WEBSOCKET_KEY)?;
        Some(Self { accept: digest::websocket_accept(key.as_bytes()) })
    }

    /// Whether the fields of a 101 say so: then, and only then, it has left HTTP.
    pub(super) fn is_answered(&self, headers: &HeaderMap) -> bool {
        let mut accepts = headers.get_all(SEC_WEBSOCKET_ACCEPT).iter();
        let accepted =
            accepts.next().is_some_and(|value| value.as_bytes() == self.accept.as_bytes());
        accepted && accepts.next().is_none() && headers.get(UPGRADE).is_some_and(is_websocket)
    }
}

/// Whether a request has the one key that a server's answer can be held against.
fn has_key(headers: &HeaderMap) -> bool {
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    // 16 bytes in base64.
    keys.next().is_some_and(|key| key.len() == 24) && keys.next().is_none()
}

/// Whether a request asks for a WebSocket and its route lets it.
pub(super) fn wanted(judged: &Judged, parts: &request::Parts) -> Switch {
    let asks = || parts.headers.get(UPGRADE).is_some_and(is_websocket);
    if judged.fields.any(Fields::UPGRADE)
        && judged.rules().websocket
        && parts.method == Method::GET
        && judged.version != Version::HTTP_10
        && has_key(&parts.headers)
        && asks()
    {
        Switch::WebSocket
    } else {
        Switch::None
    }
}

fn is_websocket(protocol: &HeaderValue) -> bool {
    protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
}

/// Passes a server's 101 on; the tunnel begins when it has been written.
pub(super) fn accept(
    lane: &Lane,
    mut story: Box<Story>,
    mut parts: response::Parts,
    lease: Lease,
) -> Response<Body> {
    lane.wire.tunnel();
    // On a stream of HTTP/2, the client is told 200 (RFC 8441 §5).
    let told = match lane.kind {
        Kind::Http1 => parts.status,
        Kind::Http2 => StatusCode::OK,
    };
    story.answered(told, End::Done);
    parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    *lane.upgrade.borrow_mut() = Some(Upstream { socket: lease.socket(), story });
    Response::from_parts(parts, Body::empty())
}

/// Carries bytes both ways until one side ends, nothing has moved for too long, the place closed
/// and its turn has come, or we stop.
pub(super) async fn tunnel(
    lane: &Lane,
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    early: Bytes,
    upstream: Upstream,
) {
    let Upstream { socket, mut story } = upstream;
    let Ok((mut server, ahead)) = socket.await else {
        story.cut(End::UpstreamAnswerReset);
        return;
    };
    if lane.wire.fault().is_some() {
        // It spoke before it was answered, and some of what it said is gone.
        story.cut(End::ClientHeadMalformed);
        return;
    }
    let (worker, clockwork) = (&lane.link.worker, &lane.clockwork);
    clockwork.clear(Wait::Head);
    clockwork.restart(Wait::Upstream, clockwork.pace().tunnel);
    let moved = || clockwork.restart(Wait::Upstream, clockwork.pace().tunnel);
    let lasting = story.lasting(Reads::Beyond, Lasts::Tunnel);
    let (mut up, mut down) = (Flow::new(early), Flow::new(ahead));
    let mut leave = None;
    let ended = poll_fn(|cx| {
        clockwork.watch(cx);
        if let Some(lasting) = lasting.as_ref().filter(|lasting| lasting.is_due()) {
            leave.get_or_insert_with(|| Leave::of(lasting));
        }
        let (to_client, to_server) = Leave::closes(leave.as_ref());
        let piece = &mut *worker.piece.borrow_mut();
        let down = down.poll(cx, (&mut server, &mut client), piece, to_client, moved);
        let up = up.poll(cx, (&mut client, &mut server), piece, to_server, moved);
        if down.is_ready() && up.is_ready() || broken(&down) || broken(&up) {
            return Poll::Ready(Some((up, down)));
        }
        let late = lasting.as_ref().is_some_and(Lasting::is_overdue);
        let over = worker.cutting() || late || clockwork.passed(Wait::Upstream);
        if over { Poll::Ready(None) } else { Poll::Pending }
    })
    .await;
    story.bytes_out = down.carried();
    let left = leave.map(|leave| leave.why.end());
    match (ended, left) {
        (_, Some(end)) => story.cut(end),
        (Some((Poll::Ready(Err(broken)), _)), None) => {
            story.cut(if broken == Broken::Source { CLIENT } else { SERVER });
        }
        (Some((_, Poll::Ready(Err(broken)))), None) => {
            story.cut(if broken == Broken::Source { SERVER } else { CLIENT });
        }
        (Some(_), None) => story.complete(),
        (None, None) if worker.cutting() => story.cut(End::ProxyAnswerStop),
        (None, None) => story.cut(End::UpstreamAnswerTimeout),
    }
}

fn broken(polled: &Poll<Result<(), Broken>>) -> bool {
    matches!(polled, Poll::Ready(Err(_)))
}

/// The Close frames that end a tunnel whose turn has come.
struct Leave {
    to_client: Vec<u8>,
    to_server: Vec<u8>,
    why: Why,
}

impl Leave {
    fn of(lasting: &Lasting) -> Self {
        let why = lasting.why();
        let code = match why {
            Why::Window => SERVICE_RESTART,
            Why::Stop => GOING_AWAY,
        };
        let [mask @ .., _, _, _, _] = lasting.jitter().to_be_bytes();
        Self {
            to_client: frames::close(code, why.text(), None),
            to_server: frames::close(code, why.text(), Some(mask)),
            why,
        }
    }

    fn closes(leave: Option<&Self>) -> (Option<&[u8]>, Option<&[u8]>) {
        (leave.map(|leave| &*leave.to_client), leave.map(|leave| &*leave.to_server))
    }
}
