//! Smaller answers: bodies that a server sent as they are, compressed on the way to a client that
//! takes it, on routes that ask for it. What a server compressed itself is never touched, and
//! nothing is ever decompressed.

use std::pin::Pin;
use std::task::{Context, Poll};

use async_compression::Level;
use async_compression::codecs::brotli::params::EncoderParams;
use async_compression::codecs::flate::params::FlateEncoderParams;
use async_compression::codecs::zstd::params::CParameter;
use async_compression::codecs::{BrotliEncoder, Encode, GzipEncoder, ZstdEncoder};
use async_compression::core::util::PartialBuffer;
use bytes::{Buf, Bytes};
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode, response};
use http_body::{Body as HttpBody, Frame};

use super::body::{Answer, Body, BodyError};
use crate::limit;
use crate::snapshot::edge::{Coding, Compression};

/// The coding that a client takes and likes best, of those that a route offers; among equals the
/// route's order counts (RFC 9110 §12.5.3).
pub(super) fn choose(headers: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let items: Vec<(&str, u16)> = values.flat_map(|value| value.split(',')).map(weighed).collect();
    let named = |name: &str| {
        items.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, weight)| *weight)
    };
    let weight = |coding: &Coding| named(coding.name()).or(named("*")).unwrap_or(0);
    // Without a word about it, a body as it is comes after any coding that was asked for.
    let plain = named("identity").unwrap_or(1);
    let mut best: Option<(Coding, u16)> = None;
    for coding in offered {
        let weight = weight(coding);
        if weight > 0 && weight >= plain && best.is_none_or(|(_, known)| weight > known) {
            best = Some((*coding, weight));
        }
    }
    best.map(|(coding, _)| coding)
}

/// A coding and its weight in thousandths; 0 if the weight is none.
fn weighed(item: &str) -> (&str, u16) {
    let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return (name.trim(), 1000);
    }
    let weight = parameters.strip_prefix(['q', 'Q']).and_then(|rest| rest.trim().strip_prefix('='));
    let weight = weight.and_then(|weight| weight.trim().parse::<f32>().ok());
    let weight = weight.filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0);
    (name.trim(), (weight * 1000.0) as u16)
}

/// What is done with an answer's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Doing {
    /// It stays as it is.
    Nothing,
    /// It is compressed.
    Compress(Coding),
}

/// Makes an answer's head into that of a compressed one, if its body is to be.
pub(super) fn prepare(
    parts: &mut response::Parts,
    rules: &Compression,
    chosen: Option<Coding>,
) -> Doing {
    if parts.status == StatusCode::NOT_MODIFIED {
        if chosen.is_some() {
            // The client's copy has the tag that it was given with the compressed body.
            weaken(&mut parts.headers);
        }
        return Doing::Nothing;
    }
    if !is_fit(parts, rules) {
        return Doing::Nothing;
    }
    // Caches must know, also of an answer to somebody who takes none.
    vary(&mut parts.headers);
    let Some(coding) = chosen else { return Doing::Nothing };
    parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(ACCEPT_RANGES);
    weaken(&mut parts.headers);
    Doing::Compress(coding)
}

/// The body of an answer whose head was prepared.
pub(super) fn body(answer: Answer, doing: Doing, is_head: bool) -> Body {
    match doing {
        Doing::Compress(coding) if !is_head => {
            let encoder = Encoder::new(coding);
            let (input, holds, phase) = (Bytes::new(), false, Phase::Going);
            Body::boxed(Box::pin(Compressed { answer, encoder, input, holds, phase }))
        }
        Doing::Compress(_) | Doing::Nothing => Body::upstream(answer),
    }
}

fn is_fit(parts: &response::Parts, rules: &Compression) -> bool {
    let headers = &parts.headers;
    let whole = !matches!(
        parts.status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT
    );
    // What was computed over the body would be wrong of another.
    let bound = ["content-md5", "digest", "content-digest", "repr-digest", "signature"];
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    whole
        && !parts.status.is_informational()
        && !headers.contains_key(CONTENT_ENCODING)
        && !headers.contains_key(CONTENT_RANGE)
        && !bound.iter().any(|name| headers.contains_key(*name))
        && length.is_none_or(|length: u64| length >= rules.bytes_min)
        && is_text(headers, &rules.types)
        && !forbids_transforming(headers)
}

fn is_text(headers: &HeaderMap, types: &[String]) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else {
        return false;
    };
    let kind = kind.split(';').next().unwrap_or_default().trim();
    // Events are too small to gain, and gRPC has a coding of its own for each message.
    let never = kind.eq_ignore_ascii_case("text/event-stream")
        || kind.get(..16).is_some_and(|start| start.eq_ignore_ascii_case("application/grpc"));
    let is = |known: &String| match known.strip_suffix('*') {
        Some(family) => {
            kind.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family))
        }
        None => kind.eq_ignore_ascii_case(known),
    };
    !never && types.iter().any(is)
}

fn forbids_transforming(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|directive| directive.trim().eq_ignore_ascii_case("no-transform"))
}

fn vary(headers: &mut HeaderMap) {
    let values = headers.get_all(VARY).iter().filter_map(|value| value.to_str().ok());
    let known = values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|name| name == "*" || name.eq_ignore_ascii_case(ACCEPT_ENCODING.as_str()));
    if !known {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// RFC 9110 §8.8.3: bodies that differ byte by byte may share a weak tag, never a strong one.
fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/")) else {
        return;
    };
    if let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
        headers.insert(ETAG, weak);
    }
}

/// An encoder at the quality that a proxy can afford, in memory that is bounded whatever the body:
/// for each answer under way up to three MiB, brotli's being the most.
enum Encoder {
    Zstd(ZstdEncoder),
    Brotli(Box<BrotliEncoder>),
    Gzip(Box<GzipEncoder>),
}

impl Encoder {
    fn new(coding: Coding) -> Self {
        match coding {
            Coding::Zstd => {
                let window = [CParameter::window_log(limit::COMPRESSION_WINDOW_LOG)];
                Self::Zstd(ZstdEncoder::new_with_params(limit::COMPRESSION_ZSTD_LEVEL, &window))
            }
            Coding::Brotli => {
                let quality = Level::Precise(limit::COMPRESSION_BROTLI_QUALITY);
                let window = i32::try_from(limit::COMPRESSION_WINDOW_LOG).unwrap_or(18);
                let params = EncoderParams::default().quality(quality).window_size(window);
                Self::Brotli(Box::new(BrotliEncoder::new(params)))
            }
            Coding::Gzip => {
                let level = Level::Precise(limit::COMPRESSION_GZIP_LEVEL);
                Self::Gzip(Box::new(GzipEncoder::new(FlateEncoderParams::from(level))))
            }
        }
    }

    /// Takes all of `input`; what comes of it is appended to `out`.
    fn encode(&mut self, input: &[u8], out: &mut Vec<u8>) -> std::io::Result<()> {
        let mut input = PartialBuffer::new(input);
        while !input.unwritten().is_empty() {
            room(out, |room| {
                match self {
                    Self::Zstd(encoder) => Encode::encode(encoder, &mut input, room),
                    Self::Brotli(encoder) => Encode::encode(&mut **encoder, &mut input, room),
                    Self::Gzip(encoder) => Encode::encode(&mut **encoder, &mut input, room),
                }
                .map(|()| true)
            })?;
        }
        Ok(())
    }

    /// Everything that was taken so far can be read from `out`.
    fn flush(&mut self, out: &mut Vec<u8>) -> std::io::Result<()> {
        while !room(out, |room| match self {
            Self::Zstd(encoder) => Encode::flush(encoder, room),
            Self::Brotli(encoder) => Encode::flush(&mut **encoder, room),
            Self::Gzip(encoder) => Encode::flush(&mut **encoder, room),
        })? {}
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> std::io::Result<()> {
        while !room(out, |room| match self {
            Self::Zstd(encoder) => Encode::finish(encoder, room),
            Self::Brotli(encoder) => Encode::finish(&mut **encoder, room),
            Self::Gzip(encoder) => Encode::finish(&mut **encoder, room),
        })? {}
        Ok(())
    }
}

/// Gives an encoder room at the end of `out`, and keeps what it filled.
fn room(
    out: &mut Vec<u8>,
    fill: impl FnOnce(&mut PartialBuffer<&mut [u8]>) -> std::io::Result<bool>,
) -> std::io::Result<bool> {
    let start = out.len();
    out.resize(start + limit::COMPRESSION_ROOM, 0);
    let mut room = PartialBuffer::new(&mut out[start..]);
    let done = fill(&mut room);
    let filled = room.written_len();
    out.truncate(start + filled);
    done
}

/// What a body says when it is asked for more.
type Told = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

/// A body on its way from a server, compressed.
struct Compressed {
    answer: Answer,
    encoder: Encoder,
    /// Taken from the server and not yet from us.
    input: Bytes,
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

impl Compressed {
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
        if !self.input.is_empty() {
            return self.take(cx, out, turn);
        }
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Going => {}
            Phase::Ending(trailers) => {
                if let Err(fault) = self.encoder.finish(out) {
                    return Some(failed(&fault));
                }
                self.phase = trailers.map_or(Phase::Over, Phase::Trailing);
                return (!out.is_empty()).then(|| data(out));
            }
            Phase::Trailing(trailers) => {
                return Some(Poll::Ready(Some(Ok(Frame::trailers(trailers)))));
            }
            Phase::Over => return Some(Poll::Ready(None)),
        }
        let frame = match self.answer.poll(cx) {
            Poll::Pending => {
                self.phase = Phase::Going;
                // The server pauses: what it has said so far must not wait for what it will say.
                if std::mem::take(&mut self.holds)
                    && let Err(fault) = self.encoder.flush(out)
                {
                    self.phase = Phase::Over;
                    return Some(failed(&fault));
                }
                return Some(if out.is_empty() { Poll::Pending } else { data(out) });
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

    /// Compresses a piece of what is at hand, no more than its turn among the worker's other
    /// tasks allows.
    fn take(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>, turn: &mut usize) -> Option<Told> {
        if *turn == 0 {
            if out.is_empty() {
                cx.waker().wake_by_ref();
                return Some(Poll::Pending);
            }
            return Some(data(out));
        }
        let length = self.input.len().min(limit::COMPRESSION_ROOM).min(*turn);
        if let Err(fault) = self.encoder.encode(&self.input[..length], out) {
            (self.phase, self.input) = (Phase::Over, Bytes::new());
            return Some(failed(&fault));
        }
        self.input.advance(length);
        *turn -= length;
        self.holds = true;
        (out.len() >= limit::COMPRESSION_TURN_BYTES).then(|| data(out))
    }
}

fn data(out: &mut Vec<u8>) -> Told {
    Poll::Ready(Some(Ok(Frame::data(Bytes::from(std::mem::take(out))))))
}

fn failed(fault: &std::io::Error) -> Told {
    Poll::Ready(Some(Err(BodyError::Unreadable(fault.to_string()))))
}

impl HttpBody for Compressed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Told {
        self.poll(cx)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.phase, Phase::Over) && self.input.is_empty()
    }
}
