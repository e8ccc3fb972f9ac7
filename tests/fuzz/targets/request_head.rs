//! What a client sends on a connection: its framing, and the host and path of its first request.
#![no_main]

use http::{HeaderName, HeaderValue, Method, Request};
use intermission::proxy::fuzz::{Followed, place, requests};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = requests(std::iter::once(bytes));
    // However the network cuts the bytes, they say the same.
    assert_eq!(whole, requests(bytes.chunks(1)), "byte by byte");
    let cut = bytes.first().map_or(1, |first| usize::from(*first).max(2));
    assert_eq!(whole, requests(bytes.chunks(cut)), "in pieces of {cut}");
    if let Followed::Clean(between) = whole {
        // The scanner judges whole lines: in the middle of one it may not yet know what is wrong.
        assert_eq!(between, read(bytes).unwrap_or(false), "the other reader");
    }
    if let Some((host, path)) = first(bytes).and_then(|request| place(&request)) {
        assert_eq!(host, host.to_ascii_lowercase());
        assert!(path.starts_with('/') && !path.contains("//"), "{path}");
        assert!(!path.split('/').any(|segment| segment == ".." || segment == "."), "{path}");
    }
});

/// Follows clean requests with another parser, which takes the whole at once. Whether they end
/// between two requests; none if it finds that they are not clean.
fn read(mut rest: &[u8]) -> Option<bool> {
    loop {
        if rest.is_empty() {
            return Some(true);
        }
        while let Some(after) = rest.strip_prefix(b"\r\n") {
            rest = after;
        }
        let Some(head) = end_of(rest, b"\r\n\r\n") else { return Some(false) };
        let (head, body) = rest.split_at(head);
        rest = match framing(head)? {
            Framing::Length(length) => match body.get(length..) {
                Some(rest) => rest,
                None => return Some(false),
            },
            Framing::Chunks => match chunks(body)? {
                Some(rest) => rest,
                None => return Some(false),
            },
        };
    }
}

enum Framing {
    Length(usize),
    Chunks,
}

fn framing(head: &[u8]) -> Option<Framing> {
    let head = head.strip_suffix(b"\r\n\r\n")?;
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    let mut length = None;
    let mut chunked = false;
    for line in lines {
        let line = std::str::from_utf8(line).map_or("", str::trim_ascii);
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.to_ascii_lowercase().as_str() {
            "content-length" if length.is_none() => {
                length = Some(value.trim_ascii().parse().ok()?);
            }
            "content-length" => return None,
            "transfer-encoding" if !chunked => chunked = true,
            "transfer-encoding" => return None,
            _ => {}
        }
    }
    match (length, chunked) {
        (Some(_), true) => None,
        (None, true) => Some(Framing::Chunks),
        (length, false) => Some(Framing::Length(length.unwrap_or(0))),
    }
}

/// What comes after the chunks: none inside if they go on.
#[allow(clippy::option_option)]
fn chunks(mut rest: &[u8]) -> Option<Option<&[u8]>> {
    loop {
        let Some(line) = end_of(rest, b"\r\n") else { return Some(None) };
        let (line, after) = rest.split_at(line);
        let digits: Vec<u8> = line.iter().copied().take_while(u8::is_ascii_hexdigit).collect();
        let size = usize::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?;
        if size == 0 {
            if let Some(after) = after.strip_prefix(b"\r\n") {
                return Some(Some(after));
            }
            return Some(end_of(after, b"\r\n\r\n").map(|end| &after[end..]));
        }
        let Some(end) = after.get(size..) else { return Some(None) };
        match end {
            [b'\r', b'\n', ..] => rest = &end[2..],
            [] | [b'\r'] => return Some(None),
            _ => return None,
        }
    }
}

/// The offset behind the first `mark`.
fn end_of(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark).map(|at| at + mark.len())
}

/// The first request, as an HTTP library reads it.
fn first(bytes: &[u8]) -> Option<Request<()>> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Request::new(&mut fields);
    head.parse(bytes).ok()?.is_complete().then_some(())?;
    let mut request = Request::builder()
        .method(Method::from_bytes(head.method?.as_bytes()).ok()?)
        .uri(head.path?);
    for field in head.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        request = request.header(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    request.body(()).ok()
}
