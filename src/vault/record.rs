//! What is remembered of a submission besides its body and its state: the head record, sealed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::form::Kind;
use super::substitute::Fresh as Substitutes;
use super::summary::Summary;
use crate::digest::Hash;
use crate::id::Id;

/// What is remembered of the request besides its body. Sealed, all of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The method.
    pub method: String,
    /// `http` or `https`, as the visitor sees it.
    pub scheme: String,
    /// Host and port, as the visitor sees them.
    pub authority: String,
    /// Path and query, byte for byte.
    pub target: String,
    /// The content type, with its boundary.
    pub content_type: String,
    /// The page that the form was on, if it told.
    pub referer: Option<String>,
    /// The route's name. In clear too, for operators.
    pub route: String,
    /// The region's name. In clear too.
    pub region: String,
    /// The window over the place; none if it was open. In clear too.
    pub window: Option<Id>,
    /// What `Idempotency-Key` says on every send, if the application honours it.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// What is sealed in the head record.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The request.
    pub head: Head,
    /// The form's encoding.
    pub kind: Kind,
    /// Its fields.
    pub summary: Summary,
    /// Bytes of its body. In clear too, where they could be changed.
    pub size: u64,
    /// Of its content, if its client gave it a name.
    #[serde(default)]
    pub content: Option<Hash>,
    /// Whether it may only go into the live form, which its owner sends. Nothing takes that back:
    /// another site may have made it.
    #[serde(default)]
    pub refill_only: bool,
    /// Who was signed in, as far as cookies tell: of each that was looked at its name and
    /// [`Owner::mark_of`](super::Owner::mark_of).
    #[serde(default)]
    pub signed_in: Vec<(String, Hash)>,
    /// What the last send had in place of the application's tokens, where it had a key: under the
    /// same key go the same bytes (draft-ietf-httpapi-idempotency-key-header-07 §2.4).
    #[serde(default)]
    pub sent_with: Substitutes,
    /// How many keys of ours were answered with a refusal, and are used up with that.
    #[serde(default)]
    pub keys_spent: u32,
}

impl Record {
    /// What `Idempotency-Key` says on the next send. A client's own name is never changed.
    pub fn idempotency_key(&self) -> Option<String> {
        let key = self.head.idempotency_key.as_ref()?;
        let number = self.keys_spent + 1;
        Some(match key.strip_suffix('"') {
            Some(ours) if self.keys_spent > 0 => format!("{ours}-{number}\""),
            Some(_) | None => key.clone(),
        })
    }

    /// The same about to be sent with these: after a refusal under a new key of ours, since an
    /// application that has answered under a key gives the same answer again.
    pub(super) fn sent(mut self, with: &Substitutes, was_refused: bool) -> Self {
        let is_ours = self.content.is_none();
        self.keys_spent += u32::from(was_refused && is_ours);
        self.sent_with.clone_from(with);
        self
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}
