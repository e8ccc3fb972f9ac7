//! From a request's head to a verdict: shape, host, path, place, decision. Nothing is awaited, and
//! nothing is copied unless it is not in canonical form.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::{EXPECT, HOST};
use http::{HeaderValue, Method, Request, StatusCode, Version, request};

use super::admit::{self, Knocking, LetIn};
use super::caller::{Caller, Said};
use super::fields::Fields;
use super::lane::Lane;
use super::target;
use super::trace::Trace;
use super::worker::{Current, Scratch};
use super::{programs, rewrite};
use crate::addr::canonical_host;
use crate::clock::Wall;
use crate::decide::{
    Accepts, Ask, FormKind, Ground, Keeps, Redirects, Refusal, Verdict, catchable, claimed, decide,
    decide_no_ticket, decide_unheld, is_same_origin,
};
use crate::limit;
use crate::pages::PlainKind;
use crate::region::RegionIx;
use crate::route::RouteIx;
use crate::route::path::{self, Canonical};
use crate::snapshot::{Closure, RouteRules, Site, Snapshot, UpstreamIx};
use crate::telemetry::end::End;

/// `http` or `https`, as the visitor's browser sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The name of our cookie on this scheme: browsers take the `__Host-` prefix over TLS only.
    pub(super) const fn cookie(self) -> &'static str {
        match self {
            Self::Http => "intermission",
            Self::Https => "__Host-intermission",
        }
    }

    /// The name of the cookie of who was let in while a place reopens.
    pub(super) const fn admission_cookie(self) -> &'static str {
        match self {
            Self::Http => "intermission-admitted",
            Self::Https => "__Host-intermission-admitted",
        }
    }

    /// The name of the cookie that shows a bypass.
    pub(super) const fn bypass_cookie(self) -> &'static str {
        match self {
            Self::Http => "intermission-bypass",
            Self::Https => "__Host-intermission-bypass",
        }
    }
}

/// A request that was judged.
pub(super) struct Judged {
    pub current: Rc<Current>,
    pub place: Option<(RouteIx, RegionIx)>,
    /// Where it comes from, whether or not it has a place.
    pub region: RegionIx,
    /// What closes the place, if anything.
    pub closure: Option<Arc<Closure>>,
    /// How it came into a closed place; that is judged as if it were open.
    pub let_in: Option<LetIn>,
    /// When it will be let in, if that is known.
    pub turn: Option<Wall>,
    pub verdict: Verdict,
    /// The verdict if it may be a ticket and turns out to be none.
    pub otherwise: Verdict,
    /// The verdict if it is to wait and cannot, or not any longer.
    pub unheld: Verdict,
    /// What it is kept as if it is forwarded and the application fails; none on most routes.
    pub catches: Option<FormKind>,
    pub scheme: Scheme,
    /// The version that it came in.
    pub version: Version,
    /// What a trusted peer says of it; none of a stranger.
    pub said: Option<Box<Said>>,
    pub fields: Fields,
    pub trace: Trace,
}

impl Judged {
    /// What the config says.
    pub(super) fn site(&self) -> &Site {
        &self.current.snapshot.site
    }

    fn placed(&self) -> (RouteIx, RegionIx) {
        self.place.expect("INVARIANT: only `Own` and `Refuse` are decided without a place")
    }

    /// How long the application may take to answer once it has the whole request.
    pub(super) fn answer_timeout(&self) -> Duration {
        let rules = |(route, _)| self.site().rules(route).answer_timeout;
        self.place.map_or(limit::ANSWER_TIMEOUT, rules)
    }

    /// The rules of its route. Only for verdicts that need a place.
    pub(super) fn rules(&self) -> &RouteRules {
        self.site().rules(self.placed().0)
    }

    /// The index of its upstream. Only for verdicts that need a place.
    pub(super) fn upstream_ix(&self) -> UpstreamIx {
        let (route, region) = self.placed();
        self.site().upstream_ix(route, region)
    }
}

/// A head that is not served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bad {
    pub status: StatusCode,
    pub page: PlainKind,
    pub end: End,
}

impl Bad {
    const fn unsupported(status: StatusCode) -> Self {
        Self { status, page: PlainKind::Unsupported, end: End::ClientHeadUnsupported }
    }

    const fn request(end: End) -> Self {
        Self { status: StatusCode::BAD_REQUEST, page: PlainKind::BadRequest, end }
    }
}

/// A head that could be read in two ways, or not at all.
pub(super) const MALFORMED: Bad = Bad::request(End::ClientHeadMalformed);

/// A tunnel to where there is none.
pub(super) const NO_TUNNEL: Bad = Bad::unsupported(StatusCode::NOT_IMPLEMENTED);

/// More fields than [`limit::HEAD_FIELDS_MAX`].
const TOO_MANY_FIELDS: Bad = Bad {
    status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    page: PlainKind::TooLarge,
    end: End::ClientHeadTooLarge,
};

/// Judges a request by one snapshot.
pub(super) fn judge<B>(
    lane: &Lane,
    current: Rc<Current>,
    caller: Caller,
    request: &Request<B>,
) -> Result<Judged, Bad> {
    let host = host_of(request)?;
    if request.headers().len() > limit::HEAD_FIELDS_MAX {
        // In HTTP/1.1, hyper has counted.
        return Err(TOO_MANY_FIELDS);
    }
    let mut scratch = lane.link.worker.scratch.borrow_mut();
    let Scratch { host: host_scratch, path: path_scratch } = &mut *scratch;
    let canonical = canonical_host(host, host_scratch).map_err(|_| MALFORMED)?;
    if lane.link.proved.as_ref().is_some_and(|proved| proved.is_misdirected(canonical)) {
        return Err(Bad::unsupported(StatusCode::MISDIRECTED_REQUEST));
    }
    let path = path_of(request, current.snapshot.site.limits.target_bytes, path_scratch)?;
    let fields = Fields::of(request.headers());
    if fields.any(Fields::EXPECT) {
        check_expectation(lane, request)?;
    }
    let trust = caller.trust();
    let Caller { client, scheme, said } = caller;
    if target::is_misdirected(lane, scheme, request) {
        return Err(Bad::unsupported(StatusCode::MISDIRECTED_REQUEST));
    }
    let snapshot = &current.snapshot;
    let asked = fields.any(Fields::FOREIGN).then(|| admit::asked(snapshot, request.headers()));
    let asked = asked.flatten();
    let found = || snapshot.site.regions.find(canonical, request.headers(), client, trust);
    let region = asked.unwrap_or_else(found);
    let place = snapshot.site.routes.find(canonical, path.path).map(|route| (route, region));
    let now = lane.link.worker.moment();
    let closed = place.and_then(|at| Some(at).zip(governing(snapshot, at, request, now)));
    let closure = closed.map(|(_, closure)| closure);
    let rules = place.map(|(route, _)| snapshot.site.rules(route));
    let mut ground = ground(&snapshot.site, closure, rules);
    let ask = Ask {
        method: request.method(),
        scheme: scheme.name(),
        authority: public_host(said.as_deref()).unwrap_or(host),
        path: path.path,
        query: request.uri().query(),
        headers: request.headers(),
    };
    let mut verdict = decide(&ground, &ask);
    let who = Knocking { client, scheme, method: ask.method.as_str(), headers: ask.headers };
    let (let_in, turn) = admit::open(lane, snapshot, closed, (asked, verdict), &who);
    if let_in.is_some() {
        ground.closed = None;
        verdict = decide(&ground, &ask);
    }
    let (otherwise, unheld, catches) = later(verdict, &ground, &ask, rules);
    let verdict = placed(verdict, rules, path.encoded_slashes);
    let closure = closed.filter(|_| let_in.is_none()).map(|(_, closure)| Arc::clone(closure));
    drop(scratch);
    let trace = Trace::of(fields, request.headers(), &snapshot.site, &lane.link.worker);
    Ok(Judged {
        current,
        place,
        region,
        closure,
        let_in,
        turn,
        verdict,
        otherwise,
        unheld,
        catches,
        scheme,
        version: request.version(),
        said,
        fields,
        trace,
    })
}

/// What governs the place that a request is for.
fn ground<'a>(
    site: &'a Site,
    closure: Option<&'a Arc<Closure>>,
    rules: Option<&RouteRules>,
) -> Ground<'a> {
    let keeps = rules.is_some_and(|rules| rules.forms.keep);
    Ground {
        closed: closure.map(|closure| closure.mode),
        allow: closure.map_or(&[], |closure| &closure.allow),
        holds: closure.is_some_and(|closure| closure.holds()),
        probes: &site.probes,
        keeps_forms: if keeps { Keeps::Forms } else { Keeps::Nothing },
        accepts: rules.map_or(Accepts::Nothing, programs::accepts),
        redirects: rules.map_or(Redirects::default(), rewrite::redirects),
    }
}

/// The verdict if it turns out to be no ticket, the one if it cannot wait, and what it is kept as
/// if it is forwarded and the application fails.
fn later(
    verdict: Verdict,
    ground: &Ground,
    ask: &Ask,
    rules: Option<&RouteRules>,
) -> (Verdict, Verdict, Option<FormKind>) {
    let otherwise = match verdict {
        Verdict::Resume => decide_no_ticket(ground, ask),
        Verdict::Own
        | Verdict::Probe
        | Verdict::Hold
        | Verdict::Forward
        | Verdict::Capture(_)
        | Verdict::Accept(_)
        | Verdict::Page(..)
        | Verdict::Refuse(_)
        | Verdict::Redirect(_) => verdict,
    };
    let unheld = match otherwise {
        Verdict::Hold => decide_unheld(ground, ask),
        Verdict::Own
        | Verdict::Probe
        | Verdict::Forward
        | Verdict::Resume
        | Verdict::Capture(_)
        | Verdict::Accept(_)
        | Verdict::Page(..)
        | Verdict::Refuse(_)
        | Verdict::Redirect(_) => otherwise,
    };
    let tees = rules.is_some_and(|rules| rules.forms.tee) && otherwise == Verdict::Forward;
    let catches = if tees { catchable(ground.keeps_forms, ask) } else { None };
    (otherwise, unheld, catches)
}

/// What governs a request at its place: by its method, or by the one that it claims where windows
/// tell methods apart and that one's is the stricter.
fn governing<'s, B>(
    snapshot: &'s Snapshot,
    (route, region): (RouteIx, RegionIx),
    request: &Request<B>,
    now: Wall,
) -> Option<&'s Arc<Closure>> {
    let of = |method: &Method| snapshot.cells.closure_for(route, region, method, now);
    let own = of(request.method());
    if !snapshot.cells.tells_methods_apart(route, region) {
        return own;
    }
    let claimed = claimed(request.headers(), request.uri().query());
    let claimed = claimed.and_then(|method| of(&method));
    own.into_iter().chain(claimed).max_by_key(|closure| closure.mode)
}

/// The verdict, unless the request has no place or must not have the one it has.
fn placed(verdict: Verdict, rules: Option<&RouteRules>, encoded_slashes: bool) -> Verdict {
    match (verdict, rules) {
        (Verdict::Own | Verdict::Refuse(_), _) => verdict,
        (_, None) => Verdict::Refuse(Refusal::UnknownRoute),
        (_, Some(rules)) if encoded_slashes && !rules.encoded_slashes => {
            Verdict::Refuse(Refusal::EncodedSlash)
        }
        (verdict, Some(_)) => verdict,
    }
}

/// Whether a request would take more of us than an answer that is at hand. A balancer's probe is
/// served whatever it costs, since its refusal would send this node's visitors to the others.
pub(super) fn is_costly<B>(judged: &Judged, request: &Request<B>) -> bool {
    match judged.verdict {
        Verdict::Probe | Verdict::Page(..) | Verdict::Refuse(_) | Verdict::Redirect(_) => false,
        Verdict::Forward
        | Verdict::Own
        | Verdict::Capture(_)
        | Verdict::Accept(_)
        | Verdict::Resume
        | Verdict::Hold => !judged.site().probes.iter().any(|probe| probe == request.uri().path()),
    }
}

/// The one host that a request names (RFC 9112 §3.2).
pub(super) fn host_of<B>(request: &Request<B>) -> Result<&str, Bad> {
    if request.uri().scheme().is_some_and(|scheme| scheme != "http" && scheme != "https") {
        return Err(MALFORMED);
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host.to_str().map_err(|_| MALFORMED)?),
        (None, _) if request.version() != Version::HTTP_11 => None,
        (None | Some(_), _) => return Err(MALFORMED),
    };
    match (host, request.uri().authority()) {
        // A target and a Host that disagree are read differently by different servers.
        (Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority.as_str()) => {
            Err(MALFORMED)
        }
        (Some(host), _) => Ok(host),
        (None, Some(authority)) => Ok(authority.as_str()),
        (None, None) => Err(MALFORMED),
    }
}

pub(super) fn path_of<'a, B>(
    request: &'a Request<B>,
    target_max: usize,
    scratch: &'a mut String,
) -> Result<Canonical<'a>, Bad> {
    let target = request.uri();
    let length = target.path_and_query().map_or(0, |target| target.as_str().len());
    if length > target_max {
        let status = StatusCode::URI_TOO_LONG;
        return Err(Bad { status, page: PlainKind::TooLarge, end: End::ClientHeadTooLarge });
    }
    if request.extensions().get::<h2::ext::Protocol>().is_some()
        && request.method() == Method::CONNECT
    {
        // RFC 9220 §3 has it for what RFC 8441 left open: a protocol that is not spoken here.
        return Err(Bad::unsupported(StatusCode::NOT_IMPLEMENTED));
    }
    if request.method() == Method::CONNECT || target.path() == "*" {
        // CONNECT has no path, and `OPTIONS *` speaks to the proxy, which offers nothing there.
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return Err(Bad::unsupported(status));
    }
    path::canonical(target.path(), scratch).map_err(|_| Bad::request(End::ProxyRouteRefused))
}

fn check_expectation<B>(lane: &Lane, request: &Request<B>) -> Result<(), Bad> {
    let known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if !request.headers().get_all(EXPECT).iter().all(known) {
        return Err(Bad::unsupported(StatusCode::EXPECTATION_FAILED));
    }
    // HTTP/1.0 knows no interim answer (RFC 9110 §10.1.1).
    if request.version() != Version::HTTP_10 {
        lane.expects_continue();
    }
    Ok(())
}

/// Host and port as the visitor's browser sees them. Only for a head that was judged.
pub(super) fn authority<'a>(parts: &'a request::Parts, judged: &'a Judged) -> &'a str {
    let named = || parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let in_target = || parts.uri.authority().map(http::uri::Authority::as_str);
    public_host(judged.said.as_deref()).or_else(named).or_else(in_target).unwrap_or_default()
}

/// Whether the request was made by a page of this site, as far as the browser tells.
pub(super) fn is_from_here(parts: &request::Parts, judged: &Judged) -> bool {
    is_same_origin(&Ask {
        method: &parts.method,
        scheme: judged.scheme.name(),
        authority: authority(parts, judged),
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &parts.headers,
    })
}

/// The place of another path on the host that a request asked.
pub(super) fn place_of(
    lane: &Lane,
    judged: &Judged,
    parts: &request::Parts,
    path: &str,
) -> Option<(RouteIx, RegionIx)> {
    place_in(lane, judged.site(), judged.region, parts, path)
}

/// The place of a path on the host that a request asked, by this config.
pub(super) fn place_in(
    lane: &Lane,
    site: &Site,
    region: RegionIx,
    parts: &request::Parts,
    path: &str,
) -> Option<(RouteIx, RegionIx)> {
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str))?;
    let mut scratch = lane.link.worker.scratch.borrow_mut();
    let Scratch { host: host_scratch, path: path_scratch } = &mut *scratch;
    let host = canonical_host(host, host_scratch).ok()?;
    let path = path::canonical(path, path_scratch).ok()?;
    site.routes.find(host, path.path).map(|route| (route, region))
}

/// The host that the visitor's browser sees, where a trusted peer asks under another.
fn public_host(said: Option<&Said>) -> Option<&str> {
    said?.host.as_ref()?.to_str().ok()
}
