//! A request's body as it comes off the client's connection, whatever protocol is spoken there.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::body::BodyError;
use super::h2::Received;

/// A request's body. Asking it for its first piece sends a client that waits for it the
/// `100 Continue`, so whoever answers without the body must not ask.
pub(super) enum Inbound {
    /// Of HTTP/1.1.
    Http1(Incoming),
    /// Of one stream of HTTP/2.
    Http2(Received),
    /// There is none: what the client sends is no body.
    Nothing,
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Http1(incoming) => {
                let polled = Pin::new(incoming).poll_frame(cx);
                polled.map(|frame| frame.map(|frame| frame.map_err(BodyError::Broken)))
            }
            Self::Http2(received) => received.poll(cx),
            Self::Nothing => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(incoming) => incoming.is_end_stream(),
            Self::Http2(received) => received.is_end(),
            Self::Nothing => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(incoming) => incoming.size_hint(),
            Self::Http2(received) => received.size_hint(),
            Self::Nothing => SizeHint::with_exact(0),
        }
    }
}
