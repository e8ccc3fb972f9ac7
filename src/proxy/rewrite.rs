//! What a route changes in heads that pass through it: paths, hosts, fields, and redirects that it
//! answers itself. Routes that change nothing do not come here.
//!
//! Routes are matched on the path that a visitor sends; what servers see instead is made here, on
//! the way out, so that a stored form takes the same road as a live request.

use http::header::{HOST, LOCATION, STRICT_TRANSPORT_SECURITY};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, request, response};

use super::answer::{self, Asker, Reply};
use super::body::Body;
use super::compress;
use super::ending::Story;
use super::head::{Judged, Scheme};
use crate::decide::{Leads, Redirects};
use crate::route::path::canonical;
use crate::snapshot::RouteRules;
use crate::snapshot::edge::{EdgeRules, Edit, PathRule, Value, Variables};

const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// A path for servers cannot be made of the visitor's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit;

/// Makes a head that is fit for this hop into what the servers of `rules` want. The request is
/// the visitor's own or made of it, so that `parts` may have another path than was judged.
pub(super) fn up(
    parts: &mut request::Parts,
    rules: &RouteRules,
    story: &mut Story,
) -> Result<(), Unfit> {
    let Some(edge) = rules.edge.as_deref() else { return Ok(()) };
    if let Some(compression) = &edge.compression {
        story.takes(compress::choose(&parts.headers, &compression.codings));
    }
    if let Some(rule) = &edge.path {
        let changed = inner(&mut parts.uri, rule)?;
        if changed
            && rule.to.is_empty()
            && let Ok(prefix) = HeaderValue::from_str(&rule.from)
        {
            parts.headers.insert(FORWARDED_PREFIX, prefix);
        }
    }
    if let Some(host) = &edge.host {
        parts.headers.insert(HOST, host.clone());
    }
    if !edge.request.is_empty() {
        let of = known(rules, story);
        for edit in &edge.request {
            apply(&mut parts.headers, edit, value(edit, &of));
        }
    }
    Ok(())
}

/// Makes a server's head into what the visitor sees.
pub(super) fn down(parts: &mut response::Parts, rules: &RouteRules, story: &Story) {
    let Some(edge) = rules.edge.as_deref() else { return };
    if edge.path.is_some() || edge.host.is_some() {
        outer_location(&mut parts.headers, edge, rules, story);
    }
    if !edge.response.is_empty() {
        let of = known(rules, story);
        for edit in &edge.response {
            apply(&mut parts.headers, edit, value(edit, &of));
        }
    }
    if edge.hsts.is_some() {
        // RFC 6797 §7.2: never over http, whoever says it.
        parts.headers.remove(STRICT_TRANSPORT_SECURITY);
    }
    with_hsts(&mut parts.headers, story);
}

/// Adds what the route wants browsers to remember of `https`, to an answer of anybody's.
pub(super) fn with_hsts(headers: &mut HeaderMap, story: &Story) {
    if let Some(hsts) = story.visible().and_then(|visible| visible.hsts.as_ref()) {
        headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
}

/// What a route answers itself.
pub(super) fn redirects(rules: &RouteRules) -> Redirects {
    rules.edge.as_ref().map_or(Redirects::default(), |edge| Redirects {
        to_https: edge.https.is_some(),
        elsewhere: edge.redirect.is_some(),
    })
}

/// The answer of a route that leads elsewhere.
pub(super) fn redirect(
    judged: &Judged,
    leads: Leads,
    story: &Story,
    method: &Method,
    target: &Uri,
) -> Reply {
    let rules = judged.rules();
    let of = Variables { path: target.path(), query: target.query(), ..known(rules, story) };
    let edge = rules.edge.as_deref();
    let answer = match leads {
        Leads::Elsewhere => edge
            .and_then(|edge| edge.redirect.as_ref())
            .map(|redirect| (redirect.status, redirect.to.fill(&of))),
        Leads::ToHttps => {
            edge.map(|edge| (https_status(method), https_location(edge.https.flatten(), &of)))
        }
    };
    let answer = answer.and_then(|(status, location)| {
        let location = HeaderValue::from_bytes(location.as_bytes()).ok()?;
        Some(Reply::new(status, Body::empty()).with(LOCATION, location))
    });
    answer.unwrap_or_else(|| answer::fault(&judged.current.snapshot, &Asker::default()))
}

/// Old clients know 301 and make a GET of whatever it was; 308 keeps the method.
fn https_status(method: &Method) -> StatusCode {
    if *method == Method::GET || *method == Method::HEAD {
        StatusCode::MOVED_PERMANENTLY
    } else {
        StatusCode::PERMANENT_REDIRECT
    }
}

/// The same address by `https`. Where the visitor had to name a port, TLS has its own.
fn https_location(port: Option<u16>, of: &Variables<'_>) -> String {
    let (name, port) = match of.host.rsplit_once(':') {
        Some((name, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => (name, port),
        Some(_) | None => (of.host, None),
    };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let query = of.query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("https://{name}{port}{}{query}", of.path)
}

/// The variables that do not depend on the target.
fn known<'a>(rules: &'a RouteRules, story: &'a Story) -> Variables<'a> {
    let visible = story.visible();
    Variables {
        client: story.client.0,
        host: visible.and_then(|visible| visible.host.to_str().ok()).unwrap_or_default(),
        scheme: visible.map_or(Scheme::Http, |visible| visible.scheme).name(),
        request: story.number(),
        route: &rules.name,
        path: "/",
        query: None,
    }
}

/// The value that an edit writes for one request; none for a removal, and for what no field can
/// hold.
fn value(edit: &Edit, of: &Variables<'_>) -> Option<HeaderValue> {
    match edit {
        Edit::Set(_, Value::Fixed(value)) | Edit::Add(_, Value::Fixed(value)) => {
            Some(value.clone())
        }
        Edit::Set(_, Value::Made(template)) | Edit::Add(_, Value::Made(template)) => {
            HeaderValue::from_str(&template.fill(of)).ok()
        }
        Edit::Remove(_) => None,
    }
}

fn apply(headers: &mut HeaderMap, edit: &Edit, value: Option<HeaderValue>) {
    match (edit, value) {
        (Edit::Set(name, _), Some(value)) => {
            headers.insert(name, value);
        }
        (Edit::Add(name, _), Some(value)) => {
            headers.append(name, value);
        }
        (Edit::Set(name, _) | Edit::Remove(name), _) => {
            headers.remove(name);
        }
        (Edit::Add(..), None) => {}
    }
}

/// The path that servers know in place of the visitor's; the query stays. Tells whether the rule
/// was about it.
///
/// What is left of the raw path behind the prefix goes up as it was sent, but only if it means what
/// was matched: of `/app/../app/x` it does not, and the canonical form is sent instead.
fn inner(uri: &mut Uri, rule: &PathRule) -> Result<bool, Unfit> {
    let raw = uri.path();
    let (mut matched, mut alone) = (String::new(), String::new());
    let matched = canonical(raw, &mut matched).map_err(|_| Unfit)?.path;
    // A path of the route that the rule is not about.
    let Some(rest) = PathRule::below(matched, &rule.from) else { return Ok(false) };
    let rest = if rest.is_empty() { "/" } else { rest };
    let as_sent = PathRule::below(raw, &rule.from).map(|rest| match rest.trim_start_matches('/') {
        "" => "/",
        _ => &rest[rest.len() - rest.trim_start_matches('/').len() - 1..],
    });
    let same = |sent: &&str| canonical(sent, &mut alone).is_ok_and(|alone| alone.path == rest);
    let rest = as_sent.filter(same).unwrap_or(rest);
    let rest = if rest == "/" && !rule.to.is_empty() && !raw.ends_with('/') { "" } else { rest };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = PathAndQuery::try_from(format!("{}{rest}{query}", rule.to)).map_err(|_| Unfit)?;
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = Some(target);
    *uri = Uri::from_parts(parts).map_err(|_| Unfit)?;
    Ok(true)
}

/// A `Location` below what servers know becomes one that the visitor can ask for. What begins with
/// the visitor's prefix already was made by an application that knows it.
fn outer_location(headers: &mut HeaderMap, edge: &EdgeRules, rules: &RouteRules, story: &Story) {
    let Some(location) = headers.get(LOCATION).and_then(|value| value.to_str().ok()) else {
        return;
    };
    let outer = match location.split_once("://") {
        Some(("http" | "https", place)) => {
            let end = place.find(['/', '?', '#']).unwrap_or(place.len());
            let (authority, target) = place.split_at(end);
            let is = |host: &str| authority.eq_ignore_ascii_case(host);
            let inner = edge.host.as_ref().and_then(|host| host.to_str().ok()).is_some_and(is);
            let of = known(rules, story);
            if !inner && !is(of.host) {
                return;
            }
            let target = if target.starts_with('/') { target } else { "/" };
            format!("{}://{}{}", of.scheme, of.host, outer_path(target, edge.path.as_ref()))
        }
        Some(_) => return,
        None if location.starts_with('/') && !location.starts_with("//") => {
            outer_path(location, edge.path.as_ref())
        }
        None => return,
    };
    if let Ok(outer) = HeaderValue::from_str(&outer) {
        headers.insert(LOCATION, outer);
    }
}

fn outer_path(target: &str, rule: Option<&PathRule>) -> String {
    let Some(rule) = rule else { return target.to_owned() };
    let end = target.find(['?', '#']).unwrap_or(target.len());
    let (path, after) = target.split_at(end);
    if PathRule::below(path, &rule.from).is_some() {
        return target.to_owned();
    }
    match PathRule::below(path, &rule.to) {
        Some(rest) => format!("{}{rest}{after}", rule.from),
        None => target.to_owned(),
    }
}
