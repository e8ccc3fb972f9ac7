//! What an operator writes to name paths.

/// `/claims` (exactly), `/claims/*` (it and everything below) or `/claims/{id}/edit`.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct PathPattern(pub String);
