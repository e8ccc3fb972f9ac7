//! Reads bytes before hyper does and refuses framing that two parsers could read in two ways: a
//! client's requests, and a server's answers.
//!
//! hyper's parser forgives: it takes a bare LF for a line end, drops `Content-Length` beside
//! `Transfer-Encoding`, and lets loose chunk extensions pass. A message that our parser and another
//! cut in different places is how requests and answers are smuggled, so this scanner follows the
//! framing of RFC 9112 to the letter and stops the connection at the first doubt. It copies
//! nothing unless a line is split between two reads.

mod asked;
mod line;
#[cfg(test)]
mod tests;

use std::rc::Rc;

pub(super) use asked::Asked;
use line::{decimal, refuse_fold, request_line, status_line, value_of};
use memchr::memchr;

use crate::limit;

/// What is wrong with the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// A line that does not end in CRLF, or holds a bare CR (RFC 9112 §2.2).
    BareLineEnd,
    /// A request line of another version than HTTP/1.1 or HTTP/1.0 (RFC 9112 §2.3).
    OtherVersion,
    /// A first line that is none of HTTP/1 (RFC 9112 §3, §4).
    NotHttp,
    /// A target with a fragment, or with bytes that no URI has (RFC 9112 §3.2).
    BadTarget,
    /// A folded header line (RFC 9112 §5.2).
    FoldedLine,
    /// Both `Content-Length` and `Transfer-Encoding` (RFC 9112 §6.1).
    LengthAndEncoding,
    /// `Content-Length` twice, or not a number (RFC 9112 §6.3).
    BadLength,
    /// `Transfer-Encoding` other than one `chunked` (RFC 9112 §6.1).
    BadEncoding,
    /// A chunk's size, extension or end is not as RFC 9112 §7.1 says.
    BadChunk,
    /// A trailer section that is too large.
    TrailerTooLarge,
    /// A head that is too large.
    HeadTooLarge,
    /// Bytes of a server that nobody asked for.
    Surplus,
    /// Interim answers without end.
    TooManyInterim,
}

impl Fault {
    /// Whether the fault is one of size rather than of form.
    pub(super) fn is_size(self) -> bool {
        self == Self::HeadTooLarge
    }

    /// Whether the fault lies in a body, whose request answers for it.
    pub(super) fn is_in_body(self) -> bool {
        self == Self::BadChunk
    }
}

/// Where in the framing of the connection the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// Before the first byte of a head.
    Between,
    /// In a head.
    Head,
    /// In a body of which this many bytes are still to come.
    Length(u64),
    /// On a chunk-size line.
    ChunkSize,
    /// In a chunk, its final CRLF included.
    Chunk(u64),
    /// In the two bytes after a chunk.
    ChunkEnd,
    /// In the trailer section.
    Trailer,
    /// In a body that ends with its connection.
    UntilClose,
    /// In a tunnel: no longer HTTP.
    Tunnel,
}

/// Whose messages are followed.
#[derive(Debug)]
enum Side {
    Client,
    /// What the server was asked tells how its answer is framed (RFC 9112 §6.3).
    Server(Rc<Asked>),
}

/// Follows the framing of one connection.
#[derive(Debug)]
pub(super) struct Scanner {
    side: Side,
    head_max: usize,
    at: At,
    /// The line so far, if it was split between two reads.
    line: Vec<u8>,
    /// Bytes of the section so far.
    section: usize,
    length: Option<u64>,
    chunked: bool,
    first_line: bool,
    /// Whether the message is HTTP/1.0, which knows no transfer codings.
    old: bool,
    status: u16,
}

/// How far a piece could be followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scan {
    /// To its end.
    Clean,
    /// Up to the head that begins at this offset; it is faulty.
    FaultInHead(usize, Fault),
    /// A body is faulty, in the line that begins or goes on at this offset.
    FaultInBody(usize, Fault),
}

impl Scanner {
    /// Of requests, at the beginning of a connection, with heads of at most this many bytes.
    pub(super) fn of_requests(head_max: usize) -> Self {
        Self::new(Side::Client, head_max)
    }

    /// Of a server's answers to what it is asked, at the beginning of a connection.
    pub(super) fn of_answers(asked: Rc<Asked>) -> Self {
        Self::new(Side::Server(asked), limit::HEAD_BYTES_MAX)
    }

    fn new(side: Side, head_max: usize) -> Self {
        Self {
            side,
            head_max,
            at: At::Between,
            line: Vec::new(),
            section: 0,
            length: None,
            chunked: false,
            first_line: true,
            old: false,
            status: 0,
        }
    }

    /// Whether the next byte begins a head.
    pub(super) fn is_between(&self) -> bool {
        self.at == At::Between
    }

    /// Whether the next byte is inside a head.
    pub(super) fn is_in_head(&self) -> bool {
        self.at == At::Head
    }

    /// Follows the next `piece`.
    pub(super) fn scan(&mut self, piece: &[u8]) -> Scan {
        let mut rest = piece;
        let mut head_began = 0;
        while !rest.is_empty() {
            let here = piece.len() - rest.len();
            match self.at {
                At::Between => {
                    head_began = here;
                    if let Side::Server(asked) = &self.side
                        && !asked.is_pending()
                    {
                        return Scan::FaultInHead(here, Fault::Surplus);
                    }
                    self.begin_head();
                }
                At::UntilClose | At::Tunnel => return Scan::Clean,
                At::Length(left) | At::Chunk(left) => rest = self.skip(left, rest),
                At::Head => match self.take_line(&mut rest, self.head_max) {
                    Ok(true) => {}
                    Ok(false) => return Scan::Clean,
                    Err(fault) => {
                        let fault = if fault == Fault::TrailerTooLarge {
                            Fault::HeadTooLarge
                        } else {
                            fault
                        };
                        return Scan::FaultInHead(head_began, fault);
                    }
                },
                At::ChunkSize | At::ChunkEnd | At::Trailer => {
                    match self.take_line(&mut rest, limit::TRAILER_BYTES_MAX) {
                        Ok(true) => {}
                        Ok(false) => return Scan::Clean,
                        Err(fault) => return Scan::FaultInBody(here, fault),
                    }
                }
            }
        }
        Scan::Clean
    }

    fn begin_head(&mut self) {
        self.at = At::Head;
        self.section = 0;
        self.length = None;
        self.chunked = false;
        self.first_line = true;
    }

    fn skip<'a>(&mut self, left: u64, rest: &'a [u8]) -> &'a [u8] {
        let step = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        let left = left - step as u64;
        self.at = match (matches!(self.at, At::Chunk(_)), left) {
            (true, 0) => At::ChunkEnd,
            (true, left) => At::Chunk(left),
            (false, 0) => At::Between,
            (false, left) => At::Length(left),
        };
        &rest[step..]
    }

    /// Takes the rest of the current line off `rest`; `false` if the line goes on in the next
    /// piece.
    fn take_line(&mut self, rest: &mut &[u8], section_max: usize) -> Result<bool, Fault> {
        let Some(end) = memchr(b'\n', rest) else {
            self.section += rest.len();
            self.line.extend_from_slice(rest);
            self.within(section_max)?;
            return Ok(false);
        };
        let (piece, after) = rest.split_at(end + 1);
        *rest = after;
        self.section += piece.len();
        self.within(section_max)?;
        if self.line.is_empty() {
            return self.end_line(piece).map(|()| true);
        }
        self.line.extend_from_slice(piece);
        let line = std::mem::take(&mut self.line);
        let ended = self.end_line(&line).map(|()| true);
        self.line = line;
        self.line.clear();
        ended
    }

    fn within(&self, section_max: usize) -> Result<(), Fault> {
        let on_chunk_line = self.at == At::ChunkSize || self.at == At::ChunkEnd;
        if on_chunk_line && self.section > limit::CHUNK_LINE_BYTES_MAX {
            return Err(Fault::BadChunk);
        }
        if self.section > section_max { Err(Fault::TrailerTooLarge) } else { Ok(()) }
    }

    /// A whole line, its line end included.
    fn end_line(&mut self, line: &[u8]) -> Result<(), Fault> {
        let Some(line) = line.strip_suffix(b"\r\n") else { return Err(Fault::BareLineEnd) };
        if memchr(b'\r', line).is_some() {
            return Err(Fault::BareLineEnd);
        }
        match self.at {
            At::Head if self.first_line => self.first_line(line),
            At::Head if line.is_empty() => self.end_head(),
            At::Head => self.field(line),
            At::ChunkSize => self.chunk_size(line),
            At::ChunkEnd => {
                self.begin_line(At::ChunkSize);
                if line.is_empty() { Ok(()) } else { Err(Fault::BadChunk) }
            }
            At::Trailer if line.is_empty() => {
                self.at = At::Between;
                Ok(())
            }
            At::Trailer => refuse_fold(line),
            At::Between | At::Length(_) | At::Chunk(_) | At::UntilClose | At::Tunnel => Ok(()),
        }
    }

    fn first_line(&mut self, line: &[u8]) -> Result<(), Fault> {
        match &self.side {
            // RFC 9112 §2.2: an empty line before a request line is to be ignored.
            Side::Client if line.is_empty() => return Ok(()),
            Side::Client => self.old = request_line(line)?,
            Side::Server(_) => (self.old, self.status) = status_line(line)?,
        }
        self.first_line = false;
        Ok(())
    }

    fn begin_line(&mut self, at: At) {
        self.at = at;
        self.section = 0;
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Fault> {
        refuse_fold(line)?;
        match line[0] | 0x20 {
            b'c' => {
                if let Some(value) = value_of(line, b"content-length") {
                    let length = decimal(value).ok_or(Fault::BadLength)?;
                    if self.length.replace(length).is_some() {
                        return Err(Fault::BadLength);
                    }
                }
            }
            b't' => {
                if let Some(value) = value_of(line, b"transfer-encoding") {
                    let twice = std::mem::replace(&mut self.chunked, true);
                    if twice || !value.eq_ignore_ascii_case(b"chunked") {
                        return Err(Fault::BadEncoding);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end_head(&mut self) -> Result<(), Fault> {
        if self.chunked && self.old {
            return Err(Fault::BadEncoding);
        }
        if self.chunked && self.length.is_some() {
            return Err(Fault::LengthAndEncoding);
        }
        let bodiless = match &self.side {
            Side::Client => false,
            Side::Server(asked) => match asked.answered(self.status)? {
                asked::Body::Framed => false,
                asked::Body::None => true,
                asked::Body::Tunnel => {
                    self.at = At::Tunnel;
                    return Ok(());
                }
            },
        };
        match (self.chunked, self.length) {
            _ if bodiless => self.at = At::Between,
            (true, _) => self.begin_line(At::ChunkSize),
            (false, Some(length)) if length > 0 => self.at = At::Length(length),
            (false, Some(_)) => self.at = At::Between,
            (false, None) => {
                let requests = matches!(self.side, Side::Client);
                self.at = if requests { At::Between } else { At::UntilClose };
            }
        }
        Ok(())
    }

    fn chunk_size(&mut self, line: &[u8]) -> Result<(), Fault> {
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, extension) = line.split_at(digits);
        let named = |extension: &[u8]| extension.len() > 1 && extension[0] == b';';
        if !(extension.is_empty() || named(extension)) {
            return Err(Fault::BadChunk);
        }
        let size = std::str::from_utf8(size).ok().filter(|size| size.len() <= 15);
        let size = size.and_then(|size| u64::from_str_radix(size, 16).ok());
        match size.ok_or(Fault::BadChunk)? {
            0 => self.begin_line(At::Trailer),
            size => self.begin_line(At::Chunk(size)),
        }
        Ok(())
    }
}
