//! One HTTP/1.1 request over one connection, bounded in time and bytes.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::{Clock, Tick};

/// Bytes of one answer. Over it: a fault.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Header fields of one answer. Over it: a fault.
const FIELDS_MAX: usize = 64;

/// A request to be written as it stands.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The fields, in order.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The fields.
    pub headers: HeaderMap,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

/// Why no answer came back.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Nobody listens there.
    #[error("cannot connect to {0}: {1}")]
    Connect(SocketAddr, #[source] io::Error),
    /// The connection broke, or nothing came in time.
    #[error("no whole answer to {0}: {1}")]
    Broken(String, #[source] io::Error),
    /// What came is not an HTTP/1.1 answer.
    #[error("the answer to {0} is not HTTP/1.1")]
    Malformed(String),
}

impl Request {
    /// A GET.
    pub fn get(target: &str) -> Self {
        let (method, target) = ("GET".to_owned(), target.to_owned());
        Self { method, target, fields: Vec::new(), body: Vec::new() }
    }

    /// A POST.
    pub fn post(target: &str, content_type: &str, body: Vec<u8>) -> Self {
        let request = Self { method: "POST".to_owned(), body, ..Self::get(target) };
        request.field("content-type", content_type)
    }

    /// The same with one more field.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Removes a field and tells its value.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let at = self.fields.iter().position(|(known, _)| known == name)?;
        Some(self.fields.remove(at).1)
    }

    /// The head on the wire, its empty line included.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || self.method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        if !self.fields.iter().any(|(name, _)| name == "connection") {
            head.push_str("connection: close\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

impl Answer {
    /// A field's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The answer at the start of `bytes`; nothing while it is not whole. `ended` tells that no
    /// more will come, which is how a body without framing ends.
    fn parse(bytes: &[u8], ended: Ended, asked: Asked) -> Result<Option<Self>, ()> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut head = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(length) = head.parse(bytes).map_err(|_| ())? else {
            return Ok(None);
        };
        let status = head.code.ok_or(())?;
        if (100..200).contains(&status) && status != 101 {
            return Self::parse(&bytes[length..], ended, asked);
        }
        let mut headers = HeaderMap::new();
        for field in head.headers.iter() {
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| ())?;
            headers.append(name, HeaderValue::from_bytes(field.value).map_err(|_| ())?);
        }
        let answer = Self { status, headers, body: Vec::new() };
        let body = match asked {
            Asked::Head => Some(Vec::new()),
            Asked::Whole => answer.body(&bytes[length..], ended)?,
        };
        Ok(body.map(|body| Self { body, ..answer }))
    }

    fn body(&self, bytes: &[u8], ended: Ended) -> Result<Option<Vec<u8>>, ()> {
        let chunked = self.header("transfer-encoding").is_some();
        match self.header("content-length") {
            _ if matches!(self.status, 101 | 204 | 304) => Ok(Some(Vec::new())),
            _ if chunked => unchunk(bytes),
            Some(length) => {
                let length: usize = length.parse().map_err(|_| ())?;
                Ok(bytes.get(..length).map(<[u8]>::to_vec))
            }
            None => Ok((ended == Ended::Yes).then(|| bytes.to_vec())),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    No,
    Yes,
}

/// Whether an answer has a body at all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Whole,
    Head,
}

/// Sends `request` to `to` and reads the answer, within `patience` altogether.
pub fn exchange(to: SocketAddr, request: &Request, patience: Duration) -> Result<Answer, Fault> {
    Unfinished::begin(to, request.clone(), 0, patience)?.finish()
}

/// A request whose head and some of its body are on the wire.
#[derive(Debug)]
pub struct Unfinished {
    stream: TcpStream,
    request: Request,
    written: usize,
    patience: Duration,
}

impl Unfinished {
    /// Connects and writes the head and `bytes` of the body.
    pub fn begin(
        to: SocketAddr,
        request: Request,
        bytes: usize,
        patience: Duration,
    ) -> Result<Self, Fault> {
        let stream =
            TcpStream::connect_timeout(&to, patience).map_err(|why| Fault::Connect(to, why))?;
        let broken = |why| Fault::Broken(request.name(), why);
        let _ = stream.set_nodelay(true);
        stream.set_write_timeout(Some(patience)).map_err(broken)?;
        let written = bytes.min(request.body.len());
        let begun = [&request.head(), &request.body[..written]].concat();
        (&stream).write_all(&begun).map_err(broken)?;
        Ok(Self { stream, request, written, patience })
    }

    /// Writes the rest and reads the answer, within the patience again.
    pub fn finish(mut self) -> Result<Answer, Fault> {
        let clock = Clock::System;
        let deadline = clock.tick().plus(self.patience);
        // An answer may come before the whole body was taken (a refusal): a failed write is
        // therefore no fault as long as an answer can be read.
        let wrote = self.stream.write_all(&self.request.body[self.written..]);
        read(&mut self.stream, &clock, deadline, &self.request).map_err(|fault| match wrote {
            Err(why) => Fault::Broken(self.request.name(), why),
            Ok(()) => fault,
        })
    }
}

fn read(
    stream: &mut TcpStream,
    clock: &Clock,
    deadline: Tick,
    request: &Request,
) -> Result<Answer, Fault> {
    let broken = |why| Fault::Broken(request.name(), why);
    let asked = if request.method == "HEAD" { Asked::Head } else { Asked::Whole };
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        let left = deadline.since(clock.tick());
        if left.is_zero() || bytes.len() > ANSWER_BYTES_MAX {
            return Err(broken(io::ErrorKind::TimedOut.into()));
        }
        stream.set_read_timeout(Some(left)).map_err(broken)?;
        let got = stream.read(&mut piece).map_err(broken)?;
        bytes.extend_from_slice(&piece[..got]);
        let ended = if got == 0 { Ended::Yes } else { Ended::No };
        match Answer::parse(&bytes, ended, asked) {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) if got == 0 => return Err(broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(None) => {}
            Err(()) => return Err(Fault::Malformed(request.name())),
        }
    }
}

/// Takes chunks apart; nothing while the last one is missing.
fn unchunk(mut bytes: &[u8]) -> Result<Option<Vec<u8>>, ()> {
    let mut body = Vec::new();
    loop {
        let (start, length) = match httparse::parse_chunk_size(bytes).map_err(|_| ())? {
            httparse::Status::Complete(found) => found,
            httparse::Status::Partial => return Ok(None),
        };
        if length == 0 {
            let end = memchr::memmem::find(&bytes[start - 2..], b"\r\n\r\n");
            return Ok(end.map(|_| body));
        }
        let end = start + usize::try_from(length).map_err(|_| ())?;
        let Some(chunk) = bytes.get(start..end) else { return Ok(None) };
        body.extend_from_slice(chunk);
        let Some(rest) = bytes.get(end + 2..) else { return Ok(None) };
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_framing_says_so() {
        let plain = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
        let whole =
            Answer::parse(plain, Ended::No, Asked::Whole).expect("well-formed").expect("whole");
        assert_eq!((whole.status, whole.text().as_str()), (200, "hi"));
        assert!(
            Answer::parse(&plain[..plain.len() - 1], Ended::No, Asked::Whole)
                .expect("so far")
                .is_none()
        );

        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        for end in 0..chunked.len() {
            let part = Answer::parse(&chunked[..end], Ended::No, Asked::Whole).expect("so far");
            assert!(part.is_none(), "{end}");
        }
        let whole =
            Answer::parse(chunked, Ended::No, Asked::Whole).expect("well-formed").expect("whole");
        assert_eq!(whole.text(), "hi");

        let open = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil the end";
        assert!(Answer::parse(open, Ended::No, Asked::Whole).expect("so far").is_none());
        let whole =
            Answer::parse(open, Ended::Yes, Asked::Whole).expect("well-formed").expect("whole");
        assert_eq!(whole.text(), "until the end");
    }
}
