//! The thread that writes access lines to where they go.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::LogTarget;
use crate::limit;

/// Lines on their way to the writer.
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: u64,
    /// Where the emptied buffer goes.
    pub(super) home: SyncSender<Vec<u8>>,
}

/// What the writer is told.
pub(super) enum Message {
    /// Write these.
    Lines(Batch),
    /// Look at the flags.
    Wake,
}

/// Seen by everyone who has to do with the log.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) dropped: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) reopen: AtomicBool,
    stop: AtomicBool,
}

/// The writer's thread. Stopped and joined when dropped.
pub struct AccessWriter {
    counts: Arc<Counts>,
    running: Option<Running>,
}

struct Running {
    queue: SyncSender<Message>,
    /// Disconnected when the thread has written everything.
    done: Receiver<()>,
    thread: JoinHandle<()>,
}

impl AccessWriter {
    pub(super) fn start(
        target: LogTarget,
        counts: &Arc<Counts>,
    ) -> io::Result<(Option<SyncSender<Message>>, Self)> {
        let counts = Arc::clone(counts);
        let Some(sink) = Sink::open(target)? else {
            return Ok((None, Self { counts, running: None }));
        };
        let (queue, messages) = sync_channel(limit::ACCESS_QUEUE_MAX);
        let (writing, done) = sync_channel(0);
        let pen = Writing { sink, torn: false, counts: Arc::clone(&counts), _running: writing };
        let thread = std::thread::Builder::new().name("access".to_owned());
        let thread = thread.spawn(move || pen.run(&messages))?;
        let running = Some(Running { queue: queue.clone(), done, thread });
        Ok((Some(queue), Self { counts, running }))
    }

    /// Writes what has been handed over and ends the thread. A target that takes nothing, such as
    /// a full pipe, is given up after [`limit::ACCESS_STOP_WAIT`].
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for AccessWriter {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        self.counts.stop.store(true, Ordering::Release);
        // A full queue wakes the writer just as well.
        let _ = running.queue.try_send(Message::Wake);
        let waited = running.done.recv_timeout(limit::ACCESS_STOP_WAIT);
        if waited == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("the access log takes no more lines; what was queued is lost");
        } else if running.thread.join().is_err() {
            tracing::error!("the access log's writer panicked");
        }
    }
}

struct Writing {
    sink: Sink,
    /// Whether a failed write may have left half a line behind.
    torn: bool,
    counts: Arc<Counts>,
    /// Dropped with this, which tells [`AccessWriter`] that all is written.
    _running: SyncSender<()>,
}

impl Writing {
    fn run(mut self, messages: &Receiver<Message>) {
        while let Ok(message) = messages.recv() {
            self.take(message);
            if self.counts.stop.load(Ordering::Acquire) {
                messages.try_iter().for_each(|message| self.take(message));
                return;
            }
        }
    }

    fn take(&mut self, message: Message) {
        if self.counts.reopen.swap(false, Ordering::AcqRel) && self.sink.reopen().is_err() {
            // The file that is open goes on being written: better in the old place than nowhere.
            self.counts.failures.fetch_add(1, Ordering::Relaxed);
        }
        match message {
            Message::Wake => {}
            Message::Lines(mut batch) => {
                self.write(&batch);
                batch.bytes.clear();
                // A worker with enough spares, or that is gone, needs it no more.
                let _ = batch.home.try_send(batch.bytes);
            }
        }
    }

    /// Writes a batch once. What failed is not tried again, since nobody can tell how much of it
    /// is there; the next batch begins on a line of its own.
    fn write(&mut self, batch: &Batch) {
        let seam: &[u8] = if self.torn { b"\n" } else { b"" };
        let written = self.sink.write(seam).and_then(|()| self.sink.write(&batch.bytes));
        self.torn = written.is_err();
        if written.is_err() {
            self.counts.failures.fetch_add(1, Ordering::Relaxed);
            self.counts.dropped.fetch_add(batch.lines, Ordering::Relaxed);
        }
    }
}

enum Sink {
    Stdout,
    File { file: File, path: Box<Path> },
}

impl Sink {
    fn open(target: LogTarget) -> io::Result<Option<Self>> {
        match target {
            LogTarget::Off => Ok(None),
            LogTarget::Stdout => Ok(Some(Self::Stdout)),
            LogTarget::File(path) => {
                let file = append_to(&path)?;
                Ok(Some(Self::File { file, path: path.into() }))
            }
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout => Ok(()),
            Self::File { file, path } => {
                *file = append_to(path)?;
                Ok(())
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes)?;
                stdout.flush()
            }
            Self::File { file, .. } => file.write_all(bytes),
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}
