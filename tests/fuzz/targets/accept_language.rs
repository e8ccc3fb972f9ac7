//! `Accept-Language`: a choice for every text, and the same one however it is spaced and spelled.
#![no_main]

use intermission::pages::{Lang, negotiate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|asked: &str| {
    let lang = negotiate(Some(asked));
    assert!(Lang::ALL.contains(&lang));
    assert_eq!(negotiate(Some(&asked.to_ascii_uppercase())), lang, "{asked}");
    assert_eq!(negotiate(Some(&asked.replace(',', " , "))), lang, "{asked}");
    if !asked.contains([',', ';']) {
        let tag = asked.trim();
        let same = |lang: &Lang| tag.eq_ignore_ascii_case(lang.tag());
        let expected = Lang::ALL.into_iter().find(same);
        assert!(expected.is_none_or(|expected| expected == lang), "{asked}");
    }
});
