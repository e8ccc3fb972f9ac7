//! The answer to a creation, kept so that a repeated request is answered and not carried out again.

use crate::clock::Wall;
use crate::digest::Hash;

/// A creation that came with an `Idempotency-Key`, and what was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// SHA-256 of who asked and the key.
    pub key: Hash,
    /// SHA-256 of the method, the target and the body.
    pub asked: Hash,
    /// When it was asked for.
    pub at: Wall,
    /// From when on the key may be used anew.
    pub not_after: Wall,
    /// What was answered; none while it is being carried out, and for good if the process ended
    /// in between: then nobody knows whether it was done.
    pub answer: Option<Answer>,
}

/// What was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields that matter: names and values.
    pub fields: Vec<(String, String)>,
    /// The body. Never a secret.
    pub body: Vec<u8>,
}
