//! The states of a window and [`Window::step`], the only way from one to the next. Pure.
//!
//! ```text
//!  begin ─► draining ─drained│deadline─► closed ─promised end passes─► overrun
//!              │                            │  ◄────── extend ──────────┤
//!              └──────────── end ───────────┴───────────────────────────┴──► ended
//! ```
//!
//! New requests are judged closed in `draining`, `closed` and `overrun` alike. A promised end is
//! a promise to visitors, not an order to reopen: nothing reopens before an operator says so.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::history::Entry;
use super::scope::Scope;
use crate::clock::Wall;
use crate::id::Id;

/// One scope over one time range.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Window {
    /// Its name for ever.
    pub id: Id,
    /// Counts changes, from 1; a writer that read another version is refused.
    pub version: u64,
    /// Where in its life it is.
    pub state: State,
    /// What it closes.
    pub scope: Scope,
    /// What it does to a request.
    pub mode: Mode,
    /// What visitors are told.
    pub texts: Texts,
    /// When it began.
    pub began: Wall,
    /// Until when requests in flight may finish.
    pub drain_deadline: Wall,
    /// When visitors were told it would end; none if nobody knows.
    pub promised_end: Option<Wall>,
    /// When it ended.
    pub ended: Option<Wall>,
    /// Who began it.
    pub by: String,
}

/// Where in its life a window is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// New requests are judged closed; those in flight finish.
    Draining,
    /// Nothing is in flight, or the drain deadline has passed.
    Closed,
    /// Still closed after the promised end.
    Overrun,
    /// Reopened.
    Ended,
}

impl State {
    /// The name on the wire, in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Closed => "closed",
            Self::Overrun => "overrun",
            Self::Ended => "ended",
        }
    }

    /// Whether requests are judged by this window.
    pub const fn in_force(self) -> bool {
        match self {
            Self::Draining | Self::Closed | Self::Overrun => true,
            Self::Ended => false,
        }
    }
}

/// What a window in force does to a request. The stricter mode is the greater one.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
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
            Self::ReadOnly => "read_only",
            Self::Page => "page",
        }
    }
}

/// What visitors are told, in the operator's words. Empty fields fall back to the pages' own.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Texts {
    /// Why, in a sentence: "database upgrade".
    pub reason: String,
    /// More for visitors, shown as a paragraph.
    pub message: String,
    /// Whom to ask: an address, a number, a link.
    pub contact: String,
    /// What to do instead meanwhile.
    pub alternative: String,
}

/// What an operator asks for when switching.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// What to close.
    pub scope: Scope,
    /// What to do to requests.
    pub mode: Mode,
    /// What visitors are told.
    pub texts: Texts,
    /// When it will end, if anybody knows.
    pub promised_end: Option<Wall>,
    /// How long requests in flight may take to finish.
    pub drain: Duration,
}

/// Something that happens to a window.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// Nothing is in flight any more.
    Drained,
    /// The promised end is another now.
    Extend(Option<Wall>),
    /// The scope reopens.
    End,
}

impl Event {
    const fn name(&self) -> &'static str {
        match self {
            Self::Tick => "tick",
            Self::Drained => "drained",
            Self::Extend(_) => "extend",
            Self::End => "end",
        }
    }
}

/// Who does something, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author {
    /// A token's name, or `intermission`.
    pub by: String,
    /// In words.
    pub why: String,
}

impl Author {
    /// The proxy itself.
    pub fn intermission(why: &str) -> Self {
        Self { by: "intermission".to_owned(), why: why.to_owned() }
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
        let window = Self {
            id,
            version: 0,
            state: State::Draining,
            scope: order.scope,
            mode: order.mode,
            texts: order.texts,
            began: now,
            drain_deadline: now.plus(order.drain),
            promised_end: order.promised_end,
            ended: None,
            by: author.by.clone(),
        };
        window.become_(None, State::Draining, author, now)
    }

    /// What `event` makes of this window; `None` if nothing changes.
    pub fn step(self, event: &Event, author: &Author, now: Wall) -> Result<Option<Step>, Illegal> {
        use Event as E;
        use State as S;
        match (self.state, event) {
            (S::Draining, E::Drained) => Ok(self.move_to(S::Closed, author, now)),
            (S::Draining, E::Tick) if self.drain_deadline <= now => {
                Ok(self.move_to(S::Closed, author, now))
            }
            (S::Closed, E::Tick) if self.promise_is_broken(now) => {
                Ok(self.move_to(S::Overrun, author, now))
            }
            (S::Draining | S::Closed | S::Overrun | S::Ended, E::Tick)
            | (S::Closed | S::Overrun | S::Ended, E::Drained) => Ok(None),
            (S::Draining | S::Closed, E::Extend(end)) => {
                let to = self.state;
                Ok(self.promising(*end).move_to(to, author, now))
            }
            (S::Overrun, E::Extend(end)) => {
                let extended = self.promising(*end);
                let to = if extended.promise_is_broken(now) { S::Overrun } else { S::Closed };
                Ok(extended.move_to(to, author, now))
            }
            (S::Draining | S::Closed | S::Overrun, E::End) => {
                Ok(Self { ended: Some(now), ..self }.move_to(S::Ended, author, now))
            }
            (S::Ended, E::Extend(_) | E::End) => Err(self.illegal(event)),
        }
    }

    /// When the clock will next change this window by itself.
    pub fn next_deadline(&self) -> Option<Wall> {
        match self.state {
            State::Draining => Some(self.drain_deadline),
            State::Closed => self.promised_end,
            State::Overrun | State::Ended => None,
        }
    }

    fn promise_is_broken(&self, now: Wall) -> bool {
        self.promised_end.is_some_and(|end| end <= now)
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
        let window = Self { version, state: to, ..self };
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
