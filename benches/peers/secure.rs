//! TLS as visitors of the bench speak it: one certificate for all proxies, one key exchange, one
//! cipher, so that none of them is asked for more than another.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Sessions that are remembered for one name.
const SESSIONS: usize = 1024;
const NAME: &str = "localhost";

/// Writes the certificate and the key that all proxies show.
pub(crate) fn identity(folder: &Path) -> io::Result<()> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).map_err(io::Error::other)?;
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    fs::write(folder.join("site.pem"), &chain)?;
    fs::write(folder.join("site.key"), &key)?;
    fs::write(folder.join("site.both"), chain + &key)
}

/// Whether a visitor comes back with a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sessions {
    Forgotten,
    Kept,
}

/// What visitors shake hands with.
#[derive(Clone)]
pub(crate) struct Visitor(TlsConnector);

impl std::fmt::Debug for Visitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Visitor")
    }
}

impl Visitor {
    /// TLS 1.3, X25519 and AES-128-GCM; trusts the certificate in this folder.
    pub(crate) fn new(folder: &Path, sessions: Sessions, protocol: &str) -> io::Result<Self> {
        let provider = CryptoProvider {
            cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
            kx_groups: vec![kx_group::X25519],
            ..aws_lc_rs::default_provider()
        };
        let mut roots = RootCertStore::empty();
        let chain = CertificateDer::from_pem_file(folder.join("site.pem"));
        roots.add(chain.map_err(io::Error::other)?).map_err(io::Error::other)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        config.resumption = match sessions {
            Sessions::Forgotten => Resumption::disabled(),
            Sessions::Kept => Resumption::in_memory_sessions(SESSIONS),
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Shakes hands.
    pub(crate) async fn enter(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
        self.0.connect(name, stream).await
    }
}

/// Whether the session was taken up again.
pub(crate) fn is_resumed(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
}
