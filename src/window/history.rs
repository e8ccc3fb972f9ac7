//! Who moved a window, when and why: one entry per change, kept with the change.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::state::State;
use crate::clock::Wall;
use crate::id::Id;

/// One change of one window.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// The window that changed.
    pub window: Id,
    /// The window's version after the change, counted from 1.
    pub version: u64,
    /// When.
    pub at: Wall,
    /// Who: an operator's token name, or `intermission` for the clock and the drain.
    pub by: String,
    /// Why, in the operator's words or ours.
    pub why: String,
    /// The state before; none at the beginning.
    pub from: Option<State>,
    /// The state after.
    pub to: State,
    /// The promised end after the change.
    pub promised_end: Option<Wall>,
}
