//! What a server answers: its framing, however it is cut, and what must never pass.
#![no_main]

use http::Method;
use intermission::proxy::fuzz::{Followed, answer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for method in [Method::GET, Method::HEAD] {
        let whole = answer(&method, std::iter::once(bytes));
        assert_eq!(whole, answer(&method, bytes.chunks(1)), "byte by byte");
        let cut = bytes.last().map_or(1, |last| usize::from(*last).max(2));
        assert_eq!(whole, answer(&method, bytes.chunks(cut)), "in pieces of {cut}");
        let Followed::Clean(true) = whole else { continue };
        let mut fields = [httparse::EMPTY_HEADER; 200];
        let mut head = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(_)) = head.parse(bytes) else { continue };
        if head.code.is_none_or(|code| code < 200) {
            continue;
        }
        let named = |name: &str| {
            head.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).count()
        };
        let (lengths, encodings) = (named("content-length"), named("transfer-encoding"));
        assert!(lengths + encodings <= 1, "two ways to read {:?}", String::from_utf8_lossy(bytes));
    }
});
