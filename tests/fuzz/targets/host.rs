//! The canonical form of a host, and the client address from a list that somebody sent.
#![no_main]

use intermission::addr::canonical_host;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &str| {
    let mut scratch = String::new();
    let Ok(host) = canonical_host(raw, &mut scratch) else { return };
    let host = host.to_owned();
    assert!(!host.is_empty() && !host.ends_with('.'), "{raw} -> {host}");
    assert!(!host.bytes().any(|byte| byte.is_ascii_uppercase()), "{raw} -> {host}");
    assert!(!host.contains(['/', '@', ',', ' ', '#', '?', '%']), "{raw} -> {host}");
    let mut again = String::new();
    assert_eq!(canonical_host(&host, &mut again), Ok(host.as_str()), "of {raw}");
    if !raw.contains(':') {
        let mut with_port = String::new();
        assert_eq!(canonical_host(&format!("{raw}:8443"), &mut with_port), Ok(host.as_str()));
    }
});
