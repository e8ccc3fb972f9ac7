//! What planned windows would meet: other windows over the same cells, and blackouts.

use serde::Serialize;
use utoipa::ToSchema;

use super::blackout::Blackout;
use crate::clock::Wall;
use crate::id::Id;
use crate::limit;
use crate::window::draft::Fault;
use crate::window::event::Order;
use crate::window::scope::Scope;
use crate::window::state::{State, Window};

/// A phase and what it meets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Conflict {
    /// The phase: `phases[1]`, counted from 0.
    pub field: String,
    /// What it meets.
    pub with: With,
    /// From when on both hold.
    pub from: Wall,
    /// Until when; none if nobody knows.
    pub until: Option<Wall>,
    /// What both close.
    pub scope: Scope,
}

/// What a phase meets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum With {
    /// Another window.
    Window {
        /// Which.
        id: Id,
        /// The maintenance that it is a phase of; none if it is a switch.
        maintenance: Option<Id>,
        /// Whether it is in force or to come.
        state: State,
        /// Who planned or began it.
        by: String,
    },
    /// A time in which nothing may be planned, by its name.
    Blackout(String),
}

impl Conflict {
    /// In a sentence.
    pub fn sentence(&self) -> String {
        let until = self.until.map_or("an end nobody knows".to_owned(), |until| until.to_string());
        let Scope { regions, routes, methods } = &self.scope;
        let places = format!("regions: {regions}, routes: {routes}, methods: {methods}");
        match &self.with {
            With::Window { id, state, by, .. } => format!(
                "window {id} of {by}, {}, closes the same from {} until {until} ({places})",
                state.name(),
                self.from
            ),
            With::Blackout(name) => {
                format!("it lies in the blackout `{name}`, from {} until {until}", self.from)
            }
        }
    }
}

/// What planned windows would meet.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub struct Report {
    /// In the order of phases.
    pub conflicts: Vec<Conflict>,
    /// How many there are beyond those.
    pub more: usize,
    /// Pairs of a phase and something else that were looked at.
    #[serde(skip)]
    pub looked: usize,
}

impl Report {
    /// What forbids it: blackouts, unless the document says `despite_blackout`.
    pub fn faults(&self) -> Vec<Fault> {
        let help = "choose another time, or say despite_blackout = true, which the history tells";
        let blackouts =
            self.conflicts.iter().filter(|conflict| matches!(conflict.with, With::Blackout(_)));
        let fault = |conflict: &Conflict| {
            Fault::new(format!("{}.starts", conflict.field), conflict.sentence(), help)
        };
        blackouts.map(fault).collect()
    }

    /// What does not forbid it: windows over the same cells, of which the strictest counts and the
    /// latest end is told to visitors.
    pub fn warnings(&self) -> Vec<Fault> {
        let help = "is it meant? The stricter mode counts, and the later end";
        let windows =
            self.conflicts.iter().filter(|conflict| matches!(conflict.with, With::Window { .. }));
        windows.map(|one| Fault::new(&one.field, one.sentence(), help)).collect()
    }

    fn add(&mut self, conflict: impl FnOnce() -> Conflict) {
        if self.conflicts.len() < limit::CONFLICTS_TOLD_MAX {
            self.conflicts.push(conflict());
        } else {
            self.more += 1;
        }
    }
}

/// What these phases meet: `others` are windows that are not over, without those of `own`, the
/// maintenance that is laid down anew. Blackouts come first, so that the bound never hides one.
pub fn conflicts<'a>(
    phases: &[(String, Order)],
    others: impl IntoIterator<Item = &'a Window>,
    blackouts: &[Blackout],
    own: Option<Id>,
) -> Report {
    let mut report = Report::default();
    for (at, (_, order)) in phases.iter().enumerate() {
        for blackout in blackouts {
            report.looked += 1;
            in_blackout(at, order, blackout, &mut report);
        }
    }
    let mut starts: Vec<(usize, &Order)> =
        phases.iter().map(|(_, order)| order).enumerate().collect();
    starts.sort_by_key(|(_, order)| order.plan.starts);
    for window in others {
        let same = window.phase.as_ref().is_some_and(|phase| Some(phase.maintenance) == own);
        if window.state.is_over() || same {
            continue;
        }
        let until = end_of(window);
        for (at, order) in &starts {
            report.looked += 1;
            if until.is_some_and(|until| until <= order.plan.starts) {
                // Those after it begin later still.
                break;
            }
            meets(*at, order, window, until, &mut report);
        }
    }
    report.conflicts.sort_by(|a, b| (&a.field, a.from).cmp(&(&b.field, b.from)));
    report
}

/// Until when a window holds, as far as anybody knows.
fn end_of(window: &Window) -> Option<Wall> {
    match window.state {
        // It stays closed, whatever was promised.
        State::Overrun => window.hard_limit(),
        State::Planned
        | State::Stalled
        | State::Draining
        | State::Closed
        | State::Verifying
        | State::Reopening
        | State::Ended
        | State::Cancelled => window.promised_end,
    }
}

fn meets(at: usize, order: &Order, window: &Window, until: Option<Wall>, report: &mut Report) {
    let from = order.plan.starts.max(window.from());
    let until = [order.promised_end, until].into_iter().flatten().min();
    if until.is_some_and(|until| until <= from) {
        return;
    }
    let Some(scope) = order.scope.common(&window.scope) else { return };
    report.add(|| {
        let maintenance = window.phase.as_ref().map(|phase| phase.maintenance);
        let (id, state, by) = (window.id, window.state, window.by.clone());
        let with = With::Window { id, maintenance, state, by };
        Conflict { field: format!("phases[{at}]"), with, from, until, scope }
    });
}

fn in_blackout(at: usize, order: &Order, blackout: &Blackout, report: &mut Report) {
    let (starts, ends) = (order.plan.starts, order.promised_end);
    let Some((from, until)) = blackout.meets(starts, ends, &order.scope.regions) else { return };
    report.add(|| {
        let regions = blackout.regions.common(&order.scope.regions).unwrap_or_default();
        let scope = Scope { regions, ..order.scope.clone() };
        let with = With::Blackout(blackout.name.clone());
        Conflict { field: format!("phases[{at}]"), with, from, until: Some(until), scope }
    });
}
