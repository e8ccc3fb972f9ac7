//! The canonical form of a path: every spelling of a path meets in one, and it stays where it is.
#![no_main]

use intermission::route::path::canonical;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &str| {
    let mut scratch = String::new();
    let Ok(found) = canonical(raw, &mut scratch) else { return };
    let path = found.path.to_owned();
    assert!(path.starts_with('/') && !path.contains("//"), "{raw} -> {path}");
    assert!(!path.contains(['?', '#', ';', '\\']), "{raw} -> {path}");
    assert!(path.bytes().all(|byte| (0x21..0x7f).contains(&byte)), "{raw} -> {path}");
    assert!(!path.split('/').any(|segment| segment == "." || segment == ".."), "{raw} -> {path}");

    let mut again = String::new();
    let twice = canonical(&path, &mut again).expect("what is canonical has a canonical form");
    assert_eq!(twice.path, path, "of {raw}");

    // Escaping what needs no escape changes nothing: not the path, nor what was met on the way.
    let spelled: String = raw
        .chars()
        .map(|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' if !raw.contains('%') => {
                format!("%{:02x}", letter as u32)
            }
            letter => letter.to_string(),
        })
        .collect();
    let mut other = String::new();
    let other = canonical(&spelled, &mut other).expect("another spelling");
    assert_eq!((other.path, other.encoded_slashes), (&*path, found.encoded_slashes), "{spelled}");
});
