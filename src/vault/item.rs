//! The states of a submission and the only ways from one to the next. Pure.

use serde::{Deserialize, Serialize};

use crate::clock::Wall;
use crate::digest::Hash;
use crate::id::Id;

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
    /// The window during which it was captured.
    pub window: Id,
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
