//! Bodies in both directions, streamed and never held whole.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::deadline::{Clockwork, Wait};
use super::ending::{Progress, Story};
use super::flight::Flight;
use super::inbound::Inbound;
use super::lasting::leave::Leave;
use super::tee::AtHand;
use super::tempo::Tempo;
use super::trailers;
use super::upstream::Lease;
use crate::inject::fill::Fill;
use crate::telemetry::end::End;

/// Why a body could not be carried on.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// The peer's side broke.
    #[error("the body broke off: {0}")]
    Broken(#[from] hyper::Error),
    /// The peer's stream broke.
    #[error("the stream broke off: {0}")]
    Reset(#[from] h2::Error),
    /// The server's framing is broken.
    #[error("the framing of the answer's body is broken")]
    Malformed,
    /// It is not of the coding that its head names, or cut short.
    #[error("the answer's body cannot be decoded: {0}")]
    Coding(std::io::Error),
    /// Nothing came for too long.
    #[error("the body paused for too long")]
    TimedOut,
    /// A window closed its place, and the time to drain is over.
    #[error("a window cut the answer off")]
    Closed,
    /// What was kept cannot be read.
    #[error("the kept body cannot be read: {0}")]
    Unreadable(String),
    /// The form was caught: the rest of it is not for the application any more.
    #[error("the rest of the form is kept")]
    Caught,
}

/// A body that comes from somewhere else than a socket.
pub(super) type Boxed = Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError>>>;

/// An answer's body on its way to the client, with the story it ends.
pub(super) struct Body {
    source: Source,
    story: Option<Box<Story>>,
}

enum Source {
    Bytes(Bytes),
    Upstream(Answer),
    Boxed(Boxed),
}

/// An answer's body on its way from a server.
pub(super) struct Answer {
    pub incoming: Incoming,
    /// Given back to the pool when the body has ended well; dropped, and with it the connection,
    /// when it has not.
    pub lease: Option<Lease>,
    pub clockwork: Clockwork,
    pub idle: Duration,
    /// How it takes leave, if it does not end by itself.
    pub leave: Option<Box<Leave>>,
    /// Where it is in flight, and by which method.
    pub flight: (Flight, Method),
    /// What goes into the form on it.
    pub fill: Option<Box<Fill>>,
}

impl Body {
    /// Finished bytes.
    pub(super) fn full(bytes: Bytes) -> Self {
        Self { source: Source::Bytes(bytes), story: None }
    }

    /// Nothing.
    pub(super) fn empty() -> Self {
        Self::full(Bytes::new())
    }

    /// From a server.
    pub(super) fn upstream(mut answer: Answer) -> Self {
        if answer.incoming.is_end_stream() {
            answer.finish();
        }
        Self { source: Source::Upstream(answer), story: None }
    }

    /// From the vault.
    pub(super) fn boxed(body: Boxed) -> Self {
        Self { source: Source::Boxed(body), story: None }
    }

    /// The body that ends `story`.
    pub(super) fn ending(mut self, mut story: Box<Story>) -> Self {
        if self.is_end_stream() || story.is_head() {
            story.complete();
        }
        self.story = Some(story);
        self
    }

    /// The client did not take it to its last byte, although it was given away.
    pub(super) fn abandoned(&mut self) {
        self.story.iter_mut().for_each(|story| story.abandoned());
    }

    /// It will not be sent to its last byte, for this reason.
    pub(super) fn cut(&mut self, end: End) {
        self.story.iter_mut().for_each(|story| story.cut(end));
    }

    fn poll_source(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.source {
            Source::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Source::Upstream(answer) => answer.poll(cx),
            Source::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }
}

/// Takes away what has no place behind a body.
fn clean<E>(frame: &mut Option<Result<Frame<Bytes>, E>>) {
    if let Some(Ok(frame)) = frame
        && let Some(trailers) = frame.trailers_mut()
    {
        trailers::clean(trailers);
    }
}

impl Answer {
    /// The next piece of it.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(said) = self.leave.as_mut().and_then(|leave| leave.last_words()) {
            return said;
        }
        let said = match self.fill.take() {
            None => self.poll_server(cx),
            Some(fill) => self.poll_filling(fill, cx),
        };
        match &mut self.leave {
            None => said,
            Some(leave) => leave.pass(said),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self.leave.as_ref().filter(|leave| leave.end().is_some()) {
            None => self.fill.is_none() && self.incoming.is_end_stream(),
            Some(leave) => leave.is_over(),
        }
    }

    /// The server's page with a visitor's answers in it. Trailers spoke of another body, and go.
    fn poll_filling(
        &mut self,
        mut fill: Box<Fill>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let mut out = Vec::new();
            match self.poll_server(cx) {
                Poll::Pending => {
                    self.fill = Some(fill);
                    return Poll::Pending;
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(piece) = frame.into_data() {
                        fill.push(&piece, &mut out);
                    }
                }
                Poll::Ready(None) => {
                    fill.finish(&mut out);
                    let last = (!out.is_empty()).then(|| Ok(Frame::data(out.into())));
                    return Poll::Ready(last);
                }
            }
            if !out.is_empty() {
                self.fill = Some(fill);
                return Poll::Ready(Some(Ok(Frame::data(out.into()))));
            }
        }
    }

    fn poll_server(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(mut frame) => {
                clean(&mut frame);
                self.clockwork.clear(Wait::Upstream);
                let trailers = matches!(&frame, Some(Ok(frame)) if frame.is_trailers());
                if frame.is_none() || trailers || self.incoming.is_end_stream() {
                    self.finish();
                }
                let malformed = || self.lease.as_ref().is_some_and(|l| l.is_in_doubt());
                Poll::Ready(frame.map(|frame| {
                    frame.map_err(|error| match malformed() {
                        true => BodyError::Malformed,
                        false => BodyError::Broken(error),
                    })
                }))
            }
            Poll::Pending if self.clockwork.passed(Wait::Upstream) => {
                Poll::Ready(Some(Err(BodyError::TimedOut)))
            }
            Poll::Pending if self.leave.is_none() && self.flight.0.is_cut_off(&self.flight.1) => {
                Poll::Ready(Some(Err(BodyError::Closed)))
            }
            Poll::Pending => {
                self.clockwork.arm(Wait::Upstream, self.idle);
                Poll::Pending
            }
        }
    }

    fn finish(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.poll_source(cx);
        let ended = self.is_end_stream();
        let left = match &self.source {
            Source::Upstream(answer) => answer.leave.as_ref().and_then(|leave| leave.end()),
            Source::Bytes(_) | Source::Boxed(_) => None,
        };
        if let (Some(story), Some(end)) = (&mut self.story, left) {
            story.cut(end);
        }
        if let (Some(story), Poll::Ready(frame)) = (&mut self.story, &polled) {
            match frame {
                Some(Ok(frame)) => {
                    story.bytes_out += frame.data_ref().map_or(0, |data| data.len() as u64);
                    if ended {
                        story.complete();
                    }
                }
                Some(Err(BodyError::TimedOut)) => story.cut(End::UpstreamAnswerTimeout),
                Some(Err(BodyError::Closed)) => story.cut(End::ProxyAnswerClosed),
                Some(Err(BodyError::Broken(_) | BodyError::Reset(_))) => {
                    story.cut(End::UpstreamAnswerReset);
                }
                Some(Err(BodyError::Malformed | BodyError::Coding(_))) => {
                    story.cut(End::UpstreamAnswerMalformed)
                }
                Some(Err(BodyError::Unreadable(_) | BodyError::Caught)) => {
                    story.cut(End::ProxyFault)
                }
                None => story.complete(),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Bytes(bytes) => bytes.is_empty(),
            Source::Upstream(answer) => answer.is_end_stream(),
            Source::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Upstream(answer) if answer.fill.is_some() => SizeHint::default(),
            Source::Upstream(answer) => answer.incoming.size_hint(),
            Source::Boxed(body) => body.size_hint(),
        }
    }
}

/// A request's body on its way to a server.
pub(super) enum Upload {
    /// Finished bytes, or none.
    Bytes(Bytes),
    /// From the client's connection.
    Client(FromClient),
    /// From the client's connection, while it is kept at hand.
    Teed(Rc<AtHand>),
    /// From the vault.
    Boxed(Boxed),
}

/// A request's body on its way from the client.
pub(super) struct FromClient {
    pub inbound: Inbound,
    /// What was taken of it to look into it, and given back. It comes first.
    pub ahead: Bytes,
    pub clockwork: Clockwork,
    /// None where a pause is the client's right: then the server's deadlines alone bound it.
    pub tempo: Option<Tempo>,
    pub progress: Rc<Progress>,
    /// How long the server may take for a piece of the body, and for its answer afterwards.
    pub answer_timeout: Duration,
}

impl FromClient {
    /// The next piece of it.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.ahead.is_empty() {
            // It was counted when it came.
            self.clockwork.restart(Wait::Upstream, self.answer_timeout);
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.ahead)))));
        }
        match Pin::new(&mut self.inbound).poll_frame(cx) {
            Poll::Ready(mut frame) => {
                clean(&mut frame);
                self.clockwork.clear(Wait::Body);
                if let Some(Ok(frame)) = &frame {
                    let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                    let tempo = self.tempo.iter();
                    tempo.for_each(|tempo| tempo.moved(&self.clockwork, Wait::Body, bytes));
                    self.progress.bytes.set(self.progress.bytes.get() + bytes);
                }
                if let Some(Err(_)) = &frame {
                    self.progress.fault.set(Some(End::ClientBodyAbort));
                } else {
                    // Whole, or the server's turn to take this piece and ask for the next.
                    self.clockwork.restart(Wait::Upstream, self.answer_timeout);
                }
                Poll::Ready(frame)
            }
            Poll::Pending => {
                let Some(tempo) = &self.tempo else { return Poll::Pending };
                self.clockwork.clear(Wait::Upstream);
                let (idle, slow) = (self.clockwork.pace().body, self.clockwork.pace().slow);
                tempo.wait(&self.clockwork, Wait::Body, idle, slow);
                Poll::Pending
            }
        }
    }
}

impl FromClient {
    /// Whether nothing more comes.
    pub(super) fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.inbound.is_end_stream()
    }

    /// How much is left of it.
    pub(super) fn size_hint(&self) -> SizeHint {
        let rest = self.inbound.size_hint();
        if self.ahead.is_empty() {
            return rest;
        }
        let exact = rest.exact().map(|rest| rest + self.ahead.len() as u64);
        exact.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Upload {
    /// Gives back what was taken of it: it comes first again.
    pub(super) fn unread(self, taken: Bytes) -> Self {
        match self {
            Self::Client(body) if !body.inbound.is_end_stream() => {
                Self::Client(FromClient { ahead: taken, ..body })
            }
            // Whole: finished bytes can be sent again, where that is safe.
            Self::Client(_) | Self::Bytes(_) | Self::Teed(_) | Self::Boxed(_) => Self::Bytes(taken),
        }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Client(body) => body.poll(cx),
            Self::Teed(at_hand) => at_hand.poll(cx),
            Self::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Client(body) => body.is_end_stream(),
            Self::Teed(at_hand) => at_hand.is_end_stream(),
            Self::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Client(body) => body.size_hint(),
            Self::Teed(at_hand) => at_hand.size_hint(),
            Self::Boxed(body) => body.size_hint(),
        }
    }
}
