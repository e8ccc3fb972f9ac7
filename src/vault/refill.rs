//! A submission's answers for the live form, which its owner sends: nothing is sent from here, and
//! no state changes.

use std::fmt;

use super::Vault;
use super::body::{Body, BodyFault};
use super::capture::Record;
use super::code::Coded;
use super::form::{Fault, Part, Scanner, Token};
use super::item::State;
use super::owner::Owner;
use super::receipt::Denied;
use super::summary::Decoder;
use crate::id::Id;
use crate::limit;

/// What was given for one field.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The field.
    pub name: String,
    /// What was given.
    pub given: Given,
}

/// What was given for a field.
#[derive(Clone, PartialEq, Eq)]
pub enum Given {
    /// A text, whole.
    Text(String),
    /// A text that is not whole here: over a bound, or not in UTF-8.
    Part(String),
    /// A file of this name and size, which is empty if none was chosen.
    File(String, u64),
}

impl Vault {
    /// A submission's request and its answers in the order of the form, without the application's
    /// tokens, within [`limit::REFILL_VALUE_BYTES_MAX`] and [`limit::REFILL_BYTES_MAX`].
    pub async fn answers(&self, owner: &Owner, id: Id) -> Result<(Record, Vec<Answer>), Denied> {
        let (_, record, body) = self.read(owner, id).await?;
        let answers = collected(&record, body).await?;
        Ok((record, answers))
    }

    /// The same for whoever has just typed its code: `opener` is of [`Coded::opener`].
    pub async fn answers_coded(
        &self,
        id: Id,
        opener: &str,
    ) -> Result<(Coded, Vec<Answer>), Denied> {
        let coded = self.by_opener(id, opener).await?;
        let answers = collected(&coded.record, self.read_coded(&coded)?).await?;
        Ok((coded, answers))
    }

    /// The request of a submission whose owner wants to see the live form with the answers in it.
    ///
    /// `token` is the page token of the receipt that was shown.
    pub async fn refill(&self, owner: &Owner, id: Id, token: &str) -> Result<Record, Denied> {
        let item = self.for_action(owner, id, token).await?;
        may_refill(item.state)?;
        self.record(owner, &item).map_err(|_| Denied::Unreadable)
    }
}

/// Whether the live form may be filled with what is in this state.
pub fn may_refill(state: State) -> Result<(), Denied> {
    match state {
        State::Held | State::Refused | State::Unknown => Ok(()),
        State::Armed | State::Sending => Err(Denied::UnderWay),
        State::Unreadable => Err(Denied::Unreadable),
        State::Receiving | State::Accepted | State::Done | State::Discarded | State::Expired => {
            Err(Denied::NotNow(state))
        }
    }
}

async fn collected(record: &Record, mut body: Body) -> Result<Vec<Answer>, Denied> {
    let mut collector = Collector::new(record).map_err(|_| Denied::Unreadable)?;
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|fault| match fault {
            BodyFault::Store(error) => Denied::Store(error),
            BodyFault::Unreadable(_) => Denied::Unreadable,
        })?;
        collector.push(&piece).map_err(|_| Denied::Unreadable)?;
    }
    collector.finish().map_err(|_| Denied::Unreadable)
}

/// Takes the answers from a form that streams by.
struct Collector {
    scanner: Scanner,
    taker: Taker,
}

struct Taker {
    kind: super::form::Kind,
    /// Fields that hold the application's tokens, which nobody typed.
    tokens: Vec<String>,
    answers: Vec<Answer>,
    current: Option<Current>,
    room: usize,
}

/// The answer that is passing.
struct Current {
    name: String,
    file: Option<String>,
    bytes: u64,
    text: Vec<u8>,
    decoder: Decoder,
    is_cut: bool,
}

impl Collector {
    fn new(record: &Record) -> Result<Self, Fault> {
        let taker = Taker {
            kind: record.kind,
            tokens: record.summary.tokens().map(str::to_owned).collect(),
            answers: Vec::new(),
            current: None,
            room: limit::REFILL_BYTES_MAX,
        };
        let scanner = Scanner::new(record.kind, &record.head.content_type)?;
        Ok(Self { scanner, taker })
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let taker = &mut self.taker;
        self.scanner.push(bytes, &mut |token| taker.take(token))
    }

    fn finish(mut self) -> Result<Vec<Answer>, Fault> {
        let taker = &mut self.taker;
        self.scanner.finish(&mut |token| taker.take(token))?;
        Ok(self.taker.answers)
    }
}

impl Taker {
    fn take(&mut self, token: Token<'_>) {
        match token {
            Token::Raw(_) => {}
            Token::Begin(part) => self.begin(part),
            Token::Value(bytes) => {
                if let Some(current) = &mut self.current {
                    current.push(bytes, self.room);
                }
            }
            Token::End => {
                if let Some(current) = self.current.take() {
                    self.room = self.room.saturating_sub(current.text.len());
                    self.answers.push(current.answer());
                }
            }
        }
    }

    fn begin(&mut self, part: &Part) {
        self.current = (!self.tokens.contains(&part.name)).then(|| Current {
            name: part.name.clone(),
            file: part.file.clone(),
            bytes: 0,
            text: Vec::new(),
            decoder: Decoder::of(self.kind),
            is_cut: false,
        });
    }
}

impl Current {
    fn push(&mut self, bytes: &[u8], room: usize) {
        self.bytes += bytes.len() as u64;
        if self.file.is_some() {
            return;
        }
        let decoded = self.decoder.decode(bytes);
        let room = room.min(limit::REFILL_VALUE_BYTES_MAX).saturating_sub(self.text.len());
        self.is_cut |= decoded.len() > room;
        self.text.extend_from_slice(&decoded[..decoded.len().min(room)]);
    }

    fn answer(self) -> Answer {
        let given = match (self.file, String::from_utf8(self.text)) {
            (Some(file), _) => Given::File(file, self.bytes),
            (None, Ok(text)) if !self.is_cut => Given::Text(text),
            (None, Ok(text)) => Given::Part(text),
            (None, Err(bytes)) => {
                Given::Part(String::from_utf8_lossy(bytes.as_bytes()).into_owned())
            }
        };
        Answer { name: self.name, given }
    }
}

/// INVARIANT: what visitors type is never printed.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}
