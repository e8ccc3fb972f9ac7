//! Reads a client's bytes before hyper does and refuses framing that two parsers could read in
//! two ways.
//!
//! hyper's parser forgives: it takes a bare LF for a line end, drops `Content-Length` beside
//! `Transfer-Encoding`, and lets loose chunk extensions pass. A request that our parser and an
//! application's cut in different places is how requests are smuggled, so this scanner follows the
//! framing of RFC 9112 to the letter and stops the connection at the first doubt. It copies
//! nothing unless a line is split between two reads.

use memchr::memchr;

use crate::limit;

/// What is wrong with the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// A line that does not end in CRLF, or holds a bare CR (RFC 9112 §2.2).
    BareLineEnd,
    /// A request line of another version than HTTP/1.1 or HTTP/1.0 (RFC 9112 §2.3).
    OtherVersion,
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
}

/// Follows the framing of one connection.
#[derive(Debug)]
pub(super) struct Scanner {
    at: At,
    /// The line so far, if it was split between two reads.
    line: Vec<u8>,
    /// Bytes of the section so far.
    section: usize,
    length: Option<u64>,
    chunked: bool,
    request_line: bool,
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
    /// At the beginning of a connection.
    pub(super) fn new() -> Self {
        Self {
            at: At::Between,
            line: Vec::new(),
            section: 0,
            length: None,
            chunked: false,
            request_line: true,
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
                    self.begin_head();
                }
                At::Length(left) | At::Chunk(left) => rest = self.skip(left, rest),
                At::Head => match self.take_line(&mut rest, limit::HEAD_BYTES_MAX) {
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
        self.request_line = true;
    }

    fn skip<'a>(&mut self, left: u64, rest: &'a [u8]) -> &'a [u8] {
        let step = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        let left = left - step as u64;
        self.at = match self.at {
            At::Chunk(_) if left == 0 => At::ChunkEnd,
            At::Chunk(_) => At::Chunk(left),
            At::Between | At::Head | At::Length(_) | At::ChunkSize | At::ChunkEnd | At::Trailer => {
                if left == 0 {
                    At::Between
                } else {
                    At::Length(left)
                }
            }
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
            At::Head if self.request_line => {
                // RFC 9112 §2.2: an empty line before a request line is to be ignored.
                self.request_line = line.is_empty();
                let known = line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0");
                if known || line.is_empty() { Ok(()) } else { Err(Fault::OtherVersion) }
            }
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
            At::Between | At::Length(_) | At::Chunk(_) => Ok(()),
        }
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
        match (self.chunked, self.length) {
            (true, Some(_)) => return Err(Fault::LengthAndEncoding),
            (true, None) => self.begin_line(At::ChunkSize),
            (false, Some(length)) if length > 0 => self.at = At::Length(length),
            (false, _) => self.at = At::Between,
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

fn refuse_fold(line: &[u8]) -> Result<(), Fault> {
    match line[0] {
        b' ' | b'\t' => Err(Fault::FoldedLine),
        _ => Ok(()),
    }
}

/// The value of `line` if its name is `name` (lower case). A blank before the colon is no part of
/// a name; hyper refuses such a line by itself.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":").filter(|_| found.eq_ignore_ascii_case(name))?;
    Some(value.trim_ascii())
}

fn decimal(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit) && !value.is_empty();
    digits.then(|| std::str::from_utf8(value).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(bytes: &[u8]) -> Scan {
        let whole = Scanner::new().scan(bytes);
        let mut scanner = Scanner::new();
        let mut offset = 0;
        for byte in bytes.chunks(1) {
            match (scanner.scan(byte), whole) {
                (Scan::Clean, _) => offset += 1,
                (Scan::FaultInHead(_, fault), Scan::FaultInHead(_, expected))
                | (Scan::FaultInBody(_, fault), Scan::FaultInBody(_, expected)) => {
                    assert_eq!(fault, expected, "byte by byte");
                    return whole;
                }
                (other, _) => panic!("at {offset}: {other:?}, but as a whole {whole:?}"),
            }
        }
        assert_eq!(whole, Scan::Clean);
        whole
    }

    #[test]
    fn plain_requests_in_a_row_are_clean() {
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na\nb";
        let chunks = "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n\
                      3;x=y\r\na\rb\r\n0\r\nA: b\r\n\r\n";
        assert_eq!(scan(format!("{get}{post}{chunks}\r\n{get}").as_bytes()), Scan::Clean);
    }

    #[test]
    fn a_faulty_head_is_found_where_it_begins() {
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for (head, fault) in [
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", Fault::BareLineEnd),
            ("PRI * HTTP/2.0\r\n\r\n", Fault::OtherVersion),
            ("GET / HTTP/1.1\r\nA: b\n\r\n", Fault::BareLineEnd),
            ("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", Fault::BareLineEnd),
            ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", Fault::FoldedLine),
            (
                "P / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                Fault::LengthAndEncoding,
            ),
            ("P / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", Fault::BadLength),
            ("P / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", Fault::BadLength),
            ("P / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", Fault::BadLength),
            ("P / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", Fault::BadEncoding),
            (
                "P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
                Fault::BadEncoding,
            ),
        ] {
            assert_eq!(scan(head.as_bytes()), Scan::FaultInHead(0, fault), "{head:?}");
            let second = format!("{get}{head}");
            let at = Scan::FaultInHead(get.len(), fault);
            assert_eq!(Scanner::new().scan(second.as_bytes()), at);
        }
    }

    #[test]
    fn a_faulty_body_is_found() {
        let head = "P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        for body in [
            "3 \r\nabc\r\n",
            "\r\n",
            "3;\r\n",
            "x\r\n",
            "3\nabc\r\n",
            "3\r\nabcd\r\n",
            "0x3\r\n",
            "fffffffffffffffff\r\n",
            "3\r\nabc\n",
        ] {
            let found = scan(format!("{head}{body}").as_bytes());
            assert!(matches!(found, Scan::FaultInBody(..)), "{body:?}: {found:?}");
        }
    }

    #[test]
    fn heads_and_extensions_are_bounded() {
        let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(40_000));
        assert_eq!(scan(long.as_bytes()), Scan::FaultInHead(0, Fault::HeadTooLarge));
        let chunk =
            format!("P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;{}", "x".repeat(300));
        let line = chunk.len() - 302;
        assert_eq!(scan(chunk.as_bytes()), Scan::FaultInBody(line, Fault::BadChunk));
    }
}
