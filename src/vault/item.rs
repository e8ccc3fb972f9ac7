//! The states of a submission and [`Item::step`], the only way from one to the next. Pure.
//!
//! ```text
//!  receiving ─► held ─► armed ─► sending ─► accepted ─► done
//!                ▲        │         ├─────► refused ─► armed
//!                └────────┴─────────┤
//!                  nothing was sent └─────► unknown ─► armed, if its owner has looked
//! ```
//!
//! What was caught on its way to an application that failed becomes `unknown` as soon as it is
//! kept, unless no byte of it had left: then it is `held` like any other.
//!
//! From every state with content it may be discarded or turn out unreadable; what nobody comes
//! for expires. A submission that is called back before a byte was sent returns to where it
//! rested: one that may have arrived earlier stays `unknown`, it does not become `held` again.

use serde::{Deserialize, Serialize};

use crate::clock::Wall;
use crate::digest::Hash;
use crate::id::{Id, Reference};
use crate::limit;

/// Where in its life a submission is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its body is arriving. Never stored, never shown.
    Receiving,
    /// Durable, not sent.
    Held,
    /// Its owner pressed Send; the ticket has not arrived yet.
    Armed,
    /// Durably about to be sent: from here on a crash means `unknown`.
    Sending,
    /// The application answered, and not with a refusal.
    Accepted,
    /// The application answered that it did not take it.
    Refused,
    /// Sent, or partly, and no answer came.
    Unknown,
    /// Its owner is content, or the grace has passed. No content.
    Done,
    /// Deleted by its owner. No content.
    Discarded,
    /// Nobody came in time. No content.
    Expired,
    /// Its content cannot be opened: wrong key, damaged frame.
    Unreadable,
}

/// What is stored of a submission besides its frames. The content is sealed; nothing here tells
/// what was typed, by whom, or the query of the URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// Its name for ever.
    pub id: Id,
    /// What stands on its receipt. The store gives it another one if this is taken.
    pub reference: Reference,
    /// Counts changes, from 1.
    pub version: u64,
    /// Where in its life it is.
    pub state: State,
    /// Of the browser it belongs to: a hash of what its cookie proves.
    pub browser: Hash,
    /// Keyed hash of browser, place and content, to know a double click.
    pub fingerprint: Hash,
    /// The route's name.
    pub route: String,
    /// The region's name.
    pub region: String,
    /// The window during which it was captured; none if its place was open and it was caught
    /// because the application failed.
    pub window: Option<Id>,
    /// When it was captured.
    pub captured: Wall,
    /// When its content is erased if nobody comes.
    pub expires: Wall,
    /// When retention must look at it next.
    pub due: Wall,
    /// Plaintext bytes of the body.
    pub size: u64,
    /// Sealed frames.
    pub frames: u32,
    /// How often it was sent.
    pub sends: u32,
    /// The status the application answered with last.
    pub answer: Option<u16>,
    /// SHA-256 of the ticket that is awaited while armed.
    pub ticket: Option<Hash>,
    /// The content key, wrapped by the browser's. Empty once erased.
    pub wrapped_key: Vec<u8>,
    /// Method, target, content type, referer and field summary, sealed. Empty once erased.
    pub sealed_head: Vec<u8>,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Receiving,
        Self::Held,
        Self::Armed,
        Self::Sending,
        Self::Accepted,
        Self::Refused,
        Self::Unknown,
        Self::Done,
        Self::Discarded,
        Self::Expired,
        Self::Unreadable,
    ];

    /// The name on the wire, in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Held => "held",
            Self::Armed => "armed",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Done => "done",
            Self::Discarded => "discarded",
            Self::Expired => "expired",
            Self::Unreadable => "unreadable",
        }
    }

    /// Whether the content is gone for good and only a tombstone is left.
    pub const fn is_erased(self) -> bool {
        match self {
            Self::Done | Self::Discarded | Self::Expired => true,
            Self::Receiving
            | Self::Held
            | Self::Armed
            | Self::Sending
            | Self::Accepted
            | Self::Refused
            | Self::Unknown
            | Self::Unreadable => false,
        }
    }
}

/// Whether the owner says that an earlier send did not arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checked {
    /// The owner looked, and it is not there.
    NotThere,
    /// Every send carries the same `Idempotency-Key`, and the application honours it: one that
    /// arrived before does nothing when it arrives again.
    Honoured,
    /// The owner said nothing about it.
    No,
}

/// What happens to a submission.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// Its whole body is sealed and about to be stored.
    Completed,
    /// Its owner pressed Send; this is the hash of the ticket that is now awaited.
    Arm(Hash, Checked),
    /// The ticket did not come in time, or the application is not to be reached just now.
    CallBack,
    /// The ticket has come, and the next thing is the first byte to the application.
    Send,
    /// No byte left for the application after all.
    NeverSent,
    /// The application answered with this status, and not with a refusal.
    Accept(u16),
    /// The application answered with this status and did not take it.
    Refuse(u16),
    /// It was sent, or partly, and no answer came.
    Lose,
    /// Its owner is content, or the grace has passed.
    Settle,
    /// Its owner deletes it.
    Discard,
    /// Its life goes on until then: its window is in force still, or it was only looked at.
    Remain(Wall),
    /// Nobody came in time.
    Expire,
    /// Its content could not be opened.
    Spoil,
    /// Its content can be opened again: a key that was put back.
    Mend,
}

impl Event {
    /// The name in errors and in the table of states and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Arm(_, Checked::No) => "arm",
            Self::Arm(_, Checked::NotThere) => "arm, checked",
            Self::Arm(_, Checked::Honoured) => "arm, honoured",
            Self::CallBack => "call back",
            Self::Send => "send",
            Self::NeverSent => "never sent",
            Self::Accept(_) => "accept",
            Self::Refuse(_) => "refuse",
            Self::Lose => "lose",
            Self::Settle => "settle",
            Self::Discard => "discard",
            Self::Remain(_) => "remain",
            Self::Expire => "expire",
            Self::Spoil => "spoil",
            Self::Mend => "mend",
        }
    }
}

/// An event that the state does not allow. Nothing happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a submission that is {} cannot take the event \"{event}\"", .state.name())]
pub struct Illegal {
    /// The state it is in.
    pub state: State,
    /// What was tried.
    pub event: &'static str,
}

impl Item {
    /// The submission after `event`, one version on; nothing counts before that is stored.
    ///
    /// `due` is set in the same step to the instant at which retention must look at it next, so
    /// that no state can be forgotten.
    pub fn step(self, event: Event, now: Wall) -> Result<Self, Illegal> {
        use Event as E;
        use State as S;
        let next = match (self.state, event) {
            (S::Receiving, E::Completed) => self.into_state(S::Held),
            // Caught on its way to the application: that was its first send.
            (S::Receiving, E::Lose) => Self { sends: 1, ..self }.into_state(S::Unknown),
            (S::Held | S::Refused, E::Arm(ticket, _)) if self.sends < limit::SENDS_MAX => {
                self.armed(ticket)
            }
            (S::Unknown, E::Arm(ticket, Checked::NotThere | Checked::Honoured))
                if self.sends < limit::SENDS_MAX =>
            {
                self.armed(ticket)
            }
            (S::Armed, E::CallBack) => self.into_rest(),
            (S::Armed, E::Send) => {
                Self { sends: self.sends + 1, ..self.without_ticket() }.into_state(S::Sending)
            }
            (S::Sending, E::NeverSent) => {
                Self { sends: self.sends.saturating_sub(1), ..self }.into_rest()
            }
            (S::Sending, E::Accept(status)) => self.answered(status).into_state(S::Accepted),
            (S::Sending, E::Refuse(status)) => self.answered(status).into_state(S::Refused),
            (S::Sending, E::Lose) => Self { answer: None, ..self }.into_state(S::Unknown),
            (S::Accepted, E::Settle) => self.erased(S::Done),
            (S::Held | S::Refused | S::Unknown, E::Remain(expires)) => Self { expires, ..self },
            (S::Held | S::Refused | S::Unknown | S::Unreadable, E::Expire) => {
                self.erased(S::Expired)
            }
            (
                S::Held | S::Armed | S::Accepted | S::Refused | S::Unknown | S::Unreadable,
                E::Discard,
            ) => self.erased(S::Discarded),
            (S::Held | S::Armed | S::Refused | S::Unknown, E::Spoil) => {
                self.without_ticket().into_state(S::Unreadable)
            }
            (S::Unreadable, E::Mend) => self.into_rest(),
            (
                S::Receiving
                | S::Held
                | S::Armed
                | S::Sending
                | S::Accepted
                | S::Refused
                | S::Unknown
                | S::Done
                | S::Discarded
                | S::Expired
                | S::Unreadable,
                E::Completed
                | E::Arm(..)
                | E::CallBack
                | E::Send
                | E::NeverSent
                | E::Accept(_)
                | E::Refuse(_)
                | E::Lose
                | E::Settle
                | E::Discard
                | E::Remain(_)
                | E::Expire
                | E::Spoil
                | E::Mend,
            ) => return Err(Illegal { state: self.state, event: event.name() }),
        };
        Ok(Self { version: next.version + 1, due: next.next_look(now), ..next })
    }

    /// Where it rests while nothing is under way: told by what became of its last send.
    pub const fn resting(&self) -> State {
        match (self.sends, self.answer) {
            (0, _) => State::Held,
            (_, Some(_)) => State::Refused,
            (_, None) => State::Unknown,
        }
    }

    /// When retention must look at it next.
    fn next_look(&self, now: Wall) -> Wall {
        match self.state {
            State::Receiving | State::Unreadable => self.expires,
            State::Held | State::Refused | State::Unknown => {
                let ahead = self.expires.minus(limit::PROLONG_AHEAD);
                if now < ahead { ahead } else { self.expires }
            }
            State::Armed => now.plus(limit::TICKET_LIFE),
            State::Sending => now.plus(limit::SENDING_MAX),
            State::Accepted => now.plus(limit::ACCEPTED_GRACE),
            State::Done | State::Discarded | State::Expired => now.plus(limit::TOMBSTONE_LIFE),
        }
    }

    fn into_state(self, state: State) -> Self {
        Self { state, ..self }
    }

    fn armed(self, ticket: Hash) -> Self {
        Self { ticket: Some(ticket), state: State::Armed, ..self }
    }

    fn without_ticket(self) -> Self {
        Self { ticket: None, ..self }
    }

    fn into_rest(self) -> Self {
        let state = self.resting();
        self.without_ticket().into_state(state)
    }

    fn answered(self, status: u16) -> Self {
        Self { answer: Some(status), ..self }
    }

    /// A tombstone: id, times, state, size. The key goes first of all: without it, frames that a
    /// disk or a backup still holds are noise.
    fn erased(self, state: State) -> Self {
        Self {
            state,
            fingerprint: Hash::default(),
            ticket: None,
            wrapped_key: Vec::new(),
            sealed_head: Vec::new(),
            ..self
        }
    }
}
