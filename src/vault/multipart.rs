//! `multipart/form-data` (RFC 7578), read strictly: what leaves any doubt about where a part
//! begins or ends could be read in another way by the application, and is not kept.

use memchr::memmem::{self, Finder};

use super::form::{Fault, FieldCount, Part, Shape, Token};
use crate::limit;

const HEAD_END: &[u8] = b"\r\n\r\n";
/// A closing boundary may be followed by a line end, nothing else.
const EPILOGUE_BYTES_MAX: usize = 4;

/// What is expected next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// The first boundary.
    Start,
    /// After a boundary: a line end, or the two hyphens of the closing one.
    Boundary,
    /// A part's head, up to its blank line.
    Head,
    /// A part's content, up to the next boundary.
    Content,
    /// What follows the closing boundary; this much has.
    Epilogue(usize),
}

/// The scanner.
pub(super) struct Multipart {
    /// Line end, two hyphens, boundary.
    delimiter: Vec<u8>,
    finder: Finder<'static>,
    /// Bytes that cannot be told apart before more have come.
    held: Vec<u8>,
    at: At,
    fields: FieldCount,
}

impl Multipart {
    pub(super) fn new(boundary: &str) -> Self {
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        Self {
            finder: Finder::new(&delimiter).into_owned(),
            delimiter,
            held: Vec::new(),
            at: At::Start,
            fields: FieldCount::default(),
        }
    }

    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        sink: &mut dyn FnMut(Token<'_>),
    ) -> Result<(), Fault> {
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(bytes);
        let mut used = 0;
        while let Some(taken) = self.take(&held[used..], sink)? {
            used += taken;
        }
        held.drain(..used);
        self.held = held;
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        match self.at {
            At::Epilogue(_) if self.held.is_empty() => Ok(()),
            At::Start | At::Boundary | At::Head | At::Content | At::Epilogue(_) => {
                Err(Fault::Malformed("it ends before its closing boundary"))
            }
        }
    }

    /// Takes one step and gives how many bytes it used; none if it must wait for more.
    fn take(
        &mut self,
        bytes: &[u8],
        sink: &mut dyn FnMut(Token<'_>),
    ) -> Result<Option<usize>, Fault> {
        match self.at {
            At::Start => self.start(bytes, sink),
            At::Boundary => self.boundary(bytes, sink),
            At::Head => self.head(bytes, sink),
            At::Content => Ok(self.content(bytes, sink)),
            At::Epilogue(before) => self.epilogue(bytes, before, sink),
        }
    }

    fn start(
        &mut self,
        bytes: &[u8],
        sink: &mut dyn FnMut(Token<'_>),
    ) -> Result<Option<usize>, Fault> {
        let first = &self.delimiter[2..];
        let known = bytes.len().min(first.len());
        if bytes[..known] != first[..known] {
            return Err(Fault::Malformed("it does not begin with its boundary"));
        }
        if known < first.len() {
            return Ok(None);
        }
        sink(Token::Raw(first));
        self.at = At::Boundary;
        Ok(Some(known))
    }

    fn boundary(
        &mut self,
        bytes: &[u8],
        sink: &mut dyn FnMut(Token<'_>),
    ) -> Result<Option<usize>, Fault> {
        let Some(mark) = bytes.get(..2) else { return Ok(None) };
        self.at = match mark {
            b"\r\n" => At::Head,
            b"--" => At::Epilogue(0),
            _ => return Err(Fault::Malformed("a boundary is followed by other bytes")),
        };
        sink(Token::Raw(mark));
        Ok(Some(2))
    }

    fn head(
        &mut self,
        bytes: &[u8],
        sink: &mut dyn FnMut(Token<'_>),
    ) -> Result<Option<usize>, Fault> {
        let end = memmem::find(bytes, HEAD_END);
        if end.unwrap_or(bytes.len()) > limit::FIELD_NAME_BYTES_MAX {
            return Err(Fault::Malformed("a part's head is too long"));
        }
        let Some(end) = end else { return Ok(None) };
        let part =
            part(&bytes[..end]).ok_or(Fault::Malformed("a part does not say which field it is"))?;
        self.fields.one_more(part.name.len() + part.file.as_ref().map_or(0, String::len))?;
        sink(Token::Raw(&bytes[..end + HEAD_END.len()]));
        sink(Token::Begin(&part));
        self.at = At::Content;
        Ok(Some(end + HEAD_END.len()))
    }

    fn content(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Token<'_>)) -> Option<usize> {
        if let Some(end) = self.finder.find(bytes) {
            if end > 0 {
                sink(Token::Value(&bytes[..end]));
            }
            sink(Token::End);
            sink(Token::Raw(&self.delimiter));
            self.at = At::Boundary;
            return Some(end + self.delimiter.len());
        }
        // The tail may be the beginning of a boundary.
        let sure = bytes.len().saturating_sub(self.delimiter.len() - 1);
        if sure == 0 {
            return None;
        }
        sink(Token::Value(&bytes[..sure]));
        Some(sure)
    }

    fn epilogue(
        &mut self,
        bytes: &[u8],
        before: usize,
        sink: &mut dyn FnMut(Token<'_>),
    ) -> Result<Option<usize>, Fault> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let length = before + bytes.len();
        let blank = bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        if !blank || length > EPILOGUE_BYTES_MAX {
            return Err(Fault::Malformed("bytes follow its closing boundary"));
        }
        sink(Token::Raw(bytes));
        self.at = At::Epilogue(length);
        Ok(Some(bytes.len()))
    }
}

/// The field that a part's head names.
fn part(head: &[u8]) -> Option<Part> {
    let head = String::from_utf8_lossy(head);
    let mut found = None;
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-disposition") {
            if found.is_some() {
                return None;
            }
            found = Some(disposition(value.trim())?);
        }
    }
    found
}

/// `form-data; name="…"; filename="…"`.
fn disposition(value: &str) -> Option<Part> {
    let kind = value.get(..9)?;
    let mut rest = value.get(9..)?.trim_start();
    let (mut name, mut file) = (None, None);
    while let Some(parameter) = rest.strip_prefix(';') {
        let (key, after) = parameter.split_once('=')?;
        let (text, after) = parameter_value(after)?;
        rest = after.trim_start();
        match key.trim().to_ascii_lowercase().as_str() {
            "name" if name.is_none() => name = Some(text),
            "filename" | "filename*" => file = Some(text),
            "name" => return None,
            _ => {}
        }
    }
    let whole = kind.eq_ignore_ascii_case("form-data") && rest.is_empty();
    whole.then_some(Part { name: name?, file, shape: Shape::Valued })
}

/// A quoted or plain parameter value, and what follows it. Browsers write `"` as `%22` and leave
/// a backslash alone; others escape with it. A quote after a backslash therefore ends the value
/// only where a parameter can end.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_at(text.find(';').unwrap_or(text.len()));
        return Some((value.trim().to_owned(), rest));
    };
    let ends = |at: usize| {
        let after = quoted[at + 1..].trim_start();
        after.is_empty() || after.starts_with(';')
    };
    let (end, _) =
        quoted.match_indices('"').find(|(at, _)| !quoted[..*at].ends_with('\\') || ends(*at))?;
    let value = quoted[..end].replace("\\\"", "\"").replace("%22", "\"");
    Some((value.replace("%0D", "\r").replace("%0A", "\n"), &quoted[end + 1..]))
}
