//! Who gets in: the Host and Origin of a request against browsers that were tricked, its token,
//! certificate or user against everybody else.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONNECTION, HOST, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER};
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode};

use super::Admin;
pub(super) use super::operator::Operator;
use super::operator::Whence;
use super::problem::Problem;
use crate::config::AdminRules;
use crate::digest;
use crate::grant::Role;
use crate::grant::token::LOCAL_USER;
use crate::window::scope::Scope;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who is at the other end of a connection, as far as the connection tells.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Where they are.
    pub(super) from: Whence,
    /// DNS names of the certificate that they have shown.
    pub(super) certificate: Arc<[String]>,
    /// The user of this machine that they are, if that is one who could read everything anyway.
    pub(super) local: Option<u32>,
}

/// What an open door is for: answers that hold nothing worth stealing.
fn is_probe(path: &str) -> bool {
    matches!(path, "/health" | "/ready")
}

/// Whether a request changes nothing.
pub(super) fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Lets a request pass, or answers it.
pub(super) async fn pass(
    State(admin): State<Arc<Admin>>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if !is_probe(path)
        && let Err(problem) = same_site(&request, &admin.rules)
    {
        return problem.into_response();
    }
    if path == "/metrics" || is_probe(path) {
        return next.run(request).await;
    }
    let Some(operator) = identify(&admin, &request) else {
        return refuse(&admin, &request).into_response();
    };
    let changes = !reads(request.method());
    request.extensions_mut().insert(operator);
    if !changes {
        return next.run(request).await;
    }
    // CANCEL: a caller that goes away does not stop what was begun half-way: it is carried out,
    // and stands in the audit.
    let done = tokio::spawn(next.run(request)).await;
    done.unwrap_or_else(|_| Problem::broken_off().into_response())
}

/// Who asks. What a request presents itself counts before what its connection tells.
fn identify(admin: &Admin, request: &Request) -> Option<Operator> {
    let caller = request.extensions().get::<Caller>()?;
    let rules = &admin.rules;
    let is = |name: &str, role: Role, scope: &Scope| Operator {
        name: name.to_owned(),
        role,
        scope: scope.clone(),
        from: caller.from,
        approvals: Arc::clone(&admin.door.approvals),
        approved: None,
    };
    if request.headers().contains_key(AUTHORIZATION) {
        let hash = digest::sha256(bearer(request.headers())?);
        // Every known one is compared, each in constant time.
        let declared = rules.tokens.iter().fold(None, |found, token| {
            let same = token.sha256.is_some_and(|known| digest::same(&hash, &known));
            if same { Some(is(&token.name, token.role, &token.scope)) } else { found }
        });
        let made = admin.door.tokens.find(&hash, admin.clock.now());
        let made = made.map(|token| is(&token.name, token.role, &token.scope));
        return declared.or(made);
    }
    let shown = |name: &String| caller.certificate.contains(name);
    let known = rules.tokens.iter().find(|token| token.certificate.as_ref().is_some_and(shown));
    let known = known.map(|token| is(&token.name, token.role, &token.scope));
    let local = || {
        let name = format!("{LOCAL_USER}{}", caller.local?);
        Some(is(&name, Role::Admin, &Scope::default()))
    };
    known.or_else(local)
}

/// A right token works from every address at any time, so nobody can lock the operators out by
/// being refused in their place. What guards against guessing is that a token has 256 random bits;
/// the count keeps the noise down and makes it seen.
fn refuse(admin: &Admin, request: &Request) -> Problem {
    let from = request.extensions().get::<Caller>().map(|caller| caller.from);
    let Some(Whence::Address(peer)) = from else { return Problem::unauthorized() };
    let Some(again) = admin.door.refusals.count(peer, admin.clock.tick()) else {
        tracing::warn!(%peer, path = request.uri().path(), "a token was refused");
        return Problem::unauthorized();
    };
    let detail = "too many refused tokens from this address; a right one works at any time";
    let again = again.max(Duration::from_secs(1)).as_secs();
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_refusals", detail)
        .header(RETRY_AFTER, HeaderValue::from(again))
        .header(CONNECTION, HeaderValue::from_static("close"))
}

/// What follows `Bearer` (RFC 6750 §2.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, presented) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| presented.trim_ascii())
}

/// The Host is one of ours (a name that an attacker let point here is not), and a page of another
/// origin has not sent this.
fn same_site(request: &Request, rules: &AdminRules) -> Result<(), Problem> {
    let host = authority(request);
    let Some(host) = host.filter(|host| is_ours(host, rules)) else {
        let detail = "this Host is not the admin API's; name it in admin.hosts if it should be";
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "foreign_host", detail));
    };
    let foreign = || {
        let detail = "a page of another origin may not use the admin API";
        Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", detail))
    };
    // Browsers say themselves who lets them ask; other clients do not send this.
    let site = request.headers().get(SEC_FETCH_SITE);
    let own = |site: &HeaderValue| matches!(site.as_bytes(), b"same-origin" | b"none");
    if !reads(request.method()) && !site.is_none_or(own) {
        return foreign();
    }
    let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
    let scheme = if rules.tls.is_some() { "https://" } else { "http://" };
    let origin = origin.to_str().ok();
    // TLS may also end in front of us.
    let own = origin
        .and_then(|origin| origin.strip_prefix(scheme).or_else(|| origin.strip_prefix("https://")));
    if own.is_some_and(|own| own.eq_ignore_ascii_case(host.as_str())) {
        return Ok(());
    }
    foreign()
}

fn authority(request: &Request) -> Option<Authority> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    if hosts.next().is_some() {
        return None;
    }
    let host: Authority = host.parse().ok()?;
    match request.uri().authority() {
        Some(target) if *target != host => None,
        Some(_) | None => Some(host),
    }
}

fn is_ours(host: &Authority, rules: &AdminRules) -> bool {
    let (whole, host) = (host.as_str(), host.host());
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let bare = bare.strip_suffix('.').unwrap_or(bare);
    if let Ok(address) = bare.parse::<IpAddr>() {
        let listen = rules.listen.ip();
        // An address cannot be pointed elsewhere, so any will do for a listener on all of them.
        return address.is_loopback() || address == listen || listen.is_unspecified();
    }
    bare.eq_ignore_ascii_case("localhost")
        || rules
            .hosts
            .iter()
            .any(|known| bare.eq_ignore_ascii_case(known) || whole.eq_ignore_ascii_case(known))
}
