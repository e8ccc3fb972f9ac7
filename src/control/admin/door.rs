//! What the door of the admin API remembers: refused tokens, tokens that were made, what waits
//! for a second operator, and creations under way.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::Semaphore;

use super::approvals::Waiting;
use super::refusals::Refusals;
use crate::clock::Wall;
use crate::config::AdminRules;
use crate::digest::{self, Hash};
use crate::grant::Token;
use crate::limit;
use crate::store::{Store, StoreError};
use crate::window::scope::Scope;

/// See above.
pub struct Door {
    pub(super) refusals: Refusals,
    pub(super) tokens: Tokens,
    pub(super) waiting: Waiting,
    pub(super) under_way: UnderWay,
    /// How many more may listen to events.
    pub(super) subscribers: Arc<Semaphore>,
    /// Where nobody closes anything alone.
    pub(super) approvals: Arc<[Scope]>,
}

impl Door {
    /// With the tokens that the store has.
    pub async fn open(store: &Arc<dyn Store>, rules: &AdminRules) -> Result<Self, StoreError> {
        let tokens = Tokens(RwLock::new(store.tokens().await?));
        Ok(Self {
            refusals: Refusals::default(),
            tokens,
            waiting: Waiting::default(),
            under_way: UnderWay::default(),
            subscribers: Arc::new(Semaphore::new(limit::EVENT_SUBSCRIBERS_MAX)),
            approvals: Arc::from(rules.approvals.clone()),
        })
    }
}

/// Tokens that were made through the API, as the store has them.
pub(super) struct Tokens(RwLock<Vec<Token>>);

impl Tokens {
    /// The token with this hash, if it is worth anything. Every one is compared, each in constant
    /// time.
    pub(super) fn find(&self, hash: &Hash, now: Wall) -> Option<Token> {
        let tokens = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = tokens.iter().fold(None, |found, token| {
            if digest::same(hash, &token.hash) { Some(token) } else { found }
        });
        found.filter(|token| token.holds(now)).cloned()
    }

    /// All of them, oldest first.
    pub(super) fn all(&self) -> Vec<Token> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over a token that the store has, new or changed. The store bounds their number.
    pub(super) fn put(&self, token: Token) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match all.iter_mut().find(|known| known.id == token.id) {
            Some(known) => *known = token,
            None => all.push(token),
        }
        // The store has forgotten one that was over.
        if all.len() > limit::TOKENS_KEPT_MAX as usize {
            let ends = |at: &usize| Some((all[*at].revoked.or(all[*at].not_after)?, *at));
            let first = (0..all.len()).filter_map(|at| ends(&at)).min();
            if let Some((_, first)) = first {
                all.remove(first);
            }
        }
    }
}

/// Keys of creations that are being carried out.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<HashSet<Hash>>);

/// Holds a key until it is dropped.
pub(super) struct Held<'a> {
    all: &'a UnderWay,
    key: Hash,
}

impl UnderWay {
    /// Takes a key; none if somebody has it. Bounded by the connections there may be.
    pub(super) fn enter(&self, key: Hash) -> Option<Held<'_>> {
        let is_new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        // Lazily: one that is made gives the key back when it is dropped.
        is_new.then(|| Held { all: self, key })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
