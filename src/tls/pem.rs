//! Certificates and keys from PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Why a file does not serve.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("{} cannot be read: {source}", at.display())]
    Unreadable {
        /// The file.
        at: PathBuf,
        /// What the system or the parser says.
        source: rustls_pki_types::pem::Error,
    },
    /// It holds nothing of the kind.
    #[error("{} holds no {what}", at.display())]
    Empty {
        /// The file.
        at: PathBuf,
        /// `certificate` or `private key`.
        what: &'static str,
    },
    /// The key is not the certificate's, or of no use.
    #[error("{} and {} do not belong together: {source}", certificate.display(), key.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// rustls refuses what the files hold.
    #[error("{0}")]
    Refused(#[from] rustls::Error),
}

/// A certificate chain with its key, which match.
#[derive(Clone, Debug)]
pub struct Identity(pub(super) Arc<CertifiedKey>);

impl Identity {
    /// Reads both files.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, Fault> {
        let chain = certificates(certificate)?;
        let secret = PrivateKeyDer::from_pem_file(key)
            .map_err(|source| Fault::Unreadable { at: key.to_owned(), source })?;
        let mismatch = |source| Fault::Mismatch {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            source,
        };
        let provider = aws_lc_rs::default_provider();
        let certified = CertifiedKey::from_der(chain, secret, &provider).map_err(mismatch)?;
        Ok(Self(Arc::new(certified)))
    }
}

/// Every certificate of a file; at least one.
pub(super) fn certificates(at: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let unreadable = |source| Fault::Unreadable { at: at.to_owned(), source };
    let found = CertificateDer::pem_file_iter(at).map_err(unreadable)?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if found.is_empty() {
        return Err(Fault::Empty { at: at.to_owned(), what: "certificate" });
    }
    Ok(found)
}
