//! What a closed page tells: what is known of the window, and the operator's words in the language
//! of the page.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::{Lang, sample};
use crate::clock::Wall;
use crate::id::Id;

/// What a closed page tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// The window that visitors are told of.
    pub window: Id,
    /// The maintenance that it is a part of.
    pub maintenance: Option<Id>,
    /// Which part.
    pub phase: Option<PhaseNotice>,
    /// The route's title: "Claims".
    pub service: String,
    /// Who operates the site; may be empty.
    pub operator: String,
    /// Whether reading still works.
    pub read_only: bool,
    /// How far the work is.
    pub stage: Stage,
    /// Since when it is closed.
    pub since: Wall,
    /// When it returns, if anybody knows.
    pub until: Option<Wall>,
    /// Whether the promised end has passed.
    pub overrun: bool,
    /// Minutes that visitors are expected to be without it, if that is less than the whole time.
    pub disruption: Option<u64>,
    /// What operators told meanwhile, the newest first.
    pub updates: Vec<News>,
    /// The operator's words.
    #[serde(flatten)]
    pub words: Words,
    /// The same in other languages, by tag; complete, with what was not translated.
    #[serde(skip)]
    pub languages: BTreeMap<String, Words>,
}

/// What an operator says; each may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Words {
    /// What it is about.
    pub title: String,
    /// Why.
    pub reason: String,
    /// A paragraph.
    pub message: String,
    /// What cannot be done meanwhile.
    pub impact: String,
    /// What will be better.
    pub benefit: String,
    /// Whom to ask.
    pub contact: String,
    /// What to do instead.
    pub alternative: String,
}

/// Which part of a maintenance a window is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PhaseNotice {
    /// Counted from 1.
    pub number: u32,
    /// What operators call it.
    pub name: String,
}

/// Something told meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct News {
    /// When.
    pub at: Wall,
    /// What.
    pub text: String,
}

/// How far the work on a closed place is, as visitors see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It goes on.
    Closed,
    /// It takes longer than was promised.
    Overrun,
    /// It is done, and it is looked whether all is well.
    Verifying,
    /// Visitors are let in little by little.
    Reopening,
}

impl Stage {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Overrun => "overrun",
            Self::Verifying => "verifying",
            Self::Reopening => "reopening",
        }
    }

    /// The catalog's text that says so instead of that nobody knows the end.
    pub(super) const fn key(self) -> Option<&'static str> {
        match self {
            Self::Closed => None,
            Self::Overrun => Some("closed.overrun"),
            Self::Verifying => Some("closed.verifying"),
            Self::Reopening => Some("closed.reopening"),
        }
    }
}

impl Notice {
    /// One that says something everywhere, to be looked at before anything is closed.
    pub fn sample() -> Self {
        sample::notices().remove(0)
    }

    /// The same with the operator's words in this language, if there are any: those of the very
    /// tag, else of the first that is a kind of it (`pt-BR` for `pt`).
    pub(super) fn spoken(&self, lang: Lang) -> Cow<'_, Self> {
        let is = |tag: &str| tag.eq_ignore_ascii_case(lang.tag());
        let exact = self.languages.iter().find(|(tag, _)| is(tag));
        let kind = || self.languages.iter().find(|(tag, _)| tag.split('-').next().is_some_and(is));
        match exact.or_else(kind) {
            Some((_, words)) => Cow::Owned(Self { words: words.clone(), ..self.clone() }),
            None => Cow::Borrowed(self),
        }
    }
}
