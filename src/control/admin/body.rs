//! What callers of the admin API send: bodies, times, preconditions, pages of rows.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use http::header::{CONTENT_TYPE, IF_MATCH};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::problem::Problem;
use super::strict::Strict;
use crate::clock::Wall;
use crate::control::command::Expected;
use crate::limit;
use crate::window::plan::{DrainAction, Plan};
use crate::window::scope::{Scope, Selection};
use crate::window::state::{Mode, Order, Texts};

/// A body that must be JSON and have no member that nobody reads. None, or `null`, counts as `{}`.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        json(&head.headers, &read(body).await?, "the body must be application/json").map(Self)
    }
}

/// A text in TOML, or what [`Json`] takes.
pub(super) enum Toml<T> {
    Text(String),
    Else(T),
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Toml<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let bytes = read(body).await?;
        if !is_kind(&head.headers, "application/toml") {
            let wanted = "the body must be application/json or application/toml";
            return json(&head.headers, &bytes, wanted).map(Self::Else);
        }
        let text = String::from_utf8(bytes.to_vec()).map_err(|fault| {
            let at = fault.utf8_error().valid_up_to();
            let line = fault.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            let detail = format!("line {line} is not UTF-8");
            Problem::new(StatusCode::BAD_REQUEST, "broken_body", detail)
        });
        text.map(Self::Text)
    }
}

fn is_kind(headers: &HeaderMap, wanted: &str) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(wanted))
}

fn json<T: DeserializeOwned>(
    headers: &HeaderMap,
    bytes: &[u8],
    wanted: &str,
) -> Result<T, Problem> {
    // The document calls bodies that may be left out `null`.
    if matches!(bytes.trim_ascii(), b"" | b"null") {
        return parse(b"{}");
    }
    if !is_kind(headers, "application/json") {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(status, "not_json", wanted));
    }
    parse(bytes)
}

pub(super) async fn read(body: Body) -> Result<bytes::Bytes, Problem> {
    let read = to_bytes(body, limit::ADMIN_BODY_BYTES_MAX);
    // CANCEL: a body that is too slow is dropped with its connection; nothing was done yet.
    match tokio::time::timeout(limit::ADMIN_BODY_DEADLINE, read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            let source = std::error::Error::source(&error);
            if source.is_some_and(|source| source.is::<http_body_util::LengthLimitError>()) {
                let detail = format!("over {} bytes", limit::ADMIN_BODY_BYTES_MAX);
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail));
            }
            Err(Problem::new(StatusCode::BAD_REQUEST, "broken_body", "the body did not arrive"))
        }
        Err(_) => {
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body took too long"))
        }
    }
}

/// What is no JSON to its end is told as that, whatever else is wrong before; so is what is nested
/// too deeply for anybody to have meant it. Every body is an object.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let whole =
        serde_json::from_slice::<serde_json::Value>(bytes).map_err(|error| broken(&error))?;
    if !whole.is_object() {
        return Err(Problem::field("", "the body must be a JSON object"));
    }
    let at_field = |error: serde_path_to_error::Error<serde_json::Error>| {
        let field = error.path().to_string();
        Problem::field(&field, error.into_inner().to_string())
    };
    serde_path_to_error::deserialize::<_, T>(Strict(&whole)).map_err(at_field)?;
    // Once more from the text: of two members of one name, the value has only the last.
    let mut json = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut json).map_err(at_field)
}

fn broken(error: &serde_json::Error) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "broken_json", error.to_string())
        .with("line", error.line())
        .with("column", error.column())
}

/// A duration as people write it: `15m`, `1h 30m`, `2d`.
#[derive(Clone, Copy, Debug, ToSchema)]
#[schema(value_type = String, example = "15m")]
pub(super) struct Span(pub(super) Duration);

impl Span {
    /// The duration.
    pub(super) const fn duration(self) -> Duration {
        self.0
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let span: jiff::Span = text.parse().map_err(|_| {
            serde::de::Error::custom(format!(
                "\"{text}\" is no duration; write 90s, 15m, 1h 30m, 2d"
            ))
        })?;
        let duration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours());
        let duration = duration.ok().and_then(|duration| Duration::try_from(duration).ok());
        let wanted = "a duration that is not negative and has no months is wanted";
        duration.map(Self).ok_or_else(|| serde::de::Error::custom(wanted))
    }
}

/// A member that is there: so that `null` can be told from nothing.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// What to close now.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct On {
    /// Which regions; every one if routes are named alone.
    regions: Option<Selection>,
    /// Which routes; every one if regions are named alone.
    routes: Option<Selection>,
    /// What happens to requests.
    #[serde(default)]
    mode: Mode,
    /// Why, for visitors and the history.
    #[schema(min_length = 1, max_length = 2000, example = "database upgrade")]
    reason: String,
    /// More for visitors.
    #[serde(default)]
    #[schema(max_length = 2000)]
    message: String,
    /// Whom to ask.
    #[serde(default)]
    #[schema(max_length = 2000)]
    contact: String,
    /// What to do instead.
    #[serde(default)]
    #[schema(max_length = 2000)]
    alternative: String,
    /// When it will be back, from now on; this or `until`.
    back_in: Option<Span>,
    /// When it will be back.
    until: Option<Wall>,
    /// How long requests in flight may take to finish.
    drain: Option<Span>,
    /// What becomes of those that have not finished by then.
    #[serde(default)]
    drain_action: DrainAction,
    /// Where two operators are needed, an admin may close alone.
    #[serde(default)]
    emergency: bool,
}

impl On {
    /// Whether an admin says that nobody can be waited for.
    pub(super) const fn is_emergency(&self) -> bool {
        self.emergency
    }

    /// What the operator orders; `drain` holds where the order does not say.
    pub(super) fn order(self, drain: Duration, now: Wall) -> Result<Order, Problem> {
        let scope = scope(self.regions, self.routes)?;
        let drain = self.drain.map_or(drain, |drain| drain.0);
        if drain > limit::WINDOW_DRAIN_MAX {
            return Err(Problem::field("drain", "a day is the longest drain"));
        }
        let reason = text("reason", &self.reason)?;
        if reason.is_empty() {
            return Err(Problem::field("reason", "say why: visitors and the history are told"));
        }
        let texts = Texts {
            reason,
            message: text("message", &self.message)?,
            contact: text("contact", &self.contact)?,
            alternative: text("alternative", &self.alternative)?,
            ..Texts::default()
        };
        let promised_end = promise(self.back_in, self.until, now)?;
        let plan = Plan { drain_action: self.drain_action, ..Plan::draining(drain) };
        Ok(Order { scope, mode: self.mode, texts, promised_end, plan })
    }
}

/// What to reopen.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Off {
    /// Which regions; every one if routes are named alone.
    regions: Option<Selection>,
    /// Which routes; every one if regions are named alone.
    routes: Option<Selection>,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 2000)]
    reason: String,
}

impl Off {
    /// What reopens, and why.
    pub(super) fn scope(self) -> Result<(Scope, String), Problem> {
        let why = text("reason", &self.reason)?;
        Ok((scope(self.regions, self.routes)?, why))
    }
}

/// Why, and nothing else.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Because {
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 2000)]
    reason: String,
}

impl Because {
    /// Why.
    pub(super) fn why(self) -> Result<String, Problem> {
        text("reason", &self.reason)
    }
}

/// Another promise. `"until": null` says that nobody knows.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Extend {
    /// When it will be back, from now on; this or `until`.
    back_in: Option<Span>,
    /// When it will be back; null if nobody knows.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Wall>)]
    until: Option<Option<Wall>>,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 2000)]
    reason: String,
}

impl Extend {
    /// The new promise, and why.
    pub(super) fn promise(self, now: Wall) -> Result<(Option<Wall>, String), Problem> {
        let why = text("reason", &self.reason)?;
        match (self.back_in, self.until) {
            (None, None) => {
                let detail = "say until when, or in how long (back_in); null if nobody knows";
                Err(Problem::field("until", detail))
            }
            (None, Some(None)) => Ok((None, why)),
            (back_in, until) => Ok((promise(back_in, until.flatten(), now)?, why)),
        }
    }
}

/// Both left out would close or reopen everything, which must be said in so many words.
fn scope(regions: Option<Selection>, routes: Option<Selection>) -> Result<Scope, Problem> {
    if regions.is_none() && routes.is_none() {
        let detail = "name regions or routes, or say \"regions\": \"all\" for the whole site";
        return Err(Problem::field("regions", detail));
    }
    Ok(Scope {
        regions: regions.unwrap_or_default(),
        routes: routes.unwrap_or_default(),
        ..Scope::default()
    })
}

fn promise(back_in: Option<Span>, until: Option<Wall>, now: Wall) -> Result<Option<Wall>, Problem> {
    match (back_in, until) {
        (Some(_), Some(_)) => Err(Problem::field("back_in", "give back_in or until, not both")),
        (Some(back_in), None) => Ok(Some(now.plus(back_in.0))),
        (None, Some(until)) if until <= now => {
            Err(Problem::field("until", format!("{until} has passed; it is {now} here")))
        }
        (None, until) => Ok(until),
    }
}

/// An operator's text: of bounded length, without control characters other than line ends.
pub(super) fn text(field: &'static str, given: &str) -> Result<String, Problem> {
    let count = given.chars().count();
    if count > limit::OPERATOR_TEXT_CHARS_MAX {
        let most = limit::OPERATOR_TEXT_CHARS_MAX;
        return Err(Problem::field(field, format!("{count} characters; {most} are the most")));
    }
    if given.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Problem::field(field, "it has a control character"));
    }
    Ok(given.trim().to_owned())
}

/// Whoever replaces a whole must say which one they have read, or `*` that they do not care:
/// otherwise what somebody else wrote meanwhile would be lost unseen (RFC 6585 §3).
pub(super) fn wants_if_match(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(IF_MATCH) {
        return Ok(());
    }
    let detail = "say If-Match with the ETag that you have read, or * if any will do";
    Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "if_match_wanted", detail))
}

/// `If-Match: "3"`: act only if what is changed is still at the version that was read.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Expected, Problem> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(Expected::Any) };
    let value = value.to_str().unwrap_or_default().trim();
    if value == "*" {
        return Ok(Expected::Any);
    }
    let version = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    version.and_then(|version| version.parse().ok()).map(Expected::Version).ok_or_else(|| {
        let detail = "If-Match takes one ETag as it was given, such as \"3\"";
        Problem::new(StatusCode::BAD_REQUEST, "bad_if_match", detail)
    })
}
