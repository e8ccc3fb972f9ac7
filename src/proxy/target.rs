//! What an HTTP/1 request is addressed to: an absolute target takes the place of `Host`, and a
//! request that names no host is for the address it came to.

use http::header::{ALLOW, HOST, HeaderName};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};

use super::answer::Reply;
use super::body::Body;
use super::head::{self, Bad, MALFORMED};
use super::lane::{Kind, Lane};
use crate::addr::canonical_host;

const MAX_FORWARDS: HeaderName = HeaderName::from_static("max-forwards");

/// Makes `Host` name what the request is for, so that nobody behind this reads another.
///
/// The host of an absolute target counts, whatever `Host` says (RFC 9112 §3.2.2); `Host` must be
/// there and valid all the same. HTTP/1.0 knows requests without one, such as a balancer's check:
/// they are for the address that was connected to (RFC 9112 §3.3).
pub(super) fn settle<B>(lane: &Lane, request: &mut Request<B>) -> Result<(), Bad> {
    match lane.kind {
        Kind::Http2 => return Ok(()),
        Kind::Http1 => {}
    }
    match (request.uri().authority(), request.headers().contains_key(HOST)) {
        (None, true) => Ok(()),
        (None, false) if request.version() == Version::HTTP_10 => {
            let host = lane.link.destination.to_string();
            let host = HeaderValue::from_str(&host).map_err(|_| MALFORMED)?;
            request.headers_mut().insert(HOST, host);
            Ok(())
        }
        (None, false) => Err(MALFORMED),
        // It is refused, and its authority is no host to begin with.
        (Some(_), _) if *request.method() == Method::CONNECT => Ok(()),
        (Some(_), _) => absolute(request),
    }
}

fn absolute<B>(request: &mut Request<B>) -> Result<(), Bad> {
    let known = |scheme: &Scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS;
    if !request.uri().scheme().is_some_and(known) {
        return Err(MALFORMED);
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let valid = |host: &HeaderValue| {
        let host = host.to_str().ok();
        host.is_some_and(|host| canonical_host(host, &mut String::new()).is_ok())
    };
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if valid(host) => {}
        (None, _) if request.version() == Version::HTTP_10 => {}
        (None | Some(_), _) => return Err(MALFORMED),
    }
    let authority = request.uri().authority().map_or("", |authority| authority.as_str());
    let same = |host: &HeaderValue| host.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
    if !request.headers().get(HOST).is_some_and(same) {
        let host = HeaderValue::from_str(authority).map_err(|_| MALFORMED)?;
        request.headers_mut().insert(HOST, host);
    }
    Ok(())
}

/// Whether a target of `https` came over a connection that nobody says is secured: it must not be
/// answered as if it had (RFC 9110 §7.4).
pub(super) fn is_misdirected<B>(lane: &Lane, scheme: head::Scheme, request: &Request<B>) -> bool {
    let secured = request.uri().scheme() == Some(&Scheme::HTTPS);
    lane.kind == Kind::Http1 && secured && scheme == head::Scheme::Http
}

/// Takes one off `Max-Forwards`; the answer, if nobody behind this is meant (RFC 9110 §7.6.2).
/// `TRACE` is refused before it comes to that.
pub(super) fn last_hop(method: &Method, headers: &mut HeaderMap) -> Option<Reply> {
    if *method != Method::OPTIONS {
        return None;
    }
    let left: u64 = headers.get(MAX_FORWARDS)?.to_str().ok()?.parse().ok()?;
    match left.checked_sub(1) {
        Some(left) => {
            headers.insert(MAX_FORWARDS, HeaderValue::from(left));
            None
        }
        None => {
            let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
            Some(Reply::new(StatusCode::OK, Body::empty()).with(ALLOW, methods))
        }
    }
}
