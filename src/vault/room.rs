//! Room for bodies: taken before they are read, so that many at once cannot fill the store.

use std::fmt;
use std::sync::atomic::Ordering;

use super::{NotKept, Vault};

impl Vault {
    /// Takes room for a body before it is read: as much as it declares, else as much as it may
    /// have. What the store holds is known as of the last sweep; the store holds the bound exactly
    /// when a form is kept.
    pub fn reserve(&self, declared: Option<u64>, most: u64) -> Result<Reserved, NotKept> {
        let bytes = declared.unwrap_or(most);
        let before = self.parts.reserved.fetch_add(bytes, Ordering::Relaxed);
        let reserved = Reserved { vault: self.clone(), bytes };
        let held = self.parts.held.load(Ordering::Relaxed);
        if held.saturating_add(before).saturating_add(bytes) > self.parts.bounds.bytes {
            return Err(NotKept::Quota("bytes of the store"));
        }
        Ok(reserved)
    }
}

/// Room for a body that is being received, until this is dropped.
#[must_use = "the room is given back when this is dropped"]
pub struct Reserved {
    vault: Vault,
    bytes: u64,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.vault.parts.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl fmt::Debug for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reserved({})", self.bytes)
    }
}
