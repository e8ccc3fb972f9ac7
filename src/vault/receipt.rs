//! What a submission's owner sees, and what the owner may do with it.

use std::sync::Arc;

use super::Vault;
use super::body::Body;
use super::capture::Record;
use super::item::{Checked, Event, Item, State};
use super::owner::{Mode, Owner};
use super::seal::{ContentKey, Unreadable};
use super::substitute::Fresh;
use crate::digest;
use crate::id::Id;
use crate::limit;
use crate::store::StoreError;

/// A submission as its owner sees it.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What is stored in clear.
    pub item: Item,
    /// What was sealed; none if it is erased or cannot be opened.
    pub record: Option<Record>,
}

/// Why something cannot be done with a submission. Nothing happened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Denied {
    /// There is none of this id, or it is another browser's: a stranger cannot tell which.
    #[error("no such submission for this browser")]
    NotYours,
    /// Only its tombstone is left.
    #[error("the submission is {}", .0.name())]
    Gone(State),
    /// It is changing at this moment, or the page is not ours.
    #[error("the page is not of the submission's state")]
    Stale,
    /// It is armed or being sent.
    #[error("the submission is being sent")]
    UnderWay,
    /// It may have arrived, and its owner did not say that it has not.
    #[error("the owner has to check first whether it arrived")]
    Unchecked,
    /// It was sent as often as it may be.
    #[error("sent {} times, which is as often as it may be", limit::SENDS_MAX)]
    TooOften,
    /// It may have come from another site, so it only goes into the live form.
    #[error("nobody can tell whose page it came from: it is never sent from here")]
    RefillOnly,
    /// The state does not allow it: an answered submission is not sent again, and a page that
    /// stood behind the browser's Back decides nothing about a newer state.
    #[error("not possible while it is {}", .0.name())]
    NotNow(State),
    /// It cannot be opened.
    #[error("the submission cannot be opened")]
    Unreadable,
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl Vault {
    /// All submissions of this browser, newest first, tombstones included.
    pub async fn list(&self, owner: &Owner) -> Result<Vec<Opened>, Denied> {
        let items = self.parts.store.items_of(owner.browser()).await?;
        let open = |item: Item| Opened { record: self.record(owner, &item).ok(), item };
        Ok(items.into_iter().map(open).collect())
    }

    /// One submission. One that cannot be opened is marked so, and opens again when the key that
    /// it needs is back.
    pub async fn open(&self, owner: &Owner, id: Id) -> Result<Opened, Denied> {
        let item = self.own(owner, id).await?;
        if item.state.is_erased() {
            return Ok(Opened { item, record: None });
        }
        let record = self.record(owner, &item).ok();
        let event = match (&record, item.state == State::Unreadable) {
            (None, false) => Event::Spoil,
            (Some(_), true) => Event::Mend,
            (None, true) | (Some(_), false) => return Ok(Opened { item, record }),
        };
        let item = match item.clone().step(event, self.now()) {
            Ok(next) => self.put(next).await?,
            // While it is being sent its outcome comes first.
            Err(_) => item,
        };
        Ok(Opened { item, record })
    }

    /// One submission's whole content, for a copy.
    pub async fn read(&self, owner: &Owner, id: Id) -> Result<(Item, Record, Body), Denied> {
        let Opened { item, record } = self.open(owner, id).await?;
        if item.state.is_erased() {
            return Err(Denied::Gone(item.state));
        }
        let record = record.ok_or(Denied::Unreadable)?;
        let key = self.content_key(owner, &item).map_err(|Unreadable| Denied::Unreadable)?;
        let store = Arc::clone(&self.parts.store);
        let body = Body::new(store, &item, &key, &record, &Fresh::new());
        Ok((item, record, body.map_err(|_| Denied::Unreadable)?))
    }

    /// Arms a submission: its ticket is good for one arrival at the original address.
    ///
    /// `token` is the page token of the receipt that was shown. The same form pressed once more
    /// before its ticket has come, as in a double click, is armed already: the browser has given
    /// up on the first press, and the ticket is still good for one arrival.
    pub async fn arm(
        &self,
        owner: &Owner,
        id: Id,
        token: &str,
        mode: Mode,
        checked: Checked,
    ) -> Result<Record, Denied> {
        let item = match self.for_action(owner, id, token).await {
            Err(Denied::UnderWay) => return self.armed_before(owner, id, token, mode).await,
            item => item?,
        };
        let Ok(record) = self.record(owner, &item) else {
            self.apply(item, Event::Spoil).await?;
            return Err(Denied::Unreadable);
        };
        if record.refill_only {
            return Err(Denied::RefillOnly);
        }
        let ticket = owner.ticket(id, item.version).stored(mode);
        self.apply(item, Event::Arm(ticket, checked)).await?;
        Ok(record)
    }

    async fn armed_before(
        &self,
        owner: &Owner,
        id: Id,
        token: &str,
        mode: Mode,
    ) -> Result<Record, Denied> {
        let item = self.own(owner, id).await?;
        let before = item.version.saturating_sub(1);
        let awaited = owner.ticket(id, before).stored(mode);
        let is_same = item.state == State::Armed
            && item.ticket.is_some_and(|ticket| digest::same(&ticket, &awaited))
            && owner.is_page_token(token, id, before);
        if !is_same {
            return Err(Denied::UnderWay);
        }
        self.record(owner, &item).map_err(|Unreadable| Denied::Unreadable)
    }

    /// Deletes a submission: its key and frames are erased, a tombstone remains.
    pub async fn discard(&self, owner: &Owner, id: Id, token: &str) -> Result<(), Denied> {
        let item = self.for_action(owner, id, token).await?;
        self.apply(item, Event::Discard).await.map(|_| ())
    }

    /// The owner is content with what the application answered: erased like a deleted one.
    pub async fn done(&self, owner: &Owner, id: Id, token: &str) -> Result<(), Denied> {
        let item = self.for_action(owner, id, token).await?;
        self.apply(item, Event::Settle).await.map(|_| ())
    }

    pub(super) async fn own(&self, owner: &Owner, id: Id) -> Result<Item, Denied> {
        let item = self.parts.store.item(id).await?;
        item.filter(|item| digest::same(&item.browser, &owner.browser())).ok_or(Denied::NotYours)
    }

    pub(super) async fn for_action(
        &self,
        owner: &Owner,
        id: Id,
        token: &str,
    ) -> Result<Item, Denied> {
        let item = self.own(owner, id).await?;
        if item.state.is_erased() {
            return Err(Denied::Gone(item.state));
        }
        if !owner.is_page_token(token, id, item.version) {
            let outdated = owner.was_page_token(token, id, item.version);
            return Err(match item.state {
                State::Armed | State::Sending => Denied::UnderWay,
                state if outdated => Denied::NotNow(state),
                State::Receiving
                | State::Held
                | State::Accepted
                | State::Refused
                | State::Unknown
                | State::Done
                | State::Discarded
                | State::Expired
                | State::Unreadable => Denied::Stale,
            });
        }
        Ok(item)
    }

    /// One step of a submission, stored.
    pub(super) async fn apply(&self, item: Item, event: Event) -> Result<Item, Denied> {
        let before = (item.state, item.sends);
        let next = item.step(event, self.now()).map_err(|_| refusal(before, event))?;
        self.put(next).await
    }

    async fn put(&self, item: Item) -> Result<Item, Denied> {
        self.parts.store.update(item.clone()).await?;
        Ok(item)
    }

    pub(super) fn content_key(&self, owner: &Owner, item: &Item) -> Result<ContentKey, Unreadable> {
        self.unwrap(&item.wrapped_key, owner.secret(), item.id)
    }

    pub(super) fn record(&self, owner: &Owner, item: &Item) -> Result<Record, Unreadable> {
        let key = self.content_key(owner, item)?;
        let record = key.open_head(item.id, &item.sealed_head)?;
        serde_json::from_slice(&record).map_err(|_| Unreadable)
    }
}

/// Why the state machine did not allow it, in the owner's terms.
fn refusal((state, sends): (State, u32), event: Event) -> Denied {
    let arms = matches!(event, Event::Arm(..));
    match state {
        State::Armed | State::Sending => Denied::UnderWay,
        State::Held | State::Refused | State::Unknown if arms && sends >= limit::SENDS_MAX => {
            Denied::TooOften
        }
        State::Unknown if arms => Denied::Unchecked,
        State::Unreadable => Denied::Unreadable,
        State::Done | State::Discarded | State::Expired => Denied::Gone(state),
        State::Receiving | State::Held | State::Accepted | State::Refused | State::Unknown => {
            Denied::NotNow(state)
        }
    }
}

impl From<StoreError> for Denied {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Stale,
            StoreError::Quota(_) | StoreError::Full | StoreError::Failed(_) => Self::Store(error),
        }
    }
}
