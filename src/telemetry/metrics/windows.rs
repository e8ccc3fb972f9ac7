//! What control tells of windows and maintenances: how many stand where, and for how long that
//! was not meant.

use prometheus::proto::Metric;

use super::exposition::{Named, Page, counter, gauge, number};
use super::{Metrics, Told, lock};

pub(super) const WINDOWS: Named = gauge(
    "intermission_windows",
    &["state", "kind"],
    "Windows that are not over, by state, and by whether they are switches or parts of planned or emergency maintenances.",
);
pub(super) const CLOSED_CELLS: Named =
    gauge("intermission_closed_cells", &[], "Pairs of route and region that are closed.");
pub(super) const MAINTENANCE: Named = gauge(
    "intermission_maintenance_progress",
    &["maintenance", "progress"],
    "Always 1, for each maintenance that is not over: where it stands. At most 100 are told.",
);
pub(super) const DRIFT: Named = gauge(
    "intermission_maintenance_drift",
    &[],
    "Maintenances declared in files that stand otherwise than their files say: extended, or begun early.",
);
pub(super) const ANNOUNCED: Named = gauge(
    "intermission_windows_announced",
    &[],
    "Planned windows that visitors are told of ahead.",
);
pub(super) const OVERRUN: Named = gauge(
    "intermission_window_overrun_seconds",
    &["kind"],
    "How long a window has been in force after its promised end, in seconds; the longest.",
);
pub(super) const UNPROMISED: Named = gauge(
    "intermission_window_unpromised_seconds",
    &["kind"],
    "How long a window that promises no end has been in force, in seconds; the longest.",
);
pub(super) const GATE: Named = gauge(
    "intermission_gate_waiting_seconds",
    &[],
    "How long a window that should have begun has waited for the phase before it, in seconds; the longest.",
);
pub(super) const FAILED: Named = counter(
    "intermission_failed_checks_total",
    &["of"],
    "Verifications and ramps that failed: their scopes stayed closed, or were closed again.",
);
pub(super) const RAMP: Named = gauge(
    "intermission_ramp_percent",
    &[],
    "The share of visitors that is let in where a scope reopens by a ramp, in percent; the least.",
);

/// Whose window it is, in the order of the cells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WindowKind {
    /// Nobody's: a scope was switched.
    Switch,
    /// A planned maintenance's.
    Planned,
    /// An emergency's.
    Emergency,
}

impl WindowKind {
    const NAMES: [&str; 3] = ["switch", "planned", "emergency"];
}

/// What control told.
#[derive(Clone, Debug, Default)]
pub struct WindowFigures {
    /// By the name of a state, and by kind.
    pub states: Vec<(&'static str, [u64; 3])>,
    /// Cells that are closed.
    pub closed_cells: u64,
    /// Ids of maintenances that are not over, and the names of their progress.
    pub maintenances: Vec<(String, &'static str)>,
    /// Windows that visitors are told of ahead.
    pub announced: u64,
    /// Seconds after a promised end, by kind.
    pub overrun: [u64; 3],
    /// Seconds in force without a promised end, by kind.
    pub unpromised: [u64; 3],
    /// Seconds that a phase has waited for the one before it.
    pub gate: u64,
    /// The least share that a ramp lets in; none if there is no ramp.
    pub ramp: Option<u64>,
}

impl Metrics {
    /// How windows and maintenances stand.
    pub fn windows(&self, figures: WindowFigures) {
        lock(&self.0.told).windows = figures;
    }

    /// How many declared maintenances stand otherwise than their files say.
    pub fn drift(&self, count: u64) {
        lock(&self.0.told).drift = count;
    }

    /// A verification failed.
    pub fn verification_failed(&self) {
        lock(&self.0.told).failed_checks[0] += 1;
    }

    /// A ramp failed.
    pub fn ramp_failed(&self) {
        lock(&self.0.told).failed_checks[1] += 1;
    }
}

pub(super) fn expose(told: &Told, page: &mut Page) {
    let figures = &told.windows;
    let kinds = |counts: [u64; 3]| WindowKind::NAMES.into_iter().zip(counts);
    let by_kind = |counts| -> Vec<Metric> {
        kinds(counts).map(|(kind, count)| number(&[("kind", kind)], count)).collect()
    };
    let states = figures.states.iter().flat_map(|(state, counts)| {
        kinds(*counts).map(|(kind, count)| number(&[("state", state), ("kind", kind)], count))
    });
    page.add(WINDOWS, states);
    page.add(CLOSED_CELLS, [number(&[], figures.closed_cells)]);
    let progress = figures.maintenances.iter().map(|(maintenance, progress)| {
        number(&[("maintenance", maintenance), ("progress", progress)], 1)
    });
    page.add(MAINTENANCE, progress);
    page.add(DRIFT, [number(&[], told.drift)]);
    page.add(ANNOUNCED, [number(&[], figures.announced)]);
    page.add(OVERRUN, by_kind(figures.overrun));
    page.add(UNPROMISED, by_kind(figures.unpromised));
    page.add(GATE, [number(&[], figures.gate)]);
    let failed = ["verification", "ramp"].into_iter().zip(told.failed_checks);
    page.add(FAILED, failed.map(|(of, count)| number(&[("of", of)], count)));
    page.add(RAMP, figures.ramp.map(|percent| number(&[], percent)));
}
