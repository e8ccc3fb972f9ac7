//! What is kept beside the store: the account, the certificates with their keys, and proofs.
//! Nobody but this user reads any of it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::digest;
use crate::snapshot::Acme;

/// Makes the folders.
pub(super) fn prepare(acme: &Acme) -> io::Result<()> {
    for folder in acme.proofs() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    Ok(())
}

/// Where the account at this CA is kept.
pub(super) fn account(acme: &Acme) -> PathBuf {
    let ca = digest::hex(&digest::sha256(acme.directory.to_string().as_bytes())[..8]);
    acme.folder.join(format!("account-{ca}.json"))
}

/// Writes a file so that it is whole or as it was before, also after the power fails.
pub(super) fn write(at: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = at.with_extension("new");
    // What an earlier attempt left may have other permissions.
    let _ = std::fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, at)?;
    match at.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Removes every proof.
pub(super) fn forget_proofs(acme: &Acme) -> io::Result<()> {
    for folder in acme.proofs() {
        for entry in std::fs::read_dir(folder)? {
            std::fs::remove_file(entry?.path())?;
        }
    }
    Ok(())
}
