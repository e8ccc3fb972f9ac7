//! A stored body, opened frame by frame as it is sent on: never whole in memory.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::capture::Record;
use super::item::Item;
use super::seal::{ContentKey, Frames, Place, Unreadable};
use super::substitute::{Fresh, Substituter};
use crate::limit;
use crate::store::{Pending, Store, StoreError};

/// Why a body ends too early.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BodyFault {
    /// A frame is missing, damaged or not of this submission.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The plaintext of a submission, with some fields replaced.
pub struct Body {
    store: Arc<dyn Store>,
    item: Item,
    opener: Frames,
    /// The frame that is opened next.
    next: u32,
    reading: Option<Pending<Vec<Vec<u8>>>>,
    read: std::vec::IntoIter<Vec<u8>>,
    swap: Option<Substituter>,
    /// Bytes of the captured body that were opened, to compare with what the record says.
    opened: u64,
    size: u64,
}

impl Body {
    pub(super) fn new(
        store: Arc<dyn Store>,
        item: &Item,
        key: &ContentKey,
        record: &Record,
        fresh: &Fresh,
    ) -> Result<Self, BodyFault> {
        let swap = if fresh.is_empty() {
            None
        } else {
            let swap = Substituter::new(record.kind, &record.head.content_type, fresh.clone());
            Some(swap.map_err(|_| Unreadable)?)
        };
        Ok(Self {
            store,
            opener: key.frames(item.id),
            item: item.clone(),
            next: 0,
            reading: None,
            read: Vec::new().into_iter(),
            swap,
            opened: 0,
            size: record.size,
        })
    }

    /// The next piece; none after the last. After an error nothing more comes.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyFault>>> {
        while self.next < self.item.frames {
            if let Some(sealed) = self.read.next() {
                match self.open(sealed) {
                    Ok(piece) if piece.is_empty() => {}
                    piece => return Poll::Ready(Some(piece.map(Bytes::from))),
                }
            } else if let Err(fault) = ready!(self.poll_read(cx)) {
                self.next = self.item.frames;
                return Poll::Ready(Some(Err(fault)));
            }
        }
        Poll::Ready(None)
    }

    /// The next piece, for those who can wait.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyFault>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyFault>> {
        let count = (self.item.frames - self.next).min(limit::FRAMES_READ_MAX);
        let (store, id, first) = (&self.store, self.item.id, self.next);
        let reading = self.reading.get_or_insert_with(|| store.frames(id, first, count));
        let frames = ready!(reading.as_mut().poll(cx));
        self.reading = None;
        let frames = frames?;
        // A frame that is gone is damage, and asking again would not bring it back.
        if frames.len() != count as usize {
            return Poll::Ready(Err(Unreadable.into()));
        }
        self.read = frames.into_iter();
        Poll::Ready(Ok(()))
    }

    fn open(&mut self, sealed: Vec<u8>) -> Result<Vec<u8>, BodyFault> {
        let opened = self.open_frame(sealed);
        if opened.is_err() {
            self.next = self.item.frames;
        }
        opened
    }

    fn open_frame(&mut self, sealed: Vec<u8>) -> Result<Vec<u8>, BodyFault> {
        let is_last = self.next + 1 == self.item.frames;
        let place = if is_last { Place::Last } else { Place::Inner };
        let plain = self.opener.open(self.next, place, sealed)?;
        self.next += 1;
        self.opened += plain.len() as u64;
        if is_last && self.opened != self.size {
            return Err(Unreadable.into());
        }
        let Some(swap) = &mut self.swap else { return Ok(plain) };
        let mut out = Vec::with_capacity(plain.len());
        swap.push(&plain, &mut out).map_err(|_| Unreadable)?;
        if is_last {
            swap.finish(&mut out).map_err(|_| Unreadable)?;
        }
        Ok(out)
    }
}
