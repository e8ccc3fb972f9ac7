//! gRPC: answers of ours as its clients read them. They take a status from trailers, and an answer
//! without messages carries those in its head, under the status 200.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, StatusCode};
use percent_encoding::percent_decode;

use super::answer::Reply;
use super::body::Body;
use crate::digest;
use crate::pages::PlainKind;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// The statuses that we give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Code {
    DeadlineExceeded = 4,
    NotFound = 5,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
}

/// Whether a `Content-Type` is gRPC's.
pub(super) fn is_media(value: &HeaderValue) -> bool {
    const MEDIA: &[u8] = b"application/grpc";
    value.as_bytes().get(..MEDIA.len()).is_some_and(|start| start.eq_ignore_ascii_case(MEDIA))
}

fn reply(code: Code) -> Reply {
    Reply::new(StatusCode::OK, Body::empty())
        .with(CONTENT_TYPE, HeaderValue::from_static("application/grpc"))
        .with(STATUS, HeaderValue::from(code as u16))
}

/// The answer of a closed place. Clients obey the pushback exactly, so `seconds` carries our own
/// jitter.
pub(super) fn unavailable(message: &HeaderValue, seconds: Option<u64>) -> Reply {
    let reply = reply(Code::Unavailable).with(MESSAGE, message.clone());
    let Some(seconds) = seconds else { return reply };
    let text = percent_decode(message.as_bytes()).collect::<Vec<u8>>();
    let details = digest::base64(&status(Code::Unavailable, &text, seconds));
    let reply = reply.with(PUSHBACK, HeaderValue::from(seconds.saturating_mul(1000)));
    match HeaderValue::from_maybe_shared(Bytes::from(details)) {
        Ok(details) => reply.with(DETAILS, details),
        Err(_) => reply,
    }
}

/// The answer to a call that did not succeed for a reason that is not the application's.
pub(super) fn failed(kind: PlainKind) -> Reply {
    let (code, message) = match kind {
        PlainKind::UnknownRoute => (Code::Unimplemented, "no route has this host and path"),
        PlainKind::BadRequest => (Code::Internal, "the request cannot be read"),
        PlainKind::TooLarge => (Code::ResourceExhausted, "the head is too large"),
        PlainKind::Timeout => (Code::DeadlineExceeded, "the request did not arrive in time"),
        PlainKind::Unsupported => (Code::Unimplemented, "the method is not served"),
        PlainKind::BadGateway => (Code::Unavailable, "the application cannot be reached"),
        PlainKind::GatewayTimeout => {
            (Code::DeadlineExceeded, "the application did not answer in time")
        }
        PlainKind::Fault => (Code::Internal, "a fault of the proxy"),
        PlainKind::NotYours | PlainKind::Gone => (Code::NotFound, "there is nothing here"),
        PlainKind::Refused => (Code::PermissionDenied, "from another site"),
        PlainKind::Busy => (Code::Unavailable, "busy"),
        PlainKind::StillClosed => (Code::Unavailable, "still closed"),
        PlainKind::StoreDown => (Code::Unavailable, "the store cannot be read"),
    };
    reply(code).with(MESSAGE, HeaderValue::from_static(message))
}

/// A `google.rpc.Status` with a `RetryInfo`, as protocol buffers write it.
fn status(code: Code, message: &[u8], seconds: u64) -> Vec<u8> {
    let mut delay = vec![0x08];
    varint(&mut delay, seconds);
    let mut any = Vec::new();
    field(&mut any, 1, RETRY_INFO.as_bytes());
    let mut info = Vec::new();
    field(&mut info, 1, &delay);
    field(&mut any, 2, &info);
    let mut status = vec![0x08, code as u8];
    field(&mut status, 2, message);
    field(&mut status, 3, &any);
    status
}

/// A field of bytes: its number and type, their length, they themselves.
fn field(to: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    to.push(number << 3 | 2);
    varint(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_as_the_library_would_write_it() {
        let got = status(Code::Unavailable, b"closed", 300);
        let url = RETRY_INFO.as_bytes();
        let any = [&[0x0a, 40][..], url, &[0x12, 5, 0x0a, 3, 0x08, 0xac, 0x02]].concat();
        assert_eq!((url.len(), any.len()), (40, 49));
        let head = b"\x08\x0e\x12\x06closed\x1a\x31";
        assert_eq!(got, [&head[..], &any].concat());
    }
}
