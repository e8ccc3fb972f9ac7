//! Stores what was planned, shows it, answers.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::Reconciler;
use crate::clock::Wall;
use crate::control::batch::{Batch, Member};
use crate::control::command::{Change, Refused};
use crate::control::timer::Last;
use crate::id::Id;
use crate::store::{Commit, StoreError};
use crate::window::state::{State, Step};

impl Reconciler {
    /// Stores a batch, shows it, answers.
    pub(super) async fn settle(&mut self, batch: Batch) {
        if batch.members.is_empty() {
            return;
        }
        let results = self.commit(&batch.members).await;
        self.last = if results.iter().all(Result::is_ok) { Last::Done } else { Last::Failed };
        let mut changed = false;
        for (member, result) in batch.members.iter().zip(&results) {
            changed |= match result {
                Ok(()) => self.adopt(&member.commit),
                Err(error) => self.read_again(&member.commit, error).await,
            };
        }
        // ORDER: durable before visible. A crash in between forgets nothing that anybody was told,
        // and a scope that visitors saw closed is closed after a restart.
        if changed {
            self.publish();
        }
        for (member, _) in batch.members.iter().zip(&results).filter(|(_, result)| result.is_ok()) {
            member.commit.steps.iter().for_each(tell);
        }
        // ORDER: visible before answered. Who is told "closed" meets no open route afterwards.
        let generation = self.standing.borrow().generation;
        for (Member { commit, answer }, result) in batch.members.into_iter().zip(results) {
            let Some(answer) = answer else { continue };
            let change = result.map_err(Refused::Store).map(|()| {
                let mut maintenances = commit.maintenances.into_iter();
                let windows = commit.steps.into_iter().map(|step| Arc::new(step.window));
                Change {
                    windows: windows.collect(),
                    maintenance: maintenances.next().map(Arc::new),
                    generation,
                }
            });
            let _ = answer.send(change);
        }
    }

    /// Commits of different windows, side by side. Each result stands for itself.
    async fn commit(&self, members: &[Member]) -> Vec<Result<(), StoreError>> {
        let mut commits = JoinSet::new();
        // A task that is lost leaves this, the careful answer.
        let lost = Err(StoreError::Failed("the commit was lost".to_owned()));
        let mut results = vec![lost; members.len()];
        for (at, member) in members.iter().enumerate() {
            let commit = self.parts.store.commit(member.commit.clone());
            commits.spawn(async move { (at, commit.await) });
        }
        while let Some(joined) = commits.join_next().await {
            if let Ok((at, result)) = joined {
                results[at] = result;
            }
        }
        results
    }

    /// Takes what the store has; tells whether that differs from what was known.
    fn adopt(&mut self, commit: &Commit) -> bool {
        let mut changed = false;
        for step in &commit.steps {
            changed |= self.books.take(Arc::new(step.window.clone()));
        }
        for maintenance in &commit.maintenances {
            changed |= self.books.take_maintenance(Arc::new(maintenance.clone()));
        }
        changed
    }

    /// After a failed commit: what the store has is what holds, whoever put it there.
    async fn read_again(&mut self, commit: &Commit, error: &StoreError) -> bool {
        let windows: Vec<Id> = commit.steps.iter().map(|step| step.window.id).collect();
        tracing::error!(?windows, %error, "a change was not stored");
        let mut changed = false;
        for id in windows {
            changed |= match self.parts.store.window(id).await {
                Ok(Some(stored)) => self.books.take(Arc::new(stored)),
                Ok(None) => self.books.forget(id),
                Err(error) => {
                    tracing::error!(window = %id, %error, "it cannot be read again either");
                    false
                }
            };
        }
        for maintenance in &commit.maintenances {
            if let Ok(Some(stored)) = self.parts.store.maintenance(maintenance.id).await {
                changed |= self.books.take_maintenance(Arc::new(stored));
            }
        }
        changed
    }
}

/// The operator's log of what happened to windows; the history has the same.
fn tell(step: &Step) {
    let Step { window, entry } = step;
    tracing::info!(
        window = %window.id,
        regions = %window.scope.regions,
        routes = %window.scope.routes,
        mode = window.mode.name(),
        from = entry.from.map_or("none", State::name),
        to = entry.to.name(),
        by = entry.by,
        why = entry.why,
        promised_end = entry.promised_end.map(Wall::rfc3339),
        "a window changed"
    );
}
