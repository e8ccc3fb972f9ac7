//! What can happen to a window, who orders it, and in which words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plan::Plan;
use super::scope::Scope;
use super::state::Mode;
use crate::clock::Wall;

/// What visitors are told, in the operator's words. Empty fields fall back to the pages' own.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Texts {
    /// What it is about, in a few words.
    pub title: String,
    /// Why, in a sentence: "database upgrade".
    pub reason: String,
    /// More for visitors, shown as a paragraph.
    pub message: String,
    /// What exactly cannot be done meanwhile.
    pub impact: String,
    /// What will be better afterwards.
    pub benefit: String,
    /// Whom to ask: an address, a number, a link.
    pub contact: String,
    /// What to do instead meanwhile.
    pub alternative: String,
    /// The same in other languages, by tag (`fr`, `pt-BR`); an empty field falls back to the above.
    #[schema(no_recursion)]
    pub languages: BTreeMap<String, Texts>,
}

/// What an operator asks for when switching, or plans.
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
    /// Its course.
    pub plan: Plan,
}

/// What the phase before says to a window that is to begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Gate {
    /// There is none, or it has ended.
    Open,
    /// It has not ended.
    Waiting,
    /// It never will: it was cancelled.
    Failed,
}

/// Whether an end asks for what the plan asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Checks {
    /// Verification and ramp, as planned.
    Planned,
    /// Neither: an operator knows better.
    Skipped,
}

/// Something that happens to a window.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Time has passed.
    Tick(Gate),
    /// An operator begins it, whatever its time and the phase before say.
    Begin,
    /// It shall be another one.
    Amend(Box<Order>),
    /// Nothing is in flight any more.
    Drained,
    /// The promised end is another now.
    Extend(Option<Wall>),
    /// The work is done.
    End(Checks),
    /// Everything that was to be seen was seen.
    Verified,
    /// What was tried, or what visitors were let in to, is not well.
    Failed,
    /// It shall not be.
    Cancel,
}

impl Event {
    /// The name in messages.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Tick(_) => "tick",
            Self::Begin => "start",
            Self::Amend(_) => "amend",
            Self::Drained => "drained",
            Self::Extend(_) => "extend",
            Self::End(_) => "end",
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Cancel => "cancel",
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
