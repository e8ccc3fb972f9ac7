//! A server's socket as hyper sees it: answers that could be read in two ways are stopped here, the
//! twin of the guard on the client's side.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::wire::{Asked, Fault, Scan, Scanner};

/// A socket whose answers are followed.
pub(super) struct Watch<S> {
    socket: S,
    scanner: Scanner,
    asked: Rc<Asked>,
}

impl<S> Watch<S> {
    /// Follows `socket` from its first byte; `asked` tells what is sent through it.
    pub(super) fn new(socket: S, asked: Rc<Asked>) -> Self {
        Self { socket, scanner: Scanner::of_answers(Rc::clone(&asked)), asked }
    }

    /// The socket, no longer followed.
    pub(super) fn into_inner(self) -> S {
        self.socket
    }
}

fn in_doubt() -> Poll<io::Result<()>> {
    let text = "the framing of the server's answer is in doubt";
    Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)))
}

impl<S: AsyncRead + Unpin> AsyncRead for Watch<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.asked.fault().is_some() {
            return in_doubt();
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        let (offset, fault) = match self.scanner.scan(&buf.filled()[before..]) {
            Scan::Clean => return Poll::Ready(Ok(())),
            Scan::FaultInHead(offset, fault) => (offset, fault),
            // What was right of the body may be in the same piece as the head.
            Scan::FaultInBody(offset, _) => (offset, Fault::BadChunk),
        };
        self.asked.set_fault(fault);
        buf.set_filled(before + offset);
        if offset > 0 { Poll::Ready(Ok(())) } else { in_doubt() }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watch<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
