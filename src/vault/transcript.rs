//! What a visitor typed, as a text file: the copy that is there whatever becomes of the rest.

use super::capture::Record;
use super::form::{Fault, Kind, Part, Scanner, Token};
use super::summary::Decoder;

/// Writes one form as text while it streams by.
pub struct Transcript {
    scanner: Scanner,
    writer: Writer,
}

struct Writer {
    kind: Kind,
    /// Fields that hold the application's tokens, which nobody typed.
    tokens: Vec<String>,
    current: Current,
}

/// The value that is passing.
enum Current {
    Skipped,
    Text(Decoder),
    File(u64),
}

impl Transcript {
    /// Begins a form.
    pub fn new(record: &Record) -> Result<Self, Fault> {
        let tokens = record.summary.tokens().map(str::to_owned).collect();
        let scanner = Scanner::new(record.kind, &record.head.content_type)?;
        let writer = Writer { kind: record.kind, tokens, current: Current::Skipped };
        Ok(Self { scanner, writer })
    }

    /// Takes more of the form.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let writer = &mut self.writer;
        self.scanner.push(bytes, &mut |token| writer.take(token, out))
    }

    /// Writes the rest.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let writer = &mut self.writer;
        self.scanner.finish(&mut |token| writer.take(token, out))
    }
}

impl Writer {
    fn take(&mut self, token: Token<'_>, out: &mut Vec<u8>) {
        match (token, &mut self.current) {
            (Token::Begin(part), _) => self.begin(part, out),
            (Token::Value(bytes), Current::Text(decoder)) => {
                out.extend_from_slice(&decoder.decode(bytes));
            }
            (Token::Value(bytes), Current::File(size)) => *size += bytes.len() as u64,
            (Token::End, Current::Text(_)) => out.extend_from_slice(b"\n\n"),
            (Token::End, Current::File(size)) => {
                out.extend_from_slice(format!("({size} bytes)\n\n").as_bytes());
            }
            (Token::Raw(_), _) | (Token::Value(_) | Token::End, Current::Skipped) => {}
        }
    }

    fn begin(&mut self, part: &Part, out: &mut Vec<u8>) {
        if self.tokens.contains(&part.name) {
            self.current = Current::Skipped;
            return;
        }
        out.extend_from_slice(part.name.as_bytes());
        out.extend_from_slice(b":\n");
        self.current = match &part.file {
            Some(file) => {
                out.extend_from_slice(file.as_bytes());
                out.push(b' ');
                Current::File(0)
            }
            None => Current::Text(Decoder::of(self.kind)),
        };
    }
}
