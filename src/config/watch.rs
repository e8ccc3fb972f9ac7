//! Tells when a config file, a file with a certificate that it names, a maintenance that is
//! declared beside it, or a template over the built-in ones has other content than before.
//!
//! Change events alone are not the truth. A ConfigMap is swapped by renaming a symlink beside the
//! file, an editor replaces the file by another, and either way a watch on the file itself dies
//! with it. So the *directories* are watched, events only say "look now", the content's hash
//! decides, and every [`limit::WATCH_POLL`] it is looked at without any event.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::files;
use crate::digest::{Hash, sha256};
use crate::limit;

/// Wakes waiting for the watching thread. Full: it will look anyway, one more changes nothing.
const WAKES_QUEUED_MAX: usize = 16;
/// How often in a row a look is put off because changes go on.
const QUIET_ROUNDS_MAX: u32 = 20;
/// Files of a directory that are looked at: of about a dozen templates, or of maintenances.
const TEMPLATE_FILES_MAX: usize = limit::DECLARED_FILES_MAX;
/// Folders below a template directory that are looked into.
const TEMPLATE_DEPTH_MAX: usize = 3;

/// A thread that watches; it ends when this is dropped.
#[must_use = "the watch ends when it is dropped"]
pub struct Watch {
    wake: SyncSender<Wake>,
    thread: Option<JoinHandle<()>>,
}

/// How patient a watch is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Quiet time after a change before it is read.
    pub quiet: Duration,
    /// How often the content is looked at whether or not a change was told.
    pub poll: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { quiet: limit::WATCH_QUIET, poll: limit::WATCH_POLL }
    }
}

enum Wake {
    /// Something happened in a watched directory.
    Changed,
    /// The templates are in another directory now.
    Pages(Option<PathBuf>),
    Stop,
}

/// Watches the file at `path` and tells `tx` each time its content is another. A channel of one
/// place is enough: what is told is only that there is something to read.
///
/// Begin it before the file is loaded: what changes between the two would only be seen with the
/// next change.
pub fn watch(path: &Path, tx: mpsc::Sender<()>) -> io::Result<Watch> {
    watch_at(Pace::default(), path, tx)
}

/// Like [`watch`], at another pace.
pub fn watch_at(pace: Pace, path: &Path, tx: mpsc::Sender<()>) -> io::Result<Watch> {
    let (wake, wakes) = sync_channel(WAKES_QUEUED_MAX);
    let on_event = wake.clone();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading the file is an access event too; waking for it would never end.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            let _ = on_event.try_send(Wake::Changed);
        }
    });
    let watcher = watcher
        .inspect_err(|fault| {
            tracing::warn!(%fault, "no change events for the config file: it is polled only");
        })
        .ok();
    let file = std::path::absolute(path)?;
    let (pages, armed, seen) = (None, BTreeSet::new(), None);
    let named = Named::default();
    let mut looking = Looking { pace, file, pages, named, watcher, armed, seen };
    // Learns which files the config names, whose directories are watched too.
    let _ = looking.content();
    // ORDER: armed before the first look, so that no change falls between the two.
    looking.arm();
    looking.seen = looking.content();
    let thread = std::thread::Builder::new().name("config-watch".to_owned());
    let thread = thread.spawn(move || looking.run(&wakes, &tx))?;
    Ok(Watch { wake, thread: Some(thread) })
}

impl Watch {
    /// Watches the templates in this directory as well, instead of those in another.
    pub fn pages(&self, dir: Option<PathBuf>) {
        let _ = self.wake.send(Wake::Pages(dir));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.wake.send(Wake::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the watching thread knows.
struct Looking {
    pace: Pace,
    file: PathBuf,
    pages: Option<PathBuf>,
    named: Named,
    watcher: Option<RecommendedWatcher>,
    armed: BTreeSet<PathBuf>,
    seen: Option<Content>,
}

/// What a config names.
#[derive(Default)]
struct Named {
    /// The hash of the config that does.
    by: Hash,
    /// Files with certificates.
    files: BTreeSet<PathBuf>,
    /// The directory of declared maintenances.
    maintenances: Option<PathBuf>,
}

/// What was seen of the file, of those that it names, and of the templates.
#[derive(Clone, PartialEq, Eq)]
struct Content {
    file: Hash,
    named: Hash,
    maintenances: Option<Hash>,
    pages: Option<Hash>,
}

/// What the thread does next.
enum Next {
    /// Something changed.
    Look,
    /// Nobody said that anything changed.
    LookAnyway,
    Stop,
}

/// What a file that is missing or empty means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// It is just being written.
    Wait,
    /// It stays so, and the operator should hear of it.
    Tell,
}

impl Looking {
    fn run(mut self, wakes: &Receiver<Wake>, tx: &mpsc::Sender<()>) {
        loop {
            let next = match wakes.recv_timeout(self.pace.poll) {
                Ok(wake) => self.take(wake, wakes),
                Err(RecvTimeoutError::Timeout) => Next::LookAnyway,
                Err(RecvTimeoutError::Disconnected) => Next::Stop,
            };
            let is_other = match next {
                Next::Stop => return,
                Next::Look => self.looks_other(Missing::Wait),
                Next::LookAnyway => self.looks_other(Missing::Tell),
            };
            if is_other && matches!(tx.try_send(()), Err(TrySendError::Closed(()))) {
                return;
            }
        }
    }

    /// Takes a wake, and after a change those that follow it until it is quiet.
    fn take(&mut self, first: Wake, wakes: &Receiver<Wake>) -> Next {
        let mut wake = first;
        for _ in 0..QUIET_ROUNDS_MAX {
            match wake {
                Wake::Stop => return Next::Stop,
                Wake::Pages(dir) => {
                    return self.change_pages(dir);
                }
                Wake::Changed => {}
            }
            match wakes.recv_timeout(self.pace.quiet) {
                Ok(another) => wake = another,
                Err(RecvTimeoutError::Timeout) => return Next::Look,
                Err(RecvTimeoutError::Disconnected) => return Next::Stop,
            }
        }
        Next::Look
    }

    /// Looks at other templates. Nothing is told: who changed the directory has just read it.
    fn change_pages(&mut self, dir: Option<PathBuf>) -> Next {
        let dir = dir.and_then(|dir| std::path::absolute(dir).ok());
        if self.pages == dir {
            return Next::Look;
        }
        self.pages = dir;
        self.arm();
        // A change of the file that was not yet looked at must not be lost: its hash stays.
        if let Some(seen) = &mut self.seen {
            seen.pages = self.pages.as_deref().map(folder_hash);
        }
        Next::Look
    }

    /// Whether the content is another than when this was last asked.
    fn looks_other(&mut self, missing: Missing) -> bool {
        self.arm();
        let known = self.named.by;
        let mut now = self.content();
        if self.named.by != known {
            // It names other files: what changes in them from now on is told.
            self.arm();
            now = self.content();
        }
        if now.is_none() && missing == Missing::Wait {
            return false;
        }
        std::mem::replace(&mut self.seen, now) != self.seen
    }

    /// The hashes of all that is watched; none if the file is missing or empty.
    fn content(&mut self) -> Option<Content> {
        let bytes = super::read(&self.file).ok().filter(|bytes| !bytes.is_empty())?;
        let file = sha256(&bytes);
        if self.named.by != file {
            let base = self.file.parent().unwrap_or(Path::new("/"));
            let text = String::from_utf8_lossy(&bytes);
            let files = files::named(&text, base);
            self.named = Named { by: file, files, maintenances: files::maintenances(&text, base) };
        }
        let named = hash_of_all(&self.named.files);
        let maintenances = self.named.maintenances.as_deref().map(folder_hash);
        Some(Content { file, named, maintenances, pages: self.pages.as_deref().map(folder_hash) })
    }

    /// Watches the directories as they are now: one that was deleted and made again is another.
    fn arm(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let mut wanted = BTreeSet::new();
        for file in std::iter::once(&self.file).chain(&self.named.files) {
            wanted.extend(file.parent().map(Path::to_owned));
            // Behind a symlink the content lives elsewhere.
            let real = file.canonicalize().ok();
            wanted.extend(real.as_deref().and_then(Path::parent).map(Path::to_owned));
        }
        wanted.extend(self.pages.clone());
        wanted.extend(self.named.maintenances.clone());
        for gone in self.armed.difference(&wanted) {
            let _ = watcher.unwatch(gone);
        }
        let mut armed = BTreeSet::new();
        for dir in wanted {
            let mode = match Some(&dir) == self.pages.as_ref() {
                true => RecursiveMode::Recursive,
                false => RecursiveMode::NonRecursive,
            };
            if self.armed.contains(&dir) {
                let _ = watcher.unwatch(&dir);
            }
            if watcher.watch(&dir, mode).is_ok() {
                armed.insert(dir);
            }
        }
        self.armed = armed;
    }
}

fn file_hash(path: &Path) -> Option<Hash> {
    super::read(path).ok().filter(|bytes| !bytes.is_empty()).map(|bytes| sha256(&bytes))
}

/// The hash of all files of a folder, their names included.
fn folder_hash(dir: &Path) -> Hash {
    let mut files = BTreeSet::new();
    files_below(dir, TEMPLATE_DEPTH_MAX, &mut files);
    hash_of_all(&files)
}

/// The hash of these files and of their names.
fn hash_of_all(files: &BTreeSet<PathBuf>) -> Hash {
    let mut parts = Vec::new();
    for path in files {
        parts.extend(sha256(path.as_os_str().as_encoded_bytes()));
        parts.extend(file_hash(path).unwrap_or_default());
    }
    sha256(&parts)
}

/// The files of a directory and of those below it. A ConfigMap's own folders, which begin with two
/// dots, hold the same files a second time.
fn files_below(dir: &Path, depth: usize, files: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if files.len() >= TEMPLATE_FILES_MAX {
            return;
        }
        let path = entry.path();
        let own = entry.file_name().as_encoded_bytes().starts_with(b"..");
        if path.is_file() {
            files.insert(path);
        } else if path.is_dir() && depth > 0 && !own {
            files_below(&path, depth - 1, files);
        }
    }
}
