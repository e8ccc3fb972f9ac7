//! When maintenances come again, when they may not come, and what they meet.
//!
//! A series is a rule of RFC 5545 on the wall clock of a zone: a maintenance on Sundays at 02:00
//! stays at 02:00 when the clocks change. Everything here is a pure function of its arguments,
//! and every answer is found within a stated number of steps (`limit`).

mod blackout;
mod conflict;
mod days;
mod drift;
mod next;
mod preview;
mod rule;
mod series;

use jiff::tz::TimeZone;

pub use blackout::Blackout;
pub use conflict::{Conflict, Report, With, conflicts};
pub use drift::{Drift, drift, laid_down};
pub use next::{Coming, next_occurrence, occurrence_after};
pub use preview::{Occurrence, PhaseTimes, preview};
pub use rule::{Rule, Wrong};
pub use series::{Occurrences, Series};

use super::draft::{DraftRecurrence, Fault};
use super::maintenance::Recurrence;
use crate::clock::Wall;

/// Reads a recurrence whose first occurrence is at `first`; none, after faults, if it is not one.
pub(super) fn read(
    typed: &DraftRecurrence,
    of_document: &str,
    first: Option<Wall>,
    faults: &mut Vec<Fault>,
) -> Option<Recurrence> {
    let own = [typed.zone.as_str(), of_document, "UTC"].into_iter().find(|name| !name.is_empty());
    let (rule, zone) = (typed.rule.clone(), own.unwrap_or("UTC").to_owned());
    let recurrence = Recurrence { rule, zone, except: typed.except.clone(), at: first };
    // A rule is judged even if no beginning is known: its faults are told at once with the others.
    let anchor = first.unwrap_or(Wall::from_millis(0));
    let series = match Series::of(&recurrence, anchor, "recurrence") {
        Ok(series) => series,
        Err(more) => {
            faults.extend(more);
            return None;
        }
    };
    let first = first?;
    let shown = series.from(first).next();
    if shown != Some(first) {
        let what = "the first phase does not begin on a day of the rule".to_owned();
        let help = match shown {
            Some(next) => format!("the first such day is {}", series.local(next).date()),
            None => "no day is one: is the rule over before it begins?".to_owned(),
        };
        faults.push(Fault::new("recurrence.rule", what, help));
        return None;
    }
    Some(recurrence)
}

/// The zone's wall clock at an instant, for people: `2026-11-29T16:00:00+01:00`.
fn on_the_wall(at: Wall, zone: &TimeZone) -> String {
    at.timestamp().to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}
