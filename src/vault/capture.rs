//! From a form's first byte to "saved": checked, sealed and stored frame by frame as it arrives.
//!
//! ORDER: [`Receiving::finish`] returns after the store has committed. Who says "saved" to a
//! visitor says it after that, never before.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::OwnedPermit;

use super::form::{Fault, Kind, Scanner};
use super::item::{Event, Item, State};
use super::owner::Owner;
use super::policy::Policy;
use super::seal::{ContentKey, Frames, Place};
use super::substitute::Fresh as Substitutes;
use super::summary::{Inspector, Summary};
use super::{Abandoned, Vault};
use crate::digest::{self, Hash};
use crate::id::{Id, Reference};
use crate::limit;
use crate::store::{Kept, Same, StoreError};

pub use super::record::{Head, Record};

/// On which terms a form is kept.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Its encoding.
    pub kind: Kind,
    /// Bytes of its body.
    pub bytes_max: u64,
    /// How long it is kept.
    pub life: Duration,
    /// Fields of the route's own that are never kept.
    pub never_kept: Arc<[String]>,
    /// Fields that hold the application's tokens.
    pub csrf_fields: Arc<[String]>,
    /// What its client calls it (`Idempotency-Key`): two of one name are one, or one too many.
    pub name: Option<String>,
    /// Whether nobody can tell whose page it came from: then it is never sent on from here.
    pub refill_only: bool,
    /// Who was signed in: [`Record::signed_in`].
    pub signed_in: Vec<(String, Hash)>,
}

/// What the application has seen of a form when it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// No byte of it.
    NotSent,
    /// Perhaps all of it: it was caught on its way, and the application failed.
    Perhaps,
}

impl Fate {
    const fn event(self) -> Event {
        match self {
            Self::NotSent => Event::Completed,
            Self::Perhaps => Event::Lose,
        }
    }
}

/// A form that is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The submission.
    pub id: Id,
    /// Whether it is new.
    pub kept: Fresh,
}

/// Whether a kept form is a new submission.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fresh {
    /// It is.
    New,
    /// The same was kept a moment ago: a double click.
    Same,
}

/// Why a form is not kept. Nothing of it is left, and the visitor is told.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotKept {
    /// Over the limit of bytes or fields.
    #[error("larger than is kept")]
    Size,
    /// It holds a password, a one-time code or payment details.
    #[error("it holds what is never kept")]
    Secret,
    /// It is not what its content type says.
    #[error("{0}")]
    Broken(Fault),
    /// The browser or the node holds as much as it may.
    #[error("over the quota: {0}")]
    Quota(&'static str),
    /// Its client gave the same name to something else.
    #[error("its name is another submission's")]
    Reused,
    /// What its client gave the same name to is still arriving.
    #[error("another of its name is still arriving")]
    Arriving,
    /// The store did not take it.
    #[error(transparent)]
    Store(StoreError),
}

impl Vault {
    /// Whether this browser may keep one more form, of this length if it declared one. Asked
    /// before the body is: a client that waits for `100 Continue` is then spared sending it.
    pub async fn admit(&self, owner: &Owner, declared: Option<u64>) -> Result<(), NotKept> {
        let items = self.parts.store.items_of(owner.browser()).await.map_err(NotKept::from)?;
        let live: Vec<&Item> = items.iter().filter(|item| !item.state.is_erased()).collect();
        let bounds = self.parts.bounds;
        if live.len() >= bounds.per_browser as usize {
            return Err(NotKept::Quota("submissions of this browser"));
        }
        let bytes: u64 = live.iter().map(|item| item.size).sum();
        if bytes.saturating_add(declared.unwrap_or(0)) > bounds.bytes_per_browser {
            return Err(NotKept::Quota("bytes of this browser"));
        }
        Ok(())
    }

    /// Begins to receive a form.
    pub fn receive(&self, owner: &Owner, head: Head, terms: Terms) -> Result<Receiving, NotKept> {
        let scanner = Scanner::new(terms.kind, &head.content_type)?;
        let browser = owner.browser();
        let keys = self.keys();
        let inspector = Inspector::new(
            terms.kind,
            Policy::new(Arc::clone(&terms.never_kept)),
            Arc::clone(&terms.csrf_fields),
            owner.fingerprint_key(),
            &[&browser, head.method.as_bytes(), head.authority.as_bytes(), head.target.as_bytes()],
        );
        let named = match &terms.name {
            None => None,
            Some(name) => Some(Named::begin(self, owner, name)?),
        };
        let id = Id::new(self.now(), self.parts.node);
        let key = ContentKey::generate();
        Ok(Receiving {
            vault: self.clone(),
            id,
            browser,
            wrapped_key: key.wrap(keys.first(), owner.secret(), id),
            frames: key.frames(id),
            key,
            head,
            terms,
            scanner,
            inspector: Some(inspector),
            plain: Vec::new(),
            appended: 0,
            word: None,
            named,
            size: 0,
        })
    }
}

/// A form that is arriving. Dropped before it is finished, it leaves nothing behind.
pub struct Receiving {
    vault: Vault,
    id: Id,
    browser: Hash,
    wrapped_key: Vec<u8>,
    key: ContentKey,
    frames: Frames,
    head: Head,
    terms: Terms,
    scanner: Scanner,
    inspector: Option<Inspector>,
    /// At most one frame of plaintext.
    plain: Vec<u8>,
    /// Frames given to the store so far, whether or not it has answered.
    appended: u32,
    /// Where the destructor leaves word of them; held since the first one.
    word: Option<OwnedPermit<Abandoned>>,
    named: Option<Named>,
    size: u64,
}

impl Receiving {
    /// Takes the next bytes. Waits while the store is behind, and with it the client's upload.
    ///
    /// CANCEL: a dropped push leaves bytes behind that no later push makes good; the form must be
    /// dropped with it.
    pub async fn push(&mut self, bytes: Bytes) -> Result<(), NotKept> {
        self.size += bytes.len() as u64;
        if self.size > self.terms.bytes_max {
            return Err(NotKept::Size);
        }
        self.inspect(&bytes)?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            // A full frame waits until something follows it: only then is it not the last.
            if self.plain.len() == limit::FRAME_BYTES {
                self.append().await?;
            }
            let room = limit::FRAME_BYTES - self.plain.len();
            let (now, later) = rest.split_at(rest.len().min(room));
            self.plain.extend_from_slice(now);
            rest = later;
        }
        Ok(())
    }

    /// The body is whole: makes it durable.
    ///
    /// CANCEL: the store may commit after this is dropped. The submission then exists and is in
    /// its owner's list, though nobody was told; a client that is still there should not be
    /// able to cause that, so run this where the client's going cannot drop it.
    pub async fn finish(self) -> Result<Receipt, NotKept> {
        self.finish_as(Fate::NotSent).await
    }

    /// As [`Receiving::finish`], for a form that the application may have seen.
    ///
    /// CANCEL: as there.
    pub async fn finish_as(mut self, fate: Fate) -> Result<Receipt, NotKept> {
        let (summary, fingerprint) = self.conclude()?;
        let last = (self.appended, self.seal(Place::Last));
        let item = self.item(summary, fingerprint, fate);
        let store = Arc::clone(&self.vault.parts.store);
        let same = if self.named.is_some() { Same::Any } else { Same::Waiting };
        let kept = store.keep(item, vec![last], self.vault.quota(same)).await?;
        if kept == Kept::New {
            self.vault.parts.held.fetch_add(self.size, Ordering::Relaxed);
        }
        // Kept, or dropped by the store: the destructor has nothing to do.
        self.appended = 0;
        match (kept, &self.named) {
            (Kept::New, _) => Ok(Receipt { id: self.id, kept: Fresh::New }),
            (Kept::Same(id), None) => Ok(Receipt { id, kept: Fresh::Same }),
            (Kept::Same(id), Some(named)) if named.is_of(&self.vault, id, fingerprint).await? => {
                Ok(Receipt { id, kept: Fresh::Same })
            }
            (Kept::Same(_), Some(_)) => Err(NotKept::Reused),
        }
    }

    fn inspect(&mut self, bytes: &[u8]) -> Result<(), NotKept> {
        let inspector = self.inspector.as_mut().expect("it is taken by finish alone");
        self.scanner.push(bytes, &mut |token| inspector.take(token))?;
        inspector.check().map_err(|_| NotKept::Secret)
    }

    fn conclude(&mut self) -> Result<(Summary, Hash), NotKept> {
        let mut inspector = self.inspector.take().expect("finish consumes the form");
        self.scanner.finish(&mut |token| inspector.take(token))?;
        inspector.finish().map_err(|_| NotKept::Secret)
    }

    async fn append(&mut self) -> Result<(), NotKept> {
        if self.word.is_none() {
            let word = self.vault.parts.abandon.clone().try_reserve_owned();
            self.word = Some(word.map_err(|_| NotKept::Quota("bodies under way"))?);
        }
        let number = self.appended;
        let sealed = self.seal(Place::Inner);
        self.appended += 1;
        self.vault.parts.store.append(self.id, number, sealed).await?;
        Ok(())
    }

    fn seal(&mut self, place: Place) -> Vec<u8> {
        let plain = std::mem::take(&mut self.plain);
        self.frames.seal(self.appended, place, plain)
    }

    fn item(&mut self, summary: Summary, fingerprint: Hash, fate: Fate) -> Item {
        let now = self.vault.now();
        let content = self.named.as_ref().map(|_| fingerprint);
        let fingerprint = self.named.as_ref().map_or(fingerprint, |named| named.name);
        let record = Record {
            head: self.head.clone(),
            kind: self.terms.kind,
            summary,
            size: self.size,
            content,
            refill_only: self.terms.refill_only,
            signed_in: std::mem::take(&mut self.terms.signed_in),
            sent_with: Substitutes::new(),
            keys_spent: 0,
        };
        let record = serde_json::to_vec(&record).expect("texts and numbers are JSON");
        let arriving = Item {
            id: self.id,
            reference: Reference::random(),
            version: 0,
            state: State::Receiving,
            browser: self.browser,
            fingerprint,
            route: self.head.route.clone(),
            region: self.head.region.clone(),
            window: self.head.window,
            captured: now,
            expires: now.plus(self.terms.life.min(limit::SUBMISSION_LIFE_MAX)),
            due: now,
            size: self.size,
            frames: self.appended + 1,
            sends: 0,
            answer: None,
            ticket: None,
            wrapped_key: std::mem::take(&mut self.wrapped_key),
            sealed_head: self.key.seal_head(self.id, &record),
        };
        arriving.step(fate.event(), now).expect("what is received can be completed")
    }
}

/// What a client gave a name to, while it is arriving.
struct Named {
    vault: Vault,
    owner: Owner,
    /// Keyed hash of browser and name: the fingerprint of what is called so.
    name: Hash,
}

impl Named {
    fn begin(vault: &Vault, owner: &Owner, name: &str) -> Result<Self, NotKept> {
        let name =
            digest::mac(&*owner.fingerprint_key(), &[b"name", &owner.browser(), name.as_bytes()]);
        let is_first = vault.arriving().insert(name);
        let named = || Self { vault: vault.clone(), owner: owner.clone(), name };
        is_first.then(named).ok_or(NotKept::Arriving)
    }

    /// Whether the submission of the same name has this content.
    async fn is_of(&self, vault: &Vault, id: Id, content: Hash) -> Result<bool, NotKept> {
        let item = vault.parts.store.item(id).await.map_err(NotKept::from)?;
        let record = item.and_then(|item| vault.record(&self.owner, &item).ok());
        let before = record.and_then(|record| record.content);
        Ok(before.is_some_and(|before| digest::same(&before, &content)))
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        self.vault.arriving().remove(&self.name);
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        if let Some(word) = self.word.take()
            && self.appended > 0
        {
            word.send(Abandoned::Frames(self.id));
        }
    }
}

impl From<Fault> for NotKept {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooManyFields => Self::Size,
            Fault::Malformed(_) => Self::Broken(fault),
        }
    }
}

impl From<StoreError> for NotKept {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Quota(which) => Self::Quota(which),
            StoreError::Conflict | StoreError::Full | StoreError::Failed(_) => Self::Store(error),
        }
    }
}

impl fmt::Debug for Receiving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}
