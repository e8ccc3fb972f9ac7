//! How times, spans and scopes are written for people.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::Fault;
use crate::clock::{Clock, Wall};

/// `12 s`, `15 min`, `3 h 12 min`, `2 d 4 h`.
pub(super) fn span(span: Duration) -> String {
    let secs = span.as_secs();
    let (days, hours, minutes) = (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{secs} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// `15:02`, with the day where it is another than `now`'s.
pub(super) fn instant(at: Wall, now: Wall, zone: &TimeZone) -> String {
    let (at, now) = (at.timestamp().to_zoned(zone.clone()), now.timestamp().to_zoned(zone.clone()));
    let form = if at.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.strftime(form).to_string()
}

/// `15:02 (12 min ago)`
pub(super) fn since(at: Wall, now: Wall, zone: &TimeZone) -> String {
    format!("{} ({} ago)", instant(at, now, zone), span(now.since(at)))
}

/// `15:17 (in 3 min)`, `15:17 (2 min overdue)`, `not known`
pub(super) fn until(at: Option<Wall>, now: Wall, zone: &TimeZone) -> String {
    match at {
        None => "not known".to_owned(),
        Some(at) if at <= now => {
            format!("{} ({} overdue)", instant(at, now, zone), span(now.since(at)))
        }
        Some(at) => format!("{} (in {})", instant(at, now, zone), span(nearest(at.since(now)))),
    }
}

/// To whole minutes where minutes are told: what ends in 14 min 59 s ends in 15 min.
fn nearest(left: Duration) -> Duration {
    let half = Duration::from_secs(30);
    if left < half * 2 { left } else { left + half }
}

/// Reads `2026-11-21T16:00:00Z`, or `16:00` as the next time the clock on this wall shows it.
pub(super) fn parse_until(text: &str, clock: &Clock, zone: &TimeZone) -> Result<Wall, Fault> {
    if let Ok(at) = Wall::parse(text) {
        return Ok(at);
    }
    let wanted = || {
        let forms = "16:00, or an instant such as 2026-11-21T16:00:00+01:00";
        Fault::Usage(format!("\"{text}\" is no time; write {forms}"))
    };
    let time = jiff::civil::Time::strptime("%H:%M", text).map_err(|_| wanted())?;
    let now = clock.now();
    let today = now.timestamp().to_zoned(zone.clone()).date();
    let tomorrow = today.tomorrow().map_err(|_| wanted())?;
    for day in [today, tomorrow] {
        let at = day.to_datetime(time).to_zoned(zone.clone()).map_err(|_| wanted())?;
        let at = Wall::from_millis(at.timestamp().as_millisecond());
        if now < at {
            return Ok(at);
        }
    }
    Err(wanted())
}

/// An id as it may stand in a path of the admin API.
pub(super) fn segment(id: &str) -> Result<&str, Fault> {
    if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(id);
    }
    Err(Fault::Usage(format!("\"{id}\" is no window's id; `intermission status` lists them")))
}

/// A name as one segment of a path: whatever could be taken for more is escaped (RFC 3986 §2.1).
pub(super) fn escaped(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                segment.push(char::from(byte));
            }
            _ => segment.push_str(&format!("%{byte:02X}")),
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        let said = [0, 59, 60, 3_600, 3_720, 86_400, 187_200].map(Duration::from_secs).map(span);
        assert_eq!(said, ["0 s", "59 s", "1 min", "1 h", "1 h 2 min", "1 d", "2 d 4 h"]);
    }

    #[test]
    fn a_time_of_day_is_the_next_one() {
        let noon = Wall::parse("2026-11-21T12:00:00Z").expect("an instant");
        let clock = Clock::manual(noon);
        let at = |text| parse_until(text, &clock, &TimeZone::UTC).expect("a time").rfc3339();
        assert_eq!(at("16:00"), "2026-11-21T16:00:00Z");
        assert_eq!(at("12:00"), "2026-11-22T12:00:00Z");
        assert_eq!(at("2026-11-21T16:00:00+01:00"), "2026-11-21T15:00:00Z");
        assert!(parse_until("soon", &clock, &TimeZone::UTC).is_err());
    }
}
