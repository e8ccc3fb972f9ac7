//! `[limits]` and `[timeouts]`: what clients may take of the node.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::file::Section;
use super::problem::Found;
use super::{keys, quantity};
use crate::limit;
use crate::snapshot::{Limits, Pace};

/// Reads `[limits]`.
pub(super) fn limits(file: &Section<'_>, found: &mut Found) -> Limits {
    let section = file.section("limits", &keys::LIMITS, found);
    let default = Limits::default();
    let mut size = |name, range: RangeInclusive<usize>, default: usize| {
        let range = *range.start() as u64..=*range.end() as u64;
        let typed = section.whole(name, range, found);
        typed.and_then(|typed| usize::try_from(typed).ok()).unwrap_or(default)
    };
    let connections = 1..=limit::CONNECTIONS_CEILING;
    let bytes = limit::HEAD_BYTES_FLOOR..=limit::HEAD_BYTES_CEILING;
    let fields = limit::HEAD_FIELDS_FLOOR..=limit::HEAD_FIELDS_CEILING;
    Limits {
        connections: size("connections", connections.clone(), default.connections),
        connections_per_address: size(
            "connections_per_address",
            connections.clone(),
            default.connections_per_address,
        ),
        requests: size("requests", connections, default.requests),
        head_bytes: size("head_bytes", bytes.clone(), default.head_bytes),
        head_fields: size("head_fields", fields, default.head_fields),
        target_bytes: size("target_bytes", bytes, default.target_bytes),
        requests_per_connection: section
            .whole("requests_per_connection", 1..=limit::REQUESTS_CEILING, found)
            .unwrap_or(default.requests_per_connection),
        body_rate: section
            .whole("body_rate", 0..=limit::BODY_RATE_CEILING, found)
            .unwrap_or(default.body_rate),
        forms_per_minute: section
            .whole("forms_per_minute", 0..=limit::FORMS_PER_MINUTE_CEILING, found)
            .and_then(|typed| u32::try_from(typed).ok())
            .unwrap_or(default.forms_per_minute),
    }
}

/// Reads `[timeouts]`.
pub(super) fn pace(file: &Section<'_>, found: &mut Found) -> Pace {
    let section = file.section("timeouts", &keys::TIMEOUTS, found);
    let default = Pace::default();
    let mut time = |name, default: Duration| {
        let bounds = limit::TIMEOUT_FLOOR..=limit::TIMEOUT_CEILING;
        quantity::duration(&section, name, default, bounds, found)
    };
    Pace {
        handshake: time("handshake", default.handshake),
        slow: time("slow", default.slow),
        head: time("head", default.head),
        keep_alive: time("keep_alive", default.keep_alive),
        body: time("body", default.body),
        write: time("write", default.write),
        tunnel: time("tunnel", default.tunnel),
        half_closed: time("half_closed", default.half_closed),
        connection_age: time("connection_age", default.connection_age),
        spread: spread(file, found),
    }
}

fn spread(file: &Section<'_>, found: &mut Found) -> Duration {
    let section = file.section("window", &keys::WINDOW, found);
    let bounds = Duration::ZERO..=limit::TIMEOUT_CEILING;
    quantity::duration(&section, "spread", limit::WINDOW_SPREAD, bounds, found)
}
