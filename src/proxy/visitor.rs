//! A visitor as the data plane sees one: the cookie that opens what was kept, and small posts.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use http_body::Body as _;

use super::body::Upload;
use super::deadline::Wait;
use super::head::Scheme;
use super::lane::Lane;
use super::wire::Fault;
use crate::digest::{self, Hash};
use crate::limit;
use crate::snapshot::FormPolicy;
use crate::telemetry::end::End;
use crate::vault::Owner;
use crate::vault::capture::Record;

/// The browser that sends a request, if it has a cookie of ours.
pub(super) fn owner(lane: &Lane, headers: &HeaderMap, scheme: Scheme) -> Option<Owner> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let ours = pairs.flat_map(|pairs| pairs.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == scheme.cookie()).then_some(value)
    });
    // A subdomain may have planted another of the same name: the first that is one of ours counts.
    ours.filter_map(|value| lane.link.worker.vault.owner(value)).next()
}

/// Who is signed in, as far as the route's cookies tell.
pub(super) fn signed_in(
    headers: &HeaderMap,
    owner: &Owner,
    policy: &FormPolicy,
) -> Vec<(String, Hash)> {
    let mark = |name: &String| (name.clone(), owner.mark_of(name, cookie(headers, name)));
    policy.session_cookies.iter().map(mark).collect()
}

/// Whether somebody else is signed in than when a form was kept. A cookie that is not here tells
/// nothing: it may be for other paths than this one.
pub(super) fn is_another(headers: &HeaderMap, owner: &Owner, record: &Record) -> bool {
    record.signed_in.iter().any(|(name, mark)| {
        let now = cookie(headers, name);
        now.is_some() && !digest::same(&owner.mark_of(name, now), mark)
    })
}

/// The first cookie of this name.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    pairs.flat_map(|pairs| pairs.split(';')).find_map(|pair| {
        let (known, value) = pair.trim().split_once('=')?;
        (known == name).then_some(value)
    })
}

/// The `Set-Cookie` that gives a browser its key. It lives as long as the longest submission may,
/// and is renewed with each capture.
pub(super) fn set_cookie(owner: &Owner, scheme: Scheme) -> HeaderValue {
    let secure = match scheme {
        Scheme::Https => "; Secure",
        Scheme::Http => "",
    };
    let life = limit::SUBMISSION_LIFE_MAX.as_secs();
    let (name, value) = (scheme.cookie(), owner.cookie_value());
    let text = zeroize::Zeroizing::new(format!(
        "{name}={}; Path=/; Max-Age={life}; HttpOnly; SameSite=Lax{secure}",
        *value
    ));
    let mut value = HeaderValue::from_str(&text).expect("base64url is visible ASCII");
    value.set_sensitive(true);
    value
}

/// The `Set-Cookie` that has a browser forget its key.
pub(super) fn forget_cookie(scheme: Scheme) -> HeaderValue {
    let secure = match scheme {
        Scheme::Https => "; Secure",
        Scheme::Http => "",
    };
    let name = scheme.cookie();
    let text = format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("our own words are visible ASCII")
}

/// The next piece of a request's body; none at its end.
pub(super) async fn next_piece(lane: &Lane, body: &mut Upload) -> Result<Option<Bytes>, End> {
    let piece = poll_fn(|cx| {
        loop {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => return Poll::Ready(Ok(Some(bytes))),
                    // Trailers of a form mean nothing to anybody.
                    Err(_) => {}
                },
                Poll::Ready(Some(Err(_))) => {
                    let malformed = lane.wire.fault().is_some_and(Fault::is_in_body);
                    let end =
                        if malformed { End::ClientBodyMalformed } else { End::ClientBodyAbort };
                    return Poll::Ready(Err(end));
                }
                Poll::Ready(None) => return Poll::Ready(Ok(None)),
                Poll::Pending if lane.clockwork.passed(Wait::Body) => {
                    return Poll::Ready(Err(End::ClientBodyTimeout));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    // Nobody waits for the client, nor for an upstream, until the next piece is asked for.
    lane.clockwork.clear(Wait::Body);
    lane.clockwork.clear(Wait::Upstream);
    piece
}

/// The whole of a body that is small; a longer one is refused.
pub(super) async fn small_body(lane: &Lane, body: &mut Upload) -> Result<Bytes, End> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = next_piece(lane, body).await? {
        if (bytes.len() + piece.len()) as u64 > limit::TICKET_BODY_BYTES_MAX {
            return Err(End::ClientBodyMalformed);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// The first value of a field in a small form of ours.
pub(super) fn field(form: &[u8], name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(form);
    fields.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}
