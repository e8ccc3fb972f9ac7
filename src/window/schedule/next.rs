//! The next occurrence of a maintenance that comes again.

use super::blackout::Blackout;
use super::series::Series;
use crate::clock::Wall;
use crate::limit;
use crate::window::draft::{Compiled, Draft, Fault, Given, Past};
use crate::window::event::Order;
use crate::window::maintenance::Maintenance;

/// An occurrence that is to be planned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coming {
    /// The maintenance and its phases, moved to their time.
    pub compiled: Compiled,
    /// Occurrences that were passed over, and the blackouts that they lie in.
    pub skipped: Vec<(Wall, String)>,
}

/// What comes after `maintenance`, of which everything is over, or which was cancelled; none if
/// it does not come again. What has passed meanwhile is not made up for.
pub fn next_occurrence(
    maintenance: &Maintenance,
    given: &Given,
    blackouts: &[Blackout],
) -> Result<Option<Coming>, Vec<Fault>> {
    let (Some(draft), Some(recurrence)) = (&maintenance.document, &maintenance.recurrence) else {
        return Ok(None);
    };
    let after = recurrence.at.unwrap_or(given.now).max(given.now);
    let Some(mut coming) = occurrence_after(draft, after, given, blackouts)? else {
        return Ok(None);
    };
    let next = &mut coming.compiled.maintenance;
    next.series = Some(maintenance.series.unwrap_or(maintenance.id));
    next.source = maintenance.source.clone();
    next.by.clone_from(&maintenance.by);
    Ok(Some(coming))
}

/// The first occurrence of a document after `after` that lies in no blackout; none if there is
/// none, or the document does not recur.
pub fn occurrence_after(
    draft: &Draft,
    after: Wall,
    given: &Given,
    blackouts: &[Blackout],
) -> Result<Option<Coming>, Vec<Fault>> {
    let first = draft.compile(&Given { past: Past::Allowed, ..*given })?;
    let Some(series) = series_of(&first)? else { return Ok(None) };
    let mut skipped = Vec::new();
    let from = Wall::from_millis(after.millis().saturating_add(1));
    for at in series.from(from).take(limit::BLACKED_OUT_MAX) {
        let compiled = moved(&first, &series, at);
        let blackout = (!draft.despite_blackout).then(|| blacked_out(&compiled.phases, blackouts));
        match blackout.flatten() {
            Some(name) => skipped.push((at, name)),
            None => return Ok(Some(Coming { compiled, skipped })),
        }
    }
    Ok(None)
}

/// The series of a compiled document, anchored at the occurrence that the document writes out.
pub(super) fn series_of(first: &Compiled) -> Result<Option<Series>, Vec<Fault>> {
    let starts = first.phases.first().map(|(_, order)| order.plan.starts);
    match (&first.maintenance.recurrence, starts) {
        (Some(recurrence), Some(starts)) => Series::of(recurrence, starts, "recurrence").map(Some),
        (None, _) | (_, None) => Ok(None),
    }
}

/// The occurrence at `at`: every phase moved by as many days on the wall clock.
pub(super) fn moved(first: &Compiled, series: &Series, at: Wall) -> Compiled {
    let days = series.days_to(at);
    let mut compiled = first.clone();
    for (_, order) in &mut compiled.phases {
        move_order(order, series, days);
    }
    if let Some(recurrence) = &mut compiled.maintenance.recurrence {
        recurrence.at = Some(at);
    }
    compiled
}

fn move_order(order: &mut Order, series: &Series, days: i32) {
    let starts = order.plan.starts;
    let length = order.promised_end.map(|end| end.since(starts));
    let moved = series.moved(starts, days).unwrap_or(starts);
    let end = order.promised_end.and_then(|end| series.moved(end, days));
    order.plan.starts = moved;
    // A clock that is put forward over the whole of a short window leaves its length.
    order.promised_end = match (end, length) {
        (Some(end), _) if end > moved => Some(end),
        (_, Some(length)) => Some(moved.plus(length)),
        (_, None) => None,
    };
}

/// The first blackout that one of the phases lies in.
pub(super) fn blacked_out(phases: &[(String, Order)], blackouts: &[Blackout]) -> Option<String> {
    let meets = |blackout: &&Blackout| {
        phases.iter().any(|(_, order)| {
            let (starts, ends) = (order.plan.starts, order.promised_end);
            blackout.meets(starts, ends, &order.scope.regions).is_some()
        })
    };
    blackouts.iter().find(meets).map(|blackout| blackout.name.clone())
}
