//! `[store]`: where what must survive is kept, how much of it, and the keys that it is sealed with.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::file::Section;
use super::problem::Found;
use super::{KeyFrom, StoreRules, keys, node, quantity};
use crate::limit;

/// Reads `[store]`. No key is read here: `check` is for whoever may not see it.
pub(super) fn store(file: &Section<'_>, base: &Path, found: &mut Found) -> (PathBuf, StoreRules) {
    let store = file.section("store", &keys::STORE, found);
    let directory = node::directory(&store, "directory", base, found);
    let directory =
        directory.map_or_else(|| PathBuf::from("/var/lib/intermission"), Spanned::into_inner);
    let most = limit::STORE_BYTES_CEILING;
    let key = store.section("key", &keys::STORE_KEY, found);
    let key = if store.has("key") { key_from(&key, base, found) } else { None };
    let sections = store.sections("former_keys", &keys::FORMER_KEYS, found);
    if sections.len() > limit::FORMER_KEYS_MAX {
        let help = format!("keep the newest {}", limit::FORMER_KEYS_MAX);
        found.add(store.place("former_keys"), "there are too many former keys", help);
    }
    let former_keys = sections.iter().filter_map(|section| key_from(section, base, found));
    let rules = StoreRules {
        former_keys: former_keys.collect(),
        key,
        bytes_max: quantity::size(&store, "bytes_max", limit::BYTES_PER_NODE_MAX, most, found),
        free_bytes_min: store.has("free_bytes_min").then(|| {
            let usual = limit::STORE_RESERVE_BYTES;
            quantity::size(&store, "free_bytes_min", usual, most, found)
        }),
    };
    (directory, rules)
}

/// The one place that a key is said to be in.
fn key_from(section: &Section<'_>, base: &Path, found: &mut Found) -> Option<KeyFrom> {
    let file = node::directory(section, "file", base, found).map(Spanned::into_inner);
    let file = file.map(KeyFrom::File);
    let env = named(section, "env", found).map(KeyFrom::Env);
    let credential = named(section, "credential", found).map(KeyFrom::Credential);
    let given = ["file", "env", "credential"].into_iter().filter(|name| section.has(name)).count();
    if given != 1 {
        let what = format!("{} names {given} places for one key", section.title());
        let help =
            format!("write one of `file`, `env` and `credential`: {}", section.example("file"));
        found.add(section.span(), what, help);
    }
    file.or(env).or(credential)
}

/// The name of a variable or of a credential.
fn named(section: &Section<'_>, name: &'static str, found: &mut Found) -> Option<String> {
    let typed = section.text(name, found)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let text = typed.get_ref();
    if text.is_empty() || text.starts_with('.') || !text.chars().all(fits) {
        let what = format!("`{name}` is no name");
        found.add(typed.span(), what, format!("write it like this: {}", section.example(name)));
        return None;
    }
    Some(typed.into_inner())
}
