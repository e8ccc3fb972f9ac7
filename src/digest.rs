//! Hashes, MACs, randomness, constant-time comparison and their texts: the only namer of a digest.

use std::fmt::Write as _;

use aws_lc_rs::{constant_time, digest, hkdf, hmac, rand};

/// 32 bytes of SHA-256 or HMAC-SHA-256.
pub type Hash = [u8; 32];

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> Hash {
    fixed(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// HMAC-SHA-256 of `parts` under `key`. Each part is preceded by its length, so that no two
/// different lists of parts meet in one input.
pub fn mac(key: &[u8], parts: &[&[u8]]) -> Hash {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    fixed(context.sign().as_ref())
}

/// A running HMAC-SHA-256, for input that comes in pieces.
pub struct RunningMac(hmac::Context);

impl RunningMac {
    /// Begins under `key`.
    pub fn begin(key: &[u8]) -> Self {
        Self(hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// Takes more input.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The MAC of everything taken.
    pub fn finish(self) -> Hash {
        fixed(self.0.sign().as_ref())
    }
}

/// HKDF-SHA-256 (RFC 5869): 32 bytes from `secret` under `salt` for the purpose `info`.
pub fn derive(secret: &[u8], salt: &[u8], info: &[&[u8]]) -> Hash {
    let mut out = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(info, hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut out))
        .expect("32 bytes is within HKDF's bound of 255 blocks");
    out
}

/// Whether two secrets are equal, in time that does not tell where they differ.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// Unpredictable bytes from the operating system's generator.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the operating system's random generator answers");
    bytes
}

fn fixed(bytes: &[u8]) -> Hash {
    bytes.try_into().expect("SHA-256 gives 32 bytes")
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads hexadecimal of either case.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks_exact(2);
    if !digits.remainder().is_empty() {
        return None;
    }
    digits
        .map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            if pair.starts_with('+') { None } else { u8::from_str_radix(pair, 16).ok() }
        })
        .collect()
}

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// base64url without padding (RFC 4648 §5).
pub fn base64url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for sextet in 0..=chunk.len() {
            let digit = group >> (18 - 6 * sextet) & 0x3f;
            text.push(char::from(BASE64URL[digit as usize]));
        }
    }
    text
}

/// Reads base64url without padding; refuses padding, other alphabets and loose trailing bits.
pub fn unbase64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.as_bytes().chunks(4) {
        let mut group = 0u32;
        for byte in chunk {
            let digit = BASE64URL.iter().position(|digit| digit == byte)?;
            group = group << 6 | u32::try_from(digit).ok()?;
        }
        let whole = chunk.len().checked_sub(1).filter(|whole| *whole > 0)?;
        group <<= 6 * (4 - chunk.len());
        if group.trailing_zeros() < 8 * (3 - u32::try_from(whole).ok()?) && group != 0 {
            return None;
        }
        bytes.extend_from_slice(&group.to_be_bytes()[1..=whole]);
    }
    Some(bytes)
}

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (RFC 6455 §4.2.2), where SHA-1 is
/// no protection but a proof of understanding.
pub fn websocket_accept(key: &[u8]) -> String {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64(hash.finish().as_ref())
}

/// Standard base64 with padding (RFC 4648 §4), as CSP hashes want it.
pub fn base64(bytes: &[u8]) -> String {
    let mut text = base64url(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip_at_every_length() {
        for length in 0..70 {
            let bytes: Vec<u8> = random::<70>()[..length].to_vec();
            assert_eq!(unbase64url(&base64url(&bytes)).as_deref(), Some(&bytes[..]));
            assert_eq!(unhex(&hex(&bytes)).as_deref(), Some(&bytes[..]));
        }
    }

    #[test]
    fn loose_text_is_refused() {
        for text in ["A", "AA=", "A+", "AB", "é"] {
            assert_eq!(unbase64url(text), None, "{text}");
        }
        for text in ["0", "+1", "zz"] {
            assert_eq!(unhex(text), None, "{text}");
        }
    }

    #[test]
    fn known_answers() {
        assert_eq!(
            hex(&sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let accept = websocket_accept(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "RFC 6455 §1.3");
        assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
        assert_ne!(mac(b"k", &[b"ab", b"c"]), mac(b"k", &[b"a", b"bc"]));
    }
}
