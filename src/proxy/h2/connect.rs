//! WebSocket over HTTP/2 (RFC 8441): an extended CONNECT is judged and sent on as the upgrade that
//! it would have been in HTTP/1.1, and its stream carries the tunnel.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE,
};
use http::{HeaderValue, Method, Response, StatusCode, request, response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::lane::Lane;
use crate::digest;

/// Whether the request asks for a WebSocket.
pub(super) fn is_websocket(parts: &request::Parts) -> bool {
    let protocol = || parts.extensions.get::<Protocol>();
    parts.method == Method::CONNECT && protocol().is_some_and(|name| name.as_str() == "websocket")
}

/// The upgrade of HTTP/1.1 in its place. The key belongs to the hop that needs one, so it is ours.
pub(super) fn into_upgrade(lane: &Lane, parts: &mut request::Parts) {
    lane.tunnels();
    parts.method = Method::GET;
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let key = digest::base64(&digest::random::<16>());
    if let Ok(key) = HeaderValue::from_str(&key) {
        parts.headers.insert(SEC_WEBSOCKET_KEY, key);
    }
}

/// The head that tells the client that its stream is a tunnel now.
pub(super) fn accepted(mut parts: response::Parts, date: &HeaderValue) -> Response<()> {
    parts.status = StatusCode::OK;
    for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT, CONTENT_LENGTH] {
        parts.headers.remove(name);
    }
    parts.headers.entry(DATE).or_insert_with(|| date.clone());
    Response::from_parts(parts, ())
}

/// The client's side of a tunnel.
pub(super) struct Stream {
    from: RecvStream,
    to: SendStream<Bytes>,
    ahead: Bytes,
    finished: bool,
}

impl Stream {
    /// Of the two halves of a stream whose head was answered.
    pub(super) fn new(from: RecvStream, to: SendStream<Bytes>) -> Self {
        Self { from, to, ahead: Bytes::new(), finished: false }
    }

    fn room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        while self.to.capacity() == 0 {
            match ready!(self.to.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        Poll::Ready(Ok(self.to.capacity()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.ahead.is_empty() {
            match ready!(self.from.poll_data(cx)) {
                Some(Ok(bytes)) => self.ahead = bytes,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead[..count]);
        self.ahead.advance(count);
        let released = self.from.flow_control().release_capacity(count);
        Poll::Ready(released.map_err(io::Error::other))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.to.poll_reset(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.to.reserve_capacity(bytes.len());
        let count = ready!(self.room(cx))?.min(bytes.len());
        let piece = Bytes::copy_from_slice(&bytes[..count]);
        self.to.send_data(piece, false).map_err(io::Error::other)?;
        Poll::Ready(Ok(count))
    }

    /// What was written is with the library, which writes it out by itself.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.finished {
            return Poll::Ready(Ok(()));
        }
        self.finished = true;
        Poll::Ready(self.to.send_data(Bytes::new(), true).map_err(io::Error::other))
    }
}

/// A tunnel that broke is no tunnel that ended (RFC 8441 §5).
impl Drop for Stream {
    fn drop(&mut self) {
        if !self.finished {
            self.to.send_reset(Reason::CANCEL);
        }
    }
}
