//! What is wrong with a document: which field, what, and how to mend it.

use serde::Serialize;
use utoipa::ToSchema;

/// One thing that is wrong, or worth a second look.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Fault {
    /// The field: `phases[1].ends`, counted from 0 as in JSON. What is wrong with a config file has
    /// a `line` and a `column` instead.
    #[schema(required = false)]
    pub field: String,
    /// What is wrong with it.
    pub what: String,
    /// How to mend it.
    pub help: String,
}

impl Fault {
    /// Something is wrong with `field`.
    pub fn new(field: impl Into<String>, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { field: field.into(), what: what.into(), help: help.into() }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`: {} ({})", self.field, self.what, self.help)
    }
}

/// Faults and warnings as they are found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
}

impl Found {
    /// Something is wrong.
    pub(super) fn fault(&mut self, field: &str, what: impl Into<String>, help: impl Into<String>) {
        self.faults.push(Fault::new(field, what, help));
    }

    /// Something may not be meant.
    pub(super) fn warn(&mut self, field: &str, what: impl Into<String>, help: impl Into<String>) {
        self.warnings.push(Fault::new(field, what, help));
    }
}
