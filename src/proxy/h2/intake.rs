//! Makes a request of HTTP/2 look as one of HTTP/1.1 does to whoever judges it: one place for what
//! the two say differently.

use http::header::{COOKIE, Entry, HOST};
use http::{HeaderMap, HeaderValue, request};

/// A field that RFC 9113 §8 wants refused and the library lets pass.
pub(super) struct Malformed;

/// Names the host in `Host` and joins the crumbs of a cookie.
pub(super) fn fit(parts: &mut request::Parts) -> Result<(), Malformed> {
    if parts.headers.values().any(is_padded) || !has_path(parts) {
        return Err(Malformed);
    }
    // A `Host` beside `:authority` stays: whether the two agree is judged with the head.
    if let Some(authority) = parts.uri.authority()
        && !parts.headers.contains_key(HOST)
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(HOST, host);
    }
    join_cookies(&mut parts.headers);
    Ok(())
}

/// Whether the target is a path that begins with a slash, or `*` (RFC 9113 §8.3.1). CONNECT has
/// none of its own.
fn has_path(parts: &request::Parts) -> bool {
    let target = parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str);
    target.is_none_or(|target| target.starts_with('/') || target == "*")
}

/// Whether blanks surround a value: another parser behind us might take them away.
fn is_padded(value: &HeaderValue) -> bool {
    let blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let bytes = value.as_bytes();
    bytes.first().is_some_and(blank) || bytes.last().is_some_and(blank)
}

/// Browsers send each pair of a cookie in a field of its own (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let Entry::Occupied(mut cookies) = headers.entry(COOKIE) else { return };
    if cookies.iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = cookies.iter().map(HeaderValue::as_bytes).collect();
    let joined = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]));
    // Pieces of values, and what joins them, make a value again.
    if let Ok(joined) = joined {
        cookies.insert(joined);
    }
}
