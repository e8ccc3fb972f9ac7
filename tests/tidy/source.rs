//! Source files as the rules see them: with comments and texts told apart from code.

use std::fs;
use std::path::{Path, PathBuf};

/// One Rust file.
#[derive(Debug)]
pub(super) struct Source {
    /// From the top of the repository.
    pub(super) path: String,
    pub(super) text: String,
    /// The text with comments and the insides of literals blanked; lines stay where they are.
    pub(super) code: String,
    /// The code without items under `#[cfg(test)]`.
    pub(super) production: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = blank_comments_and_literals(text);
        let production = blank_tests(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, production }
    }

    /// The path below `src/`; none for other files.
    pub(super) fn below_src(&self) -> Option<&str> {
        self.path.strip_prefix("src/")
    }

    /// The module that the file is, as segments from the crate's root.
    pub(super) fn module(&self) -> Vec<&str> {
        let path = self.below_src().unwrap_or(&self.path).trim_end_matches(".rs");
        let is_root = |segment: &&str| !matches!(*segment, "mod" | "lib" | "main");
        path.split('/').filter(is_root).collect()
    }

    /// Lines under `#[cfg(test)]`.
    pub(super) fn inline_test_lines(&self) -> usize {
        let differs = |(code, production): &(&str, &str)| code != production;
        self.code.lines().zip(self.production.lines()).filter(differs).count()
    }
}

/// The top of the repository.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of ours.
pub(super) fn all() -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for path in files_below(&root().join(folder)) {
            if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is UTF-8");
                sources.push(Source::new(&shown(&path), &text));
            }
        }
    }
    assert!(sources.len() > 20, "the sources were found");
    sources
}

/// The sources of the crate.
pub(super) fn of_crate() -> Vec<Source> {
    all().into_iter().filter(|source| source.below_src().is_some()).collect()
}

/// A path from the top of the repository.
pub(super) fn shown(path: &Path) -> String {
    let below = path.strip_prefix(root()).unwrap_or(path);
    below.to_string_lossy().into_owned()
}

/// Every file below a folder, without what tools put there.
pub(super) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let made = matches!(&*name, ".venv" | "__pycache__" | ".pytest_cache" | "target");
            match (path.is_dir(), made) {
                (_, true) => {}
                (true, false) => folders.push(path),
                (false, false) => files.push(path),
            }
        }
    }
    files.sort();
    files
}

fn blank_comments_and_literals(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        let end = literal_or_comment(&letters, at);
        match end {
            Some(end) => {
                let blank = |letter: &char| if *letter == '\n' { '\n' } else { ' ' };
                code.extend(letters[at..end].iter().map(blank));
                at = end;
            }
            None => {
                code.push(letters[at]);
                at += 1;
            }
        }
    }
    code
}

/// The end of the comment or literal that begins at `at`, if one does.
fn literal_or_comment(letters: &[char], at: usize) -> Option<usize> {
    let rest = &letters[at..];
    let in_word = at > 0 && (letters[at - 1].is_alphanumeric() || letters[at - 1] == '_');
    match rest {
        ['/', '/', ..] => Some(until(letters, at, |rest| rest[0] == '\n')),
        ['/', '*', ..] => {
            let mut depth = 0;
            let mut end = at;
            while end < letters.len() {
                match &letters[end..] {
                    ['/', '*', ..] => (depth, end) = (depth + 1, end + 2),
                    ['*', '/', ..] => (depth, end) = (depth - 1, end + 2),
                    _ => end += 1,
                }
                if depth == 0 {
                    break;
                }
            }
            Some(end)
        }
        ['"', ..] => Some(after_string(letters, at + 1)),
        ['r', '"' | '#', ..] if !in_word => raw_string(letters, at + 1),
        ['b', 'r', '"' | '#', ..] if !in_word => raw_string(letters, at + 2),
        ['\'', '\\', ..] => Some(until(letters, at + 3, |rest| rest[0] == '\'') + 1),
        ['\'', _, '\'', ..] => Some(at + 3),
        _ => None,
    }
}

fn raw_string(letters: &[char], at: usize) -> Option<usize> {
    let hashes = letters[at..].iter().take_while(|letter| **letter == '#').count();
    if letters.get(at + hashes) != Some(&'"') {
        return None;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    Some(until(letters, at + hashes + 1, |rest| rest.starts_with(&end)) + end.len())
}

fn after_string(letters: &[char], mut at: usize) -> usize {
    while at < letters.len() && letters[at] != '"' {
        at += if letters[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(letters.len())
}

fn until(letters: &[char], from: usize, is_end: impl Fn(&[char]) -> bool) -> usize {
    (from..letters.len()).find(|at| is_end(&letters[*at..])).unwrap_or(letters.len())
}

/// Blanks each item under `#[cfg(test)]`: up to its closing brace, or its semicolon.
fn blank_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut left = code.to_owned();
    while let Some(start) = left.find(MARK) {
        let mut depth = 0;
        let body = start + MARK.len();
        let end = left[body..].char_indices().find(|(_, letter)| {
            depth += match letter {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            depth == 0 && matches!(letter, '}' | ';')
        });
        let end = end.map_or(left.len(), |(at, _)| body + at + 1);
        let blank = |letter: char| if letter == '\n' { '\n' } else { '\u{1}' };
        let blanked: String = left[start..end].chars().map(blank).collect();
        left.replace_range(start..end, &blanked);
    }
    left
}

#[test]
fn comments_literals_and_tests_are_told_from_code() {
    let text = r##"//! crate::a
use x::y; /* crate::b /* nested */ crate::c */ const Q: char = '"'; // crate::d
const S: &str = "crate::e \" crate::f"; const R: &str = r#"crate::g " "#; fn z<'a>(_: &'a u8) {}
const E: char = '\''; const T: &[u8] = br"crate::h"; crate::real();
#[cfg(test)]
mod tests { fn t() { crate::test(); } }
crate::after();
"##;
    let source = Source::new("src/a/b/mod.rs", text);
    assert_eq!(source.code.matches("crate::").count(), 3, "{}", source.code);
    assert_eq!(source.production.matches("crate::").count(), 2, "{}", source.production);
    assert!(source.production.contains("fn z<'a>(_: &'a u8) {}"));
    assert_eq!((source.module(), source.inline_test_lines()), (vec!["a", "b"], 2));
    assert_eq!(source.code.lines().count(), text.lines().count());
}
