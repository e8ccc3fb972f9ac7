//! Answers of our own: pages for people, problems for machines, and how each is sent.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_LANGUAGE, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LANGUAGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER, VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Body as _;

use super::body::{Body, FromClient, Upload};
use super::deadline::Wait;
use super::ending::Story;
use super::grpc;
use super::head::{Bad, Judged};
use super::inbound::Inbound;
use super::lane::Lane;
use super::request::Acting;
use super::rewrite;
use crate::clock::Wall;
use crate::decide::retry_after::retry_after;
use crate::decide::{NotKept, Refusal, Wants};
use crate::limit;
use crate::pages::{Lang, Page, PlainKind, negotiate};
use crate::snapshot::{Closure, Snapshot};
use crate::telemetry::end::End;

/// `closed`, or what became of a submission; tells a maintenance from a failure.
pub(super) const STATE: HeaderName = HeaderName::from_static("intermission-state");
const CLOSED: HeaderValue = HeaderValue::from_static("closed");
const GENERATION: HeaderName = HeaderName::from_static("intermission-generation");
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// Answers for clients whose head was never whole, written to the socket as they are.
pub(super) const BARE_MALFORMED: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
/// See [`BARE_MALFORMED`].
pub(super) const BARE_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
/// See [`BARE_MALFORMED`].
pub(super) const BARE_TOO_LARGE: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// See [`BARE_MALFORMED`].
pub(super) const BARE_OTHER_VERSION: &[u8] =
    b"HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
/// For connections that there is no room for.
pub(super) const BARE_BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n\
    Cache-Control: no-store\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What an answer of ours needs to know of who asks, kept while the head is given away.
#[derive(Clone, Debug, Default)]
pub(super) struct Asker {
    accept: Option<HeaderValue>,
    language: Option<HeaderValue>,
    grpc: bool,
}

impl Asker {
    /// Of a request's fields.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            accept: headers.get(ACCEPT).cloned(),
            language: headers.get(ACCEPT_LANGUAGE).cloned(),
            grpc: headers.get(CONTENT_TYPE).is_some_and(grpc::is_media),
        }
    }

    /// The language for them.
    pub(super) fn lang(&self) -> Lang {
        negotiate(self.language.as_ref().and_then(|value| value.to_str().ok()))
    }

    fn takes_html(&self) -> bool {
        let html =
            |accept: &HeaderValue| memchr::memmem::find(accept.as_bytes(), b"text/html").is_some();
        self.accept.as_ref().is_some_and(html)
    }
}

/// An answer of ours, and what is told when it has arrived.
pub(super) struct Reply {
    response: Response<Body>,
    end: End,
}

impl Reply {
    /// With this status and body.
    pub(super) fn new(status: StatusCode, body: Body) -> Self {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        Self { response, end: End::Done }
    }

    /// A page made for one visitor.
    pub(super) fn page(status: StatusCode, page: Page) -> Self {
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        Self::new(status, Body::full(page.html))
            .with(CONTENT_TYPE, html)
            .with(CONTENT_SECURITY_POLICY, page.csp)
            .with(CONTENT_LANGUAGE, page.language)
            .guarded()
    }

    /// The answer to a load balancer's probe.
    pub(super) fn probe() -> Self {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        Self::new(StatusCode::OK, Body::full(Bytes::from_static(b"ok\n"))).with(CONTENT_TYPE, text)
    }

    /// With this field.
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.response.headers_mut().insert(name, value);
        self
    }

    /// Told as this end.
    pub(super) fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// With the fields that keep a page of ours to itself. The referrer policy is `same-origin`,
    /// because with `no-referrer` browsers send `Origin: null` from the forms on it.
    pub(super) fn guarded(self) -> Self {
        self.with(
            HeaderName::from_static("referrer-policy"),
            HeaderValue::from_static("same-origin"),
        )
        .with(
            HeaderName::from_static("x-content-type-options"),
            HeaderValue::from_static("nosniff"),
        )
        .with(
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        )
        .with(ROBOTS, HeaderValue::from_static("noindex"))
    }

    /// Answers a request whose body nobody wanted. It is taken anyway, within bounds, so that the
    /// client reads the answer and not a reset; what is longer costs it the connection.
    pub(super) fn finish(self, lane: &Rc<Lane>, story: Box<Story>, mut unread: Inbound) -> Acting {
        if unread.is_end_stream() {
            return Box::pin(std::future::ready(self.send(lane, story)));
        }
        let lane = Rc::clone(lane);
        Box::pin(async move {
            if lane.is_expecting() || !drain(&lane, &mut unread).await {
                lane.close_after_answer();
            }
            self.send(&lane, story)
        })
    }

    /// As [`Reply::finish`], where the body was perhaps begun.
    pub(super) fn finish_upload(
        self,
        lane: &Rc<Lane>,
        story: Box<Story>,
        unread: Upload,
    ) -> Acting {
        match unread {
            Upload::Client(FromClient { inbound, .. }) => self.finish(lane, story, inbound),
            Upload::Bytes(_) | Upload::Boxed(_) | Upload::Teed(_) => {
                Box::pin(std::future::ready(self.send(lane, story)))
            }
        }
    }

    /// Answers a request whose body has been dealt with.
    pub(super) fn send(self, lane: &Lane, mut story: Box<Story>) -> Response<Body> {
        let Self { mut response, end } = self;
        let headers = response.headers_mut();
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        headers.insert(GENERATION, HeaderValue::from(story.generation()));
        rewrite::with_hsts(headers, &story);
        if lane.is_closing() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        story.answered(response.status(), end);
        response.map(|body| body.ending(story))
    }
}

/// Takes what is left of a body; `false` if there was too much of it, or it took too long.
async fn drain(lane: &Lane, body: &mut Inbound) -> bool {
    let mut taken = 0;
    lane.clockwork.restart(Wait::Body, limit::LINGER);
    let ended = std::future::poll_fn(|cx| {
        loop {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(None) => return Poll::Ready(true),
                Poll::Ready(Some(Ok(frame))) => {
                    taken += frame.data_ref().map_or(0, |data| data.len() as u64);
                    if taken > limit::LINGER_BYTES_MAX {
                        return Poll::Ready(false);
                    }
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(false),
                Poll::Pending if lane.clockwork.passed(Wait::Body) => {
                    return Poll::Ready(false);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    lane.clockwork.clear(Wait::Body);
    ended
}

/// The answer of a closed place, made for who asks.
pub(super) fn closed(
    judged: &Judged,
    lane: &Lane,
    wants: Wants,
    not_kept: Option<NotKept>,
    asker: &Asker,
) -> Reply {
    let Some(closure) = &judged.closure else {
        return fault(&judged.current.snapshot, asker);
    };
    if let (Wants::Html, Some(why)) = (wants, not_kept) {
        return self::not_kept(judged, lane, closure, why, asker);
    }
    let page = closure.pages.of(asker.lang());
    let (kind, body) = match wants {
        Wants::Html => ("text/html; charset=utf-8", page.html.clone()),
        Wants::Problem => ("application/problem+json", page.problem.clone()),
        Wants::Grpc => {
            let back = seconds_to_return(lane, closure, judged.turn);
            return grpc::unavailable(&page.grpc_message, back).with(STATE, CLOSED);
        }
        Wants::WebSocket | Wants::EventStream | Wants::Text => {
            ("text/plain; charset=utf-8", page.text.clone())
        }
    };
    let mut reply = Reply::new(StatusCode::SERVICE_UNAVAILABLE, Body::full(body))
        .with(CONTENT_TYPE, HeaderValue::from_static(kind))
        .with(CONTENT_LANGUAGE, page.language.clone())
        .with(VARY, HeaderValue::from_static("Accept, Accept-Language"))
        .with(ROBOTS, HeaderValue::from_static("noindex"))
        .with(STATE, HeaderValue::from_static(state_of(not_kept)));
    if wants == Wants::Html {
        reply = reply.with(CONTENT_SECURITY_POLICY, page.csp.clone());
    }
    with_return(reply, lane, closure, judged.turn)
}

/// The page after a form that was not kept, which says so and why.
pub(super) fn not_kept(
    judged: &Judged,
    lane: &Lane,
    closure: &Closure,
    why: NotKept,
    asker: &Asker,
) -> Reply {
    let page = judged.current.snapshot.pages.not_kept(asker.lang(), &closure.notice, why.name());
    let reply = Reply::page(StatusCode::SERVICE_UNAVAILABLE, page)
        .with(STATE, HeaderValue::from_static(state_of(Some(why))));
    let reply = if why == NotKept::Store { reply.ending(End::ProxyCaptureStore) } else { reply };
    with_return(reply, lane, closure, judged.turn)
}

const fn state_of(not_kept: Option<NotKept>) -> &'static str {
    match not_kept {
        None => "closed",
        Some(NotKept::Origin) => "closed;saved=?0;reason=origin",
        Some(NotKept::Type) => "closed;saved=?0;reason=type",
        Some(NotKept::Policy) => "closed;saved=?0;reason=policy",
        Some(NotKept::Secret) => "closed;saved=?0;reason=secret",
        Some(NotKept::Size) => "closed;saved=?0;reason=size",
        Some(NotKept::Quota) => "closed;saved=?0;reason=quota",
        Some(NotKept::Broken) => "closed;saved=?0;reason=broken",
        Some(NotKept::Store) => "closed;saved=?0;reason=store",
    }
}

/// With when to come back, if anybody knows; `turn` is when who asks is let in.
pub(super) fn with_return(
    reply: Reply,
    lane: &Lane,
    closure: &Closure,
    turn: Option<Wall>,
) -> Reply {
    match seconds_to_return(lane, closure, turn) {
        Some(secs) => reply.with(RETRY_AFTER, HeaderValue::from(secs)),
        None => reply,
    }
}

fn seconds_to_return(lane: &Lane, closure: &Closure, turn: Option<Wall>) -> Option<u64> {
    let worker = &lane.link.worker;
    if let Some(turn) = turn {
        // Turns are spread already: each visitor has another.
        return retry_after(Some(turn), worker.time.now(), 0);
    }
    closure.until?;
    retry_after(closure.until, worker.time.now(), worker.jitter())
}

/// The answer where something of ours went wrong.
pub(super) fn fault(snapshot: &Arc<Snapshot>, asker: &Asker) -> Reply {
    plain(snapshot, PlainKind::Fault, asker)
}

/// On to another page of this site, fetched with GET: a reload there posts nothing again.
pub(super) fn see_other(location: &str) -> Reply {
    let location = HeaderValue::from_str(location).expect("our own paths are visible ASCII");
    Reply::new(StatusCode::SEE_OTHER, Body::empty()).with(LOCATION, location)
}

/// The answer to a head that is not served.
pub(super) fn bad(snapshot: &Arc<Snapshot>, bad: Bad, asker: &Asker) -> Reply {
    let reply = plain(snapshot, bad.page, asker).ending(bad.end);
    if asker.grpc { reply } else { reply.status(bad.status) }
}

/// The answer to a request that is not served where it asks.
pub(super) fn refused(judged: &Judged, refusal: Refusal, asker: &Asker) -> Reply {
    let snapshot = &judged.current.snapshot;
    match refusal {
        Refusal::UnknownRoute => {
            plain(snapshot, PlainKind::UnknownRoute, asker).ending(End::ProxyRouteUnknown)
        }
        Refusal::EncodedSlash => {
            plain(snapshot, PlainKind::BadRequest, asker).ending(End::ProxyRouteRefused)
        }
        Refusal::Unsupported => plain(snapshot, PlainKind::Unsupported, asker)
            .with(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"))
            .ending(End::ClientHeadUnsupported),
    }
}

/// The answer to a request whose body did not arrive whole.
pub(super) fn failed(snapshot: &Arc<Snapshot>, end: End, asker: &Asker) -> Reply {
    let late = end == End::ClientBodyTimeout;
    let page = if late { PlainKind::Timeout } else { PlainKind::BadRequest };
    plain(snapshot, page, asker).ending(end)
}

/// The answer where too many requests are under way. It is made without looking at anything.
pub(super) fn busy() -> Reply {
    let text = Bytes::from_static(b"503 Service Unavailable\n");
    Reply::new(StatusCode::SERVICE_UNAVAILABLE, Body::full(text))
        .with(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))
        .with(RETRY_AFTER, HeaderValue::from_static("5"))
        .ending(End::ProxyOverload)
}

/// A small page, as HTML for who takes it and as a line of text for others.
pub(super) fn plain(snapshot: &Arc<Snapshot>, kind: PlainKind, asker: &Asker) -> Reply {
    let status = kind.status();
    let ours = kind == PlainKind::Fault || kind == PlainKind::StoreDown;
    let end = if ours { End::ProxyFault } else { End::Done };
    if asker.grpc {
        return grpc::failed(kind).ending(end);
    }
    if asker.takes_html() {
        return Reply::page(status, snapshot.pages.plain(asker.lang(), kind)).ending(end);
    }
    let reason = status.canonical_reason().unwrap_or("error");
    let text = format!("{} {reason}\n", status.as_u16());
    Reply::new(status, Body::full(Bytes::from(text)))
        .with(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))
        .ending(end)
}

impl Reply {
    /// With another status than its page's own.
    pub(super) fn status(mut self, status: StatusCode) -> Self {
        *self.response.status_mut() = status;
        self
    }
}
