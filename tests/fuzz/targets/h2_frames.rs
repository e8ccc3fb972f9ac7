//! The heads of HTTP/2 frames: found at the same places however the bytes are cut.
#![no_main]

use intermission::proxy::fuzz::frames;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = frames(std::iter::once(bytes));
    assert_eq!(whole, frames(bytes.chunks(1)), "byte by byte");
    let cut = bytes.first().map_or(1, |first| usize::from(*first).max(2));
    assert_eq!(whole, frames(bytes.chunks(cut)), "in pieces of {cut}");
    let mut rest = bytes;
    for (kind, length) in whole {
        assert_eq!(
            (rest[3], usize::from(rest[1]) << 8 | usize::from(rest[2])),
            (kind, length & 0xffff)
        );
        rest = rest.get(9 + length..).unwrap_or_default();
    }
    assert!(rest.len() < 9, "a head was passed over");
});
