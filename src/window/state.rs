//! The states of a window and [`Window::step`], the only way from one to the next. Pure.
//!
//! ```text
//! planned ─start─► draining ─drained│deadline─► closed ─end─► verifying ─ok─► reopening ─► ended
//!  │   └─too late│gate failed─► stalled          │ ▲            │ └──── failed ────┐│
//!  └─cancel─► cancelled                  overrun ◄─┴────────────┴──────────────────┴┘
//! ```
//!
//! From `draining` to `reopening` a window is in force. A promised end is a promise to visitors,
//! not an order to reopen, unless the plan says so; nothing reopens unverified if it is to be
//! verified, but for an operator who skips that, and for a hard limit that an operator set.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use super::event::{Author, Checks, Event, Gate, Order, Texts};
use super::history::Entry;
use super::maintenance::Phase;
use super::plan::{Plan, Reopen};
use super::scope::Scope;
use crate::clock::Wall;
use crate::id::Id;
use crate::limit;

/// One scope over one time range.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Window {
    /// Its name for ever.
    pub id: Id,
    /// Counts changes, from 1; a writer that read another version is refused.
    pub version: u64,
    /// Where in its life it is.
    pub state: State,
    /// Since when it is in that state.
    #[serde(default = "long_ago")]
    pub since: Wall,
    /// Which part of which maintenance it is; none if it is a switch.
    #[serde(default)]
    pub phase: Option<Phase>,
    /// What it closes.
    pub scope: Scope,
    /// What it does to a request.
    pub mode: Mode,
    /// What visitors are told.
    pub texts: Texts,
    /// Its course.
    #[serde(default)]
    pub plan: Plan,
    /// When it began; none before that.
    pub began: Option<Wall>,
    /// Until when requests in flight may finish; before it began, that means nothing.
    pub drain_deadline: Wall,
    /// When visitors were told it would end; none if nobody knows.
    pub promised_end: Option<Wall>,
    /// When it ended, or was cancelled.
    pub ended: Option<Wall>,
    /// Who planned it, or began it.
    pub by: String,
}

fn long_ago() -> Wall {
    Wall::from_millis(0)
}

/// Where in its life a window is.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is to begin, at its time and after the phase before it.
    Planned,
    /// It should have begun and could not: an operator starts, amends or cancels it.
    Stalled,
    /// New requests are judged closed; those in flight finish.
    Draining,
    /// Nothing is in flight, or the drain deadline has passed.
    Closed,
    /// Still closed after the promised end, or after a verification or a ramp that failed.
    Overrun,
    /// Closed, while it is tried whether the application is well.
    Verifying,
    /// Visitors are let in little by little.
    Reopening,
    /// Reopened.
    Ended,
    /// It never began.
    Cancelled,
}

impl State {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 9] = [
        Self::Planned,
        Self::Stalled,
        Self::Draining,
        Self::Closed,
        Self::Overrun,
        Self::Verifying,
        Self::Reopening,
        Self::Ended,
        Self::Cancelled,
    ];

    /// The name on the wire, in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Stalled => "stalled",
            Self::Draining => "draining",
            Self::Closed => "closed",
            Self::Overrun => "overrun",
            Self::Verifying => "verifying",
            Self::Reopening => "reopening",
            Self::Ended => "ended",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether requests are judged by this window.
    pub const fn in_force(self) -> bool {
        match self {
            Self::Draining | Self::Closed | Self::Overrun | Self::Verifying | Self::Reopening => {
                true
            }
            Self::Planned | Self::Stalled | Self::Ended | Self::Cancelled => false,
        }
    }

    /// Whether nothing can happen to it any more.
    pub const fn is_over(self) -> bool {
        match self {
            Self::Ended | Self::Cancelled => true,
            Self::Planned
            | Self::Stalled
            | Self::Draining
            | Self::Closed
            | Self::Overrun
            | Self::Verifying
            | Self::Reopening => false,
        }
    }
}

/// What a window in force does to a request. The stricter mode is the greater one.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A bounded number of requests wait for its end; the others are answered as closed.
    Hold,
    /// Safe methods (GET, HEAD, OPTIONS) pass; others are answered as closed.
    ReadOnly,
    /// Every request is answered as closed.
    #[default]
    Page,
}

impl Mode {
    /// The name on the wire, in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::ReadOnly => "read_only",
            Self::Page => "page",
        }
    }
}

/// A window after a change, and the entry that tells of it. Nothing has happened until both are
/// stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The window now.
    pub window: Window,
    /// What happened.
    pub entry: Entry,
}

/// An event that the state does not allow.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("window {window} is {}: `{event}` is not possible", state.name())]
pub struct Illegal {
    /// Which window.
    pub window: Id,
    /// Its state.
    pub state: State,
    /// The event's name.
    pub event: &'static str,
}

impl Window {
    /// A window that begins now: its scope is closed from the moment this step is published.
    pub fn begin(id: Id, order: Order, author: &Author, now: Wall) -> Step {
        let mut order = order;
        order.plan.starts = now;
        Self::laid_down(id, None, order, author, now).beginning(now).become_(
            None,
            State::Draining,
            author,
            now,
        )
    }

    /// A window that is to begin at its time.
    pub fn planned(id: Id, phase: Phase, order: Order, author: &Author, now: Wall) -> Step {
        let window = Self::laid_down(id, Some(phase), order, author, now);
        window.become_(None, State::Planned, author, now)
    }

    fn laid_down(id: Id, phase: Option<Phase>, order: Order, author: &Author, now: Wall) -> Self {
        Self {
            id,
            version: 0,
            state: State::Planned,
            since: now,
            phase,
            scope: order.scope,
            mode: order.mode,
            texts: order.texts,
            drain_deadline: order.plan.starts.plus(order.plan.drain),
            plan: order.plan,
            began: None,
            promised_end: order.promised_end,
            ended: None,
            by: author.by.clone(),
        }
    }

    /// What `event` makes of this window; `None` if nothing changes.
    pub fn step(self, event: &Event, author: &Author, now: Wall) -> Result<Option<Step>, Illegal> {
        use Event as E;
        use State as S;
        match (self.state, event) {
            (state, E::Tick(_)) if state.in_force() && self.is_over_limit(now) => {
                Ok(self.ending(now).move_to(S::Ended, author, now))
            }
            (S::Planned, E::Tick(gate)) => Ok(self.wait(*gate, author, now)),
            (S::Planned | S::Stalled, E::Begin) => {
                Ok(self.beginning(now).move_to(S::Draining, author, now))
            }
            (S::Planned | S::Stalled, E::Amend(order)) => {
                Ok(self.amended(order).move_to(S::Planned, author, now))
            }
            (S::Planned | S::Stalled, E::Cancel) => {
                Ok(self.ending(now).move_to(S::Cancelled, author, now))
            }
            (S::Planned | S::Stalled, E::Extend(end)) => {
                let to = self.state;
                Ok(self.promising(*end).move_to(to, author, now))
            }
            (S::Draining, E::Drained) => Ok(self.move_to(S::Closed, author, now)),
            // Who has the window end by itself has it end then, drained or not.
            (S::Draining, E::Tick(_)) if self.auto_end().is_some_and(|end| end <= now) => {
                Ok(self.leave(Checks::Planned, author, now))
            }
            (S::Draining, E::Tick(_)) if self.drain_deadline <= now => {
                Ok(self.move_to(S::Closed, author, now))
            }
            (S::Closed, E::Tick(_)) if self.promise_is_broken(now) => match self.plan.reopen {
                Reopen::Manual => Ok(self.move_to(S::Overrun, author, now)),
                Reopen::Auto => Ok(self.leave(Checks::Planned, author, now)),
            },
            (S::Verifying, E::Tick(_)) if self.verify_deadline() <= now => {
                Ok(self.move_to(S::Overrun, author, now))
            }
            (S::Reopening, E::Tick(_)) if self.ramp_end() <= now => {
                Ok(self.ending(now).move_to(S::Ended, author, now))
            }
            (S::Draining | S::Closed | S::Overrun, E::Amend(order)) => {
                Ok(self.amend_in_force(order, author, now))
            }
            (S::Draining, E::Extend(end)) => {
                Ok(self.promising(*end).move_to(S::Draining, author, now))
            }
            (S::Closed | S::Verifying | S::Reopening, E::Extend(end)) => {
                Ok(self.promising(*end).move_to(S::Closed, author, now))
            }
            (S::Overrun, E::Extend(end)) => {
                let extended = self.promising(*end);
                let to = if extended.promise_is_broken(now) { S::Overrun } else { S::Closed };
                Ok(extended.move_to(to, author, now))
            }
            (S::Draining | S::Closed | S::Overrun, E::End(checks)) => {
                Ok(self.leave(*checks, author, now))
            }
            (S::Verifying, E::End(Checks::Skipped)) | (S::Reopening, E::End(_)) => {
                Ok(self.ending(now).move_to(S::Ended, author, now))
            }
            (S::Verifying, E::Verified) => Ok(self.admit(author, now)),
            (S::Verifying | S::Reopening, E::Failed) => Ok(self.move_to(S::Overrun, author, now)),
            // The clock, the traffic and the probes tell what may be old news.
            (_, E::Tick(_) | E::Drained | E::Verified | E::Failed) => Ok(None),
            (_, E::Begin | E::Amend(_) | E::Extend(_) | E::End(_) | E::Cancel) => {
                Err(self.illegal(event))
            }
        }
    }

    /// Since when its scope is closed, or from when on it is to be.
    pub fn from(&self) -> Wall {
        self.began.unwrap_or(self.plan.starts)
    }

    /// Whether an amendment by `order` would change nothing.
    pub fn is_as(&self, order: &Order) -> bool {
        let starts = if self.state.in_force() { self.plan.starts } else { order.plan.starts };
        let plan = Plan { starts, ..order.plan.clone() };
        (&self.scope, self.mode, &self.texts) == (&order.scope, order.mode, &order.texts)
            && (self.promised_end, &self.plan) == (order.promised_end, &plan)
    }

    fn wait(self, gate: Gate, author: &Author, now: Wall) -> Option<Step> {
        let due = self.plan.starts <= now;
        match gate {
            Gate::Failed if self.since <= now => self.move_to(State::Stalled, author, now),
            Gate::Open | Gate::Waiting if due && self.too_late_from() <= now => {
                self.move_to(State::Stalled, author, now)
            }
            Gate::Open if due => self.beginning(now).move_to(State::Draining, author, now),
            Gate::Open | Gate::Waiting | Gate::Failed => None,
        }
    }

    /// Begun now. One that begins late by itself or by an order keeps its length: the promise was
    /// of a duration as much as of an instant.
    fn beginning(self, now: Wall) -> Self {
        let late = now.since(self.plan.starts);
        let shift = if late >= limit::WINDOW_LATE { late } else { Duration::ZERO };
        let promised_end = self.promised_end.map(|end| end.plus(shift));
        let drain_deadline = now.plus(self.plan.drain);
        Self { began: Some(now), drain_deadline, promised_end, ..self }
    }

    fn amended(self, order: &Order) -> Self {
        let Order { scope, mode, texts, promised_end, plan } = order.clone();
        Self { scope, mode, texts, promised_end, plan, ..self }
    }

    /// What is in force keeps its beginning. Where more is closed than before, that drains again.
    fn amend_in_force(self, order: &Order, author: &Author, now: Wall) -> Option<Step> {
        let allowed_before = self.plan.allow.iter();
        let closes_more = self.scope != order.scope
            || self.mode < order.mode
            || allowed_before.into_iter().any(|path| !order.plan.allow.contains(path));
        let (starts, state, drain) = (self.plan.starts, self.state, self.plan.drain);
        let mut amended = self.amended(order);
        amended.plan.starts = starts;
        if closes_more {
            amended.drain_deadline = now.plus(amended.plan.drain);
            return amended.move_to(State::Draining, author, now);
        }
        if state == State::Draining && amended.plan.drain != drain {
            amended.drain_deadline = amended.since.plus(amended.plan.drain);
        }
        let kept = state == State::Overrun && !amended.promise_is_broken(now);
        let to = if kept { State::Closed } else { state };
        amended.move_to(to, author, now)
    }

    fn leave(self, checks: Checks, author: &Author, now: Wall) -> Option<Step> {
        match checks {
            Checks::Planned if self.plan.verification.is_some() => {
                self.move_to(State::Verifying, author, now)
            }
            Checks::Planned => self.admit(author, now),
            Checks::Skipped => self.ending(now).move_to(State::Ended, author, now),
        }
    }

    fn admit(self, author: &Author, now: Wall) -> Option<Step> {
        match self.plan.ramp {
            Some(_) => self.move_to(State::Reopening, author, now),
            None => self.ending(now).move_to(State::Ended, author, now),
        }
    }

    fn ending(self, now: Wall) -> Self {
        Self { ended: Some(now), ..self }
    }

    fn promising(self, promised_end: Option<Wall>) -> Self {
        Self { promised_end, ..self }
    }

    fn move_to(self, to: State, author: &Author, now: Wall) -> Option<Step> {
        let from = self.state;
        Some(self.become_(Some(from), to, author, now))
    }

    fn become_(self, from: Option<State>, to: State, author: &Author, now: Wall) -> Step {
        let version = self.version + 1;
        let since = if from == Some(to) { self.since } else { now };
        let window = Self { version, state: to, since, ..self };
        let entry = Entry {
            window: window.id,
            version,
            at: now,
            by: author.by.clone(),
            why: author.why.clone(),
            from,
            to,
            promised_end: window.promised_end,
        };
        Step { window, entry }
    }

    fn illegal(&self, event: &Event) -> Illegal {
        Illegal { window: self.id, state: self.state, event: event.name() }
    }
}
