//! TLS towards visitors.

use std::io;
use std::sync::{Arc, LazyLock};

use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier};
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::PROVIDER;
use super::client::Roots;
use super::names::Names;
use super::pem::{Fault, Identity};
use crate::clock::Wall;

/// A client's connection after its handshake.
pub type Accepted = tokio_rustls::server::TlsStream<TcpStream>;

/// What visitors are answered with.
#[derive(Clone)]
pub struct Server {
    acceptor: TlsAcceptor,
    names: Arc<Names>,
    shown: Arc<[Shown]>,
    clients: bool,
}

/// What a [`Server`] is made of.
pub struct Terms {
    /// The first is for names that none claims.
    pub identities: Vec<Identity>,
    /// What proves to a CA who we are (RFC 8737).
    pub proofs: Vec<Identity>,
    /// The oldest version that is spoken.
    pub oldest: Version,
    /// Who has to show a certificate.
    pub clients: Clients,
}

/// A version of TLS.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Version {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// Whether clients show certificates.
#[derive(Clone, Debug)]
pub enum Clients {
    /// They are not asked.
    Unasked,
    /// They are asked for one of these CAs, and may have none.
    May(Roots),
    /// Who has none of these CAs is not let in.
    Must(Roots),
}

/// A certificate, for those who watch over it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// The first name that it is for.
    pub name: String,
    /// When it ends to be valid.
    pub not_after: Wall,
}

/// What was agreed on in a handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Session {
    /// The version.
    pub version: Version,
    /// Whether an earlier session was taken up again.
    pub resumed: bool,
}

/// The protocol by which a CA asks who we are.
pub(super) const PROVING: &[u8] = b"acme-tls/1";

/// What tickets are sealed by. One for the process: a session is taken up again by every worker,
/// and after a reload.
static TICKETS: LazyLock<Result<Arc<dyn ProducesTickets>, rustls::Error>> =
    LazyLock::new(Ticketer::new);

const NEWER: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
const BOTH: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

impl Server {
    /// On these terms.
    pub fn new(terms: Terms) -> Result<Self, Fault> {
        Self::speaking(&[b"h2", b"http/1.1"], terms)
    }

    /// On these terms, for a listener that speaks HTTP/1.1 only.
    pub fn speaking_http1(terms: Terms) -> Result<Self, Fault> {
        Self::speaking(&[b"http/1.1"], terms)
    }

    fn speaking(protocols: &[&[u8]], terms: Terms) -> Result<Self, Fault> {
        let Terms { identities, proofs, oldest, clients } = terms;
        let versions = match oldest {
            Version::Tls12 => &BOTH[..],
            Version::Tls13 => &NEWER[..],
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(versions)?;
        let verifier = |roots: Roots| {
            WebPkiClientVerifier::builder_with_provider(roots.store(), Arc::clone(&PROVIDER))
        };
        let asks = !matches!(clients, Clients::Unasked);
        let builder = match clients {
            Clients::Unasked => builder.with_no_client_auth(),
            Clients::May(roots) => {
                let verifier = verifier(roots).allow_unauthenticated().build();
                builder.with_client_cert_verifier(verifier.map_err(Fault::verifier)?)
            }
            Clients::Must(roots) => {
                let verifier = verifier(roots).build().map_err(Fault::verifier)?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let names = Arc::new(Names::of(&identities, &proofs));
        let mut config = builder.with_cert_resolver(Arc::clone(&names) as Arc<_>);
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        if !proofs.is_empty() {
            config.alpn_protocols.push(PROVING.to_vec());
        }
        // INVARIANT: who shows a certificate shows it in every handshake. A session that is taken
        // up again would bring the certificate of then, without asking whether it still holds.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if asks {
            config.send_tls13_tickets = 0;
        } else {
            config.ticketer = Arc::clone(TICKETS.as_ref().map_err(Clone::clone)?);
        }
        let shown = identities.iter().map(Identity::shown).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { acceptor, names, shown, clients: asks })
    }

    /// Shakes hands with a client. If it fails, the client was told why, and the stream is given
    /// back to be closed in peace.
    ///
    /// CANCEL: dropping it closes the connection.
    pub async fn accept(&self, stream: TcpStream) -> Result<Accepted, (io::Error, TcpStream)> {
        self.acceptor.accept(stream).into_fallible().await
    }

    /// The certificates, in the order of the config.
    pub fn certificates(&self) -> &[Shown] {
        &self.shown
    }

    /// Whether clients are asked for certificates.
    pub fn asks_clients(&self) -> bool {
        self.clients
    }

    /// Whether what is shown to those who ask for `asked` is also for `host`, both in lower case.
    pub fn covers(&self, asked: &str, host: &str) -> bool {
        asked == host || self.names.cover(asked, host)
    }
}

/// Whether a CA wanted to be shown who we are, which the handshake has done (RFC 8737 §3).
pub fn is_proving(stream: &Accepted) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(PROVING)
}

/// What was agreed on.
pub fn session(stream: &Accepted) -> Session {
    let connection = stream.get_ref().1;
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => Version::Tls13,
        _ => Version::Tls12,
    };
    let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
    Session { version, resumed }
}

/// The name that the client asked for (SNI, RFC 6066 §3), in lower case.
pub fn asked_name(stream: &Accepted) -> Option<&str> {
    stream.get_ref().1.server_name()
}

/// The certificate that the client has shown and proved to be its own, in DER.
pub fn client_certificate(stream: &Accepted) -> Option<&[u8]> {
    Some(stream.get_ref().1.peer_certificates()?.first()?.as_ref())
}

/// The DNS names of the certificate that the client has shown, in lower case, wildcards left out.
pub fn client_names(stream: &Accepted) -> Vec<String> {
    let facts = client_certificate(stream).and_then(super::der::facts);
    let names = facts.map(|facts| facts.names).unwrap_or_default();
    names.into_iter().filter(|name| !name.contains('*')).collect()
}
