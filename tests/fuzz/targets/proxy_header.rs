//! The PROXY header of a balancer: never longer than what was read, however it comes, and what we
//! write ourselves is read as it was meant.
#![no_main]

use intermission::addr::proxy_protocol::{Parsed, Version, encode, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Parsed::Whole(header)) = parse(bytes) else { return };
    assert!(header.length <= bytes.len(), "more than was there");
    assert_eq!(parse(&bytes[..header.length]), Ok(Parsed::Whole(header)), "what follows matters");
    for end in 0..header.length {
        assert_eq!(parse(&bytes[..end]), Ok(Parsed::Partial), "the first {end} bytes");
    }
    let Some(ends) = header.ends else { return };
    for version in [Version::V1, Version::V2] {
        let written = encode(version, ends.source, ends.destination);
        let Ok(Parsed::Whole(again)) = parse(&written) else { panic!("{ends:?} is not read back") };
        assert_eq!(again.length, written.len());
        // Addresses of one family are written as they are.
        if ends.source.is_ipv4() == ends.destination.is_ipv4() {
            let read = again.ends.expect("ends that were written");
            let canonical = |at: std::net::SocketAddr| (at.ip().to_canonical(), at.port());
            assert_eq!(canonical(read.source), canonical(ends.source));
            assert_eq!(canonical(read.destination), canonical(ends.destination));
        }
    }
});
