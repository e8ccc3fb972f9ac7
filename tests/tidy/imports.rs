//! Who may import whom: the table of `src/README.md`, held against every path in the code.

use super::source::{self, Source};
use super::{Complaint, assert_tidy, complaints_of};

/// Modules that everybody may import.
const LEVEL_0: &[&str] = &["clock", "id", "addr", "digest", "limit"];
/// Stands for [`LEVEL_0`] in the table.
const WORDS: &str = "level 0";
/// Stands for every module in the table.
const EVERYTHING: &str = "everything";

/// A row of the table: modules, what they may import, and what not even then.
struct Row {
    modules: &'static [&'static str],
    may: &'static [&'static str],
    never: &'static [&'static str],
}

const fn row(
    modules: &'static [&'static str],
    may: &'static [&'static str],
    never: &'static [&'static str],
) -> Row {
    Row { modules, may, never }
}

/// The table. Change it together with the one in `src/README.md`, and say why.
const TABLE: &[Row] = &[
    row(LEVEL_0, &[WORDS], &[]),
    row(&["window", "route", "region", "tls", "duty"], &[WORDS], &[]),
    row(&["grant"], &[WORDS, "window"], &[]),
    row(&["decide"], &[WORDS, "window", "route", "region"], &[]),
    // The access log's words for where and how are part of what a config says.
    row(
        &["snapshot"],
        &[
            WORDS,
            "window",
            "grant",
            "route",
            "region",
            "decide",
            "tls",
            "duty",
            "pages",
            "telemetry::access",
        ],
        &[],
    ),
    row(&["store"], &[WORDS, "window", "grant", "duty", "vault::item"], &[]),
    row(&["pages", "inject"], &[WORDS], &[]),
    row(&["telemetry"], &[WORDS, "decide::verdict", "window::tally"], &[]),
    row(&["vault"], &[WORDS, "store", "telemetry"], &[]),
    row(
        &["config"],
        &[WORDS, "window", "grant", "route", "region", "tls", "decide", "snapshot", "pages"],
        &[],
    ),
    row(
        &["proxy"],
        &[
            WORDS,
            "window",
            "grant",
            "route",
            "region",
            "tls",
            "decide",
            "snapshot",
            "pages",
            "inject",
            "vault",
            "telemetry",
        ],
        &[],
    ),
    row(&["control"], &[EVERYTHING], &["proxy", "cli", "serve"]),
    row(&["cli"], &[WORDS, "tls", "config", "serve"], &[]),
    row(&["serve"], &[EVERYTHING], &["cli"]),
];

impl Row {
    fn allows(&self, path: &[&str]) -> bool {
        let covers = |name: &&str| match *name {
            WORDS => LEVEL_0.contains(&path[0]),
            EVERYTHING => true,
            name => {
                name.split("::").zip(path).all(|(a, b)| a == *b) && {
                    name.split("::").count() <= path.len()
                }
            }
        };
        self.may.iter().any(covers) && !self.never.iter().any(covers)
    }

    /// The row as it stands in the README.
    fn shown(&self) -> String {
        let quoted = |name: &&str| match *name {
            WORDS | EVERYTHING => (*name).to_owned(),
            name => format!("`{name}`"),
        };
        let list = |names: &[&str]| names.iter().map(quoted).collect::<Vec<_>>().join(", ");
        let never = if self.never.is_empty() { "" } else { ", but never " };
        let may = list(self.may);
        format!("| {} | {may}{never}{} |", list(self.modules), list(self.never))
    }
}

/// Paths that the table forbids.
pub(super) fn check(source: &Source) -> Vec<Complaint> {
    let module = source.module();
    let Some(own) = module.first().filter(|_| source.below_src().is_some()) else {
        return Vec::new();
    };
    let complaint =
        |line, what| Complaint { rule: "imports", path: source.path.clone(), line, what };
    let Some(row) = TABLE.iter().find(|row| row.modules.contains(own)) else {
        return vec![complaint(0, format!("`{own}` is not in the import table"))];
    };
    let forbidden = |(_, path): &(usize, Vec<&str>)| path[0] != *own && !row.allows(path);
    let found = paths(&source.production, &module).into_iter().filter(forbidden);
    found
        .map(|(line, path)| {
            complaint(line, format!("`{own}` may not import `{}`", path.join("::")))
        })
        .collect()
}

/// Every path of ours, from the crate's root, with the line it begins on.
fn paths<'a>(code: &'a str, module: &[&'a str]) -> Vec<(usize, Vec<&'a str>)> {
    let mut paths = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            // `a::super::` is the middle of a path that was met before; `$crate` is a macro's.
            if before.is_alphanumeric() || matches!(before, '_' | ':' | '$') {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let mut stem = Vec::new();
            let mut rest = &code[at..];
            if start == "super::" {
                stem = module.to_vec();
            }
            while let Some(next) = rest.strip_prefix(start) {
                stem.pop();
                rest = next;
            }
            let found = branches(rest).into_iter().map(|branch| [&stem[..], &branch].concat());
            paths.extend(found.filter(|path| !path.is_empty()).map(|path| (line, path)));
        }
    }
    paths
}

/// The paths of a tree such as `a::{b, c::{d, e}}`.
fn branches(tree: &str) -> Vec<Vec<&str>> {
    let tree = tree.trim_start();
    if let Some(inside) = tree.strip_prefix('{') {
        let mut depth = 0;
        let mut from = 0;
        let mut found = Vec::new();
        for (at, letter) in inside.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' if depth > 0 => {}
                ',' | '}' => {
                    found.extend(branches(&inside[from..at]));
                    from = at + 1;
                }
                _ => {}
            }
            if letter == '}' && from == at + 1 {
                return found;
            }
        }
        return found;
    }
    let end = tree.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let (name, rest) = tree.split_at(end.unwrap_or(tree.len()));
    if name.is_empty() {
        return Vec::new();
    }
    match rest.strip_prefix("::") {
        Some(rest) => {
            let below = branches(rest);
            let with_name = |branch: Vec<_>| [&[name], &branch[..]].concat();
            if below.is_empty() {
                vec![vec![name]]
            } else {
                below.into_iter().map(with_name).collect()
            }
        }
        None => vec![vec![name]],
    }
}

#[test]
fn modules_import_what_the_table_allows() {
    assert_tidy(source::of_crate().iter().flat_map(check).collect());
}

#[test]
fn the_table_in_the_readme_is_this_one() {
    let readme = std::fs::read_to_string(source::root().join("src/README.md")).expect("the map");
    let rows = readme.lines().skip_while(|line| !line.starts_with("| module | may import")).skip(2);
    let rows: Vec<_> = rows.take_while(|line| line.starts_with('|')).collect();
    let wanted: Vec<_> = TABLE.iter().map(Row::shown).collect();
    assert_eq!(rows, wanted, "src/README.md should say:\n{}", wanted.join("\n"));
}

#[test]
fn every_module_has_a_row_and_every_row_a_module() {
    let sources = source::of_crate();
    let exists = |name: &str| {
        let path: Vec<_> = name.split("::").collect();
        sources.iter().any(|source| source.module() == path)
    };
    for row in TABLE {
        let named = row.modules.iter().chain(row.may).chain(row.never);
        for name in named.filter(|name| ![WORDS, EVERYTHING].contains(name)) {
            assert!(exists(name), "the import table speaks of `{name}`, which is gone");
        }
    }
}

#[test]
fn a_forbidden_import_is_found_however_it_is_written() {
    for breach in [
        "use crate::control::Reconciler;",
        "use crate::{clock::Wall, store::{Store, StoreError}};",
        "fn f() { crate::config::load(); }",
        "use super::super::control::Reconciler;",
        "pub(crate) use crate::serve as s;",
    ] {
        let found = complaints_of(check, "src/proxy/hop.rs", breach);
        assert!(!found.is_empty() && found[0].0 == 1, "{breach}: {found:?}");
    }
    let found = complaints_of(check, "src/store/mod.rs", "\nuse crate::vault::{item::Item, seal};");
    assert_eq!(found, [(2, "`store` may not import `vault::seal`".to_owned())]);
    assert_eq!(complaints_of(check, "src/attic/mod.rs", "").len(), 1, "a module without a row");
    assert_eq!(complaints_of(check, "src/serve.rs", "use crate::cli::Run;").len(), 1);
}

#[test]
fn an_allowed_import_is_not_found() {
    for fine in [
        "use crate::{clock::Wall, vault::{Vault, item::Item}};",
        "// use crate::control::X;",
        "const TEXT: &str = \"crate::control::X\";",
        "#[cfg(test)]\nmod tests { use crate::control::X; }",
        "use super::upstream::Pool;",
        "use std::io;",
    ] {
        assert_eq!(complaints_of(check, "src/proxy/hop.rs", fine), [], "{fine}");
    }
}
