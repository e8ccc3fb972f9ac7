//! Files that a config names and that are read when it is compiled: certificates, keys, CAs. Read
//! off what was typed, so that those of a config that does not compile are known as well: it may be
//! them that it waits for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::limit;

/// The files. None where the text is not TOML.
pub(super) fn named(text: &str, base: &Path) -> BTreeSet<PathBuf> {
    let (table, _) = DeTable::parse_recoverable(text);
    let mut files = BTreeSet::new();
    let mut take = |section: &DeTable<'_>, keys: &[&str]| {
        for key in keys {
            if let Some(DeValue::String(path)) = section.get(*key).map(|typed| typed.get_ref())
                && files.len() < limit::WATCHED_FILES_MAX
            {
                files.insert(base.join(path.as_ref()));
            }
        }
    };
    for tls in sections(table.get_ref(), "tls") {
        take(tls, &["client_ca"]);
        sections(tls, "certificate").for_each(|one| take(one, &["chain", "key"]));
    }
    for upstream in sections(table.get_ref(), "upstream") {
        sections(upstream, "tls").for_each(|tls| take(tls, &["ca", "certificate", "key"]));
    }
    files
}

/// The directory of declared maintenances, if the text names one.
pub(super) fn maintenances(text: &str, base: &Path) -> Option<PathBuf> {
    let (table, _) = DeTable::parse_recoverable(text);
    let section = sections(table.get_ref(), "maintenances").next()?;
    match section.get("directory")?.get_ref() {
        DeValue::String(path) => Some(base.join(path.as_ref())),
        DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => None,
    }
}

/// The tables below `name`, be it one or a list.
fn sections<'a>(table: &'a DeTable<'a>, name: &str) -> impl Iterator<Item = &'a DeTable<'a>> {
    let value = table.get(name).map(|typed| typed.get_ref());
    let one = value.and_then(|value| value.as_table());
    let many = value.and_then(|value| value.as_array()).into_iter().flat_map(|list| list.iter());
    one.into_iter().chain(many.filter_map(|item| item.get_ref().as_table()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_certificates_is_found_and_nothing_else() {
        let text = r#"
            [tls]
            client_ca = "clients.pem"
            min_version = "1.3"
            [[tls.certificate]]
            chain = "site.pem"
            key = "/elsewhere/site.key"
            [[upstream]]
            name = "app"
            tls = { ca = "ca.pem", certificate = "own.pem", key = "own.key", server_name = "x" }
            [[upstream]]
            name = "plain"
        "#;
        let found = named(text, Path::new("/etc/i"));
        let wanted = ["ca.pem", "clients.pem", "own.key", "own.pem", "site.pem"];
        let mut wanted: BTreeSet<_> = wanted.map(|name| Path::new("/etc/i").join(name)).into();
        wanted.insert(PathBuf::from("/elsewhere/site.key"));
        assert_eq!(found, wanted);
        assert_eq!(named("[tls", Path::new("/")), BTreeSet::new());
        assert_eq!(named("tls = 5\nupstream = [1]", Path::new("/")), BTreeSet::new());
    }
}
