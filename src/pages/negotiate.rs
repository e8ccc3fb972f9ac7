//! Which language a visitor reads: `Accept-Language` (RFC 9110 §12.5.4) against what we have.

use super::Lang;

/// The language that fits best; English if none is asked for, or nothing can be read.
///
/// A region is as good as its language (`pt-BR` is Portuguese). Of equal weights the first wins. A
/// `*` stands for English, because it says that any language will do.
pub fn negotiate(accept_language: Option<&str>) -> Lang {
    let mut best = (0, Lang::En);
    let asked = accept_language.unwrap_or_default();
    for range in asked.split(',').take(RANGES_MAX) {
        let mut parts = range.split(';');
        let tag = parts.next().unwrap_or_default().trim();
        let Some(lang) = known(tag, asked) else { continue };
        let weight = parts.find_map(weight).unwrap_or(Some(1000)).unwrap_or(0);
        if weight > best.0 {
            best = (weight, lang);
        }
    }
    best.1
}

/// Ranges that are looked at; browsers send fewer than ten.
const RANGES_MAX: usize = 32;

/// The language of a tag such as `pt-BR`.
fn known(tag: &str, asked: &str) -> Option<Lang> {
    let primary = tag.split('-').next().unwrap_or_default();
    let same = |lang: &Lang| lang.tag().eq_ignore_ascii_case(primary);
    let refused = || asked.split(',').take(RANGES_MAX).any(|range| refuses_english(range.trim()));
    match primary {
        "*" if refused() => None,
        "*" => Some(Lang::En),
        _ => Lang::ALL.into_iter().find(same),
    }
}

fn refuses_english(range: &str) -> bool {
    let (tag, rest) = range.split_once(';').unwrap_or((range, ""));
    tag.trim().eq_ignore_ascii_case("en") && weight(rest) == Some(Some(0))
}

/// The weight of a `q=…` in thousandths: none if this is another parameter, `Some(None)` if it is
/// a `q` that cannot be read, and then the range does not count.
fn weight(parameter: &str) -> Option<Option<u32>> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let value = value.trim();
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{fraction:0<3}").parse::<u32>().ok().filter(|_| digits);
    Some(match (whole, thousandths) {
        ("0", Some(weight)) => Some(weight),
        ("1", Some(0)) => Some(1000),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_best_language_is_found() {
        for (asked, lang) in [
            ("de", Lang::De),
            ("pt-BR,pt;q=0.9,en;q=0.8", Lang::Pt),
            ("en;q=0.5, fr;q=0.9", Lang::Fr),
            ("nl, ja;q=0.2", Lang::Ja),
            ("de;q=0, es;q=0.1", Lang::Es),
            ("AR-eg", Lang::Ar),
            ("*", Lang::En),
            ("fr;q=0.4, *;q=0.8", Lang::En),
            ("en;q=0, *;q=0.8, fr;q=0.4", Lang::Fr),
            ("es, de", Lang::Es),
            ("de ; q = 0.7 , fr;q=0.75", Lang::Fr),
            ("de;q=0.12345, fr;q=0.1", Lang::Fr),
            ("de;q=2, fr;q=0.1", Lang::Fr),
            ("den", Lang::En),
            (";;;,,,q=1", Lang::En),
            ("", Lang::En),
        ] {
            assert_eq!(negotiate(Some(asked)), lang, "{asked}");
        }
        assert_eq!(negotiate(None), Lang::En);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(asked in "\\PC*") {
            negotiate(Some(&asked));
        }

        #[test]
        fn no_almost_well_formed_header_makes_it_panic(asked in "[a-zA-Z*;=q0-9.,é -]{0,80}") {
            negotiate(Some(&asked));
        }
    }
}
