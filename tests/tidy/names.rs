//! Who may name what: one place for each database, cipher, clock and protocol library.

use super::source::{self, Source};
use super::{Complaint, assert_tidy, complaints_of};

/// A name, where it may stand, and why nowhere else.
struct Rule {
    name: &'static str,
    places: &'static [&'static str],
    why: &'static str,
}

const fn only(name: &'static str, places: &'static [&'static str], why: &'static str) -> Rule {
    Rule { name, places, why }
}

const RULES: &[Rule] = &[
    only("rusqlite", &["src/store/"], "the engine can be exchanged behind one trait"),
    only(
        "aws_lc_rs",
        &["src/digest.rs", "src/vault/seal.rs", "src/tls/"],
        "who handles keys is two files and TLS",
    ),
    only("rustls", &["src/tls/"], "TLS is spoken in one place"),
    only("tokio_rustls", &["src/tls/"], "TLS is spoken in one place"),
    only("aead", &["src/vault/seal.rs"], "there is one way to seal"),
    only("arc_swap", &["src/snapshot/"], "the planes meet in one place"),
    only("SystemTime", &["src/clock/mod.rs"], "time is an argument"),
    only("Instant::now", &["src/clock/mod.rs"], "time is an argument"),
    only("hyper::server", &["src/proxy/", "src/control/admin/", "src/cli/demo/"], "two listeners"),
    only("instant_acme", &["src/control/acme/"], "one place speaks to a CA"),
    only("rcgen", &["src/control/acme/"], "one place makes certificates"),
    only(
        "hyper::client",
        &[
            "src/proxy/",
            "src/cli/",
            "src/control/health/",
            "src/control/verify/",
            "src/control/acme/",
        ],
        "upstreams, their health, ourselves, and the admin API",
    ),
    only("axum", &["src/control/admin/"], "the admin API alone is routed by it"),
    only("minijinja", &["src/pages/", "src/cli/demo/"], "pages are rendered in one place"),
    only("prometheus", &["src/telemetry/metrics/"], "metrics are named in one place"),
    only("tracing_subscriber", &["src/telemetry/log.rs"], "the process has one log"),
    only("notify", &["src/config/watch.rs"], "files are watched in one place"),
    only("sd_notify", &["src/control/service.rs"], "the service manager is spoken to in one place"),
    only("clap", &["src/cli/"], "the command line ends at its edge"),
    only("println", &["src/cli/"], "only commands talk to a terminal"),
    only("eprintln", &["src/cli/"], "only commands talk to a terminal"),
    only("unbounded_channel", &[], "every queue has a bound in limit.rs"),
    only("anyhow", &[], "errors are enums that say what, where and how to mend"),
];

/// Names outside their place.
pub(super) fn check(source: &Source) -> Vec<Complaint> {
    if source.below_src().is_none() {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for rule in RULES {
        let at_home = rule.places.iter().any(|place| source.path.starts_with(place));
        for (line, code) in source.production.lines().enumerate() {
            if !at_home && names(code, rule.name) {
                let what = format!("`{}` may not be named here: {}", rule.name, rule.why);
                let path = source.path.clone();
                complaints.push(Complaint { rule: "names", path, line: line + 1, what });
            }
        }
    }
    complaints
}

/// Whether a line names a crate, a path or a macro: the name as a whole, at the start of a path,
/// or in its middle if it is a path itself.
fn names(code: &str, name: &str) -> bool {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    code.match_indices(name).any(|(at, _)| {
        let before = &code[..at];
        let after = &code[at + name.len()..];
        let whole = !before.ends_with(is_word) && !after.starts_with(is_word);
        let is_path = name.contains("::") || after.starts_with("::") || after.starts_with('!');
        let used = before.trim_end().ends_with("use") || before.contains("use ");
        let typed = name.starts_with(char::is_uppercase) || name.ends_with("_channel");
        let local = before.ends_with("crate::") || before.ends_with("super::");
        whole && (is_path || used || typed) && !local
    })
}

#[test]
fn names_stand_where_they_may() {
    assert_tidy(source::of_crate().iter().flat_map(check).collect());
}

#[test]
fn every_place_of_a_rule_exists() {
    for rule in RULES {
        for place in rule.places {
            assert!(source::root().join(place).exists(), "`{}`: {place} is gone", rule.name);
        }
    }
}

#[test]
fn a_name_out_of_place_is_found() {
    for (path, breach) in [
        ("src/vault/mod.rs", "use rusqlite::Connection;"),
        ("src/vault/item.rs", "use aws_lc_rs::aead;"),
        ("src/digest.rs", "use aws_lc_rs::{aead, digest};"),
        ("src/proxy/conn.rs", "let live: arc_swap::ArcSwap<u8>;"),
        ("src/proxy/conn.rs", "let now = std::time::SystemTime::now();"),
        ("src/proxy/conn.rs", "let now = tokio::time::Instant::now();"),
        ("src/serve.rs", "use hyper::server::conn::http1;"),
        ("src/proxy/conn.rs", "println!(\"x\");"),
        ("src/proxy/conn.rs", "let (tx, rx) = mpsc::unbounded_channel();"),
    ] {
        assert!(!complaints_of(check, path, breach).is_empty(), "{path}: {breach}");
    }
}

#[test]
fn a_name_in_its_place_or_of_something_else_is_not_found() {
    for (path, fine) in [
        ("src/store/embedded/mod.rs", "use rusqlite::Connection;"),
        ("src/clock/mod.rs", "SystemTime::now()"),
        ("src/proxy/conn.rs", "// SystemTime is not for us"),
        ("src/proxy/conn.rs", "let notify = waiting.notify();"),
        ("src/proxy/conn.rs", "#[cfg(test)]\nmod tests { fn t() { println!(\"x\"); } }"),
        ("tests/store/mod.rs", "use rusqlite::Connection;"),
    ] {
        assert_eq!(complaints_of(check, path, fine), [], "{path}: {fine}");
    }
}
