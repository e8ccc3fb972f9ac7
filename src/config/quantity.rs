//! Durations and sizes as operators write them: `"1m30s"`, `"48h"`, `"25 MB"`, `"1MiB"`.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

use super::file::Section;
use super::problem::Found;
use crate::limit;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A duration of a section, within bounds; the default if it is not there.
pub(super) fn duration(
    section: &Section<'_>,
    name: &'static str,
    default: Duration,
    bounds: RangeInclusive<Duration>,
    found: &mut Found,
) -> Duration {
    let Some(typed) = section.quantity(name, found) else { return default };
    let Some(value) = parse_duration(typed.get_ref()) else {
        let what = format!("`{name}` is not a duration");
        let help = format!("write numbers with their units: {}", section.example(name));
        found.add(typed.span(), what, help);
        return default;
    };
    if bounds.contains(&value) {
        return value;
    }
    let what = match value.is_zero() {
        true => format!("`{name}` is zero"),
        false => format!("`{name}` is out of range"),
    };
    let (low, high) = (show_duration(*bounds.start()), show_duration(*bounds.end()));
    found.add(typed.span(), what, format!("from {low} to {high} is possible"));
    default
}

/// A size of a section in bytes, within bounds; the default if it is not there.
pub(super) fn size(
    section: &Section<'_>,
    name: &'static str,
    default: u64,
    most: u64,
    found: &mut Found,
) -> u64 {
    let Some(typed) = section.quantity(name, found) else { return default };
    let Some(value) = parse_size(typed.get_ref()) else {
        let what = format!("`{name}` is not a size");
        let help =
            format!("write a number of bytes, or one with its unit: {}", section.example(name));
        found.add(typed.span(), what, help);
        return default;
    };
    let of_forms = most == limit::KEPT_BYTES_CEILING;
    if value == 0 {
        let help = match of_forms {
            true => "write at least one byte; to keep no forms at all write keep = false",
            false => "write at least one byte",
        };
        found.add(typed.span(), format!("`{name}` is zero"), help);
        return default;
    }
    if value > most {
        let most = show_size(most);
        let (what, help) = match of_forms {
            true => (
                format!("`{name}` is larger than anything that can be kept"),
                format!("at most {most} can be kept for one browser"),
            ),
            false => (format!("`{name}` is too large"), format!("at most {most} is possible")),
        };
        found.add(typed.span(), what, help);
        return default;
    }
    value
}

/// `5s`, `1m30s`, `48h`, `2 days`. A number without unit is no duration.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let span: Span = text.trim().parse().ok()?;
    let signed = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(signed).ok()
}

/// `1048576`, `1MiB`, `25 MB`.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "kib" => 1 << 10,
        "mb" => 1_000_000,
        "mib" => 1 << 20,
        "gb" => 1_000_000_000,
        "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// The duration in the largest unit that it is a whole number of.
pub(super) fn show_duration(value: Duration) -> String {
    let millis = value.as_millis();
    let units = [(HOUR.as_millis(), "h"), (MINUTE.as_millis(), "m"), (SECOND.as_millis(), "s")];
    let whole = units.iter().find(|(unit, _)| millis >= *unit && millis.is_multiple_of(*unit));
    match whole {
        Some((unit, name)) => format!("{}{name}", millis / unit),
        None => format!("{millis}ms"),
    }
}

fn show_size(value: u64) -> String {
    let units = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let whole = units.iter().find(|(unit, _)| value >= *unit && value.is_multiple_of(*unit));
    match whole {
        Some((unit, name)) => format!("{}{name}", value / unit),
        None => format!("{value} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_their_unit() {
        let seconds = |text| parse_duration(text).map(|value| value.as_secs_f64());
        assert_eq!(seconds("5s"), Some(5.0));
        assert_eq!(seconds("1m30s"), Some(90.0));
        assert_eq!(seconds("48h"), Some(172_800.0));
        assert_eq!(seconds("2 days"), Some(172_800.0));
        assert_eq!(seconds("250ms"), Some(0.25));
        for text in ["5", "", "s", "-5s", "5 s ago", "1 month", "5x", "99999999999999999h"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_know_both_families_of_units() {
        assert_eq!(parse_size("1048576"), Some(1 << 20));
        assert_eq!(parse_size("1MiB"), Some(1 << 20));
        assert_eq!(parse_size("25 MB"), Some(25_000_000));
        for text in ["", "MiB", "-1", "1.5MB", "1 TB", "18446744073709551615 KiB", "1 M B"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
