//! Instants as operators write them: absolute, or on the wall clock of a zone.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use crate::clock::Wall;

/// What a text says about an instant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reading {
    /// Exactly one.
    At(Wall),
    /// The wall clock never shows it: it is put forward over it. The instants by the offset
    /// before and after, as texts.
    Skipped(String, String),
    /// The wall clock shows it twice: it is put back over it. Both instants, as texts.
    Twice(String, String),
    /// It is no instant at all.
    Unreadable,
}

/// The zone of this name (IANA time zone database), from the copy inside the program where the
/// machine has none. UTC if the name is empty.
pub fn read_zone(name: &str) -> Option<TimeZone> {
    match name {
        "" | "UTC" | "Z" => Some(TimeZone::UTC),
        name => TimeZone::get(name).ok(),
    }
}

/// What `text` says, on the wall clock of `zone` if it names no offset of its own (RFC 3339,
/// RFC 9557).
pub fn read_instant(text: &str, zone: &TimeZone) -> Reading {
    let text = text.trim();
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return Reading::At(wall(stamp));
    }
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Reading::At(wall(zoned.timestamp()));
    }
    match text.parse::<DateTime>() {
        Ok(local) => on_the_wall(local, zone),
        Err(_) => Reading::Unreadable,
    }
}

fn on_the_wall(local: DateTime, zone: &TimeZone) -> Reading {
    let with = |offset: Offset| format!("{}{offset}", local.strftime("%Y-%m-%dT%H:%M:%S"));
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => {
            ambiguous.unambiguous().map_or(Reading::Unreadable, |stamp| Reading::At(wall(stamp)))
        }
        AmbiguousOffset::Gap { before, after } => Reading::Skipped(with(before), with(after)),
        AmbiguousOffset::Fold { before, after } => Reading::Twice(with(before), with(after)),
    }
}

/// The instant that the wall clock of `zone` shows `local`: the first of two, and, where there is
/// none, by the offset before (RFC 5545 §3.3.5). None at the end of time.
pub fn resolve(local: DateTime, zone: &TimeZone) -> Option<Wall> {
    zone.to_ambiguous_timestamp(local).compatible().ok().map(wall)
}

fn wall(stamp: Timestamp) -> Wall {
    Wall::from_millis(stamp.as_millisecond())
}
