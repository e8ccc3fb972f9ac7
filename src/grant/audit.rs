//! The record of what operators asked for: one entry per mutation, done or refused.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::clock::Wall;

/// One mutation, as it was asked for and as it went.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct Audit {
    /// Counts the entries of this store from 1; the store gives it, whatever it was before.
    #[serde(default)]
    pub seq: u64,
    /// When it was answered.
    pub at: Wall,
    /// Who: the name of the token, of the certificate or of the local user.
    pub by: String,
    /// What was asked for: the method and the route, `POST /api/v1/windows/{id}/end`.
    pub action: String,
    /// To what it was done: the path itself.
    pub subject: String,
    /// Why nothing was done, as the code of the problem; none if it was done.
    #[serde(default)]
    pub refused: Option<String>,
    /// What was there before, if there was something.
    #[serde(default)]
    pub before: Option<Value>,
    /// What was answered: what is there now, or the problem. Never a secret.
    #[serde(default)]
    pub after: Option<Value>,
    /// From where: the address of the caller, or `unix`.
    pub from: String,
}
