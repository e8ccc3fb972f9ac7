//! The resume code: what opens a submission without the browser that sent it.
//!
//! It is for another device, and for a computer that others use too. Together with the reference
//! on the receipt it lets its holder read, copy and delete what was typed, and fill the form with
//! it; never send it. Whoever presses Send must be who typed it: somebody could hand a stranger a
//! code to answers of their own, and have them sent in the stranger's name.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Vault;
use super::body::Body;
use super::capture::Record;
use super::item::{Event, Item};
use super::owner::Owner;
use super::receipt::Denied;
use super::seal::{ContentKey, Unreadable};
use super::substitute::Fresh;
use crate::digest::{self, Hash};
use crate::id::{self, Reference};
use crate::limit;
use crate::store::Referred;

const CODE_LEN: usize = 10;

/// Sixteen digits of Crockford's base32: 80 random bits, which nobody guesses, whoever has the
/// store and the node's key.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Code([u8; CODE_LEN]);

impl Code {
    fn generate() -> Self {
        Self(digest::random())
    }

    /// As it is shown: `K7QF-2M9X-04TB-WZ3C`.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(id::spelled(&self.0))
    }

    /// Reads a code as people type it.
    pub fn heard(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(id::heard(text)?);
        bytes.as_slice().try_into().ok().map(Self)
    }

    fn secret(&self) -> Zeroizing<Hash> {
        Zeroizing::new(digest::derive(&self.0, b"", &[b"intermission/v2/code"]))
    }
}

/// A submission that its code has opened.
pub struct Coded {
    /// What is stored in clear.
    pub item: Item,
    /// What was sealed.
    pub record: Record,
    key: ContentKey,
    secret: Zeroizing<Hash>,
}

impl Coded {
    /// What opens the same once more, in the moments after its code was typed: for the cookie that
    /// has the next page filled. It does not tell the code. Secret.
    pub fn opener(&self) -> Zeroizing<String> {
        Zeroizing::new(digest::base64url(&*self.secret))
    }
}

/// Why a code opens nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CodeFault {
    /// Reference and code do not belong together, or the code is void: nobody is told which.
    Wrong,
    /// This address tried too often. How long to wait.
    TooOften(Duration),
    /// The submission cannot be opened, or not now.
    Denied(Denied),
}

impl Vault {
    /// A code for this submission, in place of the one that it had. It is told this once. `token`
    /// is the page token of the receipt.
    pub async fn code(
        &self,
        owner: &Owner,
        id: id::Id,
        token: &str,
    ) -> Result<(Item, Code), Denied> {
        let item = self.for_action(owner, id, token).await?;
        let code = self.code_for(owner, &item).await?;
        Ok((item, code))
    }

    /// A code for each submission of this browser's that has content, since a browser that forgets
    /// its cookie forgets all of them.
    pub async fn leave(
        &self,
        owner: &Owner,
        id: id::Id,
        token: &str,
    ) -> Result<Vec<(Item, Code)>, Denied> {
        self.for_action(owner, id, token).await?;
        let mut codes = Vec::new();
        for opened in self.list(owner).await? {
            if !opened.item.state.is_erased() && opened.record.is_some() {
                let code = self.code_for(owner, &opened.item).await?;
                codes.push((opened.item, code));
            }
        }
        Ok(codes)
    }

    async fn code_for(&self, owner: &Owner, item: &Item) -> Result<Code, Denied> {
        let key = self.content_key(owner, item).map_err(|Unreadable| Denied::Unreadable)?;
        let code = Code::generate();
        let wrapped = key.wrap(self.keys().first(), &*code.secret(), item.id);
        self.parts.store.keep_code(item.id, wrapped).await?;
        Ok(code)
    }

    /// The submission of this reference, if the code is its code. Wrong ones are counted, for the
    /// address that tried and for the submission.
    pub async fn by_code(
        &self,
        address: IpAddr,
        reference: &str,
        code: &str,
    ) -> Result<Coded, CodeFault> {
        let now = self.parts.clock.tick();
        self.parts
            .codes
            .take(address, limit::CODES_PER_MINUTE, now)
            .map_err(CodeFault::TooOften)?;
        let opened = self.opened_by(reference, code).await;
        if !matches!(opened, Err(CodeFault::Wrong)) {
            self.parts.codes.give_back(address, limit::CODES_PER_MINUTE);
        }
        opened
    }

    async fn opened_by(&self, reference: &str, code: &str) -> Result<Coded, CodeFault> {
        let (Ok(reference), Some(code)) = (reference.parse::<Reference>(), Code::heard(code))
        else {
            return Err(CodeFault::Wrong);
        };
        let found = self.parts.store.referred(reference).await.map_err(denied)?;
        let Some(Referred { item, code: Some(wrapped) }) = found else {
            return Err(CodeFault::Wrong);
        };
        let id = item.id;
        match self.coded(item, &wrapped, code.secret()) {
            Err(CodeFault::Wrong) => {
                self.parts.store.wrong_code(id).await.map_err(denied)?;
                Err(CodeFault::Wrong)
            }
            opened => opened,
        }
    }

    fn coded(
        &self,
        item: Item,
        wrapped: &[u8],
        secret: Zeroizing<Hash>,
    ) -> Result<Coded, CodeFault> {
        let Ok(key) = self.unwrap(wrapped, &*secret, item.id) else {
            let lacks = self.lacks_key_of(wrapped);
            return Err(if lacks {
                CodeFault::Denied(Denied::Unreadable)
            } else {
                CodeFault::Wrong
            });
        };
        let record = key.open_head(item.id, &item.sealed_head);
        let record = record.ok().and_then(|record| serde_json::from_slice(&record).ok());
        let record = record.ok_or(CodeFault::Denied(Denied::Unreadable))?;
        Ok(Coded { item, record, key, secret })
    }

    /// What [`Coded::opener`] opens, while its code is good. Nobody guesses one, so nobody is
    /// counted.
    pub(super) async fn by_opener(&self, id: id::Id, opener: &str) -> Result<Coded, Denied> {
        let secret = digest::unbase64url(opener).map(Zeroizing::new);
        let secret = secret.and_then(|secret| Hash::try_from(secret.as_slice()).ok());
        let secret = Zeroizing::new(secret.ok_or(Denied::NotYours)?);
        let item = self.parts.store.item(id).await?.ok_or(Denied::NotYours)?;
        let found = self.parts.store.referred(item.reference).await?;
        let Some(Referred { item, code: Some(wrapped) }) = found.filter(|it| it.item.id == id)
        else {
            return Err(Denied::NotYours);
        };
        self.coded(item, &wrapped, secret).map_err(|fault| match fault {
            CodeFault::Denied(denied) => denied,
            CodeFault::Wrong | CodeFault::TooOften(_) => Denied::NotYours,
        })
    }

    /// Its whole content, for a copy.
    pub fn read_coded(&self, coded: &Coded) -> Result<Body, Denied> {
        let store = Arc::clone(&self.parts.store);
        let body = Body::new(store, &coded.item, &coded.key, &coded.record, &Fresh::new());
        body.map_err(|_| Denied::Unreadable)
    }

    /// Deletes it, as its owner's browser could.
    pub async fn discard_coded(&self, coded: Coded) -> Result<(), Denied> {
        self.apply(coded.item, Event::Discard).await.map(|_| ())
    }
}

fn denied(error: crate::store::StoreError) -> CodeFault {
    CodeFault::Denied(Denied::from(error))
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl fmt::Debug for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}
