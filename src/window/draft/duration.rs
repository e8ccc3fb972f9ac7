//! Durations as operators write them: `15m`, `1h30m`, `7d`.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::fmt::friendly::{Designator, Spacing, SpanPrinter};
use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::fault::Found;

/// A duration within bounds; none, and a fault, if it is not one.
pub(super) fn read(
    field: &str,
    text: &str,
    bounds: RangeInclusive<Duration>,
    found: &mut Found,
) -> Option<Duration> {
    let Some(value) = parse(text) else {
        let what = format!("{text:?} is not a duration");
        found.fault(field, what, "write numbers with their units: \"15m\", \"1h30m\", \"7d\"");
        return None;
    };
    if bounds.contains(&value) {
        return Some(value);
    }
    let what = if value.is_zero() { "it is zero" } else { "it is out of range" };
    let help = format!("from {} to {} is possible", show(*bounds.start()), show(*bounds.end()));
    found.fault(field, what, help);
    None
}

/// The same where nothing need be written.
pub(super) fn optional(
    field: &str,
    text: Option<&String>,
    bounds: RangeInclusive<Duration>,
    found: &mut Found,
) -> Option<Duration> {
    read(field, text?, bounds, found)
}

fn parse(text: &str) -> Option<Duration> {
    let span: Span = text.trim().parse().ok()?;
    let signed = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(signed).ok()
}

/// As people write it: `1h 30m`.
pub(super) fn show(value: Duration) -> String {
    let printer = SpanPrinter::new().designator(Designator::Compact).spacing(Spacing::None);
    let whole_days = value.as_secs() / 86_400;
    if whole_days > 0 && value.as_secs().is_multiple_of(86_400) {
        return format!("{whole_days}d");
    }
    printer.duration_to_string(&SignedDuration::try_from(value).unwrap_or(SignedDuration::MAX))
}
