//! The client's socket as hyper sees it: framing is checked on the way in, stalls on the way out.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::deadline::{Clockwork, Wait};
use super::tempo::Tempo;
use super::wire::{Fault, Scan, Scanner};

/// What the connection and the guard tell each other.
#[derive(Debug, Default)]
pub(super) struct Wire {
    fault: Cell<Option<Fault>>,
    in_head: Cell<bool>,
    in_message: Cell<bool>,
    ended: Cell<bool>,
    unsent: Cell<bool>,
    in_flight: Cell<bool>,
    tunnel: Cell<bool>,
    held: Cell<bool>,
    reader: RefCell<Option<Waker>>,
}

impl Wire {
    /// What was wrong with the bytes, if anything.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault.get()
    }

    /// Whether a head has begun and not ended.
    pub(super) fn in_head(&self) -> bool {
        self.in_head.get()
    }

    /// Whether a body has begun and not ended.
    pub(super) fn in_body(&self) -> bool {
        self.in_message.get() && !self.in_head.get()
    }

    /// Whether nothing is under way, either way: no byte of a message is anywhere but on the wire.
    pub(super) fn is_quiet(&self) -> bool {
        let busy = self.in_flight.get() || self.in_message.get() || self.unsent.get();
        !busy && !self.ended.get() && self.fault.get().is_none() && !self.tunnel.get()
    }

    /// Whether everything that the client ever sends has been read: it has ended its side, or says
    /// so by `promised`, and no message is cut.
    pub(super) fn is_read_out(&self, promised: bool) -> bool {
        let between = !self.in_message.get() && self.fault.get().is_none();
        between && (promised || self.ended.get()) && !self.unsent.get()
    }

    /// Whether a request is being answered.
    pub(super) fn in_flight(&self) -> bool {
        self.in_flight.get()
    }

    /// Whether the client has ended its side.
    pub(super) fn is_ended(&self) -> bool {
        self.ended.get()
    }

    /// The request that is being answered waits, or does not any longer: its body is not read, and
    /// with it not the end behind it, which is looked for all the same.
    pub(super) fn hold(&self, held: bool) {
        self.held.set(held);
    }

    /// Bytes after the request that is being answered are no HTTP.
    pub(super) fn tunnel(&self) {
        self.tunnel.set(true);
    }

    /// A request is being answered: a fault behind it must wait.
    pub(super) fn begin(&self) {
        self.in_flight.set(true);
    }

    /// It has been answered.
    pub(super) fn end(&self) {
        self.in_flight.set(false);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// Who is at the other end of a socket.
pub(super) trait Peer {
    /// Whether it has ended its side, as far as can be told without reading what it sent before.
    fn has_ended(&self, cx: &mut Context<'_>) -> bool;
}

/// A socket whose bytes are followed.
pub(super) struct Guard<S> {
    socket: S,
    scanner: Scanner,
    wire: Rc<Wire>,
    clockwork: Clockwork,
    tempo: Tempo,
}

impl<S> Guard<S> {
    /// Follows `socket` from its first byte.
    pub(super) fn new(socket: S, wire: Rc<Wire>, clockwork: Clockwork) -> Self {
        let scanner = Scanner::of_requests(clockwork.limits().head_bytes);
        Self { socket, scanner, wire, clockwork, tempo: Tempo::default() }
    }

    /// The socket, no longer followed.
    pub(super) fn into_inner(self) -> S {
        self.socket
    }

    /// After a head whose framing is in doubt nothing more is read. What came before it is
    /// answered first.
    fn end_of_input(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.wire.in_flight.get() {
            *self.wire.reader.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// A client that has ended its side behind a whole request may still be waiting for its answer
    /// (RFC 9112 §9.6), or be gone, which looks the same until something is written.
    fn half_closed(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.wire.ended.set(true);
        if !self.scanner.is_between() || self.clockwork.passed(Wait::Gone) {
            return Poll::Ready(Ok(()));
        }
        self.clockwork.arm(Wait::Gone, self.clockwork.pace().half_closed);
        self.end_of_input(cx)
    }

    fn follow(
        &mut self,
        cx: &Context<'_>,
        buf: &mut ReadBuf<'_>,
        before: usize,
    ) -> Poll<io::Result<()>> {
        if self.scanner.is_between() {
            self.clockwork.restart(Wait::Head, self.clockwork.pace().head);
            self.tempo.restart();
        }
        let in_body = self.wire.in_body();
        let scan = self.scanner.scan(&buf.filled()[before..]);
        self.wire.in_head.set(self.scanner.is_in_head());
        self.wire.in_message.set(!self.scanner.is_between());
        match scan {
            Scan::Clean => {
                self.wait_for_next(in_body);
                Poll::Ready(Ok(()))
            }
            Scan::FaultInHead(offset, fault) => {
                self.wire.fault.set(Some(fault));
                buf.set_filled(before + offset);
                if offset > 0 { Poll::Ready(Ok(())) } else { self.end_of_input(cx) }
            }
            Scan::FaultInBody(offset, _) => {
                // The head and what was right of the body may be in the same piece.
                self.wire.fault.set(Some(Fault::BadChunk));
                buf.set_filled(before + offset);
                if offset > 0 { Poll::Ready(Ok(())) } else { broken_body() }
            }
        }
    }

    /// Sets the time of the head that is read or comes next. A body whose request was answered
    /// before it had come whole is not waited for by anybody but this.
    fn wait_for_next(&self, in_body: bool) {
        let (pace, in_head) = (*self.clockwork.pace(), self.scanner.is_in_head());
        match (in_body, self.wire.in_flight.get()) {
            (false, _) if !in_head => self.clockwork.clear(Wait::Head),
            (true, false) if in_head => self.clockwork.restart(Wait::Head, pace.head),
            (true, false) if self.scanner.is_between() => {
                self.clockwork.restart(Wait::Head, pace.keep_alive);
            }
            (false | true, _) => {}
        }
    }

    fn wrote(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.wire.unsent.set(true);
        match &polled {
            Poll::Ready(wrote) => {
                let bytes = wrote.as_ref().map_or(0, |count| *count as u64);
                self.tempo.moved(&self.clockwork, Wait::Write, bytes);
                if self.wire.ended.get() {
                    self.clockwork.restart(Wait::Gone, self.clockwork.pace().half_closed);
                }
            }
            Poll::Pending if self.clockwork.passed(Wait::Write) => {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            Poll::Pending => {
                let (write, slow) = (self.clockwork.pace().write, self.clockwork.pace().slow);
                self.tempo.wait(&self.clockwork, Wait::Write, write, write.max(slow));
            }
        }
        polled
    }
}

/// What a body is read as behind the last byte that was right.
fn broken_body() -> Poll<io::Result<()>> {
    let text = "the request body's framing is broken";
    Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)))
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.wire.fault.get() {
            Some(fault) if fault.is_in_body() => return broken_body(),
            Some(_) => return self.end_of_input(cx),
            None if self.wire.ended.get() => return self.half_closed(cx),
            None => {}
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        if self.wire.tunnel.get() {
            return Poll::Ready(Ok(()));
        }
        if buf.filled().len() == before {
            return self.half_closed(cx);
        }
        self.follow(cx, buf, before)
    }
}

impl<S: AsyncWrite + Peer + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.wrote(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, pieces);
        self.wrote(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.wire.held.get() && !self.wire.is_ended() && self.socket.has_ended(cx) {
            self.wire.ended.set(true);
            self.clockwork.wake();
        }
        let flushed = ready!(Pin::new(&mut self.socket).poll_flush(cx));
        self.wire.unsent.set(false);
        Poll::Ready(flushed)
    }

    /// The connection shuts the socket down itself, after it has said what is still to be said.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
