//! A store whose commits fail when they are told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use intermission::clock::Wall;
use intermission::digest::Hash;
use intermission::duty::Posting;
use intermission::grant::{Audit, Bypass, Reply, Token};
use intermission::id::Id;
use intermission::store::{Census, Commit, Kept, Pending, Quota, Store, StoreError};
use intermission::vault::item::{Item, State};
use intermission::window::history::Entry;
use intermission::window::maintenance::Maintenance;
use intermission::window::state::Window;
use intermission::window::tally::Tally;

pub(super) struct Faulty {
    store: Arc<dyn Store>,
    full: AtomicBool,
}

impl Faulty {
    pub(super) fn over(store: Arc<dyn Store>) -> Self {
        Self { store, full: AtomicBool::new(false) }
    }

    pub(super) fn fill(&self) {
        self.full.store(true, Ordering::SeqCst);
    }

    pub(super) fn free(&self) {
        self.full.store(false, Ordering::SeqCst);
    }
}

impl Store for Faulty {
    fn commit(&self, commit: Commit) -> Pending<()> {
        if self.full.load(Ordering::SeqCst) {
            return Box::pin(async { Err(StoreError::Full) });
        }
        self.store.commit(commit)
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
        if self.full.load(Ordering::SeqCst) {
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
        if self.full.load(Ordering::SeqCst) {
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
        if self.full.load(Ordering::SeqCst) {
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
