//! What a closure tells machines: problem details, plain text, a gRPC message.

use bytes::Bytes;
use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

use super::catalog::Texts;
use super::{Notice, PhaseNotice};
use crate::clock::Wall;
use crate::id::Id;

/// Tells SDKs that this is a closure and not a failure. A tag URI (RFC 4151): there is nothing to
/// fetch.
const CLOSED: &str = "tag:intermission,2026:closed";

/// RFC 9457, with what a program needs to come back at the right time.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: String,
    status: u16,
    detail: String,
    window: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    maintenance: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<&'a PhaseNotice>,
    #[serde(skip_serializing_if = "str::is_empty")]
    impact: &'a str,
    state: &'static str,
    scope: Scope<'a>,
    mode: &'static str,
    started_at: String,
    ends_at: Option<String>,
    saved: bool,
}

#[derive(Serialize)]
struct Scope<'a> {
    service: &'a str,
}

/// `application/problem+json`.
pub(super) fn problem(texts: &Texts, notice: &Notice) -> Bytes {
    let problem = Problem {
        r#type: CLOSED,
        title: title(texts, notice),
        status: 503,
        detail: with_end(texts, notice, "problem.detail", "problem.detail_unknown"),
        window: notice.window,
        maintenance: notice.maintenance,
        phase: notice.phase.as_ref(),
        impact: &notice.words.impact,
        state: notice.stage.name(),
        scope: Scope { service: &notice.service },
        mode: if notice.read_only { "read_only" } else { "page" },
        started_at: notice.since.rfc3339(),
        ends_at: notice.until.map(Wall::rfc3339),
        saved: false,
    };
    // A client that guesses types must not take it for HTML; in JSON `<` only stands in strings.
    let json = serde_json::to_string(&problem).unwrap_or_default().replace('<', "\\u003c");
    Bytes::from(json)
}

/// `text/plain`: what is closed, and when it returns.
pub(super) fn text(texts: &Texts, notice: &Notice) -> Bytes {
    let returns = with_end(texts, notice, "problem.returns", "problem.returns_unknown");
    Bytes::from(format!("{}\n{}\n", one_line(&title(texts, notice)), one_line(&returns)))
}

/// `grpc-message`: the same in one line, percent-encoded as the gRPC specification wants it.
pub(super) fn grpc_message(texts: &Texts, notice: &Notice) -> HeaderValue {
    const RESERVED: &AsciiSet = &CONTROLS.add(b'%');
    let returns = with_end(texts, notice, "problem.returns", "problem.returns_unknown");
    let message = one_line(&format!("{}. {returns}", title(texts, notice)));
    let encoded = utf8_percent_encode(&message, RESERVED).to_string();
    HeaderValue::from_str(&encoded).unwrap_or(HeaderValue::from_static("unavailable"))
}

fn title(texts: &Texts, notice: &Notice) -> String {
    let key = if notice.read_only { "problem.title_read_only" } else { "problem.title" };
    texts.fill(key, &[("service", &notice.service)])
}

fn with_end(texts: &Texts, notice: &Notice, known: &str, unknown: &str) -> String {
    let service = ("service", notice.service.as_str());
    match notice.until {
        Some(until) => texts.fill(known, &[service, ("time", &texts.when(until))]),
        None => texts.fill(unknown, &[service]),
    }
}

/// Without line breaks and other control characters.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
