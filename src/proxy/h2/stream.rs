//! One stream of an HTTP/2 connection: a request, its answer, and the tunnel it may become.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, response};
use http_body::{Body as _, Frame, SizeHint};

use super::super::body::{Body, BodyError};
use super::super::deadline::Wait;
use super::super::inbound::Inbound;
use super::super::lane::Lane;
use super::super::tempo::Tempo;
use super::super::{grpc, request, upgrade};
use super::{connect, intake};
use crate::telemetry::end::End;

/// A request's body on its stream. The client may send further as the bytes are handed on.
pub(in crate::proxy) struct Received {
    stream: RecvStream,
    lane: Rc<Lane>,
    /// What the head says of its length, less what has come.
    left: Option<u64>,
    in_trailers: bool,
}

impl Received {
    fn new(stream: RecvStream, lane: &Rc<Lane>, headers: &HeaderMap) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let left = length.and_then(|length| length.parse().ok());
        Self { stream, lane: Rc::clone(lane), left, in_trailers: false }
    }

    /// The next piece, or the trailers. The library has held the pieces against the length.
    pub(in crate::proxy) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.lane.ask_for_body();
        while !self.in_trailers {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(bytes)) => {
                    self.stream.flow_control().release_capacity(bytes.len())?;
                    self.left = self.left.map(|left| left.saturating_sub(bytes.len() as u64));
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => self.in_trailers = true,
            }
        }
        let trailers = ready!(self.stream.poll_trailers(cx))?;
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    /// Whether nothing more comes.
    pub(in crate::proxy) fn is_end(&self) -> bool {
        self.stream.is_end_stream()
    }

    /// How much more comes.
    pub(in crate::proxy) fn size_hint(&self) -> SizeHint {
        if self.is_end() {
            return SizeHint::with_exact(0);
        }
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Why an answer did not leave whole.
enum Broken {
    /// The client reset the stream, or is gone.
    Reset,
    /// The client took nothing for too long.
    Stalled,
    /// What we would have sent broke off.
    Source,
}

/// Carries one request to its end.
pub(super) async fn serve(
    lane: Rc<Lane>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let bodiless = request.method() == Method::HEAD;
    let (mut parts, stream) = request.into_parts();
    let (inbound, stream) = if parts.method == Method::CONNECT {
        (None, Some(stream))
    } else {
        (Some(Inbound::Http2(Received::new(stream, &lane, &parts.headers))), None)
    };
    if intake::fit(&mut parts).is_err() {
        return respond.send_reset(Reason::PROTOCOL_ERROR);
    }
    if connect::is_websocket(&parts) {
        connect::into_upgrade(&lane, &mut parts);
    }
    if parts.headers.get(CONTENT_TYPE).is_some_and(grpc::is_media) {
        lane.converse();
    }
    let inbound = inbound.unwrap_or(Inbound::Nothing);
    let answering = request::serve(&lane, Request::from_parts(parts, inbound));
    let Some(answer) = answer(&lane, answering, &mut respond).await else { return };
    let tunnel = lane.upgrade.take();
    if let (Some(upstream), Some(stream)) = (tunnel, stream) {
        let (parts, _) = answer.into_parts();
        let head = connect::accepted(parts, &date(&lane));
        let Ok(send) = respond.send_response(head, false) else { return };
        let client = connect::Stream::new(stream, send);
        return upgrade::tunnel(&lane, client, Bytes::new(), upstream).await;
    }
    let (mut parts, body) = answer.into_parts();
    let whole = bodiless || body.is_end_stream();
    fit(&mut parts, &lane, &body);
    let Ok(mut send) = respond.send_response(Response::from_parts(parts, ()), whole) else {
        tracing::debug!("an answer's head is not fit for HTTP/2");
        return respond.send_reset(Reason::INTERNAL_ERROR);
    };
    if whole {
        return;
    }
    let mut body = body;
    match pump(&lane, &mut body, &mut send).await {
        Ok(()) | Err(Broken::Source) => {}
        Err(Broken::Reset) => body.abandoned(),
        Err(Broken::Stalled) => {
            send.send_reset(Reason::CANCEL);
            body.cut(End::ClientAnswerTimeout);
        }
    }
}

/// Waits for the answer; none if the client does not.
async fn answer<E>(
    lane: &Lane,
    answering: impl Future<Output = Result<Response<Body>, E>>,
    respond: &mut SendResponse<Bytes>,
) -> Option<Response<Body>> {
    let mut answering = pin!(answering);
    poll_fn(|cx| {
        lane.clockwork.watch(cx);
        if let Poll::Ready(answer) = answering.as_mut().poll(cx) {
            return Poll::Ready(answer.ok());
        }
        if lane.owes_continue() {
            let mut interim = Response::new(());
            *interim.status_mut() = StatusCode::CONTINUE;
            // If it cannot be sent, the stream is gone, which shows below.
            let _ = respond.send_informational(interim);
        }
        respond.poll_reset(cx).map(|_| None)
    })
    .await
}

/// Makes an answer's head fit for HTTP/2 (RFC 9113 §8.2.2), with the fields that hyper adds in
/// HTTP/1.1.
fn fit(parts: &mut response::Parts, lane: &Lane, body: &Body) {
    parts.headers.remove(CONNECTION);
    if !parts.headers.contains_key(DATE) {
        parts.headers.insert(DATE, date(lane));
    }
    let length = body.size_hint().exact().filter(|length| *length > 0);
    if let Some(length) = length
        && !parts.headers.contains_key(CONTENT_LENGTH)
    {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

fn date(lane: &Lane) -> HeaderValue {
    lane.link.worker.date()
}

/// Sends an answer's body as the client takes it. No byte is given away before there is room for
/// it in the client's windows, so a client that opens none is seen here.
async fn pump(lane: &Lane, body: &mut Body, send: &mut SendStream<Bytes>) -> Result<(), Broken> {
    let (mut piece, mut ended) = (Bytes::new(), false);
    let tempo = Tempo::default();
    poll_fn(|cx| {
        lane.clockwork.watch(cx);
        loop {
            if send.poll_reset(cx).is_ready() {
                return Poll::Ready(Err(Broken::Reset));
            }
            if !piece.is_empty() {
                let room = match room(lane, send, &tempo, cx) {
                    Poll::Ready(room) => room?,
                    Poll::Pending => return Poll::Pending,
                };
                let part = piece.split_to(room.min(piece.len()));
                tempo.moved(&lane.clockwork, Wait::Write, part.len() as u64);
                let last = ended && piece.is_empty();
                send.send_data(part, last).map_err(|_| Broken::Reset)?;
                if last {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => {
                        ended = body.is_end_stream();
                        if bytes.is_empty() && ended {
                            break;
                        }
                        send.reserve_capacity(bytes.len());
                        piece = bytes;
                    }
                    Err(frame) => {
                        let Ok(trailers) = frame.into_trailers() else { continue };
                        send.reserve_capacity(0);
                        return Poll::Ready(
                            send.send_trailers(trailers).map_err(|_| Broken::Reset),
                        );
                    }
                },
                Some(Err(_)) => {
                    // Never an end that looks like one.
                    send.send_reset(Reason::INTERNAL_ERROR);
                    return Poll::Ready(Err(Broken::Source));
                }
                None => break,
            }
        }
        Poll::Ready(send.send_data(Bytes::new(), true).map_err(|_| Broken::Reset))
    })
    .await
}

/// How many bytes the client has room for.
fn room(
    lane: &Lane,
    send: &mut SendStream<Bytes>,
    tempo: &Tempo,
    cx: &mut Context<'_>,
) -> Poll<Result<usize, Broken>> {
    while send.capacity() == 0 {
        match send.poll_capacity(cx) {
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Err(Broken::Reset)),
            Poll::Pending if lane.clockwork.passed(Wait::Write) => {
                return Poll::Ready(Err(Broken::Stalled));
            }
            Poll::Pending => {
                let (write, slow) = (lane.clockwork.pace().write, lane.clockwork.pace().slow);
                tempo.wait(&lane.clockwork, Wait::Write, write, write.max(slow));
                return Poll::Pending;
            }
        }
    }
    Poll::Ready(Ok(send.capacity()))
}
