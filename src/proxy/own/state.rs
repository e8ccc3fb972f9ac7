//! Whether a path is open, for the script on our pages and for whoever polls.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Method, StatusCode};
use serde::Serialize;

use super::Asked;
use crate::clock::Wall;
use crate::pages::PlainKind;
use crate::proxy::answer::Reply;
use crate::proxy::body::Body;
use crate::proxy::{head, visitor};
use crate::window::state::Mode;

const SOONEST: Duration = Duration::from_secs(5);
const LATEST: Duration = Duration::from_secs(60);
const USUAL: Duration = Duration::from_secs(30);

/// What is told of a path.
#[derive(Serialize)]
struct State {
    state: &'static str,
    ends_at: Option<Wall>,
    poll_after_ms: u64,
}

pub(super) fn state(asked: &Asked<'_>) -> Reply {
    let query = asked.parts.uri.query().unwrap_or_default();
    let path = visitor::field(query.as_bytes(), "p").unwrap_or("/".to_owned());
    let path = path.split('?').next().unwrap_or_default();
    let Some((route, region)) = head::place_of(asked.lane, asked.judged, asked.parts, path) else {
        return asked.plain(PlainKind::UnknownRoute);
    };
    let cells = &asked.judged.current.snapshot.cells;
    // Whoever asks is on a page, or wants to be.
    let now = asked.lane.link.worker.moment();
    let closure = cells.closure_for(route, region, &Method::GET, now);
    let ends_at = closure.and_then(|closure| closure.until);
    let name = match closure.map(|closure| closure.mode) {
        None => "open",
        Some(Mode::Page | Mode::Hold) => "closed",
        Some(Mode::ReadOnly) => "read_only",
    };
    let worker = &asked.lane.link.worker;
    let poll_after_ms = poll_after(ends_at, worker.clock.now(), worker.jitter());
    // The tag leaves the pause out: it is new each time and says nothing.
    let tag = format!("\"{name}-{}\"", ends_at.map_or(0, Wall::millis));
    let tag = HeaderValue::from_str(&tag).expect("letters and digits");
    let json = HeaderValue::from_static("application/json");
    let reply = if asked.parts.headers.get(IF_NONE_MATCH) == Some(&tag) {
        Reply::new(StatusCode::NOT_MODIFIED, Body::empty())
    } else {
        let state = State { state: name, ends_at, poll_after_ms };
        let body = serde_json::to_vec(&state).expect("texts and numbers are JSON");
        Reply::new(StatusCode::OK, Body::full(Bytes::from(body))).with(CONTENT_TYPE, json)
    };
    reply.with(ETAG, tag)
}

/// When to ask again: sooner near the promised end, each at another time, so that everybody who
/// waits does not come at once.
fn poll_after(ends_at: Option<Wall>, now: Wall, jitter: u64) -> u64 {
    let left = ends_at.map(|end| end.since(now)).filter(|left| !left.is_zero());
    let mean = left.map_or(USUAL, |left| (left / 4).clamp(SOONEST, LATEST));
    let mean = u64::try_from(mean.as_millis()).unwrap_or(u64::MAX);
    mean / 2 + jitter % mean.max(1)
}
