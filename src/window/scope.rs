//! What a window closes: regions × routes × methods.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Regions × routes × methods.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Which regions.
    #[serde(default)]
    pub regions: Selection,
    /// Which routes.
    #[serde(default)]
    pub routes: Selection,
    /// Which methods, in capitals.
    #[serde(default)]
    pub methods: Selection,
}

impl Scope {
    /// What both close; none if that is nothing.
    pub fn common(&self, other: &Self) -> Option<Self> {
        Some(Self {
            regions: self.regions.common(&other.regions)?,
            routes: self.routes.common(&other.routes)?,
            methods: self.methods.common(&other.methods)?,
        })
    }
}

/// All of a kind, or those named. As text: the word `all`, or a list of names.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(into = "SelectionText", try_from = "SelectionText")]
pub enum Selection {
    /// Every one, also those that a later config adds.
    #[default]
    All,
    /// These, by name.
    Named(BTreeSet<String>),
}

impl Selection {
    /// The selection of these names; of everything if there are none.
    pub fn of(names: impl IntoIterator<Item = String>) -> Self {
        let names: BTreeSet<_> = names.into_iter().collect();
        if names.is_empty() { Self::All } else { Self::Named(names) }
    }

    /// Whether `name` is selected.
    pub fn covers(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(name),
        }
    }

    /// What both select; none if nothing is.
    pub fn common(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::All, both) | (both, Self::All) => Some(both.clone()),
            (Self::Named(these), Self::Named(those)) => {
                let both: BTreeSet<_> = these.intersection(those).cloned().collect();
                (!both.is_empty()).then_some(Self::Named(both))
            }
        }
    }

    /// Whether both select something.
    pub fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => true,
            (Self::Named(these), Self::Named(those)) => !these.is_disjoint(those),
        }
    }

    /// The names that are listed; none for all.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::All => None,
            Self::Named(names) => Some(names.iter().map(String::as_str)),
        }
        .into_iter()
        .flatten()
    }
}

impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Named(names) => {
                f.write_str(&names.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum SelectionText {
    Word(String),
    Names(BTreeSet<String>),
}

impl From<Selection> for SelectionText {
    fn from(selection: Selection) -> Self {
        match selection {
            Selection::All => Self::Word("all".to_owned()),
            Selection::Named(names) => Self::Names(names),
        }
    }
}

impl TryFrom<SelectionText> for Selection {
    type Error = &'static str;

    fn try_from(text: SelectionText) -> Result<Self, Self::Error> {
        match text {
            SelectionText::Word(word) if word == "all" => Ok(Self::All),
            SelectionText::Names(names) if !names.is_empty() => Ok(Self::Named(names)),
            SelectionText::Word(_) | SelectionText::Names(_) => {
                Err("the word \"all\" or a list of at least one name is wanted")
            }
        }
    }
}
