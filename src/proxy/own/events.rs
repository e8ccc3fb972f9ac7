//! The state of a path as it changes: an event stream (WHATWG HTML §9.2) for whoever would rather
//! be told than ask.
//!
//! A stream is woken by its worker's sweep when another snapshot is in force, and by its own timer
//! when time alone changes what is told. The id of an event is the tag of its state, so that who
//! comes back with it as `Last-Event-ID` is told nothing twice.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, StatusCode, request};
use http_body::{Body as HttpBody, Frame};
use tokio::sync::mpsc;

use super::Asked;
use super::state::{self, State, Viewer};
use crate::addr::ClientAddr;
use crate::limit;
use crate::pages::PlainKind;
use crate::proxy::answer::Reply;
use crate::proxy::body::{Body, BodyError};
use crate::proxy::head::{self, Scheme};
use crate::proxy::lane::Lane;
use crate::proxy::worker::Worker;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A stream that is open; one less when it is dropped.
struct Open(Rc<Worker>);

impl Drop for Open {
    fn drop(&mut self) {
        let open: &Cell<usize> = &self.0.event_streams;
        open.set(open.get() - 1);
    }
}

/// Begins a stream, unless too many are open.
pub(super) fn events(asked: &Asked<'_>, client: ClientAddr) -> Reply {
    let path = state::path(asked.parts);
    let place = head::place_of(asked.lane, asked.judged, asked.parts, &path);
    if place.is_none() {
        return asked.plain(PlainKind::UnknownRoute);
    }
    let worker = &asked.lane.link.worker;
    let open = worker.event_streams.get();
    if open >= limit::EVENT_STREAMS_MAX || worker.stopping() {
        return asked
            .plain(PlainKind::StillClosed)
            .with(RETRY_AFTER, HeaderValue::from(limit::RETRY_AFTER_BUSY.as_secs()));
    }
    worker.event_streams.set(open + 1);
    // One event waits at most: a client that does not read is told the newest when it does.
    let (say, said) = mpsc::channel(1);
    let teller = Teller {
        _open: Open(Rc::clone(worker)),
        lane: Rc::clone(asked.lane),
        parts: asked.parts.clone(),
        path,
        region: asked.judged.site().regions.name(asked.judged.region).to_owned(),
        scheme: asked.judged.scheme,
        client,
        say,
    };
    worker.spawn(teller.run());
    let stream = HeaderValue::from_static("text/event-stream; charset=utf-8");
    Reply::new(StatusCode::OK, Body::boxed(Box::pin(Told(said)))).with(CONTENT_TYPE, stream)
}

/// Says what changes until its client is gone, the stream is old or the node stops.
struct Teller {
    _open: Open,
    lane: Rc<Lane>,
    parts: request::Parts,
    path: String,
    /// By its name: a reload may come.
    region: String,
    scheme: Scheme,
    client: ClientAddr,
    say: mpsc::Sender<Bytes>,
}

impl Teller {
    async fn run(self) {
        let worker = Rc::clone(&self.lane.link.worker);
        let began = worker.clock.tick();
        let mut sweeps = worker.sweeps();
        let (mut spoke, mut silent) = (began, true);
        let known = self.parts.headers.get(LAST_EVENT_ID);
        let mut last = known.and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        loop {
            let now = worker.clock.tick();
            if worker.stopping() || now.since(began) >= limit::EVENT_STREAM_AGE {
                let least = limit::EVENTS_RETRY_STOP.as_millis() as u64;
                let retry = least + worker.jitter() % (least + 1);
                let _ = self.say.try_send(Bytes::from(format!("retry: {retry}\n\n")));
                return;
            }
            // A full queue means that the client is behind: it is told the newest later.
            if self.say.capacity() > 0 {
                let told = self.look(&worker).filter(|(tag, _)| *tag != last);
                let quiet = now.since(spoke) >= limit::EVENTS_HEARTBEAT;
                let bytes = match told {
                    Some((tag, event)) => {
                        last = tag;
                        Some(event)
                    }
                    None if quiet || silent => Some(Bytes::from_static(b":\n\n")),
                    None => None,
                };
                if let Some(bytes) = bytes {
                    (spoke, silent) = (now, false);
                    let _ = self.say.try_send(bytes);
                }
            }
            // CANCEL: both are looked at again in the next round.
            tokio::select! {
                changed = sweeps.changed() => if changed.is_err() { return },
                () = self.say.closed() => return,
            }
        }
    }

    /// The state now, with its tag; none if no route goes there any more.
    fn look(&self, worker: &Worker) -> Option<(String, Bytes)> {
        let Self { lane, parts, scheme, client, .. } = self;
        let current = worker.current();
        let snapshot = &current.snapshot;
        let region = snapshot.site.regions.named(&self.region)?;
        let at = head::place_in(lane, &snapshot.site, region, parts, &self.path)?;
        let viewer = Viewer { lane, parts, scheme: *scheme, client: *client };
        let (state, _) = State::of(&viewer, snapshot, at);
        let (tag, json) = (state.tag(), state.json(worker));
        let json = String::from_utf8_lossy(&json);
        let event = format!("id: {tag}\nevent: state\ndata: {json}\n\n");
        Some((tag, Bytes::from(event)))
    }
}

/// What a teller says, as a body.
struct Told(mpsc::Receiver<Bytes>);

impl HttpBody for Told {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
