//! What is done with a request: pure, from what governs its place and what its head says.
//!
//! # Precedence
//!
//! 1. Our own endpoints, `/.intermission` and below.
//! 2. CONNECT and TRACE are refused.
//! 3. A load balancer's probe while its scope is closed.
//! 4. What may be a resume ticket, open or closed: it is looked into and, if it is none, judged on.
//!    A program's stands in a field.
//! 5. What came by `http` to a route that leads to `https`, open or closed: the answer there is the
//!    one that counts. Probes and the challenges of certificate authorities are left alone.
//! 6. Open: forwarded, or led where the route leads. A GET comes to this point without a look at
//!    any field.
//! 7. `read_only`: safe methods are as if it were open, unless the request asks for another one in
//!    a field or in the query; so is every method to a path of the allow-list. WebSocket upgrades
//!    are not.
//! 8. `hold`: whoever would be answered by it, or passed by a `read_only` beside it, waits.
//! 9. Closed: a form that may be kept is captured; so is what a program sent that can do with a
//!    promise, where the route keeps for programs; everyone else is answered.

mod allow;
mod claimed;
mod field;
mod form;
mod program;
pub mod retry_after;
pub mod verdict;
mod wants;

use http::{HeaderMap, Method};

pub use claimed::claimed;
pub use form::is_from_elsewhere;
pub use program::{TICKET, prefers_async};
pub use retry_after::retry_after;
pub use verdict::{FormKind, Leads, NotKept, Refusal, Verdict, Wants};
pub use wants::wants;

use crate::window::state::Mode;

/// What governs the place that a request is for.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The mode of the window over it; none if it is open.
    pub closed: Option<Mode>,
    /// By each window of mode `read_only`, the canonical paths that every method passes to.
    pub allow: &'a [Vec<String>],
    /// Whether a window of mode `hold` is over it.
    pub holds: bool,
    /// Canonical paths of load balancers' probes.
    pub probes: &'a [String],
    /// Whether the route keeps forms.
    pub keeps_forms: Keeps,
    /// Which programs it keeps for, if it keeps forms.
    pub accepts: Accepts,
    /// What the route answers itself.
    pub redirects: Redirects,
}

/// What a route answers without an upstream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Redirects {
    /// `http` is led to `https`.
    pub to_https: bool,
    /// Everything is led elsewhere.
    pub elsewhere: bool,
}

/// Whether a route keeps forms while it is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeps {
    /// Eligible ones.
    Forms,
    /// None.
    Nothing,
}

/// Which programs a route keeps for while it is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepts {
    /// None.
    Nothing,
    /// Those that say that they can do with a promise.
    Asked,
    /// All.
    All,
}

/// What a head says.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The method.
    pub method: &'a Method,
    /// `http` or `https`, as the visitor sees it.
    pub scheme: &'a str,
    /// The host and port as the visitor's browser would write them in `Origin`.
    pub authority: &'a str,
    /// The canonical path.
    pub path: &'a str,
    /// What follows the question mark, as it was sent.
    pub query: Option<&'a str>,
    /// The fields.
    pub headers: &'a HeaderMap,
}

/// What is done with a request.
pub fn decide(ground: &Ground, ask: &Ask) -> Verdict {
    if is_own(ask.path) {
        return Verdict::Own;
    }
    let method = ask.method;
    if *method == Method::CONNECT || *method == Method::TRACE {
        return Verdict::Refuse(Refusal::Unsupported);
    }
    if ground.closed.is_some() && is_safe(method) && ground.probes.iter().any(|p| p == ask.path) {
        return Verdict::Probe;
    }
    if *method == Method::POST && form::may_be_ticket(ask) || program::has_ticket(ask) {
        return Verdict::Resume;
    }
    decide_no_ticket(ground, ask)
}

/// What is done with a request that was looked into and is no ticket: the rest of [`decide`].
pub fn decide_no_ticket(ground: &Ground, ask: &Ask) -> Verdict {
    if ground.redirects.to_https && ask.scheme == "http" && !speaks_http(ground, ask.path) {
        return Verdict::Redirect(Leads::ToHttps);
    }
    let open = match ground.redirects.elsewhere {
        true => Verdict::Redirect(Leads::Elsewhere),
        false => Verdict::Forward,
    };
    let passes = match ground.closed {
        None => return open,
        Some(Mode::ReadOnly) => reads(ask) || allow::lets(ground.allow, ask.path),
        Some(Mode::Page | Mode::Hold) => false,
    };
    match (passes, ground.holds, ground.closed) {
        (true, false, _) => open,
        (true, true, _) | (false, _, Some(Mode::Hold)) => Verdict::Hold,
        (false, _, _) => decide_unheld(ground, ask),
    }
}

/// What is done with a request whose place is closed and that cannot wait, or not any longer.
pub fn decide_unheld(ground: &Ground, ask: &Ask) -> Verdict {
    if is_safe(ask.method) {
        return Verdict::Page(wants(ask), None);
    }
    match form::eligible(ground.keeps_forms, ask) {
        Ok(kind) => Verdict::Capture(kind),
        Err(why) => match program::eligible(ground, ask) {
            Some(kind) => Verdict::Accept(kind),
            None => Verdict::Page(wants(ask), Some(why)),
        },
    }
}

/// What a request that is forwarded may be kept as if the application fails; none if it is no form
/// that may be kept.
pub fn catchable(keeps: Keeps, ask: &Ask) -> Option<FormKind> {
    form::eligible(keeps, ask).ok()
}

/// Whether there is evidence that a page of this site made the request, and none against it.
pub fn is_same_origin(ask: &Ask) -> bool {
    form::is_same_origin(ask)
}

/// Whether the canonical path is one of the proxy's own endpoints.
fn is_own(path: &str) -> bool {
    path.strip_prefix("/.intermission").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether who asks for this path cannot follow to `https`: load balancers that look for a 200,
/// and certificate authorities before there is a certificate (RFC 8555 §8.3).
fn speaks_http(ground: &Ground, path: &str) -> bool {
    path.starts_with("/.well-known/acme-challenge/") || ground.probes.iter().any(|p| p == path)
}

/// Whether a request does nothing but read, whatever the application makes of it.
fn reads(ask: &Ask) -> bool {
    is_safe(ask.method)
        && !wants::is_websocket(ask.headers)
        && claimed(ask.headers, ask.query).is_none_or(|method| is_safe(&method))
}

/// Whether the method changes nothing: it passes through `read_only`, and nothing is lost when it
/// is answered with a page.
fn is_safe(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD || *method == Method::OPTIONS
}
