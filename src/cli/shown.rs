//! Windows and maintenances, as far as commands show them.

use serde::Deserialize;

use crate::clock::Wall;

/// A window.
#[derive(Deserialize, Debug)]
pub struct WindowShown {
    /// Its name for ever.
    pub id: String,
    /// The name of its state.
    pub state: String,
    /// The name of its mode.
    pub mode: String,
    /// When it began; none before that.
    pub began: Option<Wall>,
    /// When it will end, as visitors were told.
    pub promised_end: Option<Wall>,
    /// Requests under way in its scope.
    #[serde(default)]
    pub in_flight_total: u64,
    /// When it ended.
    #[serde(default)]
    pub ended: Option<Wall>,
    /// Which part of which maintenance it is; none if it is a switch.
    #[serde(default)]
    pub phase: Option<PhaseShown>,
    #[serde(default)]
    pub(super) plan: PlanShown,
    pub(super) scope: ScopeShown,
    pub(super) texts: TextsShown,
    pub(super) by: String,
    pub(super) drain_deadline: Wall,
    #[serde(default)]
    pub(super) in_flight: Vec<PlaceShown>,
}

/// Which part of which maintenance a window is.
#[derive(Deserialize, Debug)]
pub struct PhaseShown {
    /// The maintenance.
    pub maintenance: String,
    /// Counted from 1.
    pub number: u32,
    /// What operators call it.
    #[serde(default)]
    pub name: String,
}

/// Requests under way at one place.
#[derive(Deserialize, Debug)]
pub(super) struct PlaceShown {
    pub(super) route: String,
    pub(super) region: String,
    pub(super) count: u64,
}

#[derive(Deserialize, Debug, Default)]
pub(super) struct PlanShown {
    pub(super) starts: Option<Wall>,
}

#[derive(Deserialize, Debug)]
pub(super) struct ScopeShown {
    pub(super) regions: Names,
    pub(super) routes: Names,
    #[serde(default)]
    pub(super) methods: Names,
}

#[derive(Deserialize, Debug)]
pub(super) struct TextsShown {
    #[serde(default)]
    pub(super) reason: String,
}

/// `"all"`, or a list.
#[derive(Deserialize, Debug)]
#[serde(untagged)]
pub(super) enum Names {
    All(Word),
    Listed(Vec<String>),
}

/// The one word that may stand in place of a list.
#[derive(Deserialize, Debug)]
pub(super) enum Word {
    #[serde(rename = "all")]
    All,
}

impl Default for Names {
    fn default() -> Self {
        Self::All(Word::All)
    }
}

impl Names {
    fn text(&self, kind: &str) -> String {
        match self {
            Self::All(Word::All) => format!("all {kind}"),
            Self::Listed(names) => names.join(", "),
        }
    }
}

impl ScopeShown {
    /// `claims in apac`, `POST of claims in apac`
    pub(super) fn place(&self) -> String {
        let Self { regions, routes, methods } = self;
        let place = format!("{} in {}", routes.text("routes"), regions.text("regions"));
        match methods {
            Names::All(Word::All) => place,
            Names::Listed(methods) => format!("{} of {place}", methods.join(", ")),
        }
    }
}

impl WindowShown {
    /// `claims in apac`
    pub fn place(&self) -> String {
        self.scope.place()
    }

    /// `phase 2, production APAC`, or `switch`.
    pub(super) fn part(&self) -> String {
        match &self.phase {
            None => "switch".to_owned(),
            Some(PhaseShown { number, name, .. }) if name.is_empty() => format!("phase {number}"),
            Some(PhaseShown { number, name, .. }) => format!("phase {number}, {name}"),
        }
    }

    /// Whether requests are judged by it.
    pub(super) fn in_force(&self) -> bool {
        ["draining", "closed", "overrun", "verifying", "reopening"].contains(&self.state.as_str())
    }

    /// Whether nothing can happen to it any more.
    pub(super) fn is_over(&self) -> bool {
        ["ended", "cancelled"].contains(&self.state.as_str())
    }

    /// When it began, or is to begin.
    pub(super) fn starts(&self) -> Option<Wall> {
        self.began.or(self.plan.starts)
    }
}

/// A maintenance.
#[derive(Deserialize, Debug)]
pub(super) struct MaintenanceShown {
    pub(super) id: String,
    pub(super) title: String,
    #[serde(default)]
    pub(super) progress: String,
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) severity: String,
    #[serde(default)]
    pub(super) owner: String,
    #[serde(default)]
    pub(super) by: String,
    #[serde(default)]
    pub(super) created: Option<Wall>,
    #[serde(default)]
    pub(super) recurrence: Option<RecurrenceShown>,
    #[serde(default)]
    pub(super) updates: Vec<UpdateShown>,
    #[serde(default)]
    pub(super) aftermath: Option<AftermathShown>,
    #[serde(default)]
    pub(super) source: SourceShown,
    #[serde(default)]
    pub(super) drift: Vec<DriftShown>,
}

/// Who declares a maintenance.
#[derive(Deserialize, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub(super) enum SourceShown {
    #[default]
    Operator,
    File(String),
}

/// Where a maintenance differs from the document that it was laid down by.
#[derive(Deserialize, Debug)]
pub(super) struct DriftShown {
    pub(super) field: String,
    pub(super) declared: String,
    pub(super) live: String,
}

impl MaintenanceShown {
    /// A line for each difference: `phases[0].ends: 18:00 declared, 19:00 in force`.
    pub(super) fn drifts(&self) -> String {
        let line = |drift: &DriftShown| {
            let DriftShown { field, declared, live } = drift;
            format!("  {field}: {declared} declared, {live} in force\n")
        };
        self.drift.iter().map(line).collect()
    }
}

#[derive(Deserialize, Debug)]
pub(super) struct RecurrenceShown {
    pub(super) rule: String,
    pub(super) zone: String,
}

#[derive(Deserialize, Debug)]
pub(super) struct UpdateShown {
    pub(super) at: Wall,
    pub(super) by: String,
    pub(super) text: String,
}

#[derive(Deserialize, Debug)]
pub(super) struct AftermathShown {
    #[serde(default)]
    pub(super) text: String,
    #[serde(default)]
    pub(super) link: String,
}
