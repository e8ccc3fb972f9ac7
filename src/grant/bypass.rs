//! A bypass: whoever shows it is let through a closed scope.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::clock::Wall;
use crate::digest::{self, Hash};
use crate::id::Id;
use crate::window::scope::Scope;

/// The field of a request that shows a secret. It is never passed on.
pub const FIELD: &str = "intermission-bypass";
/// The field by which a probe of our own says for which region it asks.
pub const REGION: &str = "intermission-region";
/// What every secret begins with, so that scanners of code and logs know one when they see it.
const MARK: &str = "imb_";

/// A new secret, which is shown once, and what is kept of it.
pub fn new_secret() -> (String, Hash) {
    let secret = format!("{MARK}{}", digest::base64url(&digest::random::<32>()));
    let hash = digest::sha256(secret.as_bytes());
    (secret, hash)
}

/// Lets people through. It is scoped, expires, can be revoked, and each use is in the access log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bypass {
    /// Its name for ever; it stands in access lines.
    pub id: Id,
    /// SHA-256 of the secret that is shown as a link, a cookie or a header field.
    pub hash: Hash,
    /// Client networks that need no secret.
    #[serde(default)]
    pub networks: Vec<IpNet>,
    /// Where it holds.
    pub scope: Scope,
    /// The only window that it holds for; every one if it is none.
    #[serde(default)]
    pub window: Option<Id>,
    /// When it was made.
    pub created: Wall,
    /// From when on it is worth nothing.
    pub not_after: Wall,
    /// Who made it.
    pub by: String,
    /// What for.
    pub why: String,
    /// When it was revoked.
    #[serde(default)]
    pub revoked: Option<Wall>,
}
