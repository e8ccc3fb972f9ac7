//! This node's keys: where they come from, which one seals, and which ones still open.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::digest::{self, Hash};
use crate::id::Id;
use crate::limit;

const KEY_LEN: usize = 32;
/// 32 bytes as text take 64 digits at most; what is around them is white space.
const FILE_BYTES_MAX: usize = 128;
const FILE: &str = "node.key";
const FORMER_FILE: &str = "node.key.former";

/// This node's half of the key to every submission.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct NodeKey {
    bytes: [u8; KEY_LEN],
    /// Derived once, since each form needs it.
    #[zeroize(skip)]
    id: KeyId,
}

/// What tells node keys apart; it tells nothing of the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 4]);

/// Where a node key is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySource {
    /// In a file that only its owner may read: 32 bytes, or as text.
    File(PathBuf),
    /// In a variable of the environment, as text.
    Env(String),
    /// Among the credentials that systemd passes: 32 bytes, or as text.
    Credential(String),
}

/// Why a node key is not there.
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
    /// The variable is not set, or holds no key.
    #[error(
        "the node key in the variable {name} is missing or no key: set it to 64 hexadecimal digits, as `openssl rand -hex 32` makes them"
    )]
    Variable {
        /// Its name.
        name: String,
    },
    /// The service manager passes no credentials.
    #[error(
        "the node key is the credential {name}, but no credentials are passed: add `LoadCredential={name}:…` to the service"
    )]
    NoCredentials {
        /// Its name.
        name: String,
    },
}

impl NodeKey {
    /// Reads `node.key` in `dir`, or makes it there if there is none.
    pub fn load_or_create(dir: &Path) -> Result<Self, NodeKeyError> {
        let path = dir.join(FILE);
        match Self::from_file(&path) {
            Err(NodeKeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let key = Self::from_bytes(digest::random());
                store(dir, FILE, &key.bytes).map_err(|source| NodeKeyError::Io { path, source })?;
                Ok(key)
            }
            read => read,
        }
    }

    /// Reads the key that is there.
    pub fn from_source(source: &KeySource) -> Result<Self, NodeKeyError> {
        match source {
            KeySource::File(path) => Self::from_file(path),
            KeySource::Env(name) => {
                let text = std::env::var(name).map(Zeroizing::new);
                let key = text.ok().and_then(|text| of_text(text.as_bytes()));
                key.ok_or_else(|| NodeKeyError::Variable { name: name.clone() })
            }
            KeySource::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY");
                let missing = || NodeKeyError::NoCredentials { name: name.clone() };
                // Who may read it is the service manager's affair.
                let path = PathBuf::from(folder.ok_or_else(missing)?).join(name);
                let file = File::open(&path);
                let io = |source| NodeKeyError::Io { path: path.clone(), source };
                Self::read(file.map_err(io)?, &path)
            }
        }
    }

    /// The key of these bytes.
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        let [a, b, c, d, ..] = digest::derive(&bytes, b"", &[b"intermission/v2/key-id"]);
        Self { bytes, id: KeyId([a, b, c, d]) }
    }

    /// What it is called in logs and in what it wraps.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The key around the wrapped keys of one submission.
    pub(super) fn around(&self, id: Id) -> Zeroizing<Hash> {
        Zeroizing::new(digest::derive(&self.bytes, id.bytes(), &[b"intermission/v2/node"]))
    }

    pub(super) const fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A key for another purpose, which tells nothing of this one.
    pub(super) fn key_for(&self, purpose: &'static str) -> Hash {
        digest::derive(&self.bytes, b"", &[b"intermission/v1/for/", purpose.as_bytes()])
    }

    /// What keys the hashes of visitors that are counted, never kept.
    pub fn visitor_seed(&self) -> u64 {
        let seed = digest::derive(&self.bytes, b"", &[b"intermission/v1/visitors"]);
        seed.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
    }

    fn from_file(path: &Path) -> Result<Self, NodeKeyError> {
        let io = |source| NodeKeyError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(NodeKeyError::Permissions { path: path.to_owned(), mode });
        }
        Self::read(file, path)
    }

    fn read(file: File, path: &Path) -> Result<Self, NodeKeyError> {
        let io = |source| NodeKeyError::Io { path: path.to_owned(), source };
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX + 1));
        file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        if let Ok(key) = bytes.as_slice().try_into() {
            return Ok(Self::from_bytes(key));
        }
        let size = || NodeKeyError::Size { path: path.to_owned(), len: bytes.len() };
        of_text(&bytes).ok_or_else(size)
    }
}

/// The keys before the one of the store's own directory, one after another; none if there is no
/// such file.
fn former_in(path: &Path) -> Result<Vec<NodeKey>, NodeKeyError> {
    let io = |source| NodeKeyError::Io { path: path.to_owned(), source };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let keys = bytes.chunks_exact(KEY_LEN);
    if !keys.remainder().is_empty() {
        return Err(NodeKeyError::Size { path: path.to_owned(), len: bytes.len() });
    }
    Ok(keys.filter_map(|key| key.try_into().ok().map(NodeKey::from_bytes)).collect())
}

/// ORDER: the file is whole and durable under another name before it gets its own, so that a crash
/// leaves either what was there before or all of this.
fn store(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let fresh = dir.join(format!("{name}.{}", digest::hex(&digest::random::<8>())));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, dir.join(name))?;
    File::open(dir)?.sync_all()
}

/// A key as text: hexadecimal, or base64 of either alphabet.
fn of_text(text: &[u8]) -> Option<NodeKey> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let hex = digest::unhex(text).filter(|bytes| bytes.len() == KEY_LEN);
    let base64 = || {
        let text = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
        digest::unbase64url(&text)
    };
    let bytes = Zeroizing::new(hex.or_else(base64)?);
    bytes.as_slice().try_into().ok().map(NodeKey::from_bytes)
}

impl KeyId {
    /// The bytes, as they stand in wrapped keys.
    pub const fn bytes(&self) -> [u8; 4] {
        self.0
    }

    /// The id of these bytes.
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }
}

/// The keys of a node: one seals, and it and the former ones open.
#[derive(Clone)]
pub struct Keys {
    first: NodeKey,
    former: Arc<[NodeKey]>,
    /// Where they are our own to replace.
    home: Option<Arc<Path>>,
}

impl Keys {
    /// `first` seals from now on; `former` ones open what they sealed before.
    pub fn new(first: NodeKey, former: Vec<NodeKey>) -> Self {
        let (id, mut seen) = (first.id(), Vec::new());
        let fresh = |key: &NodeKey| {
            let new = key.id() != id && !seen.contains(&key.id());
            seen.push(key.id());
            new
        };
        let former: Vec<NodeKey> = former.into_iter().filter(fresh).collect();
        Self { first, former: former.into(), home: None }
    }

    /// The key of the store's own directory, which is made if there is none, and those before it
    /// that may still be needed.
    pub fn of_directory(dir: &Path) -> Result<Self, NodeKeyError> {
        let first = NodeKey::load_or_create(dir)?;
        Ok(Self::new(first, former_in(&dir.join(FORMER_FILE))?).at(dir))
    }

    /// Makes a new key in the store's own directory; the one that was there stays as a former one.
    ///
    /// ORDER: the former keys are durable under their name before the new one takes its place. A
    /// crash in between leaves the same key twice.
    pub(super) fn turned_in(dir: &Path, before: &Self) -> Result<Self, NodeKeyError> {
        let fresh = NodeKey::from_bytes(digest::random());
        let io = |source| NodeKeyError::Io { path: dir.join(FILE), source };
        // Of those that nothing needs any more, the oldest go.
        let former: Vec<NodeKey> = before.all().take(limit::FORMER_KEYS_MAX).cloned().collect();
        let all = Zeroizing::new(former.iter().flat_map(|key| key.bytes).collect::<Vec<u8>>());
        store(dir, FORMER_FILE, &all).map_err(io)?;
        store(dir, FILE, &fresh.bytes).map_err(io)?;
        Ok(Self::new(fresh, former).at(dir))
    }

    /// Forgets the former keys of the store's own directory, which wrap nothing any more.
    pub(super) fn forget_former(dir: &Path) -> io::Result<()> {
        match std::fs::remove_file(dir.join(FORMER_FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => File::open(dir)?.sync_all(),
        }
    }

    /// The same, where these open too.
    pub fn and_former(self, more: Vec<NodeKey>) -> Self {
        if more.is_empty() {
            return self;
        }
        // What the config names is not ours to replace.
        Self::new(self.first.clone(), self.former.iter().cloned().chain(more).collect())
    }

    pub(super) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    pub(super) fn without_former(&self) -> Self {
        Self { former: Arc::new([]), ..self.clone() }
    }

    fn at(self, home: &Path) -> Self {
        Self { home: Some(home.into()), ..self }
    }

    /// The one that seals.
    pub const fn first(&self) -> &NodeKey {
        &self.first
    }

    /// Those that only open.
    pub fn former(&self) -> &[NodeKey] {
        &self.former
    }

    /// The key of this id.
    pub(super) fn of(&self, id: KeyId) -> Option<&NodeKey> {
        self.all().find(|key| key.id() == id)
    }

    /// All of them, the first one first.
    pub(super) fn all(&self) -> impl Iterator<Item = &NodeKey> {
        std::iter::once(&self.first).chain(self.former.iter())
    }
}

impl From<NodeKey> for Keys {
    fn from(key: NodeKey) -> Self {
        Self::new(key, Vec::new())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&digest::hex(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}
