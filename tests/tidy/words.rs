//! Words that do not stand in this house, and tags that are spelled one way.

use std::sync::LazyLock;

use regex::Regex;

use super::source::{self, Source};
use super::{Complaint, assert_tidy, complaints_of};

/// Tags that a comment may begin with.
const TAGS: [&str; 4] = ["INVARIANT", "CANCEL", "ORDER", "SLEEP"];

static UNFINISHED: LazyLock<Regex> = LazyLock::new(|| {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    Regex::new(&format!(r"(?-u)\b({})\b", words.join("|"))).expect("words")
});
static UNFINISHED_MACRO: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?-u)\b(todo|unimplemented|dbg)!").expect("words"));
static EMPTY_NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?-u)\b\w*(Manager|Helper|Util)s?\b").expect("words"));
static TAG: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?-u)//[/!]?( ?)([A-Za-z]+)( ?):").expect("a tag"));
static SLEEP: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?-u)\bsleep(_until)?\(").expect("a call"));

/// Words, attributes and tags that are not in use here.
pub(super) fn check(source: &Source) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut complain = |rule, line: usize, what| {
        complaints.push(Complaint { rule, path: source.path.clone(), line, what });
    };
    let in_tests = source.path.starts_with("tests/");
    let texts: Vec<&str> = source.text.lines().collect();
    for (at, (text, code)) in texts.iter().zip(source.code.lines()).enumerate() {
        if let Some(word) = UNFINISHED.find(text) {
            complain("unfinished", at + 1, format!("`{}`: finish it", word.as_str()));
        }
        if let Some(call) = UNFINISHED_MACRO.find(code) {
            complain("unfinished", at + 1, format!("`{}`", call.as_str()));
        }
        if let Some(name) = EMPTY_NAME.find(code) {
            let what = format!("`{}`: name it for what it is in the trade", name.as_str());
            complain("names-say-something", at + 1, what);
        }
        if code.contains("#[ignore") {
            complain("ignored-test", at + 1, "a test that does not run tells nothing".to_owned());
        }
        if let Some(tag) = misspelled_tag(text, code) {
            complain("tags", at + 1, format!("`{tag}`: the tags are {}", TAGS.join(", ")));
        }
        if in_tests && SLEEP.is_match(code) && !explained(&texts[..at]) {
            let what = "a sleep in a test: await the condition, or say why under `// SLEEP:`";
            complain("sleep", at + 1, what.to_owned());
        }
    }
    complaints
}

/// Whether the comment right above says why it sleeps.
fn explained(above: &[&str]) -> bool {
    let comment = above.iter().rev().take_while(|line| line.trim_start().starts_with("//"));
    comment.into_iter().any(|line| line.contains("// SLEEP: "))
}

/// A comment's tag, if it is one of ours written otherwise.
fn misspelled_tag<'a>(text: &'a str, code: &str) -> Option<&'a str> {
    let found = TAG.captures(text)?;
    let comment = found.get(0)?;
    // What stands in a text is no comment: the slashes would have been blanked with it.
    let is_comment = code.get(comment.start()..).is_none_or(|rest| rest.trim().is_empty());
    let tag = found.get(2)?.as_str();
    let loud = tag.chars().all(|letter| letter.is_ascii_uppercase());
    let near = |known: &&str| {
        known.eq_ignore_ascii_case(tag) || loud && strsim::levenshtein(known, tag) <= 2
    };
    let ours = TAGS.iter().any(near);
    let right = TAGS.contains(&tag) && &found[1] == " " && found[3].is_empty();
    (is_comment && ours && !right).then_some(tag)
}

#[test]
fn no_banned_word_stands_anywhere() {
    assert_tidy(source::all().iter().flat_map(check).collect());
}

#[test]
fn banned_words_are_found() {
    let todo = concat!("// TO", "DO: later");
    let fixme = concat!("let a = 1; // FIX", "ME");
    for breach in [
        todo,
        fixme,
        "todo!()",
        "dbg!(x)",
        "unimplemented!(\"x\")",
        "struct WindowManager;",
        "use a::StrUtils;",
        "fn f(h: &PathHelper) {}",
        "#[ignore]",
        "#[ignore = \"slow\"]",
        "// Order: this first",
        "// INVARIANTS: two",
        "//ORDER: x",
        "// CANCEL : x",
        "std::thread::sleep(a);",
        "// Waits.\ntokio::time::sleep(a).await;",
    ] {
        let found = complaints_of(check, "tests/a/mod.rs", breach);
        assert!(!found.is_empty(), "{breach}");
    }
}

#[test]
fn other_words_are_not_found() {
    for fine in [
        "// ORDER: persist, then publish.",
        "/// Utility is what counts: see there.",
        "use hyper_util::rt::TokioIo;",
        "// SLEEP: nothing announces it.\nstd::thread::sleep(a);",
        "let text = \"todo!() WindowManager\";",
        "// FULL: not ours",
        "//! INVARIANT: one writer.",
        "/// CANCEL: nothing is lost.",
        "let url = \"http://CANCEL: x\";",
    ] {
        assert_eq!(complaints_of(check, "tests/a/mod.rs", fine), [], "{fine}");
    }
    let fine = "tokio::time::sleep_until(deadline).await;";
    assert_eq!(complaints_of(check, "src/proxy/conn.rs", fine), [], "{fine}");
}
