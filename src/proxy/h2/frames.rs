//! The bytes of an HTTP/2 connection, followed by their frame heads: what a peer does in frames
//! that cost it nothing has a budget, and a socket that takes nothing has a deadline.
//!
//! The protocol's own library bounds what is stored: resets before a stream was accepted,
//! CONTINUATION, small DATA frames, field blocks. It answers any number of PING and SETTINGS frames
//! and accepts any number of WINDOW_UPDATE and PRIORITY frames, and of streams that are reset once
//! their request is on its way to a server. Those are counted here.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::deadline::{Clockwork, Wait};
use super::super::lane::Link;
use crate::limit;

/// Bytes of a frame's head (RFC 9113 §4.1).
const HEAD: usize = 9;
/// What a client says first (RFC 9113 §3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// GOAWAY on stream 0 with the highest of all stream ids; the reason is to follow.
const GOAWAY: [u8; 16] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0];

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
/// A flag of SETTINGS and PING.
const ACK: u8 = 1;
/// Flags of HEADERS.
const PADDED: u8 = 8;
const PRIORITISED: u8 = 0x20;

/// What a client may not do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// SETTINGS were not its first frame (RFC 9113 §3.4), or a trailer begins with a pseudo-field
    /// (§8.1), which the library would pass over: PROTOCOL_ERROR.
    Protocol = 0x1,
    /// A frame has a length that its type cannot have (§6): FRAME_SIZE_ERROR.
    FrameSize = 0x6,
    /// It has used up a budget: ENHANCE_YOUR_CALM.
    Flood = 0xb,
}

/// What the connection wants to know of its frames.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// The client has acknowledged our SETTINGS.
    pub(super) settled: Cell<bool>,
    /// Reads that brought something.
    pub(super) heard: Cell<u64>,
    /// The client did what it may not.
    pub(super) fault: Cell<Option<Fault>>,
}

/// Finds the heads of frames in a stream of bytes, without keeping any of them.
#[derive(Debug)]
struct Scanner {
    head: [u8; HEAD],
    have: usize,
    skip: usize,
}

/// What a frame's head says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Head {
    kind: u8,
    flags: u8,
    length: usize,
    stream: u32,
}

impl Head {
    /// Whether its type can have its length. The library refuses such a frame under another name.
    fn fits(self) -> bool {
        match self.kind {
            PRIORITY => self.length == 5,
            RST_STREAM | WINDOW_UPDATE => self.length == 4,
            PING => self.length == 8,
            SETTINGS if self.flags & ACK != 0 => self.length == 0,
            SETTINGS => self.length.is_multiple_of(6),
            _ => true,
        }
    }
}

impl Scanner {
    /// Of bytes whose first frame begins after `skip` bytes.
    const fn new(skip: usize) -> Self {
        Self { head: [0; HEAD], have: 0, skip }
    }

    /// Whether the last frame is whole.
    const fn is_between(&self) -> bool {
        self.have == 0 && self.skip == 0
    }

    /// Shows each head that becomes whole in `bytes`, with what `bytes` has of what follows.
    fn scan(&mut self, mut bytes: &[u8], mut see: impl FnMut(Head, &[u8])) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return;
            }
            let taken = (HEAD - self.have).min(bytes.len());
            self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have < HEAD {
                return;
            }
            self.have = 0;
            let [a, b, c, kind, flags, s @ ..] = self.head;
            let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
            self.skip = length;
            let stream = u32::from_be_bytes(s) & 0x7fff_ffff;
            see(Head { kind, flags, length, stream }, &bytes[..length.min(bytes.len())]);
        }
    }
}

/// Whether a block of fields begins with a pseudo-field: one of the static table, or one that is
/// spelled out, in Huffman's code or not (RFC 7541 §6, appendices A and B).
fn begins_with_pseudo(flags: u8, payload: &[u8]) -> bool {
    let before = usize::from(flags & PADDED != 0) + if flags & PRIORITISED == 0 { 0 } else { 5 };
    match payload.get(before..).unwrap_or_default() {
        [0x81..=0x8e | 0x41..=0x4e | 0x01..=0x0e | 0x11..=0x1e, ..] => true,
        [0x40 | 0x00 | 0x10, length, first, ..] if length & 0x80 != 0 => first & 0xfe == 0xb8,
        [0x40 | 0x00 | 0x10, _, first, ..] => *first == b':',
        _ => false,
    }
}

/// So many frames at once, and so many more each second.
#[derive(Debug)]
struct Budget {
    left: u32,
    most: u32,
    per_second: u32,
    /// Milliseconds on the worker's clock up to which it has been filled.
    filled: u64,
}

impl Budget {
    const fn new(most: u32, per_second: u32, now: u64) -> Self {
        Self { left: most, most, per_second, filled: now }
    }

    /// Spends one; `false` if there is none. The clock is looked at only then.
    fn spend(&mut self, now: impl FnOnce() -> u64) -> bool {
        if self.left == 0 {
            let now = now();
            let earned = now.saturating_sub(self.filled).saturating_mul(self.per_second.into());
            self.filled = now;
            self.left = u32::try_from(earned / 1000).unwrap_or(u32::MAX).min(self.most);
        }
        let spent = self.left > 0;
        self.left = self.left.saturating_sub(1);
        spent
    }

    fn earn(&mut self, more: u32) {
        self.left = self.left.saturating_add(more).min(self.most);
    }
}

/// A client's socket whose frames are followed. It is lent: whoever lends it has it back when this
/// is gone.
pub(super) struct Frames<S> {
    socket: Rc<RefCell<S>>,
    inward: Scanner,
    begun: bool,
    /// The last stream that was opened.
    last: u32,
    outward: Scanner,
    control: Budget,
    resets: Budget,
    tally: Rc<Tally>,
    clockwork: Clockwork,
    link: Rc<Link>,
}

impl<S: AsyncWrite + Unpin> Frames<S> {
    /// Follows `socket` from its first byte.
    pub(super) fn new(
        socket: Rc<RefCell<S>>,
        tally: Rc<Tally>,
        clockwork: Clockwork,
        link: Rc<Link>,
    ) -> Self {
        let now = link.worker.sweep.now();
        let (most, each) = (limit::H2_CONTROL_FRAMES_MAX, limit::H2_CONTROL_FRAMES_PER_SECOND);
        Self {
            socket,
            inward: Scanner::new(PREFACE.len()),
            begun: false,
            last: 0,
            outward: Scanner::new(0),
            control: Budget::new(most, each, now),
            resets: Budget::new(limit::H2_RESETS_MAX, limit::H2_RESETS_PER_SECOND, now),
            tally,
            clockwork,
            link,
        }
    }

    /// Counts what was read, and tells what a client may not do.
    fn count(&mut self, bytes: &[u8]) -> Option<Fault> {
        let Self { inward, begun, last, control, resets, tally, link, .. } = self;
        tally.heard.set(tally.heard.get() + 1);
        let now = || link.worker.sweep.now();
        let mut calm = true;
        let mut fault = None;
        inward.scan(bytes, |head, payload| match head.kind {
            _ if !head.fits() => fault = Some(Fault::FrameSize),
            kind if !*begun => {
                *begun = true;
                let settings = kind == SETTINGS && head.flags & ACK == 0;
                fault = (!settings).then_some(Fault::Protocol);
            }
            // Bounded by windows, by the streams that may be open, and by the library.
            DATA | CONTINUATION => {}
            HEADERS if head.stream > *last => *last = head.stream,
            HEADERS if begins_with_pseudo(head.flags, payload) => fault = Some(Fault::Protocol),
            HEADERS => {}
            RST_STREAM => {
                link.worker.shard.h2_reset_received();
                calm &= resets.spend(now);
            }
            SETTINGS if head.flags & ACK != 0 && !tally.settled.get() => tally.settled.set(true),
            _ => calm &= control.spend(now),
        });
        if calm { fault } else { Some(Fault::Flood) }
    }

    /// Follows what was written. Answers earn a client the frames that go with them: it opens
    /// windows for them, and some measure the way with a PING.
    fn follow(&mut self, bytes: &[u8]) {
        let Self { outward, control, link, .. } = self;
        outward.scan(bytes, |head, _| match head.kind {
            DATA | HEADERS => control.earn(limit::H2_CONTROL_FRAMES_PER_ANSWER_FRAME),
            RST_STREAM => link.worker.shard.h2_reset_sent(),
            _ => {}
        });
    }

    /// Says why, if that does not fall into the middle of a frame; then nothing more is read.
    fn refuse(&mut self, fault: Fault, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tally.fault.set(Some(fault));
        if self.outward.is_between() {
            let mut told = [fault as u8; GOAWAY.len() + 1];
            told[..GOAWAY.len()].copy_from_slice(&GOAWAY);
            // If there is no room for it, the client does not read and need not be told.
            let _ = Pin::new(&mut *self.socket.borrow_mut()).poll_write(cx, &told);
        }
        Poll::Ready(Err(io::Error::other("frames that a client may not send")))
    }

    fn stalled<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.clockwork.clear(Wait::Write);
        } else if self.clockwork.passed(Wait::Write) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        } else {
            self.clockwork.arm(Wait::Write, self.clockwork.pace().write);
        }
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Frames<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut *self.socket.borrow_mut()).poll_read(cx, buf))?;
        match self.count(&buf.filled()[before..]) {
            None => Poll::Ready(Ok(())),
            Some(fault) => self.refuse(fault, cx),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Frames<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut *self.socket.borrow_mut()).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = polled {
            self.follow(&bytes[..written]);
        }
        self.stalled(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut *self.socket.borrow_mut()).poll_write_vectored(cx, pieces);
        if let Poll::Ready(Ok(written)) = polled {
            let mut left = written;
            for piece in pieces {
                let taken = piece.len().min(left);
                self.follow(&piece[..taken]);
                left -= taken;
            }
        }
        self.stalled(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut *self.socket.borrow_mut()).poll_flush(cx);
        self.stalled(polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.socket.borrow_mut()).poll_shutdown(cx)
    }
}
