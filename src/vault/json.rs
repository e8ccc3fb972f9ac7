//! JSON (RFC 8259) of a program, read as it streams: for the names of its members and for what
//! stands in them, so that what is never kept is known there too.
//!
//! A field is named by the way to it, `user.password`, so that a secret is known however deep it
//! stands and whatever stands below its name. Texts that other readers might take in another way
//! (comments, single quotes, bare words) are malformed here.

use memchr::memchr2;

use super::form::{Fault, Part, Shape, Token};
use crate::limit;

/// What is expected next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Value,
    /// A value, or the end of an empty array.
    FirstValue,
    Key,
    /// A name, or the end of an empty object.
    FirstKey,
    InKey,
    KeyEscape,
    Colon,
    InString,
    Escape,
    /// In a number, or in `true`, `false`, `null`.
    InWord,
    /// After a value.
    After,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Nest {
    Object,
    Array,
}

struct Level {
    nest: Nest,
    /// How long the way to it is.
    path: usize,
}

/// The scanner.
pub(super) struct Json {
    at: At,
    levels: Vec<Level>,
    /// The way to where it stands.
    path: String,
    /// The name that is being read, as it is written.
    key: Vec<u8>,
    members: usize,
    /// Whether a field has begun and not ended: the elements of one array are one field.
    open: bool,
    seen: bool,
}

const MALFORMED: Fault = Fault::Malformed("it is not JSON as it should be");

impl Json {
    pub(super) fn new() -> Self {
        Self {
            at: At::Value,
            levels: Vec::new(),
            path: String::new(),
            key: Vec::new(),
            members: 0,
            open: false,
            seen: false,
        }
    }

    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        sink: &mut dyn FnMut(Token<'_>),
    ) -> Result<(), Fault> {
        while !bytes.is_empty() {
            let taken = match self.at {
                At::InString => self.string(bytes, sink),
                At::Escape => {
                    sink(Token::Value(&bytes[..1]));
                    self.at = At::InString;
                    1
                }
                At::InKey | At::KeyEscape => self.name(bytes, sink)?,
                At::InWord => self.word(bytes, sink),
                At::Value | At::FirstValue | At::Key | At::FirstKey | At::Colon | At::After => {
                    self.mark(bytes, sink)?
                }
            };
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// An empty body is none, and as good as any.
    pub(super) fn finish(&mut self, sink: &mut dyn FnMut(Token<'_>)) -> Result<(), Fault> {
        if self.at == At::InWord {
            self.ended(sink);
        }
        let is_whole = self.at == At::After && self.levels.is_empty();
        if is_whole || !self.seen { Ok(()) } else { Err(MALFORMED) }
    }

    /// Between values: what begins, ends or parts them.
    fn mark(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Token<'_>)) -> Result<usize, Fault> {
        let mark = bytes[0];
        if matches!(mark, b' ' | b'\t' | b'\r' | b'\n') {
            sink(Token::Raw(&bytes[..1]));
            return Ok(1);
        }
        self.seen = true;
        match (self.at, mark) {
            (At::Value | At::FirstValue, b'{' | b'[') => {
                self.end_field(sink);
                sink(Token::Raw(&bytes[..1]));
                self.nest(if mark == b'{' { Nest::Object } else { Nest::Array })?;
            }
            (At::Value | At::FirstValue, b'"') => {
                self.begin(sink)?;
                sink(Token::Raw(&bytes[..1]));
                self.at = At::InString;
            }
            (At::Value | At::FirstValue, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                self.begin(sink)?;
                self.at = At::InWord;
                return Ok(0);
            }
            (At::Key | At::FirstKey, b'"') => {
                sink(Token::Raw(&bytes[..1]));
                self.at = At::InKey;
            }
            (At::Colon, b':') => {
                sink(Token::Raw(&bytes[..1]));
                self.at = At::Value;
            }
            (At::After, b',') => self.next(&bytes[..1], sink)?,
            (At::After | At::FirstKey, b'}') => self.close(Nest::Object, &bytes[..1], sink)?,
            (At::After | At::FirstValue, b']') => self.close(Nest::Array, &bytes[..1], sink)?,
            (_, _) => return Err(MALFORMED),
        }
        Ok(1)
    }

    fn string(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Token<'_>)) -> usize {
        let end = memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
        if end > 0 {
            sink(Token::Value(&bytes[..end]));
            return end;
        }
        if bytes[0] == b'\\' {
            sink(Token::Value(&bytes[..1]));
            self.at = At::Escape;
        } else {
            sink(Token::Raw(&bytes[..1]));
            self.ended(sink);
        }
        1
    }

    fn word(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Token<'_>)) -> usize {
        let is_more = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let end = bytes.iter().position(|byte| !is_more(byte)).unwrap_or(bytes.len());
        if end > 0 {
            sink(Token::Value(&bytes[..end]));
        }
        if end < bytes.len() {
            self.ended(sink);
        }
        end
    }

    fn name(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Token<'_>)) -> Result<usize, Fault> {
        let byte = bytes[0];
        sink(Token::Raw(&bytes[..1]));
        self.at = match (self.at, byte) {
            (At::InKey, b'"') => {
                self.named()?;
                At::Colon
            }
            (At::InKey, b'\\') => {
                self.key.push(byte);
                At::KeyEscape
            }
            (_, _) => {
                self.key.push(byte);
                At::InKey
            }
        };
        let long = self.path.len() + self.key.len() > limit::FIELD_NAME_BYTES_MAX;
        if long { Err(Fault::Malformed("a member's name is too long")) } else { Ok(1) }
    }

    /// A name is whole: the way goes on by it.
    fn named(&mut self) -> Result<(), Fault> {
        let level = self.levels.last().ok_or(MALFORMED)?;
        self.path.truncate(level.path);
        if !self.path.is_empty() {
            self.path.push('.');
        }
        let mut unescaped = Unescape::default();
        let name = unescaped.decode(&self.key);
        self.path.push_str(&String::from_utf8_lossy(&name));
        self.key.clear();
        Ok(())
    }

    fn nest(&mut self, nest: Nest) -> Result<(), Fault> {
        if self.levels.len() >= limit::JSON_DEPTH_MAX {
            return Err(Fault::Malformed("it is nested too deep"));
        }
        self.levels.push(Level { nest, path: self.path.len() });
        self.at = match nest {
            Nest::Object => At::FirstKey,
            Nest::Array => At::FirstValue,
        };
        Ok(())
    }

    fn next(&mut self, mark: &[u8], sink: &mut dyn FnMut(Token<'_>)) -> Result<(), Fault> {
        self.at = match self.levels.last().ok_or(MALFORMED)?.nest {
            Nest::Object => At::Key,
            Nest::Array => At::Value,
        };
        // Between the elements of one field it keeps their digits apart.
        sink(if self.open { Token::Value(mark) } else { Token::Raw(mark) });
        Ok(())
    }

    fn close(
        &mut self,
        nest: Nest,
        mark: &[u8],
        sink: &mut dyn FnMut(Token<'_>),
    ) -> Result<(), Fault> {
        let level = self.levels.pop().filter(|level| level.nest == nest).ok_or(MALFORMED)?;
        self.end_field(sink);
        sink(Token::Raw(mark));
        self.path.truncate(level.path);
        self.at = At::After;
        Ok(())
    }

    fn begin(&mut self, sink: &mut dyn FnMut(Token<'_>)) -> Result<(), Fault> {
        if self.open {
            return Ok(());
        }
        self.members += 1;
        if self.members > limit::JSON_MEMBERS_MAX {
            return Err(Fault::TooManyFields);
        }
        self.open = true;
        let name = self.path.clone();
        sink(Token::Begin(&Part { name, file: None, shape: Shape::Valued }));
        Ok(())
    }

    fn ended(&mut self, sink: &mut dyn FnMut(Token<'_>)) {
        self.at = At::After;
        if self.levels.last().is_none_or(|level| level.nest == Nest::Object) {
            self.end_field(sink);
        }
    }

    fn end_field(&mut self, sink: &mut dyn FnMut(Token<'_>)) {
        if std::mem::take(&mut self.open) {
            sink(Token::End);
        }
    }
}

/// Takes the escapes out of a JSON string that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Unescape {
    /// An escape that is not whole yet, from its backslash on.
    kept: Vec<u8>,
    /// The first half of a character that is written as two escapes.
    high: Option<u32>,
}

impl Unescape {
    /// What more of the string means.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if self.kept.is_empty() && *byte != b'\\' {
                out.push(*byte);
                continue;
            }
            self.kept.push(*byte);
            let is_whole = match self.kept.get(1) {
                None => false,
                Some(b'u') => self.kept.len() == 6,
                Some(_) => true,
            };
            if is_whole {
                let escape = std::mem::take(&mut self.kept);
                self.write(&escape, &mut out);
            }
        }
        out
    }

    fn write(&mut self, escape: &[u8], out: &mut Vec<u8>) {
        let mut push = |letter: char| {
            let mut utf8 = [0; 4];
            out.extend_from_slice(letter.encode_utf8(&mut utf8).as_bytes());
        };
        match escape[1] {
            b'u' => {
                let digits = std::str::from_utf8(&escape[2..]).unwrap_or_default();
                let unit = u32::from_str_radix(digits, 16).unwrap_or(0xfffd);
                match (self.high.take(), unit) {
                    (_, 0xd800..=0xdbff) => self.high = Some(unit),
                    (Some(high), 0xdc00..=0xdfff) => {
                        let both = 0x1_0000 + ((high - 0xd800) << 10) + (unit - 0xdc00);
                        push(char::from_u32(both).unwrap_or('\u{fffd}'));
                    }
                    (_, _) => push(char::from_u32(unit).unwrap_or('\u{fffd}')),
                }
            }
            b'n' => push('\n'),
            b't' => push('\t'),
            b'r' => push('\r'),
            b'b' => push('\u{8}'),
            b'f' => push('\u{c}'),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = (Vec<(String, String)>, Vec<u8>);

    /// The fields with their values, and all bytes that were given out.
    fn read(text: &[u8], piece: usize) -> Result<Read, Fault> {
        let (mut fields, mut all) = (Vec::new(), Vec::new());
        let mut sink = |token: Token<'_>| match token {
            Token::Raw(bytes) => all.extend_from_slice(bytes),
            Token::Begin(part) => fields.push((part.name.clone(), String::new())),
            Token::Value(bytes) => {
                all.extend_from_slice(bytes);
                let (_, value) = fields.last_mut().expect("a field has begun");
                value.push_str(&String::from_utf8_lossy(bytes));
            }
            Token::End => {}
        };
        let mut json = Json::new();
        for bytes in text.chunks(piece) {
            json.push(bytes, &mut sink)?;
        }
        json.finish(&mut sink)?;
        Ok((fields, all))
    }

    #[test]
    fn members_are_named_by_the_way_to_them_in_any_pieces() {
        let text = br#"{"user": {"na\u006de":"Ana \"K\"", "tags":[1,2,"x"], "more":[{"pin":7}]},
            "ok":true, "none": [], "deep": {}, "last": -1.5e3}"#;
        let wanted = [
            ("user.name", r#"Ana \"K\""#),
            ("user.tags", "1,2,x"),
            ("user.more.pin", "7"),
            ("ok", "true"),
            ("last", "-1.5e3"),
        ];
        for piece in [1, 2, 3, 7, text.len()] {
            let (fields, all) = read(text, piece).expect("JSON");
            let told: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(told, wanted, "in pieces of {piece}");
            assert_eq!(all, text, "every byte is given out once");
        }
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        let deep = [b"[".repeat(limit::JSON_DEPTH_MAX + 1), b"]".repeat(9)].concat();
        let texts: [&[u8]; 12] = [
            b"{",
            b"{a:1}",
            b"{'a':1}",
            b"[1,]x",
            b"{}{}",
            b"\xef\xbb\xbf{}",
            b"/**/1",
            b"\"a",
            b"[1}",
            b"{\"a\" 1}",
            b"]",
            &deep,
        ];
        for text in texts {
            assert!(read(text, 4).is_err(), "{:?}", String::from_utf8_lossy(text));
        }
        for text in [&b""[..], b"7", b" \"x\" ", b"null", b"[]"] {
            assert!(read(text, 4).is_ok(), "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn escapes_mean_what_they_say() {
        let mut unescape = Unescape::default();
        let mut out = unescape.decode(br"p\u0061ss\ud83d");
        out.extend(unescape.decode(br"\ude00\n\"));
        out.extend(unescape.decode(b"\""));
        assert_eq!(String::from_utf8(out).expect("text"), "pass\u{1f600}\n\"");
    }
}
