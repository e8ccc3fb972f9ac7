//! The one thread that writes: it takes what is queued, commits it as one, then answers all.
//!
//! INVARIANT: no job is answered with `Ok` before the commit that holds it was synced. When a
//! commit fails, every job in it gets the error and none is tried again: after a failed fsync the
//! system may take pages for clean that never reached the disk, so a second fsync proves nothing.
//!
//! The thread then opens a new connection. The reader's connection stays open meanwhile and keeps
//! the shared index of the log, which does not know the failed commit; so the log is not recovered
//! from what may exist in memory alone, and the next commit overwrites the failed one's place.
//! Only a process that is killed before that commit may find at its next start what it refused.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rusqlite::Connection;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use super::fault::{Fault, told};
use super::files::Files;
use super::gauges::Meter;
use super::job::{Job, Ran, Room, Undoing};
use crate::clock::{Clock, Tick};
use crate::limit;
use crate::store::StoreError;

/// The writing side of the store.
pub(super) struct Writer {
    /// None after a failure, until the next batch opens it again.
    ///
    /// ORDER: before `files`, which give the directory free when they are dropped.
    conn: Option<Connection>,
    files: Arc<Files>,
    meter: Arc<Meter>,
    clock: Clock,
    /// When the log was last emptied.
    emptied: Tick,
    /// Whether every job gets a savepoint, whatever it says.
    careful: bool,
}

/// Why the writer woke.
enum Woke {
    Jobs,
    Quiet,
    Stop,
}

impl Writer {
    /// A writer over its first connection.
    pub(super) fn new(
        files: Arc<Files>,
        meter: Arc<Meter>,
        clock: Clock,
        conn: Connection,
    ) -> Self {
        let (emptied, careful) = (clock.tick(), meter.damaged.load(Relaxed) > 0);
        Self { files, meter, clock, conn: Some(conn), emptied, careful }
    }

    /// Works until told to stop or nobody can ask any more; what is queued by then is still done.
    pub(super) fn work(
        mut self,
        runtime: &Runtime,
        mut queue: mpsc::Receiver<Box<dyn Job>>,
        mut stop: watch::Receiver<()>,
    ) {
        if let Some(conn) = &mut self.conn {
            // A connection that cannot count its log would only leave it to the next start.
            let _ = count_log(conn, &self.meter);
        }
        let mut batch = Vec::with_capacity(limit::STORE_BATCH_MAX);
        loop {
            let chores = self.conn.is_none() || self.meter.wal_pages.load(Relaxed) > 0;
            match runtime.block_on(next(&mut queue, &mut stop, &mut batch, chores)) {
                Woke::Stop => queue.close(),
                Woke::Quiet => self.do_chores(),
                Woke::Jobs if batch.is_empty() => break,
                Woke::Jobs => self.commit(&mut batch),
            }
        }
        self.do_chores();
    }

    /// What can wait until nobody does.
    fn do_chores(&mut self) {
        // Until a connection is proven again, the next quiet moment tries once more.
        if self.mend().is_ok() {
            self.empty_log();
        }
    }

    /// One transaction for the whole batch, then the answers.
    fn commit(&mut self, batch: &mut Vec<Box<dyn Job>>) {
        let began = self.clock.tick();
        let jobs = batch.len();
        let (room, careful) = (self.room(), self.careful);
        let outcome = self.connection().and_then(|conn| transact(conn, batch, room, careful));
        if outcome.is_ok() {
            self.meter.committed(jobs, self.clock.tick().since(began));
        } else {
            self.meter.failed();
        }
        for job in batch.drain(..) {
            job.answer(outcome.as_ref().err());
        }
        match outcome {
            Ok(()) => self.move_log(),
            Err(error) => self.let_go(&error),
        }
    }

    fn connection(&mut self) -> Result<&Connection, StoreError> {
        self.mend()?;
        self.conn.as_ref().ok_or_else(|| StoreError::Failed("it is not open".to_owned()))
    }

    /// Opens a new connection where the last one was let go.
    fn mend(&mut self) -> Result<(), StoreError> {
        if self.conn.is_none() {
            self.conn = Some(reopen(&self.files, &self.meter).map_err(|error| told(&error))?);
            self.meter.repairs.fetch_add(1, Relaxed);
            tracing::warn!("the store writes again");
        }
        Ok(())
    }

    fn let_go(&mut self, error: &StoreError) {
        tracing::error!(%error, "a commit failed; nothing of it was acknowledged");
        // Were it for one job that met a damaged row, the others would have been kept.
        self.careful = true;
        if let Some(conn) = self.conn.take()
            && !conn.is_autocommit()
        {
            // The connection is dropped next, which rolls back as well.
            let _ = conn.execute_batch("ROLLBACK");
        }
    }

    /// What is free. Where it is little, what the log holds is given back before anybody is
    /// refused.
    fn room(&mut self) -> Room {
        if self.files.disk.room() == Room::Reserve && self.meter.wal_pages.load(Relaxed) > 0 {
            self.empty_log();
        }
        self.files.disk.room()
    }

    /// Moves the log's pages into the main file once there are many. After the answers, so that
    /// nobody waits for it who need not.
    fn move_log(&mut self) {
        // The main file grows by what is moved, so the log may not outgrow what is free.
        let most = limit::STORE_WAL_PAGES.min(self.files.disk.free_pages() / 2).max(1);
        if self.meter.wal_pages.load(Relaxed) < most {
            return;
        }
        if self.clock.tick().since(self.emptied) >= limit::STORE_WAL_EMPTIED_EVERY {
            self.empty_log();
        } else if let Some(conn) = &self.conn {
            self.checkpoint(conn, "PASSIVE");
        }
    }

    /// Empties the log, so that nothing erased stays in it.
    fn empty_log(&mut self) {
        let Some(conn) = &self.conn else { return };
        // A connection whose patience cannot be changed is only more or less patient.
        let _ = conn.busy_timeout(limit::STORE_BUSY_IDLE);
        if let Some(left) = self.checkpoint(conn, "TRUNCATE") {
            self.meter.wal_pages.store(left, Relaxed);
        }
        let _ = conn.busy_timeout(limit::STORE_BUSY);
        self.emptied = self.clock.tick();
    }

    /// Gives the pages that are left in the log. A checkpoint that fails has lost nothing: the log
    /// still holds every page, and the next one writes them all again before it syncs.
    fn checkpoint(&self, conn: &Connection, how: &str) -> Option<u64> {
        let sql = format!("PRAGMA wal_checkpoint({how})");
        let left = conn
            .prepare_cached(&sql)
            .and_then(|mut go| go.query_row([], |row| row.get::<_, i64>("log")));
        match left {
            Ok(left) => u64::try_from(left).ok(),
            Err(error) => {
                self.meter.failed();
                tracing::error!(%error, "the store's log could not be moved into its file");
                None
            }
        }
    }
}

/// Waits for jobs, takes all that are there up to a batch, or tells what came first.
async fn next(
    queue: &mut mpsc::Receiver<Box<dyn Job>>,
    stop: &mut watch::Receiver<()>,
    batch: &mut Vec<Box<dyn Job>>,
    chores: bool,
) -> Woke {
    // CANCEL: each branch takes nothing before it is ready; `recv_many` is documented so.
    tokio::select! {
        biased;
        Ok(()) = stop.changed(), if !queue.is_closed() => Woke::Stop,
        _ = queue.recv_many(batch, limit::STORE_BATCH_MAX) => Woke::Jobs,
        () = tokio::time::sleep(limit::STORE_IDLE), if chores => Woke::Quiet,
    }
}

/// All jobs in one commit, each in a savepoint of its own if it may have to be undone.
fn transact(
    conn: &Connection,
    batch: &mut [Box<dyn Job>],
    room: Room,
    careful: bool,
) -> Result<(), StoreError> {
    let run = |sql| conn.prepare_cached(sql).and_then(|mut go| go.execute([])).map_err(Fault::from);
    run("BEGIN IMMEDIATE")?;
    for job in batch {
        if !careful && job.undoing() == Undoing::Spared {
            let before = conn.total_changes();
            match job.run(conn, room, Undoing::Spared) {
                Ran::Done => {}
                Ran::Undo if conn.total_changes() == before => {}
                Ran::Undo => return Err(StoreError::Failed("a job was refused half done".into())),
                Ran::Lost(error) => return Err(error),
            }
            continue;
        }
        run("SAVEPOINT job")?;
        match job.run(conn, room, Undoing::Needed) {
            Ran::Done => run("RELEASE job")?,
            Ran::Undo => run("ROLLBACK TO job").and_then(|_| run("RELEASE job"))?,
            Ran::Lost(error) => return Err(error),
        };
    }
    run("COMMIT")?;
    Ok(())
}

/// A new connection after a failure, proven by a commit of its own. That commit also takes the
/// failed one's place in the log, so that no later start finds there what was refused.
fn reopen(files: &Files, meter: &Arc<Meter>) -> rusqlite::Result<Connection> {
    let mut conn = files.writer()?;
    count_log(&mut conn, meter)?;
    conn.execute("UPDATE repairs SET count = count + 1", [])?;
    Ok(conn)
}

/// Has the log's pages counted at each commit. SQLite's own checkpoint, which would run before the
/// answers, is thereby off.
fn count_log(conn: &mut Connection, meter: &Arc<Meter>) -> rusqlite::Result<()> {
    let meter = Arc::clone(meter);
    conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
        meter.wal_pages.store(u64::try_from(pages).unwrap_or(0), Relaxed);
        Ok(())
    }))
}
