//! What happens when nobody does anything: expiry, grace, tombstones, and the mess of a crash.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;

use super::item::{Event, Item, State};
use super::receipt::Denied;
use super::{Abandoned, Vault};
use crate::id::Id;
use crate::limit;
use crate::store::StoreError;

/// What one look did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Swept {
    /// Submissions that were moved on.
    pub moved: u32,
    /// Tombstones that were forgotten.
    pub buried: u32,
    /// Bodies that were let go in the middle and are gone.
    pub dropped: u32,
}

/// Whether a look erases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Erasing {
    /// What is due.
    Due,
    /// Nothing: the clock has jumped, and what is erased by a wrong clock does not come back.
    Nothing,
}

impl Vault {
    /// Puts right what the last process left: whatever was being sent may have arrived, and a
    /// ticket that nobody can use any more is called back. To be called before anything is served.
    pub async fn recover(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        for item in self.parts.store.items_in(State::Sending).await? {
            swept.moved += self.move_on(item, Event::Lose).await?;
        }
        let now = self.now();
        for item in self.parts.store.items_in(State::Armed).await? {
            if item.due <= now {
                swept.moved += self.move_on(item, Event::CallBack).await?;
            }
        }
        Ok(swept)
    }

    /// Does what is due now. Bounded: what is left over comes next time.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        self.sweep_as(Erasing::Due).await
    }

    /// As [`Vault::sweep`], where the caller says whether the clock is to be believed.
    pub async fn sweep_as(&self, erasing: Erasing) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        self.put_away(&mut swept).await?;
        let held = self.parts.store.census().await?.bytes;
        self.parts.held.store(held, Ordering::Relaxed);
        let due = self.parts.store.due(self.now(), limit::SWEEP_MAX).await?;
        let in_force = if due.is_empty() { Vec::new() } else { self.windows_in_force().await? };
        for item in due {
            let event = match item.state {
                State::Armed => Event::CallBack,
                State::Sending => Event::Lose,
                State::Accepted => Event::Settle,
                State::Held | State::Refused | State::Unknown => self.end_of_life(&item, &in_force),
                State::Unreadable | State::Receiving => Event::Expire,
                State::Done | State::Discarded | State::Expired if erasing == Erasing::Nothing => {
                    continue;
                }
                State::Done | State::Discarded | State::Expired => {
                    self.parts.store.bury(item.id).await?;
                    swept.buried += 1;
                    continue;
                }
            };
            if erasing == Erasing::Nothing && matches!(event, Event::Settle | Event::Expire) {
                continue;
            }
            swept.moved += self.move_on(item, event).await?;
        }
        Ok(swept)
    }

    /// What was let go in the middle, all of it: each one that waits takes the place of an upload.
    /// Frames are dropped side by side, so that many share a commit.
    async fn put_away(&self, swept: &mut Swept) -> Result<(), StoreError> {
        let mut drops = JoinSet::new();
        let mut failed = Vec::new();
        for _ in 0..self.parts.bounds.abandoned {
            let Some(abandoned) = self.next_abandoned() else { break };
            match abandoned {
                Abandoned::Frames(id) => {
                    let dropped = self.parts.store.drop_frames(id);
                    drops.spawn(async move { (id, dropped.await) });
                }
                Abandoned::Sending(id) => match self.lose(id).await {
                    Ok(moved) => swept.moved += moved,
                    Err(error) => failed.push((Abandoned::Sending(id), error)),
                },
            }
        }
        while let Some(joined) = drops.join_next().await {
            match joined {
                Ok((_, Ok(()))) => swept.dropped += 1,
                Ok((id, Err(error))) => failed.push((Abandoned::Frames(id), error)),
                Err(error) => tracing::error!(%error, "frames were not dropped"),
            }
        }
        // What the store would not do now it is asked for again.
        let mut why = None;
        for (again, error) in failed {
            self.abandon(again);
            why = Some(error);
        }
        why.map_or(Ok(()), Err)
    }

    /// A send that was let go may have arrived.
    async fn lose(&self, id: Id) -> Result<u32, StoreError> {
        let item = self.parts.store.item(id).await?;
        match item.filter(|item| item.state == State::Sending) {
            Some(item) => self.move_on(item, Event::Lose).await,
            None => Ok(0),
        }
    }

    async fn windows_in_force(&self) -> Result<Vec<Id>, StoreError> {
        let windows = self.parts.store.windows().await?;
        Ok(windows.into_iter().map(|window| window.id).collect())
    }

    /// What is due for a submission that nobody sent: as long as its window is in force that is not
    /// its owner's doing, and its life goes on within the bound on every life.
    fn end_of_life(&self, item: &Item, in_force: &[Id]) -> Event {
        let now = self.now();
        let longest = item.captured.plus(limit::SUBMISSION_LIFE_MAX);
        let prolonged = item.expires.max(now.plus(limit::SUBMISSION_LIFE)).min(longest);
        if item.window.is_some_and(|window| in_force.contains(&window)) && now < prolonged {
            Event::Remain(prolonged)
        } else if now < item.expires {
            Event::Remain(item.expires)
        } else {
            Event::Expire
        }
    }

    fn next_abandoned(&self) -> Option<Abandoned> {
        let mut abandoned = self.parts.abandoned.lock().unwrap_or_else(PoisonError::into_inner);
        abandoned.try_recv().ok()
    }

    /// Somebody who moved it first was right to: the next look sees what is due then.
    async fn move_on(&self, item: Item, event: Event) -> Result<u32, StoreError> {
        match self.apply(item, event).await {
            Ok(_) => Ok(1),
            Err(Denied::Store(error)) => Err(error),
            Err(_) => Ok(0),
        }
    }
}
