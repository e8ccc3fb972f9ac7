//! What is planned: documents, recurrence, blackouts, conflicts, files that declare it.

mod conflict;
mod document;
mod files;
mod rule;
mod series;

use std::time::Duration;

use intermission::clock::Wall;
use intermission::window::draft::{Compiled, Draft, Fault, Given, Past};

/// 2026-11-21T12:00:00Z.
fn noon() -> Wall {
    at("2026-11-21T12:00:00Z")
}

fn at(text: &str) -> Wall {
    Wall::parse(text).expect("an instant")
}

fn given() -> Given {
    Given { now: noon(), drain: Duration::from_secs(30), past: Past::Refused }
}

fn draft(toml: &str) -> Draft {
    toml::from_str(toml).unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

fn compiled(toml: &str) -> Compiled {
    draft(toml).compile(&given()).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn faults(toml: &str) -> Vec<Fault> {
    draft(toml).compile(&given()).expect_err("it is at fault")
}

/// The fields of faults or warnings, in their order.
fn fields(faults: &[Fault]) -> Vec<&str> {
    faults.iter().map(|fault| fault.field.as_str()).collect()
}
