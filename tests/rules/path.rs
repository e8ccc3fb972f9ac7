//! The canonical path: equivalent spellings meet, ambiguous ones are refused.

use intermission::route::path::{Canonical, PathFault, canonical};
use proptest::prelude::*;

fn path_of(raw: &str) -> Result<String, PathFault> {
    canonical(raw, &mut String::new()).map(|canonical| canonical.path.to_owned())
}

#[test]
fn equivalent_spellings_meet() {
    let rows = [
        ("/admin", "/admin"),
        ("/%61dmin", "/admin"),
        ("/%61%64%6D%69%6e", "/admin"),
        ("//admin", "/admin"),
        ("///admin", "/admin"),
        ("/./admin", "/admin"),
        ("/x/../admin", "/admin"),
        ("/x/%2e%2e/admin", "/admin"),
        ("/x/.%2E/admin", "/admin"),
        ("/%2e/admin", "/admin"),
        ("/admin;v=1", "/admin"),
        ("/;a/admin;jsessionid=0AB", "/admin"),
        ("/admin;v=1/list", "/admin/list"),
        ("/%40admin", "/@admin"),
        ("/a%2Bb%2a", "/a+b*"),
        ("/admin/", "/admin/"),
        ("/admin/.", "/admin/"),
        ("/admin/x/..", "/admin/"),
        ("/admin/;x", "/admin/"),
        ("/", "/"),
        ("//", "/"),
        ("/.", "/"),
        ("/x/..", "/"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/café", "/caf%C3%A9"),
        ("/a{b}|c", "/a%7Bb%7D%7Cc"),
        ("/a%7bb", "/a%7Bb"),
        ("/100%25", "/100%25"),
        ("/%2561dmin", "/%2561dmin"),
        ("/a%3bb", "/a%3Bb"),
        ("/.well-known/x", "/.well-known/x"),
        ("/...", "/..."),
        ("/a/..b/.c", "/a/..b/.c"),
        ("/a%3fb%23", "/a%3Fb%23"),
    ];
    for (raw, wanted) in rows {
        assert_eq!(path_of(raw).as_deref(), Ok(wanted), "{raw}");
    }
}

#[test]
fn encoded_slashes_are_told_and_kept() {
    for (raw, wanted) in
        [("/a%2fb", "/a%2Fb"), ("/a%5Cb", "/a%5Cb"), ("/a\\b", "/a%5Cb"), ("/a;%2f/b", "/a/b")]
    {
        let mut scratch = String::new();
        let told = canonical(raw, &mut scratch);
        assert_eq!(told, Ok(Canonical { path: wanted, encoded_slashes: true }), "{raw}");
    }
    let plain = canonical("/%61", &mut String::new()).map(|canonical| canonical.encoded_slashes);
    assert_eq!(plain, Ok(false));
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    use PathFault as F;
    let rows = [
        ("", F::NotBelowRoot),
        ("admin", F::NotBelowRoot),
        ("*", F::NotBelowRoot),
        ("/..", F::NotBelowRoot),
        ("/%2e%2e/etc", F::NotBelowRoot),
        ("/x/../../etc", F::NotBelowRoot),
        ("/x/..;/admin", F::HiddenDots),
        ("/x/..;v=1/admin", F::HiddenDots),
        ("/x/.;/admin", F::HiddenDots),
        ("/x/%2e%2e;/admin", F::HiddenDots),
        ("/x/..%3b/admin", F::HiddenDots),
        ("/x/..%2fadmin", F::HiddenDots),
        ("/x%2f..%2fadmin", F::HiddenDots),
        ("/x/..\\admin", F::HiddenDots),
        ("/x%5c..", F::HiddenDots),
        ("/x;/..%2f", F::HiddenDots),
        ("/%00", F::Control),
        ("/a%0d%0ab", F::Control),
        ("/a\tb", F::Control),
        ("/a\u{7f}", F::Control),
        ("/a;%00", F::Control),
        ("/%", F::BadEscape),
        ("/%4", F::BadEscape),
        ("/%g1", F::BadEscape),
        ("/%+1", F::BadEscape),
        ("/a;%zz", F::BadEscape),
        ("/a%", F::BadEscape),
        ("/a#b", F::Delimiter),
        ("/a?b", F::Delimiter),
    ];
    for (raw, fault) in rows {
        assert_eq!(path_of(raw), Err(fault), "{raw}");
    }
}

#[test]
fn a_canonical_path_is_returned_as_it_is() {
    for raw in ["/", "/claims/new", "/a.b/.c/d..", "/caf%C3%A9/%7B", "/@me/a:b=c,d!$&'()*+~_-"] {
        let mut scratch = String::from("untouched");
        let canonical = canonical(raw, &mut scratch).expect("a path");
        assert!(std::ptr::eq(canonical.path, raw), "{raw} is copied");
        assert_eq!(scratch, "untouched");
    }
}

/// The same rules, written without a thought for speed, on lists of segments.
fn naive(raw: &str) -> Option<String> {
    const KEPT: &str = "-._~!$&'()*+,=:@";
    let mut bytes = Vec::new();
    let mut rest = raw.strip_prefix('/')?.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            let hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            bytes.push((u8::from_str_radix(digits, 16).ok().filter(|_| hex)?, true));
        } else {
            bytes.push((byte, false));
        }
    }
    if bytes
        .iter()
        .any(|(byte, escaped)| byte.is_ascii_control() || !escaped && matches!(byte, b'?' | b'#'))
    {
        return None;
    }
    let mut kept: Vec<String> = vec![];
    let mut last_is_kept = false;
    for segment in bytes.split(|(byte, escaped)| *byte == b'/' && !escaped) {
        let mut parts = segment.split(|(byte, _)| matches!(byte, b'/' | b'\\' | b';'));
        let dots = |part: &[(u8, bool)]| matches!(part, [(b'.', _)] | [(b'.', _), (b'.', _)]);
        if parts.clone().count() > 1 && parts.any(dots) {
            return None;
        }
        let name = segment.split(|(byte, escaped)| *byte == b';' && !escaped).next()?;
        let spelt: String = name
            .iter()
            .map(|(byte, _)| match char::from(*byte) {
                c if c.is_ascii_alphanumeric() || KEPT.contains(c) => c.to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        last_is_kept = !matches!(spelt.as_str(), "" | "." | "..");
        match spelt.as_str() {
            "" | "." => {}
            ".." => drop(kept.pop()?),
            _ => kept.push(spelt),
        }
    }
    let end = if last_is_kept { "" } else { "/" };
    Some(kept.iter().map(|segment| format!("/{segment}")).collect::<String>() + end)
}

fn spelling() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "/", "/", "/", ".", "..", "a", "admin", "%61", "%2e", "%2E", ";", "%3b", "%2f", "%5C",
        "\\", "%00", "%", "é", "%c3%a9", "%C3%A9", "{", "%7B", "@", "%40", "~", "?", "#", "%25",
        "%2561", "\t", " ", "*",
    ]);
    prop::collection::vec(pieces, 0..14).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn it_equals_the_naive_form(raw in spelling()) {
        prop_assert_eq!(path_of(&raw).ok(), naive(&raw));
    }

    #[test]
    fn any_text_has_one_form_or_none(raw in "/\\PC{0,40}") {
        prop_assert_eq!(path_of(&raw).ok(), naive(&raw));
    }

    #[test]
    fn it_is_idempotent_and_holds_no_dots(raw in spelling()) {
        if let Ok(once) = path_of(&raw) {
            prop_assert_eq!(path_of(&once), Ok(once.clone()));
            let slashed = format!("{once}/");
            for forbidden in ["//", "/./", "/../", ";", "\\"] {
                prop_assert!(!once.contains(forbidden), "{} in {}", forbidden, once);
            }
            for forbidden in ["/./", "/../"] {
                prop_assert!(!slashed.contains(forbidden), "{} in {}", forbidden, slashed);
            }
        }
    }

    #[test]
    fn disguises_of_a_path_meet(at in 1usize..6, before in spelling()) {
        let letter = b"/admin"[at];
        let disguise = |escape: String| {
            format!("{}{}{}", &"/admin"[..at], escape, &"/admin"[at + 1..])
        };
        for escape in [format!("%{letter:02x}"), format!("%{letter:02X}")] {
            prop_assert_eq!(path_of(&disguise(escape)), Ok("/admin".to_owned()));
        }
        // Whatever a path is, walking back out of it changes nothing.
        if let Ok(canonical) = path_of(&before) {
            let depth = canonical.split('/').filter(|segment| !segment.is_empty()).count();
            let back = format!("{before}{}/admin", "/..".repeat(depth));
            prop_assert_eq!(path_of(&back), Ok("/admin".to_owned()));
        }
    }
}
