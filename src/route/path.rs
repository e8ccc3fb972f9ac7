//! The one canonical form of a path that routes are matched on. What is forwarded is the raw one.
//!
//! Applications take many spellings for one page, so all of them must meet in one: otherwise a
//! closed route is reached by writing it differently. In the canonical form
//!
//! - every escape of a character that may stand in a segment unescaped is decoded (`%61` is `a`,
//!   `%40` is `@`), other escapes have upper-case digits, and bytes that have no place in a path
//!   are escaped;
//! - `.` and `..` segments are resolved, however they are written, and runs of slashes are one;
//! - parameters (`;jsessionid=…`) are cut off, since Java containers route without them.
//!
//! Where applications disagree about what a spelling means, it has no canonical form: dots that
//! only some servers see (`/..;/`, `/..%2f`) are a fault.

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
    /// A dot segment that one server resolves and another does not, such as `..;` or `..%2f`.
    #[error("a dot segment beside a semicolon or an escaped slash")]
    HiddenDots,
    /// A raw `?` or `#`, where a path ends.
    #[error("a question mark or number sign within the path")]
    Delimiter,
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
/// from what was sent. Nothing is allocated as long as `scratch` is large enough.
pub fn canonical<'a>(raw: &'a str, scratch: &'a mut String) -> Result<Canonical<'a>, PathFault> {
    if !raw.starts_with('/') {
        return Err(PathFault::NotBelowRoot);
    }
    if is_canonical(raw.as_bytes()) {
        return Ok(Canonical { path: raw, encoded_slashes: false });
    }
    scratch.clear();
    let mut encoded_slashes = false;
    let mut ends_with_slash = false;
    for segment in raw[1..].split('/') {
        let start = scratch.len();
        scratch.push('/');
        let met = append(segment, scratch)?;
        if met.separator && hides_dots(&scratch[start + 1..]) {
            return Err(PathFault::HiddenDots);
        }
        encoded_slashes |= met.slash;
        if let Some(parameters) = scratch[start..].find(';') {
            scratch.truncate(start + parameters);
        }
        ends_with_slash = matches!(&scratch[start + 1..], "" | "." | "..");
        if ends_with_slash {
            let up = &scratch[start + 1..] == "..";
            scratch.truncate(start);
            if up {
                let parent = scratch.rfind('/').ok_or(PathFault::NotBelowRoot)?;
                scratch.truncate(parent);
            }
        }
    }
    if ends_with_slash {
        scratch.push('/');
    }
    Ok(Canonical { path: scratch, encoded_slashes })
}

/// What a byte is in a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Stands for itself.
    Plain,
    Dot,
    Slash,
    Percent,
    /// Backslash: a slash to some servers.
    Backslash,
    Semicolon,
    /// `?` and `#`.
    End,
    Control,
    /// Escaped in the canonical form.
    Foreign,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Foreign; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => Class::Plain,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' => Class::Plain,
            b'=' | b':' | b'@' => Class::Plain,
            b'.' => Class::Dot,
            b'/' => Class::Slash,
            b'%' => Class::Percent,
            b'\\' => Class::Backslash,
            b';' => Class::Semicolon,
            b'?' | b'#' => Class::End,
            0..=0x1f | 0x7f => Class::Control,
            _ => Class::Foreign,
        };
        byte += 1;
    }
    classes
};

const fn class(byte: u8) -> Class {
    CLASSES[byte as usize]
}

/// Whether the path is in canonical form and free of encoded slashes. It begins with a slash.
fn is_canonical(raw: &[u8]) -> bool {
    let mut after_slash = true;
    let mut rest = &raw[1..];
    while let [first, tail @ ..] = rest {
        rest = tail;
        match class(*first) {
            Class::Plain => {}
            Class::Dot if !after_slash => {}
            Class::Slash if !after_slash => {
                after_slash = true;
                continue;
            }
            Class::Dot if !matches!(tail, [] | [b'/' | b'.', ..]) => {}
            Class::Percent => match tail {
                // An escape that must stay: its digits are upper-case, and it is not a dot, a
                // slash, a semicolon or anything else that needs a closer look.
                [
                    high @ (b'0'..=b'9' | b'A'..=b'F'),
                    low @ (b'0'..=b'9' | b'A'..=b'F'),
                    after @ ..,
                ] if class(digit(*high) << 4 | digit(*low)) == Class::Foreign => {
                    rest = after;
                }
                _ => return false,
            },
            Class::Dot | Class::Slash | Class::Backslash | Class::Semicolon => return false,
            Class::End | Class::Control | Class::Foreign => return false,
        }
        after_slash = false;
    }
    true
}

/// What was met in a segment.
struct Met {
    /// An escaped slash or a backslash.
    slash: bool,
    /// Something that some servers split a segment at.
    separator: bool,
}

/// Appends a segment, parameters included, with its escapes in canonical form.
fn append(segment: &str, to: &mut String) -> Result<Met, PathFault> {
    let mut met = Met { slash: false, separator: false };
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = class(*first) == Class::Percent;
        let byte = if escape { unescape(tail)? } else { *first };
        rest = if escape { &tail[2..] } else { tail };
        match class(byte) {
            Class::Plain | Class::Dot => to.push(char::from(byte)),
            Class::Control => return Err(PathFault::Control),
            Class::End if !escape => return Err(PathFault::Delimiter),
            Class::Semicolon if !escape => {
                met.separator = true;
                to.push(';');
            }
            Class::Semicolon => {
                met.separator = true;
                push_escaped(byte, to);
            }
            Class::Slash | Class::Backslash => {
                met = Met { slash: true, separator: true };
                push_escaped(byte, to);
            }
            Class::End | Class::Percent | Class::Foreign => push_escaped(byte, to),
        }
    }
    Ok(met)
}

/// Whether a part of the segment would be a dot segment to a server that splits it further.
fn hides_dots(segment: &str) -> bool {
    let parts = segment.split(';').flat_map(|part| part.split("%3B"));
    let mut parts = parts.flat_map(|part| part.split("%2F")).flat_map(|part| part.split("%5C"));
    parts.any(|part| matches!(part, "." | ".."))
}

fn unescape(digits: &[u8]) -> Result<u8, PathFault> {
    match digits {
        [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            Ok(digit(*high) << 4 | digit(*low))
        }
        _ => Err(PathFault::BadEscape),
    }
}

/// The value of a hexadecimal digit.
const fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => 0,
    }
}

fn push_escaped(byte: u8, to: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    to.push('%');
    to.push(char::from(DIGITS[usize::from(byte >> 4)]));
    to.push(char::from(DIGITS[usize::from(byte & 0xf)]));
}
