//! The node's keys as the config names them, and how much they may seal.

use crate::config::{KeyFrom, Process};
use crate::vault::keys::{KeySource, NodeKeyError};
use crate::vault::{Bounds, Keys, NodeKey};

/// The keys that the config names, or those of the store's own directory.
///
/// A former key that is not there costs what it sealed, and is told; without the one that seals
/// nothing could be kept, so the start fails.
pub(super) fn keys(process: &Process) -> Result<Keys, NodeKeyError> {
    let named = |from: &KeyFrom| match from.clone() {
        KeyFrom::File(path) => KeySource::File(path),
        KeyFrom::Env(name) => KeySource::Env(name),
        KeyFrom::Credential(name) => KeySource::Credential(name),
    };
    let mut former = Vec::new();
    for from in &process.store.former_keys {
        match NodeKey::from_source(&named(from)) {
            Ok(key) => former.push(key),
            Err(error) => {
                tracing::error!(%error, "a former node key is missing: what it sealed stays closed");
            }
        }
    }
    let keys = match &process.store.key {
        Some(from) => Keys::new(NodeKey::from_source(&named(from))?, former),
        None => Keys::of_directory(&process.store_dir)?.and_former(former),
    };
    tracing::info!(key = %keys.first().id(), former = keys.former().len(), "the node key");
    Ok(keys)
}

/// How much is kept.
pub(super) fn bounds(process: &Process) -> Bounds {
    Bounds { bytes: process.store.bytes_max, ..Bounds::default() }
}
