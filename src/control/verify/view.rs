//! What is known of verifications and ramps that go on, for those who ask.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use utoipa::ToSchema;

use crate::clock::Wall;
use crate::id::Id;

/// How a window's verification goes, or the looks at its ramp.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = VerificationProgress)]
pub struct Verification {
    /// Which window.
    pub window: Id,
    /// What is looked at.
    pub of: Of,
    /// When this process began to look.
    pub began: Wall,
    /// Rounds that have ended.
    pub rounds: u32,
    /// Rounds in a row in which everything was well.
    pub successes: u32,
    /// How many of them are wanted; 0 for a ramp, which is well until it is not.
    pub wanted: u32,
    /// The last round.
    pub last: Option<Round>,
    /// The last round in which something was not well.
    pub last_failure: Option<Round>,
}

/// What is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = VerificationOf)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Whether visitors may be let in.
    Verification,
    /// Whether those who were let in are served.
    Ramp,
}

/// One round.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = VerificationRound)]
pub struct Round {
    /// When it ended.
    pub at: Wall,
    /// What was not well, and what was expected; nothing if all was.
    pub faults: Vec<String>,
}

/// The verifications that go on. Clones are the same ones.
#[derive(Clone, Default)]
pub struct Verifications(Arc<Mutex<BTreeMap<Id, Verification>>>);

impl Verifications {
    /// That of a window; none if nothing is looked at.
    pub fn of(&self, window: Id) -> Option<Verification> {
        self.lock().get(&window).cloned()
    }

    pub(super) fn begin(&self, view: Verification) {
        self.lock().insert(view.window, view);
    }

    /// A round of this window ended. Tells the successes in a row.
    pub(super) fn round(&self, window: Id, round: Round) -> u32 {
        let mut views = self.lock();
        let Some(view) = views.get_mut(&window) else { return 0 };
        view.rounds += 1;
        let well = round.faults.is_empty();
        view.successes = if well { view.successes + 1 } else { 0 };
        if !well {
            view.last_failure = Some(round.clone());
        }
        view.last = Some(round);
        view.successes
    }

    /// Forgets all but these.
    pub(super) fn keep(&self, windows: impl Fn(Id) -> bool) {
        self.lock().retain(|window, _| windows(*window));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Id, Verification>> {
        // It is held for looks and single changes: a panic cannot leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
