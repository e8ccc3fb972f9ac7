//! Which requests are forms that may be kept, and which may be tickets for kept ones.
//!
//! A submission is sent on later as a request of the site's own page, by its owner's browser.
//! Keeping one that another site made would launder it, so its origin is settled here, once, from
//! what the browser says about it; nothing later makes it better than it was.

use http::{HeaderMap, Method, header};

use super::field::{self, Differ, SEC_FETCH_MODE, SEC_FETCH_SITE};
use super::verdict::{FormKind, NotKept};
use super::{Ask, Keeps, wants};
use crate::limit;

/// The kind of a form that may be kept, or why it is not.
pub(super) fn eligible(keeps: Keeps, ask: &Ask) -> Result<FormKind, NotKept> {
    match keeps {
        Keeps::Forms => {}
        Keeps::Nothing => return Err(NotKept::Policy),
    }
    let kind = kind(ask).filter(|_| *ask.method == Method::POST).ok_or(NotKept::Type)?;
    if !is_navigation(ask) || has_token(ask) {
        return Err(NotKept::Type);
    }
    if is_same_origin(ask) || is_doubtful(ask) { Ok(kind) } else { Err(NotKept::Origin) }
}

/// Whether a post may be a ticket, told by its type and length alone. Who sends it, and from where,
/// tells only what becomes of a ticket: none may reach the application, whoever has it.
pub(super) fn may_be_ticket(ask: &Ask) -> bool {
    kind(ask) == Some(FormKind::Urlencoded) && is_as_long_as_a_ticket(ask)
}

/// Whether a browser says that a page of another site made the request. One that says nothing is
/// an old one, and what it shows is the visitor's cookie, which other sites' posts lack.
pub fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    !field::values(headers, &SEC_FETCH_SITE).all(|site| is(site, "same-origin"))
}

fn kind(ask: &Ask) -> Option<FormKind> {
    let Ok(Some(value)) = field::single(ask.headers, &header::CONTENT_TYPE) else { return None };
    kind_of(field::essence(value))
}

/// The kind of a form of this media type.
pub(super) fn kind_of(essence: &str) -> Option<FormKind> {
    let kinds = [
        ("application/x-www-form-urlencoded", FormKind::Urlencoded),
        ("multipart/form-data", FormKind::Multipart),
        ("text/plain", FormKind::Plain),
    ];
    kinds.into_iter().find(|(name, _)| is(name, essence)).map(|(_, kind)| kind)
}

/// Whether a body may be a ticket by its length. One that does not tell its length may.
fn is_as_long_as_a_ticket(ask: &Ask) -> bool {
    let length = match field::single(ask.headers, &header::CONTENT_LENGTH) {
        Ok(Some(length)) => length,
        Ok(None) => return true,
        Err(Differ) => return false,
    };
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let bounds = limit::TICKET_BODY_BYTES_MIN..=limit::TICKET_BODY_BYTES_MAX;
    digits && length.parse::<u64>().is_ok_and(|bytes| bounds.contains(&bytes))
}

/// Whether a browser goes to the answer, rather than a script or a program reading it.
fn is_navigation(ask: &Ask) -> bool {
    if wants::is_script(ask.headers) {
        return false;
    }
    let mut modes = field::values(ask.headers, &SEC_FETCH_MODE).peekable();
    match modes.peek() {
        Some(_) => modes.all(|mode| is(mode, "navigate")),
        None => wants::accepts_html(ask.headers),
    }
}

/// Whether the request is authorised by a program's token. A browser sends no other scheme than
/// `Basic` by itself.
fn has_token(ask: &Ask) -> bool {
    let mut values = field::values(ask.headers, &header::AUTHORIZATION);
    values.any(|value| !value.split(' ').next().is_some_and(|scheme| is(scheme, "basic")))
}

/// Whether nobody can tell whose page made the request: a browser that knows no `Sec-Fetch-Site`
/// has hidden its origin, as for a page with `Referrer-Policy: no-referrer`. What is kept of such
/// a request is given back to its visitor, and never sent on.
fn is_doubtful(ask: &Ask) -> bool {
    let is_hidden = matches!(field::single(ask.headers, &header::ORIGIN), Ok(Some("null")));
    let says = field::values(ask.headers, &SEC_FETCH_SITE).next().is_some();
    let nothing_against = match field::single(ask.headers, &header::REFERER) {
        Ok(None) => true,
        Ok(Some(referer)) => names_origin(origin_of(referer), ask),
        Err(Differ) => false,
    };
    is_hidden && !says && nothing_against
}

/// Whether there is evidence that a page of this site made the request, and none against it.
pub(super) fn is_same_origin(ask: &Ask) -> bool {
    let Ok(origin) = field::single(ask.headers, &header::ORIGIN) else { return false };
    let told = match field::single(ask.headers, &SEC_FETCH_SITE) {
        Ok(told) => told,
        Err(Differ) => return false,
    };
    match (told, origin) {
        // A page with `Referrer-Policy: no-referrer` sends `null` to its own site as well. That
        // contradicts nothing: the browser has said whose page it is.
        (Some(site), None | Some("null")) => is(site, "same-origin"),
        (Some(site), Some(origin)) => is(site, "same-origin") && names_origin(origin, ask),
        (None, Some(origin)) => names_origin(origin, ask),
        (None, None) => match field::single(ask.headers, &header::REFERER) {
            Ok(Some(referer)) => names_origin(origin_of(referer), ask),
            Ok(None) | Err(Differ) => false,
        },
    }
}

/// Whether `scheme://host[:port]` is where the request goes to.
fn names_origin(origin: &str, ask: &Ask) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    if !is(scheme, ask.scheme) {
        return false;
    }
    let (host, port) = host_and_port(authority);
    let (own_host, own_port) = host_and_port(ask.authority);
    let usual = if is(scheme, "https") { "443" } else { "80" };
    !host.is_empty() && is(host, own_host) && port.unwrap_or(usual) == own_port.unwrap_or(usual)
}

/// A URL without its path.
fn origin_of(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    &url[..end]
}

fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        Some(_) | None => (authority, None),
    }
}

fn is(word: &str, other: &str) -> bool {
    word.eq_ignore_ascii_case(other)
}
