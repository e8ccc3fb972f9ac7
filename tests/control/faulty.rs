//! A store whose commits fail, whose process ends, or that lies, when it is told to.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use intermission::clock::Wall;
use intermission::digest::Hash;
use intermission::duty::Posting;
use intermission::grant::{Audit, Bypass, Reply, Token};
use intermission::id::{Id, Reference};
use intermission::store::{
    Census, Commit, Heap, Holder, Kept, Pending, Quota, Reach, Referred, Store, StoreError, Wrap,
};
use intermission::vault::item::{Item, State};
use intermission::window::history::Entry;
use intermission::window::maintenance::Maintenance;
use intermission::window::state::Window;
use intermission::window::tally::Tally;

pub(crate) struct Faulty {
    store: Arc<dyn Store>,
    fault: Mutex<Fault>,
    end: Arc<End>,
}

/// What befalls the next commits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// They are refused.
    Full,
    /// The process ends before they are stored.
    EndsBefore,
    /// The process ends after they were stored, before anybody is told.
    EndsAfter,
    /// They are acknowledged and not stored: for the tests of tests.
    Lies,
}

/// The end of the process, once no commit is under way that was begun.
#[derive(Default)]
struct End {
    under_way: AtomicUsize,
    here: Notify,
}

impl Faulty {
    pub(crate) fn over(store: Arc<dyn Store>) -> Self {
        Self { store, fault: Mutex::new(Fault::None), end: Arc::default() }
    }

    pub(crate) fn fill(&self) {
        self.set(Fault::Full);
    }

    pub(crate) fn free(&self) {
        self.set(Fault::None);
    }

    pub(crate) fn set(&self, fault: Fault) {
        *self.fault.lock().expect("no panic") = fault;
    }

    fn is_full(&self) -> bool {
        *self.fault.lock().expect("no panic") == Fault::Full
    }

    /// Waits for the end of the process.
    pub(crate) async fn crashed(&self) {
        self.end.here.notified().await;
    }
}

impl Store for Faulty {
    fn commit(&self, commit: Commit) -> Pending<()> {
        let end = Arc::clone(&self.end);
        let fault = *self.fault.lock().expect("no panic");
        match fault {
            Fault::None => self.store.commit(commit),
            Fault::Full => Box::pin(async { Err(StoreError::Full) }),
            Fault::Lies => Box::pin(async { Ok(()) }),
            Fault::EndsBefore => Box::pin(async move {
                end.here.notify_one();
                std::future::pending().await
            }),
            Fault::EndsAfter => {
                end.under_way.fetch_add(1, Ordering::SeqCst);
                let stored = self.store.commit(commit);
                Box::pin(async move {
                    let _ = stored.await;
                    if end.under_way.fetch_sub(1, Ordering::SeqCst) == 1 {
                        end.here.notify_one();
                    }
                    std::future::pending().await
                })
            }
        }
    }

    fn maintenances(&self) -> Pending<Vec<Maintenance>> {
        self.store.maintenances()
    }

    fn ended_maintenances(&self, count: u32) -> Pending<Vec<Maintenance>> {
        self.store.ended_maintenances(count)
    }

    fn maintenance(&self, id: Id) -> Pending<Option<Maintenance>> {
        self.store.maintenance(id)
    }

    fn windows(&self) -> Pending<Vec<Window>> {
        self.store.windows()
    }

    fn ended_windows(&self, count: u32) -> Pending<Vec<Window>> {
        self.store.ended_windows(count)
    }

    fn window(&self, id: Id) -> Pending<Option<Window>> {
        self.store.window(id)
    }

    fn maintenance_page(
        &self,
        reach: Reach,
        after: Option<Id>,
        count: u32,
    ) -> Pending<Vec<Maintenance>> {
        self.store.maintenance_page(reach, after, count)
    }

    fn heaps(&self) -> Pending<Vec<Heap>> {
        self.store.heaps()
    }

    fn referred(&self, reference: Reference) -> Pending<Option<Referred>> {
        self.store.referred(reference)
    }

    fn keep_code(&self, submission: Id, wrapped_key: Vec<u8>) -> Pending<()> {
        self.store.keep_code(submission, wrapped_key)
    }

    fn wrong_code(&self, submission: Id) -> Pending<()> {
        self.store.wrong_code(submission)
    }

    fn wraps_unlike(
        &self,
        holder: Holder,
        beginning: [u8; 5],
        after: Option<Id>,
        count: u32,
    ) -> Pending<Vec<Wrap>> {
        self.store.wraps_unlike(holder, beginning, after, count)
    }

    fn rewrap(&self, holder: Holder, wraps: Vec<(Wrap, Vec<u8>)>) -> Pending<()> {
        self.store.rewrap(holder, wraps)
    }

    fn ended_windows_after(&self, after: Option<Id>, count: u32) -> Pending<Vec<Window>> {
        self.store.ended_windows_after(after, count)
    }

    fn history_before(&self, before: Option<u64>, count: u32) -> Pending<Vec<(u64, Entry)>> {
        self.store.history_before(before, count)
    }

    fn history_after(&self, after: u64, count: u32) -> Pending<Vec<(u64, Entry)>> {
        self.store.history_after(after, count)
    }

    fn history_of(&self, window: Id) -> Pending<Vec<Entry>> {
        self.store.history_of(window)
    }

    fn history(&self, count: u32) -> Pending<Vec<Entry>> {
        self.store.history(count)
    }

    fn postings(&self) -> Pending<Vec<Posting>> {
        self.store.postings()
    }

    fn postings_of(&self, upstream: String, count: u32) -> Pending<Vec<Posting>> {
        self.store.postings_of(upstream, count)
    }

    fn post(&self, posting: Posting) -> Pending<()> {
        if self.is_full() {
            return Box::pin(async { Err(StoreError::Full) });
        }
        self.store.post(posting)
    }

    fn tokens(&self) -> Pending<Vec<Token>> {
        self.store.tokens()
    }

    fn keep_token(&self, token: Token) -> Pending<()> {
        self.store.keep_token(token)
    }

    fn bypasses(&self) -> Pending<Vec<Bypass>> {
        self.store.bypasses()
    }

    fn keep_bypass(&self, bypass: Bypass) -> Pending<()> {
        if self.is_full() {
            return Box::pin(async { Err(StoreError::Full) });
        }
        self.store.keep_bypass(bypass)
    }

    fn audit(&self, before: Option<u64>, count: u32) -> Pending<Vec<Audit>> {
        self.store.audit(before, count)
    }

    fn note(&self, audit: Audit) -> Pending<u64> {
        self.store.note(audit)
    }

    fn reply(&self, key: Hash) -> Pending<Option<Reply>> {
        self.store.reply(key)
    }

    fn keep_reply(&self, reply: Reply) -> Pending<()> {
        self.store.keep_reply(reply)
    }

    fn drop_reply(&self, key: Hash) -> Pending<()> {
        self.store.drop_reply(key)
    }

    fn tallies(&self, windows: Vec<Id>) -> Pending<Vec<(Id, Tally)>> {
        self.store.tallies(windows)
    }

    fn keep_tallies(&self, tallies: Vec<(Id, Tally)>) -> Pending<()> {
        if self.is_full() {
            return Box::pin(async { Err(StoreError::Full) });
        }
        self.store.keep_tallies(tallies)
    }

    fn submissions_of(&self, window: Id) -> Pending<Vec<(State, u64)>> {
        self.store.submissions_of(window)
    }

    fn append(&self, submission: Id, frame: u32, sealed: Vec<u8>) -> Pending<()> {
        self.store.append(submission, frame, sealed)
    }

    fn drop_frames(&self, submission: Id) -> Pending<()> {
        self.store.drop_frames(submission)
    }

    fn keep(&self, item: Item, frames: Vec<(u32, Vec<u8>)>, quota: Quota) -> Pending<Kept> {
        self.store.keep(item, frames, quota)
    }

    fn item(&self, id: Id) -> Pending<Option<Item>> {
        self.store.item(id)
    }

    fn items_of(&self, browser: Hash) -> Pending<Vec<Item>> {
        self.store.items_of(browser)
    }

    fn update(&self, item: Item) -> Pending<()> {
        self.store.update(item)
    }

    fn frames(&self, submission: Id, first: u32, count: u32) -> Pending<Vec<Vec<u8>>> {
        self.store.frames(submission, first, count)
    }

    fn items_in(&self, state: State) -> Pending<Vec<Item>> {
        self.store.items_in(state)
    }

    fn due(&self, now: Wall, count: u32) -> Pending<Vec<Item>> {
        self.store.due(now, count)
    }

    fn bury(&self, id: Id) -> Pending<()> {
        self.store.bury(id)
    }

    fn census(&self) -> Pending<Census> {
        self.store.census()
    }
}
