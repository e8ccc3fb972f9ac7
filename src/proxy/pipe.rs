//! An answer's body on its way through us: decoded, if it is a page that comes coded; with our
//! script put in; encoded again, or compressed for the first time. Bodies that nothing is done to
//! do not come here.
//!
//! Nothing is held whole: each step takes a piece and gives what came of it before the next is
//! taken. When the server pauses, all that it has said so far is on its way to the client.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};

use super::body::{Answer, Body, BodyError};
use super::coding::{Decoder, Encoder};
use super::page::{self, Page};
use crate::limit;
use crate::snapshot::edge::Coding;

/// What is done with an answer's body, in this order.
pub(super) struct Plan {
    /// Decoded from this.
    pub decode: Option<Coding>,
    /// Gets our script.
    pub page: Option<Page>,
    /// Encoded by this.
    pub encode: Option<Coding>,
}

/// The body of an answer whose head was made for this plan.
pub(super) fn body(answer: Answer, plan: Plan, is_head: bool) -> Body {
    if is_head || plan.page.is_none() && plan.encode.is_none() {
        return Body::upstream(answer);
    }
    Body::boxed(Box::pin(Piped {
        answer,
        decoder: plan.decode.map(Decoder::new),
        page: plan.page,
        encoder: plan.encode.map(Encoder::new),
        input: Bytes::new(),
        more: false,
        plain: VecDeque::new(),
        holds: false,
        phase: Phase::Going,
    }))
}

/// What a body says when it is asked for more.
type Told = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

/// A body on its way from a server.
struct Piped {
    answer: Answer,
    decoder: Option<Decoder>,
    page: Option<Page>,
    encoder: Option<Encoder>,
    /// Taken from the server and not yet from us.
    input: Bytes,
    /// Whether the decoder has more to say without input.
    more: bool,
    /// Decoded, and with our script; not encoded yet.
    plain: VecDeque<Bytes>,
    /// Whether the encoder holds something that the client cannot read yet.
    holds: bool,
    phase: Phase,
}

enum Phase {
    Going,
    /// The server's body has ended, with these trailers.
    Ending(Option<HeaderMap>),
    Trailing(HeaderMap),
    Over,
}

impl Piped {
    fn poll(&mut self, cx: &mut Context<'_>) -> Told {
        let mut out = Vec::new();
        let mut turn = limit::COMPRESSION_TURN_BYTES;
        loop {
            if let Some(told) = self.step(cx, &mut out, &mut turn) {
                return told;
            }
        }
    }

    /// One step; none if there is more to do at once.
    fn step(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>, turn: &mut usize) -> Option<Told> {
        if !self.plain.is_empty() {
            return self.give(cx, out, turn);
        }
        if !self.input.is_empty() || self.more {
            return self.take(cx, out, turn);
        }
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Going => {}
            Phase::Ending(trailers) => return self.end(trailers, out),
            Phase::Trailing(trailers) => {
                return Some(Poll::Ready(Some(Ok(Frame::trailers(trailers)))));
            }
            Phase::Over => return Some(Poll::Ready(None)),
        }
        let frame = match self.answer.poll(cx) {
            Poll::Pending => {
                self.phase = Phase::Going;
                return Some(self.pause(out));
            }
            Poll::Ready(frame) => frame,
        };
        self.phase = match frame {
            None => Phase::Ending(None),
            Some(Err(error)) => return Some(Poll::Ready(Some(Err(error)))),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(piece) => {
                    self.input = piece;
                    Phase::Going
                }
                Err(frame) => Phase::Ending(frame.into_trailers().ok()),
            },
        };
        None
    }

    /// The server pauses: what it has said so far must not wait for what it will say.
    fn pause(&mut self, out: &mut Vec<u8>) -> Told {
        if std::mem::take(&mut self.holds)
            && let Some(encoder) = &mut self.encoder
            && let Err(fault) = encoder.flush(out)
        {
            return self.fail(BodyError::Unreadable(fault.to_string()));
        }
        if out.is_empty() { Poll::Pending } else { data(out) }
    }

    /// Decodes a piece of what is at hand, and puts our script into it.
    fn take(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>, turn: &mut usize) -> Option<Told> {
        let piece = match &mut self.decoder {
            None => std::mem::take(&mut self.input),
            Some(_) if *turn == 0 => return Some(yields(cx, out)),
            Some(decoder) => {
                let length = self.input.len().min(limit::COMPRESSION_ROOM);
                let mut decoded = Vec::new();
                match decoder.decode(&self.input[..length], &mut decoded) {
                    Ok(taken) => {
                        self.input.advance(taken.bytes);
                        self.more = taken.more;
                        *turn = turn.saturating_sub(taken.bytes.max(decoded.len()).max(1));
                        Bytes::from(decoded)
                    }
                    Err(fault) => return Some(self.fail(BodyError::Coding(fault))),
                }
            }
        };
        match &mut self.page {
            None => self.plain.push_back(piece),
            Some(page) => {
                let mut pieces = Vec::new();
                page.push(piece, &mut pieces);
                self.plain.extend(pieces);
            }
        }
        self.plain.retain(|piece| !piece.is_empty());
        None
    }

    /// Encodes a piece of what is at hand, no more than its turn among the worker's other tasks
    /// allows.
    fn give(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>, turn: &mut usize) -> Option<Told> {
        let piece = self.plain.front_mut()?;
        let Some(encoder) = &mut self.encoder else {
            let piece = self.plain.pop_front()?;
            return Some(Poll::Ready(Some(Ok(Frame::data(piece)))));
        };
        if *turn == 0 {
            return Some(yields(cx, out));
        }
        let length = piece.len().min(limit::COMPRESSION_ROOM).min(*turn);
        if let Err(fault) = encoder.encode(&piece[..length], out) {
            return Some(self.fail(BodyError::Unreadable(fault.to_string())));
        }
        piece.advance(length);
        if piece.is_empty() {
            self.plain.pop_front();
        }
        *turn -= length;
        self.holds = true;
        (out.len() >= limit::COMPRESSION_TURN_BYTES).then(|| data(out))
    }

    /// The server's body has ended; ours does when every step has said what it has left.
    fn end(&mut self, mut trailers: Option<HeaderMap>, out: &mut Vec<u8>) -> Option<Told> {
        if let Some(decoder) = self.decoder.take()
            && let Err(fault) = decoder.finish()
        {
            return Some(self.fail(BodyError::Coding(fault)));
        }
        if let Some(page) = self.page.take() {
            if page.changes() {
                trailers.iter_mut().for_each(page::take_digests);
            }
            let mut pieces = Vec::new();
            page.finish(&mut pieces);
            self.plain.extend(pieces);
            self.phase = Phase::Ending(trailers);
            return None;
        }
        if let Some(mut encoder) = self.encoder.take()
            && let Err(fault) = encoder.finish(out)
        {
            return Some(self.fail(BodyError::Unreadable(fault.to_string())));
        }
        self.phase = trailers.map_or(Phase::Over, Phase::Trailing);
        (!out.is_empty()).then(|| data(out))
    }

    /// Ends it in the middle: a page that was cut short must not pass for whole.
    fn fail(&mut self, error: BodyError) -> Told {
        (self.phase, self.more) = (Phase::Over, false);
        (self.input, self.plain) = (Bytes::new(), VecDeque::new());
        Poll::Ready(Some(Err(error)))
    }
}

/// Lets the worker's other tasks have their turn.
fn yields(cx: &mut Context<'_>, out: &mut Vec<u8>) -> Told {
    if out.is_empty() {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    data(out)
}

fn data(out: &mut Vec<u8>) -> Told {
    Poll::Ready(Some(Ok(Frame::data(Bytes::from(std::mem::take(out))))))
}

impl HttpBody for Piped {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Told {
        self.poll(cx)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.phase, Phase::Over) && self.input.is_empty() && self.plain.is_empty()
    }
}
