//! How one node key takes the place of another while the node serves.
//!
//! A new key seals from the moment it is there; what older keys wrapped is wrapped anew by and by,
//! without its holders, whose part of it stays closed. A key that wraps nothing any more can go.

use std::sync::PoisonError;

use super::Vault;
use super::keys::{KeyId, Keys, NodeKeyError};
use super::seal::{self, ContentKey, Unreadable};
use crate::clock::Tick;
use crate::id::Id;
use crate::limit;
use crate::store::{Holder, StoreError, Wrap};

/// How the node's keys stand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyStanding {
    /// The one that seals.
    pub first: KeyId,
    /// Those that only open.
    pub former: Vec<KeyId>,
    /// Wrapped keys that still need a former one. None before they were counted.
    pub left: Option<u64>,
    /// Wrapped keys that need a node key which is not here: unreadable until it is put back.
    pub lost: u64,
    /// Since when the first one seals in this process.
    since: Tick,
}

impl KeyStanding {
    pub(super) fn at_start(keys: &Keys, now: Tick) -> Self {
        let former = keys.former().iter().map(super::NodeKey::id).collect();
        Self { first: keys.first().id(), former, left: None, lost: 0, since: now }
    }
}

/// Why there is no new key. The one before seals on.
#[derive(Debug, thiserror::Error)]
pub enum NotTurned {
    /// The config says which key it is.
    #[error(
        "the config names the node key: write the new one as `store.key`, the one before into `store.former_keys`, and restart"
    )]
    Configured,
    /// The former one is still needed.
    #[error("the key before is not free yet: {left} wrapped keys still need it; try again later")]
    Unfinished {
        /// How many.
        left: u64,
    },
    /// The file was not written.
    #[error(transparent)]
    File(#[from] NodeKeyError),
}

impl Vault {
    /// How the node's keys stand.
    pub fn key_standing(&self) -> KeyStanding {
        self.parts.key_standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a new node key in the store's directory, which seals from now on. Blocks for as long
    /// as it takes to write two small files.
    pub fn turn_key(&self) -> Result<KeyStanding, NotTurned> {
        // Held over the writing, so that two orders at once do not lose a key.
        let mut standing = self.parts.key_standing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.keys();
        let Some(home) = before.home() else { return Err(NotTurned::Configured) };
        let is_needed = !before.former().is_empty() && standing.left != Some(0);
        if is_needed {
            return Err(NotTurned::Unfinished { left: standing.left.unwrap_or(0) });
        }
        let keys = Keys::turned_in(home, &before)?;
        *standing = KeyStanding::at_start(&keys, self.parts.clock.hands().1);
        *self.parts.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        tracing::info!(key = %standing.first, "a new node key seals from now on");
        Ok(standing.clone())
    }

    /// Wraps anew what former keys wrapped, all of it, and lets go of a former key of the store's
    /// own directory once nothing can need it. Does nothing while there is no former key, but for
    /// the first time, when it tells what no key opens.
    pub async fn rewrap(&self) -> Result<KeyStanding, StoreError> {
        let (keys, before) = (self.keys(), self.key_standing());
        if keys.former().is_empty() && before.left.is_some() {
            return Ok(before);
        }
        let (mut left, mut lost, mut done) = (0, 0, 0);
        for holder in [Holder::Browser, Holder::Code] {
            let mut after = None;
            loop {
                let wraps = self.unlike_first(&keys, holder, after).await?;
                let Some(last) = wraps.last() else { break };
                after = Some(last.submission);
                let mut anew = Vec::with_capacity(wraps.len());
                for wrap in wraps {
                    match anew_wrapped(&keys, &wrap) {
                        Anew::Wrapped(now) => anew.push((wrap, now)),
                        Anew::Left => left += 1,
                        Anew::Lost => lost += 1,
                    }
                }
                done += anew.len() as u64;
                if !anew.is_empty() {
                    self.parts.store.rewrap(holder, anew).await?;
                }
            }
        }
        if lost > 0 && before.left.is_none() {
            tracing::error!(
                lost,
                "saved submissions were sealed with a node key that is not here and cannot be \
                 opened: put that key back, as `store.key` or among `store.former_keys`"
            );
        }
        // What was captured meanwhile may still come in under the former key.
        let settled = self.parts.clock.hands().1.since(before.since) >= limit::FORMER_KEY_HELD;
        let is_free = left + done == 0 && settled && before.left == Some(0);
        self.conclude(&keys, (left, lost), is_free)
    }

    async fn unlike_first(
        &self,
        keys: &Keys,
        holder: Holder,
        after: Option<Id>,
    ) -> Result<Vec<Wrap>, StoreError> {
        let beginning = seal::beginning(keys.first().id());
        let store = &self.parts.store;
        store.wraps_unlike(holder, beginning, after, limit::REWRAPPED_AT_ONCE).await
    }

    fn conclude(
        &self,
        keys: &Keys,
        (left, lost): (u64, u64),
        is_free: bool,
    ) -> Result<KeyStanding, StoreError> {
        let mut standing = self.parts.key_standing.lock().unwrap_or_else(PoisonError::into_inner);
        if standing.first != keys.first().id() {
            // Another key came meanwhile: the next look counts anew.
            return Ok(standing.clone());
        }
        (standing.left, standing.lost) = (Some(left), lost);
        if let Some(home) = keys.home().filter(|_| is_free && !keys.former().is_empty()) {
            let gone = Keys::forget_former(home);
            gone.map_err(|error| StoreError::Failed(format!("the former node key: {error}")))?;
            let alone = keys.without_former();
            *self.parts.keys.write().unwrap_or_else(PoisonError::into_inner) = alone;
            standing.former.clear();
            tracing::info!(key = %standing.first, "the former node key is not needed any more");
        }
        Ok(standing.clone())
    }

    /// Whether this needs a node key that is not here, whatever its holder knows.
    pub(super) fn lacks_key_of(&self, wrapped: &[u8]) -> bool {
        seal::wrapped_by(wrapped).is_some_and(|by| self.keys().of(by).is_none())
    }

    /// The key that a holder's secret opens.
    pub(super) fn unwrap(
        &self,
        wrapped: &[u8],
        secret: &[u8],
        id: Id,
    ) -> Result<ContentKey, Unreadable> {
        let keys = self.keys();
        match seal::wrapped_by(wrapped) {
            Some(by) => ContentKey::unwrap(wrapped, keys.of(by).ok_or(Unreadable)?, secret, id),
            None => keys
                .all()
                .find_map(|key| ContentKey::unwrap(wrapped, key, secret, id).ok())
                .ok_or(Unreadable),
        }
    }
}

/// What becomes of a key that the first node key does not wrap.
enum Anew {
    /// Wrapped by it.
    Wrapped(Vec<u8>),
    /// Needs its holder, and one of the node's keys.
    Left,
    /// Needs a key that is not here.
    Lost,
}

fn anew_wrapped(keys: &Keys, wrap: &Wrap) -> Anew {
    let Some(by) = seal::wrapped_by(&wrap.wrapped_key) else { return Anew::Left };
    let Some(key) = keys.of(by) else { return Anew::Lost };
    match seal::rewrapped(&wrap.wrapped_key, key, keys.first(), wrap.submission) {
        Ok(now) => Anew::Wrapped(now),
        Err(Unreadable) => Anew::Lost,
    }
}
