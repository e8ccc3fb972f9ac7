//! What operators say of a server: whether it takes requests, since when, by whom and why.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Wall;

/// What operators say of a server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// It takes requests.
    #[default]
    Ready,
    /// It takes no new visitors: only requests that are bound to it by the balance's hash.
    Drain,
    /// It takes nothing.
    Maint,
}

impl Duty {
    /// Every one, in the order of the help texts.
    pub const ALL: [Self; 3] = [Self::Ready, Self::Drain, Self::Maint];

    /// Its name in the API, the store and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Drain => "drain",
            Self::Maint => "maint",
        }
    }
}

/// One decision of an operator about one server. The newest is in force; all are kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Posting {
    /// The upstream's name.
    pub upstream: String,
    /// The server as it is typed in the config.
    pub server: String,
    /// Counts the decisions about this server, from 1.
    pub version: u64,
    /// What was decided.
    pub state: Duty,
    /// When.
    pub at: Wall,
    /// Who did.
    pub by: String,
    /// Why, in the operator's words; may be empty.
    pub why: String,
}
