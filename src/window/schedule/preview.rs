//! The next occurrences of a document, before it is saved.

use serde::Serialize;
use utoipa::ToSchema;

use super::blackout::Blackout;
use super::next::{blacked_out, moved, series_of};
use super::on_the_wall;
use crate::clock::Wall;
use crate::limit;
use crate::window::draft::{Compiled, Draft, Fault, Given, Past, read_zone};

/// One occurrence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Occurrence {
    /// Its phases, in their order.
    pub phases: Vec<PhaseTimes>,
    /// The blackout that it lies in: it will be passed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blackout: Option<String>,
}

/// When one phase is to be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct PhaseTimes {
    /// What operators call it.
    pub name: String,
    /// When it is to begin.
    pub starts: Wall,
    /// When it is promised to end.
    pub ends: Option<Wall>,
    /// The beginning on the wall clock of the document's zone.
    pub local_starts: String,
    /// The end on that clock.
    pub local_ends: Option<String>,
}

/// The first `count` occurrences that are not over at `given.now`; one if it does not recur.
pub fn preview(
    draft: &Draft,
    count: usize,
    given: &Given,
    blackouts: &[Blackout],
) -> Result<Vec<Occurrence>, Vec<Fault>> {
    let first = draft.compile(&Given { past: Past::Allowed, ..*given })?;
    let blackouts = if draft.despite_blackout { &[] } else { blackouts };
    let Some(series) = series_of(&first)? else {
        return Ok(vec![occurrence(draft, &first, blackouts)]);
    };
    let count = count.min(limit::PREVIEW_OCCURRENCES_MAX);
    let coming = series.from(given.now).take(count);
    Ok(coming.map(|at| occurrence(draft, &moved(&first, &series, at), blackouts)).collect())
}

fn occurrence(draft: &Draft, compiled: &Compiled, blackouts: &[Blackout]) -> Occurrence {
    let recurrence = compiled.maintenance.recurrence.as_ref();
    let zone = recurrence.map_or(draft.zone.as_str(), |recurrence| &recurrence.zone);
    let zone = read_zone(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let times = compiled.phases.iter().map(|(name, order)| PhaseTimes {
        name: name.clone(),
        starts: order.plan.starts,
        ends: order.promised_end,
        local_starts: on_the_wall(order.plan.starts, &zone),
        local_ends: order.promised_end.map(|end| on_the_wall(end, &zone)),
    });
    let blackout = blacked_out(&compiled.phases, blackouts);
    Occurrence { phases: times.collect(), blackout }
}
