//! What the metrics tell of windows, from what is in force. Pure.

use std::time::Duration;

use super::command::Standing;
use crate::clock::Wall;
use crate::limit;
use crate::telemetry::metrics::{WindowFigures, WindowKind};
use crate::window::maintenance::{Kind, Progress};
use crate::window::state::{State, Window};

/// How windows and maintenances stand at `now`.
pub(super) fn of(standing: &Standing, now: Wall) -> WindowFigures {
    let told = State::ALL.into_iter().filter(|state| !state.is_over());
    let mut figures = WindowFigures {
        states: told.map(|state| (state.name(), [0; 3])).collect(),
        closed_cells: standing.closed_cells as u64,
        maintenances: progress(standing),
        ..WindowFigures::default()
    };
    for window in &standing.windows {
        let kind = kind_of(standing, window) as usize;
        let state = figures.states.iter_mut().find(|(name, _)| *name == window.state.name());
        if let Some((_, counts)) = state {
            counts[kind] += 1;
        }
        let since = |at: Wall| now.since(at).as_secs();
        if window.state.in_force() {
            let (longest, from) = match window.promised_end {
                Some(end) => (&mut figures.overrun[kind], end),
                None => (&mut figures.unpromised[kind], window.from()),
            };
            *longest = since(from).max(*longest);
        }
        match window.state {
            State::Planned => {
                figures.gate = since(window.plan.starts).max(figures.gate);
                figures.announced += u64::from(is_announced(standing, window, now));
            }
            State::Reopening => {
                let share = share(window, now);
                figures.ramp = Some(figures.ramp.map_or(share, |least| share.min(least)));
            }
            State::Stalled
            | State::Draining
            | State::Closed
            | State::Overrun
            | State::Verifying
            | State::Ended
            | State::Cancelled => {}
        }
    }
    figures
}

fn kind_of(standing: &Standing, window: &Window) -> WindowKind {
    let Some(phase) = &window.phase else { return WindowKind::Switch };
    let maintenance = standing.maintenance(phase.maintenance);
    match maintenance.map_or(Kind::Planned, |maintenance| maintenance.kind) {
        Kind::Planned => WindowKind::Planned,
        Kind::Emergency => WindowKind::Emergency,
    }
}

/// Each is a series of its own, so their number is bounded.
fn progress(standing: &Standing) -> Vec<(String, &'static str)> {
    let first = standing.maintenances.iter().take(limit::MAINTENANCES_EXPOSED_MAX);
    let told = first.map(|maintenance| {
        let windows = maintenance.windows.iter().filter_map(|id| standing.window(*id));
        let progress = Progress::of(windows.map(AsRef::as_ref));
        (maintenance.id.to_string(), progress.name())
    });
    told.collect()
}

fn is_announced(standing: &Standing, window: &Window, now: Wall) -> bool {
    let maintenance =
        window.phase.as_ref().and_then(|phase| standing.maintenance(phase.maintenance));
    let leads = maintenance.into_iter().flat_map(|maintenance| &maintenance.announce);
    let lead = leads.map(|lead| lead.0).max();
    lead.is_some_and(|lead| window.plan.starts.minus(lead) <= now)
}

/// The share of visitors that a ramp lets in, in percent, if it goes by time.
fn share(window: &Window, now: Wall) -> u64 {
    let Some((from, to)) = window.ramp() else { return 100 };
    let over = to.since(from).max(Duration::from_millis(1));
    let percent = now.since(from).as_millis() * 100 / over.as_millis();
    u64::try_from(percent).unwrap_or(100).min(100)
}
