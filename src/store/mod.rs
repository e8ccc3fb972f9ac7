//! What must survive: windows with their history, decisions about servers, submissions with their
//! sealed frames.
//!
//! One trait in domain words. A write that returned `Ok` is durable (committed and fsynced); one
//! that returned an error may not be acknowledged to anybody, and is never retried into success.

pub mod embedded;

use std::future::Future;
use std::path::Path;
use std::pin::Pin;

use crate::clock::{Clock, Wall};
use crate::digest::Hash;
use crate::duty::Posting;
use crate::grant::{Audit, Bypass, Reply, Token};
use crate::id::{Id, Reference};
use crate::vault::item::{Item, State};
use crate::window::history::Entry;
use crate::window::maintenance::Maintenance;
use crate::window::state::{Step, Window};
use crate::window::tally::Tally;

/// What a store method gives: an answer later. It asks for nothing before it is first polled, and
/// may be awaited on any runtime.
///
/// CANCEL: dropped while it waits for a place in the queue, it has done nothing. Dropped later,
/// only the answer is lost: the work is done all the same.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// Why the store did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another version is stored than the one that was read.
    #[error("changed meanwhile by somebody else")]
    Conflict,
    /// A quota would be exceeded.
    #[error("over the quota: {0}")]
    Quota(&'static str),
    /// The medium is full.
    #[error("the store's disk is full")]
    Full,
    /// Reading or writing failed.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// What [`Store::keep`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The submission is stored.
    New,
    /// The same bytes were kept for the same browser a moment ago; this is that submission, and
    /// the frames of the new one were dropped.
    Same(Id),
}

/// Bounds that [`Store::keep`] holds in the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Live submissions of one browser.
    pub per_browser: u32,
    /// Sealed bytes of one browser.
    pub bytes_per_browser: u64,
    /// Sealed bytes of all.
    pub bytes: u64,
    /// Equal fingerprints captured at or after this instant are the same submission.
    pub same_since: Wall,
    /// Which submissions a new one may be the same as.
    pub same: Same,
}

/// Which submissions a new one may be the same as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Same {
    /// Those that may still reach the application, or may have reached it unanswered: one that was
    /// answered is over, and the same words again are meant anew.
    Waiting,
    /// All that have content: their client gave both the same name.
    Any,
}

/// What changes together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// Steps, each of another window.
    pub steps: Vec<Step>,
    /// Maintenances as they are afterwards. Their windows are stored before or with them.
    pub maintenances: Vec<Maintenance>,
}

impl From<Step> for Commit {
    fn from(step: Step) -> Self {
        Self { steps: vec![step], maintenances: Vec::new() }
    }
}

/// The state of the store for operators.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Submissions by state.
    pub submissions: Vec<(State, u64)>,
    /// Sealed bytes held.
    pub bytes: u64,
}

/// Submissions of one route in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heap {
    /// The route's name.
    pub route: String,
    /// The name of the state.
    pub state: String,
    /// How many.
    pub count: u64,
    /// Their sealed bytes.
    pub bytes: u64,
}

/// A submission, as who knows its reference may ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referred {
    /// The submission.
    pub item: Item,
    /// Its key as its resume code wraps it; none if it has no code, or none that is good.
    pub code: Option<Vec<u8>>,
}

/// Who holds the secret that a submission's key is wrapped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// The browser that sent the form.
    Browser,
    /// Whoever has the resume code.
    Code,
}

/// A wrapped key of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrap {
    /// The submission.
    pub submission: Id,
    /// Its key, wrapped.
    pub wrapped_key: Vec<u8>,
}

/// Which maintenances a page of them is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Those that are over.
    Over,
    /// All.
    Every,
}

/// The durable side of the proxy.
pub trait Store: Send + Sync {
    /// Windows that are not over: planned, stalled or in force.
    fn windows(&self) -> Pending<Vec<Window>>;
    /// Windows that ended or were cancelled, newest first.
    fn ended_windows(&self, count: u32) -> Pending<Vec<Window>>;
    /// One window.
    fn window(&self, id: Id) -> Pending<Option<Window>>;
    /// One window's history, oldest first.
    fn history_of(&self, window: Id) -> Pending<Vec<Entry>>;
    /// The newest entries of all windows, newest first.
    fn history(&self, count: u32) -> Pending<Vec<Entry>>;
    /// Windows that ended or were cancelled, newest first, after the one of this id.
    fn ended_windows_after(&self, after: Option<Id>, count: u32) -> Pending<Vec<Window>>;
    /// Maintenances, newest first, after the one of this id.
    fn maintenance_page(
        &self,
        reach: Reach,
        after: Option<Id>,
        count: u32,
    ) -> Pending<Vec<Maintenance>>;
    /// Entries of all windows with their number, newest first: those with a number below `before`.
    fn history_before(&self, before: Option<u64>, count: u32) -> Pending<Vec<(u64, Entry)>>;
    /// Entries of all windows with their number, oldest first: those with a number above `after`.
    fn history_after(&self, after: u64, count: u32) -> Pending<Vec<(u64, Entry)>>;
    /// Stores steps of windows with their entries, and maintenances, all or nothing;
    /// [`StoreError::Conflict`] unless the stored version of each is the one before.
    fn commit(&self, commit: Commit) -> Pending<()>;
    /// Maintenances that are not over: one of their windows is not.
    fn maintenances(&self) -> Pending<Vec<Maintenance>>;
    /// Maintenances that are over, newest first.
    fn ended_maintenances(&self, count: u32) -> Pending<Vec<Maintenance>>;
    /// One maintenance.
    fn maintenance(&self, id: Id) -> Pending<Option<Maintenance>>;

    /// The newest decision about each server, whether or not a config still names it.
    fn postings(&self) -> Pending<Vec<Posting>>;
    /// The newest decisions about the servers of one upstream, newest first.
    fn postings_of(&self, upstream: String, count: u32) -> Pending<Vec<Posting>>;
    /// Stores a decision about a server; [`StoreError::Conflict`] unless the newest one about it
    /// is the version before.
    fn post(&self, posting: Posting) -> Pending<()>;

    /// Every token that was made and is not forgotten yet, expired and revoked ones too.
    fn tokens(&self) -> Pending<Vec<Token>>;
    /// Stores a token, new or changed. Over [`TOKENS_KEPT_MAX`](crate::limit::TOKENS_KEPT_MAX) one
    /// that has expired is forgotten; [`StoreError::Quota`] if none has.
    fn keep_token(&self, token: Token) -> Pending<()>;
    /// Every bypass that was made and is not forgotten yet, expired and revoked ones too.
    fn bypasses(&self) -> Pending<Vec<Bypass>>;
    /// Stores a bypass, new or changed, bounded as tokens are.
    fn keep_bypass(&self, bypass: Bypass) -> Pending<()>;
    /// What operators asked for, newest first: entries with a number below `before`.
    fn audit(&self, before: Option<u64>, count: u32) -> Pending<Vec<Audit>>;
    /// Adds an entry to the audit and tells its number. Over
    /// [`AUDIT_KEPT_MAX`](crate::limit::AUDIT_KEPT_MAX) the oldest is forgotten.
    fn note(&self, audit: Audit) -> Pending<u64>;
    /// The creation with this key, also one whose time is over.
    fn reply(&self, key: Hash) -> Pending<Option<Reply>>;
    /// Stores that a creation is under way, or its answer; [`StoreError::Conflict`] if the key is
    /// taken by another one or answered. Forgets those whose time is over at `at`.
    fn keep_reply(&self, reply: Reply) -> Pending<()>;
    /// Forgets a creation of which nothing came, so that it may be tried again.
    fn drop_reply(&self, key: Hash) -> Pending<()>;

    /// What windows did to visitors, of those of these windows of which something was counted.
    fn tallies(&self, windows: Vec<Id>) -> Pending<Vec<(Id, Tally)>>;
    /// Stores tallies in place of those that were stored of the same windows.
    fn keep_tallies(&self, tallies: Vec<(Id, Tally)>) -> Pending<()>;
    /// A window's submissions by state, without those that were forgotten.
    fn submissions_of(&self, window: Id) -> Pending<Vec<(State, u64)>>;

    /// Stores one sealed frame of a submission that is being received. It is not a submission
    /// until [`Store::keep`]; frames without one are dropped when the store is opened.
    /// [`StoreError::Conflict`] if the frame is there, or the submission was kept already.
    fn append(&self, submission: Id, frame: u32, sealed: Vec<u8>) -> Pending<()>;
    /// Drops the frames of a submission that will not be kept. Does nothing to one that was kept,
    /// so whoever gave up waiting for [`Store::keep`] may call it.
    fn drop_frames(&self, submission: Id) -> Pending<()>;
    /// Makes a submission durable, with those of its frames that were not appended before; an
    /// error if not all of them are there. After an error its appended frames stay until
    /// [`Store::drop_frames`].
    fn keep(&self, item: Item, frames: Vec<(u32, Vec<u8>)>, quota: Quota) -> Pending<Kept>;
    /// One submission.
    fn item(&self, id: Id) -> Pending<Option<Item>>;
    /// A browser's submissions, newest first, at most
    /// [`SUBMISSIONS_LISTED_MAX`](crate::limit::SUBMISSIONS_LISTED_MAX).
    fn items_of(&self, browser: Hash) -> Pending<Vec<Item>>;
    /// Stores a changed submission; [`StoreError::Conflict`] unless the stored version is the one
    /// before. In a state without content the frames are erased in the same transaction.
    fn update(&self, item: Item) -> Pending<()>;
    /// `count` sealed frames of a submission from `first` on.
    fn frames(&self, submission: Id, first: u32, count: u32) -> Pending<Vec<Vec<u8>>>;
    /// Submissions in this state, for recovery.
    fn items_in(&self, state: State) -> Pending<Vec<Item>>;
    /// Submissions whose `due` instant is at or before `now`.
    fn due(&self, now: Wall, count: u32) -> Pending<Vec<Item>>;
    /// Forgets a tombstone; an error if the submission has content, nothing if it is gone.
    fn bury(&self, id: Id) -> Pending<()>;
    /// Submissions by route and state.
    fn heaps(&self) -> Pending<Vec<Heap>>;
    /// The submission of this reference.
    fn referred(&self, reference: Reference) -> Pending<Option<Referred>>;
    /// Stores the key of a submission as a resume code wraps it, in place of the one before;
    /// [`StoreError::Conflict`] if the submission has no content.
    fn keep_code(&self, submission: Id, wrapped_key: Vec<u8>) -> Pending<()>;
    /// Counts a wrong code for a submission. After
    /// [`CODE_WRONG_MAX`](crate::limit::CODE_WRONG_MAX) of them its code is void.
    fn wrong_code(&self, submission: Id) -> Pending<()>;
    /// Wrapped keys that begin otherwise, in the order of their submissions, after this one.
    fn wraps_unlike(
        &self,
        holder: Holder,
        beginning: [u8; 5],
        after: Option<Id>,
        count: u32,
    ) -> Pending<Vec<Wrap>>;
    /// Puts each wrapped key in the place of the one before it, if that is still there. A
    /// submission's version stays: nothing of it has changed for anybody.
    fn rewrap(&self, holder: Holder, wraps: Vec<(Wrap, Vec<u8>)>) -> Pending<()>;
    /// Counts for operators.
    fn census(&self) -> Pending<Census>;
}

/// Opens the embedded store in `dir`, which is made if it is missing.
pub fn open(dir: &Path, clock: Clock) -> Result<embedded::Embedded, StoreError> {
    embedded::open(dir, clock)
}
