//! Names of things that outlive a process: time-ordered, carrying their node, not guessable.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Wall;
use crate::digest;

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// 20 bytes: 48 bits of milliseconds, 16 bits of node, 96 random bits; 32 Crockford digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 20]);

impl Id {
    /// A new id, made at `now` on `node`.
    pub fn new(now: Wall, node: NodeTag) -> Self {
        let mut bytes = [0; 20];
        bytes[..6].copy_from_slice(&now.millis().max(0).to_be_bytes()[2..]);
        bytes[6..8].copy_from_slice(&node.0.to_be_bytes());
        bytes[8..].copy_from_slice(&digest::random::<12>());
        Self(bytes)
    }

    /// The bytes, for the store and for associated data.
    pub const fn bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The id of these bytes.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The tag of the node that made it.
    pub fn node(&self) -> NodeTag {
        NodeTag(u16::from_be_bytes([self.0[6], self.0[7]]))
    }
}

/// 16 bits that tell a fleet's nodes apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NodeTag(pub u16);

impl NodeTag {
    /// The tag of the node of this name.
    pub fn of(name: &str) -> Self {
        let hash = digest::sha256(name.as_bytes());
        Self(u16::from_be_bytes([hash[0], hash[1]]))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in self.0.chunks_exact(5) {
            let bits = group.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
            for digit in (0..8).rev() {
                let digit = (bits >> (5 * digit) & 0x1f) as usize;
                fmt::Write::write_char(f, char::from(CROCKFORD[digit]))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not an id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an id: 32 digits of 0-9 and a-z without i, l, o and u are wanted")]
pub struct NotAnId;

impl FromStr for Id {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        if text.len() != 32 {
            return Err(NotAnId);
        }
        let mut bytes = [0; 20];
        for (digits, group) in text.as_bytes().chunks_exact(8).zip(bytes.chunks_exact_mut(5)) {
            let mut bits = 0u64;
            for digit in digits {
                let value = CROCKFORD.iter().position(|known| known == digit).ok_or(NotAnId)?;
                bits = bits << 5 | value as u64;
            }
            group.copy_from_slice(&bits.to_be_bytes()[3..]);
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What stands on a receipt and can be read out to a help desk: `K7QF-2M9X`, 40 random bits. It
/// names a submission and opens nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Reference([u8; 5]);

impl Reference {
    /// A new one. That it is like no other is for the store to see to.
    pub fn random() -> Self {
        Self(digest::random())
    }

    /// The bytes, for the store.
    pub const fn bytes(&self) -> &[u8; 5] {
        &self.0
    }

    /// The reference of these bytes.
    pub const fn from_bytes(bytes: [u8; 5]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&spelled(&self.0))
    }
}

impl FromStr for Reference {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, NotAReference> {
        let bytes = heard(text).ok_or(NotAReference)?;
        bytes.as_slice().try_into().map(Self).map_err(|_| NotAReference)
    }
}

/// A text that is not a reference.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a reference: eight letters and digits are wanted, such as K7QF-2M9X")]
pub struct NotAReference;

/// Crockford's base32 as people copy it: in capitals, in groups of four. For whole groups of five
/// bytes.
pub fn spelled(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for group in bytes.chunks_exact(5) {
        let bits = group.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        for digit in (0..8).rev() {
            if !text.is_empty() && digit % 4 == 3 {
                text.push('-');
            }
            let digit = (bits >> (5 * digit) & 0x1f) as usize;
            text.push(char::from(CROCKFORD[digit]).to_ascii_uppercase());
        }
    }
    text
}

/// Reads [`spelled`] as people type it: of either case, with or without hyphens and spaces, `O`
/// for 0, `I` and `L` for 1. None unless whole groups of five bytes come out.
pub fn heard(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut digits) = (Vec::new(), 0u64, 0);
    for letter in text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-') {
        let meant = match letter.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        };
        let value = CROCKFORD.iter().position(|known| char::from(*known) == meant)?;
        (bits, digits) = (bits << 5 | value as u64, digits + 1);
        if digits == 8 {
            bytes.extend_from_slice(&bits.to_be_bytes()[3..]);
            (bits, digits) = (0, 0);
        }
    }
    if digits == 0 && !bytes.is_empty() { Some(bytes) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_sort_by_time() {
        let early = Id::new(Wall::from_millis(1_000), NodeTag(7));
        let late = Id::new(Wall::from_millis(2_000), NodeTag(1));
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(early.node(), NodeTag(7));
        assert!(early < late && early.to_string() < late.to_string());
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "0", &"u".repeat(32), &"A".repeat(32), &"0".repeat(33)] {
            assert_eq!(text.parse::<Id>(), Err(NotAnId), "{text}");
        }
    }

    #[test]
    fn a_reference_is_read_as_people_say_it() {
        let reference = Reference::random();
        let text = reference.to_string();
        assert_eq!((text.len(), &text[4..5]), (9, "-"));
        assert_eq!(text.parse(), Ok(reference));
        assert_eq!(format!(" {} ", text.to_lowercase().replace('-', " ")).parse(), Ok(reference));
        assert_eq!("OIL0-1111".parse::<Reference>(), "0110-1111".parse());
        for text in ["", "K7QF", "K7QF-2M9X-", "K7QF-2M9U", "K7QF-2M9X-K7QF-2M9X", "é7QF-2M9X"] {
            assert_eq!(text.parse::<Reference>().is_ok(), text == "K7QF-2M9X-", "{text}");
        }
        assert_eq!(heard(&spelled(&[9; 10])), Some(vec![9; 10]));
    }
}
