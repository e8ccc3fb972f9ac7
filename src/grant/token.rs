//! A token of the admin API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Wall;
use crate::digest::Hash;
use crate::id::Id;
use crate::window::scope::Scope;

/// What the names begin with that users of the admin socket have.
pub const LOCAL_USER: &str = "unix:";

/// What a token may do. Each role may do what the ones before it may.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Debug,
    Hash,
    Default,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look at everything but secrets.
    #[default]
    Viewer,
    /// Close and reopen, plan, set servers, let people through.
    Operator,
    /// Reload the config, make and revoke tokens, approve.
    Admin,
}

impl Role {
    /// The name on the wire and in the config.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// Who an operator is to the admin API. Made through it, or declared in the config.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Token {
    /// Its name for ever.
    pub id: Id,
    /// Who it stands for in the history.
    pub name: String,
    /// SHA-256 of the secret.
    pub hash: Hash,
    /// What it may do.
    pub role: Role,
    /// Where: a change of anything outside it is refused.
    pub scope: Scope,
    /// When it was made, and by whom.
    pub created: Wall,
    /// Who made it.
    pub by: String,
    /// From when on it is worth nothing; for ever if it is none.
    pub not_after: Option<Wall>,
    /// When it was revoked.
    pub revoked: Option<Wall>,
}

impl Token {
    /// Whether it is worth anything at `now`.
    pub fn holds(&self, now: Wall) -> bool {
        self.revoked.is_none() && self.not_after.is_none_or(|end| now < end)
    }
}
