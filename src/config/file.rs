//! What was typed: the sections of a config file with the place of every value.
//!
//! Reading is one key at a time instead of one `Deserialize` for the whole, because serde stops at
//! its first error, and an operator wants to see them all.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{ALL, Key, Keys, Times};
use super::problem::Found;

/// A text and its place.
pub(super) type Text = Spanned<String>;

/// One table of the file: keys and values as they were typed.
pub(super) struct Section<'a> {
    keys: &'static Keys,
    table: Option<&'a DeTable<'a>>,
    span: Range<usize>,
}

/// One of a list of texts and tables.
pub(super) enum Entry<'a> {
    Text(Text),
    Table(Section<'a>),
}

impl<'a> Section<'a> {
    /// The section that a table is. Keys that do not belong there are problems.
    pub(super) fn new(
        keys: &'static Keys,
        table: &'a DeTable<'a>,
        span: Range<usize>,
        found: &mut Found,
    ) -> Self {
        for name in table.keys() {
            if !keys.keys.iter().any(|key| key.name == name.get_ref().as_ref()) {
                unknown_key(keys, name.get_ref(), name.span(), found);
            }
        }
        Self { keys, table: Some(table), span }
    }

    fn absent(keys: &'static Keys) -> Self {
        Self { keys, table: None, span: 0..0 }
    }

    /// Where the section stands; the beginning of the file if it does not.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Whether a key stands in the section, whatever its value.
    pub(super) fn has(&self, name: &'static str) -> bool {
        self.value(name).is_some()
    }

    /// The section in brackets, as it is written.
    pub(super) fn title(&self) -> String {
        bracketed(self.keys)
    }

    /// Where a key's value stands, else where the section does.
    pub(super) fn place(&self, name: &'static str) -> Range<usize> {
        self.value(name).map_or_else(|| self.span(), |(_, value)| value.span())
    }

    /// The section below this one.
    pub(super) fn section(
        &self,
        name: &'static str,
        keys: &'static Keys,
        found: &mut Found,
    ) -> Section<'a> {
        let Some((_, value)) = self.value(name) else { return Section::absent(keys) };
        let Some(table) = value.get_ref().as_table() else {
            let what = format!("`{name}` is a section, not {}", article(value.get_ref()));
            let help = format!("write it as [{}], once", keys.section);
            found.add(value.span(), what, help);
            return Section::absent(keys);
        };
        Section::new(keys, table, value.span(), found)
    }

    /// The sections of a kind of which there must be one at least; `missing` says what is wrong
    /// without, and how to mend it.
    pub(super) fn some_sections(
        &self,
        name: &'static str,
        keys: &'static Keys,
        missing: (&str, &str),
        found: &mut Found,
    ) -> Vec<Section<'a>> {
        let before = found.len();
        let sections = self.sections(name, keys, found);
        if sections.is_empty() && found.len() == before {
            found.add(self.place(name), missing.0, missing.1);
        }
        sections
    }

    /// The sections of a kind that may stand there many times.
    pub(super) fn sections(
        &self,
        name: &'static str,
        keys: &'static Keys,
        found: &mut Found,
    ) -> Vec<Section<'a>> {
        let Some((_, value)) = self.value(name) else { return Vec::new() };
        let help =
            || format!("write each one below a line [[{}]], in double brackets", keys.section);
        let DeValue::Array(items) = value.get_ref() else {
            let what = format!("`{name}` is a list of sections, not {}", article(value.get_ref()));
            found.add(value.span(), what, help());
            return Vec::new();
        };
        let mut sections = Vec::with_capacity(items.len());
        for item in items.iter() {
            if let Some(table) = item.get_ref().as_table() {
                sections.push(Section::new(keys, table, item.span(), found));
            } else {
                let what = format!("`{name}` holds {}, not a section", article(item.get_ref()));
                found.add(item.span(), what, help());
            }
        }
        sections
    }

    /// A text.
    pub(super) fn text(&self, name: &'static str, found: &mut Found) -> Option<Text> {
        let (key, value) = self.value(name)?;
        text_of(value, found, key, "a text in quotes")
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &'static str, found: &mut Found) -> Option<Vec<Text>> {
        let (key, value) = self.value(name)?;
        let Some(items) = value.get_ref().as_array() else {
            wrong_type(value.span(), key, "a list of texts", value.get_ref(), found);
            return None;
        };
        let texts = items.iter().map(|item| text_of(item, found, key, "a list of texts"));
        Some(texts.collect::<Vec<_>>().into_iter().flatten().collect())
    }

    /// A list of texts and, where one is more than a text, of tables.
    pub(super) fn entries(
        &self,
        name: &'static str,
        keys: &'static Keys,
        found: &mut Found,
    ) -> Option<Vec<Entry<'a>>> {
        let (key, value) = self.value(name)?;
        let Some(items) = value.get_ref().as_array() else {
            wrong_type(value.span(), key, "a list", value.get_ref(), found);
            return None;
        };
        let mut entries = Vec::with_capacity(items.len());
        for item in items.iter() {
            match item.get_ref().as_table() {
                Some(table) => {
                    entries.push(Entry::Table(Section::new(keys, table, item.span(), found)));
                }
                None => {
                    entries.extend(text_of(item, found, key, "a list of texts").map(Entry::Text));
                }
            }
        }
        Some(entries)
    }

    /// A table from names of the operator's choice to texts.
    pub(super) fn pairs(&self, name: &'static str, found: &mut Found) -> Vec<(Text, Text)> {
        let Some((key, value)) = self.value(name) else { return Vec::new() };
        let DeValue::Table(table) = value.get_ref() else {
            wrong_type(value.span(), key, "a table of names and texts", value.get_ref(), found);
            return Vec::new();
        };
        let mut pairs = Vec::with_capacity(table.len());
        for (left, right) in table {
            if let Some(right) = text_of(right, found, key, "a table of names and texts") {
                pairs.push((Spanned::new(left.span(), left.get_ref().to_string()), right));
            }
        }
        pairs
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, name: &'static str, found: &mut Found) -> Option<bool> {
        let (key, value) = self.value(name)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            wrong_type(value.span(), key, "true or false, without quotes", value.get_ref(), found);
        }
        flag
    }

    /// A whole number in a range.
    pub(super) fn whole(
        &self,
        name: &'static str,
        range: std::ops::RangeInclusive<u64>,
        found: &mut Found,
    ) -> Option<u64> {
        let (key, value) = self.value(name)?;
        let DeValue::Integer(typed) = value.get_ref() else {
            wrong_type(value.span(), key, "a whole number without quotes", value.get_ref(), found);
            return None;
        };
        let number = u64::from_str_radix(typed.as_str(), typed.radix()).ok();
        let fitting = number.filter(|number| range.contains(number));
        if fitting.is_none() {
            let what = format!("`{name}` is out of range");
            let help = format!("from {} to {} is possible", range.start(), range.end());
            found.add(value.span(), what, help);
        }
        fitting
    }

    /// A quantity as it was typed: a text, or a plain number.
    pub(super) fn quantity(&self, name: &'static str, found: &mut Found) -> Option<Text> {
        let (key, value) = self.value(name)?;
        match value.get_ref().as_integer().filter(|typed| typed.radix() == 10) {
            Some(typed) => Some(Spanned::new(value.span(), typed.as_str().to_owned())),
            None => text_of(value, found, key, "a quantity with its unit in quotes"),
        }
    }

    /// The example for a key, as a line of the file.
    pub(super) fn example(&self, name: &'static str) -> String {
        self.keys.keys.iter().find(|key| key.name == name).map(line_of).unwrap_or_default()
    }

    fn value(&self, name: &'static str) -> Option<(&'static Key, &'a Spanned<DeValue<'a>>)> {
        let key = self.keys.keys.iter().find(|key| key.name == name);
        debug_assert!(
            key.is_some(),
            "{} has no key {name}: add it to `config::keys`",
            self.title()
        );
        Some((key?, self.table?.get(name)?))
    }
}

fn text_of(
    value: &Spanned<DeValue<'_>>,
    found: &mut Found,
    key: &'static Key,
    wanted: &str,
) -> Option<Text> {
    let text = value.get_ref().as_str();
    if text.is_none() {
        wrong_type(value.span(), key, wanted, value.get_ref(), found);
    }
    text.map(|text| Spanned::new(value.span(), text.to_owned()))
}

fn wrong_type(
    span: Range<usize>,
    key: &'static Key,
    wanted: &str,
    got: &DeValue<'_>,
    found: &mut Found,
) {
    let what = format!("`{}` wants {wanted}, this is {}", key.name, article(got));
    found.add(span, what, format!("write it like this: {}", line_of(key)));
}

fn unknown_key(keys: &'static Keys, name: &str, span: Range<usize>, found: &mut Found) {
    let (what, of) = match keys.section {
        "" => (format!("there is no section `{name}`"), "the sections are".to_owned()),
        _ => {
            let title = bracketed(keys);
            (format!("{title} has no key `{name}`"), format!("{title} has"))
        }
    };
    let names = || keys.keys.iter().map(|key| key.name);
    let homes = ALL.iter().filter(|other| other.keys.iter().any(|key| key.name == name));
    let homes: Vec<String> = homes.map(|home| bracketed(home)).collect();
    let help = match (homes.as_slice(), nearest(name, names())) {
        ([home], _) if home == "[]" => {
            format!("[{name}] is a section of its own: write it outside of this one")
        }
        ([home], _) => {
            format!("it belongs to {home}: write it there, above the next line in brackets")
        }
        (_, Some(near)) => format!("did you mean `{near}`?"),
        (_, None) => format!("{of} {}", names().collect::<Vec<_>>().join(", ")),
    };
    found.add(span, what, help);
}

fn bracketed(keys: &Keys) -> String {
    match keys.times {
        Times::Once => format!("[{}]", keys.section),
        Times::Many => format!("[[{}]]", keys.section),
    }
}

/// The known name that a wrong one was most likely meant to be.
pub(super) fn nearest<'n>(
    wrong: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    const LIKENESS_MIN: f64 = 0.75;
    let likeness = |name: &str| strsim::jaro_winkler(&wrong.to_lowercase(), &name.to_lowercase());
    let scored = known.into_iter().map(|name| (likeness(name), name));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= LIKENESS_MIN).then_some(best.1)
}

fn line_of(key: &Key) -> String {
    format!("{} = {}", key.name, key.example)
}

fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
