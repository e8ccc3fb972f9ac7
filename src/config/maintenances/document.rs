//! A document as it was typed, in TOML, YAML or JSON: what it says, and where each field stands.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::yaml;
use crate::config::problem::Found;
use crate::config::{Problems, read_bounded};
use crate::limit;
use crate::window::draft::{Draft, Fault};

/// A document and where it stands.
pub struct Written {
    name: String,
    text: String,
    places: Places,
    /// What it says.
    pub draft: Draft,
    /// The same, as the admin API takes it.
    pub value: Value,
}

/// The bytes of each field, by its path: `phases[1].ends`.
pub(super) type Places = BTreeMap<String, Range<usize>>;

/// What a text says, with the place of everything.
pub(super) struct Parsed {
    pub(super) value: Value,
    pub(super) places: Places,
}

/// Why a text says nothing: where, what, and how to mend it.
pub(super) type Broken = (Range<usize>, String, String);

/// How a document is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    Toml,
    Yaml,
    Json,
}

impl Format {
    /// By the end of the file's name.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl Written {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let name = path.display().to_string();
        let Some(format) = Format::of(path) else {
            let help = "end its name with .toml, .yaml, .yml or .json, by what it is written in";
            return Err(Problems::unreadable(&name, "the file has no known kind", help));
        };
        let text = read_bounded(path, limit::DECLARED_BYTES_MAX)?;
        Self::parse(&name, text, format)
    }

    pub(super) fn parse(name: &str, text: String, format: Format) -> Result<Self, Problems> {
        let parsed = match format {
            Format::Toml => toml(&text),
            Format::Yaml => yaml::parse(&text),
            Format::Json => json(&text),
        };
        let told = |(span, what, help): Broken| {
            let mut found = Found::default();
            found.add(span, what, help);
            problems(found, name, &text)
        };
        let Parsed { value, places } = parsed.map_err(told)?;
        let draft = serde_path_to_error::deserialize(value.clone()).map_err(|error| {
            let field = error.path().to_string();
            let span = place(&places, &field);
            let help = "what may stand there: config/README.md, \"A maintenance as a document\"";
            told((span, format!("`{field}`: {}", error.into_inner()), help.to_owned()))
        })?;
        Ok(Self { name: name.to_owned(), text, places, draft, value })
    }

    /// The faults as places of the file.
    pub fn problems(&self, faults: &[Fault]) -> Problems {
        let mut found = Found::default();
        for fault in faults {
            let what = format!("`{}`: {}", fault.field, fault.what);
            found.add(place(&self.places, &fault.field), what, &fault.help);
        }
        problems(found, &self.name, &self.text)
    }
}

fn problems(found: Found, name: &str, text: &str) -> Problems {
    let unexplained = || Problems::unreadable(name, "the file says nothing", "is it empty?");
    found.into_problems(name, text).unwrap_or_else(unexplained)
}

/// Where a field stands, else what it would stand in.
fn place(places: &Places, field: &str) -> Range<usize> {
    let mut field = field;
    loop {
        if let Some(span) = places.get(field) {
            return span.clone();
        }
        let Some(end) = field.rfind(['.', '[']) else { return 0..0 };
        field = &field[..end];
    }
}

/// The path of a member. Lists that may be written in the singular have one path.
pub(super) fn below(path: &str, key: &str) -> String {
    match (path, key) {
        ("", "phase") => "phases".to_owned(),
        ("", key) => key.to_owned(),
        (path, "probe") => format!("{path}.probes"),
        (path, key) => format!("{path}.{key}"),
    }
}

fn toml(text: &str) -> Result<Parsed, Broken> {
    let (table, faults) = DeTable::parse_recoverable(text);
    if let Some(fault) = faults.first() {
        let what = fault.message().lines().collect::<Vec<_>>().join(", ");
        let help = "this is the syntax of TOML: https://toml.io/en/v1.1.0";
        return Err((fault.span().unwrap_or(0..0), what, help.to_owned()));
    }
    let mut places = Places::new();
    let value = of_table(table.get_ref(), "", &mut places);
    Ok(Parsed { value, places })
}

fn of_table(table: &DeTable<'_>, path: &str, places: &mut Places) -> Value {
    let mut map = Map::new();
    for (key, value) in table {
        let path = below(path, key.get_ref());
        map.insert(key.get_ref().to_string(), of_toml(value, &path, places));
    }
    Value::Object(map)
}

fn of_toml(value: &Spanned<DeValue<'_>>, path: &str, places: &mut Places) -> Value {
    places.insert(path.to_owned(), value.span());
    match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        // Instants and days may stand there without quotes.
        DeValue::Datetime(at) => Value::String(at.to_string()),
        DeValue::Integer(typed) => {
            let number = i64::from_str_radix(typed.as_str(), typed.radix());
            number.map_or_else(|_| Value::String(typed.to_string()), Value::from)
        }
        DeValue::Float(typed) => typed.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Array(items) => {
            let item = |(at, item)| of_toml(item, &format!("{path}[{at}]"), places);
            Value::Array(items.iter().enumerate().map(item).collect())
        }
        DeValue::Table(table) => of_table(table, path, places),
    }
}

/// JSON is told by line and column alone.
fn json(text: &str) -> Result<Parsed, Broken> {
    let value = serde_json::from_str(text).map_err(|error| {
        let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
        let at = lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
        (at..at + 1, error.to_string(), "this is the syntax of JSON: RFC 8259".to_owned())
    })?;
    Ok(Parsed { value, places: Places::new() })
}
