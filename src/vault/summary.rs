//! What is learnt from a form while it streams into its frames: whether it may be kept, what the
//! receipt shows of it, and whether it is the same as one before.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

use super::form::{Kind, Part, Token};
use super::json::Unescape;
use super::policy::{CardScan, Policy};
use crate::digest::{Hash, RunningMac};
use crate::limit;

/// The fields of a form, as far as the receipt shows them. Sealed with the head record.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// In the order of the form.
    pub fields: Vec<Field>,
}

/// One field. Written as a list, since the words before its parts would be most of a short form's
/// record; read as either.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Bytes of its value.
    pub bytes: u64,
    /// What is shown of it.
    pub shown: Shown,
}

/// What is shown of a field's value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// All of it.
    Whole(String),
    /// Its beginning.
    Cut(String),
    /// A file of this name.
    File(String),
    /// Nothing: it is the application's own token, not the visitor's answer.
    Token,
}

/// A form holds what is never kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forbidden;

/// Looks at a form's tokens.
pub struct Inspector {
    kind: Kind,
    policy: Policy,
    csrf_fields: Arc<[String]>,
    fingerprint: RunningMac,
    current: Option<Current>,
    summary: Summary,
    room: usize,
    forbidden: bool,
}

/// The field whose value is passing.
struct Current {
    name: String,
    file: Option<String>,
    forbidden: bool,
    is_token: bool,
    bytes: u64,
    /// Bytes of its value as they came that the fingerprint has taken.
    taken: u64,
    beginning: Vec<u8>,
    decoder: Decoder,
    cards: CardScan,
}

impl Inspector {
    /// Begins a form. `key` is its owner's, of [`Owner::fingerprint_key`](super::Owner); `place` is
    /// what makes equal forms differ: browser, method and target.
    pub fn new(
        kind: Kind,
        policy: Policy,
        csrf_fields: Arc<[String]>,
        key: Zeroizing<Hash>,
        place: &[&[u8]],
    ) -> Self {
        let mut fingerprint = RunningMac::begin(&*key);
        place.iter().for_each(|part| measured(&mut fingerprint, part));
        fingerprint.update(&[PLACE]);
        Self {
            kind,
            policy,
            csrf_fields,
            fingerprint,
            current: None,
            summary: Summary::default(),
            room: limit::SHOWN_FORM_BYTES_MAX,
            forbidden: false,
        }
    }

    /// Takes a token. Raw bytes do not count: a multipart boundary is new each time.
    pub fn take(&mut self, token: Token<'_>) {
        match token {
            Token::Raw(_) => {}
            Token::Begin(part) => self.begin(part),
            Token::Value(bytes) => {
                if let Some(current) = &mut self.current {
                    // The same answers from two tabs, or from a page loaded twice, differ only in
                    // the application's tokens.
                    if !current.is_token {
                        self.fingerprint.update(bytes);
                        current.taken += bytes.len() as u64;
                    }
                    current.push(bytes);
                    let is_filled = bytes.iter().any(|byte| *byte != b'\r');
                    self.forbidden |= current.forbidden && is_filled;
                }
            }
            Token::End => self.end(),
        }
    }

    /// Whether what was seen so far may be kept.
    pub fn check(&self) -> Result<(), Forbidden> {
        if self.forbidden { Err(Forbidden) } else { Ok(()) }
    }

    /// The summary and the fingerprint of the whole form.
    pub fn finish(self) -> Result<(Summary, Hash), Forbidden> {
        self.check()?;
        Ok((self.summary, self.fingerprint.finish()))
    }

    fn begin(&mut self, part: &Part) {
        measured(&mut self.fingerprint, part.name.as_bytes());
        measured(&mut self.fingerprint, part.file.as_deref().unwrap_or_default().as_bytes());
        self.fingerprint.update(&[if part.file.is_some() { FILE } else { TEXT }]);
        self.current = Some(Current {
            forbidden: self.policy.forbids(&part.name),
            is_token: part.file.is_none() && self.csrf_fields.contains(&part.name),
            name: part.name.clone(),
            file: part.file.clone(),
            bytes: 0,
            taken: 0,
            beginning: Vec::new(),
            decoder: Decoder::of(self.kind),
            cards: CardScan::default(),
        });
    }

    fn end(&mut self) {
        let Some(current) = self.current.take() else { return };
        let room = self.room.min(limit::SHOWN_VALUE_BYTES_MAX);
        let shown = match (current.file, current.is_token) {
            (Some(file), _) => Shown::File(beginning(file.as_bytes(), room)),
            (None, true) => Shown::Token,
            (None, false) if current.bytes > room as u64 => {
                Shown::Cut(beginning(&current.beginning, room))
            }
            (None, false) => Shown::Whole(beginning(&current.beginning, room)),
        };
        self.forbidden |= current.cards.finish();
        self.fingerprint.update(&current.taken.to_be_bytes());
        self.fingerprint.update(&[FIELD]);
        // What a program sends has no receipt, and may have very many members.
        if matches!(self.kind, Kind::Json | Kind::Opaque) {
            return;
        }
        self.room = self.room.saturating_sub(match &shown {
            Shown::Whole(text) | Shown::Cut(text) | Shown::File(text) => text.len(),
            Shown::Token => 0,
        });
        self.summary.fields.push(Field { name: current.name, bytes: current.bytes, shown });
    }
}

impl Summary {
    /// The application's tokens that the form carries.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        let tokens = self.fields.iter().filter(|field| field.shown == Shown::Token);
        tokens.map(|field| field.name.as_str())
    }
}

impl Current {
    fn push(&mut self, bytes: &[u8]) {
        if self.file.is_some() {
            self.bytes += bytes.len() as u64;
            return;
        }
        let decoded = self.decoder.decode(bytes);
        self.bytes += decoded.len() as u64;
        self.cards.push(&decoded);
        let room = limit::SHOWN_VALUE_BYTES_MAX.saturating_sub(self.beginning.len());
        self.beginning.extend_from_slice(&decoded[..decoded.len().min(room)]);
    }
}

/// Decodes a value that comes in pieces.
#[derive(Debug)]
pub(super) enum Decoder {
    /// As it is.
    Plain,
    /// As it is, without the carriage return before the line's end.
    Line,
    /// A JSON string.
    Json(Unescape),
    /// Percent-encoded; an escape that is not complete yet is kept back.
    Percent(Vec<u8>),
}

impl Decoder {
    /// For a value in a form of this kind.
    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Urlencoded => Self::Percent(Vec::new()),
            Kind::Multipart | Kind::Opaque => Self::Plain,
            Kind::Json => Self::Json(Unescape::default()),
            Kind::Plain => Self::Line,
        }
    }

    /// What more of the value means. An escape that never becomes complete means itself, and is
    /// not given out: it is at most two bytes at the end of a value.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => bytes.to_vec(),
            Self::Json(unescape) => unescape.decode(bytes),
            Self::Line => bytes.iter().copied().filter(|byte| *byte != b'\r').collect(),
            Self::Percent(kept) => {
                let tail = bytes.len().saturating_sub(2);
                if kept.is_empty() && !bytes[tail..].contains(&b'%') {
                    return super::form::decode(bytes);
                }
                kept.extend_from_slice(bytes);
                let tail = kept.len().saturating_sub(2);
                let whole = kept[tail..].iter().position(|byte| *byte == b'%');
                let rest = kept.split_off(whole.map_or(kept.len(), |at| tail + at));
                super::form::decode(&std::mem::replace(kept, rest))
            }
        }
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (&self.name, self.bytes, &self.shown).serialize(to)
    }
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

/// What stands at the end of the place, and of each field.
const PLACE: u8 = 0;
const FIELD: u8 = 1;
/// What stands after a field's name and file name.
const TEXT: u8 = 2;
const FILE: u8 = 3;

/// Feeds a part and then its length. A value's length is known at its end alone, so all lengths
/// stand there: read backwards, from the marks, no two lists of parts are one input.
fn measured(mac: &mut RunningMac, part: &[u8]) {
    mac.update(part);
    mac.update(&(part.len() as u64).to_be_bytes());
}

/// At most `room` bytes of a text, cut between characters.
fn beginning(bytes: &[u8], room: usize) -> String {
    let cut = &bytes[..bytes.len().min(room)];
    let whole = match std::str::from_utf8(cut) {
        Err(error) if error.error_len().is_none() => &cut[..error.valid_up_to()],
        Ok(_) | Err(_) => cut,
    };
    String::from_utf8_lossy(whole).into_owned()
}
