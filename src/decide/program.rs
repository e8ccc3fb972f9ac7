//! Which requests of programs may be kept, to be sent on by the program itself.
//!
//! A program is whoever wants no page: a script, an API client, `curl`. It is kept for only if it
//! says that it can do with a promise (RFC 7240 §4.1), or if the route says so for all: a program
//! that takes 202 for success would believe that its work is done.

use http::{HeaderMap, HeaderName, Method, header};

use super::field::{self, SEC_FETCH_MODE, SEC_FETCH_SITE};
use super::verdict::{FormKind, Wants};
use super::{Accepts, Ask, Ground, Keeps, form, wants};

/// What a program sends on what was kept of it by.
pub const TICKET: HeaderName = HeaderName::from_static("intermission-ticket");
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Parts of an upload that is resumed later, by the place where it broke off: its client does by
/// itself what we could only do worse.
const RESUMABLE: [HeaderName; 5] = [
    HeaderName::from_static("tus-resumable"),
    HeaderName::from_static("upload-offset"),
    HeaderName::from_static("upload-complete"),
    HeaderName::from_static("upload-draft-interop-version"),
    header::CONTENT_RANGE,
];

/// The kind of a program's request that may be kept; none if it is not.
pub(super) fn eligible(ground: &Ground, ask: &Ask) -> Option<FormKind> {
    let asked = match (ground.keeps_forms, ground.accepts) {
        (Keeps::Nothing, _) | (_, Accepts::Nothing) => return None,
        (Keeps::Forms, Accepts::Asked) => prefers_async(ask.headers),
        (Keeps::Forms, Accepts::All) => true,
    };
    let is_program = matches!(wants::wants(ask), Wants::Problem | Wants::Text);
    if !asked || !is_program || !changes(ask.method) || is_partial(ask.headers) {
        return None;
    }
    // What a browser says of another site's page it says of this one too: no page of another site
    // may leave anything here, and a beacon waits for no answer.
    let tells_site =
        ask.headers.contains_key(header::ORIGIN) || ask.headers.contains_key(&SEC_FETCH_SITE);
    let beacon = field::values(ask.headers, &SEC_FETCH_MODE).any(|mode| mode == "no-cors");
    if beacon || tells_site && !form::is_same_origin(ask) {
        return None;
    }
    kind(ask.headers)
}

/// Whether a program would send on what was kept of it.
pub(super) fn has_ticket(ask: &Ask) -> bool {
    changes(ask.method) && ask.headers.contains_key(&TICKET)
}

/// Whether who asks can do with a promise.
pub fn prefers_async(headers: &HeaderMap) -> bool {
    field::members(headers, &PREFER).any(|member| {
        let name = member.split([';', '=']).next().unwrap_or_default().trim();
        name.eq_ignore_ascii_case("respond-async")
    })
}

fn changes(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method)
}

/// Whether it is a part of something, or packed so that nobody can look into it.
fn is_partial(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_ENCODING)
        || RESUMABLE.iter().any(|name| headers.contains_key(name))
}

fn kind(headers: &HeaderMap) -> Option<FormKind> {
    let Ok(told) = field::single(headers, &header::CONTENT_TYPE) else { return None };
    let Some(essence) = told.map(field::essence) else { return Some(FormKind::Opaque) };
    if wants::is_json(essence) {
        return Some(FormKind::Json);
    }
    Some(form::kind_of(essence).unwrap_or(FormKind::Opaque))
}
