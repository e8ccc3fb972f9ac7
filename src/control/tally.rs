//! Keeps what windows did to visitors: workers count in memory, and here that becomes durable.
//!
//! It is stored each minute and at each change of a window, so that a crash loses a minute of
//! counts at most: they are told in reports, and nothing is decided by them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::{Mutex, watch};

use super::command::Standing;
use crate::id::Id;
use crate::limit;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::Metrics;
use crate::window::tally::Tally;

/// Keeps tallies. Clones are the same one.
#[derive(Clone)]
pub struct Keeper(Arc<Inner>);

struct Inner {
    metrics: Metrics,
    store: Arc<dyn Store>,
    kept: Mutex<Kept>,
}

/// What the store had when this process met a window, and what this process has added since.
#[derive(Default)]
struct Kept {
    before: HashMap<Id, Tally>,
    added: HashMap<Id, Tally>,
}

/// Why it is looked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    Change,
    Minute,
    End,
}

impl Keeper {
    /// Takes what `metrics` counts to `store`.
    pub fn new(metrics: Metrics, store: Arc<dyn Store>) -> Self {
        Self(Arc::new(Inner { metrics, store, kept: Mutex::default() }))
    }

    /// Stores what was counted since the last time. When this returns `Ok`, the store has it.
    pub async fn keep(&self) -> Result<(), StoreError> {
        let Inner { metrics, store, kept } = &*self.0;
        let mut kept = kept.lock().await;
        let now = metrics.tallies();
        let new: Vec<Id> = now.keys().filter(|id| !kept.before.contains_key(id)).copied().collect();
        if !new.is_empty() {
            let mut stored: HashMap<Id, Tally> =
                store.tallies(new.clone()).await?.into_iter().collect();
            let each = new.iter().map(|id| (*id, stored.remove(id).unwrap_or_default()));
            kept.before.extend(each);
        }
        let changed = now.iter().filter(|(id, tally)| kept.added.get(id) != Some(tally));
        let documents = changed.map(|(id, tally)| {
            let mut whole = kept.before.get(id).cloned().unwrap_or_default();
            whole.add(tally);
            (*id, whole)
        });
        let documents: Vec<_> = documents.collect();
        if !documents.is_empty() {
            store.keep_tallies(documents).await?;
            kept.added = now;
        }
        Ok(())
    }

    /// Works until `stop` is done or the reconciler is gone; stores once more then.
    pub async fn run(
        self,
        mut standing: watch::Receiver<Arc<Standing>>,
        stop: impl Future<Output = ()>,
    ) {
        let mut stop = std::pin::pin!(stop);
        let mut minute = tokio::time::interval(limit::TALLY_EVERY);
        minute.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut known = versions(&standing.borrow_and_update());
        loop {
            // CANCEL: each branch only says that there is something to look at.
            let woken = tokio::select! {
                changed = standing.changed() => match changed {
                    Ok(()) => Woken::Change,
                    Err(_) => Woken::End,
                },
                _ = minute.tick() => Woken::Minute,
                () = stop.as_mut() => Woken::End,
            };
            let before = std::mem::replace(&mut known, versions(&standing.borrow_and_update()));
            if woken == Woken::Minute {
                self.forget(&known).await;
            }
            if woken != Woken::Change || before != known {
                // The store counts and tells its failures itself; the next minute tries again.
                let _ = self.keep().await;
            }
            if woken == Woken::End {
                return;
            }
        }
    }

    /// Forgets windows that are over and of which everything was stored.
    async fn forget(&self, known: &BTreeSet<(Id, u64)>) {
        let Inner { metrics, kept, .. } = &*self.0;
        let mut kept = kept.lock().await;
        let now = metrics.tallies();
        let over = |id: &Id| known.range((*id, 0)..=(*id, u64::MAX)).next().is_none();
        let done = now.iter().filter(|(id, tally)| over(id) && kept.added.get(id) == Some(*tally));
        for id in done.map(|(id, _)| *id).collect::<Vec<_>>() {
            metrics.forget_tally(id);
            kept.before.remove(&id);
            kept.added.remove(&id);
        }
    }
}

/// The windows in force.
fn versions(standing: &Arc<Standing>) -> BTreeSet<(Id, u64)> {
    let in_force = standing.windows.iter().filter(|window| window.state.in_force());
    in_force.map(|window| (window.id, window.version)).collect()
}
