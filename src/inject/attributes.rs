//! The attributes of one tag.

use memchr::memchr;

use super::scan::{ends_name, is_blank};

/// The attributes of a tag, from its `<` on, as they stand there: references are not resolved.
pub fn attributes(tag: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let name = tag.iter().position(|byte| ends_name(*byte)).unwrap_or(tag.len());
    let mut rest = &tag[name..];
    std::iter::from_fn(move || {
        let start = rest.iter().position(|byte| !is_blank(*byte) && *byte != b'/')?;
        rest = &rest[start..];
        if rest[0] == b'>' {
            return None;
        }
        // A name may begin with `=`, and has it nowhere else.
        let ends = |byte: &u8| ends_name(*byte) || *byte == b'=';
        let length = rest.iter().skip(1).position(ends).map_or(rest.len(), |at| at + 1);
        let (name, behind) = rest.split_at(length);
        rest = behind;
        let value = behind.trim_ascii_start().strip_prefix(b"=").map(<[u8]>::trim_ascii_start);
        let Some(value) = value else { return Some((name, &b""[..])) };
        let (value, behind) = match value.first() {
            Some(quote @ (b'"' | b'\'')) => {
                let value = &value[1..];
                let end = memchr(*quote, value).unwrap_or(value.len());
                (&value[..end], value.get(end + 1..).unwrap_or_default())
            }
            Some(_) | None => {
                let ends = |byte: &u8| is_blank(*byte) || *byte == b'>';
                value.split_at(value.iter().position(ends).unwrap_or(value.len()))
            }
        };
        rest = behind;
        Some((name, value))
    })
}
