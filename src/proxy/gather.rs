//! A socket that gathers small pieces before it writes them.
//!
//! hyper hands a head and a body over as two pieces. For large bodies one `writev` is right; for
//! small ones copying a few hundred bytes and one plain `send` is cheaper than the kernel's walk
//! over a list of pieces.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::guard::Peer;
use super::socket::Socket;

/// Pieces that together are no longer than this are copied.
const GATHERED_BYTES_MAX: usize = 2048;

/// See the module.
pub(super) struct Gather<S>(pub(super) S);

impl Peer for Gather<Socket> {
    fn has_ended(&self, cx: &mut Context<'_>) -> bool {
        self.0.has_ended(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let socket = Pin::new(&mut self.0);
        let total: usize = pieces.iter().map(|piece| piece.len()).sum();
        match pieces {
            [piece] => socket.poll_write(cx, piece),
            _ if total <= GATHERED_BYTES_MAX => {
                let mut gathered = [0; GATHERED_BYTES_MAX];
                let mut end = 0;
                for piece in pieces {
                    gathered[end..end + piece.len()].copy_from_slice(piece);
                    end += piece.len();
                }
                socket.poll_write(cx, &gathered[..end])
            }
            _ => socket.poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
