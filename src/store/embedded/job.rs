//! One piece of work for a store thread, and the promise of its answer.
//!
//! CANCEL: a job's future that is dropped before the queue took the job did nothing. Dropped later,
//! only the answer is lost: the job is done all the same, and whoever needs to know must ask again.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::fault::Fault;
use crate::store::{Pending, StoreError};

/// Whether a job makes the store larger.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Growth {
    /// It stores content; refused while only the reserve is left.
    Grows,
    /// It changes, erases or reads.
    Stays,
}

/// Whether a job that is refused must be undone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Undoing {
    /// Part of it may be done by then.
    Needed,
    /// It changes nothing before it is sure to be done. So it needs no savepoint, which would cost
    /// a copy of each page that it changes.
    Spared,
}

/// What is free on the store's file system.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// More than the reserve.
    Ample,
    /// The reserve, or less.
    Reserve,
}

/// What is left of a job after its work.
pub(super) enum Ran {
    /// To be committed.
    Done,
    /// To be undone, alone.
    Undo,
    /// The medium failed: the whole transaction is lost.
    Lost(StoreError),
}

/// A job of whatever answer.
pub(super) trait Job: Send {
    /// Whether it needs a savepoint.
    fn undoing(&self) -> Undoing;
    /// Does the work, once; in a savepoint, or in none if that is spared.
    fn run(&mut self, conn: &Connection, room: Room, undoing: Undoing) -> Ran;
    /// Tells the outcome, or what befell the transaction.
    fn answer(self: Box<Self>, lost: Option<&StoreError>);
}

struct Task<T, W> {
    growth: Growth,
    undoing: Undoing,
    work: Option<W>,
    outcome: Result<T, StoreError>,
    asker: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Job for Task<T, W>
where
    T: Send,
    W: FnOnce(&Connection) -> Result<T, Fault> + Send,
{
    fn undoing(&self) -> Undoing {
        self.undoing
    }

    fn run(&mut self, conn: &Connection, room: Room, undoing: Undoing) -> Ran {
        if room == Room::Reserve && self.growth == Growth::Grows {
            self.outcome = Err(StoreError::Full);
            return Ran::Undo;
        }
        let Some(work) = self.work.take() else { return Ran::Undo };
        match work(conn) {
            Ok(answer) => {
                self.outcome = Ok(answer);
                Ran::Done
            }
            Err(fault) if fault.ends_batch() || conn.is_autocommit() => Ran::Lost(fault.into()),
            // Nobody knows how far it came.
            Err(fault @ Fault::Sqlite(_)) if undoing == Undoing::Spared => Ran::Lost(fault.into()),
            Err(fault) => {
                self.outcome = Err(fault.into());
                Ran::Undo
            }
        }
    }

    fn answer(self: Box<Self>, lost: Option<&StoreError>) {
        // An asker that is gone has lost nothing but the answer.
        let _ = self.asker.send(match lost {
            Some(error) => Err(error.clone()),
            None => self.outcome,
        });
    }
}

/// Puts `work` into `queue`, waiting for a place, and gives its answer when it comes.
pub(super) fn ask<T, W>(
    queue: &mpsc::Sender<Box<dyn Job>>,
    (growth, undoing): (Growth, Undoing),
    work: W,
) -> Pending<T>
where
    T: Send + 'static,
    W: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
{
    let queue = queue.clone();
    Box::pin(async move {
        let (asker, answer) = oneshot::channel();
        let task = Task { growth, undoing, work: Some(work), outcome: Err(unanswered()), asker };
        queue.send(Box::new(task)).await.map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    })
}

fn closed() -> StoreError {
    StoreError::Failed("it is shut down".to_owned())
}

fn unanswered() -> StoreError {
    StoreError::Failed("the job was not run".to_owned())
}
