//! Canonical hosts and host patterns.

use intermission::addr::{HostFault, HostPattern, canonical_host};
use proptest::prelude::*;

fn host_of(raw: &str) -> Result<String, HostFault> {
    canonical_host(raw, &mut String::new()).map(str::to_owned)
}

#[test]
fn spellings_of_a_host_meet() {
    let rows = [
        ("example.com", "example.com"),
        ("EXAMPLE.com", "example.com"),
        ("example.com:80", "example.com"),
        ("Example.Com.:8080", "example.com"),
        ("example.com.", "example.com"),
        ("localhost", "localhost"),
        ("a_b-c.9", "a_b-c.9"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[::1]:65535", "[::1]"),
        ("[2001:DB8:0::1]:443", "[2001:db8::1]"),
    ];
    for (raw, wanted) in rows {
        assert_eq!(host_of(raw).as_deref(), Ok(wanted), "{raw}");
    }
}

#[test]
fn what_is_not_one_host_is_refused() {
    use HostFault as F;
    let long = "a".repeat(254);
    let rows = [
        ("", F::Empty),
        (":80", F::Empty),
        (".", F::Empty),
        ("user@example.com", F::Character),
        ("user:1@example.com", F::Port),
        ("a.example, b.example", F::Character),
        ("a,b", F::Character),
        ("a b", F::Character),
        (" a", F::Character),
        ("a\t", F::Character),
        ("a\0b", F::Character),
        ("a/b", F::Character),
        ("a#b", F::Character),
        ("a?b", F::Character),
        ("a%41", F::Character),
        ("bücher.example", F::Character),
        ("*.example.com", F::Character),
        ("a..b", F::EmptyLabel),
        (".a", F::EmptyLabel),
        ("a..", F::EmptyLabel),
        ("a:", F::Port),
        ("a:0", F::Port),
        ("a:65536", F::Port),
        ("a:+80", F::Port),
        ("a:80:80", F::Port),
        ("a:http", F::Port),
        ("a:000080", F::Port),
        ("::1", F::Port),
        ("[::1", F::Ipv6),
        ("[]", F::Ipv6),
        ("[127.0.0.1]", F::Ipv6),
        ("[fe80::1%eth0]", F::Ipv6),
        ("[::1]x", F::Character),
        ("[::1]:", F::Port),
        (long.as_str(), F::TooLong),
    ];
    for (raw, fault) in rows {
        assert_eq!(host_of(raw), Err(fault), "{raw}");
    }
}

#[test]
fn a_canonical_host_is_a_part_of_what_was_sent() {
    for (raw, length) in [("claims.example.com", 18), ("claims.example.com.:8080", 18)] {
        let mut scratch = String::from("untouched");
        let host = canonical_host(raw, &mut scratch).expect("a host");
        assert!(std::ptr::eq(host, &raw[..length]), "{raw} is copied");
    }
}

#[test]
fn patterns_are_read_and_shown() {
    let rows = [
        ("*", HostPattern::Any, "*"),
        ("Example.com", HostPattern::Exact("example.com".into()), "example.com"),
        ("*.Example.com.", HostPattern::Below("example.com".into()), "*.example.com"),
        ("[::1]", HostPattern::Exact("[::1]".into()), "[::1]"),
    ];
    for (text, wanted, shown) in rows {
        let pattern = HostPattern::parse(text).expect(text);
        assert_eq!((&pattern, pattern.to_string().as_str()), (&wanted, shown));
    }
}

#[test]
fn a_pattern_fault_says_how_to_mend_it() {
    let rows = [
        ("a.*", "write `*.example.com`"),
        ("*example.com", "write `*.example.com`"),
        ("*.*.com", "write `*.example.com`"),
        ("example.com:8080", "write `example.com`"),
        ("*.example.com:80", "write `*.example.com`"),
        ("[::1]:80", "write `[::1]`"),
        ("https://example.com", "no `://`"),
        ("example.com/claims", "no path"),
        ("bücher.example", "xn--"),
        ("", "no host"),
        ("a b", "a character in the host"),
        ("*.[::1]", "whole labels"),
    ];
    for (text, told) in rows {
        let fault = HostPattern::parse(text).expect_err(text).to_string();
        assert!(fault.contains(told), "{text}: {fault}");
    }
}

proptest! {
    #[test]
    fn a_host_is_idempotent_and_clean(raw in "[a-zA-Z0-9.:_\\[\\]%@, -]{0,24}") {
        if let Ok(once) = host_of(&raw) {
            prop_assert_eq!(host_of(&once), Ok(once.clone()));
            let clean = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.[]:".contains(c);
            prop_assert!(once.chars().all(clean), "{}", once);
        }
    }
}
