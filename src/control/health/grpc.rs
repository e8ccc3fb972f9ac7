//! The two messages of `grpc.health.v1`, by hand: one text out, one number back.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::HeaderMap;

/// The method that is called.
pub(super) const PATH: &str = "/grpc.health.v1.Health/Check";
/// `ServingStatus.SERVING`.
const SERVING: u64 = 1;

/// `HealthCheckRequest { service }` in one gRPC frame.
pub(super) fn question(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(0x0a);
        put_varint(&mut message, service.len() as u64);
        message.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(&message);
    frame.freeze()
}

/// Whether an answer says `SERVING`; what it says otherwise.
pub(super) fn verdict(head: &HeaderMap, body: &[u8], trailers: &HeaderMap) -> Result<(), String> {
    let status = trailers.get("grpc-status").or_else(|| head.get("grpc-status"));
    match status.map(http::HeaderValue::as_bytes) {
        Some(b"0") => {}
        Some(code) => return Err(format!("gRPC status {}", String::from_utf8_lossy(code))),
        None => return Err("no gRPC status".to_owned()),
    }
    match serving(body) {
        Some(SERVING) => Ok(()),
        Some(status) => Err(format!("not serving (status {status})")),
        None => Err("not an answer of grpc.health.v1".to_owned()),
    }
}

/// `HealthCheckResponse.status`; 0 where it is left out.
fn serving(frame: &[u8]) -> Option<u64> {
    let (head, mut message) = frame.split_at_checked(5)?;
    let length = u32::from_be_bytes(head[1..].try_into().ok()?) as usize;
    if head[0] != 0 || length != message.len() {
        return None;
    }
    let mut status = 0;
    while !message.is_empty() {
        let tag = take_varint(&mut message)?;
        match (tag >> 3, tag & 7) {
            (1, 0) => status = take_varint(&mut message)?,
            (_, 0) => drop(take_varint(&mut message)?),
            (_, 2) => {
                let length = usize::try_from(take_varint(&mut message)?).ok()?;
                message = message.split_at_checked(length)?.1;
            }
            (_, 1) => message = message.split_at_checked(8)?.1,
            (_, 5) => message = message.split_at_checked(4)?.1,
            (_, _) => return None,
        }
    }
    Some(status)
}

fn put_varint(to: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        to.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.put_u8(value as u8);
}

fn take_varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static("grpc-status"),
            http::HeaderValue::from_static(code),
        )])
    }

    #[test]
    fn a_question_is_one_frame_with_one_field() {
        assert_eq!(question("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(question("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(question(&"x".repeat(200))[5..8], [0x0a, 0xc8, 0x01]);
    }

    #[test]
    fn only_serving_with_status_zero_is_well() {
        let none = HeaderMap::new();
        let well = [0, 0, 0, 0, 2, 8, 1];
        assert_eq!(verdict(&none, &well, &status("0")), Ok(()));
        assert_eq!(verdict(&none, &[0, 0, 0, 0, 5, 0x12, 1, 7, 8, 1], &status("0")), Ok(()));
        for (body, trailers) in [
            (&[0, 0, 0, 0, 2, 8, 2][..], status("0")),
            (&[0, 0, 0, 0, 0], status("0")),
            (&[1, 0, 0, 0, 2, 8, 1], status("0")),
            (&[0, 0, 0, 0, 9, 8, 1], status("0")),
            (&[0, 0, 0, 0, 1, 8], status("0")),
            (&[], status("0")),
            (&well, status("5")),
            (&well, HeaderMap::new()),
        ] {
            assert!(verdict(&none, body, &trailers).is_err(), "{body:?}");
        }
        assert!(verdict(&status("12"), &[], &none).is_err(), "an answer of trailers alone");
    }
}
