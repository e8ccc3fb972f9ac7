//! `name=value` forms: `application/x-www-form-urlencoded` and `text/plain`.

use memchr::memchr2;

use super::form::{Fault, FieldCount, Part, Shape, Token, decode};
use crate::limit;

/// Where in a pair the scanner stands.
enum At {
    Name,
    Value,
}

/// How pairs are told apart and their names decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// Separated by `&`, percent-encoded.
    Urlencoded,
    /// One a line, as they are. A value with line breaks looks like more pairs: nobody can tell.
    Plain,
}

/// The scanner for both.
pub(super) struct Pairs {
    dialect: Dialect,
    at: At,
    name: Vec<u8>,
    fields: FieldCount,
}

impl Pairs {
    pub(super) fn urlencoded() -> Self {
        Self::new(Dialect::Urlencoded)
    }

    pub(super) fn plain() -> Self {
        Self::new(Dialect::Plain)
    }

    fn new(dialect: Dialect) -> Self {
        Self { dialect, at: At::Name, name: Vec::new(), fields: FieldCount::default() }
    }

    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        sink: &mut dyn FnMut(Token<'_>),
    ) -> Result<(), Fault> {
        while !bytes.is_empty() {
            bytes = match self.at {
                At::Name => self.name(bytes, sink)?,
                At::Value => self.value(bytes, sink),
            };
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, sink: &mut dyn FnMut(Token<'_>)) -> Result<(), Fault> {
        match self.at {
            At::Name => self.bare(sink),
            At::Value => {
                sink(Token::End);
                Ok(())
            }
        }
    }

    const fn separator(&self) -> u8 {
        match self.dialect {
            Dialect::Urlencoded => b'&',
            Dialect::Plain => b'\n',
        }
    }

    fn name<'a>(
        &mut self,
        bytes: &'a [u8],
        sink: &mut dyn FnMut(Token<'_>),
    ) -> Result<&'a [u8], Fault> {
        let end = memchr2(b'=', self.separator(), bytes);
        let (name, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        self.name.extend_from_slice(name);
        if self.name.len() > limit::FIELD_NAME_BYTES_MAX {
            return Err(Fault::Malformed("a field's name is too long"));
        }
        if !name.is_empty() {
            sink(Token::Raw(name));
        }
        let Some((mark, rest)) = rest.split_at_checked(1) else { return Ok(rest) };
        if mark == b"=" {
            sink(Token::Raw(mark));
            self.begin(Shape::Valued, sink)?;
            self.at = At::Value;
        } else {
            self.bare(sink)?;
            sink(Token::Raw(mark));
        }
        Ok(rest)
    }

    fn value<'a>(&mut self, bytes: &'a [u8], sink: &mut dyn FnMut(Token<'_>)) -> &'a [u8] {
        // A long plain text may have any number of lines: the last field takes the rest of them.
        let takes_all = self.dialect == Dialect::Plain && self.fields.is_full();
        let end = if takes_all { None } else { memchr::memchr(self.separator(), bytes) };
        let (value, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        if !value.is_empty() {
            sink(Token::Value(value));
        }
        let Some((separator, rest)) = rest.split_at_checked(1) else { return rest };
        sink(Token::End);
        sink(Token::Raw(separator));
        self.at = At::Name;
        rest
    }

    fn bare(&mut self, sink: &mut dyn FnMut(Token<'_>)) -> Result<(), Fault> {
        let blank = self.name.is_empty() || self.name == b"\r";
        if blank || self.dialect == Dialect::Plain && self.fields.is_full() {
            self.name.clear();
            return Ok(());
        }
        self.begin(Shape::Bare, sink)?;
        sink(Token::End);
        Ok(())
    }

    fn begin(&mut self, shape: Shape, sink: &mut dyn FnMut(Token<'_>)) -> Result<(), Fault> {
        self.fields.one_more(self.name.len())?;
        let name = match self.dialect {
            Dialect::Urlencoded => decode(&self.name),
            Dialect::Plain => self.name.strip_suffix(b"\r").unwrap_or(&self.name).to_vec(),
        };
        let name = String::from_utf8_lossy(&name).into_owned();
        self.name.clear();
        sink(Token::Begin(&Part { name, file: None, shape }));
        Ok(())
    }
}
