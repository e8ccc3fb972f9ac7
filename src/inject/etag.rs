//! Entity tags of pages that have our script: another body needs another tag (RFC 9110 §8.8.3).
//!
//! The mark holds the script's digest, so that after an upgrade a browser's copy is not taken for
//! fresh, and tells a weak tag of the application from a strong one, so that the application is
//! asked with the tag that it gave.

use super::digest8;

/// Of a strong tag, and of a weak one.
const MARKS: [&str; 2] = ["-im", "-imw"];

/// The tag of a page with our script; none for what is no tag.
pub fn mark(tag: &str) -> Option<String> {
    let (weak, inner) = split(tag)?;
    let mark = MARKS[usize::from(weak)];
    Some(format!("W/\"{inner}{mark}{}\"", digest8()))
}

/// The application's tag, if this one has our mark, with the script of now.
pub fn unmark(tag: &str) -> Option<String> {
    let (_, inner) = split(tag)?;
    let inner = inner.strip_suffix(digest8())?;
    // `-im` ends no tag that ends in `-imw`.
    if let Some(strong) = inner.strip_suffix(MARKS[0]) {
        return Some(format!("\"{strong}\""));
    }
    inner.strip_suffix(MARKS[1]).map(|weak| format!("W/\"{weak}\""))
}

/// A list of tags with ours made into the application's, and those; none if it has none of ours.
pub fn unmark_list(list: &str) -> Option<(String, Vec<String>)> {
    let mut ours = Vec::new();
    let tags: Vec<String> = members(list)
        .map(|tag| match unmark(tag) {
            Some(theirs) => {
                ours.push(theirs.clone());
                theirs
            }
            None => tag.to_owned(),
        })
        .collect();
    (!ours.is_empty()).then(|| (tags.join(", "), ours))
}

/// Whether two tags are the same by the weak comparison (RFC 9110 §8.8.3.2).
pub fn is_same(a: &str, b: &str) -> bool {
    split(a).zip(split(b)).is_some_and(|((_, a), (_, b))| a == b)
}

/// Whether a tag is weak, and what it says.
fn split(tag: &str) -> Option<(bool, &str)> {
    let tag = tag.trim();
    let (weak, quoted) = match tag.strip_prefix("W/") {
        Some(quoted) => (true, quoted),
        None => (false, tag),
    };
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains('"')).then_some((weak, inner))
}

/// The members of a list; commas within quotes are no ends.
fn members(list: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let parts = list.split(move |letter| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}
