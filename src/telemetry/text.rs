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

/// Which bytes may stand inside quotes as they are: printable ASCII but the quote and backslash.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x20;
    while byte < 0x7f {
        plain[byte] = byte != b'"' as usize && byte != b'\\' as usize;
        byte += 1;
    }
    plain
};

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
    let bytes = text.as_bytes();
    match bytes.iter().position(|byte| !PLAIN[usize::from(*byte)]) {
        None => to.extend_from_slice(bytes),
        Some(at) => {
            to.extend_from_slice(&bytes[..at]);
            escaped(to, &text[at..]);
        }
    }
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
    let fits = |byte: &u8| PLAIN[usize::from(*byte)] && !matches!(byte, b' ' | b'=');
    !text.is_empty() && text.as_bytes().iter().all(fits)
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
    text: Vec<u8>,
}

impl Stamp {
    /// Writes `at`.
    pub(super) fn write(&mut self, to: &mut Vec<u8>, at: Wall) {
        let second = at.secs();
        if self.second != Some(second) {
            self.second = Some(second);
            self.text = at.rfc3339().into_bytes();
            self.text.pop();
        }
        let millis = at.millis().rem_euclid(1000).unsigned_abs();
        to.extend_from_slice(&self.text);
        to.push(b'.');
        to.push(b'0' + (millis / 100) as u8);
        let pair = (millis % 100) as usize * 2;
        to.extend_from_slice(&PAIRS[pair..pair + 2]);
        to.push(b'Z');
    }
}
