//! Which certificate is shown for the name that a client asks for.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::pem::Identity;
use super::server::PROVING;

/// Certificates by the names that they are for. Of several for one name, such as one with an RSA
/// key and one with an elliptic curve, the first whose signature the client knows is shown.
#[derive(Debug)]
pub(super) struct Names {
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// By what stands behind `*.`, which stands for one label (RFC 9525 §6.3).
    below: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// In the order of the config: the first is for names that none claims.
    all: Vec<Arc<CertifiedKey>>,
    /// What proves to a CA who we are, by the name that is to be proved.
    proofs: HashMap<String, Arc<CertifiedKey>>,
}

impl Names {
    pub(super) fn of(identities: &[Identity], proofs: &[Identity]) -> Self {
        let all = identities.iter().map(Identity::certified).collect();
        let named = |one: &Identity| Some((one.names().first()?.clone(), one.certified()));
        let proofs = proofs.iter().filter_map(named).collect();
        let mut names = Self { exact: HashMap::new(), below: HashMap::new(), all, proofs };
        for identity in identities {
            for name in identity.names() {
                let of = match name.strip_prefix("*.") {
                    Some(parent) => names.below.entry(parent.to_owned()),
                    None => names.exact.entry(name.clone()),
                };
                of.or_default().push(identity.certified());
            }
        }
        names
    }

    /// Those for a host in lower case: exact, else by wildcard, else all.
    fn of_host(&self, host: Option<&str>) -> &[Arc<CertifiedKey>] {
        let Some(host) = host else { return &self.all };
        let below = || self.below.get(host.split_once('.')?.1);
        self.exact.get(host).or_else(below).unwrap_or(&self.all)
    }

    /// Whether what is shown to those who ask for `asked` is also for `host`.
    pub(super) fn cover(&self, asked: &str, host: &str) -> bool {
        let shown = self.of_host(Some(asked));
        let claimed = self.exact.contains_key(host)
            || host.split_once('.').is_some_and(|(_, parent)| self.below.contains_key(parent));
        let also = |key: &Arc<CertifiedKey>| {
            self.of_host(Some(host)).iter().any(|other| Arc::ptr_eq(key, other))
        };
        claimed && shown.iter().any(also)
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if hello.alpn().is_some_and(|mut offered| offered.next() == Some(PROVING)) {
            return self.proofs.get(hello.server_name()?).cloned();
        }
        let keys = self.of_host(hello.server_name());
        let schemes: &[SignatureScheme] = hello.signature_schemes();
        let known = keys.iter().find(|key| key.key.choose_scheme(schemes).is_some());
        // None that the client knows: rustls says so with the alert that is meant for it.
        known.or(keys.first()).cloned()
    }
}
