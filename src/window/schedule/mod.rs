//! When maintenances come again.

use jiff::tz::TimeZone;

use super::draft::{DraftRecurrence, Fault};
use super::maintenance::Recurrence;
use crate::clock::Wall;

pub(super) fn read(
    typed: &DraftRecurrence,
    zone_name: &str,
    _zone: &TimeZone,
    first: Option<Wall>,
    _faults: &mut Vec<Fault>,
) -> Option<Recurrence> {
    let zone = if typed.zone.is_empty() { zone_name } else { &typed.zone };
    let (rule, zone) = (typed.rule.clone(), zone.to_owned());
    Some(Recurrence { rule, zone, except: typed.except.clone(), at: first })
}
