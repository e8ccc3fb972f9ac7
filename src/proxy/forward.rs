//! To the upstream and back: a connection, the request, the answer's head; the bodies stream.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version, request};
use hyper::body::{Body as _, Incoming};

use super::answer::{self, Asker};
use super::body::{Answer, Body, FromClient, Upload};
use super::compress::{Compressed, Doing};
use super::deadline::Wait;
use super::ending::{Progress, Story};
use super::head::{Judged, MALFORMED, NO_TUNNEL};
use super::hop::{self, Switch};
use super::inbound::Inbound;
use super::lane::Lane;
use super::request::Acting;
use super::rewrite;
use super::tempo::Tempo;
use super::upgrade;
use super::upstream::{ConnectError, Lease, Server};
use super::wire::Fault;
use super::worker::Current;
use crate::limit;
use crate::pages::PlainKind;
use crate::snapshot::{Upstream, UpstreamIx};
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
    /// The server's answer could be read in two ways.
    #[error("the framing of the server's answer is in doubt")]
    InDoubt,
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
            Self::Malformed(_) | Self::InDoubt => End::UpstreamWaitMalformed,
            Self::TimedOut => End::UpstreamWaitTimeout,
            Self::Client(end) => *end,
        }
    }

    /// What the client is shown.
    pub(super) fn page(&self) -> PlainKind {
        match self {
            Self::Connect(ConnectError::TimedOut(_)) | Self::TimedOut => PlainKind::GatewayTimeout,
            Self::Connect(ConnectError::Refused(..))
            | Self::NeverSent(_)
            | Self::Reset(_)
            | Self::Malformed(_)
            | Self::InDoubt => PlainKind::BadGateway,
            Self::Client(End::ClientBodyTimeout) => PlainKind::Timeout,
            Self::Client(_) => PlainKind::BadRequest,
        }
    }

    /// Whether not a byte of the request reached a server.
    pub(super) fn never_sent(&self) -> bool {
        match self {
            Self::Connect(_) | Self::NeverSent(_) => true,
            Self::Reset(_)
            | Self::Malformed(_)
            | Self::InDoubt
            | Self::TimedOut
            | Self::Client(_) => false,
        }
    }
}

/// Where a request goes and how long it may wait there.
pub(super) struct Exchange {
    lane: Rc<Lane>,
    current: Rc<Current>,
    upstream: UpstreamIx,
    answer_timeout: Duration,
    /// Whose turn it is among the servers.
    turn: usize,
}

/// A request that has been given to a connection, or is to be given to another.
type Sent = Result<(Response<Incoming>, Lease), (ForwardError, Option<Box<Request<Upload>>>)>;

/// Forwards a request that was judged open. Where a connection is at hand, the request is on its
/// way when this returns; else the way there is boxed.
pub(super) fn start(
    lane: &Rc<Lane>,
    judged: Judged,
    mut story: Box<Story>,
    request: Request<Inbound>,
) -> Result<impl Future<Output = Response<Body>> + use<>, Acting> {
    story.in_flight();
    let asker = Asker::of(request.headers());
    let (mut parts, incoming) = request.into_parts();
    let switch = upgrade::wanted(&judged, &parts);
    if hop::up(&mut parts.headers, lane, &judged, switch).is_err()
        || rewrite::up(&mut parts, judged.rules(), &mut story).is_err()
    {
        lane.close_after_answer();
        let reply = answer::bad(&judged.current.snapshot, MALFORMED, &asker);
        return Err(reply.finish(lane, story, incoming));
    }
    if lane.is_tunnelling() && switch == Switch::None {
        // The route carries no WebSocket, and an answer of another kind would be taken for one.
        let reply = answer::bad(&judged.current.snapshot, NO_TUNNEL, &asker);
        return Err(reply.finish(lane, story, incoming));
    }
    let exchange = Exchange::of(lane, &judged);
    let upload = upload(lane, &judged, incoming, &mut story);
    if upload.size_hint().exact().is_none() {
        // Else hyper takes a GET of unknown length for one without a body, and drops it.
        parts.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let request = Request::from_parts(origin_form(parts), upload);
    let Some(lease) = exchange.pooled() else {
        return Err(Box::pin(async move {
            let sent = exchange.connect_and_send(request, &mut story).await;
            finish(&exchange.lane, &judged, story, sent, &asker)
        }));
    };
    let sending = exchange.give(lease, request, &mut story);
    Ok(async move {
        let sent = match sending.await {
            // Not a byte was written, so another connection may be tried (RFC 9110 §9.2.2).
            Err((_, Some(unsent))) => {
                Box::pin(exchange.connect_and_send(*unsent, &mut story)).await
            }
            Err((error, None)) => Err(error),
            Ok(sent) => Ok(sent),
        };
        finish(&exchange.lane, &judged, story, sent, &asker)
    })
}

/// Forwards a request whose body was looked into and is at hand.
pub(super) async fn looked_into(
    lane: &Rc<Lane>,
    judged: &Judged,
    mut story: Box<Story>,
    mut parts: request::Parts,
    body: Bytes,
) -> Response<Body> {
    story.in_flight();
    let asker = Asker::of(&parts.headers);
    if hop::up(&mut parts.headers, lane, judged, Switch::None).is_err()
        || rewrite::up(&mut parts, judged.rules(), &mut story).is_err()
    {
        lane.close_after_answer();
        return answer::bad(&judged.current.snapshot, MALFORMED, &asker).send(lane, story);
    }
    let exchange = Exchange::of(lane, judged);
    let request = Request::from_parts(origin_form(parts), Upload::Bytes(body));
    let sent = exchange.send(request, &mut story).await;
    finish(lane, judged, story, sent, &asker)
}

/// The client's body as it goes up.
pub(super) fn upload(lane: &Lane, judged: &Judged, inbound: Inbound, story: &mut Story) -> Upload {
    if inbound.is_end_stream() {
        return Upload::Bytes(Bytes::new());
    }
    let progress = Rc::<Progress>::default();
    story.progress = Some(Rc::clone(&progress));
    let clockwork = lane.clockwork.clone();
    let answer_timeout = judged.answer_timeout();
    let tempo = Tempo::default();
    Upload::Client(FromClient { inbound, clockwork, tempo, progress, answer_timeout })
}

fn finish(
    lane: &Lane,
    judged: &Judged,
    story: Box<Story>,
    sent: Result<(Response<Incoming>, Lease), ForwardError>,
    asker: &Asker,
) -> Response<Body> {
    match sent {
        // No tunnel, yet the client would take it for one.
        Ok((response, _)) if lane.is_tunnelling() && response.status().is_success() => {
            failed(lane, judged, story, &ForwardError::InDoubt, asker)
        }
        Ok((response, lease)) => answered(lane, judged, story, response, lease),
        Err(error) => failed(lane, judged, story, &error, asker),
    }
}

impl Exchange {
    /// With the upstream of the place that was judged.
    pub(super) fn of(lane: &Rc<Lane>, judged: &Judged) -> Self {
        Self {
            lane: Rc::clone(lane),
            current: Rc::clone(&judged.current),
            upstream: judged.upstream_ix(),
            answer_timeout: judged.rules().answer_timeout,
            turn: judged.current.turn(judged.upstream_ix()),
        }
    }

    /// To the upstream of another place, for a page of the same site.
    pub(super) fn to(self, upstream: UpstreamIx) -> Self {
        Self { upstream, ..self }
    }

    /// How long the answer may take.
    pub(super) fn answer_timeout(&self) -> Duration {
        self.answer_timeout
    }

    fn upstream(&self) -> &Upstream {
        &self.current.snapshot.site.upstreams[self.upstream.0 as usize]
    }

    /// Sends a request and waits for the answer's head. Another attempt is made only if not a byte
    /// of the one before was written (RFC 9110 §9.2.2).
    pub(super) async fn send(
        &self,
        request: Request<Upload>,
        story: &mut Story,
    ) -> Result<(Response<Incoming>, Lease), ForwardError> {
        let Some(lease) = self.pooled() else { return self.connect_and_send(request, story).await };
        match self.give(lease, request, story).await {
            Ok(sent) => Ok(sent),
            Err((_, Some(unsent))) => self.connect_and_send(*unsent, story).await,
            Err((error, None)) => Err(error),
        }
    }

    fn pooled(&self) -> Option<Lease> {
        let servers = self.current.servers(self.upstream);
        let lease = servers[self.turn % servers.len()].pooled()?;
        self.lane.link.worker.shard.upstream_reused();
        Some(lease)
    }

    /// A pooled connection may have died unseen; here only new ones are used, to each server in
    /// turn.
    async fn connect_and_send(
        &self,
        mut request: Request<Upload>,
        story: &mut Story,
    ) -> Result<(Response<Incoming>, Lease), ForwardError> {
        let servers = self.current.servers(self.upstream);
        let mut failed = None;
        for attempt in 0..limit::ATTEMPTS_MAX.max(servers.len()) {
            let server = &servers[self.turn.wrapping_add(attempt) % servers.len()];
            let lease = match self.connect(server, story).await {
                Ok(lease) => lease,
                Err(error) => {
                    failed = Some(ForwardError::Connect(error));
                    continue;
                }
            };
            match self.give(lease, request, story).await {
                Ok(sent) => return Ok(sent),
                Err((error, Some(unsent))) => {
                    failed = Some(error);
                    request = *unsent;
                }
                Err((error, None)) => return Err(error),
            }
        }
        Err(failed.unwrap_or(ForwardError::TimedOut))
    }

    async fn connect(&self, server: &Rc<Server>, story: &mut Story) -> Result<Lease, ConnectError> {
        let worker = &self.lane.link.worker;
        let began = worker.clock.tick();
        let lease = worker.pool.connect(server, self.upstream().connect_timeout).await?;
        story.connect = Some(worker.clock.tick().since(began));
        worker.shard.upstream_connected();
        Ok(lease)
    }

    /// Gives a request to a connection, at once; what is returned waits for the answer's head, and
    /// gives the request back if it was never written.
    fn give(
        &self,
        mut lease: Lease,
        request: Request<Upload>,
        story: &mut Story,
    ) -> impl Future<Output = Sent> + use<> {
        let clockwork = self.lane.clockwork.clone();
        if request.body().is_end_stream() {
            clockwork.restart(Wait::Upstream, self.answer_timeout);
        }
        story.server = Some(lease.server());
        let progress = story.progress.clone();
        let switch = upgrade::Asked::of(request.headers());
        let method = request.method().clone();
        let answer = lease.requests(&method).try_send_request(request);
        async move {
            let mut answer = pin!(answer);
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
                Ok(Ok(response)) if is_in_doubt(&response, switch.as_ref()) => {
                    Err((ForwardError::InDoubt, None))
                }
                Ok(Ok(response)) => Ok((response, lease)),
                Ok(Err(_)) if lease.asked().fault().is_some() => Err((ForwardError::InDoubt, None)),
                Ok(Err(mut error)) => {
                    let unsent = error.take_message().map(Box::new);
                    let fault = progress.and_then(|progress| progress.fault.get());
                    Err((ForwardError::of(error.into_error(), unsent.is_some(), fault), unsent))
                }
                Err(error) => Err((error, None)),
            }
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

/// Whether an answer could be read in two ways (RFC 9112 §6.3), of which hyper would take one: so
/// is a second answer smuggled behind the first. A switch of protocols nobody asked for, or to
/// something else than what was asked for, is another.
fn is_in_doubt(response: &Response<Incoming>, asked: Option<&upgrade::Asked>) -> bool {
    let mut lengths = response.headers().get_all(CONTENT_LENGTH).iter();
    let mut codings = response.headers().get_all(TRANSFER_ENCODING).iter();
    let framing = match (lengths.next(), codings.next()) {
        (None, None) => false,
        (Some(_), Some(_)) => true,
        (Some(length), None) => {
            lengths.next().is_some() || !length.as_bytes().iter().all(u8::is_ascii_digit)
        }
        (None, Some(coding)) => {
            codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked")
        }
    };
    let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    framing || switched && !asked.is_some_and(|asked| asked.is_answered(response.headers()))
}

/// The answer of a server on its way to the client.
pub(super) fn answered(
    lane: &Lane,
    judged: &Judged,
    mut story: Box<Story>,
    response: Response<Incoming>,
    lease: Lease,
) -> Response<Body> {
    story.first_byte = Some(story.elapsed());
    let (mut parts, incoming) = response.into_parts();
    hop::down(&mut parts.headers, judged.site().via.as_ref());
    let doing = rewrite::down(&mut parts, judged.rules(), &story);
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return upgrade::accept(lane, story, parts, lease);
    }
    parts.version = Version::HTTP_11;
    if lane.is_closing() {
        parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    story.answered(parts.status, End::Done);
    let answer = Answer {
        incoming,
        lease: Some(lease),
        clockwork: lane.clockwork.clone(),
        idle: judged.rules().idle_timeout,
        leave: story.leave(&parts),
    };
    let body = match doing {
        Doing::Compress(coding) if !story.is_head() => {
            Body::boxed(Box::pin(Compressed::new(answer, coding)))
        }
        Doing::Compress(_) | Doing::Nothing => Body::upstream(answer),
    };
    Response::from_parts(parts, body.ending(story))
}

/// What the client is told when there is no answer.
fn failed(
    lane: &Lane,
    judged: &Judged,
    story: Box<Story>,
    error: &ForwardError,
    asker: &Asker,
) -> Response<Body> {
    let malformed = lane.wire.fault().is_some_and(Fault::is_in_body);
    let end = if malformed { End::ClientBodyMalformed } else { error.end() };
    tracing::debug!(%error, route = &*judged.rules().name, end = end.code(), "not forwarded");
    // What is left of the request's body belongs to nobody.
    lane.close_after_answer();
    let page = if malformed { PlainKind::BadRequest } else { error.page() };
    answer::plain(&judged.current.snapshot, page, asker).ending(end).send(lane, story)
}

/// A target in origin form: an absolute one loses scheme and authority, which `Host` repeats.
fn origin_form(mut parts: request::Parts) -> request::Parts {
    if let Some(authority) = parts.uri.authority()
        && !parts.headers.contains_key(HOST)
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(HOST, host);
    }
    if parts.uri.scheme().is_some() {
        let target = parts.uri.path_and_query().cloned();
        parts.uri = target.map_or_else(|| Uri::from_static("/"), Uri::from);
    }
    parts.version = Version::HTTP_11;
    parts
}
