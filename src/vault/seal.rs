//! Sealing: the only namer of a cipher.
//!
//! Each submission has a random content key. From it two keys are derived, one for the body's
//! frames and one for the head record, so that their nonces can never meet. Frames are sealed as a
//! stream: the nonce of a frame holds its number and whether it is the last, and the submission's
//! id is authenticated with each. So a frame that is cut off, moved, swapped or changed is found.
//!
//! The content key itself is wrapped twice: within by what its holder knows, which is the cookie of
//! the visitor's browser or a resume code, and around that by this node's key. So a copied store
//! opens nothing, and neither does a store with its node key; and the node's key can be replaced
//! by another one while nobody else is there, since only the outer wrapping changes.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::keys::{KeyId, NodeKey};
use crate::digest::{self, Hash};
use crate::id::Id;

/// The format of everything sealed here; authenticated with each piece.
const FORMAT: u8 = 1;
const PREFIX_LEN: usize = 7;
const KEY_LEN: usize = 32;
const FRAME: &[u8] = b"frame";
const HEAD: &[u8] = b"head";
const WRAP: &[u8] = b"wrap";
const OUTER: &[u8] = b"outer";
/// What a wrapped key begins with; before it there was one wrapping instead of two, and no such
/// byte.
const WRAPPED_TWICE: u8 = 2;
const WRAPPED_ONCE_LEN: usize = NONCE_LEN + KEY_LEN + PREFIX_LEN + 16;
/// The mark, and which node key.
const BEGINNING_LEN: usize = 5;

/// What was sealed cannot be opened: another cookie, another node key, or damaged bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the sealed content cannot be opened with this key, or is damaged")]
pub struct Unreadable;

/// The secret of one submission.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ContentKey {
    key: [u8; KEY_LEN],
    prefix: [u8; PREFIX_LEN],
}

impl ContentKey {
    /// A new one.
    pub fn generate() -> Self {
        // Drawn together: each draw asks the processor for more of its own.
        let drawn = Zeroizing::new(digest::random::<{ KEY_LEN + PREFIX_LEN }>());
        let (mut key, mut prefix) = ([0; KEY_LEN], [0; PREFIX_LEN]);
        key.copy_from_slice(&drawn[..KEY_LEN]);
        prefix.copy_from_slice(&drawn[KEY_LEN..]);
        Self { key, prefix }
    }

    /// Wrapped for who holds this secret, on this node, for this submission alone.
    pub fn wrap(&self, node: &NodeKey, secret: &[u8], id: Id) -> Vec<u8> {
        let plain = Zeroizing::new([&self.key[..], &self.prefix[..]].concat());
        let inner = seal_with_nonce(&holders_key(secret, id), WRAP, id, &plain);
        wrap_around(&inner, node, id)
    }

    /// Opens what [`ContentKey::wrap`] wrapped.
    pub fn unwrap(
        wrapped: &[u8],
        node: &NodeKey,
        secret: &[u8],
        id: Id,
    ) -> Result<Self, Unreadable> {
        let plain = if wrapped.len() == WRAPPED_ONCE_LEN {
            open_with_nonce(&single_key(node, secret, id), WRAP, id, wrapped)?
        } else {
            let inner = unwrap_around(wrapped, node, id)?;
            open_with_nonce(&holders_key(secret, id), WRAP, id, &inner)?
        };
        let (key, prefix) = plain.split_at_checked(KEY_LEN).ok_or(Unreadable)?;
        let key = key.try_into().map_err(|_| Unreadable)?;
        Ok(Self { key, prefix: prefix.try_into().map_err(|_| Unreadable)? })
    }

    /// Seals the head record, under another nonce each time.
    pub fn seal_head(&self, id: Id, head: &[u8]) -> Vec<u8> {
        seal_with_nonce(&self.subkey(id, HEAD), HEAD, id, head)
    }

    /// Opens the head record.
    pub fn open_head(&self, id: Id, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
        open_with_nonce(&self.subkey(id, HEAD), HEAD, id, sealed)
    }

    /// Seals or opens the body's frames.
    pub fn frames(&self, id: Id) -> Frames {
        Frames { cipher: cipher(&self.subkey(id, FRAME)), prefix: self.prefix, id }
    }

    fn subkey(&self, id: Id, purpose: &[u8]) -> Zeroizing<Hash> {
        Zeroizing::new(digest::derive(&self.key, id.bytes(), &[b"intermission/v1/", purpose]))
    }
}

/// Whether a frame is the last of its body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// More follow.
    Inner,
    /// None follows.
    Last,
}

/// The frames of one submission's body.
pub struct Frames {
    cipher: LessSafeKey,
    prefix: [u8; PREFIX_LEN],
    id: Id,
}

impl Frames {
    /// Seals frame `number` where it stands: no copy of the plaintext is left behind.
    ///
    /// INVARIANT: a number is sealed once per content key, else two frames would share a nonce.
    pub fn seal(&self, number: u32, place: Place, mut plain: Vec<u8>) -> Vec<u8> {
        let aad = Aad::from(associated(FRAME, self.id));
        let nonce = Nonce::assume_unique_for_key(self.nonce(number, place));
        self.cipher
            .seal_in_place_append_tag(nonce, aad, &mut plain)
            .expect("a frame is far below the cipher's bound");
        plain
    }

    /// Opens frame `number`.
    pub fn open(
        &self,
        number: u32,
        place: Place,
        mut sealed: Vec<u8>,
    ) -> Result<Vec<u8>, Unreadable> {
        let aad = Aad::from(associated(FRAME, self.id));
        let nonce = Nonce::assume_unique_for_key(self.nonce(number, place));
        let opened = self.cipher.open_in_place(nonce, aad, &mut sealed);
        let len = opened.map_err(|_| Unreadable)?.len();
        sealed.truncate(len);
        Ok(sealed)
    }

    fn nonce(&self, number: u32, place: Place) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        nonce[..PREFIX_LEN].copy_from_slice(&self.prefix);
        nonce[PREFIX_LEN..NONCE_LEN - 1].copy_from_slice(&number.to_be_bytes());
        nonce[NONCE_LEN - 1] = match place {
            Place::Inner => 0,
            Place::Last => 1,
        };
        nonce
    }
}

/// The first bytes of every key that is wrapped by this node key.
pub(super) fn beginning(of: KeyId) -> [u8; BEGINNING_LEN] {
    let [a, b, c, d] = of.bytes();
    [WRAPPED_TWICE, a, b, c, d]
}

/// Which node key a wrapped key needs; none if it was wrapped before that was noted.
pub(super) fn wrapped_by(wrapped: &[u8]) -> Option<KeyId> {
    match wrapped {
        [WRAPPED_TWICE, a, b, c, d, rest @ ..] if !rest.is_empty() => {
            (wrapped.len() != WRAPPED_ONCE_LEN).then(|| KeyId::from_bytes([*a, *b, *c, *d]))
        }
        _ => None,
    }
}

/// The same key under another node key. Its holder's part is not opened, and could not be.
pub(super) fn rewrapped(
    wrapped: &[u8],
    from: &NodeKey,
    to: &NodeKey,
    id: Id,
) -> Result<Vec<u8>, Unreadable> {
    Ok(wrap_around(&unwrap_around(wrapped, from, id)?, to, id))
}

fn wrap_around(inner: &[u8], node: &NodeKey, id: Id) -> Vec<u8> {
    let outer = seal_with_nonce(&node.around(id), OUTER, id, inner);
    [&beginning(node.id())[..], &outer[..]].concat()
}

fn unwrap_around(wrapped: &[u8], node: &NodeKey, id: Id) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    let outer = wrapped.strip_prefix(&beginning(node.id())).ok_or(Unreadable)?;
    open_with_nonce(&node.around(id), OUTER, id, outer)
}

fn holders_key(secret: &[u8], id: Id) -> Zeroizing<Hash> {
    Zeroizing::new(digest::derive(secret, id.bytes(), &[b"intermission/v2/holder"]))
}

/// Of the time when both secrets made one key.
fn single_key(node: &NodeKey, secret: &[u8], id: Id) -> Zeroizing<Hash> {
    let both = Zeroizing::new([secret, node.bytes()].concat());
    Zeroizing::new(digest::derive(&both, id.bytes(), &[b"intermission/v1/browser"]))
}

/// For pieces that are sealed once under a key of their own: a random nonce, then the ciphertext.
fn seal_with_nonce(key: &Hash, purpose: &[u8], id: Id, plain: &[u8]) -> Vec<u8> {
    let nonce = digest::random::<NONCE_LEN>();
    let mut body = plain.to_vec();
    cipher(key)
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(associated(purpose, id)),
            &mut body,
        )
        .expect("a record is far below the cipher's bound");
    [&nonce[..], &body[..]].concat()
}

fn open_with_nonce(
    key: &Hash,
    purpose: &[u8],
    id: Id,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(Unreadable)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unreadable)?;
    let mut body = Zeroizing::new(body.to_vec());
    let opened = cipher(key).open_in_place(nonce, Aad::from(associated(purpose, id)), &mut body);
    let len = opened.map_err(|_| Unreadable)?.len();
    body.truncate(len);
    Ok(body)
}

fn associated(purpose: &[u8], id: Id) -> Vec<u8> {
    [&[FORMAT], purpose, id.bytes()].concat()
}

fn cipher(key: &Hash) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key has the cipher's length"))
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;
    use crate::id::NodeTag;

    #[test]
    fn a_key_of_an_earlier_release_opens_and_another_node_key_can_take_over() {
        let (id, secret) = (Id::new(Wall::from_millis(1), NodeTag(1)), [5; 32]);
        let (old, new) = (NodeKey::from_bytes([1; 32]), NodeKey::from_bytes([2; 32]));
        let key = ContentKey::generate();
        let plain = [&key.key[..], &key.prefix[..]].concat();
        let once = seal_with_nonce(&single_key(&old, &secret, id), WRAP, id, &plain);
        assert_eq!((once.len(), wrapped_by(&once)), (WRAPPED_ONCE_LEN, None));
        let opened = ContentKey::unwrap(&once, &old, &secret, id).expect("as before");
        assert_eq!(opened.key, key.key);
        assert!(ContentKey::unwrap(&once, &new, &secret, id).is_err());

        let twice = key.wrap(&old, &secret, id);
        assert_eq!(wrapped_by(&twice), Some(old.id()));
        assert!(rewrapped(&twice, &new, &new, id).is_err(), "only who can open it");
        let anew = rewrapped(&twice, &old, &new, id).expect("rewrapped");
        assert_eq!(wrapped_by(&anew), Some(new.id()));
        let opened = ContentKey::unwrap(&anew, &new, &secret, id).expect("by its holder");
        assert_eq!(opened.key, key.key);
        assert!(ContentKey::unwrap(&anew, &new, &[6; 32], id).is_err(), "another holder");
        assert!(ContentKey::unwrap(&anew, &old, &secret, id).is_err(), "the former key is spent");
        for wrapped in [&b""[..], &[WRAPPED_TWICE], &anew[..BEGINNING_LEN], &anew[..50]] {
            assert!(ContentKey::unwrap(wrapped, &new, &secret, id).is_err());
        }
    }
}
