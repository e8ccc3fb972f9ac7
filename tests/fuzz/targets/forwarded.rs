//! `Forwarded` and `X-Forwarded-For` from strangers: what somebody writes to the left cannot change
//! what stands to the right of it, which a trusted proxy added.
#![no_main]

use intermission::addr::forwarded::{address, elements, entries};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|sent: &str| {
    let ours = "for=192.0.2.7;proto=https;host=example.org";
    let added = format!("{sent}, {ours}");
    for values in [vec![added.as_str()], vec![sent, ours]] {
        let mut read = elements(values.into_iter());
        let last = read.next().expect("the one that was added");
        assert_eq!(last.client, "192.0.2.7".parse().ok(), "{sent}");
        assert_eq!(
            (last.proto.as_deref(), last.host.as_deref()),
            (Some("https"), Some("example.org"))
        );
        assert!(read.count() <= sent.len() + 1);
    }
    let added = format!("{sent}, 192.0.2.7");
    let last = entries(std::iter::once(added.as_str())).next().and_then(address);
    assert_eq!(last, "192.0.2.7".parse().ok(), "{sent}");
});
