//! What is told of a maintenance afterwards: what was planned, what came of it, and whom it met.
//! Pure: from the windows, their history and what was counted.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::history::Entry;
use super::maintenance::{Aftermath, Kind, Maintenance, Progress, Severity, Update};
use super::scope::Scope;
use super::state::{Mode, State, Window};
use super::tally::{Pages, Tally};
use crate::clock::Wall;
use crate::id::Id;

mod markdown;

/// A window, and everything that is known of it.
#[derive(Clone, Debug)]
pub struct Told {
    /// As it is now.
    pub window: Window,
    /// Its history, oldest first.
    pub history: Vec<Entry>,
    /// What it did to visitors.
    pub tally: Tally,
    /// What became of the forms that it kept.
    pub submissions: Submissions,
}

/// Submissions by what became of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub struct Submissions {
    /// All that were kept.
    pub kept: u64,
    /// The application took them.
    pub sent: u64,
    /// The application did not take them.
    pub refused: u64,
    /// Whether they arrived is not known.
    pub unknown: u64,
    /// They wait for their owners.
    pub waiting: u64,
    /// Nobody came for them, or nobody can open them.
    pub expired: u64,
    /// Their owners deleted them.
    pub discarded: u64,
}

/// The report of a maintenance, or of a switch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Report {
    /// When it was made: what is not over goes on.
    pub at: Wall,
    /// Which maintenance; none for a switch.
    pub maintenance: Option<Id>,
    /// What it was about.
    pub title: String,
    /// Whether it was planned.
    pub kind: Kind,
    /// How much it hurt.
    pub severity: Severity,
    /// Who answers for it.
    pub owner: String,
    /// Where it stands.
    pub progress: Progress,
    /// From the first planned start to the last promised end.
    pub planned: Range,
    /// From the first beginning to the last end.
    pub real: Range,
    /// Its windows, in the order of their phases.
    pub windows: Vec<OfWindow>,
    /// The longest time that each scope was closed without a pause.
    pub disruptions: Vec<Disruption>,
    /// Over all windows.
    pub totals: Totals,
    /// What operators told meanwhile.
    pub updates: Vec<Update>,
    /// What is said afterwards.
    pub aftermath: Option<Aftermath>,
}

/// From when to when; what is not known, or not yet, is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub struct Range {
    /// The beginning.
    pub from: Option<Wall>,
    /// The end.
    pub to: Option<Wall>,
}

/// What is told of one window.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct OfWindow {
    /// Which one.
    pub window: Id,
    /// Which phase, counted from 1; none for a switch.
    pub phase: Option<u32>,
    /// What operators call it.
    pub name: String,
    /// What it closed.
    pub scope: Scope,
    /// What it did to requests.
    pub mode: Mode,
    /// Where it stands.
    pub state: State,
    /// As it was planned when it began: its start, and the end that was promised first.
    pub planned: Range,
    /// As it was.
    pub real: Range,
    /// How long it was in force.
    #[serde(with = "span")]
    #[schema(value_type = String, example = "1h 2m")]
    pub in_force: Duration,
    /// How long after its start it began.
    #[serde(with = "span")]
    #[schema(value_type = String, example = "1h 2m")]
    pub late: Duration,
    /// How long it was in force after the end that visitors were promised at that time.
    #[serde(with = "span")]
    #[schema(value_type = String, example = "1h 2m")]
    pub overrun: Duration,
    /// How often its end was put off, or taken back.
    pub extensions: u32,
    /// How often a verification or a ramp failed.
    pub failures: u32,
    /// What happened, oldest first.
    pub timeline: Vec<Entry>,
    /// Whom it met.
    pub totals: Totals,
}

/// How long a scope was closed without a pause, at most.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Disruption {
    /// What was closed.
    pub scope: Scope,
    /// How long.
    #[serde(with = "span")]
    #[schema(value_type = String, example = "1h 2m")]
    pub longest: Duration,
}

/// Numbers of visitors, requests and forms.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub struct Totals {
    /// Requests that were answered as closed.
    pub refused: u64,
    /// The same, by the kind of the answer.
    pub pages: Pages,
    /// Requests that waited.
    pub held: u64,
    /// Those of them that went on.
    pub released: u64,
    /// About how many different client addresses were answered as closed.
    pub visitors: u64,
    /// Forms that were not kept.
    pub forms_not_kept: u64,
    /// What became of those that were.
    pub submissions: Submissions,
}

/// Times as a person would say them, to the millisecond: `1h 2m`.
mod span {
    pub(super) use jiff::fmt::serde::unsigned_duration::friendly::compact::required::serialize;
}

impl Report {
    /// Of a maintenance, or of a switch, whose windows are these.
    pub fn of(maintenance: Option<&Maintenance>, told: &[Told], at: Wall) -> Self {
        let windows: Vec<OfWindow> = told.iter().map(|told| OfWindow::of(told, at)).collect();
        let title = |told: &Told| told.window.texts.title.clone();
        let progress = Progress::of(told.iter().map(|told| &told.window));
        let mut all = Tally::default();
        told.iter().for_each(|told| all.add(&told.tally));
        let forms = told.iter().map(|told| told.submissions).fold(Submissions::default(), sum);
        let over = told.iter().all(|told| told.window.state.is_over());
        let ends: Option<Vec<Wall>> = windows.iter().map(|window| window.planned.to).collect();
        Self {
            at,
            maintenance: maintenance.map(|maintenance| maintenance.id),
            title: maintenance.map_or_else(
                || told.first().map(title).unwrap_or_default(),
                |maintenance| maintenance.title.clone(),
            ),
            kind: maintenance.map_or(Kind::Emergency, |maintenance| maintenance.kind),
            severity: maintenance.map_or(Severity::default(), |m| m.severity),
            owner: maintenance.map_or_else(
                || told.first().map(|told| told.window.by.clone()).unwrap_or_default(),
                |maintenance| maintenance.owner.clone(),
            ),
            progress,
            planned: Range {
                from: windows.iter().filter_map(|window| window.planned.from).min(),
                to: ends.and_then(|ends| ends.into_iter().max()),
            },
            real: Range {
                from: windows.iter().filter_map(|window| window.real.from).min(),
                to: windows.iter().filter_map(|window| window.real.to).max().filter(|_| over),
            },
            disruptions: disruptions(&windows, at),
            windows,
            totals: Totals::of(&all, forms),
            updates: maintenance.map(|m| m.updates.clone()).unwrap_or_default(),
            aftermath: maintenance.and_then(|m| m.aftermath.clone()),
        }
    }
}

impl OfWindow {
    fn of(told: &Told, at: Wall) -> Self {
        let Told { window, history, tally, submissions } = told;
        let began = window.began;
        // A promise that moved because the window began late is not what was planned.
        let plans = history.iter().rfind(|entry| is_to_come(entry.to));
        let promised = plans.or(history.first()).and_then(|entry| entry.promised_end);
        let ended = window.ended.filter(|_| began.is_some());
        let until = ended.unwrap_or(at);
        let (extensions, failures) = (extensions(history), failures(history));
        Self {
            window: window.id,
            phase: window.phase.as_ref().map(|phase| phase.number),
            name: window.phase.as_ref().map(|phase| phase.name.clone()).unwrap_or_default(),
            scope: window.scope.clone(),
            mode: window.mode,
            state: window.state,
            planned: Range { from: Some(window.plan.starts), to: promised },
            real: Range { from: began, to: ended },
            in_force: began.map_or(Duration::ZERO, |began| until.since(began)),
            late: began.map_or(Duration::ZERO, |began| began.since(window.plan.starts)),
            overrun: overrun(history, until),
            extensions,
            failures,
            timeline: history.clone(),
            totals: Totals::of(tally, *submissions),
        }
    }
}

impl Totals {
    fn of(tally: &Tally, submissions: Submissions) -> Self {
        Self {
            refused: tally.pages.total(),
            pages: tally.pages,
            held: tally.held,
            released: tally.released,
            visitors: tally.visitors.count(),
            forms_not_kept: tally.not_kept,
            submissions,
        }
    }
}

fn is_to_come(state: State) -> bool {
    matches!(state, State::Planned | State::Stalled)
}

fn in_force_before(entry: &Entry) -> bool {
    entry.from.is_some_and(State::in_force)
}

/// Each entry holds until the next one; the last one until `until`.
fn overrun(history: &[Entry], until: Wall) -> Duration {
    let ends = history.iter().skip(1).map(|entry| entry.at).chain([until]);
    let past = history.iter().zip(ends).filter(|(entry, _)| entry.to.in_force());
    past.filter_map(|(entry, end)| Some(end.since(entry.promised_end?.max(entry.at)))).sum()
}

fn extensions(history: &[Entry]) -> u32 {
    let pairs = history.iter().zip(history.iter().skip(1));
    let later = pairs.filter(|(before, after)| {
        in_force_before(after)
            && match (before.promised_end, after.promised_end) {
                (Some(before), Some(after)) => after > before,
                (Some(_), None) => true,
                (None, _) => false,
            }
    });
    u32::try_from(later.count()).unwrap_or(u32::MAX)
}

fn failures(history: &[Entry]) -> u32 {
    let failed = history.iter().filter(|entry| {
        let looked_at = matches!(entry.from, Some(State::Verifying | State::Reopening));
        looked_at && entry.to == State::Overrun
    });
    u32::try_from(failed.count()).unwrap_or(u32::MAX)
}

/// The longest time that each scope was closed. Windows over one scope that follow each other
/// without a pause are one time to visitors.
fn disruptions(windows: &[OfWindow], at: Wall) -> Vec<Disruption> {
    let mut closed: Vec<(&Scope, Wall, Wall)> = windows
        .iter()
        .filter_map(|one| Some((&one.scope, one.real.from?, one.real.to.unwrap_or(at))))
        .collect();
    closed.sort_by_key(|(_, from, _)| *from);
    let mut joined: Vec<(&Scope, Wall, Wall)> = Vec::new();
    for (scope, from, to) in closed {
        let before = joined.iter_mut().rev().find(|(known, _, _)| *known == scope);
        match before {
            Some((_, _, until)) if from <= *until => *until = to.max(*until),
            Some(_) | None => joined.push((scope, from, to)),
        }
    }
    let mut longest: Vec<Disruption> = Vec::new();
    for (scope, from, to) in joined {
        let time = to.since(from);
        match longest.iter_mut().find(|known| known.scope == *scope) {
            Some(known) => known.longest = known.longest.max(time),
            None => longest.push(Disruption { scope: scope.clone(), longest: time }),
        }
    }
    longest
}

fn sum(a: Submissions, b: Submissions) -> Submissions {
    Submissions {
        kept: a.kept + b.kept,
        sent: a.sent + b.sent,
        refused: a.refused + b.refused,
        unknown: a.unknown + b.unknown,
        waiting: a.waiting + b.waiting,
        expired: a.expired + b.expired,
        discarded: a.discarded + b.discarded,
    }
}
