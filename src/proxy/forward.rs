//! To the upstream and back: a connection, the request, the answer's head; the bodies stream.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, Version, request};
use hyper::body::{Body as _, Incoming};

use super::answer::{self, Asker};
use super::body::{Answer, Body, FromClient, Upload};
use super::conn::Conn;
use super::deadline::Wait;
use super::ending::{Progress, Story};
use super::head::{Judged, MALFORMED};
use super::upstream::{ConnectError, Lease};
use super::wire::Fault;
use super::{hop, upgrade};
use crate::addr::ServerAddr;
use crate::limit;
use crate::snapshot::Upstream;
use crate::telemetry::end::End;

/// Why there is no answer from upstream.
#[derive(Debug, thiserror::Error)]
pub(super) enum ForwardError {
    /// No server took the connection; nothing was sent.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection broke before a byte of the request was written; nothing was sent.
    #[error("the connection broke before anything was sent: {0}")]
    NeverSent(hyper::Error),
    /// The server closed or broke the connection before its answer.
    #[error("the server closed without an answer: {0}")]
    Reset(hyper::Error),
    /// The server's answer is not HTTP.
    #[error("the server's answer is malformed: {0}")]
    Malformed(hyper::Error),
    /// The answer's head did not come in time.
    #[error("the server did not answer in time")]
    TimedOut,
    /// The request's body did not arrive whole, which is the client's doing.
    #[error("the request's body did not arrive whole")]
    Client(End),
}

impl ForwardError {
    /// What is told of it.
    pub(super) fn end(&self) -> End {
        match self {
            Self::Connect(ConnectError::Refused(..)) | Self::NeverSent(_) => {
                End::UpstreamConnectRefused
            }
            Self::Connect(ConnectError::TimedOut(_)) => End::UpstreamConnectTimeout,
            Self::Reset(_) => End::UpstreamWaitReset,
            Self::Malformed(_) => End::UpstreamWaitMalformed,
            Self::TimedOut => End::UpstreamWaitTimeout,
            Self::Client(end) => *end,
        }
    }

    /// Whether not a byte of the request reached a server.
    pub(super) fn never_sent(&self) -> bool {
        match self {
            Self::Connect(_) | Self::NeverSent(_) => true,
            Self::Reset(_) | Self::Malformed(_) | Self::TimedOut | Self::Client(_) => false,
        }
    }
}

/// Where a request goes and how long it may wait there.
pub(super) struct Exchange<'a> {
    pub conn: &'a Conn,
    pub upstream: &'a Upstream,
    pub answer_timeout: Duration,
    /// Whose turn it is among the servers.
    pub turn: usize,
}

/// Forwards a request that was judged open.
pub(super) async fn run(
    conn: &Rc<Conn>,
    judged: &Judged,
    mut story: Box<Story>,
    request: Request<Incoming>,
) -> Response<Body> {
    story.in_flight();
    let asker = Asker::of(request.headers());
    let (mut parts, incoming) = request.into_parts();
    let switch = upgrade::wanted(judged.rules(), &parts);
    if hop::up(&mut parts.headers, conn, judged, switch).is_err() {
        conn.close_after_answer();
        let reply = answer::bad(&judged.current.snapshot, MALFORMED, &asker);
        return reply.finish(conn, story, incoming).await;
    }
    let exchange = Exchange::of(conn, judged);
    let upload = exchange.upload(incoming, &mut story);
    let request = Request::from_parts(origin_form(parts), upload);
    match exchange.send(request, &mut story).await {
        Ok((response, lease)) => answered(conn, judged, story, response, lease),
        Err(error) => failed(conn, judged, story, &error, &asker),
    }
}

impl<'a> Exchange<'a> {
    /// With the upstream of the place that was judged.
    pub(super) fn of(conn: &'a Conn, judged: &'a Judged) -> Self {
        let upstream = judged.upstream();
        let turn = judged.current.turn(judged.upstream_ix(), upstream.servers.len());
        Self { conn, upstream, answer_timeout: judged.rules().answer_timeout, turn }
    }

    /// The client's body as it goes up.
    fn upload(&self, incoming: Incoming, story: &mut Story) -> Upload {
        if incoming.is_end_stream() {
            return Upload::Bytes(Bytes::new());
        }
        let progress = Rc::<Progress>::default();
        story.progress = Some(Rc::clone(&progress));
        Upload::Client(FromClient {
            incoming,
            clockwork: self.conn.clockwork.clone(),
            progress,
            answer_timeout: self.answer_timeout,
        })
    }

    /// Sends a request and waits for the answer's head. Another attempt is made only if not a byte
    /// of the one before was written (RFC 9110 §9.2.2).
    pub(super) async fn send(
        &self,
        mut request: Request<Upload>,
        story: &mut Story,
    ) -> Result<(Response<Incoming>, Lease), ForwardError> {
        let servers = &self.upstream.servers;
        let mut failed = None;
        let mut turn = self.turn;
        for attempt in 0..limit::ATTEMPTS_MAX.max(servers.len()) {
            let server = servers[turn % servers.len()];
            // A pooled connection may have died unseen; after that only a new one will do.
            let pooled = if attempt == 0 { self.conn.worker.pool.take(server) } else { None };
            let lease = match pooled {
                Some(lease) => {
                    self.conn.worker.shard.upstream_reused();
                    lease
                }
                None => match self.connect(server, story).await {
                    Ok(lease) => lease,
                    Err(error) => {
                        failed = Some(ForwardError::Connect(error));
                        turn += 1;
                        continue;
                    }
                },
            };
            story.server = Some(server);
            match self.once(lease, request, story).await {
                Ok(answer) => return Ok(answer),
                Err((error, Some(unsent))) => {
                    failed = Some(error);
                    request = *unsent;
                }
                Err((error, None)) => return Err(error),
            }
        }
        Err(failed.unwrap_or(ForwardError::TimedOut))
    }

    async fn connect(&self, server: ServerAddr, story: &mut Story) -> Result<Lease, ConnectError> {
        let worker = &self.conn.worker;
        let began = worker.clock.tick();
        let lease = worker.pool.connect(server, self.upstream.connect_timeout).await?;
        story.connect = Some(worker.clock.tick().since(began));
        worker.shard.upstream_connected();
        Ok(lease)
    }

    /// One attempt. Gives the request back if it was never written.
    async fn once(
        &self,
        mut lease: Lease,
        request: Request<Upload>,
        story: &Story,
    ) -> Result<(Response<Incoming>, Lease), (ForwardError, Option<Box<Request<Upload>>>)> {
        let clockwork = &self.conn.clockwork;
        if request.body().is_end_stream() {
            clockwork.restart(Wait::Upstream, self.answer_timeout);
        }
        let mut answer = pin!(lease.requests().try_send_request(request));
        let waited = poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Ok(answer)),
            Poll::Pending if clockwork.passed(Wait::Body) => {
                Poll::Ready(Err(ForwardError::Client(End::ClientBodyTimeout)))
            }
            Poll::Pending if clockwork.passed(Wait::Upstream) => {
                Poll::Ready(Err(ForwardError::TimedOut))
            }
            Poll::Pending => Poll::Pending,
        })
        .await;
        clockwork.clear(Wait::Upstream);
        match waited {
            Ok(Ok(response)) => Ok((response, lease)),
            Ok(Err(mut error)) => {
                let unsent = error.take_message().map(Box::new);
                let fault = story.progress.as_ref().and_then(|progress| progress.fault.get());
                Err((ForwardError::of(error.into_error(), unsent.is_some(), fault), unsent))
            }
            Err(error) => Err((error, None)),
        }
    }
}

impl ForwardError {
    fn of(error: hyper::Error, unsent: bool, client: Option<End>) -> Self {
        match client {
            Some(end) => Self::Client(end),
            None if unsent => Self::NeverSent(error),
            None if error.is_parse() => Self::Malformed(error),
            None => Self::Reset(error),
        }
    }
}

/// The answer of a server on its way to the client.
pub(super) fn answered(
    conn: &Conn,
    judged: &Judged,
    mut story: Box<Story>,
    response: Response<Incoming>,
    lease: Lease,
) -> Response<Body> {
    story.first_byte = Some(story.elapsed());
    let (mut parts, incoming) = response.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return upgrade::accept(conn, story, parts, lease);
    }
    hop::down(&mut parts.headers, judged.site().via.as_ref());
    parts.version = Version::HTTP_11;
    story.answered(parts.status, End::Done);
    let answer = Answer {
        incoming,
        lease: Some(lease),
        clockwork: conn.clockwork.clone(),
        idle: judged.rules().idle_timeout,
    };
    Response::from_parts(parts, Body::upstream(answer).ending(story))
}

/// What the client is told when there is no answer.
fn failed(
    conn: &Conn,
    judged: &Judged,
    story: Box<Story>,
    error: &ForwardError,
    asker: &Asker,
) -> Response<Body> {
    let malformed = conn.wire.fault().is_some_and(Fault::is_in_body);
    let end = if malformed { End::ClientBodyMalformed } else { error.end() };
    tracing::debug!(%error, route = &*judged.rules().name, end = end.code(), "not forwarded");
    // What is left of the request's body belongs to nobody.
    conn.close_after_answer();
    answer::failed(&judged.current.snapshot, end, asker).send(conn, story)
}

/// A target in origin form: an absolute one loses scheme and authority, which `Host` repeats.
fn origin_form(mut parts: request::Parts) -> request::Parts {
    if parts.uri.scheme().is_some() {
        let target = parts.uri.path_and_query().cloned();
        parts.uri = target.map_or_else(|| Uri::from_static("/"), Uri::from);
    }
    parts.version = Version::HTTP_11;
    parts
}
