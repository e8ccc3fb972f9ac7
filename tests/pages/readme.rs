//! `pages/README.md` names what an operator may override and what templates see.

use std::collections::BTreeSet;

use intermission::pages::{Lang, sample};
use serde_json::Value;

const README: &str = include_str!("../../pages/README.md");

/// The words in backticks in the first column of the table with this head.
fn names(head: &str) -> BTreeSet<String> {
    let rows = README.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let first = rows.filter_map(|row| row.split(" | ").next());
    first.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned)).collect()
}

/// Every member that one of these values has.
fn members<T: serde::Serialize>(values: &[T]) -> BTreeSet<String> {
    let values = values.iter().map(|value| serde_json::to_value(value).expect("JSON"));
    values
        .flat_map(|value| value.as_object().expect("members").keys().cloned().collect::<Vec<_>>())
        .collect()
}

/// The names told, without those that follow from others in the template alone.
fn told(head: &str, besides: &[&str]) -> BTreeSet<String> {
    let mut names = names(head);
    for name in besides {
        assert!(names.remove(*name), "`{name}` is not told under {head}");
    }
    names.insert("operator".to_owned());
    names
}

#[test]
fn every_member_of_a_view_is_told() {
    let closed = told("| `view.` in `closed.html`", &["why"]);
    assert_eq!(closed, members(&sample::notices()));
    let derived = [
        "title",
        "keeps",
        "shown",
        "sendable",
        "refillable",
        "refill_first",
        "stale",
        "send_mode",
        "once",
    ];
    assert_eq!(told("| `view.` in `receipt.html`", &derived), members(&sample::receipts()));
    assert_eq!(told("| `view.` in `code.html`", &[]), members(&sample::codes()));
    assert_eq!(told("| `view.` in `list.html`", &[]), members(&sample::lists()));
}

#[test]
fn members_of_fields_and_items_are_told_too() {
    let inner = |views: Vec<Value>, list: &str| -> Vec<Value> {
        views.iter().flat_map(|view| view[list].as_array().expect("a list").clone()).collect()
    };
    let json = |value| serde_json::to_value(value).expect("JSON");
    let fields = inner(sample::receipts().iter().map(json).collect(), "fields");
    let lists = sample::lists();
    let items =
        inner(lists.iter().map(|l| serde_json::to_value(l).expect("JSON")).collect(), "items");
    for (row, values) in [("| `fields`", fields), ("| `items`", items)] {
        let line = README.lines().find(|line| line.starts_with(row)).expect("a row");
        for member in members(&values) {
            assert!(line.contains(&format!("`{member}`")), "{member} in {line}");
        }
    }
}

#[test]
fn every_file_that_can_be_overridden_is_told() {
    let told = names("| file in your directory");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("pages");
    for file in std::fs::read_dir(folder).expect("pages/").flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let is_one = name.ends_with(".html") || name.ends_with(".css");
        assert!(!is_one || told.contains(&name), "{name}");
    }
    for lang in Lang::ALL {
        let tag = lang.tag();
        assert!(told.contains(tag) || told.contains(&format!("catalog/{tag}.toml")), "{tag}");
    }
}
