//! A ticket at the original address: the visitor's browser asks, and what it stored is sent.
//!
//! ```text
//!  look ─► claim ─► [fresh tokens] ─► marked as being sent ─► first byte ─► outcome ─► answer
//!            │            │                (durable)                            │
//!            └────────────┴── nothing was sent: back to the receipt ◄───────────┘
//! ```
//!
//! Everything that tells who the visitor is comes with this request: cookies, authorization,
//! origin. What was stored is the method, the target, the type, the body and the page it was on.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, REFERER,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, request};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::answer::{self, Asker, Reply, STATE};
use super::body::{Body, BodyError, Upload};
use super::confirm::{self, NoFresh, Refreshed};
use super::ending::Story;
use super::exchange::{Answered, Exchange};
use super::forward;
use super::head::{self, Judged};
use super::hop::{self, Switch};
use super::lane::Lane;
use super::tee::IDEMPOTENCY_KEY;
use super::unanswered::ForwardError;
use super::upstream::Lease;
use super::visitor;
use super::{page, programs, rewrite};
use crate::decide::is_from_elsewhere;
use crate::id::Id;
use crate::limit;
use crate::pages::PlainKind;
use crate::snapshot::RouteRules;
use crate::vault::capture::Record;
use crate::vault::item::State;
use crate::vault::refresh::resolve;
use crate::vault::resume::{Arrival, Claim, Leads, NoClaim, Outcome, Sending};
use crate::vault::{Mode, Ticket};

const RESUMED: HeaderName = HeaderName::from_static("intermission-resumed");
/// What the receipt is told where somebody else is signed in.
pub(super) const NOTE_ANOTHER: &str = "another";
const TICKET: &str = "intermission_ticket";

/// Sends what a ticket stands for, or leads back to the receipt.
pub(super) async fn run(
    lane: Rc<Lane>,
    judged: Judged,
    story: Box<Story>,
    parts: request::Parts,
    form: Bytes,
) -> Response<Body> {
    let claim = match claim(&lane, &judged, &parts, &form).await {
        Ok(claim) => claim,
        Err(reply) => return reply.send(&lane, story),
    };
    // All cookies of the place are here, which the receipt does not see.
    let owner = visitor::owner(&lane, &parts.headers, judged.scheme);
    let is_another =
        owner.is_some_and(|owner| visitor::is_another(&parts.headers, &owner, claim.record()));
    if is_another && visitor::field(&form, "mine").as_deref() != Some("yes") {
        let id = claim.id();
        call_back(claim).await;
        return to_receipt(id, Some(NOTE_ANOTHER)).send(&lane, story);
    }
    if judged.closure.is_some() {
        let id = claim.id();
        call_back(claim).await;
        return to_receipt(id, None).send(&lane, story);
    }
    // From here the outcome counts, whether or not the visitor waits for it.
    let worker = Rc::clone(&lane.link.worker);
    let delivery = Delivery { lane, judged, parts, whom: Whom::Visitor };
    worker.outlive(delivery.run(story, claim)).await.unwrap_or_else(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

async fn claim(
    lane: &Lane,
    judged: &Judged,
    parts: &request::Parts,
    form: &[u8],
) -> Result<Claim, Reply> {
    let asker = Asker::of(&parts.headers);
    let plain = |kind| answer::plain(&judged.current.snapshot, kind, &asker);
    if is_from_elsewhere(&parts.headers) {
        return Err(plain(PlainKind::Gone));
    }
    let owner = visitor::owner(lane, &parts.headers, judged.scheme);
    let ticket = visitor::field(form, TICKET).and_then(|text| Ticket::parse(&text));
    let mode = visitor::field(form, "mode").and_then(|name| Mode::named(&name));
    let (Some(owner), Some(ticket), Some(mode)) = (owner, ticket, mode) else {
        return Err(plain(PlainKind::Gone));
    };
    let arrival = Arrival {
        method: parts.method.as_str(),
        authority: head::authority(parts, judged),
        target: parts.uri.path_and_query().map_or("/", |target| target.as_str()),
        mode,
    };
    lane.link.worker.vault.claim(&owner, &ticket, arrival).await.map_err(|error| match error {
        NoClaim::Unknown => plain(PlainKind::Gone),
        NoClaim::Spent(id) | NoClaim::Unreadable(id) | NoClaim::Unchecked(id) => {
            to_receipt(id, None)
        }
        NoClaim::Store(error) => {
            tracing::error!(%error, "a ticket could not be looked up");
            plain(PlainKind::StoreDown)
        }
    })
}

/// Nothing was sent. If this cannot be stored the ticket's time runs out, which says the same.
async fn call_back(claim: Claim) {
    if let Err(error) = claim.call_back().await {
        tracing::warn!(%error, "a submission stays armed until its ticket is too old");
    }
}

/// Back to the receipt, which tells what became of the submission.
fn to_receipt(id: Id, note: Option<&'static str>) -> Reply {
    let note = note.map(|note| format!("?note={note}")).unwrap_or_default();
    answer::see_other(&format!("/.intermission/s/{id}{note}"))
}

/// Who sends a submission on, and is told what became of it.
pub(super) enum Whom {
    /// A visitor, who has a receipt.
    Visitor,
    /// A program, and where its status is told.
    Program(HeaderValue),
}

/// One submission on its way to the application.
pub(super) struct Delivery {
    pub lane: Rc<Lane>,
    pub judged: Judged,
    pub parts: request::Parts,
    pub whom: Whom,
}

impl Delivery {
    /// Nothing came back that could be shown: what became of it is told instead.
    fn told(&self, id: Id, note: Option<&'static str>, state: State) -> Reply {
        match &self.whom {
            Whom::Visitor => to_receipt(id, note),
            Whom::Program(address) => programs::unanswered(state, address.clone()),
        }
    }

    /// Sends it and tells what came of it.
    pub(super) async fn run(mut self, mut story: Box<Story>, claim: Claim) -> Response<Body> {
        let id = claim.id();
        let asker = Asker::of(&self.parts.headers);
        // It is kept already: no window makes a receipt of it that lets forms finish.
        self.judged.catches = None;
        let abused = hop::up(&mut self.parts.headers, &self.lane, &self.judged, Switch::None);
        if abused.is_err() {
            call_back(claim).await;
            let reply = answer::bad(&self.judged.current.snapshot, head::MALFORMED, &asker);
            return reply.send(&self.lane, story);
        }
        story.in_flight();
        let honours = self.judged.rules().forms.idempotency_key;
        let before = claim.sent_before().filter(|_| honours).cloned();
        let refreshed = match (claim.mode(), before) {
            // Under the same key the same bytes: with a fresh token it would be another request.
            (_, Some(fresh)) => Ok(Refreshed { fresh, ..Refreshed::default() }),
            (Mode::Replay, None) => Ok(Refreshed::default()),
            (Mode::Confirm, None) => {
                confirm::refresh(&self.lane, &self.judged, &self.parts, &claim, &mut story).await
            }
        };
        let Refreshed { fresh, cookies, jar } = match refreshed {
            Ok(refreshed) => refreshed,
            Err(why) => {
                call_back(claim).await;
                return self.told(id, why.note(), State::Held).send(&self.lane, story);
            }
        };
        let sending = match claim.sending(fresh).await {
            Ok(sending) => sending,
            Err(error) => {
                tracing::debug!(%error, "not sent");
                return self.told(id, None, State::Held).send(&self.lane, story);
            }
        };
        let response = match self.send(&sending, jar, &mut story).await {
            Ok((response, lease)) => {
                let native = self.settle(sending, &response).await;
                self.answer(id, native, story, response, lease)
            }
            Err(outcome) => {
                let state = settle(sending, outcome).await;
                let state = state.unwrap_or(State::Unknown);
                self.told(id, None, state).send(&self.lane, story)
            }
        };
        with_cookies(response, cookies)
    }

    /// The exchange with the application. Its time is measured here, since the deadlines of a
    /// connection end with it.
    async fn send(
        &self,
        sending: &Sending,
        jar: Option<HeaderValue>,
        story: &mut Story,
    ) -> Result<Answered, Outcome> {
        let Ok(request) = self.request(sending, jar, story) else {
            return Err(Outcome::NeverSent);
        };
        let exchange = Exchange::of(&self.lane, &self.judged);
        let patience = limit::CAPTURE_DEADLINE + exchange.answer_timeout();
        let sent = tokio::time::timeout(patience, exchange.send(request, story)).await;
        match sent.unwrap_or(Err(ForwardError::TimedOut)) {
            Ok(answer) => Ok(answer),
            Err(error) => {
                tracing::debug!(%error, "a submission got no answer");
                Err(if error.never_sent() { Outcome::NeverSent } else { Outcome::Unanswered })
            }
        }
    }

    /// The stored request under the live fields.
    fn request(
        &self,
        sending: &Sending,
        jar: Option<HeaderValue>,
        story: &mut Story,
    ) -> Result<Request<Upload>, Unsendable> {
        let head = &sending.record().head;
        let mut headers = self.parts.headers.clone();
        for stale in [CONTENT_ENCODING, CONTENT_LANGUAGE, REFERER] {
            headers.remove(stale);
        }
        match head.content_type.as_str() {
            "" => drop(headers.remove(CONTENT_TYPE)),
            known => drop(headers.insert(CONTENT_TYPE, value(known)?)),
        }
        headers.insert(CONTENT_LENGTH, HeaderValue::from(sending.length()));
        if let Some(referer) = &head.referer {
            headers.insert(REFERER, value(referer)?);
        }
        if let Some(jar) = jar {
            headers.insert(http::header::COOKIE, jar);
        }
        if let Some(key) = sending.record().idempotency_key() {
            headers.insert(IDEMPOTENCY_KEY, value(&key)?);
        }
        let (captured, mode) = (sending.captured().secs(), sending.mode().name());
        headers.insert(RESUMED, value(&format!("captured={captured};mode={mode}"))?);
        let body = sending.body().map_err(|_| Unsendable)?;
        let body = Kept { body, left: sending.length() };
        let mut request = Request::new(Upload::Boxed(Box::pin(body)));
        *request.method_mut() = head.method.parse().map_err(|_| Unsendable)?;
        *request.uri_mut() = head.target.parse().map_err(|_| Unsendable)?;
        *request.headers_mut() = headers;
        let (mut parts, body) = request.into_parts();
        story.page = page::up(&mut parts, &self.judged);
        rewrite::up(&mut parts, self.judged.rules(), story).map_err(|_| Unsendable)?;
        Ok(Request::from_parts(parts, body))
    }

    /// Stores what the answer means, and whether the visitor sees it as it is.
    async fn settle<B>(&self, sending: Sending, response: &Response<B>) -> Native {
        let status = response.status();
        let rules = self.judged.rules();
        let leads = leads(rules, sending.record(), status, response.headers());
        // What is told of a repetition is that the first is still being worked on
        // (draft-ietf-httpapi-idempotency-key-header-07 §2.7).
        let in_doubt = sending.repeats() && status == StatusCode::CONFLICT;
        let outcome = match in_doubt {
            true => Outcome::Unanswered,
            false => Outcome::Answered(status.as_u16(), leads),
        };
        let state = settle(sending, outcome).await;
        // An edit conflict or a mistake in the form is the application's to explain.
        let explains = matches!(status, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY);
        if let Whom::Program(_) = self.whom {
            return Native::Shown;
        }
        let accepted = status.is_success() || status.is_redirection() && leads == Leads::Onwards;
        if accepted || explains { Native::Shown } else { Native::Instead(state) }
    }

    fn answer(
        &self,
        id: Id,
        native: Native,
        story: Box<Story>,
        response: Response<hyper::body::Incoming>,
        lease: Lease,
    ) -> Response<Body> {
        match native {
            Native::Shown => forward::answered(&self.lane, &self.judged, story, response, lease),
            Native::Instead(state) => {
                let (mut parts, _) = response.into_parts();
                hop::down(&mut parts.headers, None);
                let cookies = confirm::cookies_of(&parts.headers);
                let mut reply = to_receipt(id, None);
                if let Some(state) = state {
                    reply = reply.with(STATE, HeaderValue::from_static(state.name()));
                }
                with_cookies(reply.send(&self.lane, story), cookies)
            }
        }
    }
}

/// Whether the visitor sees the application's answer.
enum Native {
    Shown,
    /// The receipt explains the state it is in now, if that is known.
    Instead(Option<State>),
}

/// A stored field cannot be written into a head.
struct Unsendable;

fn value(text: &str) -> Result<HeaderValue, Unsendable> {
    HeaderValue::from_str(text).map_err(|_| Unsendable)
}

async fn settle(sending: Sending, outcome: Outcome) -> Option<State> {
    let settled = sending.settle(outcome).await;
    if let Err(error) = &settled {
        tracing::error!(%error, ?outcome, "an outcome could not be stored: it becomes unknown");
    }
    settled.ok()
}

impl NoFresh {
    /// What the receipt says about it.
    const fn note(&self) -> Option<&'static str> {
        match self {
            Self::SignIn => Some("sign_in"),
            Self::NoForm => Some("no_form"),
            Self::Unreachable | Self::Closed => None,
        }
    }
}

/// Adds the cookies that the live form's page set, before those of the answer: the last one wins.
fn with_cookies(mut response: Response<Body>, cookies: Vec<HeaderValue>) -> Response<Body> {
    if !cookies.is_empty() {
        let own = confirm::cookies_of(response.headers());
        response.headers_mut().remove(http::header::SET_COOKIE);
        for cookie in cookies.into_iter().chain(own) {
            response.headers_mut().append(http::header::SET_COOKIE, cookie);
        }
    }
    response
}

/// Where an answer leads: a redirect to sign in means that the form was not looked at.
fn leads(rules: &RouteRules, record: &Record, status: StatusCode, fields: &HeaderMap) -> Leads {
    if !status.is_redirection() {
        return Leads::Onwards;
    }
    let Some(location) = fields.get(LOCATION).and_then(|value| value.to_str().ok()) else {
        return Leads::Onwards;
    };
    let head = &record.head;
    let sent_to = format!("{}://{}{}", head.scheme, head.authority, head.target);
    let location = resolve(&sent_to, location);
    if is_sign_in(&rules.forms.sign_in_paths, &location) { Leads::ToSignIn } else { Leads::Onwards }
}

/// Whether an absolute URL asks the visitor to sign in: one of the route's paths, or a path that
/// ends like one and is told where to come back to, or another site's sign-in.
pub(super) fn is_sign_in(paths: &[String], location: &str) -> bool {
    const COME_BACK: [&str; 8] =
        ["next", "return", "return_to", "returnto", "returnurl", "redirect", "continue", "from"];
    let place = location.split_once("://").map_or(location, |(_, place)| place);
    let place = place.split('#').next().unwrap_or_default();
    let (path, query) = place.split_once('?').unwrap_or((place, ""));
    let path = path.find('/').map_or("/", |at| &path[at..]).trim_end_matches('/');
    let has = |names: &[&str]| {
        let mut fields = form_urlencoded::parse(query.as_bytes());
        fields.any(|(name, _)| names.contains(&name.to_ascii_lowercase().as_str()))
    };
    let known = |known: &String| {
        let known = known.trim_end_matches('/');
        let below = path.strip_prefix(known).is_some_and(|rest| rest.starts_with('/'));
        path == known || below || path.ends_with(known) && has(&COME_BACK)
    };
    let elsewhere = has(&["samlrequest"]) || has(&["client_id"]) && has(&["redirect_uri"]);
    paths.iter().any(known) || elsewhere
}

/// A kept body as hyper wants it.
struct Kept {
    body: crate::vault::body::Body,
    left: u64,
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.body.poll_next(cx).map(|piece| {
            piece.map(|piece| match piece {
                Ok(bytes) => {
                    self.left = self.left.saturating_sub(bytes.len() as u64);
                    Ok(Frame::data(bytes))
                }
                Err(fault) => Err(BodyError::Unreadable(fault.to_string())),
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
