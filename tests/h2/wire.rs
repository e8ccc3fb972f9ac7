//! A client that sends the frames it is told to, and reads what comes back frame by frame.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};

use crate::support::{Deadline, PATIENCE};

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const PADDED: u8 = 8;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    pub(super) fn new(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Self {
        Self { kind, flags, stream, payload: payload.as_ref().to_vec() }
    }

    /// Its bytes on the wire.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("a length").to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// The error code of RST_STREAM or GOAWAY.
    pub(super) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }
}

/// How a stream, or its connection, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Status and body.
    Answered(u16, Vec<u8>),
    /// RST_STREAM before the answer's end.
    Reset(u32),
    /// GOAWAY.
    Goaway(u32),
    /// Closed without a word.
    Closed,
}

/// What carries the frames.
pub(super) enum Channel {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Channel {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }

    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(piece),
            Self::Tls(stream) => stream.read(piece),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }
}

/// One connection.
pub(super) struct Wire {
    stream: Channel,
    ahead: Vec<u8>,
}

impl Wire {
    /// Connects, and says nothing.
    #[track_caller]
    pub(super) fn silent(to: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&to, PATIENCE).expect("the listener is bound");
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
        Self { stream: Channel::Plain(stream), ahead: Vec::new() }
    }

    /// Connects, and begins as it should.
    #[track_caller]
    pub(super) fn connect(to: SocketAddr) -> Self {
        Self::with_settings(to, [])
    }

    /// Connects, with these settings.
    #[track_caller]
    pub(super) fn with_settings(
        to: SocketAddr,
        settings: impl IntoIterator<Item = (u16, u32)>,
    ) -> Self {
        Self::begin(Self::silent(to), settings)
    }

    /// Says nothing over this channel.
    pub(super) fn quiet(stream: Channel) -> Self {
        Self { stream, ahead: Vec::new() }
    }

    /// Begins over this channel, with these settings.
    #[track_caller]
    pub(super) fn over(stream: Channel, settings: impl IntoIterator<Item = (u16, u32)>) -> Self {
        Self::begin(Self { stream, ahead: Vec::new() }, settings)
    }

    #[track_caller]
    fn begin(mut wire: Self, settings: impl IntoIterator<Item = (u16, u32)>) -> Self {
        wire.raw(PREFACE);
        // Without a table, no answer's head refers to another's.
        let settings = [(1, 0)].into_iter().chain(settings);
        wire.frame(SETTINGS, 0, 0, settings_payload(settings));
        let settings = wire.next().expect("its SETTINGS");
        assert_eq!((settings.kind, settings.flags), (SETTINGS, 0));
        wire.frame(SETTINGS, ACK, 0, []);
        wire
    }

    /// Sends these bytes; the peer may have closed already.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write(bytes).is_ok()
    }

    /// Sends a frame.
    pub(super) fn frame(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: impl AsRef<[u8]>,
    ) -> bool {
        self.raw(&Frame::new(kind, flags, stream, payload).bytes())
    }

    /// Sends a request's head in one frame.
    pub(super) fn request(&mut self, stream: u32, flags: u8, fields: &[(&str, &str)]) {
        self.frame(HEADERS, flags | END_HEADERS, stream, block(fields));
    }

    /// The next frame; none at the connection's end.
    #[track_caller]
    pub(super) fn next(&mut self) -> Option<Frame> {
        let deadline = Deadline::after(PATIENCE);
        loop {
            if let Some(frame) = self.take() {
                return Some(frame);
            }
            let left = deadline.left().expect("a frame, or the end, in time");
            if !self.fill(left).expect("a frame, or the end, in time") {
                return None;
            }
        }
    }

    /// The next frame that is no SETTINGS, WINDOW_UPDATE or PING.
    #[track_caller]
    pub(super) fn news(&mut self) -> Option<Frame> {
        loop {
            let frame = self.next()?;
            if ![SETTINGS, WINDOW_UPDATE, PING].contains(&frame.kind) {
                return Some(frame);
            }
        }
    }

    /// How a stream ended. Frames of others are passed over.
    #[track_caller]
    pub(super) fn outcome(&mut self, stream: u32) -> Outcome {
        let (mut status, mut body) = (0, Vec::new());
        loop {
            let Some(frame) = self.news() else { return Outcome::Closed };
            match frame.kind {
                GOAWAY if frame.code() != 0 => return Outcome::Goaway(frame.code()),
                _ if frame.stream != stream => continue,
                RST_STREAM => return Outcome::Reset(frame.code()),
                HEADERS if status < 200 => status = status_of(&frame.payload),
                DATA => body.extend(frame.payload),
                _ => {}
            }
            if frame.flags & END_STREAM != 0 {
                return Outcome::Answered(status, body);
            }
        }
    }

    /// Whether the connection is alive: a PING comes back.
    #[track_caller]
    pub(super) fn is_alive(&mut self) -> bool {
        let mark = *b"alive???";
        if !self.frame(PING, 0, 0, mark) {
            return false;
        }
        while let Some(frame) = self.next() {
            if frame.kind == PING && frame.payload == mark {
                return true;
            }
        }
        false
    }

    /// The error code of what the peer says before it answers a PING, if anything.
    #[track_caller]
    pub(super) fn told_off(&mut self) -> Option<u32> {
        self.frame(PING, 0, 0, *b"and now?");
        loop {
            let frame = self.next()?;
            match frame.kind {
                RST_STREAM | GOAWAY => return Some(frame.code()),
                PING if frame.payload == *b"and now?" => return None,
                _ => {}
            }
        }
    }

    /// Whether nothing comes for this long.
    pub(super) fn is_silent_for(&mut self, span: Duration) -> bool {
        self.ahead.is_empty() && self.fill(span).is_none()
    }

    /// Goes away with a reset.
    pub(super) fn abort(self) {
        crate::support::raw::reset(self.stream.socket().try_clone().expect("a socket"));
    }

    fn take(&mut self) -> Option<Frame> {
        let head = self.ahead.get(..9)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let stream = u32::from_be_bytes(head[5..9].try_into().expect("four bytes"));
        let frame = Frame::new(head[3], head[4], stream, self.ahead.get(9..9 + length)?);
        self.ahead.drain(..9 + length);
        Some(frame)
    }

    /// `Some(false)` at the end, none if nothing came in time.
    fn fill(&mut self, span: Duration) -> Option<bool> {
        self.stream.socket().set_read_timeout(Some(span)).expect("a timeout that is not zero");
        let mut piece = [0; 64 * 1024];
        match self.stream.read(&mut piece) {
            Ok(count) => {
                self.ahead.extend_from_slice(&piece[..count]);
                Some(count > 0)
            }
            Err(fault) => {
                let waits = [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&fault.kind());
                (!waits).then_some(false)
            }
        }
    }
}

/// The payload of a SETTINGS frame.
pub(super) fn settings_payload(settings: impl IntoIterator<Item = (u16, u32)>) -> Vec<u8> {
    let one = |(id, value): (u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    settings.into_iter().flat_map(one).collect()
}

/// An ordinary head.
pub(super) const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "site.test"), (":path", "/")];

/// A head that announces a body.
pub(super) const POST: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":authority", "site.test"), (":path", "/")];

/// Fields as literals that nobody remembers (RFC 7541 §6.2.2).
pub(super) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        text(&mut block, name.as_bytes());
        text(&mut block, value.as_bytes());
    }
    block
}

fn text(to: &mut Vec<u8>, text: &[u8]) {
    if text.len() < 127 {
        to.push(u8::try_from(text.len()).expect("a byte"));
    } else {
        to.push(127);
        let mut rest = text.len() - 127;
        while rest >= 128 {
            to.push(u8::try_from(rest % 128).expect("seven bits") | 128);
            rest /= 128;
        }
        to.push(u8::try_from(rest).expect("seven bits"));
    }
    to.extend(text);
}

/// The status that a block begins with: indexed, or a literal of digits in Huffman's code.
pub(super) fn status_of(block: &[u8]) -> u16 {
    // A change of the table's size may come first.
    let block = if block[0] & 0xe0 == 0x20 { &block[1..] } else { block };
    let known = [200, 204, 206, 304, 400, 404, 500];
    if block[0] & 0x80 != 0 {
        return known[usize::from(block[0] & 0x7f) - 8];
    }
    let (coded, length) = (block[1] & 0x80 != 0, usize::from(block[1] & 0x7f));
    let value = &block[2..2 + length];
    if !coded {
        return String::from_utf8_lossy(value).parse().expect("digits");
    }
    let bits: String = value.iter().map(|byte| format!("{byte:08b}")).collect();
    let (mut rest, mut status) = (&bits[..], 0);
    for _ in 0..3 {
        let (digit, length) = match u16::from_str_radix(&rest[..5], 2).expect("bits") {
            short @ 0..=2 => (short, 5),
            _ => (u16::from_str_radix(&rest[..6], 2).expect("bits") - 0b01_0110, 6),
        };
        status = status * 10 + digit;
        rest = &rest[length..];
    }
    status
}
