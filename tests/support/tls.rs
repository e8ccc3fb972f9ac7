//! A CA of the tests, and visitors who speak TLS: rustls on a blocking socket.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, date_time_ymd,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, RootCertStore,
    SignatureScheme, StreamOwned, SupportedProtocolVersion,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use super::PATIENCE;
use super::http1::{self, Message, Progress, Side};

/// Somebody whose certificates are believed.
pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Ca {
    /// A CA of its own.
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, key()).expect("a certificate"))
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its own certificate, as bytes.
    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A certificate for these names, which may be addresses.
    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        self.issue_until(2096, names)
    }

    /// A certificate for a name and somebody else's key: the point of a P-256 key.
    pub(crate) fn issue_for(&self, name: &str, point: Vec<u8>) -> String {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.not_after = date_time_ymd(2096, 1, 1);
        params.signed_by(&Point(point), &self.0).expect("a certificate").pem()
    }

    /// A certificate that ends with the beginning of this year.
    pub(crate) fn issue_until(&self, year: i32, names: &[&str]) -> Issued {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.not_after = date_time_ymd(year, 1, 1);
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("a certificate").pem();
        Issued { certificate, key: key.serialize_pem() }
    }
}

/// The public half of a key.
struct Point(Vec<u8>);

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl Issued {
    /// Writes `NAME.pem` and `NAME.key`.
    pub(crate) fn write(&self, folder: &Path, name: &str) {
        std::fs::write(folder.join(format!("{name}.pem")), &self.certificate).expect("written");
        std::fs::write(folder.join(format!("{name}.key")), &self.key).expect("written");
    }

    /// As the bytes that stand in the PEM.
    pub(crate) fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("our own PEM")
    }
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key")
}

/// Somebody who visits by TLS, and remembers sessions.
#[derive(Clone)]
pub(crate) struct Visitor(Arc<ClientConfig>);

impl Visitor {
    /// Believes this CA.
    pub(crate) fn trusting(ca: &Ca) -> Self {
        Self::made(ca, rustls::ALL_VERSIONS, None)
    }

    /// Believes this CA and shows this certificate.
    pub(crate) fn showing(ca: &Ca, own: &Issued) -> Self {
        Self::made(ca, rustls::ALL_VERSIONS, Some(own))
    }

    /// Believes this CA and speaks this version alone.
    pub(crate) fn speaking(ca: &Ca, version: &'static SupportedProtocolVersion) -> Self {
        Self::made(ca, &[version], None)
    }

    /// Believes whatever it is shown.
    pub(crate) fn trusting_anybody() -> Self {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of the provider")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Credulous))
            .with_no_client_auth();
        Self(Arc::new(config))
    }

    fn made(ca: &Ca, versions: &[&'static SupportedProtocolVersion], own: Option<&Issued>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(ca.der()).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .expect("versions of the provider")
            .with_root_certificates(roots);
        Self(Arc::new(match own {
            None => config.with_no_client_auth(),
            Some(own) => {
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).expect("our own PEM");
                config.with_client_auth_cert(vec![own.der()], key).expect("they match")
            }
        }))
    }

    /// Offers these protocols.
    pub(crate) fn offering(mut self, alpn: &[&str]) -> Self {
        let offered = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::make_mut(&mut self.0).alpn_protocols = offered;
        self
    }

    /// Shakes hands with whoever must be `name`.
    pub(crate) fn try_connect(&self, to: SocketAddr, name: &str) -> io::Result<Secure> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(&self.0), name);
        let mut stream = StreamOwned::new(connection.map_err(io::Error::other)?, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Secure { stream, ahead: Vec::new() })
    }

    /// As [`Visitor::try_connect`], which has to go well.
    #[track_caller]
    pub(crate) fn connect(&self, to: SocketAddr, name: &str) -> Secure {
        self.try_connect(to, name).unwrap_or_else(|fault| panic!("{name}: {fault}"))
    }
}

/// Takes every certificate and every signature.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A connection after its handshake.
pub(crate) struct Secure {
    stream: StreamOwned<ClientConnection, TcpStream>,
    /// Read, but not yet part of a message.
    ahead: Vec<u8>,
}

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// With TLS's own last word.
    Said,
    /// Without.
    Unsaid,
}

impl Secure {
    /// What was agreed on.
    pub(crate) fn connection(&self) -> &ClientConnection {
        &self.stream.conn
    }

    /// The stream, for another protocol than HTTP/1.1.
    pub(crate) fn into_stream(self) -> StreamOwned<ClientConnection, TcpStream> {
        self.stream
    }

    /// Whether an earlier session was taken up again.
    pub(crate) fn is_resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The certificate that was shown.
    pub(crate) fn shown(&self) -> CertificateDer<'static> {
        let chain = self.stream.conn.peer_certificates().expect("a handshake that is done");
        chain[0].clone().into_owned()
    }

    /// Sends these bytes.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// Sends a request and reads the answer.
    pub(crate) fn try_ask(&mut self, request: impl AsRef<[u8]>) -> io::Result<Message> {
        self.try_send(request)?;
        loop {
            if let Progress::Whole(message, length) = http1::read(&self.ahead, Side::Response) {
                self.ahead.drain(..length);
                return Ok(*message);
            }
            let mut piece = [0; 16 * 1024];
            match self.stream.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.ahead.extend_from_slice(&piece[..count]),
            }
        }
    }

    /// As [`Secure::try_ask`], which has to go well.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>) -> Message {
        self.try_ask(request).unwrap_or_else(|fault| panic!("no answer: {fault}"))
    }

    /// Reads to the end.
    #[track_caller]
    pub(crate) fn ending(mut self) -> Ending {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => Ending::Said,
            Err(fault) if fault.kind() == io::ErrorKind::UnexpectedEof => Ending::Unsaid,
            Err(fault) => panic!("neither an end nor a cut: {fault}"),
        }
    }

    /// Closes the socket under it, without TLS's last word.
    pub(crate) fn cut(self) {
        self.stream.sock.shutdown(std::net::Shutdown::Both).expect("a connected socket");
    }
}
