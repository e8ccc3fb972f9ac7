//! A store that tells the metrics how long its durable writes took and which of its calls failed.

use std::sync::Arc;

use crate::clock::{Clock, Wall};
use crate::digest::Hash;
use crate::id::Id;
use crate::store::{Census, Kept, Pending, Quota, Store, StoreError};
use crate::telemetry::metrics::Metrics;
use crate::vault::item::{Item, State};
use crate::window::history::Entry;
use crate::window::state::{Step, Window};

/// The store behind it, measured from the call to the answer: waiting in its queue is part of what
/// a visitor waits for.
pub struct Measured {
    store: Arc<dyn Store>,
    metrics: Metrics,
    clock: Clock,
}

impl Measured {
    /// Measures `store`.
    pub fn new(store: Arc<dyn Store>, metrics: Metrics, clock: Clock) -> Self {
        Self { store, metrics, clock }
    }

    fn watched<T: Send + 'static>(&self, call: Pending<T>) -> Pending<T> {
        let metrics = self.metrics.clone();
        Box::pin(async move {
            let answer = call.await;
            match &answer {
                Err(StoreError::Full | StoreError::Failed(_)) => metrics.store_failed(),
                Err(StoreError::Conflict | StoreError::Quota(_)) | Ok(_) => {}
            }
            answer
        })
    }

    fn timed<T: Send + 'static>(&self, call: Pending<T>) -> Pending<T> {
        let (metrics, clock, began) = (self.metrics.clone(), self.clock.clone(), self.clock.tick());
        let call = self.watched(call);
        Box::pin(async move {
            let answer = call.await;
            if answer.is_ok() {
                metrics.store_committed(clock.tick().since(began));
            }
            answer
        })
    }
}

impl Store for Measured {
    fn windows(&self) -> Pending<Vec<Window>> {
        self.watched(self.store.windows())
    }

    fn ended_windows(&self, count: u32) -> Pending<Vec<Window>> {
        self.watched(self.store.ended_windows(count))
    }

    fn window(&self, id: Id) -> Pending<Option<Window>> {
        self.watched(self.store.window(id))
    }

    fn history_of(&self, window: Id) -> Pending<Vec<Entry>> {
        self.watched(self.store.history_of(window))
    }

    fn history(&self, count: u32) -> Pending<Vec<Entry>> {
        self.watched(self.store.history(count))
    }

    fn commit(&self, step: Step) -> Pending<()> {
        self.timed(self.store.commit(step))
    }

    fn append(&self, submission: Id, frame: u32, sealed: Vec<u8>) -> Pending<()> {
        self.watched(self.store.append(submission, frame, sealed))
    }

    fn drop_frames(&self, submission: Id) -> Pending<()> {
        self.watched(self.store.drop_frames(submission))
    }

    fn keep(&self, item: Item, frames: Vec<(u32, Vec<u8>)>, quota: Quota) -> Pending<Kept> {
        self.timed(self.store.keep(item, frames, quota))
    }

    fn item(&self, id: Id) -> Pending<Option<Item>> {
        self.watched(self.store.item(id))
    }

    fn items_of(&self, browser: Hash) -> Pending<Vec<Item>> {
        self.watched(self.store.items_of(browser))
    }

    fn update(&self, item: Item) -> Pending<()> {
        self.timed(self.store.update(item))
    }

    fn frames(&self, submission: Id, first: u32, count: u32) -> Pending<Vec<Vec<u8>>> {
        self.watched(self.store.frames(submission, first, count))
    }

    fn items_in(&self, state: State) -> Pending<Vec<Item>> {
        self.watched(self.store.items_in(state))
    }

    fn due(&self, now: Wall, count: u32) -> Pending<Vec<Item>> {
        self.watched(self.store.due(now, count))
    }

    fn bury(&self, id: Id) -> Pending<()> {
        self.watched(self.store.bury(id))
    }

    fn census(&self) -> Pending<Census> {
        self.watched(self.store.census())
    }
}
