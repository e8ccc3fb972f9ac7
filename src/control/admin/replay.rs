//! `Idempotency-Key`: a request that is repeated, since its answer was lost, is answered again and
//! not carried out again.
//!
//! The key is taken, durably, before anything is done. So a process that ends in between leaves a
//! key without an answer: a repetition is told so, and never does the same thing twice.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

use super::gate::Operator;
use super::problem::Problem;
use super::{Admin, body};
use crate::digest::{self, Hash};
use crate::grant::reply::{Answer, Reply};
use crate::limit;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The member of an answer that is shown once and kept nowhere.
const SECRET: &str = "secret";
/// Members beside it that show it in other clothes.
const CLOTHES: [&str; 3] = ["link", "cookie", "header"];

/// What may be kept of an answer: all but its secrets.
pub(super) fn without_secrets(body: &Bytes) -> Bytes {
    let Ok(mut value) = serde_json::from_slice(body) else { return body.clone() };
    if hide(&mut value) { Bytes::from(value.to_string()) } else { body.clone() }
}

/// Puts null in the place of secrets; false if there is none.
fn hide(value: &mut Value) -> bool {
    let mut hidden = false;
    match value {
        Value::Object(members) => {
            if members.get(SECRET).is_some_and(Value::is_string) {
                hidden = true;
                for name in CLOTHES.into_iter().chain([SECRET]) {
                    members.get_mut(name).map(Value::take);
                }
            }
            members.values_mut().for_each(|value| hidden |= hide(value));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hidden |= hide(item)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    hidden
}

/// Answers a repeated request, or lets a new one pass and keeps its answer.
pub(super) async fn once(
    State(admin): State<Arc<Admin>>,
    operator: Option<Extension<Operator>>,
    request: Request,
    next: Next,
) -> Response {
    let has_key = request.headers().contains_key(IDEMPOTENCY_KEY);
    let Some(Extension(operator)) = operator.filter(|_| has_key) else {
        return next.run(request).await;
    };
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    match carry_out(&admin, &operator, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn carry_out(
    admin: &Admin,
    operator: &Operator,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let key = key(request.headers(), operator)?;
    let (head, body) = request.into_parts();
    let body = body::read(body).await?;
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let asked = [head.method.as_str().as_bytes(), b"\0", target.as_bytes(), b"\0", &body];
    let asked = digest::sha256(&asked.concat());
    let Some(_held) = admin.door.under_way.enter(key) else {
        let detail = "the first request with this key is being carried out";
        return Err(Problem::new(StatusCode::CONFLICT, "in_progress", detail)
            .header(RETRY_AFTER, HeaderValue::from_static("1")));
    };
    let now = admin.clock.now();
    let known = admin.store.reply(key).await?;
    if let Some(known) = known.filter(|known| now < known.not_after) {
        return again(known, asked);
    }
    let not_after = now.plus(limit::REPLY_KEPT);
    let begun = Reply { key, asked, at: now, not_after, answer: None };
    admin.store.keep_reply(begun.clone()).await?;
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    if !response.status().is_success() {
        // Nothing was done, so that it may be tried again. If this fails, the repetition is told
        // that nobody knows, which is safe.
        if let Err(error) = admin.store.drop_reply(key).await {
            tracing::warn!(%error, "an Idempotency-Key stays taken for a request that was refused");
        }
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let body = whole(body).await;
    let kept = without_secrets(&body);
    let answer = Some(Answer {
        status: head.status.as_u16(),
        fields: fields(&head.headers),
        body: kept.to_vec(),
    });
    if let Err(error) = admin.store.keep_reply(Reply { answer, ..begun }).await {
        tracing::warn!(%error, "the answer to a creation was not kept for its Idempotency-Key");
    }
    Ok(Response::from_parts(head, Body::from(body)))
}

/// A body of our own, which is in memory already.
pub(super) async fn whole(body: Body) -> Bytes {
    axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default()
}

/// What a key stands for: two operators may choose the same one.
fn key(headers: &HeaderMap, operator: &Operator) -> Result<Hash, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let key = keys.next().map(HeaderValue::as_bytes).unwrap_or_default();
    let fits = (1..=limit::IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len());
    if keys.next().is_some() || !fits || !key.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        let most = limit::IDEMPOTENCY_KEY_BYTES_MAX;
        let detail = format!("one key of 1 to {most} printable ASCII characters is wanted");
        return Err(Problem::field("Idempotency-Key", detail));
    }
    Ok(digest::sha256(&[operator.name.as_bytes(), b"\0", key].concat()))
}

/// The answer to a repetition.
fn again(known: Reply, asked: Hash) -> Result<Response, Problem> {
    if known.asked != asked {
        let detail = "this Idempotency-Key came with another request before; choose a new one";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", detail));
    }
    let Some(answer) = known.answer else {
        let detail = "the process ended while the first request with this key was carried out, \
                      and it is not known whether it was: look, then ask again with a new key";
        return Err(Problem::new(StatusCode::CONFLICT, "outcome_unknown", detail));
    };
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in answer.fields {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

/// The fields that a repetition is told too.
fn fields(headers: &HeaderMap) -> Vec<(String, String)> {
    let told = [CONTENT_TYPE, ETAG, LOCATION].into_iter();
    let told = told.filter_map(|name| {
        let value = headers.get(&name)?.to_str().ok()?.to_owned();
        Some((name.as_str().to_owned(), value))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_kept_nowhere_in_whatever_clothes() {
        let told = r#"{"bypass":{"id":"1"},"secret":"s","link":"https://x/?s","cookie":"s"}"#;
        let kept = without_secrets(&Bytes::from(told));
        assert_eq!(kept, r#"{"bypass":{"id":"1"},"cookie":null,"link":null,"secret":null}"#);
        let nested = without_secrets(&Bytes::from(r#"[{"token":{"secret":"s"}}]"#));
        assert_eq!(nested, r#"[{"token":{"secret":null}}]"#);
        let report = Bytes::from(r#"{"aftermath":{"link":"https://report"}}"#);
        assert_eq!(without_secrets(&report), report);
    }
}
