//! A page of the application on its way to a visitor whose form it holds: the answers are put
//! back into the form before the page arrives, so that it works without any script.
//!
//! ```text
//!  page ─► held back ─► survey (which forms, which controls) ─► plan (which answer goes where)
//!                │                                                        │
//!                └────────────── too long, or no page ──► as it was       └─► write ─► page
//! ```
//!
//! The page is held back whole, within [`limit::FILLED_PAGE_BYTES_MAX`], because which form is
//! meant may show only at its end. That is one page for one visitor who has just asked for it; no
//! other answer comes here. What is written is ASCII, other characters as references, so that it
//! is right in whatever encoding the page has.

mod plan;
mod survey;
mod write;

use std::fmt;

use self::plan::Plan;
use self::survey::Survey;
use crate::limit;

/// What a visitor gave for one field.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The field.
    pub name: String,
    /// What was given.
    pub given: Given,
}

/// What was given for a field.
#[derive(Clone, PartialEq, Eq)]
pub enum Given {
    /// A text, whole.
    Text(String),
    /// A text that cannot stand in a field: cut, or not in UTF-8. It is shown.
    Part(String),
    /// A file of this name. No page may choose a file for its visitor.
    File(String),
}

/// Which form is looked for.
#[derive(Clone)]
pub struct Wanted {
    /// The page's own URL, absolute.
    pub page: String,
    /// Where the form goes, absolute.
    pub target: String,
    /// What was given, in the order of the form, without the application's tokens.
    pub answers: Vec<Answer>,
}

/// What became of the answers.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// How many stand in the form now.
    pub placed: usize,
    /// Names and values that found no field.
    pub left: Vec<(String, String)>,
    /// Names of files to be chosen again.
    pub files: Vec<String>,
}

/// Writes the note that stands before the form, as HTML.
pub type Note = Box<dyn FnOnce(&Outcome) -> String>;

/// One page that is being filled.
pub struct Fill {
    wanted: Wanted,
    note: Option<Note>,
    held: Vec<u8>,
    passes: bool,
}

impl Fill {
    /// Begins a page.
    pub fn new(wanted: Wanted, note: Note) -> Self {
        Self { wanted, note: Some(note), held: Vec::new(), passes: false }
    }

    /// Takes more of the page, as text in its own encoding, and writes what can go on.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.passes {
            out.extend_from_slice(bytes);
            return;
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() > limit::FILLED_PAGE_BYTES_MAX {
            self.passes = true;
            out.append(&mut self.held);
        }
    }

    /// The page is at its end: writes it, filled if that was possible.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        match self.filled(&held) {
            Some(filled) => out.extend_from_slice(&filled),
            None => out.extend_from_slice(&held),
        }
    }

    fn filled(&mut self, page: &[u8]) -> Option<Vec<u8>> {
        if self.passes || page.is_empty() {
            return None;
        }
        let note = self.note.take()?;
        let survey = Survey::of(page)?;
        let plan = Plan::of(&survey, &self.wanted);
        write::write(page, &plan, &note(&plan.outcome))
    }
}

/// INVARIANT: what visitors type is never printed.
impl fmt::Debug for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome").field("placed", &self.placed).finish_non_exhaustive()
    }
}
