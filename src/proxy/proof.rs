//! Answers that prove to a CA who we are (RFC 8555 §8.3). They come before routes, since a host
//! whose every place is closed needs its certificate all the same.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, StatusCode};

use super::answer::Reply;
use super::body::Body;
use super::head::Judged;

const BELOW: &str = "/.well-known/acme-challenge/";

/// The answer, if this is asked for something that is being proved.
pub(super) fn answer<B>(judged: &Judged, request: &Request<B>) -> Option<Reply> {
    let answers = &judged.site().answers;
    if answers.is_empty() || ![Method::GET, Method::HEAD].contains(request.method()) {
        return None;
    }
    let answer = answers.get(request.uri().path().strip_prefix(BELOW)?)?;
    let kind = HeaderValue::from_static("application/octet-stream");
    let body = Body::full(Bytes::from(answer.clone()));
    Some(Reply::new(StatusCode::OK, body).with(CONTENT_TYPE, kind))
}
