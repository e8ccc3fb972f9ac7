//! What `[upstream.health]` means.

use std::ops::RangeInclusive;

use http::HeaderValue;
use http::uri::PathAndQuery;

use super::file::Section;
use super::problem::Found;
use super::{keys, names, quantity};
use crate::limit;
use crate::snapshot::{HealthCheck, Question};

#[derive(Clone, Copy)]
enum Kind {
    Http,
    Tcp,
    Grpc,
}

/// Which keys mean nothing to a kind of check.
const STRANGERS: [(Kind, &[&str]); 3] = [
    (Kind::Http, &["service"]),
    (Kind::Tcp, &["service", "path", "status", "host"]),
    (Kind::Grpc, &["path", "status"]),
];

/// Reads the section, if it is there.
pub(super) fn health(upstream: &Section<'_>, found: &mut Found) -> Option<HealthCheck> {
    if !upstream.has("health") {
        return None;
    }
    let section = upstream.section("health", &keys::UPSTREAM_HEALTH, found);
    let kinds = [("http", Kind::Http), ("tcp", Kind::Tcp), ("grpc", Kind::Grpc)];
    let kind = names::choice(&section, "kind", &kinds, found).unwrap_or(Kind::Http);
    refuse_strangers(&section, kind, found);
    let question = match kind {
        Kind::Tcp => Question::Tcp,
        Kind::Http => Question::Http {
            path: path(&section, found),
            host: host(&section, found),
            status: status(&section, found),
        },
        Kind::Grpc => {
            let service = section.text("service", found).map(toml::Spanned::into_inner);
            Question::Grpc { service: service.unwrap_or_default(), host: host(&section, found) }
        }
    };
    let bounds = limit::TIMEOUT_FLOOR..=limit::TIMEOUT_CEILING;
    let times = |key, default: u32, found: &mut Found| {
        let most = u64::from(limit::HEALTH_ROW_MAX);
        let row = section.whole(key, 1..=most, found).and_then(|row| u32::try_from(row).ok());
        row.unwrap_or(default)
    };
    let port = section.whole("port", 1..=u64::from(u16::MAX), found);
    Some(HealthCheck {
        question,
        rise: times("rise", limit::HEALTH_RISE, found),
        fall: times("fall", limit::HEALTH_FALL, found),
        port: port.and_then(|port| u16::try_from(port).ok()),
        interval: quantity::duration(
            &section,
            "interval",
            limit::HEALTH_EVERY,
            bounds.clone(),
            found,
        ),
        timeout: quantity::duration(&section, "timeout", limit::HEALTH_TIMEOUT, bounds, found),
    })
}

fn refuse_strangers(section: &Section<'_>, kind: Kind, found: &mut Found) {
    let of_kind = STRANGERS.into_iter().find(|(of, _)| *of as u8 == kind as u8);
    for key in of_kind.map_or(&[][..], |(_, keys)| keys) {
        if section.has(key) {
            let what = format!("`{key}` means nothing to a check of this kind");
            found.add(section.place(key), what, "remove it, or choose another kind");
        }
    }
}

fn path(section: &Section<'_>, found: &mut Found) -> PathAndQuery {
    let root = PathAndQuery::from_static("/");
    let Some(typed) = section.text("path", found) else { return root };
    match typed.get_ref().parse::<PathAndQuery>() {
        Ok(path) if path.as_str().starts_with('/') => path,
        Ok(_) | Err(_) => {
            let help = format!("begin with a slash: {}", section.example("path"));
            found.add(typed.span(), "`path` is not the path of a request", help);
            root
        }
    }
}

fn host(section: &Section<'_>, found: &mut Found) -> Option<HeaderValue> {
    let typed = section.text("host", found)?;
    let authority = typed.get_ref().parse::<http::uri::Authority>().ok();
    let host = authority.filter(|host| !host.as_str().contains('@'));
    let host = host.and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if host.is_none() {
        let help = format!("write it as in a Host field: {}", section.example("host"));
        found.add(typed.span(), "`host` is not a host", help);
    }
    host
}

/// `200-399`, `200`, `200, 204, 301-302`.
fn status(section: &Section<'_>, found: &mut Found) -> Vec<RangeInclusive<u16>> {
    let usual = vec![200..=399];
    let Some(typed) = section.quantity("status", found) else { return usual };
    let one = |text: &str| -> Option<RangeInclusive<u16>> {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
        (low <= high && (100..=599).contains(&low) && high <= 599).then_some(low..=high)
    };
    let read: Option<Vec<_>> = typed.get_ref().split(',').map(one).collect();
    read.unwrap_or_else(|| {
        let help = format!("write status codes and ranges of them: {}", section.example("status"));
        found.add(typed.span(), "`status` has no meaning", help);
        usual
    })
}
