//! To the upstream and back: a connection, the request, the answer's head; the bodies stream.

use std::rc::Rc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, RETRY_AFTER, TRANSFER_ENCODING};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version, request,
};
use hyper::body::{Body as _, Incoming};

use super::admit;
use super::answer::{self, Asker};
use super::body::{Answer, Body, FromClient, Upload};
use super::ending::{Progress, Story};
use super::exchange::{Answered, Exchange, Turn};
use super::flight::Flight;
use super::head::{Judged, MALFORMED, NO_TUNNEL};
use super::hop::{self, Switch};
use super::inbound::Inbound;
use super::lane::Lane;
use super::page;
use super::pipe;
use super::refill;
use super::request::Acting;
use super::rewrite;
use super::target;
use super::tee::Tee;
use super::tempo::Tempo;
use super::unanswered::ForwardError;
use super::upgrade;
use super::upstream::Lease;
use super::wire::Fault;
use crate::limit;
use crate::pages::PlainKind;
use crate::telemetry::end::End;

/// When the place closes next.
const NEXT: HeaderName = HeaderName::from_static("intermission-next");

/// Forwards a request that was judged open. Where a connection is at hand, the request is on its
/// way when this returns.
pub(super) fn start(
    lane: &Rc<Lane>,
    judged: Judged,
    mut story: Box<Story>,
    request: Request<Inbound>,
) -> Acting {
    story.in_flight();
    let asker = Asker::of(request.headers());
    let (mut parts, incoming) = request.into_parts();
    if let Some(reply) = target::last_hop(&parts.method, &mut parts.headers) {
        return reply.finish(lane, story, incoming);
    }
    let mut tee = Tee::of(lane, &judged, &mut parts).map(Box::new);
    let switch = upgrade::wanted(&judged, &parts);
    story.page = page::up(&mut parts, &judged);
    if hop::up(&mut parts.headers, lane, &judged, switch).is_err()
        || rewrite::up(&mut parts, judged.rules(), &mut story).is_err()
    {
        lane.close_after_answer();
        let reply = answer::bad(&judged.current.snapshot, MALFORMED, &asker);
        return reply.finish(lane, story, incoming);
    }
    if lane.is_tunnelling() && switch == Switch::None {
        // The route carries no WebSocket, and an answer of another kind would be taken for one.
        let reply = answer::bad(&judged.current.snapshot, NO_TUNNEL, &asker);
        return reply.finish(lane, story, incoming);
    }
    let exchange = Exchange::of(lane, &judged);
    let upload = upload(lane, &judged, incoming, &mut story);
    let upload = watched(tee.as_deref_mut(), upload);
    if upload.size_hint().exact().is_none() {
        // Else hyper takes a GET of unknown length for one without a body, and drops it.
        parts.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let request = Request::from_parts(origin_form(parts), upload);
    let lease = match exchange.first(&request, &story) {
        Turn::Pooled(lease) => lease,
        turn @ (Turn::Connect(_) | Turn::Wait | Turn::Nobody) => {
            return Box::pin(async move {
                let sent = exchange.go(turn, request, &mut story).await;
                match tee {
                    None => finish(exchange.lane(), &judged, story, sent, &asker),
                    Some(tee) => tee.finish(exchange.lane(), &judged, story, sent).await,
                }
            });
        }
    };
    let spare = exchange.spare(&lease, &request);
    let sending = exchange.give(lease, request, &mut story);
    // The way of nearly every request: what happens seldom is boxed, so that its size costs
    // nothing.
    Box::pin(async move {
        let sent = match sending.await {
            Ok(answered) => Ok(exchange.judged_well(answered)),
            Err(failure) => Box::pin(exchange.again(failure, spare, &mut story)).await,
        };
        match tee {
            None => finish(exchange.lane(), &judged, story, sent, &asker),
            Some(tee) => Box::pin(tee.finish(exchange.lane(), &judged, story, sent)).await,
        }
    })
}

/// Forwards a request whose body was looked into.
pub(super) async fn looked_into(
    lane: &Rc<Lane>,
    judged: &Judged,
    mut story: Box<Story>,
    mut parts: request::Parts,
    body: Upload,
) -> Response<Body> {
    story.in_flight();
    let asker = Asker::of(&parts.headers);
    let mut tee = Tee::of(lane, judged, &mut parts).map(Box::new);
    story.page = page::up(&mut parts, judged);
    if hop::up(&mut parts.headers, lane, judged, Switch::None).is_err()
        || rewrite::up(&mut parts, judged.rules(), &mut story).is_err()
    {
        lane.close_after_answer();
        return answer::bad(&judged.current.snapshot, MALFORMED, &asker).send(lane, story);
    }
    let exchange = Exchange::of(lane, judged);
    let upload = watched(tee.as_deref_mut(), body);
    if upload.size_hint().exact().is_none() {
        parts.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let request = Request::from_parts(origin_form(parts), upload);
    let sent = exchange.send(request, &mut story).await;
    match tee {
        None => finish(lane, judged, story, sent, &asker),
        Some(tee) => tee.finish(lane, judged, story, sent).await,
    }
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
    let tempo = (!lane.is_conversing()).then(Tempo::default);
    let ahead = Bytes::new();
    Upload::Client(FromClient { inbound, ahead, clockwork, tempo, progress, answer_timeout })
}

fn watched(tee: Option<&mut Tee>, upload: Upload) -> Upload {
    match tee {
        None => upload,
        Some(tee) => tee.watch(upload),
    }
}

/// The answer to a request that was forwarded, or what its client is told without one.
pub(super) fn finish(
    lane: &Lane,
    judged: &Judged,
    story: Box<Story>,
    sent: Result<Answered, ForwardError>,
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

/// Whether the server switched protocols though nobody asked for it, or to something else than what
/// was asked for. Its framing was followed byte by byte (`upstream::watch`).
pub(super) fn is_in_doubt(response: &Response<Incoming>, asked: Option<&upgrade::Asked>) -> bool {
    let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    switched && !asked.is_some_and(|asked| asked.is_answered(response.headers()))
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
    let via = judged.site().via.as_ref().filter(|via| via.in_answers);
    hop::down(&mut parts.headers, via.map(|via| via.of(parts.version)));
    if parts.status == StatusCode::NO_CONTENT {
        // It has none, whatever the server says (RFC 9110 §8.6).
        parts.headers.remove(CONTENT_LENGTH);
    }
    let fill = refill::prepare(&mut parts, judged, story.fill.take());
    rewrite::down(&mut parts, judged.rules(), &story);
    let plan = page::down(&mut parts, lane, judged, &mut story);
    if let Some(let_in) = &judged.let_in {
        admit::mark(let_in, &mut parts.headers);
    }
    announce(lane, judged, &mut parts.headers);
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
        flight: (Flight::of(lane, judged), story.method().clone()),
        fill,
    };
    let body = pipe::body(answer, plan, story.is_head());
    Response::from_parts(parts, body.ending(story))
}

/// Tells of the next window over the place, where one is announced.
fn announce(lane: &Lane, judged: &Judged, headers: &mut HeaderMap) {
    let announced = &judged.current.snapshot.beside.announced;
    if announced.is_empty() || !judged.site().announce_header {
        return;
    }
    let Some((route, region)) = judged.place else { return };
    if let Some(note) = announced.note(route, region, lane.link.worker.time.now()) {
        headers.insert(NEXT, note.header.clone());
    }
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
    let mut reply = answer::plain(&judged.current.snapshot, page, asker);
    if error.is_busy() && !malformed {
        let after = HeaderValue::from(limit::RETRY_AFTER_BUSY.as_secs());
        reply = reply.status(StatusCode::SERVICE_UNAVAILABLE).with(RETRY_AFTER, after);
    }
    reply.ending(end).send(lane, story)
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
