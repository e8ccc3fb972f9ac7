//! A plan in a file: TOML, YAML or JSON, as the API takes it.

use std::path::Path;

use serde_json::Value;

use crate::cli::Fault;

/// Reads a plan; `-` is the standard input. The API says what is wrong in it.
pub(super) fn read(file: &Path) -> Result<Value, Fault> {
    let name = file.display();
    let text = match file.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()),
        Some(_) | None => std::fs::read_to_string(file),
    };
    let text = text.map_err(|error| Fault::Usage(format!("{name} cannot be read: {error}")))?;
    let wrong = |error: &dyn std::fmt::Display| Fault::Usage(format!("{name}: {error}"));
    let kind = file.extension().and_then(|kind| kind.to_str()).unwrap_or("toml");
    match kind {
        "json" => serde_json::from_str(&text).map_err(|error| wrong(&error)),
        "yaml" | "yml" => serde_yaml_ng::from_str(&text).map_err(|error| wrong(&error)),
        _ => {
            let table: toml::Table = text.parse().map_err(|error| wrong(&error))?;
            Ok(json(toml::Value::Table(table)))
        }
    }
}

/// TOML's instants are texts in JSON.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(truth) => Value::Bool(truth),
        toml::Value::Datetime(at) => Value::String(at.to_string()),
        toml::Value::Array(list) => list.into_iter().map(json).collect(),
        toml::Value::Table(table) => {
            table.into_iter().map(|(name, value)| (name, json(value))).collect()
        }
    }
}
