//! A client of the admin API: one request, one connection, one answer.

mod events;
mod wire;

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HOST, IF_MATCH};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::Runtime;

use self::wire::{Body, Place};
use super::{Fault, Reach, text};

/// Speaks to one admin API.
pub(super) struct Client {
    url: String,
    place: Place,
    token: Option<String>,
    runtime: Runtime,
    json: bool,
}

/// What the API answered.
pub(super) struct Answer {
    /// The version of what was answered, as `If-Match` takes it.
    pub(super) etag: Option<String>,
    /// Its JSON; null if it is none.
    pub(super) body: Value,
}

/// One event of `/api/v1/events`.
pub(super) struct Event {
    pub(super) kind: String,
    /// By which a stream goes on after it.
    pub(super) id: String,
    pub(super) data: Value,
}

/// A whole exchange. A switch takes milliseconds; reading a large config may take seconds.
const DEADLINE: Duration = Duration::from_secs(60);
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Pages of one list that are read, a thousand rows each. Over it: `next` says that there is more.
const PAGES_MAX: usize = 100;

impl Client {
    /// A client of the API that the command line names.
    pub(super) fn new(reach: &Reach) -> Result<Self, Fault> {
        let target = reach.target()?;
        let place = Place::of(&target)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Fault::Failed(format!("no runtime: {error}")))?;
        Ok(Self { url: target.url, place, token: target.token, runtime, json: reach.json })
    }

    /// Reads.
    pub(super) fn get(&self, path: &str) -> Result<Value, Fault> {
        Ok(self.ask(Method::GET, path, None, None)?.body)
    }

    /// Reads a list to its end, page by page.
    pub(super) fn all(&self, path: &str) -> Result<Value, Fault> {
        let first = format!("{path}{}limit=1000", if path.contains('?') { '&' } else { '?' });
        let mut whole = self.get(&first)?;
        for _ in 1..PAGES_MAX {
            let Some(next) = whole["next"].as_str() else { break };
            let mut page = self.get(&format!("{first}&after={}", text::escaped(next)))?;
            if let (Some(items), Some(more)) =
                (whole["items"].as_array_mut(), page["items"].as_array_mut())
            {
                items.append(more);
            }
            whole["next"] = page["next"].take();
        }
        Ok(whole)
    }

    /// Reads, and tells the version that was read.
    pub(super) fn look(&self, path: &str) -> Result<Answer, Fault> {
        self.ask(Method::GET, path, None, None)
    }

    /// Acts.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        Ok(self.ask(Method::POST, path, Some(body), None)?.body)
    }

    /// Puts something in the place of the version that was read.
    pub(super) fn put(&self, path: &str, body: &Value, etag: &str) -> Result<Value, Fault> {
        Ok(self.ask(Method::PUT, path, Some(body), Some(etag))?.body)
    }

    /// Takes away.
    pub(super) fn delete(&self, path: &str) -> Result<Value, Fault> {
        Ok(self.ask(Method::DELETE, path, None, None)?.body)
    }

    /// Reads text, such as a report.
    pub(super) fn text(&self, path: &str, kind: &str) -> Result<String, Fault> {
        let request = self.request(Method::GET, path, kind, None, None)?;
        let (head, bytes) = self.exchange(request)?;
        if head.status.is_success() {
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        Err(self.refused(head.status, &serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// Tells each event of a stream, from the one after `last` on, until `each` says that it is
    /// enough (false), or it ends.
    pub(super) fn follow(
        &self,
        path: &str,
        last: Option<&str>,
        mut each: impl FnMut(Event) -> bool,
    ) -> Result<(), Fault> {
        let mut request = self.request(Method::GET, path, "text/event-stream", None, None)?;
        if let Some(last) = last {
            let last = last.parse().map_err(|_| Fault::Usage("no id of an event".to_owned()))?;
            request.headers_mut().insert("last-event-id", last);
        }
        let done = self.runtime.block_on(async {
            let (head, mut body) = self.place.send(request).await?.into_parts();
            if !head.status.is_success() {
                let bytes = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
                let bytes = bytes.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                return Ok(Err((head.status, bytes)));
            }
            let mut events = events::Events::default();
            while let Some(piece) = next(&mut body).await? {
                if !events.read(&piece, &mut each)? {
                    break;
                }
            }
            Ok(Ok(()))
        });
        match done.map_err(|why: String| self.unreachable(&why))? {
            Ok(()) => Ok(()),
            Err((status, bytes)) => {
                Err(self.refused(status, &serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
            }
        }
    }

    fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        version: Option<&str>,
    ) -> Result<Answer, Fault> {
        let request = self.request(method, path, "application/json", body, version)?;
        let (head, bytes) = self.exchange(request)?;
        let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if head.status == StatusCode::ACCEPTED {
            return Err(self.pending(&body));
        }
        if !head.status.is_success() {
            return Err(self.refused(head.status, &body));
        }
        let etag = head.headers.get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        Ok(Answer { etag, body })
    }

    fn exchange(&self, request: Request<Body>) -> Result<(http::response::Parts, Bytes), Fault> {
        let exchange = async {
            let (head, body) = self.place.send(request).await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            Ok((head, body.map_err(|error| error.to_string())?.to_bytes()))
        };
        let answer =
            self.runtime.block_on(async { tokio::time::timeout(DEADLINE, exchange).await });
        let late = |_| Err(format!("no answer within {} seconds", DEADLINE.as_secs()));
        answer.unwrap_or_else(late).map_err(|why| self.unreachable(&why))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Option<&Value>,
        version: Option<&str>,
    ) -> Result<Request<Body>, Fault> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.place.authority())
            .header(ACCEPT, kind);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.trim()));
        }
        if let Some(version) = version {
            request = request.header(IF_MATCH, version);
        }
        let body = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                body.to_string()
            }
            None => String::new(),
        };
        let unusable =
            |_| Fault::Usage("the path or the token has a character that none has".to_owned());
        request.body(Full::from(body)).map_err(unusable)
    }

    fn unreachable(&self, why: &str) -> Fault {
        let Self { url, .. } = self;
        Fault::Unreachable(format!(
            "the admin API at {url} cannot be reached: {why}. Is `intermission serve` running? \
             INTERMISSION_SERVER or --server says where"
        ))
    }

    /// It asks for a second operator: nothing was done.
    fn pending(&self, body: &Value) -> Fault {
        if self.json {
            anstream::println!("{body:#}");
        }
        let id = body["approval"]["id"].as_str().unwrap_or("ID");
        Fault::Pending(format!(
            "nothing is done yet: another operator has to approve it, by \
             `intermission approve {id}`"
        ))
    }

    fn refused(&self, status: StatusCode, problem: &Value) -> Fault {
        if status == StatusCode::UNAUTHORIZED {
            let given = if self.token.is_some() { "was not accepted" } else { "is missing" };
            return Fault::NotAllowed(format!(
                "the token {given}: set INTERMISSION_TOKEN to one whose hash is in the config's \
                 [[admin.token]] (`intermission token new --name you` makes one)"
            ));
        }
        let message = told(status, problem);
        match status {
            StatusCode::FORBIDDEN => Fault::NotAllowed(message),
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Fault::Usage(message),
            StatusCode::SERVICE_UNAVAILABLE => Fault::Unreachable(message),
            _ => Fault::Failed(message),
        }
    }
}

/// What a problem says, with each of its parts on a line.
fn told(status: StatusCode, problem: &Value) -> String {
    let detail = problem.get("detail").and_then(Value::as_str);
    let mut message = detail.map_or_else(|| format!("answered {status}"), str::to_owned);
    if let Some(field) = problem.get("field").and_then(Value::as_str) {
        let _ = write!(message, " ({field})");
    }
    for one in problem.get("problems").and_then(Value::as_array).into_iter().flatten() {
        let text = |name| one.get(name).and_then(Value::as_str).unwrap_or_default();
        let place = match one.get("line").and_then(Value::as_u64) {
            Some(line) => format!("line {line}"),
            None => text("field").to_owned(),
        };
        let _ = write!(message, "\n  {place}: {}", text("what"));
        if !text("help").is_empty() {
            let _ = write!(message, "; {}", text("help"));
        }
    }
    message
}

/// The next piece of a body; none at its end.
async fn next(body: &mut hyper::body::Incoming) -> Result<Option<Bytes>, String> {
    while let Some(frame) = body.frame().await {
        // Trailers tell nothing here.
        if let Ok(data) = frame.map_err(|error| error.to_string())?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// What the API answered, as the type that a command wants.
pub(super) fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Fault> {
    serde_json::from_value(answer).map_err(|error| {
        Fault::Failed(format!("the admin API answered what this command cannot read: {error}"))
    })
}
