//! Forms that are caught mid-flight: kept at hand while they stream to the application, and saved
//! if it fails.
//!
//! ```text
//!  client ──► Tee ──► application ──► an answer: what was at hand is let go, nothing was written
//!              │                 └──► none, or 502, 503, 504
//!              └─ copy, in memory ─────► vault ─► 303 to the receipt: held, or unknown
//! ```
//!
//! What passes is copied, within a bound for each form and one for the worker; a form over either
//! goes on as if there were no tee. If the application fails in the middle, the rest of the form is
//! read from the client and the whole is kept: never a part.
//!
//! Which of the two a caught form becomes is told by what left for the application. If provably
//! nothing did, it is `held`. If anything did, it is `unknown`, also after a 503: an application
//! that says it is busy may have said so in the middle of its work, and what arrived twice harms
//! more than a question.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, COOKIE, HOST, REFERER};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, request};
use http_body::{Frame, SizeHint};

use super::answer::Asker;
use super::body::{Body, BodyError, FromClient, Upload};
use super::capture::{self, Arriving, How};
use super::ending::Story;
use super::exchange::Answered;
use super::forward;
use super::head::Judged;
use super::lane::Lane;
use super::unanswered::ForwardError;
use crate::decide::{FormKind, Verdict};
use crate::limit;
use crate::vault::capture::Fate;

/// What makes two sends of one form known for one to the application.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A form on its way, and what would be needed to keep it.
pub(super) struct Tee {
    at_hand: Rc<AtHand>,
    /// The fields of its head that its receipt is made from.
    parts: request::Parts,
    kind: FormKind,
    key: Option<String>,
    name: Option<String>,
}

/// What has passed of a form, and where the rest of it comes from.
pub(super) struct AtHand {
    room: Rc<Room>,
    /// None once the rest is not for the application any more.
    source: RefCell<Option<FromClient>>,
    /// What has passed; none if it was too much.
    copy: RefCell<Option<Vec<u8>>>,
    /// Bytes of the worker's room that are taken.
    taken: Cell<usize>,
    most: usize,
    /// Whether all of it has passed.
    ended: Cell<bool>,
}

/// Where one worker keeps forms at hand: bytes that are taken.
#[derive(Default)]
pub(super) struct Room(Cell<usize>);

impl Room {
    /// Takes so many bytes, if there are any.
    fn take(&self, bytes: usize) -> bool {
        let taken = self.0.get() + bytes;
        let fits = taken <= limit::TEE_BYTES_PER_WORKER_MAX;
        if fits {
            self.0.set(taken);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.0.set(self.0.get() - bytes);
    }
}

impl Tee {
    /// Of a form that may be caught; none where the route catches none. `parts` are as the client
    /// sent them.
    pub(super) fn of(lane: &Lane, judged: &Judged, parts: &mut request::Parts) -> Option<Self> {
        let kind = judged.catches?;
        let forms = &judged.rules().forms;
        let worker = &lane.link.worker;
        let name = capture::named(&parts.headers);
        let key = capture::idempotency_key(worker, name.as_deref(), forms.idempotency_key);
        if let Some(key) = key.as_ref().and_then(|key| HeaderValue::from_str(key).ok()) {
            parts.headers.insert(IDEMPOTENCY_KEY, key);
        }
        let at_hand = Rc::new(AtHand::new(&worker.room));
        Some(Self { at_hand, parts: remembered(parts), kind, key, name })
    }

    /// The form's body on its way up. What it is long before it is read need not be copied.
    pub(super) fn watch(&mut self, upload: Upload) -> Upload {
        match upload {
            Upload::Client(body) => {
                let declared = body.size_hint().exact();
                if declared.is_some_and(|bytes| bytes > self.at_hand.most as u64) {
                    self.at_hand.let_go();
                }
                self.at_hand.source.replace(Some(body));
                self.at_hand.ended.set(false);
                Upload::Teed(Rc::clone(&self.at_hand))
            }
            Upload::Bytes(bytes) => {
                self.at_hand.keep(&bytes);
                Upload::Bytes(bytes)
            }
            Upload::Boxed(_) | Upload::Teed(_) => upload,
        }
    }

    /// What the client is told at the end of the exchange.
    pub(super) async fn finish(
        self,
        lane: &Rc<Lane>,
        judged: &Judged,
        story: Box<Story>,
        sent: Result<Answered, ForwardError>,
    ) -> Response<Body> {
        let asker = Asker::of(&self.parts.headers);
        let fate = match &sent {
            Ok((response, _)) if is_failure(response.status()) => Fate::Perhaps,
            Ok(_) | Err(ForwardError::Client(_)) => {
                self.at_hand.let_go();
                return forward::finish(lane, judged, story, sent, &asker);
            }
            Err(error) if error.never_sent() => Fate::NotSent,
            Err(_) => Fate::Perhaps,
        };
        let is_whole = self.at_hand.ended.get();
        let Some(arriving) = self.at_hand.take() else {
            return forward::finish(lane, judged, story, sent, &asker);
        };
        let Self { parts, kind, key, name, .. } = self;
        let how = How { kind, fate, key, name, owner: None, client: story.client };
        let caught = capture::caught(lane, judged, &parts, arriving, how).await;
        let mut story = story;
        let Some(reply) = caught else {
            // Not kept. An answer whose request was cut off to read the rest of it is none.
            let sent = if is_whole { sent } else { sent.and(Err(ForwardError::InDoubt)) };
            return forward::finish(lane, judged, story, sent, &asker);
        };
        if let Err(error) = &sent {
            tracing::debug!(%error, route = &*judged.rules().name, "a form was caught");
            story.verdict = Verdict::Capture(kind);
            return reply.ending(error.end()).send(lane, story);
        }
        story.verdict = Verdict::Capture(kind);
        reply.send(lane, story)
    }
}

/// Whether an answer means that nobody has dealt with the form as it should be.
fn is_failure(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}

/// The fields of a head that a receipt is made from: few, since every form on its way has them.
fn remembered(parts: &request::Parts) -> request::Parts {
    const NEEDED: [HeaderName; 6] = [HOST, CONTENT_TYPE, REFERER, COOKIE, ACCEPT, ACCEPT_LANGUAGE];
    let mut headers = HeaderMap::with_capacity(8);
    for name in NEEDED {
        for value in parts.headers.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
    let (mut kept, ()) = Request::new(()).into_parts();
    kept.method = parts.method.clone();
    kept.uri = parts.uri.clone();
    kept.headers = headers;
    kept
}

impl AtHand {
    /// Nothing yet.
    fn new(room: &Rc<Room>) -> Self {
        Self {
            room: Rc::clone(room),
            source: RefCell::new(None),
            copy: RefCell::new(Some(Vec::new())),
            taken: Cell::new(0),
            most: limit::TEE_BYTES_MAX,
            ended: Cell::new(true),
        }
    }

    /// The next piece for the application.
    pub(super) fn poll(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut source = self.source.borrow_mut();
        let Some(body) = &mut *source else { return Poll::Ready(Some(Err(BodyError::Caught))) };
        let polled = body.poll(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.keep(data);
                }
                self.ended.set(body.is_end_stream());
            }
            Poll::Ready(None) => self.ended.set(true),
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    /// Whether nothing more comes.
    pub(super) fn is_end_stream(&self) -> bool {
        let source = self.source.borrow();
        source.as_ref().is_some_and(FromClient::is_end_stream)
    }

    /// How much is left of it.
    pub(super) fn size_hint(&self) -> SizeHint {
        let source = self.source.borrow();
        source.as_ref().map_or_else(SizeHint::default, FromClient::size_hint)
    }

    fn keep(&self, data: &[u8]) {
        let mut copy = self.copy.borrow_mut();
        let Some(kept) = &mut *copy else { return };
        let wanted = kept.len() + data.len();
        if wanted > kept.capacity() {
            let room = wanted.max(2 * kept.capacity()).max(limit::TEE_BYTES_FIRST).min(self.most);
            let more = room.saturating_sub(kept.capacity());
            if wanted > self.most || !self.room.take(more) {
                *copy = None;
                drop(copy);
                self.give_room();
                return;
            }
            self.taken.set(self.taken.get() + more);
            kept.reserve_exact(room - kept.len());
        }
        kept.extend_from_slice(data);
    }

    /// It is more than is kept at hand, or nobody needs it any more.
    fn let_go(&self) {
        self.copy.replace(None);
        self.give_room();
    }

    fn give_room(&self) {
        self.room.give_back(self.taken.replace(0));
    }

    /// The whole form: what has passed, and what still comes. None if some of it is gone.
    ///
    /// ORDER: from here on the application gets no more of it.
    fn take(&self) -> Option<Arriving> {
        let passed = |body: &FromClient| body.progress.bytes.get() > 0;
        let source = self.source.borrow_mut().take();
        let ahead = match self.copy.borrow_mut().take() {
            Some(copy) => Bytes::from(copy),
            // Too long to be copied, and not begun.
            None if source.as_ref().is_some_and(|body| !passed(body)) => Bytes::new(),
            None => return None,
        };
        let rest = source.filter(|_| !self.ended.get());
        let rest = rest.map_or(Upload::Bytes(Bytes::new()), Upload::Client);
        Some(Arriving { ahead, rest })
    }
}

impl Drop for AtHand {
    fn drop(&mut self) {
        self.give_room();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(at_hand: &AtHand) -> Option<usize> {
        at_hand.copy.borrow().as_ref().map(Vec::len)
    }

    #[test]
    fn a_form_is_copied_up_to_its_bound_and_then_not_at_all() {
        let room = Rc::new(Room::default());
        let at_hand = AtHand::new(&room);
        for _ in 0..limit::TEE_BYTES_MAX / 1024 {
            at_hand.keep(&[7; 1024]);
        }
        assert_eq!(holds(&at_hand), Some(limit::TEE_BYTES_MAX));
        assert_eq!(room.0.get(), limit::TEE_BYTES_MAX);
        at_hand.keep(&[7]);
        assert_eq!((holds(&at_hand), room.0.get()), (None, 0), "its room is free at once");
        at_hand.keep(&[7]);
        assert!(at_hand.take().is_none(), "and it is never a part of a form");
    }

    #[test]
    fn what_a_worker_keeps_at_hand_is_bounded_and_given_back() {
        let room = Rc::new(Room::default());
        let full = vec![7; limit::TEE_BYTES_MAX];
        let most = limit::TEE_BYTES_PER_WORKER_MAX / limit::TEE_BYTES_MAX;
        let mut all: Vec<AtHand> = (0..most + 2).map(|_| AtHand::new(&room)).collect();
        all.iter().for_each(|at_hand| at_hand.keep(&full));
        let caught = all.iter().filter(|at_hand| holds(at_hand).is_some()).count();
        assert_eq!(caught, most);
        drop(all.drain(..1));
        let next = AtHand::new(&room);
        next.keep(&full);
        assert_eq!(holds(&next), Some(full.len()));
        drop((all, next));
        assert_eq!(room.0.get(), 0);
    }
}
