//! WebSocket: an upgrade that the server accepted becomes a tunnel once hyper is done.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, request, response};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::oneshot;

use super::body::Body;
use super::deadline::{Clockwork, Wait};
use super::ending::Story;
use super::fields::Fields;
use super::head::Judged;
use super::hop::Switch;
use super::lane::{Kind, Lane};
use super::upstream::{Lease, Socket};
use crate::digest;
use crate::telemetry::end::End;

/// What is told when the client's side of a tunnel breaks.
const CLIENT: End = End::ClientAnswerAbort;
/// What is told when the server's side does.
const SERVER: End = End::UpstreamAnswerReset;

/// The server's side of a tunnel to be.
pub(super) struct Upstream {
    socket: oneshot::Receiver<Socket>,
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

/// Carries bytes both ways until one side ends, nothing has moved for too long, or we stop.
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
    let clockwork = &lane.clockwork;
    clockwork.clear(Wait::Head);
    clockwork.restart(Wait::Upstream, clockwork.pace().tunnel);
    let carry = async {
        server.write_all(&early).await.map_err(|_| SERVER)?;
        client.write_all(&ahead).await.map_err(|_| CLIENT)?;
        let (from_client, to_client) = split(&mut client);
        let (from_server, to_server) = split(&mut server);
        tokio::try_join!(
            pump((from_client, CLIENT), (to_server, SERVER), clockwork),
            pump((from_server, SERVER), (to_client, CLIENT), clockwork)
        )
    };
    let mut carry = pin!(carry);
    let ended = poll_fn(|cx| {
        clockwork.watch(cx);
        if let Poll::Ready(ended) = carry.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        let over = lane.link.worker.cutting() || clockwork.passed(Wait::Upstream);
        if over { Poll::Ready(None) } else { Poll::Pending }
    })
    .await;
    match ended {
        Some(Ok((_, down))) => {
            story.bytes_out = down;
            story.complete();
        }
        Some(Err(end)) => story.cut(end),
        None if lane.link.worker.cutting() => story.cut(End::ProxyAnswerStop),
        None => story.cut(End::UpstreamAnswerTimeout),
    }
}

/// Carries bytes one way; passes the end on too. Each side comes with what is told if it breaks.
async fn pump(
    (mut from, source): (impl AsyncRead + Unpin, End),
    (mut to, sink): (impl AsyncWrite + Unpin, End),
    clockwork: &Clockwork,
) -> Result<u64, End> {
    let mut piece = vec![0; 16 * 1024];
    let mut carried = 0;
    loop {
        let count = from.read(&mut piece).await.map_err(|_| source)?;
        if count == 0 {
            to.shutdown().await.map_err(|_| sink)?;
            return Ok(carried);
        }
        to.write_all(&piece[..count]).await.map_err(|_| sink)?;
        carried += count as u64;
        clockwork.restart(Wait::Upstream, clockwork.pace().tunnel);
    }
}
