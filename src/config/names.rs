//! Names and words that an operator writes: what they may look like, and that each is there once.

use std::collections::HashMap;
use std::ops::Range;

use super::file::{Section, Text, nearest};
use super::problem::Found;
use crate::limit;

/// Why a text cannot be a name. Names go into scopes, logs, metrics, URLs and command lines.
pub(super) fn fault(name: &str) -> Option<&'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() {
        Some("it is empty")
    } else if !name.chars().all(fits) {
        Some("letters without accents, digits, `-`, `_` and `.` are possible")
    } else if name.chars().count() > limit::NAME_CHARS_MAX {
        Some("it is too long: 64 characters are possible")
    } else if name == "all" {
        Some("`all` means every one of them")
    } else {
        None
    }
}

/// A name that need not be there.
pub(super) fn optional(
    section: &Section<'_>,
    key: &'static str,
    found: &mut Found,
) -> Option<Text> {
    let typed = section.text(key, found)?;
    let Some(fault) = fault(typed.get_ref()) else { return Some(typed) };
    let what = format!("{:?} cannot be a name: {fault}", typed.get_ref());
    found.add(typed.span(), what, format!("choose another: {}", section.example(key)));
    None
}

/// A name that must be there.
pub(super) fn required(
    section: &Section<'_>,
    key: &'static str,
    found: &mut Found,
) -> Option<Text> {
    if !section.has(key) {
        let what = format!("this {} has no `{key}`", section.title());
        found.add(section.span(), what, format!("add a line {}", section.example(key)));
        return None;
    }
    optional(section, key, found)
}

/// A name that is found elsewhere if it is not there.
pub(super) fn required_or(
    section: &Section<'_>,
    key: &'static str,
    otherwise: impl FnOnce() -> String,
    found: &mut Found,
) -> String {
    optional(section, key, found).map_or_else(otherwise, Text::into_inner)
}

/// One word of a few.
pub(super) fn choice<T: Copy>(
    section: &Section<'_>,
    key: &'static str,
    words: &[(&'static str, T)],
    found: &mut Found,
) -> Option<T> {
    let typed = section.text(key, found)?;
    let known = words.iter().find(|(word, _)| word == typed.get_ref());
    if known.is_none() {
        let all: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        let help = match nearest(typed.get_ref(), words.iter().map(|(word, _)| *word)) {
            Some(near) => format!("did you mean {near:?}? Possible are {}", all.join(", ")),
            None => format!("possible are {}", all.join(", ")),
        };
        found.add(typed.span(), format!("`{key}` cannot be {:?}", typed.get_ref()), help);
    }
    known.map(|(_, value)| *value)
}

/// A text that visitors read.
pub(super) fn for_visitors(key: &str, typed: Text, found: &mut Found) -> String {
    let count = typed.get_ref().chars().count();
    if count > limit::OPERATOR_TEXT_CHARS_MAX {
        let help = format!("{} characters are possible", limit::OPERATOR_TEXT_CHARS_MAX);
        found.add(typed.span(), format!("`{key}` has {count} characters"), help);
    }
    if typed.get_ref().chars().any(char::is_control) {
        let help = "write it in one line, without tabs";
        found.add(typed.span(), format!("`{key}` holds a control character"), help);
    }
    typed.into_inner()
}

/// Says which texts of a list are there twice.
pub(super) fn each_once<'t>(list: impl IntoIterator<Item = &'t Text>, found: &mut Found) {
    let mut seen: HashMap<&str, Range<usize>> = HashMap::new();
    for text in list {
        if let Some(first) = seen.insert(text.get_ref(), text.span()) {
            let what = format!("`{}` is in this list twice", text.get_ref());
            found.add_beside(text.span(), (first, "first here"), what, "remove one of the two");
        }
    }
}

/// The names of one kind, each of which may be given once.
pub(super) struct Unique {
    kind: &'static str,
    seen: HashMap<String, Range<usize>>,
}

impl Unique {
    /// None given so far.
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, seen: HashMap::new() }
    }

    /// Gives a name.
    pub(super) fn check(&mut self, name: &Text, found: &mut Found) {
        let Some(first) = self.seen.get(name.get_ref()) else {
            self.seen.insert(name.get_ref().clone(), name.span());
            return;
        };
        let what = format!("a second {} has the name `{}`", self.kind, name.get_ref());
        let beside = (first.clone(), "the first is here");
        found.add_beside(name.span(), beside, what, "give one of the two another name");
    }
}

/// What is said of a name that nothing has.
pub(super) fn unknown<'n>(
    kind: &str,
    name: &Text,
    known: impl Iterator<Item = &'n str> + Clone,
    found: &mut Found,
) {
    let what = format!("there is no {kind} `{}`", name.get_ref());
    let help = match nearest(name.get_ref(), known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let few: Vec<_> = known.take(10).collect();
            format!("declare it as [[{kind}]], or use one of: {}", few.join(", "))
        }
    };
    found.add(name.span(), what, help);
}
