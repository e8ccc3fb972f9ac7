//! Commits of different windows that are stored side by side and published together.

use std::collections::BTreeSet;

use super::command::{Answer, Change, Refused};
use crate::id::Id;
use crate::store::Commit;

/// Commits that are stored side by side and published together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) members: Vec<Member>,
    touched: BTreeSet<Id>,
}

/// What one command asks for, and who waits for the outcome.
pub(super) struct Member {
    pub(super) commit: Commit,
    pub(super) answer: Option<Answer<Change>>,
}

/// What a command reads before it is carried out.
pub(super) enum Touch {
    /// Nothing that another command changes.
    Nothing,
    /// A window, and the maintenance that it is a phase of.
    One(Id, Option<Id>),
    /// All windows.
    Everything,
}

impl Batch {
    pub(super) fn of(members: Vec<Member>) -> Self {
        Self { members, touched: BTreeSet::new() }
    }

    /// A refusal is answered at once; a commit joins the batch.
    pub(super) fn take(&mut self, planned: Result<Commit, Refused>, answer: Answer<Change>) {
        match planned {
            Ok(commit) => {
                for step in &commit.steps {
                    self.touched.insert(step.window.id);
                    self.touched.extend(step.window.phase.as_ref().map(|phase| phase.maintenance));
                }
                self.touched.extend(commit.maintenances.iter().map(|one| one.id));
                self.members.push(Member { commit, answer: Some(answer) });
            }
            Err(refused) => {
                let _ = answer.send(Err(refused));
            }
        }
    }

    /// How many windows it changes or adds.
    pub(super) fn steps_count(&self) -> usize {
        self.members.iter().map(|member| member.commit.steps.len()).sum()
    }

    pub(super) fn must_settle_before(&self, touch: &Touch) -> bool {
        match touch {
            Touch::Nothing => false,
            Touch::One(window, maintenance) => {
                self.touched.contains(window)
                    || maintenance.is_some_and(|id| self.touched.contains(&id))
            }
            Touch::Everything => !self.touched.is_empty(),
        }
    }
}
