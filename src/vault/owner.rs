//! Who a submission belongs to: a browser, by the secret in its cookie, and nobody else.
//!
//! The store knows a browser by a value derived from the secret, which does not give the secret
//! back. Page tokens and tickets are derived too, so that showing a receipt writes nothing.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::clock::Wall;
use crate::digest::{self, Hash};
use crate::id::Id;
use crate::limit;

const RANDOM_LEN: usize = 16;
const SECRET_LEN: usize = 32;
/// Milliseconds, as a submission's id begins with them.
const TIME_LEN: usize = 6;
const TICKET_LEN: usize = 20 + 32;

/// A visitor's browser, as its cookie proves.
#[derive(Clone)]
pub struct Owner {
    id: OwnerId,
    secret: Secret,
    browser: Hash,
}

/// What tells owners apart, in the clear. Their lengths tell them apart.
#[derive(Clone, Copy)]
enum OwnerId {
    /// Of programs, and of browsers that came before ids had a time.
    Random([u8; RANDOM_LEN]),
    /// When the browser was first met, then as many random bytes.
    ///
    /// What the store knows of it begins with the time too, so that new browsers are neighbours in
    /// its index, and a commit of many of them writes few pages of it. The time tells nobody
    /// anything: the cookie is the browser's own, and each capture's time is in the clear anyway.
    /// 208 bits of the hash are left to tell browsers apart.
    Timed([u8; TIME_LEN + RANDOM_LEN]),
}

impl OwnerId {
    fn read(bytes: &[u8]) -> Option<Self> {
        let random = bytes.try_into().ok().map(Self::Random);
        random.or_else(|| bytes.try_into().ok().map(Self::Timed))
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Random(id) => id,
            Self::Timed(id) => id,
        }
    }

    /// What the store knows of an owner whose verifier this is.
    fn browser(&self, verifier: Hash) -> Hash {
        let mut browser = verifier;
        match self {
            Self::Random(_) => {}
            Self::Timed(id) => browser[..TIME_LEN].copy_from_slice(&id[..TIME_LEN]),
        }
        browser
    }
}

#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct Secret([u8; SECRET_LEN]);

/// How a submission is to be sent on; the visitor's choice, bound into the ticket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Mode {
    /// As it was captured, byte for byte.
    Replay,
    /// With CSRF fields taken from the live form.
    Confirm,
}

impl Mode {
    /// The name in the receipt's form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Confirm => "confirm",
        }
    }

    /// The mode of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Replay, Self::Confirm].into_iter().find(|mode| mode.name() == name)
    }
}

impl Owner {
    /// A new owner whose id tells no time, as all were at first.
    pub fn generate() -> Self {
        Self::of(OwnerId::Random(digest::random()), Secret(digest::random()))
    }

    /// A browser that was never seen before, met at `now`.
    pub fn met(now: Wall) -> Self {
        let mut id = [0; TIME_LEN + RANDOM_LEN];
        id[..TIME_LEN].copy_from_slice(&now.millis().max(0).to_be_bytes()[8 - TIME_LEN..]);
        id[TIME_LEN..].copy_from_slice(&digest::random::<RANDOM_LEN>());
        Self::of(OwnerId::Timed(id), Secret(digest::random()))
    }

    /// The browser that shows this cookie value: `v1.<id>.<secret>`, both in base64url.
    pub fn from_cookie(value: &str) -> Option<Self> {
        let (id, secret) = value.strip_prefix("v1.")?.split_once('.')?;
        let secret = Zeroizing::new(digest::unbase64url(secret)?);
        let id = OwnerId::read(&digest::unbase64url(id)?)?;
        Some(Self::of(id, Secret(secret.as_slice().try_into().ok()?)))
    }

    /// A browser, or a program, that is known by this secret alone.
    pub(super) fn derived(from: &Hash) -> Self {
        let id = digest::derive(from, b"", &[b"intermission/v1/owner-id"]);
        let secret = digest::derive(from, b"", &[b"intermission/v1/owner-secret"]);
        let id = *id.first_chunk().expect("a hash is longer");
        Self::of(OwnerId::Random(id), Secret(secret))
    }

    /// What lets a program look after one submission: it stands in an address, and opens
    /// everything of this owner's. Secret.
    pub fn capability(&self, id: Id) -> Zeroizing<String> {
        let bytes = Zeroizing::new([&id.bytes()[..], self.id.bytes(), &self.secret.0[..]].concat());
        Zeroizing::new(digest::base64url(&bytes))
    }

    /// The submission and the owner of a capability.
    pub fn from_capability(text: &str) -> Option<(Id, Self)> {
        let bytes = Zeroizing::new(digest::unbase64url(text)?);
        let (id, rest) = bytes.split_first_chunk()?;
        let (owner, secret) = rest.split_last_chunk()?;
        let owner = Self::of(OwnerId::read(owner)?, Secret(*secret));
        Some((Id::from_bytes(*id), owner))
    }

    /// What a program sends a submission on by (`Intermission-Ticket`): good for this version of
    /// it. Secret.
    pub fn pass(&self, id: Id, version: u64) -> Zeroizing<String> {
        let Ticket { proof, .. } = self.ticket(id, version);
        let capability = self.capability(id);
        Zeroizing::new(format!("{}.{}", *capability, digest::base64url(&proof)))
    }

    /// The owner and the ticket of a pass.
    pub fn from_pass(text: &str) -> Option<(Self, Ticket)> {
        let (capability, proof) = text.split_once('.')?;
        let (id, owner) = Self::from_capability(capability)?;
        let proof = digest::unbase64url(proof)?.as_slice().try_into().ok()?;
        Some((owner, Ticket { id, proof }))
    }

    /// The value of the cookie. It opens everything of this visitor's: for `Set-Cookie` alone.
    pub fn cookie_value(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(digest::base64url(&self.secret.0));
        Zeroizing::new(format!("v1.{}.{}", digest::base64url(self.id.bytes()), *secret))
    }

    /// What the store knows of it.
    pub const fn browser(&self) -> Hash {
        self.browser
    }

    /// The token that the receipt's forms carry (`im_csrf`). It is good for one version of one
    /// submission: a page that shows an older state cannot act on a newer one.
    pub fn page_token(&self, id: Id, version: u64) -> String {
        digest::base64url(&self.mac(b"page", id, version))
    }

    /// Whether `token` is the page token of this version of this submission.
    pub fn is_page_token(&self, token: &str, id: Id, version: u64) -> bool {
        digest::same(token.as_bytes(), self.page_token(id, version).as_bytes())
    }

    /// Whether `token` was the page token of this submission a few versions before this one, as on
    /// a page that the browser's Back has brought up again.
    pub fn was_page_token(&self, token: &str, id: Id, version: u64) -> bool {
        let oldest = version.saturating_sub(limit::PAGE_VERSIONS_BACK_MAX);
        (oldest..version).any(|before| self.is_page_token(token, id, before))
    }

    /// The ticket that the receipt's form carries (`intermission_ticket`).
    pub fn ticket(&self, id: Id, version: u64) -> Ticket {
        Ticket { id, proof: self.mac(b"ticket", id, version) }
    }

    /// The key of hashes by which a form, or a name that a client gave, is known when it comes
    /// twice. It is of the browser's secret alone: it outlives every key of the node, and who has
    /// the store and the node's keys cannot try what was typed.
    pub fn fingerprint_key(&self) -> Zeroizing<Hash> {
        Zeroizing::new(digest::mac(&self.secret.0, &[b"intermission/v2/fingerprint"]))
    }

    /// Of a cookie of the application's that tells who is signed in, absent or not: the same again
    /// for the same value, and nothing to who has not this browser's secret.
    pub fn mark_of(&self, cookie: &str, value: Option<&str>) -> Hash {
        let parts =
            [b"intermission/v1/signed-in", cookie.as_bytes(), value.unwrap_or("").as_bytes()];
        let given = if value.is_some() { &b"1"[..] } else { b"0" };
        digest::mac(&self.secret.0, &[parts[0], parts[1], parts[2], given])
    }

    pub(super) fn secret(&self) -> &[u8] {
        &self.secret.0
    }

    fn of(id: OwnerId, secret: Secret) -> Self {
        let verifier = digest::derive(&secret.0, id.bytes(), &[b"intermission/v1/verifier"]);
        Self { id, secret, browser: id.browser(verifier) }
    }

    fn mac(&self, purpose: &[u8], id: Id, version: u64) -> Hash {
        let key = digest::derive(&self.secret.0, self.id.bytes(), &[b"intermission/v1/page"]);
        digest::mac(&key, &[purpose, id.bytes(), &version.to_be_bytes()])
    }
}

/// Names a submission, and proves that a receipt of its owner's was used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    id: Id,
    proof: Hash,
}

impl Ticket {
    /// The text that travels in the form.
    pub fn text(&self) -> String {
        digest::base64url(&[&self.id.bytes()[..], &self.proof[..]].concat())
    }

    /// Reads a ticket. None: this is no ticket of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = digest::unbase64url(text)?;
        let bytes: [u8; TICKET_LEN] = bytes.as_slice().try_into().ok()?;
        let (id, proof) = bytes.split_at(20);
        Some(Self { id: Id::from_bytes(id.try_into().ok()?), proof: proof.try_into().ok()? })
    }

    /// The submission that it names.
    pub const fn id(&self) -> Id {
        self.id
    }

    /// What is stored while the ticket is awaited: its hash, together with the mode chosen.
    pub(super) fn stored(&self, mode: Mode) -> Hash {
        let parts = [&self.id.bytes()[..], &self.proof[..], mode.name().as_bytes()];
        digest::sha256(&parts.concat())
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}
