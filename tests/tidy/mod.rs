//! The house's own rules, read off the source: who may import whom, sizes, words, the map.
//!
//! Each rule is a function from a source to complaints, and has a test that shows it a breach. A
//! rule may be broken by an entry in [`ALLOWED`] with a reason; the list may only shrink.

mod imports;
mod map;
mod names;
mod readme;
mod shape;
mod source;
mod words;

use source::Source;

/// What a rule found: where, and what is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Complaint {
    rule: &'static str,
    path: String,
    /// From 1; 0 for the file as a whole.
    line: usize,
    what: String,
}

impl std::fmt::Display for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {} [{}]", self.path, self.line, self.what, self.rule)
    }
}

/// Breaches that stand for a reason: rule, path, reason.
const ALLOWED: &[(&str, &str, &str)] =
    &[("module-doc", "src/lib.rs", "its documentation is src/README.md, included whole")];

/// Fails with everything that is not allowed.
#[track_caller]
fn assert_tidy(complaints: Vec<Complaint>) {
    let allowed = |complaint: &Complaint| {
        ALLOWED.iter().any(|(rule, path, _)| (*rule, *path) == (complaint.rule, &complaint.path))
    };
    let left: Vec<_> = complaints.iter().filter(|c| !allowed(c)).map(ToString::to_string).collect();
    assert!(left.is_empty(), "{} breaches\n{}", left.len(), left.join("\n"));
}

/// What a rule says of one made-up source.
fn complaints_of(
    rule: impl Fn(&Source) -> Vec<Complaint>,
    path: &str,
    text: &str,
) -> Vec<(usize, String)> {
    rule(&Source::new(path, text)).into_iter().map(|found| (found.line, found.what)).collect()
}

#[test]
fn every_allowed_breach_is_a_breach_and_has_a_reason() {
    let sources = source::all();
    let rules = [shape::check, words::check, names::check, imports::check];
    let found: Vec<_> = sources.iter().flat_map(|s| rules.iter().flat_map(|r| r(s))).collect();
    for (rule, path, reason) in ALLOWED {
        assert!(reason.len() > 10, "{rule} at {path}: why?");
        let is_breach = found.iter().any(|c| (c.rule, c.path.as_str()) == (*rule, *path));
        assert!(is_breach, "{path} does not break {rule} any more: take it off the list");
    }
}
