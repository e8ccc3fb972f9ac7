//! Certificates that a CA gives by itself, to whoever proves to be a domain (ACME, RFC 8555).

use std::path::PathBuf;

use crate::tls;

/// What is asked of which CA.
pub struct Acme {
    /// Where the CA tells what it offers: an address that begins `https://`.
    pub directory: http::Uri,
    /// How it is spoken to.
    pub client: tls::Client,
    /// Whom it may write to: `mailto:ops@example.com`.
    pub contact: Vec<String>,
    /// The hosts that get a certificate, one each.
    pub domains: Vec<String>,
    /// How it is proved that a host is ours.
    pub proof: Proof,
    /// Where the account, the certificates and what is being proved are kept.
    pub folder: PathBuf,
}

/// How it is proved that a host is ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// An answer at a path of it, in the clear at port 80 (RFC 8555 §8.3).
    Http,
    /// A certificate of ours at port 443 (RFC 8737).
    Tls,
}

impl Acme {
    /// The certificate of a domain and its key, in one file, so that they are never at odds.
    pub fn certificate(&self, domain: &str) -> PathBuf {
        self.folder.join(format!("{domain}.pem"))
    }

    /// The answer that proves a domain at this token.
    pub fn answer(&self, token: &str) -> PathBuf {
        self.folder.join(PROOFS_HTTP).join(token)
    }

    /// The certificate that proves a domain, and its key, in one file.
    pub fn proof(&self, domain: &str) -> PathBuf {
        self.folder.join(PROOFS_TLS).join(format!("{domain}.pem"))
    }

    /// The folders of both kinds of proofs.
    pub fn proofs(&self) -> [PathBuf; 2] {
        [PROOFS_HTTP, PROOFS_TLS].map(|name| self.folder.join(name))
    }
}

const PROOFS_HTTP: &str = "http-01";
const PROOFS_TLS: &str = "tls-alpn-01";
