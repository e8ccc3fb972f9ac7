//! A connection in use: an HTTP/1.1 connection that is ours alone, or a stream of an HTTP/2 one.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::SendRequest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::super::body::Upload;
use super::super::wire::Asked;
use super::server::{Held, Server};
use super::session::InUse;
use super::stream::Stream;
use crate::addr::ServerAddr;
use crate::limit;

/// What a request is sent over. Dropping it closes the connection, or cancels the stream.
pub(in crate::proxy) struct Lease {
    pub(super) carrier: Carrier,
    /// After the carrier: a connection is back in the pool before the next request has its place.
    pub(super) held: Held,
}

pub(super) enum Carrier {
    /// A connection of HTTP/1.1.
    Exclusive { connection: Exclusive, idle_since: Option<u64> },
    /// A stream of a connection of HTTP/2.
    Shared(InUse),
}

/// A connection that carries one request at a time.
pub(super) struct Exclusive {
    pub(super) requests: SendRequest<Upload>,
    /// What was asked, by which the server's bytes are judged.
    pub(super) asked: Rc<Asked>,
    pub(super) socket: oneshot::Receiver<(Stream, Bytes)>,
    /// The manner of the server when it was made.
    pub(super) epoch: u32,
}

impl Exclusive {
    /// Whether the next request can be sent.
    pub(super) fn is_ready(&self) -> bool {
        self.requests.is_ready()
    }

    /// Whether none can.
    pub(super) fn is_closed(&self) -> bool {
        self.requests.is_closed() || self.asked.fault().is_some()
    }
}

type Answered = Result<Response<Incoming>, TrySendError<Request<Upload>>>;

/// Waits for an answer's head. It is boxed because whatever awaits it would hold it twice, as what
/// it was given and as what it waits for, and so would whatever awaits that.
type Answering = Pin<Box<dyn Future<Output = Answered>>>;

impl Lease {
    /// Sends a request, at once; what is returned waits for the answer's head.
    pub(in crate::proxy) fn send(&mut self, mut request: Request<Upload>) -> Answering {
        match &mut self.carrier {
            Carrier::Exclusive { connection, .. } => {
                connection.asked.ask(request.method());
                Box::pin(connection.requests.try_send_request(request))
            }
            Carrier::Shared(stream) => {
                speak_http2(&mut request, self.held.server().manner().scheme());
                Box::pin(stream.send(request))
            }
        }
    }

    /// Which server it leads to.
    pub(in crate::proxy) fn address(&self) -> ServerAddr {
        self.server().address
    }

    /// The server that it leads to.
    pub(in crate::proxy) fn server(&self) -> &Rc<Server> {
        self.held.server()
    }

    /// Whether the server's bytes can be read in two ways.
    pub(in crate::proxy) fn is_in_doubt(&self) -> bool {
        match &self.carrier {
            Carrier::Exclusive { connection, .. } => connection.asked.fault().is_some(),
            Carrier::Shared(_) => false,
        }
    }

    /// Whether it is a stream among others, which the server may refuse for all of them.
    pub(in crate::proxy) fn is_shared(&self) -> bool {
        match self.carrier {
            Carrier::Exclusive { .. } => false,
            Carrier::Shared(_) => true,
        }
    }

    /// Whether it was idle for so long that its server may have closed it unseen.
    pub(in crate::proxy) fn is_doubted(&self) -> bool {
        let doubted = u64::try_from(limit::POOL_DOUBTED.as_millis()).unwrap_or(u64::MAX);
        match &self.carrier {
            Carrier::Exclusive { idle_since, .. } => {
                let now = self.server().sweep.now();
                idle_since.is_some_and(|since| now.saturating_sub(since) >= doubted)
            }
            Carrier::Shared(_) => true,
        }
    }

    /// Whether it was made for this request.
    pub(in crate::proxy) fn is_new(&self) -> bool {
        match &self.carrier {
            Carrier::Exclusive { idle_since, .. } => idle_since.is_none(),
            Carrier::Shared(stream) => stream.is_first(),
        }
    }

    /// Back to the pool, for the next request.
    pub(in crate::proxy) fn give_back(self) {
        let Self { carrier, held } = self;
        match carrier {
            Carrier::Exclusive { connection, .. } => held.server().keep(connection),
            Carrier::Shared(stream) => drop(stream),
        }
        drop(held);
    }

    /// The bare socket, once the server has switched protocols.
    pub(in crate::proxy) fn socket(self) -> Switching {
        let socket = match self.carrier {
            Carrier::Exclusive { connection, .. } => Some(connection.socket),
            Carrier::Shared(_) => None,
        };
        Switching { socket, held: Some(self.held) }
    }
}

/// HTTP/2 names host and scheme in the target, and frames by itself.
fn speak_http2(request: &mut Request<Upload>, scheme: Scheme) {
    request.headers_mut().remove(TRANSFER_ENCODING);
    let host = request.headers_mut().remove(HOST);
    let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let target = std::mem::take(request.uri_mut()).into_parts();
    let path = target.path_and_query.unwrap_or(PathAndQuery::from_static("/"));
    let mut parts = http::uri::Parts::default();
    // A scheme goes with an authority or not at all: a host that is none was refused before.
    parts.scheme = authority.is_some().then_some(scheme);
    parts.authority = authority;
    parts.path_and_query = Some(path);
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    *request.version_mut() = Version::HTTP_2;
}

/// The server's side of a connection that leaves HTTP behind, and the bytes that were read ahead.
pub(in crate::proxy) type Socket = (Switched, Bytes);

/// Waits until hyper lets go of the socket.
pub(in crate::proxy) struct Switching {
    socket: Option<oneshot::Receiver<(Stream, Bytes)>>,
    held: Option<Held>,
}

/// A server's socket. Its place at the server is taken as long as it lives.
pub(in crate::proxy) struct Switched {
    stream: Stream,
    _held: Held,
}

/// There is no socket: the connection broke, or it was a stream.
#[derive(Debug, thiserror::Error)]
#[error("the server's connection is gone")]
pub(in crate::proxy) struct Gone;

impl Future for Switching {
    type Output = Result<Socket, Gone>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(socket) = &mut self.socket else { return Poll::Ready(Err(Gone)) };
        let Poll::Ready(given) = Pin::new(socket).poll(cx) else { return Poll::Pending };
        Poll::Ready(match (given, self.held.take()) {
            (Ok((stream, ahead)), Some(held)) => Ok((Switched { stream, _held: held }, ahead)),
            (Ok(_), None) | (Err(_), _) => Err(Gone),
        })
    }
}

impl AsyncRead for Switched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Switched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
