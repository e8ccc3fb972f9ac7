//! How an answer that lasts takes leave of its client: an event stream with `retry:`, a gRPC
//! stream with its status.

use std::task::Poll;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, response};
use http_body::Frame;

use super::events::Events;
use super::messages::Messages;
use super::{Lasting, Why};
use crate::limit;
use crate::telemetry::end::End;

/// What kind of answer lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::proxy) enum Kind {
    /// `text/event-stream`.
    Events,
    /// `text/event-stream` in a coding that nothing can be put into.
    CodedEvents,
    /// `application/grpc`.
    Grpc,
}

/// An answer that lasts, and how far it is with its leave.
pub(in crate::proxy) struct Leave {
    lasting: Lasting,
    follow: Follow,
    stage: Stage,
}

enum Follow {
    Events(Events),
    Messages(Messages),
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// The server's words pass.
    Passing,
    /// What is said next are our last words.
    Speaking(Why),
    /// Everything is said.
    Over(Why),
}

/// What a body gives when it is asked for more.
type Polled<E> = Poll<Option<Result<Frame<Bytes>, E>>>;

impl Kind {
    /// What kind of lasting answer has this head; none if it is one that ends by itself, or one
    /// whose length was promised.
    pub(in crate::proxy) fn of(head: &response::Parts) -> Option<Self> {
        let media = head.headers.get(CONTENT_TYPE)?.as_bytes();
        let end = memchr::memchr2(b';', b' ', media).unwrap_or(media.len());
        let media = &media[..end];
        let rest = |name: &[u8]| {
            let (start, rest) = media.split_at_checked(name.len())?;
            start.eq_ignore_ascii_case(name).then_some(rest)
        };
        if rest(b"application/grpc").is_some_and(|rest| rest.is_empty() || rest[0] == b'+') {
            return Some(Self::Grpc);
        }
        let events = rest(b"text/event-stream").is_some_and(<[u8]>::is_empty);
        if !events || head.headers.contains_key(CONTENT_LENGTH) {
            return None;
        }
        let coded = head.headers.contains_key(CONTENT_ENCODING);
        Some(if coded { Self::CodedEvents } else { Self::Events })
    }
}

impl Leave {
    /// Of an answer of this kind.
    pub(in crate::proxy) fn new(kind: Kind, lasting: Lasting) -> Box<Self> {
        let follow = match kind {
            Kind::Events => Follow::Events(Events::new()),
            Kind::CodedEvents => Follow::Nothing,
            Kind::Grpc => Follow::Messages(Messages::default()),
        };
        Box::new(Self { lasting, follow, stage: Stage::Passing })
    }

    /// How it ended, once our last words begin.
    pub(in crate::proxy) fn end(&self) -> Option<End> {
        match self.stage {
            Stage::Passing => None,
            Stage::Speaking(why) | Stage::Over(why) => Some(why.end()),
        }
    }

    /// Whether everything is said.
    pub(in crate::proxy) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over(_))
    }

    /// Our last words, if it is time for them; the server is not asked any more.
    pub(in crate::proxy) fn last_words<E>(&mut self) -> Option<Polled<E>> {
        match self.stage {
            Stage::Passing => None,
            Stage::Speaking(why) => {
                self.stage = Stage::Over(why);
                Some(Poll::Ready(self.words(why).map(Ok)))
            }
            Stage::Over(_) => Some(Poll::Ready(None)),
        }
    }

    /// Lets pass what the server said, up to where it takes leave.
    pub(in crate::proxy) fn pass<E>(&mut self, said: Polled<E>) -> Polled<E> {
        let due = self.lasting.is_due();
        match said {
            Poll::Ready(Some(Ok(frame))) => {
                let boundary = frame.data_ref().and_then(|data| self.follow.follow(data));
                match (due, boundary) {
                    (true, Some(boundary)) => self.cut(frame, boundary),
                    (true | false, _) => Poll::Ready(Some(Ok(frame))),
                }
            }
            Poll::Pending if due && (self.follow.is_between() || self.lasting.is_overdue()) => {
                self.speak()
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(ended) => Poll::Ready(ended),
        }
    }

    fn cut<E>(&mut self, frame: Frame<Bytes>, boundary: usize) -> Polled<E> {
        if boundary == 0 {
            return self.speak();
        }
        self.stage = Stage::Speaking(self.lasting.why());
        if let Follow::Events(events) = &mut self.follow {
            // What it followed beyond the boundary is not said.
            *events = Events::new();
        }
        let data = frame.into_data().map(|data| Frame::data(data.slice(..boundary)));
        Poll::Ready(data.ok().map(Ok))
    }

    fn speak<E>(&mut self) -> Polled<E> {
        self.stage = Stage::Speaking(self.lasting.why());
        self.last_words().unwrap_or(Poll::Ready(None))
    }

    fn words(&self, why: Why) -> Option<Frame<Bytes>> {
        match &self.follow {
            Follow::Events(events) if events.is_between() => {
                let retry = self.lasting.back_in_ms().unwrap_or_else(|| {
                    let least = limit::EVENTS_RETRY.as_millis() as u64;
                    least + self.lasting.jitter() % (least + 1)
                });
                Some(Frame::data(Bytes::from(format!("retry: {retry}\n\n"))))
            }
            Follow::Events(_) | Follow::Nothing => None,
            Follow::Messages(_) => Some(Frame::trailers(self.trailers(why))),
        }
    }

    /// `UNAVAILABLE`, and when to try again, which gRPC clients obey to the millisecond.
    fn trailers(&self, why: Why) -> HeaderMap {
        let mut trailers = HeaderMap::with_capacity(3);
        let name = HeaderName::from_static;
        trailers.insert(name("grpc-status"), HeaderValue::from_static("14"));
        trailers.insert(name("grpc-message"), HeaderValue::from_static(why.text()));
        if let Some(millis) = self.lasting.back_in_ms() {
            trailers.insert(name("grpc-retry-pushback-ms"), HeaderValue::from(millis));
        }
        trailers
    }
}

impl Follow {
    fn follow(&mut self, piece: &[u8]) -> Option<usize> {
        match self {
            Self::Events(events) => events.follow(piece),
            Self::Messages(messages) => messages.follow(piece),
            Self::Nothing => Some(0),
        }
    }

    fn is_between(&self) -> bool {
        match self {
            Self::Events(events) => events.is_between(),
            Self::Messages(messages) => messages.is_between(),
            Self::Nothing => true,
        }
    }
}
