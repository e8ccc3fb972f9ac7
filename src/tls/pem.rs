//! Certificates and keys from PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::CertificateError;
use rustls::server::VerifierBuilderError;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::PROVIDER;
use super::der::{self, Facts};
use super::server::Shown;
use crate::clock::Wall;

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
    /// The system trusts nobody.
    #[error("this machine has no certificates of CAs")]
    NoRoots,
    /// A server cannot prove to be this.
    #[error("`{0}` is neither a host name nor an address")]
    Name(String),
    /// What certificates are verified by cannot be made of the files.
    #[error("{0}")]
    Verifier(String),
    /// rustls refuses what the files hold.
    #[error("{0}")]
    Refused(#[from] rustls::Error),
}

impl Fault {
    /// Whether it is about this file and no other.
    pub fn is_about(&self, file: &Path) -> bool {
        match self {
            Self::Unreadable { at, .. } | Self::Empty { at, .. } => at == file,
            Self::Mismatch { .. }
            | Self::NoRoots
            | Self::Name(_)
            | Self::Verifier(_)
            | Self::Refused(_) => false,
        }
    }

    /// A verifier was not to be built.
    pub(super) fn verifier(error: VerifierBuilderError) -> Self {
        Self::Verifier(error.to_string())
    }
}

/// A certificate chain with its key, which match.
#[derive(Clone, Debug)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    facts: Facts,
}

impl Identity {
    /// Reads both files.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, Fault> {
        let chain = certificates(certificate)?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|source| {
            let at = key.to_owned();
            if matches!(source, rustls_pki_types::pem::Error::NoItemsFound) {
                return Fault::Empty { at, what: "private key" };
            }
            Fault::Unreadable { at, source }
        })?;
        let mismatch = |source| Fault::Mismatch {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            source,
        };
        let certified = CertifiedKey::from_der(chain, secret, &PROVIDER).map_err(mismatch)?;
        let facts = certified.end_entity_cert().ok().and_then(|end| der::facts(end.as_ref()));
        let facts =
            facts.ok_or(rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
        Ok(Self { key: Arc::new(certified), facts })
    }

    /// Reads a certificate that proves to a CA who we are (RFC 8737), and its key, from one file.
    /// Nobody else would take it: it says of itself that it is for that alone.
    pub fn read_proof(at: &Path) -> Result<Self, Fault> {
        let chain = certificates(at)?;
        let unreadable = |source| Fault::Unreadable { at: at.to_owned(), source };
        let secret = PrivateKeyDer::from_pem_file(at).map_err(unreadable)?;
        let facts = der::facts(&chain[0])
            .ok_or(rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let key = PROVIDER.key_provider.load_private_key(secret)?;
        Ok(Self { key: Arc::new(CertifiedKey::new(chain, key)), facts })
    }

    /// From when until when it is valid.
    pub fn validity(&self) -> (Wall, Wall) {
        (self.facts.not_before, self.facts.not_after)
    }

    /// The names that it is for, in lower case.
    pub(super) fn names(&self) -> &[String] {
        &self.facts.names
    }

    /// As those see it who watch over it.
    pub(super) fn shown(&self) -> Shown {
        let name = self.facts.names.first().cloned().unwrap_or_default();
        Shown { name, not_after: self.facts.not_after }
    }

    /// As rustls wants it.
    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
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
