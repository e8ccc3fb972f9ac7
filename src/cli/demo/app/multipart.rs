//! Reads `multipart/form-data` bodies that are whole in memory: as much as the portal needs.

use memchr::memmem;

/// Parts of one body. Over it: the rest is ignored.
const PARTS_MAX: usize = 100;

/// One field or file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The field's name.
    pub(super) name: String,
    /// The file's name, if it is a file.
    pub(super) file_name: Option<String>,
    /// The bytes.
    pub(super) content: &'a [u8],
}

/// The boundary that a content type names.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut parameters = parameters.split(';').map(str::trim);
    let value = parameters.find_map(|parameter| parameter.strip_prefix("boundary="))?;
    Some(value.trim_matches('"')).filter(|boundary| !boundary.is_empty())
}

/// The parts of `body`; nothing if it is not what its boundary says.
pub(super) fn parts<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<Part<'a>>> {
    let fence = format!("--{boundary}");
    let between = format!("\r\n{fence}");
    let mut rest = body.strip_prefix(fence.as_bytes())?;
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") && parts.len() < PARTS_MAX {
        rest = rest.strip_prefix(b"\r\n")?;
        let head = memmem::find(rest, b"\r\n\r\n")?;
        let content = &rest[head + 4..];
        let end = memmem::find(content, between.as_bytes())?;
        parts.push(part(std::str::from_utf8(&rest[..head]).ok()?, &content[..end])?);
        rest = &content[end + between.len()..];
    }
    Some(parts)
}

fn part<'a>(head: &str, content: &'a [u8]) -> Option<Part<'a>> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, disposition) =
        lines.find(|(name, _)| name.eq_ignore_ascii_case("content-disposition"))?;
    let parameter = |name: &str| {
        let mut values = disposition.split(';').filter_map(|value| value.trim().split_once('='));
        values.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"').to_owned())
    };
    Some(Part { name: parameter("name")?, file_name: parameter("filename"), content })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_files_come_apart_to_the_byte() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
            --x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"b.bin\"\r\n\
            Content-Type: application/octet-stream\r\n\r\n\r\n-\0--\r\n--x--\r\n";
        let parts = parts(body, "x").expect("two parts");
        assert_eq!(parts[0], Part { name: "a".into(), file_name: None, content: b"1" });
        assert_eq!(parts[1].file_name.as_deref(), Some("b.bin"));
        assert_eq!(parts[1].content, b"\r\n-\0--");
    }

    #[test]
    fn a_torn_body_has_no_parts() {
        for torn in [&b""[..], b"--y\r\n", b"--x\r\nno head", b"--x\r\nA: b\r\n\r\nno end"] {
            assert_eq!(parts(torn, "x"), None);
        }
        assert_eq!(boundary("text/plain; boundary=x"), None);
        assert_eq!(boundary("multipart/form-data; charset=utf-8; boundary=\"x\""), Some("x"));
    }
}
