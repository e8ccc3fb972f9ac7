//! TLS towards servers.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::pem::{self, Fault, Identity};

/// A connection to a server after its handshake.
pub type Connected = tokio_rustls::client::TlsStream<TcpStream>;

/// How servers of one upstream are spoken to.
#[derive(Clone)]
pub struct Client {
    connector: TlsConnector,
}

impl Client {
    /// Believes the CAs in the file `ca`, or those of the system, and shows `identity` if asked.
    pub fn new(
        ca: Option<&Path>,
        identity: Option<&Identity>,
        alpn: &[&str],
    ) -> Result<Self, Fault> {
        let mut roots = RootCertStore::empty();
        match ca {
            Some(ca) => {
                for certificate in pem::certificates(ca)? {
                    roots.add(certificate)?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = match identity {
            Some(Identity(key)) => {
                let resolver = rustls::sign::SingleCertAndKey::from(Arc::clone(key));
                config.with_client_cert_resolver(Arc::new(resolver))
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)) })
    }

    /// Shakes hands with a server that must prove that it is `name`.
    ///
    /// CANCEL: dropping it closes the connection.
    pub async fn connect(&self, name: &str, stream: TcpStream) -> io::Result<Connected> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        self.connector.connect(name, stream).await
    }
}
