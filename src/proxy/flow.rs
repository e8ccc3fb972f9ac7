//! One direction of a tunnel: bytes are carried as they come; when the tunnel's turn to end has
//! come, a Close is put between two frames, and what comes back is awaited.
//!
//! What a socket gives is read into the worker's own piece of memory and written on at once. Only
//! what the other socket does not take is kept, so that a silent tunnel holds no memory.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::lasting::frames::Frames;

/// Which side of a flow broke.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Broken {
    /// The one that is read.
    Source,
    /// The one that is written to.
    Sink,
}

/// One direction.
pub(super) struct Flow {
    /// Read, and not yet written.
    held: Bytes,
    /// Written, but perhaps not sent.
    unflushed: bool,
    frames: Frames,
    stage: Stage,
    carried: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Bytes pass.
    Carrying,
    /// Our Close is being written, the last that passes.
    Closing,
    /// Our Close was written; the source's own is awaited.
    Listening,
    /// The source has ended.
    Ending,
    /// The sink knows.
    Ended,
}

impl Flow {
    /// Begins with what was read ahead.
    pub(super) fn new(ahead: Bytes) -> Self {
        let mut frames = Frames::default();
        frames.follow(&ahead);
        let carried = ahead.len() as u64;
        Self { held: ahead, unflushed: true, frames, stage: Stage::Carrying, carried }
    }

    /// Bytes that were taken from the source to be carried.
    pub(super) fn carried(&self) -> u64 {
        self.carried
    }

    /// Carries on. Ready when the source has ended and the sink knows. `close` is what ends it,
    /// once its turn has come; `moved` is called whenever bytes came.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        (from, to): (&mut (impl AsyncRead + Unpin), &mut (impl AsyncWrite + Unpin)),
        piece: &mut [u8],
        close: Option<&[u8]>,
        moved: impl Fn(),
    ) -> Poll<Result<(), Broken>> {
        loop {
            ready!(self.poll_give(cx, to))?;
            match self.stage {
                Stage::Carrying => {
                    if let Some(close) = close
                        && self.frames.is_between()
                        && !self.frames.is_closed()
                    {
                        self.close_with(&[], close);
                        continue;
                    }
                    let taken = ready!(poll_take(cx, from, piece))?;
                    moved();
                    self.carry(cx, to, taken, close)?;
                }
                Stage::Closing => self.stage = Stage::Listening,
                Stage::Listening => {
                    if self.frames.is_closed() {
                        self.stage = Stage::Ending;
                        continue;
                    }
                    match ready!(poll_take(cx, from, piece))? {
                        [] => self.stage = Stage::Ending,
                        taken => drop(self.frames.follow(taken)),
                    }
                    if self.frames.is_lost() {
                        self.stage = Stage::Ending;
                    }
                }
                Stage::Ending => {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx)).map_err(|_| Broken::Sink)?;
                    self.stage = Stage::Ended;
                }
                Stage::Ended => return Poll::Ready(Ok(())),
            }
        }
    }

    fn carry(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
        taken: &[u8],
        close: Option<&[u8]>,
    ) -> Result<(), Broken> {
        if taken.is_empty() {
            self.stage = Stage::Ending;
            return Ok(());
        }
        let said = self.frames.is_closed();
        let boundary = self.frames.follow(taken);
        match (close, boundary) {
            (Some(close), Some(boundary)) if !said && !self.frames.is_closed() => {
                self.close_with(&taken[..boundary], close);
            }
            _ => {
                self.carried += taken.len() as u64;
                self.unflushed = true;
                let given = match Pin::new(to).poll_write(cx, taken) {
                    Poll::Ready(Ok(given)) if given > 0 => given,
                    Poll::Ready(_) => return Err(Broken::Sink),
                    Poll::Pending => 0,
                };
                if given < taken.len() {
                    self.held = Bytes::copy_from_slice(&taken[given..]);
                }
            }
        }
        Ok(())
    }

    fn close_with(&mut self, before: &[u8], close: &[u8]) {
        self.carried += before.len() as u64;
        self.held = Bytes::from([before, close].concat());
        self.stage = Stage::Closing;
    }

    /// Writes what is held.
    fn poll_give(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<Result<(), Broken>> {
        while !self.held.is_empty() {
            let count = ready!(Pin::new(&mut *to).poll_write(cx, &self.held));
            match count {
                Ok(count) if count > 0 => drop(self.held.split_to(count)),
                Ok(_) | Err(_) => return Poll::Ready(Err(Broken::Sink)),
            }
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut *to).poll_flush(cx)).map_err(|_| Broken::Sink)?;
            (self.unflushed, self.held) = (false, Bytes::new());
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads into `piece`; nothing is the end.
fn poll_take<'p>(
    cx: &mut Context<'_>,
    from: &mut (impl AsyncRead + Unpin),
    piece: &'p mut [u8],
) -> Poll<Result<&'p [u8], Broken>> {
    let mut buf = ReadBuf::new(piece);
    ready!(Pin::new(from).poll_read(cx, &mut buf)).map_err(|_| Broken::Source)?;
    let count = buf.filled().len();
    Poll::Ready(Ok(&piece[..count]))
}
