//! Who gets in: the Host and Origin of a request against browsers that were tricked, its token
//! against everybody else.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONNECTION, HOST, HeaderValue, ORIGIN, RETRY_AFTER};
use http::uri::Authority;
use http::{HeaderMap, StatusCode};

use super::Admin;
use super::problem::Problem;
use crate::addr::PeerAddr;
use crate::clock::Tick;
use crate::config::{AdminRules, Token};
use crate::digest;
use crate::limit;

/// The name of the token that a request came with.
#[derive(Clone, Debug)]
pub(super) struct Operator(pub(super) String);

/// How often each address was refused in the current minute.
#[derive(Default)]
pub struct Refusals(Mutex<HashMap<IpAddr, Refusal>>);

#[derive(Clone, Copy)]
struct Refusal {
    since: Tick,
    count: u32,
}

const MINUTE: Duration = Duration::from_secs(60);

/// What an open door is for: answers that hold nothing worth stealing.
fn is_probe(path: &str) -> bool {
    matches!(path, "/health" | "/ready")
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
    if path != "/metrics" && !is_probe(path) {
        let operator = match bearer(request.headers(), &admin.rules.tokens) {
            Some(token) => Operator(token.name.clone()),
            None => return refuse(&admin, &request).into_response(),
        };
        request.extensions_mut().insert(operator);
    }
    next.run(request).await
}

/// A right token works from every address at any time, so nobody can lock the operators out by
/// being refused in their place. What guards against guessing is that a token has 256 random bits;
/// the count keeps the noise down and makes it seen.
fn refuse(admin: &Admin, request: &Request) -> Problem {
    let Some(PeerAddr(peer)) = request.extensions().get::<PeerAddr>().copied() else {
        return Problem::unauthorized();
    };
    let count = admin.refusals.count(peer.ip(), admin.clock.tick());
    if count <= limit::ADMIN_REFUSALS_PER_MINUTE_MAX {
        tracing::warn!(peer = %peer.ip(), path = request.uri().path(), "a token was refused");
        return Problem::unauthorized();
    }
    let detail = "too many refused tokens from this address; a right one works at any time";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_refusals", detail)
        .header(RETRY_AFTER, HeaderValue::from_static("60"))
        .header(CONNECTION, HeaderValue::from_static("close"))
}

/// The token that the request presents. Every known one is compared, each in constant time.
fn bearer<'a>(headers: &HeaderMap, tokens: &'a [Token]) -> Option<&'a Token> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, presented) = value.split_at_checked(7)?;
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return None;
    }
    let hash = digest::sha256(presented.trim_ascii());
    tokens.iter().fold(
        None,
        |found, token| {
            if digest::same(&hash, &token.sha256) { Some(token) } else { found }
        },
    )
}

/// The Host is one of ours (a name that an attacker let point here is not), and a page of another
/// origin has not sent this.
fn same_site(request: &Request, rules: &AdminRules) -> Result<(), Problem> {
    let host = authority(request);
    let Some(host) = host.filter(|host| is_ours(host, rules)) else {
        let detail = "this Host is not the admin API's; name it in admin.hosts if it should be";
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "foreign_host", detail));
    };
    let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().ok();
    let own = origin.and_then(|origin| {
        origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))
    });
    if own.is_some_and(|own| own.eq_ignore_ascii_case(host.as_str())) {
        return Ok(());
    }
    let detail = "a page of another origin may not use the admin API";
    Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", detail))
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

impl Refusals {
    /// Counts one more refusal of this address within its current minute.
    fn count(&self, address: IpAddr, now: Tick) -> u32 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= limit::ADMIN_REFUSED_ADDRESSES_MAX {
            all.retain(|_, refusal| now.since(refusal.since) < MINUTE);
        }
        if all.len() >= limit::ADMIN_REFUSED_ADDRESSES_MAX {
            let oldest = all.iter().min_by_key(|(_, refusal)| refusal.since);
            let oldest = oldest.map(|(address, _)| *address);
            oldest.and_then(|oldest| all.remove(&oldest));
        }
        let refusal = all.entry(network(address)).or_insert(Refusal { since: now, count: 0 });
        if now.since(refusal.since) >= MINUTE {
            *refusal = Refusal { since: now, count: 0 };
        }
        refusal.count = refusal.count.saturating_add(1);
        refusal.count
    }
}

/// IPv4 addresses one by one; IPv6 by /64, since one customer has a whole one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
    }
}
