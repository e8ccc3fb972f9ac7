//! What the admin API says when it does not do as asked: `application/problem+json` (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::approvals::Guarded;
use crate::control::Refused;
use crate::store::StoreError;
use crate::window::draft::Fault;
use crate::window::scope::Scope;

/// One refusal.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Box<str>,
    field: Option<Box<str>>,
    problems: Vec<Fault>,
    /// Boxed, so that a refusal is small enough to be returned by value.
    more: Box<Map<String, Value>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    guarded: Option<Box<Guarded>>,
}

impl Problem {
    /// A refusal with a code for programs and a sentence for people.
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into().into(),
            field: None,
            problems: Vec::new(),
            more: Box::default(),
            headers: Vec::new(),
            guarded: None,
        }
    }

    /// A field of the request's body that cannot be taken.
    pub(super) fn field(field: &str, detail: impl Into<String>) -> Self {
        let (field, what): (_, String) = (field.to_owned(), detail.into());
        Self::faults(vec![Fault::new(field, what, String::new())])
    }

    /// Everything that is wrong with the request's body; there is at least one thing.
    pub(super) fn faults(faults: Vec<Fault>) -> Self {
        let first = faults.first();
        let detail = match (first, faults.len()) {
            (Some(first), 1) => first.what.clone(),
            (Some(first), count) => {
                format!("{count} problems; the first, at {}: {}", first.field, first.what)
            }
            (None, _) => String::new(),
        };
        let field = first.map(|first| first.field.clone());
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", detail);
        Self { field: field.map(String::into_boxed_str), problems: faults, ..problem }
    }

    /// Adds a member.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header field.
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Tells the scope that another operator has to approve.
    pub(super) fn guarded(mut self, scope: Scope) -> Self {
        self.guarded = Some(Box::new(Guarded(scope)));
        self
    }

    /// A fault of ours: the request's task is gone.
    pub(super) fn broken_off() -> Self {
        let detail = "this is a fault of Intermission's; the log tells more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "broken_off", detail)
    }

    /// The token is missing or wrong; the same words for both.
    pub(super) fn unauthorized() -> Self {
        let detail = "a token is wanted: Authorization: Bearer <token>";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
            .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"intermission\""))
    }
}

/// The code of a refusal, for what lies around its handler.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code(pub(super) &'static str);

/// A refusal as it is written (RFC 9457 §3). Some have further members, such as `unknown`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody {
    /// `urn:intermission:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// For programs.
    code: &'static str,
    /// For people: what, where, and how to mend it.
    detail: Box<str>,
    /// The field of the body or of the query that is meant, such as `phases[1].ends`.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<Box<str>>,
    /// Everything that is wrong, where there may be more than one thing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Fault>,
    /// What else there is to say.
    #[serde(flatten)]
    #[schema(ignore)]
    more: Map<String, Value>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            kind: format!("urn:intermission:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Refused"),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail,
            field: self.field,
            problems: self.problems,
            more: *self.more,
        };
        let text = serde_json::to_string(&body).unwrap_or_default();
        let mut response = (self.status, text).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response.headers_mut().extend(self.headers);
        response.extensions_mut().insert(Code(self.code));
        if let Some(guarded) = self.guarded {
            response.extensions_mut().insert(*guarded);
        }
        response
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let detail = refused.to_string();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, detail.clone());
        let later = |code| {
            Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail.clone())
                .header(RETRY_AFTER, HeaderValue::from_static("1"))
        };
        match refused {
            Refused::Unknown(names) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_name", &detail)
                    .with("unknown", json!(names))
            }
            Refused::NoWindow(_) => Self::new(StatusCode::NOT_FOUND, "no_such_window", &detail),
            Refused::Illegal(illegal) => {
                conflict("wrong_state").with("state", illegal.state.name())
            }
            Refused::NothingClosed(_) => conflict("nothing_closed"),
            Refused::Broader { window, scope } => conflict("broader_window")
                .with("window", window.to_string())
                .with("scope", json!(scope)),
            Refused::Version { actual, .. } => {
                Self::new(StatusCode::PRECONDITION_FAILED, "changed_meanwhile", &detail)
                    .with("version", actual)
            }
            Refused::NoMaintenance(_) => {
                Self::new(StatusCode::NOT_FOUND, "no_such_maintenance", &detail)
            }
            Refused::MaintenanceVersion { actual, .. } => {
                Self::new(StatusCode::PRECONDITION_FAILED, "changed_meanwhile", &detail)
                    .with("version", actual)
            }
            Refused::Declared { file, .. } => conflict("declared").with("file", file),
            Refused::NoPhases => Self::field("phases", &detail),
            Refused::InForce { window, .. } => {
                conflict("in_force").with("window", window.to_string())
            }
            Refused::NothingToCancel(_) => conflict("nothing_to_cancel"),
            Refused::TooMuch { .. } => conflict("too_much"),
            Refused::NoBypass(_) => Self::new(StatusCode::NOT_FOUND, "no_such_bypass", &detail),
            Refused::Lost => later("lost"),
            Refused::NoServer { .. } => Self::new(StatusCode::NOT_FOUND, "no_such_server", &detail),
            Refused::Posted { actual, .. } => {
                Self::new(StatusCode::PRECONDITION_FAILED, "changed_meanwhile", &detail)
                    .with("version", actual)
            }
            Refused::TooMany(_) => conflict("too_many_windows"),
            Refused::Uncovered(names) => conflict("uncovered").with("unknown", json!(names)),
            Refused::Store(StoreError::Conflict) => conflict("changed_meanwhile"),
            Refused::Store(StoreError::Quota(_) | StoreError::Full | StoreError::Failed(_)) => {
                later("store_failed")
            }
            Refused::Busy => later("busy"),
            Refused::Stopped => later("stopped"),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = format!("the store cannot be read: {error}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_failed", detail)
            .header(RETRY_AFTER, HeaderValue::from_static("1"))
    }
}
