//! A node under TLS, and a client that believes its certificate.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::support::PATIENCE;
use crate::support::http1::{self, Message, Progress, Side};

/// A certificate for `site.test` on disk.
pub(super) struct Certificate {
    folder: TempDir,
    client: Arc<ClientConfig>,
}

impl Certificate {
    /// One that nobody else believes.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let made = rcgen::generate_simple_self_signed(["site.test".to_owned()]).expect("a key");
        let write = |name, text: String| std::fs::write(folder.path().join(name), text);
        write("site.pem", made.cert.pem()).expect("a file");
        write("site.key", made.signing_key.serialize_pem()).expect("a file");
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { folder, client: Arc::new(client) }
    }

    /// The section of a config that shows it.
    pub(super) fn section(&self) -> String {
        let path = |name| self.folder.path().join(name).display().to_string();
        format!(
            "[[tls.certificate]]\nchain = {:?}\nkey = {:?}\n",
            path("site.pem"),
            path("site.key")
        )
    }

    /// What a request is answered under TLS, on a connection that begins with these bytes in the
    /// clear.
    #[track_caller]
    pub(super) fn ask(&self, to: SocketAddr, before: &[u8], request: &str) -> Message {
        let mut socket = TcpStream::connect_timeout(&to, PATIENCE).expect("the listener is bound");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
        socket.write_all(before).expect("the peer takes what is sent");
        let name = "site.test".try_into().expect("a name");
        let session = ClientConnection::new(Arc::clone(&self.client), name).expect("a session");
        let mut stream = StreamOwned::new(session, socket);
        stream.write_all(request.as_bytes()).expect("a handshake");
        let mut got = Vec::new();
        loop {
            let mut piece = [0; 4096];
            let count = stream.read(&mut piece).expect("an answer");
            got.extend_from_slice(&piece[..count]);
            match http1::read(&got, Side::Response) {
                Progress::Whole(message, _) => return *message,
                Progress::Partial | Progress::UntilClose(_) if count > 0 => {}
                Progress::Partial | Progress::UntilClose(_) | Progress::Broken(_) => {
                    panic!("not an answer: {:?}", String::from_utf8_lossy(&got))
                }
            }
        }
    }
}
