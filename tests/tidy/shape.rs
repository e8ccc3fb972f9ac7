//! How big things may be, and how a file begins.

use super::source::{self, Source};
use super::{Complaint, assert_tidy, complaints_of};

/// Lines of a file without its inline tests.
const FILE_LINES_MAX: usize = 450;
/// Lines of inline tests; more go to `tests/`.
const INLINE_TEST_LINES_MAX: usize = 100;
/// Folders between `src/` and a file.
const DEPTH_MAX: usize = 3;
/// Characters of a line.
const COLUMNS_MAX: usize = 100;

/// Sources that are too big, too deep, too wide, or do not say what they are.
pub(super) fn check(source: &Source) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut complain = |rule, line, what| {
        complaints.push(Complaint { rule, path: source.path.clone(), line, what });
    };
    let tests = source.inline_test_lines();
    let lines = source.text.lines().count() - tests;
    if lines > FILE_LINES_MAX {
        complain("file-size", 0, format!("{lines} lines; {FILE_LINES_MAX} are allowed"));
    }
    if tests > INLINE_TEST_LINES_MAX {
        let what = format!("{tests} lines of inline tests; move them to tests/");
        complain("inline-tests", 0, what);
    }
    let depth = source.below_src().map_or(0, |path| path.matches('/').count());
    if depth > DEPTH_MAX {
        complain("depth", 0, format!("{depth} folders deep; {DEPTH_MAX} are allowed"));
    }
    if !source.text.starts_with("//! ") {
        complain("module-doc", 1, "begins without a `//!` sentence saying what it is".to_owned());
    }
    for (at, line) in source.text.lines().enumerate() {
        // A text may be longer: one that is broken up cannot be searched for.
        let is_text = line.contains('"') && !line.trim_start().starts_with("//");
        let columns = line.chars().count();
        if columns > COLUMNS_MAX && !is_text {
            complain("columns", at + 1, format!("{columns} columns"));
        }
    }
    complaints
}

#[test]
fn sources_are_of_a_readable_size_and_say_what_they_are() {
    assert_tidy(source::all().iter().flat_map(check).collect());
}

#[test]
fn what_is_too_big_deep_or_wide_is_found() {
    let found = |path: &str, text: &str| {
        let found = check(&Source::new(path, text));
        found.into_iter().map(|complaint| complaint.rule).collect::<Vec<_>>()
    };
    let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(450));
    assert_eq!(found("src/a.rs", &long), ["file-size"]);
    let tests =
        "//! Tests.\n#[cfg(test)]\nmod tests {\n".to_owned() + &"x();\n".repeat(100) + "}\n";
    assert_eq!(found("src/a.rs", &tests), ["inline-tests"]);
    assert_eq!(found("src/a/b/c/d/e.rs", "//! Deep.\n"), ["depth"]);
    assert_eq!(found("src/a.rs", "fn f() {}\n"), ["module-doc"]);
    assert_eq!(found("src/a.rs", &format!("//! Wide.\n// {}\n", "é".repeat(98))), ["columns"]);
    let text = format!("const TEXT: &str = \"{}\";\n", "é".repeat(97));
    let fine = format!("//! Fine.\n{text}{}// {}\n", "fn f() {}\n".repeat(440), "é".repeat(97));
    assert_eq!(complaints_of(check, "src/a/b/c/d.rs", &fine), []);
}
