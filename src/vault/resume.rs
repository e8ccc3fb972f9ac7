//! From the ticket's arrival to the outcome: at most one send for each time its owner presses.
//!
//! A [`Claim`] is a right to send; [`Claim::sending`] gives it up for a [`Sending`] after the mark
//! is durable. There is no other way to a body that goes to the application, so that a crash at
//! any point leaves either a submission that was not sent, or one that is known to be in doubt.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::body::{Body, BodyFault};
use super::capture::Record;
use super::item::{Checked, Event, Item, State};
use super::owner::{Mode, Owner, Ticket};
use super::receipt::Denied;
use super::seal::ContentKey;
use super::substitute::Fresh;
use super::{Abandoned, Vault};
use crate::clock::Wall;
use crate::digest;
use crate::id::Id;
use crate::store::StoreError;

/// The request that a ticket came with.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The method.
    pub method: &'a str,
    /// Host and port as the visitor sees them.
    pub authority: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// The mode in the form.
    pub mode: Mode,
}

impl Arrival<'_> {
    /// Whether it came to where the submission goes.
    fn is_at(&self, record: &Record) -> bool {
        let head = &record.head;
        head.method == self.method
            && head.authority.eq_ignore_ascii_case(self.authority)
            && head.target == self.target
    }
}

/// Why a ticket gives no right to send. Nothing was sent, and the request must not be forwarded:
/// its body is our ticket, not the visitor's form.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoClaim {
    /// No submission of this browser's has it.
    #[error("no submission of this browser has this ticket")]
    Unknown,
    /// It was used, is too old, or came to another address: the receipt tells what became of it.
    #[error("the ticket of {0} is spent")]
    Spent(Id),
    /// The submission cannot be opened.
    #[error("the submission {0} cannot be opened")]
    Unreadable(Id),
    /// It may have arrived, and its owner did not say that it has not.
    #[error("whether {0} arrived has to be looked at first")]
    Unchecked(Id),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

/// What became of a send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// No byte left for the application.
    NeverSent,
    /// The application answered.
    Answered(u16, Leads),
    /// Something was sent, and no answer came.
    Unanswered,
}

/// Where an answer leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leads {
    /// To a page of its own.
    Onwards,
    /// To sign in, which means that the form was not looked at.
    ToSignIn,
}

impl Outcome {
    /// What it means for the submission. 502 and 504 come from something between us and the
    /// application, and 500 from an application that failed midway: nobody knows what it did.
    pub const fn event(self) -> Event {
        match self {
            Self::NeverSent => Event::NeverSent,
            Self::Unanswered | Self::Answered(500 | 502 | 504 | 520..=599, _) => Event::Lose,
            Self::Answered(status @ 200..=299, _)
            | Self::Answered(status @ 300..=399, Leads::Onwards) => Event::Accept(status),
            Self::Answered(status, _) => Event::Refuse(status),
        }
    }
}

impl Vault {
    /// Whether this ticket, arriving so, gives the right to send.
    pub async fn claim(
        &self,
        owner: &Owner,
        ticket: &Ticket,
        arrival: Arrival<'_>,
    ) -> Result<Claim, NoClaim> {
        let id = ticket.id();
        let item = self.parts.store.item(id).await.map_err(NoClaim::Store)?;
        let own = item.filter(|item| digest::same(&item.browser, &owner.browser()));
        let item = own.ok_or(NoClaim::Unknown)?;
        let awaited = item.ticket.unwrap_or_default();
        let is_awaited = item.state == State::Armed
            && digest::same(&awaited, &ticket.stored(arrival.mode))
            && self.now() < item.due;
        if !is_awaited {
            return Err(NoClaim::Spent(id));
        }
        let (Ok(record), Ok(key)) = (self.record(owner, &item), self.content_key(owner, &item))
        else {
            self.apply(item, Event::Spoil).await.map_err(|denied| no_claim(id, denied))?;
            return Err(NoClaim::Unreadable(id));
        };
        if !arrival.is_at(&record) {
            return Err(NoClaim::Spent(id));
        }
        Ok(Claim { vault: self.clone(), item, record, key, mode: arrival.mode })
    }

    /// As [`Vault::claim`], for a ticket of the state that the submission rests in: a program
    /// needs no page between pressing and sending, so both are one.
    pub async fn claim_at_rest(
        &self,
        owner: &Owner,
        ticket: &Ticket,
        arrival: Arrival<'_>,
        checked: impl FnOnce(&Record) -> Checked,
    ) -> Result<Claim, NoClaim> {
        let id = ticket.id();
        let item = self.parts.store.item(id).await.map_err(NoClaim::Store)?;
        let own = item.filter(|item| digest::same(&item.browser, &owner.browser()));
        let item = own.ok_or(NoClaim::Unknown)?;
        let mode = arrival.mode;
        let stored = ticket.stored(mode);
        if !digest::same(&stored, &owner.ticket(id, item.version).stored(mode)) {
            return Err(NoClaim::Spent(id));
        }
        let (Ok(record), Ok(key)) = (self.record(owner, &item), self.content_key(owner, &item))
        else {
            return Err(NoClaim::Unreadable(id));
        };
        if !arrival.is_at(&record) {
            return Err(NoClaim::Spent(id));
        }
        let armed = self.apply(item, Event::Arm(stored, checked(&record))).await;
        let item = armed.map_err(|denied| no_claim(id, denied))?;
        Ok(Claim { vault: self.clone(), item, record, key, mode })
    }
}

/// The right to send a submission, while nothing is sent. Let go, it leaves the submission armed
/// until its ticket is too old.
#[derive(Debug)]
pub struct Claim {
    vault: Vault,
    item: Item,
    record: Record,
    key: ContentKey,
    mode: Mode,
}

impl Claim {
    /// The submission.
    pub const fn id(&self) -> Id {
        self.item.id
    }

    /// What is stored of it in clear.
    pub const fn item(&self) -> &Item {
        &self.item
    }

    /// The request to send.
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// How its owner wants it sent.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// What the earlier send had in place of the application's tokens, if that may have arrived and
    /// is known again by its key: the next one must be the same.
    pub fn sent_before(&self) -> Option<&Fresh> {
        self.repeats().then_some(&self.record.sent_with)
    }

    fn repeats(&self) -> bool {
        self.item.resting() == State::Unknown && self.record.head.idempotency_key.is_some()
    }

    /// Nothing is sent now: back to where it rested.
    pub async fn call_back(self) -> Result<(), NoClaim> {
        let id = self.id();
        let back = self.vault.apply(self.item, Event::CallBack).await;
        back.map(|_| ()).map_err(|denied| no_claim(id, denied))
    }

    /// Reads the whole body once, for its length and to know that it can be read; then makes it
    /// durable that it is being sent.
    ///
    /// ORDER: when this returns `Ok` the mark is durable, and only then may a byte go out.
    pub async fn sending(self, fresh: Fresh) -> Result<Sending, NoClaim> {
        let id = self.id();
        let length = match self.length(&fresh).await {
            Ok(length) => length,
            Err(BodyFault::Store(error)) => return Err(NoClaim::Store(error)),
            Err(BodyFault::Unreadable(_)) => {
                let spoilt = self.vault.apply(self.item, Event::Spoil).await;
                spoilt.map_err(|denied| no_claim(id, denied))?;
                return Err(NoClaim::Unreadable(id));
            }
        };
        let repeats = self.repeats();
        let Self { vault, mut item, mut record, key, mode } = self;
        if record.head.idempotency_key.is_some() {
            record = record.sent(&fresh, item.resting() == State::Refused);
            let plain = serde_json::to_vec(&record).expect("texts and numbers are JSON");
            item.sealed_head = key.seal_head(id, &Zeroizing::new(plain));
        }
        let item = vault.apply(item, Event::Send).await.map_err(|denied| no_claim(id, denied))?;
        Ok(Sending { vault, item: Some(item), record, key, fresh, mode, length, repeats })
    }

    async fn length(&self, fresh: &Fresh) -> Result<u64, BodyFault> {
        let store = Arc::clone(&self.vault.parts.store);
        let mut body = Body::new(store, &self.item, &self.key, &self.record, fresh)?;
        let mut length = 0;
        while let Some(piece) = body.next().await {
            length += piece?.len() as u64;
        }
        Ok(length)
    }
}

/// A submission that is durably marked as being sent. Let go without an outcome it becomes
/// unknown at the next sweep.
pub struct Sending {
    vault: Vault,
    item: Option<Item>,
    record: Record,
    key: ContentKey,
    fresh: Fresh,
    mode: Mode,
    length: u64,
    repeats: bool,
}

impl Sending {
    /// The request to send.
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// How its owner wanted it sent.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// When it was captured.
    pub fn captured(&self) -> Wall {
        self.item.as_ref().map_or(Wall::from_millis(0), |item| item.captured)
    }

    /// Whether an earlier send under the same key may have arrived.
    pub const fn repeats(&self) -> bool {
        self.repeats
    }

    /// Bytes of the body as it is sent.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The body as it is sent.
    pub fn body(&self) -> Result<Body, BodyFault> {
        let store = Arc::clone(&self.vault.parts.store);
        let item = self.item.as_ref().expect("it is taken by settle alone");
        Body::new(store, item, &self.key, &self.record, &self.fresh)
    }

    /// Stores what became of it. If that fails the submission stays marked as being sent, and
    /// becomes unknown: never the other way round.
    pub async fn settle(mut self, outcome: Outcome) -> Result<State, Denied> {
        let item = self.item.take().expect("settle consumes it");
        let id = item.id;
        let settled = self.vault.apply(item, outcome.event()).await;
        if settled.is_err() {
            self.vault.abandon(Abandoned::Sending(id));
        }
        settled.map(|item| item.state)
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(item) = &self.item {
            self.vault.abandon(Abandoned::Sending(item.id));
        }
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

fn no_claim(id: Id, denied: Denied) -> NoClaim {
    match denied {
        Denied::Store(error) => NoClaim::Store(error),
        Denied::Unchecked => NoClaim::Unchecked(id),
        Denied::NotYours
        | Denied::Gone(_)
        | Denied::Stale
        | Denied::UnderWay
        | Denied::TooOften
        | Denied::RefillOnly
        | Denied::NotNow(_)
        | Denied::Unreadable => NoClaim::Spent(id),
    }
}
