//! The report of a maintenance, from what the store has of it.

use std::sync::Arc;

use super::tally::Keeper;
use crate::clock::Clock;
use crate::id::Id;
use crate::store::{Store, StoreError};
use crate::vault::item::State as Form;
use crate::window::maintenance::Maintenance;
use crate::window::report::{Report, Submissions, Told};
use crate::window::state::Window;

/// Who makes reports. Clones are the same one.
#[derive(Clone)]
pub struct Reports {
    store: Arc<dyn Store>,
    keeper: Keeper,
    clock: Clock,
}

impl Reports {
    /// From this store, with what `keeper` still holds.
    pub fn new(store: Arc<dyn Store>, keeper: Keeper, clock: Clock) -> Self {
        Self { store, keeper, clock }
    }

    /// Of a maintenance, whether or not it is over; none if there is none of this id.
    pub async fn maintenance(&self, id: Id) -> Result<Option<Report>, StoreError> {
        let Some(maintenance) = self.store.maintenance(id).await? else { return Ok(None) };
        let mut windows = Vec::with_capacity(maintenance.windows.len());
        for window in &maintenance.windows {
            windows.extend(self.store.window(*window).await?);
        }
        self.of(Some(&maintenance), windows).await.map(Some)
    }

    /// Of one window: a switch, or one phase of a maintenance.
    pub async fn window(&self, id: Id) -> Result<Option<Report>, StoreError> {
        let Some(window) = self.store.window(id).await? else { return Ok(None) };
        self.of(None, vec![window]).await.map(Some)
    }

    async fn of(
        &self,
        maintenance: Option<&Maintenance>,
        windows: Vec<Window>,
    ) -> Result<Report, StoreError> {
        // A store that takes nothing can still be read: the report is then a minute behind.
        if let Err(error) = self.keeper.keep().await {
            tracing::warn!(%error, "a report is made of what was counted before");
        }
        let ids: Vec<Id> = windows.iter().map(|window| window.id).collect();
        let mut tallies = self.store.tallies(ids).await?;
        let mut told = Vec::with_capacity(windows.len());
        for window in windows {
            let history = self.store.history_of(window.id).await?;
            let submissions = submissions(&self.store.submissions_of(window.id).await?);
            let at = tallies.iter().position(|(id, _)| *id == window.id);
            let tally = at.map(|at| tallies.swap_remove(at).1).unwrap_or_default();
            told.push(Told { window, history, tally, submissions });
        }
        Ok(Report::of(maintenance, &told, self.clock.now()))
    }
}

/// What became of the forms that a window kept, of which the store still knows: it forgets them
/// [`TOMBSTONE_LIFE`](crate::limit::TOMBSTONE_LIFE) after their end.
fn submissions(counts: &[(Form, u64)]) -> Submissions {
    let mut told = Submissions::default();
    for (state, count) in counts {
        told.kept += count;
        *match state {
            Form::Receiving | Form::Held | Form::Armed | Form::Sending => &mut told.waiting,
            Form::Accepted | Form::Done => &mut told.sent,
            Form::Refused => &mut told.refused,
            Form::Unknown => &mut told.unknown,
            Form::Discarded => &mut told.discarded,
            Form::Expired | Form::Unreadable => &mut told.expired,
        } += count;
    }
    told
}
