//! The thread that reads, on a connection of its own, so that no read waits behind an fsync.
//!
//! Each read is one statement and therefore one short transaction: a long one would keep the log
//! from being emptied.

use rusqlite::Connection;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use super::job::{Job, Ran, Room, Undoing};

/// Reads until told to stop or nobody can ask any more; what is queued by then is still answered.
pub(super) fn work(
    conn: &Connection,
    runtime: &Runtime,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
    mut stop: watch::Receiver<()>,
) {
    loop {
        // CANCEL: neither branch takes anything before it is ready.
        let job = runtime.block_on(async {
            tokio::select! {
                biased;
                Ok(()) = stop.changed(), if !queue.is_closed() => {
                    queue.close();
                    queue.recv().await
                }
                job = queue.recv() => job,
            }
        });
        let Some(mut job) = job else { break };
        match job.run(conn, Room::Ample, Undoing::Needed) {
            Ran::Done | Ran::Undo => job.answer(None),
            Ran::Lost(error) => job.answer(Some(&error)),
        }
    }
}
