//! Whether a path is open to who asks, for the script on our pages and for whoever polls.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH, SET_COOKIE};
use http::{HeaderValue, Method, StatusCode, request};
use serde::{Serialize, Serializer};

use super::Asked;
use crate::addr::ClientAddr;
use crate::clock::Wall;
use crate::pages::PlainKind;
use crate::proxy::admit::{self, Door, Knocking, LetIn};
use crate::proxy::answer::Reply;
use crate::proxy::body::Body;
use crate::proxy::head::{self, Scheme};
use crate::proxy::lane::Lane;
use crate::proxy::visitor;
use crate::proxy::worker::Worker;
use crate::region::RegionIx;
use crate::route::RouteIx;
use crate::snapshot::{Closure, Note, Ramp, RouteRules, Snapshot};
use crate::window::plan::RampBy;
use crate::window::state::{self as window, Mode};

const SOONEST: Duration = Duration::from_secs(5);
const LATEST: Duration = Duration::from_secs(60);
const USUAL: Duration = Duration::from_secs(30);

/// What is told of a path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct State {
    state: &'static str,
    /// Since when it is closed.
    starts_at: Option<Wall>,
    /// When it opens to who asks, as far as anybody knows.
    ends_at: Option<Wall>,
    #[serde(skip_serializing_if = "str::is_empty")]
    title: String,
    next: Option<Next>,
    #[serde(flatten)]
    forms: Forms,
}

/// What becomes of forms there: for our script in the application's pages.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Forms {
    /// What the place is called.
    service: String,
    /// Whether a form that is posted there while it is closed may be kept.
    keeps: bool,
    /// Whether the script is to leave, with all that it stored: it is switched off for the route.
    off: bool,
    /// Fields that hold tokens, to be taken from the live page.
    #[serde(serialize_with = "texts")]
    csrf: Arc<[String]>,
    /// Fields that are never kept, besides passwords, codes and cards.
    #[serde(serialize_with = "texts")]
    never: Arc<[String]>,
}

fn texts<S: Serializer>(texts: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    texts.serialize(serializer)
}

impl Forms {
    fn of(rules: &RouteRules) -> Self {
        let policy = &rules.forms;
        Self {
            service: rules.title.clone(),
            keeps: policy.keep,
            off: !policy.script,
            csrf: Arc::clone(&policy.csrf_fields),
            never: Arc::clone(&policy.never_kept),
        }
    }
}

/// What is announced for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Next {
    starts_at: Wall,
    ends_at: Option<Wall>,
    title: String,
    mode: &'static str,
    maintenance: String,
}

/// A state and when to ask again.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    state: &'a State,
    poll_after_ms: u64,
}

/// Who is told.
pub(super) struct Viewer<'a> {
    pub lane: &'a Lane,
    pub parts: &'a request::Parts,
    pub scheme: Scheme,
    pub client: ClientAddr,
}

impl State {
    /// Of this place, for who is told; with the ramp if it is not their turn yet.
    pub(super) fn of(
        viewer: &Viewer<'_>,
        snapshot: &Snapshot,
        at: (RouteIx, RegionIx),
    ) -> (Self, Option<Ramp>) {
        let now = viewer.lane.link.worker.time.now();
        let note = snapshot.beside.announced.note(at.0, at.1, now);
        let next = note.map(|note| Next::of(note.as_ref()));
        let open = || Self::open(next.clone(), Forms::of(snapshot.site.rules(at.0)));
        let Viewer { lane, parts, scheme, client } = *viewer;
        let method = method(parts);
        let closure = snapshot.cells.closure_for(at.0, at.1, &method, now);
        let Some(closure) = closure else {
            return (open(), None);
        };
        let method = method.as_str();
        let who = Knocking { client, scheme, method, headers: &parts.headers };
        let (ends_at, ramp) = match admit::look(lane, snapshot, at, closure, &who) {
            Door::In(LetIn::Pass(_) | LetIn::Ramp(_)) => return (open(), None),
            Door::Later(turn) => {
                let ramp = closure.course.ramp;
                // By number nobody knows the turn: a guess would be another at each look.
                let known = ramp.is_some_and(|ramp| ramp.by == RampBy::Share);
                (known.then_some(turn), ramp)
            }
            Door::Shut => (closure.until, None),
        };
        let state = name(closure);
        let title = closure.course.title.clone();
        let starts_at = Some(closure.since);
        (Self { state, starts_at, ends_at, title, ..open() }, ramp)
    }

    fn open(next: Option<Next>, forms: Forms) -> Self {
        let state = if next.is_some() { "announced" } else { "open" };
        Self { state, starts_at: None, ends_at: None, title: String::new(), next, forms }
    }

    /// What tells it from another.
    pub(super) fn tag(&self) -> String {
        let millis = |at: Option<Wall>| at.map_or(0, Wall::millis);
        let next = self.next.as_ref().map_or((0, 0), |n| (n.starts_at.millis(), millis(n.ends_at)));
        let forms = u8::from(self.forms.keeps) + 2 * u8::from(self.forms.off);
        format!("{}-{}-{}-{}-{forms}", self.state, millis(self.ends_at), next.0, next.1)
    }

    /// As JSON, with the pause until the next look.
    pub(super) fn json(&self, worker: &Worker) -> Vec<u8> {
        let poll_after_ms = poll_after(self.ends_at, worker.time.now(), worker.jitter());
        let told = Told { state: self, poll_after_ms };
        serde_json::to_vec(&told).expect("texts and numbers are JSON")
    }
}

impl Next {
    fn of(note: &Note) -> Self {
        Self {
            starts_at: note.starts,
            ends_at: note.ends,
            title: note.title.clone(),
            mode: note.mode.name(),
            maintenance: note.maintenance.to_string(),
        }
    }
}

/// What a closed place is called.
fn name(closure: &Closure) -> &'static str {
    use window::State as S;
    match closure.course.state {
        S::Overrun => "overrun",
        S::Verifying => "verifying",
        S::Reopening => "reopening",
        S::Planned | S::Stalled | S::Draining | S::Closed | S::Ended | S::Cancelled => {
            match closure.mode {
                Mode::Page => "closed",
                Mode::ReadOnly => "read_only",
                Mode::Hold => "hold",
            }
        }
    }
}

/// The path that is asked about.
pub(super) fn path(parts: &request::Parts) -> String {
    let query = parts.uri.query().unwrap_or_default();
    let path = visitor::field(query.as_bytes(), "p").unwrap_or("/".to_owned());
    path.split('?').next().unwrap_or_default().to_owned()
}

/// The method that is asked about: whoever asks is on a page, or wants to be, unless they say that
/// it is about sending.
fn method(parts: &request::Parts) -> Method {
    let query = parts.uri.query().unwrap_or_default();
    let told = visitor::field(query.as_bytes(), "m");
    if told.is_some_and(|m| m == "POST") { Method::POST } else { Method::GET }
}

/// How a state is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Json,
    /// A module, for pages whose policy forbids `fetch` and lets our script load others.
    Module,
}

pub(super) async fn state(asked: &Asked<'_>, client: ClientAddr, form: Form) -> Reply {
    let place = head::place_of(asked.lane, asked.judged, asked.parts, &path(asked.parts));
    let Some(at) = place else { return asked.plain(PlainKind::UnknownRoute) };
    let worker = &asked.lane.link.worker;
    let (lane, parts, scheme) = (asked.lane, asked.parts, asked.judged.scheme);
    let viewer = Viewer { lane, parts, scheme, client };
    let (mut state, ramp) = State::of(&viewer, &asked.judged.current.snapshot, at);
    let mut cookie = None;
    if let Some(ramp) = ramp
        && holds_a_receipt(asked).await
    {
        cookie = Some(admit::admission(worker, &ramp, scheme, worker.time.now()));
        state = State::open(state.next, state.forms);
    }
    let tag = HeaderValue::from_str(&format!("\"{}\"", state.tag())).expect("letters and digits");
    let reply = if asked.parts.headers.get(IF_NONE_MATCH) == Some(&tag) {
        Reply::new(StatusCode::NOT_MODIFIED, Body::empty())
    } else {
        let json = state.json(worker);
        let (media_type, body) = match form {
            Form::Json => ("application/json", json),
            Form::Module => ("text/javascript", [b"export default ", &json[..]].concat()),
        };
        Reply::new(StatusCode::OK, Body::full(Bytes::from(body)))
            .with(CONTENT_TYPE, HeaderValue::from_static(media_type))
    };
    match cookie {
        Some(cookie) => reply.with(SET_COOKIE, cookie),
        None => reply,
    }
    .with(ETAG, tag)
}

/// Whether a submission of this browser waits to be sent on. The cookie alone would say nothing:
/// anybody can make one up. So the store is asked, and only while a place reopens.
async fn holds_a_receipt(asked: &Asked<'_>) -> bool {
    let owner = visitor::owner(asked.lane, &asked.parts.headers, asked.judged.scheme);
    let Some(owner) = owner else { return false };
    let listed = asked.lane.link.worker.vault.list(&owner).await;
    listed.is_ok_and(|opened| opened.iter().any(|opened| opened.record.is_some()))
}

/// When to ask again: sooner near the promised end, each at another time, so that everybody who
/// waits does not come at once.
fn poll_after(ends_at: Option<Wall>, now: Wall, jitter: u64) -> u64 {
    let left = ends_at.map(|end| end.since(now)).filter(|left| !left.is_zero());
    let mean = left.map_or(USUAL, |left| (left / 4).clamp(SOONEST, LATEST));
    let mean = u64::try_from(mean.as_millis()).unwrap_or(u64::MAX);
    mean / 2 + jitter % mean.max(1)
}
