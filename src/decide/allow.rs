//! Paths that stay open while nothing but reading passes, such as a login.

/// Whether every one of these lists lets every method pass to `path`, a canonical one.
///
/// A path with an escaped slash or percent sign is let pass by none: servers that decode it once
/// more would find another path in it.
pub(super) fn lets(lists: &[Vec<String>], path: &str) -> bool {
    let is_plain = || !["%2F", "%5C", "%25"].iter().any(|escape| path.contains(escape));
    let listed = |list: &Vec<String>| list.iter().any(|pattern| covers(pattern, path));
    !lists.is_empty() && lists.iter().all(listed) && is_plain()
}

/// Whether it is this path, or below it where the pattern ends in `/*`.
fn covers(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*').filter(|folder| folder.ends_with('/')) {
        Some(folder) => path.starts_with(folder),
        None => path == pattern,
    }
}
