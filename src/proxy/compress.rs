//! Smaller answers: which bodies that a server sent as they are get compressed for a client that
//! takes it, on routes that ask for it. What a server compressed itself stays so.

use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode, response};

use crate::snapshot::edge::{Coding, Compression};

/// The coding that a client takes and likes best, of those that a route offers; among equals the
/// route's order counts (RFC 9110 §12.5.3).
pub(super) fn choose(headers: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let items: Vec<(&str, u16)> = values.flat_map(|value| value.split(',')).map(weighed).collect();
    let named = |name: &str| {
        items.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, weight)| *weight)
    };
    let weight = |coding: &Coding| named(coding.name()).or(named("*")).unwrap_or(0);
    // Without a word about it, a body as it is comes after any coding that was asked for.
    let plain = named("identity").unwrap_or(1);
    let mut best: Option<(Coding, u16)> = None;
    for coding in offered {
        let weight = weight(coding);
        if weight > 0 && weight >= plain && best.is_none_or(|(_, known)| weight > known) {
            best = Some((*coding, weight));
        }
    }
    best.map(|(coding, _)| coding)
}

/// A coding and its weight in thousandths; 0 if the weight is none.
fn weighed(item: &str) -> (&str, u16) {
    let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return (name.trim(), 1000);
    }
    let weight = parameters.strip_prefix(['q', 'Q']).and_then(|rest| rest.trim().strip_prefix('='));
    let weight = weight.and_then(|weight| weight.trim().parse::<f32>().ok());
    let weight = weight.filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0);
    (name.trim(), (weight * 1000.0) as u16)
}

/// Makes an answer's head into that of a compressed one, if its body is to be, and tells by which
/// coding.
pub(super) fn prepare(
    parts: &mut response::Parts,
    rules: &Compression,
    chosen: Option<Coding>,
) -> Option<Coding> {
    if parts.status == StatusCode::NOT_MODIFIED {
        if chosen.is_some() {
            // The client's copy has the tag that it was given with the compressed body.
            weaken(&mut parts.headers);
        }
        return None;
    }
    if !is_fit(parts, rules) {
        return None;
    }
    // Caches must know, also of an answer to somebody who takes none.
    vary(&mut parts.headers);
    let coding = chosen?;
    parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(ACCEPT_RANGES);
    weaken(&mut parts.headers);
    Some(coding)
}

fn is_fit(parts: &response::Parts, rules: &Compression) -> bool {
    let headers = &parts.headers;
    let whole = !matches!(
        parts.status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT
    );
    // What was computed over the body would be wrong of another.
    let bound = ["content-md5", "digest", "content-digest", "repr-digest", "signature"];
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    whole
        && !parts.status.is_informational()
        && !headers.contains_key(CONTENT_ENCODING)
        && !headers.contains_key(CONTENT_RANGE)
        && !bound.iter().any(|name| headers.contains_key(*name))
        && length.is_none_or(|length: u64| length >= rules.bytes_min)
        && is_text(headers, &rules.types)
        && !forbids_transforming(headers)
}

fn is_text(headers: &HeaderMap, types: &[String]) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else {
        return false;
    };
    let kind = kind.split(';').next().unwrap_or_default().trim();
    // Events are too small to gain, and gRPC has a coding of its own for each message.
    let never = kind.eq_ignore_ascii_case("text/event-stream")
        || kind.get(..16).is_some_and(|start| start.eq_ignore_ascii_case("application/grpc"));
    let is = |known: &String| match known.strip_suffix('*') {
        Some(family) => {
            kind.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family))
        }
        None => kind.eq_ignore_ascii_case(known),
    };
    !never && types.iter().any(is)
}

fn forbids_transforming(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|directive| directive.trim().eq_ignore_ascii_case("no-transform"))
}

fn vary(headers: &mut HeaderMap) {
    let values = headers.get_all(VARY).iter().filter_map(|value| value.to_str().ok());
    let known = values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|name| name == "*" || name.eq_ignore_ascii_case(ACCEPT_ENCODING.as_str()));
    if !known {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// RFC 9110 §8.8.3: bodies that differ byte by byte may share a weak tag, never a strong one.
fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/")) else {
        return;
    };
    if let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
        headers.insert(ETAG, weak);
    }
}
