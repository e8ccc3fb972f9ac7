//! The embedded engine: SQLite in one directory, one thread that writes, one that reads.
//!
//! ```text
//!  workers, control ──keep, append, commit…──► bounded queue ──► writer ─┐
//!                   ──items, frames, census──► bounded queue ──► reader ─┴─► intermission.db
//! ```
//!
//! Durability is SQLite's write-ahead log with `synchronous=FULL`; speed is the group commit: what
//! is queued while one commit is being synced goes into the next. Any on-call engineer can read the
//! file with `sqlite3`; what visitors typed is sealed in it.

mod codes;
mod duties;
mod fault;
mod files;
mod gauges;
mod grants;
mod job;
mod pages;
mod reader;
mod rows;
mod schema;
mod submissions;
mod tallies;
mod windows;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, watch};

use fault::Fault;
use files::{Disk, Files, Soundness};
use gauges::Meter;
use job::{Growth, Job, Room, Undoing, ask};
use writer::Writer;

pub use gauges::StoreGauges;

use super::{
    Census, Commit, Heap, Holder, Kept, Pending, Quota, Reach, Referred, Store, StoreError, Wrap,
};
use crate::clock::{Clock, Wall};
use crate::digest::Hash;
use crate::duty::Posting;
use crate::grant::{Audit, Bypass, Reply, Token};
use crate::id::{Id, Reference};
use crate::limit;
use crate::vault::item::{Item, State};
use crate::window::history::Entry;
use crate::window::maintenance::Maintenance;
use crate::window::state::Window;
use crate::window::tally::Tally;

/// The store of one node.
pub struct Embedded {
    writes: mpsc::Sender<Box<dyn Job>>,
    reads: mpsc::Sender<Box<dyn Job>>,
    disk: Disk,
    meter: Arc<Meter>,
    stop_reader: watch::Sender<()>,
    stop_writer: watch::Sender<()>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
}

/// Opens the store in `directory`, which is made if it is missing, and starts its threads.
///
/// Fails with a message for operators when another process holds it, when its file is another
/// program's or a later release's, and when it is damaged: nothing is ever begun anew in place of
/// something damaged.
pub fn open(directory: &Path, clock: Clock) -> Result<Embedded, StoreError> {
    open_with(directory, clock, None)
}

/// The same, where nothing more is kept while fewer bytes than these are free on the file system.
pub fn open_with(
    directory: &Path,
    clock: Clock,
    free_bytes_min: Option<u64>,
) -> Result<Embedded, StoreError> {
    let files = Arc::new(Files::claim(directory, free_bytes_min)?);
    let meter = Arc::new(Meter::new());
    let (conn, soundness) = files.first_writer()?;
    if let Soundness::FramesDamaged(damage) = soundness {
        meter.damaged.store(1, std::sync::atomic::Ordering::Relaxed);
        tracing::error!(
            damage,
            "sealed frames in the store are damaged: some submissions cannot be read. Copy the \
             store's directory away; `sqlite3 intermission.db .recover` mends what can be mended"
        );
    } else {
        let dropped = submissions::drop_orphans(&conn).map_err(StoreError::from)?;
        if dropped > 0 {
            tracing::info!(dropped, "dropped sealed frames of uploads that never finished");
        }
    }
    let read_conn = files.reader()?;
    let (writes, write_queue) = mpsc::channel(limit::STORE_QUEUE_MAX);
    let (reads, read_queue) = mpsc::channel(limit::STORE_QUEUE_MAX);
    let (stop_writer, writer_stops) = watch::channel(());
    let (stop_reader, reader_stops) = watch::channel(());
    let reader = start("store-reader", move |runtime| {
        reader::work(&read_conn, runtime, read_queue, reader_stops);
    })?;
    let disk = files.disk.clone();
    let writer = Writer::new(files, Arc::clone(&meter), clock, conn);
    let writer = start("store-writer", move |runtime| {
        writer.work(runtime, write_queue, writer_stops);
    })?;
    let threads = Mutex::new(Some(Threads { reader, writer }));
    Ok(Embedded { writes, reads, disk, meter, stop_reader, stop_writer, threads })
}

fn start(
    name: &str,
    work: impl FnOnce(&tokio::runtime::Runtime) + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    let told = |error| StoreError::Failed(format!("cannot start the thread {name}: {error}"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(told)?;
    thread::Builder::new().name(name.to_owned()).spawn(move || work(&runtime)).map_err(told)
}

impl Embedded {
    /// How the store has been doing.
    pub fn latency(&self) -> StoreGauges {
        let (free_bytes, room) = (self.disk.free_bytes(), self.disk.room());
        let is_full = u64::from(room == Room::Reserve);
        StoreGauges { free_bytes, is_full, ..self.meter.read() }
    }

    /// Finishes what is queued, empties the log, closes the files and joins the threads; blocks
    /// until then. Later calls of the store fail, later shutdowns do nothing.
    pub fn shutdown(&self) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Threads { reader, writer }) = threads else { return };
        // ORDER: the reader first, so that the writer is the last to close and leaves no log.
        for (stop, thread) in [(&self.stop_reader, reader), (&self.stop_writer, writer)] {
            stop.send_replace(());
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }

    fn write<T: Send + 'static>(
        &self,
        growth: Growth,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Pending<T> {
        ask(&self.writes, (growth, Undoing::Needed), work)
    }

    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Pending<T> {
        ask(&self.reads, (Growth::Stays, Undoing::Needed), work)
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Store for Embedded {
    fn windows(&self) -> Pending<Vec<Window>> {
        self.read(windows::in_force)
    }

    fn ended_windows(&self, count: u32) -> Pending<Vec<Window>> {
        self.read(move |conn| windows::ended(conn, count))
    }

    fn window(&self, id: Id) -> Pending<Option<Window>> {
        self.read(move |conn| windows::one(conn, id))
    }

    fn history_of(&self, window: Id) -> Pending<Vec<Entry>> {
        self.read(move |conn| windows::history_of(conn, window))
    }

    fn ended_windows_after(&self, after: Option<Id>, count: u32) -> Pending<Vec<Window>> {
        self.read(move |conn| pages::ended_after(conn, after, count))
    }

    fn maintenance_page(
        &self,
        reach: Reach,
        after: Option<Id>,
        count: u32,
    ) -> Pending<Vec<Maintenance>> {
        self.read(move |conn| pages::maintenances(conn, reach, after, count))
    }

    fn history_before(&self, before: Option<u64>, count: u32) -> Pending<Vec<(u64, Entry)>> {
        self.read(move |conn| pages::history_before(conn, before, count))
    }

    fn history_after(&self, after: u64, count: u32) -> Pending<Vec<(u64, Entry)>> {
        self.read(move |conn| pages::history_after(conn, after, count))
    }

    fn history(&self, count: u32) -> Pending<Vec<Entry>> {
        self.read(move |conn| windows::history(conn, count))
    }

    fn commit(&self, commit: Commit) -> Pending<()> {
        self.write(Growth::Stays, move |conn| windows::commit(conn, &commit))
    }

    fn maintenances(&self) -> Pending<Vec<Maintenance>> {
        self.read(windows::maintenances)
    }

    fn ended_maintenances(&self, count: u32) -> Pending<Vec<Maintenance>> {
        self.read(move |conn| windows::ended_maintenances(conn, count))
    }

    fn maintenance(&self, id: Id) -> Pending<Option<Maintenance>> {
        self.read(move |conn| windows::maintenance(conn, id))
    }

    fn postings(&self) -> Pending<Vec<Posting>> {
        self.read(duties::newest)
    }

    fn postings_of(&self, upstream: String, count: u32) -> Pending<Vec<Posting>> {
        self.read(move |conn| duties::of_upstream(conn, &upstream, count))
    }

    fn post(&self, posting: Posting) -> Pending<()> {
        self.write(Growth::Stays, move |conn| duties::post(conn, &posting))
    }

    fn tokens(&self) -> Pending<Vec<Token>> {
        self.read(grants::tokens)
    }

    fn keep_token(&self, token: Token) -> Pending<()> {
        self.write(Growth::Stays, move |conn| grants::keep_token(conn, &token))
    }

    fn bypasses(&self) -> Pending<Vec<Bypass>> {
        self.read(grants::bypasses)
    }

    fn keep_bypass(&self, bypass: Bypass) -> Pending<()> {
        self.write(Growth::Stays, move |conn| grants::keep_bypass(conn, &bypass))
    }

    fn audit(&self, before: Option<u64>, count: u32) -> Pending<Vec<Audit>> {
        self.read(move |conn| grants::audit(conn, before, count))
    }

    fn note(&self, audit: Audit) -> Pending<u64> {
        self.write(Growth::Stays, move |conn| grants::note(conn, &audit))
    }

    fn reply(&self, key: Hash) -> Pending<Option<Reply>> {
        self.read(move |conn| grants::reply(conn, &key))
    }

    fn keep_reply(&self, reply: Reply) -> Pending<()> {
        self.write(Growth::Stays, move |conn| grants::keep_reply(conn, &reply))
    }

    fn drop_reply(&self, key: Hash) -> Pending<()> {
        self.write(Growth::Stays, move |conn| grants::drop_reply(conn, &key))
    }

    fn tallies(&self, windows: Vec<Id>) -> Pending<Vec<(Id, Tally)>> {
        self.read(move |conn| tallies::of(conn, &windows))
    }

    fn keep_tallies(&self, tallies: Vec<(Id, Tally)>) -> Pending<()> {
        self.write(Growth::Stays, move |conn| tallies::keep(conn, &tallies))
    }

    fn submissions_of(&self, window: Id) -> Pending<Vec<(State, u64)>> {
        self.read(move |conn| tallies::submissions(conn, window))
    }

    fn append(&self, submission: Id, frame: u32, sealed: Vec<u8>) -> Pending<()> {
        self.write(Growth::Grows, move |conn| submissions::append(conn, submission, frame, &sealed))
    }

    fn drop_frames(&self, submission: Id) -> Pending<()> {
        self.write(Growth::Stays, move |conn| submissions::drop_frames(conn, submission))
    }

    fn keep(&self, item: Item, frames: Vec<(u32, Vec<u8>)>, quota: Quota) -> Pending<Kept> {
        let how = (Growth::Grows, submissions::undoing(&item, &frames));
        ask(&self.writes, how, move |conn| submissions::keep(conn, &item, &frames, &quota))
    }

    fn item(&self, id: Id) -> Pending<Option<Item>> {
        self.read(move |conn| submissions::one(conn, id))
    }

    fn items_of(&self, browser: Hash) -> Pending<Vec<Item>> {
        self.read(move |conn| submissions::of_browser(conn, &browser))
    }

    fn update(&self, item: Item) -> Pending<()> {
        self.write(Growth::Stays, move |conn| submissions::update(conn, &item))
    }

    fn frames(&self, submission: Id, first: u32, count: u32) -> Pending<Vec<Vec<u8>>> {
        self.read(move |conn| submissions::frames(conn, submission, first, count))
    }

    fn items_in(&self, state: State) -> Pending<Vec<Item>> {
        self.read(move |conn| submissions::in_state(conn, state))
    }

    fn due(&self, now: Wall, count: u32) -> Pending<Vec<Item>> {
        self.read(move |conn| submissions::due(conn, now, count))
    }

    fn heaps(&self) -> Pending<Vec<Heap>> {
        self.read(pages::heaps)
    }

    fn referred(&self, reference: Reference) -> Pending<Option<Referred>> {
        self.read(move |conn| codes::referred(conn, reference))
    }

    fn keep_code(&self, submission: Id, wrapped_key: Vec<u8>) -> Pending<()> {
        self.write(Growth::Stays, move |conn| codes::keep(conn, submission, &wrapped_key))
    }

    fn wrong_code(&self, submission: Id) -> Pending<()> {
        self.write(Growth::Stays, move |conn| codes::wrong(conn, submission))
    }

    fn wraps_unlike(
        &self,
        holder: Holder,
        beginning: [u8; 5],
        after: Option<Id>,
        count: u32,
    ) -> Pending<Vec<Wrap>> {
        self.read(move |conn| codes::wraps_unlike(conn, holder, beginning, after, count))
    }

    fn rewrap(&self, holder: Holder, wraps: Vec<(Wrap, Vec<u8>)>) -> Pending<()> {
        self.write(Growth::Stays, move |conn| codes::rewrap(conn, holder, &wraps))
    }

    fn bury(&self, id: Id) -> Pending<()> {
        self.write(Growth::Stays, move |conn| submissions::bury(conn, id))
    }

    fn census(&self) -> Pending<Census> {
        self.read(submissions::census)
    }
}
