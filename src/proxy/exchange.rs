//! A request's way through an upstream: a place at a server, a connection, the answer's head; and
//! when another server may be turned to.
//!
//! A request is sent again only if it provably never reached a server (RFC 9110 §9.2.2), or if it
//! is idempotent, is at hand whole, and the upstream's budget of retries has one left.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use http::header::UPGRADE;
use http::{Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};

use super::body::Upload;
use super::deadline::Wait;
use super::ending::Story;
use super::flight::Flight;
use super::forward::is_in_doubt;
use super::head::Judged;
use super::lane::Lane;
use super::unanswered::ForwardError;
use super::upgrade;
use super::upstream::{Drawn, Held, Key, Lease, Purpose, Tried, Way};
use super::worker::Current;
use crate::addr::proxy_protocol::Ends;
use crate::limit;
use crate::snapshot::{Upstream, UpstreamIx};
use crate::telemetry::end::End;

/// Where a request goes and how long it may wait there.
pub(super) struct Exchange {
    lane: Rc<Lane>,
    current: Rc<Current>,
    upstream: UpstreamIx,
    answer_timeout: Duration,
    flight: Flight,
}

/// An answer's head, and the connection that its body comes over.
pub(super) type Answered = (Response<Incoming>, Lease);

/// A request that got no answer.
pub(super) struct Failure {
    error: ForwardError,
    /// The request, if it was never written.
    unsent: Option<Box<Request<Upload>>>,
    lease: Lease,
}

/// A request that could be made once more.
pub(super) struct Spare(Box<Request<Upload>>);

/// Where a request goes next.
pub(super) enum Turn {
    /// To a connection that is at hand.
    Pooled(Lease),
    /// To a server without one.
    Connect(Held),
    /// To nobody yet: all are as busy as they may be.
    Wait,
    /// To nobody.
    Nobody,
}

impl Exchange {
    /// With the upstream of the place that was judged.
    pub(super) fn of(lane: &Rc<Lane>, judged: &Judged) -> Self {
        Self {
            lane: Rc::clone(lane),
            current: Rc::clone(&judged.current),
            upstream: judged.upstream_ix(),
            answer_timeout: judged.rules().answer_timeout,
            flight: Flight::of(lane, judged),
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

    /// Whose connection it is for.
    pub(super) fn lane(&self) -> &Rc<Lane> {
        &self.lane
    }

    fn upstream(&self) -> &Upstream {
        &self.current.snapshot.site.upstreams[self.upstream.0 as usize]
    }

    fn way(&self) -> &Way {
        self.current.way(self.upstream)
    }

    fn now(&self) -> u64 {
        self.lane.link.worker.sweep.now()
    }

    /// What binds a request to a server.
    fn key(&self, request: &Request<Upload>, story: &Story) -> Option<Key> {
        self.way().key(request.headers(), story.client)
    }

    /// Sends a request and waits for the answer's head.
    pub(super) async fn send(
        &self,
        request: Request<Upload>,
        story: &mut Story,
    ) -> Result<Answered, ForwardError> {
        let first = self.first(&request, story);
        self.go(first, request, story).await
    }

    /// Where a request goes first.
    pub(super) fn first(&self, request: &Request<Upload>, story: &Story) -> Turn {
        let way = self.way();
        way.group().asked();
        let turn = self.turn(self.key(request, story), &Tried::default());
        match turn {
            // A connection that is to leave HTTP behind is made for it.
            Turn::Connect(held) if !request.headers().contains_key(UPGRADE) => {
                match held.pooled() {
                    Ok(lease) => {
                        self.lane.link.worker.shard.upstream_reused();
                        Turn::Pooled(lease)
                    }
                    Err(held) => Turn::Connect(held),
                }
            }
            Turn::Pooled(_) | Turn::Connect(_) | Turn::Wait | Turn::Nobody => turn,
        }
    }

    fn turn(&self, key: Option<Key>, tried: &Tried) -> Turn {
        match self.way().draw(key, tried, self.now()) {
            Drawn::Held(held) => Turn::Connect(held),
            Drawn::Full => Turn::Wait,
            Drawn::Nobody => Turn::Nobody,
        }
    }

    /// A request's second copy, if it could be sent again and there is something to fear.
    pub(super) fn spare(&self, lease: &Lease, request: &Request<Upload>) -> Option<Spare> {
        let risky = lease.is_shared() || lease.is_doubted() || self.way().has_choice();
        let may = risky && self.upstream().care.retries;
        let fit = lease.is_shared() || request.method().is_idempotent();
        if !may || !fit || request.headers().contains_key(UPGRADE) {
            return None;
        }
        let Upload::Bytes(body) = request.body() else { return None };
        let mut copy = Request::new(Upload::Bytes(body.clone()));
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        Some(Spare(Box::new(copy)))
    }

    /// Goes on after a connection that was at hand failed.
    pub(super) async fn again(
        &self,
        failure: Failure,
        spare: Option<Spare>,
        story: &mut Story,
    ) -> Result<Answered, ForwardError> {
        let mut tried = Tried::default();
        let (request, error) = self.salvage(failure, spare, &mut tried)?;
        let key = self.key(&request, story);
        let next = self.next(key, &mut tried);
        self.go_on(next, request, (tried, Some(error)), story).await
    }

    /// Sends a request from its first turn on.
    pub(super) async fn go(
        &self,
        first: Turn,
        request: Request<Upload>,
        story: &mut Story,
    ) -> Result<Answered, ForwardError> {
        self.go_on(first, request, (Tried::default(), None), story).await
    }

    async fn go_on(
        &self,
        mut turn: Turn,
        mut request: Request<Upload>,
        (mut tried, mut failed): (Tried, Option<ForwardError>),
        story: &mut Story,
    ) -> Result<Answered, ForwardError> {
        let key = self.key(&request, story);
        let switches = request.headers().contains_key(UPGRADE);
        let most = limit::ATTEMPTS_MAX.max(self.upstream().servers.len());
        for _ in 0..most {
            let held = match turn {
                Turn::Pooled(lease) => Ok(lease),
                Turn::Connect(held) => Err(held),
                Turn::Wait => match self.wait().await {
                    // Whoever had the place has just given its connection back.
                    Ok(held) if !switches => held.pooled(),
                    Ok(held) => Err(held),
                    Err(error) => return Err(failed.unwrap_or(error)),
                },
                Turn::Nobody => break,
            };
            let lease = match held {
                Ok(lease) => Ok(lease),
                Err(held) => self.connect(held, switches, &mut tried, story).await,
            };
            let lease = match lease {
                Ok(lease) => lease,
                Err(error) => {
                    failed = Some(error);
                    turn = self.turn(key, &tried);
                    continue;
                }
            };
            let spare = self.spare(&lease, &request);
            match self.give(lease, request, story).await {
                Ok(answered) => return Ok(self.judged_well(answered)),
                Err(failure) => {
                    let (again, error) = self.salvage(failure, spare, &mut tried)?;
                    (request, failed) = (again, Some(error));
                    turn = self.next(key, &mut tried);
                }
            }
        }
        Err(failed.unwrap_or(ForwardError::Nobody))
    }

    /// The server after those that were tried; one of them, if there is no other, since what failed
    /// may have been a connection and not a server.
    fn next(&self, key: Option<Key>, tried: &mut Tried) -> Turn {
        match self.turn(key, tried) {
            Turn::Nobody => {
                tried.forget();
                self.turn(key, tried)
            }
            turn @ (Turn::Pooled(_) | Turn::Connect(_) | Turn::Wait) => turn,
        }
    }

    /// What is to be sent again, and why; or that it must not be.
    fn salvage(
        &self,
        failure: Failure,
        spare: Option<Spare>,
        tried: &mut Tried,
    ) -> Result<(Request<Upload>, ForwardError), ForwardError> {
        let Failure { error, unsent, lease } = failure;
        let server = Rc::clone(lease.server());
        // A pooled connection that had died says nothing about its server.
        if lease.is_new() || !error.never_sent() {
            self.judged_ill(&error, &lease);
            tried.add(&server);
        }
        drop(lease);
        if let Some(unsent) = unsent {
            return Ok((*unsent, error));
        }
        match (spare, error.never_sent()) {
            (Some(Spare(request)), true) => Ok((*request, error)),
            (Some(Spare(request)), false) if self.may_repeat(&request, &error) => {
                self.lane.link.worker.shard.upstream_retried();
                Ok((*request, error))
            }
            (Some(_), false) | (None, _) => Err(error),
        }
    }

    fn may_repeat(&self, request: &Request<Upload>, error: &ForwardError) -> bool {
        matches!(error, ForwardError::Reset(_))
            && request.method().is_idempotent()
            && self.way().group().may_repeat(self.now())
    }

    /// Waits for a place at a server.
    async fn wait(&self) -> Result<Held, ForwardError> {
        let way = self.way();
        self.lane.link.worker.shard.upstream_queued();
        let waiting = way.group().wait(way.queue_max()).ok_or(ForwardError::QueueFull)?;
        let clockwork = &self.lane.clockwork;
        clockwork.restart(Wait::Upstream, self.upstream().care.queue_timeout);
        let mut waiting = pin!(waiting);
        let held = poll_fn(|cx| match waiting.as_mut().poll(cx) {
            Poll::Ready(held) => Poll::Ready(held.ok()),
            Poll::Pending if clockwork.passed(Wait::Upstream) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await;
        clockwork.clear(Wait::Upstream);
        held.ok_or(ForwardError::QueueTimedOut)
    }

    async fn connect(
        &self,
        held: Held,
        switches: bool,
        tried: &mut Tried,
        story: &mut Story,
    ) -> Result<Lease, ForwardError> {
        let link = &self.lane.link;
        let worker = &link.worker;
        let server = Rc::clone(held.server());
        let ends = Ends { source: link.peer.0, destination: link.destination };
        let began = worker.clock.tick();
        match held.connect(Purpose { ends, switches }).await {
            Ok(lease) => {
                if lease.is_new() {
                    story.connect = Some(worker.clock.tick().since(began));
                    worker.shard.upstream_connected();
                } else {
                    worker.shard.upstream_reused();
                }
                Ok(lease)
            }
            Err(error) => {
                worker.shard.upstream_failed();
                tried.add(&server);
                if self.way().failed(&server) {
                    worker.shard.upstream_ejected();
                }
                Err(error.into())
            }
        }
    }

    /// Gives a request to a connection, at once; what is returned waits for the answer's head, and
    /// gives the request back if it was never written.
    pub(super) fn give(
        &self,
        mut lease: Lease,
        request: Request<Upload>,
        story: &mut Story,
    ) -> impl Future<Output = Result<Answered, Failure>> + use<> {
        let clockwork = self.lane.clockwork.clone();
        if request.body().is_end_stream() {
            clockwork.restart(Wait::Upstream, self.answer_timeout);
        }
        story.server = Some(lease.address());
        let progress = story.progress.clone();
        let switch = upgrade::Asked::of(request.headers());
        let (flight, method) = (self.flight.clone(), request.method().clone());
        let mut answer = lease.send(request);
        async move {
            let waited = poll_fn(|cx| match answer.as_mut().poll(cx) {
                Poll::Ready(answer) => Poll::Ready(Ok(answer)),
                Poll::Pending if clockwork.passed(Wait::Body) => {
                    Poll::Ready(Err(ForwardError::Client(End::ClientBodyTimeout)))
                }
                Poll::Pending if clockwork.passed(Wait::Upstream) => {
                    Poll::Ready(Err(ForwardError::TimedOut))
                }
                Poll::Pending if flight.is_cut(&method) => Poll::Ready(Err(ForwardError::Closed)),
                Poll::Pending => Poll::Pending,
            })
            .await;
            clockwork.clear(Wait::Upstream);
            let (error, unsent) = match waited {
                Ok(Ok(response)) if is_in_doubt(&response, switch.as_ref()) => {
                    (ForwardError::InDoubt, None)
                }
                Ok(Ok(response)) => return Ok((response, lease)),
                Ok(Err(_)) if lease.is_in_doubt() => (ForwardError::InDoubt, None),
                Ok(Err(mut error)) => {
                    let unsent = error.take_message().map(Box::new);
                    let fault = progress.and_then(|progress| progress.fault.get());
                    (ForwardError::of(error.into_error(), unsent.is_some(), fault), unsent)
                }
                Err(error) => (error, None),
            };
            Err(Failure { error, unsent, lease })
        }
    }

    /// Counts an answer for its server: gateways in front of nothing answer too.
    pub(super) fn judged_well(&self, answered: Answered) -> Answered {
        let (response, lease) = &answered;
        match response.status() {
            StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => self.failed(lease),
            _ => self.way().succeeded(lease.server()),
        }
        answered
    }

    fn judged_ill(&self, error: &ForwardError, lease: &Lease) {
        if error.is_servers() {
            self.failed(lease);
        }
    }

    fn failed(&self, lease: &Lease) {
        if self.way().failed(lease.server()) {
            self.lane.link.worker.shard.upstream_ejected();
        }
    }
}
