//! Where what is planned differs from the document that it was laid down by: an operator extended
//! it, or it began late.

use serde::Serialize;
use utoipa::ToSchema;

use super::next::{moved, series_of};
use crate::clock::Wall;
use crate::id::Id;
use crate::limit;
use crate::window::draft::{Compiled, Given, Past};
use crate::window::event::Order;
use crate::window::maintenance::Maintenance;
use crate::window::state::Window;

/// One difference.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Drift {
    /// The window.
    pub window: Id,
    /// The field of the document: `phases[0].ends`.
    pub field: String,
    /// What the document says.
    pub declared: String,
    /// What holds.
    pub live: String,
}

/// The document of a maintenance as of its own occurrence; none if it has none, or it cannot be
/// read any more.
pub fn laid_down(maintenance: &Maintenance) -> Option<Compiled> {
    let document = maintenance.document.as_ref()?;
    let now = maintenance.created;
    let given = Given { now, drain: limit::WINDOW_DRAIN, past: Past::Allowed };
    let first = document.compile(&given).ok()?;
    let at = maintenance.recurrence.as_ref().and_then(|recurrence| recurrence.at);
    match (series_of(&first).ok()?, at) {
        (Some(series), Some(at)) => Some(moved(&first, &series, at)),
        (Some(_), None) | (None, _) => Some(first),
    }
}

/// Where the windows of a maintenance that are not over differ from its document.
pub fn drift<'a>(
    maintenance: &Maintenance,
    windows: impl IntoIterator<Item = &'a Window>,
) -> Vec<Drift> {
    let Some(compiled) = laid_down(maintenance) else { return Vec::new() };
    let mut drifts = Vec::new();
    for window in windows.into_iter().filter(|window| !window.state.is_over()) {
        let at = maintenance.windows.iter().position(|id| *id == window.id);
        let phase = at.and_then(|at| Some((at, compiled.phases.get(at)?)));
        if let Some((at, (_, order))) = phase {
            differences(at, order, window, &mut drifts);
        }
    }
    drifts
}

fn differences(at: usize, order: &Order, window: &Window, drifts: &mut Vec<Drift>) {
    let mut differ = |key: &str, declared: String, live: String| {
        if declared != live {
            let field = format!("phases[{at}].{key}");
            drifts.push(Drift { window: window.id, field, declared, live });
        }
    };
    let end = |end: Option<Wall>| end.map_or("nobody knows".to_owned(), |end| end.to_string());
    differ("ends", end(order.promised_end), end(window.promised_end));
    differ("mode", order.mode.name().to_owned(), window.mode.name().to_owned());
    let (declared, live) = (&order.scope, &window.scope);
    differ("regions", declared.regions.to_string(), live.regions.to_string());
    differ("routes", declared.routes.to_string(), live.routes.to_string());
    differ("methods", declared.methods.to_string(), live.methods.to_string());
    // One that began is told by when it did, if that was early: late is the rule, by a moment.
    let early = window.began.filter(|began| *began < order.plan.starts);
    let live = early.unwrap_or(window.plan.starts);
    differ("starts", order.plan.starts.to_string(), live.to_string());
}
