//! Reading a form's bytes as they stream by: [`Scanner`] cuts them into [`Token`]s, and the
//! tokens' bytes in order are the input, byte for byte.
//!
//! That exactness is why there is a scanner of our own: what is sent on after the window must be
//! what the browser sent, so a parser that hands out decoded fields and forgets the rest will not
//! do. Memory is bounded by the bounds on names and part heads, whatever the size of the body.

use percent_encoding::percent_decode;

use super::json::Json;
use super::multipart::Multipart;
use super::pairs::Pairs;
use crate::limit;

/// The encoding of a form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `application/x-www-form-urlencoded`.
    Urlencoded,
    /// `multipart/form-data`.
    Multipart,
    /// `text/plain`.
    Plain,
    /// JSON of a program.
    Json,
    /// Whatever else a program sends: looked into for the numbers of cards alone.
    Opaque,
}

impl Kind {
    /// Whether an application's tokens in it can be told and replaced.
    pub const fn has_tokens(self) -> bool {
        match self {
            Self::Urlencoded | Self::Multipart => true,
            Self::Plain | Self::Json | Self::Opaque => false,
        }
    }
}

/// A piece of a form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Token<'a> {
    /// Bytes between values: names, separators, part heads.
    Raw(&'a [u8]),
    /// A field's value begins. Stands for no bytes.
    Begin(&'a Part),
    /// Bytes of its value, encoded as they are.
    Value(&'a [u8]),
    /// The value ends. Stands for no bytes.
    End,
}

/// What is known of a field before its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Its name, decoded.
    pub name: String,
    /// The name of the file that it carries, perhaps empty; none if it is no file.
    pub file: Option<String>,
    /// Whether it has a place for a value.
    pub shape: Shape,
}

/// Whether a field has a place for a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// `name=value`, or a part.
    Valued,
    /// A name without `=`.
    Bare,
}

/// Why a body is no form that can be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// It is not what its content type says.
    #[error("the form is malformed: {0}")]
    Malformed(&'static str),
    /// It has more fields than are kept, or longer names.
    #[error(
        "the form has more than {} fields, or names of more than {} bytes",
        limit::FORM_FIELDS_MAX,
        limit::FORM_NAMES_BYTES_MAX
    )]
    TooManyFields,
}

/// Reads one form.
pub struct Scanner(Grammar);

enum Grammar {
    Pairs(Pairs),
    Multipart(Box<Multipart>),
    Json(Box<Json>),
    /// Whether anything has come.
    Opaque(bool),
}

impl Scanner {
    /// Begins a form of this kind; the content type gives a multipart form's boundary.
    pub fn new(kind: Kind, content_type: &str) -> Result<Self, Fault> {
        Ok(Self(match kind {
            Kind::Urlencoded => Grammar::Pairs(Pairs::urlencoded()),
            Kind::Plain => Grammar::Pairs(Pairs::plain()),
            Kind::Multipart => {
                let boundary = boundary(content_type)
                    .ok_or(Fault::Malformed("its content type names no boundary"))?;
                Grammar::Multipart(Box::new(Multipart::new(&boundary)))
            }
            Kind::Json => Grammar::Json(Box::new(Json::new())),
            Kind::Opaque => Grammar::Opaque(false),
        }))
    }

    /// Takes more bytes and gives the tokens they complete.
    pub fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Token<'_>)) -> Result<(), Fault> {
        match &mut self.0 {
            Grammar::Pairs(pairs) => pairs.push(bytes, sink),
            Grammar::Multipart(multipart) => multipart.push(bytes, sink),
            Grammar::Json(json) => json.push(bytes, sink),
            Grammar::Opaque(begun) => {
                if !std::mem::replace(begun, true) {
                    let (name, file) = (String::new(), None);
                    sink(Token::Begin(&Part { name, file, shape: Shape::Valued }));
                }
                sink(Token::Value(bytes));
                Ok(())
            }
        }
    }

    /// The body is at its end: gives what is left, or says that it is not whole.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Token<'_>)) -> Result<(), Fault> {
        match &mut self.0 {
            Grammar::Pairs(pairs) => pairs.finish(sink),
            Grammar::Multipart(multipart) => multipart.finish(),
            Grammar::Json(json) => json.finish(sink),
            Grammar::Opaque(begun) => {
                if *begun {
                    sink(Token::End);
                }
                Ok(())
            }
        }
    }
}

/// Counts fields and the bytes of their names against the bounds.
#[derive(Default)]
pub(super) struct FieldCount {
    fields: usize,
    names: usize,
}

impl FieldCount {
    /// One more, whose name (or part head) has this many bytes.
    pub(super) fn one_more(&mut self, name: usize) -> Result<(), Fault> {
        self.fields += 1;
        self.names += name;
        let over = self.fields > limit::FORM_FIELDS_MAX || self.names > limit::FORM_NAMES_BYTES_MAX;
        if over { Err(Fault::TooManyFields) } else { Ok(()) }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.fields >= limit::FORM_FIELDS_MAX
    }
}

/// The boundary in a `multipart/form-data` content type: 1 to 70 visible characters (RFC 2046).
fn boundary(content_type: &str) -> Option<String> {
    let (_, parameters) = content_type.split_once(';')?;
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then_some(value.trim())
    })?;
    let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
    let visible = value.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"');
    (visible && (1..=70).contains(&value.len()) && !value.ends_with(' ')).then(|| value.to_owned())
}

/// Decodes `application/x-www-form-urlencoded` bytes.
pub(super) fn decode(bytes: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = bytes.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    if memchr::memchr(b'%', bytes).is_none() {
        return spaced;
    }
    percent_decode(&spaced).collect()
}
