//! Bytes of access lines: numbers and strings written straight into a buffer.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

use crate::clock::Wall;

/// Pairs of decimal digits, `00` to `99`.
const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Eight bytes of one value.
const fn eight(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Writes a number in decimal.
pub(super) fn number(to: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    while value >= 100 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if value >= 10 {
        let pair = value as usize * 2;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        at -= 1;
        digits[at] = b'0' + value as u8;
    }
    to.extend_from_slice(&digits[at..]);
}

/// Writes 16 hexadecimal digits.
pub(super) fn hex16(to: &mut Vec<u8>, value: u64) {
    let mut digits = [0u8; 16];
    for (at, digit) in digits.iter_mut().enumerate() {
        *digit = HEX[(value >> (60 - 4 * at) & 0xf) as usize];
    }
    to.extend_from_slice(&digits);
}

/// Writes what may stand between double quotes, in JSON and in logfmt alike: only printable ASCII
/// passes as it is, all else becomes an escape, so that no line can be broken, forged or made to
/// drive a terminal by what a client sends.
pub(super) fn quoted(to: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        to.extend_from_slice(text.as_bytes());
    } else {
        escaped(to, text);
    }
}

/// Whether all bytes may stand inside quotes as they are: printable ASCII, but neither the quote
/// nor the backslash. Looks at eight bytes at a time.
fn is_plain(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    let odd = words.iter().chain([&last]).fold(0, |odd, word| {
        let word = u64::from_ne_bytes(*word);
        // The top bit of a byte is set by this if the byte is zero, and in none below it that is
        // not: enough to know that there is one.
        let zero = |word: u64| word.wrapping_sub(eight(1)) & !word;
        let control = word.wrapping_sub(eight(b' ')) & !word;
        let other = zero(word ^ eight(b'"')) | zero(word ^ eight(b'\\')) | zero(word ^ eight(0x7f));
        odd | control | other | word
    });
    odd & eight(0x80) == 0
}

#[cold]
fn escaped(to: &mut Vec<u8>, text: &str) {
    for letter in text.chars() {
        match letter {
            '"' | '\\' => to.extend_from_slice(&[b'\\', letter as u8]),
            ' '..='~' => to.push(letter as u8),
            '\0'..='\x1f' | '\x7f'.. => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    let nibble = |shift: u16| HEX[usize::from(*unit >> shift & 0xf)];
                    to.extend_from_slice(b"\\u");
                    to.extend_from_slice(&[nibble(12), nibble(8), nibble(4), nibble(0)]);
                }
            }
        }
    }
}

/// Whether a logfmt value may stand without quotes.
pub(super) fn bare(text: &str) -> bool {
    let parts = |byte: &u8| matches!(byte, b' ' | b'=');
    !text.is_empty() && is_plain(text.as_bytes()) && !text.as_bytes().iter().any(parts)
}

/// Writes an address.
pub(super) fn address(to: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            for (at, octet) in v4.octets().into_iter().enumerate() {
                if at > 0 {
                    to.push(b'.');
                }
                number(to, u64::from(octet));
            }
        }
        // Writing to memory cannot fail.
        IpAddr::V6(v6) => drop(write!(to, "{v6}")),
    }
}

/// Writes an address and its port.
pub(super) fn socket(to: &mut Vec<u8>, socket: SocketAddr) {
    match socket {
        SocketAddr::V4(v4) => {
            address(to, IpAddr::V4(*v4.ip()));
            to.push(b':');
            number(to, u64::from(v4.port()));
        }
        SocketAddr::V6(v6) => drop(write!(to, "{v6}")),
    }
}

/// Writes instants as RFC 3339 with milliseconds; the calendar is asked once per second.
#[derive(Default)]
pub(super) struct Stamp {
    second: Option<i64>,
    /// Up to the second, then three digits and a `Z` that are written over.
    text: Vec<u8>,
}

impl Stamp {
    /// Writes `at`.
    pub(super) fn write(&mut self, to: &mut Vec<u8>, at: Wall) {
        if self.second != Some(at.secs()) {
            self.second = Some(at.secs());
            self.text = at.rfc3339().into_bytes();
            self.text.pop();
            self.text.extend_from_slice(b".000Z");
        }
        let millis = at.millis().rem_euclid(1000).unsigned_abs() as usize;
        let (hundreds, pair) = (millis / 100, millis % 100 * 2);
        let digits = self.text.len() - 4;
        self.text[digits] = b'0' + hundreds as u8;
        self.text[digits + 1..digits + 3].copy_from_slice(&PAIRS[pair..pair + 2]);
        to.extend_from_slice(&self.text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_that_is_not_plain_is_seen_at_every_place() {
        for byte in 0..=u8::MAX {
            let plain = matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
            for length in 1..20 {
                for at in 0..length {
                    let mut bytes = vec![b'~'; length];
                    bytes[at] = byte;
                    assert_eq!(is_plain(&bytes), plain, "{byte:#04x} at {at} of {length}");
                }
            }
        }
        assert!(is_plain(b"") && !bare("") && !bare("a b") && !bare("a=b") && bare("a/b"));
    }

    #[test]
    fn numbers_are_written_as_rust_writes_them() {
        for power in 0..64 {
            for value in [(1u64 << power) - 1, 1 << power, u64::MAX >> power] {
                let mut text = Vec::new();
                number(&mut text, value);
                assert_eq!(text, value.to_string().as_bytes());
            }
        }
    }
}
