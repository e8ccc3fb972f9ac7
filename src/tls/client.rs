//! TLS towards servers.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::PROVIDER;
use super::pem::{self, Fault, Identity};

/// A connection to a server after its handshake.
pub type Connected = tokio_rustls::client::TlsStream<TcpStream>;

/// The protocols that are offered to a server (RFC 7301).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alpn {
    /// `http/1.1` alone.
    Http1,
    /// `h2` alone.
    H2,
    /// `h2`, else `http/1.1`.
    Either,
}

impl Alpn {
    fn protocols(self) -> Vec<Vec<u8>> {
        match self {
            Self::Http1 => vec![b"http/1.1".to_vec()],
            Self::H2 => vec![b"h2".to_vec()],
            Self::Either => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        }
    }
}

/// Whose word is taken for who a server is.
#[derive(Clone, Debug)]
pub struct Roots(Arc<RootCertStore>);

impl Roots {
    /// The CAs in a file, and nobody else.
    pub fn read(at: &Path) -> Result<Self, Fault> {
        let mut roots = RootCertStore::empty();
        for certificate in pem::certificates(at)? {
            roots.add(certificate)?;
        }
        Ok(Self(Arc::new(roots)))
    }

    /// The CAs that the system trusts; a fault if there are none.
    pub fn system() -> Result<Self, Fault> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() { Err(Fault::NoRoots) } else { Ok(Self(Arc::new(roots))) }
    }

    /// As rustls wants them.
    pub(super) fn store(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.0)
    }
}

/// A host name or an address that certificates are for.
#[derive(Clone, Debug)]
pub struct Name(ServerName<'static>);

impl Name {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let name = ServerName::try_from(text.to_owned());
        name.map(Self).map_err(|_| Fault::Name(text.to_owned()))
    }
}

/// Whether a server has to prove who it is.
#[derive(Clone, Debug)]
pub enum Verify {
    /// With a certificate for its name that leads to one of these.
    By(Roots),
    /// Any certificate will do: whoever sits in between can read and change everything.
    Nothing,
}

/// How servers of one upstream are spoken to. Sessions are resumed across workers.
#[derive(Clone)]
pub struct Client {
    http1: TlsConnector,
    h2: TlsConnector,
    either: TlsConnector,
    /// Whom a server must prove to be instead of the host that it is called by.
    name: Option<ServerName<'static>>,
}

impl Client {
    /// Verifies servers so, each of which must prove to be `name` if there is one, and shows
    /// `identity` if it is asked for it.
    pub fn new(
        verify: &Verify,
        identity: Option<&Identity>,
        name: Option<Name>,
    ) -> Result<Self, Fault> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_safe_default_protocol_versions()?;
        let builder = match verify {
            Verify::By(roots) => {
                let provider = Arc::clone(&PROVIDER);
                let by = WebPkiServerVerifier::builder_with_provider(roots.store(), provider);
                builder.with_webpki_verifier(by.build().map_err(Fault::verifier)?)
            }
            Verify::Nothing => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody))
            }
        };
        let config = match identity {
            Some(identity) => {
                let resolver = rustls::sign::SingleCertAndKey::from(identity.certified());
                builder.with_client_cert_resolver(Arc::new(resolver))
            }
            None => builder.with_no_client_auth(),
        };
        // The three share what they verify by and show, and so may share sessions.
        let offering = |alpn: Alpn| {
            let mut config = config.clone();
            config.alpn_protocols = alpn.protocols();
            TlsConnector::from(Arc::new(config))
        };
        Ok(Self {
            http1: offering(Alpn::Http1),
            h2: offering(Alpn::H2),
            either: offering(Alpn::Either),
            name: name.map(|Name(name)| name),
        })
    }

    /// Whether it is the same one, not merely one of the same files.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.http1.config(), other.http1.config()) && self.name == other.name
    }

    /// Shakes hands with a server, which must prove that it is the host of `server` (as the config
    /// names it: `app.internal:9000`), unless the upstream has a name of its own.
    ///
    /// An error whose kind is [`io::ErrorKind::InvalidData`] is one of TLS: the server is not who
    /// it should be, or does not speak it. Others are the connection's.
    ///
    /// CANCEL: dropping it closes the connection.
    pub async fn connect(
        &self,
        server: &str,
        alpn: Alpn,
        stream: TcpStream,
    ) -> io::Result<Connected> {
        let connector = match alpn {
            Alpn::Http1 => &self.http1,
            Alpn::H2 => &self.h2,
            Alpn::Either => &self.either,
        };
        let name = match &self.name {
            Some(name) => name.clone(),
            None => host_of(server)?,
        };
        connector.connect(name, stream).await
    }
}

/// What the certificate of a server must name: its host, without port and brackets.
fn host_of(server: &str) -> io::Result<ServerName<'static>> {
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    ServerName::try_from(host.to_owned()).map_err(invalid)
}

/// Takes every certificate, but not every signature: who holds a connection holds its key.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}
