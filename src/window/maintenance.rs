//! What is announced: one or more windows, its phases, under one title.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::draft::Draft;
use super::state::{State, Texts, Window};
use crate::clock::Wall;
use crate::id::Id;

/// A maintenance. Its windows live on their own; this holds what they have in common.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Maintenance {
    /// Its name for ever.
    pub id: Id,
    /// Counts changes, from 1; a writer that read another version is refused.
    pub version: u64,
    /// In a few words.
    pub title: String,
    /// Whether it was planned.
    pub kind: Kind,
    /// How much it hurts.
    pub severity: Severity,
    /// Who answers for it.
    pub owner: String,
    /// What visitors are told, unless a window says otherwise.
    pub texts: Texts,
    /// Its windows, in the order of their phases. Each begins only after the one before has ended.
    pub windows: Vec<Id>,
    /// How long ahead it is announced; the longest of these begins the announcement.
    #[serde(default)]
    pub announce: Vec<Announce>,
    /// When it comes again; once if it is none.
    #[serde(default)]
    pub recurrence: Option<Recurrence>,
    /// The first maintenance of the series that this one recurs in.
    #[serde(default)]
    pub series: Option<Id>,
    /// Who declares it.
    #[serde(default)]
    pub source: Source,
    /// What operators told while it went on, oldest first.
    #[serde(default)]
    pub updates: Vec<Update>,
    /// What is said afterwards.
    #[serde(default)]
    pub aftermath: Option<Aftermath>,
    /// The document that it was last laid down by: what declared it is compared with, and what the
    /// next occurrences follow.
    #[serde(default)]
    pub document: Option<Box<Draft>>,
    /// When it was planned.
    pub created: Wall,
    /// Who planned it.
    pub by: String,
}

/// Which part of which maintenance a window is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Phase {
    /// The maintenance.
    pub maintenance: Id,
    /// Which of its phases, counted from 1.
    pub number: u32,
    /// What operators call it: "production APAC".
    #[serde(default)]
    pub name: String,
}

/// Whether a maintenance was planned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Announced ahead.
    #[default]
    Planned,
    /// Something broke.
    Emergency,
}

/// How much a maintenance hurts.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Debug,
    Hash,
    Default,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Few will notice.
    Minor,
    /// Something is away.
    #[default]
    Major,
    /// Everything is.
    Critical,
}

/// A time ahead of the first window.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, example = "24h")]
pub struct Announce(
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")] pub Duration,
);

/// When a maintenance comes again (RFC 5545 §3.3.10, the subset that `schedule` reads).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recurrence {
    /// `FREQ=WEEKLY;BYDAY=SU` and the like.
    pub rule: String,
    /// The zone whose wall clock it follows: `Europe/Paris`.
    pub zone: String,
    /// Days on which it does not come, as local dates.
    #[serde(default)]
    pub except: Vec<String>,
    /// Which occurrence this is: its beginning by the rule, whatever became of it.
    #[serde(default)]
    pub at: Option<Wall>,
}

/// Who declares a maintenance.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An operator, by API or CLI.
    #[default]
    Operator,
    /// A file of the directory of declared maintenances, by its name: edited there and only there.
    File(String),
}

/// What an operator told while it went on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Update {
    /// When.
    pub at: Wall,
    /// Who.
    pub by: String,
    /// What.
    pub text: String,
}

/// What is said afterwards.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Aftermath {
    /// What happened.
    pub text: String,
    /// The incident report.
    pub link: String,
}

/// Where a maintenance stands, seen from its windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Nothing has begun.
    Planned,
    /// A window is in force, or the next one is still to come.
    Underway,
    /// A window waits for an operator's decision.
    Stalled,
    /// Every window has ended, or was cancelled after another had ended.
    Completed,
    /// No window ever began.
    Cancelled,
}

impl Progress {
    /// The name on the wire, in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Underway => "underway",
            Self::Stalled => "stalled",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Of a maintenance with these windows.
    pub fn of<'a>(windows: impl IntoIterator<Item = &'a Window>) -> Self {
        let states: Vec<State> = windows.into_iter().map(|window| window.state).collect();
        let any = |state: State| states.contains(&state);
        if states.iter().all(|state| state.is_over()) {
            return if any(State::Ended) { Self::Completed } else { Self::Cancelled };
        }
        if any(State::Stalled) {
            return Self::Stalled;
        }
        let begun = states.iter().any(|state| state.in_force() || *state == State::Ended);
        if begun { Self::Underway } else { Self::Planned }
    }
}
