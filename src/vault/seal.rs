//! Sealing: the only namer of a cipher.
//!
//! Each submission has a random content key. From it two keys are derived, one for the body's
//! frames and one for the head record, so that their nonces can never meet. Frames are sealed as a
//! stream: the nonce of a frame holds its number and whether it is the last, and the submission's
//! id is authenticated with each. So a frame that is cut off, moved, swapped or changed is found.
//!
//! The content key itself is sealed under a key that only this node *and* the visitor's browser
//! together can derive. A copied store opens nothing, and neither does a store with its node key.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::digest::{self, Hash};
use crate::id::Id;

/// The format of everything sealed here; authenticated with each piece.
const FORMAT: u8 = 1;
const PREFIX_LEN: usize = 7;
const KEY_LEN: usize = 32;
const FRAME: &[u8] = b"frame";
const HEAD: &[u8] = b"head";
const WRAP: &[u8] = b"wrap";

/// What was sealed cannot be opened: another cookie, another node key, or damaged bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the sealed content cannot be opened with this key, or is damaged")]
pub struct Unreadable;

/// This node's half of the key to every submission.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct NodeKey([u8; KEY_LEN]);

/// Why the node key is not there.
#[derive(Debug, thiserror::Error)]
pub enum NodeKeyError {
    /// Reading or writing it failed.
    #[error("the node key {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not 32 bytes long.
    #[error(
        "the node key {path} has {len} bytes instead of 32: put the right file back; without it what was kept so far cannot be opened"
    )]
    Size {
        /// The file.
        path: PathBuf,
        /// Its length.
        len: usize,
    },
    /// Others than its owner may read or write it.
    #[error("the node key {path} is open to others (mode {mode:03o}): run `chmod 600` on it")]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

impl NodeKey {
    /// Reads `node.key` in `dir`, or makes it there if there is none.
    pub fn load_or_create(dir: &Path) -> Result<Self, NodeKeyError> {
        let path = dir.join("node.key");
        let io = |source| NodeKeyError::Io { path: path.clone(), source };
        match File::open(&path) {
            Ok(file) => Self::read(file, &path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Self::create(dir, &path).map_err(io)
            }
            Err(error) => Err(io(error)),
        }
    }

    /// The key of these bytes.
    pub const fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// The key of hashes that tell nothing to who has not this one.
    pub(super) fn fingerprint_key(&self) -> Zeroizing<Hash> {
        Zeroizing::new(digest::derive(&self.0, b"", &[b"intermission/v1/fingerprint"]))
    }

    /// A key for another purpose, which tells nothing of this one.
    pub(super) fn key_for(&self, purpose: &'static str) -> Hash {
        digest::derive(&self.0, b"", &[b"intermission/v1/for/", purpose.as_bytes()])
    }

    /// What keys the hashes of visitors that are counted, never kept.
    pub fn visitor_seed(&self) -> u64 {
        let seed = digest::derive(&self.0, b"", &[b"intermission/v1/visitors"]);
        seed.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
    }

    fn read(file: File, path: &Path) -> Result<Self, NodeKeyError> {
        let io = |source| NodeKeyError::Io { path: path.to_owned(), source };
        let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(NodeKeyError::Permissions { path: path.to_owned(), mode });
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_LEN + 1));
        file.take(KEY_LEN as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        let size = |_| NodeKeyError::Size { path: path.to_owned(), len: bytes.len() };
        Ok(Self(bytes.as_slice().try_into().map_err(size)?))
    }

    /// ORDER: the file is whole and durable under another name before it gets its own, so that a
    /// crash leaves either no key or all of it.
    fn create(dir: &Path, path: &Path) -> io::Result<Self> {
        let key = Self(digest::random());
        let fresh = dir.join(format!("node.key.{}", digest::hex(&digest::random::<8>())));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(&key.0)?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)?;
        File::open(dir)?.sync_all()?;
        Ok(key)
    }
}

/// The secret of one submission.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ContentKey {
    key: [u8; KEY_LEN],
    prefix: [u8; PREFIX_LEN],
}

impl ContentKey {
    /// A new one.
    pub fn generate() -> Self {
        Self { key: digest::random(), prefix: digest::random() }
    }

    /// Sealed for the browser with this secret, on this node, for this submission alone.
    pub fn wrap(&self, node: &NodeKey, secret: &[u8], id: Id) -> Vec<u8> {
        let plain = Zeroizing::new([&self.key[..], &self.prefix[..]].concat());
        seal_with_nonce(&wrapping_key(node, secret, id), WRAP, id, &plain)
    }

    /// Opens what [`ContentKey::wrap`] sealed.
    pub fn unwrap(
        wrapped: &[u8],
        node: &NodeKey,
        secret: &[u8],
        id: Id,
    ) -> Result<Self, Unreadable> {
        let plain = open_with_nonce(&wrapping_key(node, secret, id), WRAP, id, wrapped)?;
        let (key, prefix) = plain.split_at_checked(KEY_LEN).ok_or(Unreadable)?;
        let key = key.try_into().map_err(|_| Unreadable)?;
        Ok(Self { key, prefix: prefix.try_into().map_err(|_| Unreadable)? })
    }

    /// Seals the head record. Called once per submission.
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

fn wrapping_key(node: &NodeKey, secret: &[u8], id: Id) -> Zeroizing<Hash> {
    let both = Zeroizing::new([secret, &node.0].concat());
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

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
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
