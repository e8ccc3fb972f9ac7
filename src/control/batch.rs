//! Steps of different windows that are stored and published together.

use std::collections::BTreeSet;

use super::command::{Answer, Change, Command, Refused, Which};
use crate::id::Id;
use crate::window::state::Step;

/// Steps that are stored and published together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) members: Vec<Member>,
    touched: BTreeSet<Id>,
}

/// What one command asks for, and who waits for the outcome.
pub(super) struct Member {
    pub(super) steps: Vec<Step>,
    pub(super) answer: Option<Answer<Change>>,
}

impl Batch {
    pub(super) fn of(steps: impl Iterator<Item = Step>) -> Self {
        let members = steps.map(|step| Member { steps: vec![step], answer: None }).collect();
        Self { members, touched: BTreeSet::new() }
    }

    /// A refusal is answered at once; steps join the batch.
    pub(super) fn take(&mut self, planned: Result<Vec<Step>, Refused>, answer: Answer<Change>) {
        match planned {
            Ok(steps) => {
                self.touched.extend(steps.iter().map(|step| step.window.id));
                self.members.push(Member { steps, answer: Some(answer) });
            }
            Err(refused) => {
                let _ = answer.send(Err(refused));
            }
        }
    }

    pub(super) fn must_settle_before(&self, command: &Command) -> bool {
        match command {
            Command::Switch { .. } | Command::Post { .. } | Command::See(_) => false,
            Command::End { which: Which::Window(id, _), .. } => self.touched.contains(id),
            Command::Extend { window, .. } => self.touched.contains(window),
            Command::End { which: Which::Scope(_), .. } | Command::Reload { .. } => {
                !self.touched.is_empty()
            }
        }
    }
}
