//! The catalog: every text that visitors read, by language, with an operator's own over ours.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Lang;
use crate::clock::Wall;

const FILES: [&str; 7] = [
    include_str!("../../pages/catalog/en.toml"),
    include_str!("../../pages/catalog/de.toml"),
    include_str!("../../pages/catalog/fr.toml"),
    include_str!("../../pages/catalog/es.toml"),
    include_str!("../../pages/catalog/pt.toml"),
    include_str!("../../pages/catalog/ja.toml"),
    include_str!("../../pages/catalog/ar.toml"),
];

/// The texts of one language, by `section.key`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts(BTreeMap<String, String>);

/// The texts of all languages, in the order of [`Lang::ALL`].
#[derive(Clone)]
pub(super) struct Catalog([Arc<Texts>; 7]);

/// What is wrong with a catalog file, and on which line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CatalogFault {
    pub(super) line: usize,
    pub(super) message: String,
}

impl Catalog {
    /// The built-in texts. A test holds every language to the keys of English.
    pub(super) fn builtin() -> Self {
        static BUILTIN: LazyLock<Catalog> =
            LazyLock::new(|| Catalog(FILES.map(|file| Arc::new(Texts::parse(file).0))));
        BUILTIN.clone()
    }

    /// The texts of one language.
    pub(super) fn texts(&self, lang: Lang) -> &Arc<Texts> {
        &self.0[lang as usize]
    }

    /// Puts an operator's texts over ours; what the file does not name stays. English decides
    /// which keys and placeholders there are.
    pub(super) fn put_over(&mut self, lang: Lang, file: &str) -> Vec<CatalogFault> {
        let english = Arc::clone(self.texts(Lang::En));
        let (texts, mut faults, lines) = Texts::parse_with_lines(file);
        for (key, text) in texts.0 {
            let line = lines.get(&key).copied().unwrap_or(1);
            match english.0.get(&key).map(|known| check(&key, known, &text)) {
                Some(Ok(())) => {
                    Arc::make_mut(&mut self.0[lang as usize]).0.insert(key, text);
                }
                Some(Err(message)) => faults.push(CatalogFault { line, message }),
                None => {
                    let message = format!("there is no text `{key}`; see pages/catalog/en.toml");
                    faults.push(CatalogFault { line, message });
                }
            }
        }
        faults.sort_by_key(|fault| fault.line);
        faults
    }
}

impl Texts {
    fn parse(file: &str) -> (Self, Vec<CatalogFault>) {
        let (texts, faults, _) = Self::parse_with_lines(file);
        (texts, faults)
    }

    fn parse_with_lines(file: &str) -> (Self, Vec<CatalogFault>, BTreeMap<String, usize>) {
        let (table, errors) = DeTable::parse_recoverable(file);
        let mut faults: Vec<CatalogFault> = errors
            .iter()
            .map(|error| {
                let at = error.span().map_or(0, |span| span.start);
                CatalogFault { line: line_at(file, at), message: error.message().to_owned() }
            })
            .collect();
        let mut lines = BTreeMap::new();
        let mut texts = BTreeMap::new();
        if !faults.is_empty() {
            // What the parser made of a broken file would only give faults that are not there.
            return (Self(texts), faults, lines);
        }
        for (section, entries) in table.get_ref() {
            let DeValue::Table(entries) = entries.get_ref() else {
                let line = line_at(file, section.span().start);
                let message = format!("`{}` stands outside of a [section]", section.get_ref());
                faults.push(CatalogFault { line, message });
                continue;
            };
            for (key, value) in entries {
                let name = format!("{}.{}", section.get_ref(), key.get_ref());
                let line = line_at(file, key.span().start);
                match text_of(value) {
                    Some(text) => {
                        lines.insert(name.clone(), line);
                        texts.insert(name, text);
                    }
                    None => faults
                        .push(CatalogFault { line, message: format!("`{name}` must be a text") }),
                }
            }
        }
        (Self(texts), faults, lines)
    }

    /// The text of this key.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The text with its placeholders filled in, not escaped. Empty if there is no such text.
    pub(super) fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        let mut filled = String::new();
        for piece in pieces(self.get(key).unwrap_or_default()) {
            filled.push_str(match piece {
                Piece::Words(words) => words,
                Piece::Place(name) => {
                    values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
                }
            });
        }
        filled
    }

    /// A day and a time of day, spelt in this language, in UTC and saying so.
    pub(super) fn when(&self, at: Wall) -> String {
        let at = at.timestamp().to_zoned(jiff::tz::TimeZone::UTC);
        let nth = |key: &str, index: i8| {
            let names = self.get(key).unwrap_or_default().split_whitespace();
            names.clone().nth(usize::try_from(index).unwrap_or(0)).unwrap_or_default().to_owned()
        };
        let weekday = nth("date.weekdays", at.weekday().to_monday_zero_offset());
        let month = nth("date.months", at.month() - 1);
        let (day, time) = (at.day().to_string(), at.strftime("%H:%M").to_string());
        let values = [("weekday", &*weekday), ("day", &*day), ("month", &*month), ("time", &*time)];
        self.fill("date.pattern", &values)
    }

    /// A span of time: "1 h 15 min".
    pub(super) fn span(&self, minutes: u64) -> String {
        let part = |key: &str, count: u64| {
            (count > 0).then(|| self.fill(key, &[("count", &count.to_string())]))
        };
        let parts = [part("common.hours", minutes / 60), part("common.minutes", minutes % 60)];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Every key.
    #[cfg(test)]
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// A part of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Piece<'a> {
    /// As written.
    Words(&'a str),
    /// `{name}`.
    Place(&'a str),
}

/// Takes a text apart. A brace that opens no placeholder is an ordinary character.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let name = rest[open + 1..].split_once('}').map(|(name, _)| name);
        match name.filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase())) {
            Some(name) => {
                found.push(Piece::Words(&rest[..open]));
                found.push(Piece::Place(name));
                rest = &rest[open + name.len() + 2..];
            }
            None => {
                found.push(Piece::Words(&rest[..=open]));
                rest = &rest[open + 1..];
            }
        }
    }
    found.push(Piece::Words(rest));
    found
}

fn text_of(value: &Spanned<DeValue<'_>>) -> Option<String> {
    value.get_ref().as_str().map(str::to_owned)
}

/// Whether `text` can stand where the English one does.
fn check(key: &str, english: &str, text: &str) -> Result<(), String> {
    let known = places(english);
    if let Some(place) = places(text).into_iter().find(|place| !known.contains(place)) {
        return Err(format!("`{key}` has no value for {{{place}}}"));
    }
    let count = english.split_whitespace().count();
    if ["date.weekdays", "date.months"].contains(&key) && text.split_whitespace().count() != count {
        return Err(format!("`{key}` must be {count} names with spaces between them"));
    }
    if text.trim().is_empty() { Err(format!("`{key}` is empty")) } else { Ok(()) }
}

fn places(text: &str) -> Vec<&str> {
    let place = |piece| match piece {
        Piece::Place(name) => Some(name),
        Piece::Words(_) => None,
    };
    pieces(text).into_iter().filter_map(place).collect()
}

/// The line, from 1, on which the byte `at` stands.
pub(super) fn line_at(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_exactly_the_texts_of_english() {
        let english = Texts::parse(FILES[0]).0;
        for (lang, file) in Lang::ALL.into_iter().zip(FILES) {
            let (texts, faults) = Texts::parse(file);
            assert_eq!(faults, [], "{lang:?}");
            let keys = |texts: &Texts| texts.keys().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(keys(&texts), keys(&english), "{lang:?}");
            for key in english.keys() {
                let (ours, theirs) = (english.get(key).expect("key"), texts.get(key).expect("key"));
                let sorted = |text| {
                    let mut places = places(text);
                    places.sort_unstable();
                    places.dedup();
                    places.into_iter().map(str::to_owned).collect::<Vec<_>>()
                };
                assert_eq!(sorted(theirs), sorted(ours), "{lang:?} {key}");
                assert_eq!(check(key, ours, theirs), Ok(()), "{lang:?}");
                let translated = lang == Lang::En || ours != theirs || key == "receipt.file";
                let same_word = [
                    "date.",
                    "common.contact",
                    "problem.returns",
                    "common.minutes",
                    "common.hours",
                    "code.code",
                ];
                let may_be_same = same_word.iter().any(|prefix| key.starts_with(prefix));
                assert!(translated || may_be_same, "{lang:?} {key} is still English");
            }
        }
    }

    #[test]
    fn times_are_spelt_out_and_say_their_zone() {
        let at = Wall::parse("2026-11-21T16:05:59Z").expect("an instant");
        let catalog = Catalog::builtin();
        assert_eq!(catalog.texts(Lang::En).when(at), "Saturday 21 November at 16:05 UTC");
        for lang in Lang::ALL {
            let when = catalog.texts(lang).when(at);
            assert!(
                when.contains("UTC") && when.contains("16:05") && when.contains("21"),
                "{when}"
            );
        }
    }

    #[test]
    fn braces_that_open_no_placeholder_are_ordinary() {
        let words = |text| pieces(text).iter().filter(|p| matches!(p, Piece::Words(_))).count();
        assert_eq!(pieces("a{b}c"), [Piece::Words("a"), Piece::Place("b"), Piece::Words("c")]);
        for text in ["{", "{}", "{ b }", "}{", "{{"] {
            assert_eq!(words(text), pieces(text).len(), "{text}");
        }
    }

    #[test]
    fn an_operators_faults_are_all_told_with_their_lines() {
        let file = "[closed]\ntitle = \"Closed\"\nlead = \"{nobody}\"\nnews = \"x\"\nwhy = 3\n";
        let mut catalog = Catalog::builtin();
        let faults = catalog.put_over(Lang::De, file);
        assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(catalog.texts(Lang::De).get("closed.title"), Some("Closed"));
    }
}
