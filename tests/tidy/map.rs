//! The map is true: the top level, the folders' own files, and every symbol that prose names.

use std::sync::LazyLock;

use regex::Regex;

use super::source::{self, Source};
use super::{Complaint, assert_tidy};

/// All that stands at the top of the repository, besides dotfiles and what tools make.
const TOP: [&str; 9] = [
    "Cargo.lock",
    "Cargo.toml",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "benches",
    "config",
    "pages",
    "src",
];
/// Also there: this folder, and what cargo makes.
const ALSO: [&str; 2] = ["tests", "target"];

static CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"`([^`\n]+)`").expect("a code span"));
static SYMBOL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?-u)^\w+(::\w+)+$").expect("a path"));
static FILE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?-u)^[\w/]+\.rs$").expect("a file"));

/// Symbols and files that a page names and the code does not have.
fn check_prose(path: &str, text: &str, sources: &[Source]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for span in CODE.captures_iter(line) {
            let name = span[1].trim_end_matches("()");
            let known = if FILE.is_match(name) {
                sources
                    .iter()
                    .any(|source| format!("/{}", source.path).ends_with(&format!("/{name}")))
            } else {
                !SYMBOL.is_match(name) || is_known(name.trim_start_matches("crate::"), sources)
            };
            if !known {
                let what = format!("`{name}` is not in the code");
                complaints.push(Complaint {
                    rule: "map",
                    path: path.to_owned(),
                    line: at + 1,
                    what,
                });
            }
        }
    }
    complaints
}

/// Whether the longest part of the path that is a module has words called like the rest.
fn is_known(symbol: &str, sources: &[Source]) -> bool {
    let path: Vec<&str> = symbol.split("::").collect();
    (1..=path.len()).rev().any(|length| {
        let (module, rest) = path.split_at(length);
        let source = sources.iter().find(|source| source.module() == module);
        let has_word = |source: &Source, word: &str| {
            let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
            source.production.split(|letter| !is_word(letter)).any(|found| found == word)
        };
        source.is_some_and(|source| rest.iter().all(|word| has_word(source, word)))
    })
}

/// Files that no `mod` line brings in.
fn check_reached(sources: &[Source]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for source in sources {
        let module = source.module();
        let Some((name, parent)) = module.split_last() else { continue };
        let parent_declares = sources.iter().any(|other| {
            let is_parent = other.module() == parent && !other.path.ends_with("main.rs");
            let declares = |line: &str| line.trim_end().ends_with(&format!("mod {name};"));
            is_parent && other.code.lines().any(declares)
        });
        if !parent_declares {
            let what = "no `mod` line brings it in".to_owned();
            complaints.push(Complaint { rule: "map", path: source.path.clone(), line: 0, what });
        }
    }
    complaints
}

/// Names at the top that are not of the house.
fn strangers<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let known = |name: &&str| name.starts_with('.') || TOP.contains(name) || ALSO.contains(name);
    names.filter(|name| !known(name)).collect()
}

#[test]
fn the_top_level_holds_nothing_else() {
    let entries = std::fs::read_dir(source::root()).expect("the repository").flatten();
    let names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(strangers(names.iter().map(String::as_str)), [""; 0]);
}

#[test]
fn a_stranger_at_the_top_is_found() {
    let names = ["src", ".github", "docs", "Makefile", "target"];
    assert_eq!(strangers(names.into_iter()), ["docs", "Makefile"]);
}

#[test]
fn pages_beside_the_code_name_what_exists() {
    let sources = source::all();
    let pages = source::files_below(&source::root().join("src"));
    let pages = pages.iter().filter(|path| path.extension().is_some_and(|e| e == "md"));
    let found = pages.flat_map(|path| {
        let text = std::fs::read_to_string(path).expect("a page is UTF-8");
        check_prose(&source::shown(path), &text, &sources)
    });
    assert_tidy(found.collect());
}

#[test]
fn a_symbol_that_is_gone_is_found() {
    let sources = [
        Source::new("src/window/state.rs", "impl Window { pub fn step() {} }"),
        Source::new("src/lib.rs", "pub mod window;"),
    ];
    let found = |text| check_prose("src/README.md", text, &sources).len();
    assert_eq!(found("see `window::state::Window::step` and `window::state`"), 0);
    assert_eq!(found("see `window::state::Window::stop`"), 1);
    assert_eq!(found("see `vault::item`"), 1);
    assert_eq!(found("see `window/state.rs`, not `window/gone.rs`"), 1);
    assert_eq!(found("`cargo t` and `a: b`"), 0);
}

#[test]
fn every_file_is_brought_in() {
    assert_tidy(check_reached(&source::of_crate()));
}

#[test]
fn an_orphan_is_found() {
    let sources = [
        Source::new("src/lib.rs", "pub mod a;\n// mod b;"),
        Source::new("src/a/mod.rs", "mod c;"),
        Source::new("src/a/c.rs", ""),
        Source::new("src/b.rs", ""),
    ];
    let found: Vec<_> = check_reached(&sources).into_iter().map(|found| found.path).collect();
    assert_eq!(found, ["src/b.rs"]);
}
