//! TLS towards visitors.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::pem::{Fault, Identity};

/// A client's connection after its handshake.
pub type Accepted = tokio_rustls::server::TlsStream<TcpStream>;

/// What visitors are answered with.
#[derive(Clone)]
pub struct Server {
    acceptor: TlsAcceptor,
}

impl Server {
    /// Of these certificates, the first for names that none claims.
    pub fn new(identities: Vec<Identity>) -> Result<Self, Fault> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Names { identities }));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Shakes hands with a client.
    ///
    /// CANCEL: dropping it closes the connection.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<Accepted> {
        self.acceptor.accept(stream).await
    }
}

/// Certificates by the name that the client asks for.
#[derive(Debug)]
struct Names {
    identities: Vec<Identity>,
}

impl ResolvesServerCert for Names {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.identities.first().map(|identity| Arc::clone(&identity.0))
    }
}
