//! Fresh CSRF values in a form that streams by; every other byte passes as it is.

use super::form::{Fault, Kind, Part, Scanner, Shape, Token, decode};
use crate::limit;

/// Field names and the values they get.
pub type Fresh = Vec<(String, String)>;

/// Rewrites one form.
pub struct Substituter {
    scanner: Scanner,
    swap: Swap,
}

struct Swap {
    kind: Kind,
    fresh: Fresh,
    /// The value being replaced: which, and what of the old one was seen.
    under_way: Option<(usize, Vec<u8>)>,
}

impl Substituter {
    /// Begins a form of this kind and content type.
    pub fn new(kind: Kind, content_type: &str, fresh: Fresh) -> Result<Self, Fault> {
        let swap = Swap { kind, fresh, under_way: None };
        Ok(Self { scanner: Scanner::new(kind, content_type)?, swap })
    }

    /// Takes more of the form and writes what is known of the new one.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let swap = &mut self.swap;
        self.scanner.push(bytes, &mut |token| swap.take(token, out))
    }

    /// Writes the rest.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let swap = &mut self.swap;
        self.scanner.finish(&mut |token| swap.take(token, out))
    }
}

impl Swap {
    fn take(&mut self, token: Token<'_>, out: &mut Vec<u8>) {
        match token {
            Token::Raw(bytes) => out.extend_from_slice(bytes),
            Token::Begin(part) => self.under_way = self.fresh_for(part).map(|ix| (ix, Vec::new())),
            Token::Value(bytes) => match &mut self.under_way {
                None => out.extend_from_slice(bytes),
                Some((_, old)) => {
                    // One byte over the bound is enough to know that it differs.
                    let room = (limit::TOKEN_VALUE_BYTES_MAX + 1).saturating_sub(old.len());
                    old.extend_from_slice(&bytes[..bytes.len().min(room)]);
                }
            },
            Token::End => {
                if let Some((ix, old)) = self.under_way.take() {
                    self.write(ix, &old, out);
                }
            }
        }
    }

    fn fresh_for(&self, part: &Part) -> Option<usize> {
        if part.file.is_some() || part.shape == Shape::Bare || !self.kind.has_tokens() {
            return None;
        }
        self.fresh.iter().position(|(name, _)| *name == part.name)
    }

    /// Writes the fresh value; where it is the old one, the old bytes, however they were encoded.
    fn write(&self, ix: usize, old: &[u8], out: &mut Vec<u8>) {
        let fresh = self.fresh[ix].1.as_bytes();
        match self.kind {
            Kind::Urlencoded
                if old.len() > limit::TOKEN_VALUE_BYTES_MAX || decode(old) != fresh =>
            {
                let encoded = form_urlencoded::byte_serialize(fresh);
                encoded.for_each(|piece| out.extend_from_slice(piece.as_bytes()));
            }
            // A token with a line break could be taken for a boundary; none has one.
            Kind::Multipart if !fresh.contains(&b'\n') => out.extend_from_slice(fresh),
            Kind::Urlencoded | Kind::Multipart | Kind::Plain | Kind::Json | Kind::Opaque => {
                out.extend_from_slice(old);
            }
        }
    }
}
