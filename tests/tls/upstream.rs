//! TLS towards servers: who is believed, who is not, and what is shown.

use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use intermission::config::{self, Color};
use intermission::tls::{Alpn, Client};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use tempfile::TempDir;

use crate::support::PATIENCE;
use crate::support::tls::{Ca, Issued};

/// A server that shakes hands with one client. Tells the name that it was asked for, and whether
/// it was shown a certificate.
fn server(shows: &Issued, clients: Option<&Ca>) -> (SocketAddr, Served) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let at = listener.local_addr().expect("it is bound");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of the provider");
    let config = match clients {
        None => config.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(ca.der()).expect("a certificate");
            let provider = Arc::new(default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            config.with_client_cert_verifier(verifier.build().expect("a CA"))
        }
    };
    let key = PrivateKeyDer::from_pem_slice(shows.key.as_bytes()).expect("our own PEM");
    let mut config = config.with_single_cert(vec![shows.der()], key).expect("they match");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut connection = ServerConnection::new(Arc::new(config)).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        let asked = connection.server_name().map(str::to_owned);
        let shown = connection.peer_certificates().is_some();
        // Until the client has gone: what is said to it must not be lost by a reset.
        let _ = stream.read(&mut [0]);
        Ok((asked, shown))
    });
    (at, served)
}

type Served = std::thread::JoinHandle<io::Result<(Option<String>, bool)>>;

/// What this `[upstream.tls]` compiles to.
#[track_caller]
fn client(folder: &Path, tls: &str) -> Client {
    let text = format!(
        "[[upstream]]\nname = \"app\"\nservers = [\"127.0.0.1:9000\"]\n[upstream.tls]\n{tls}\n\
         [[route]]\nname = \"app\"\npaths = [\"/*\"]\nupstream = \"app\"\n"
    );
    let loaded = config::load_text("c.toml", &text, folder)
        .unwrap_or_else(|problems| panic!("{}", problems.render(Color::Plain)));
    loaded.site.upstreams[0].tls.clone().expect("TLS is spoken to it")
}

/// Shakes hands with the server at an address, which is called `host`. Tells the protocol.
fn shake(client: &Client, at: SocketAddr, host: &str, alpn: Alpn) -> io::Result<Option<Vec<u8>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let stream = tokio::net::TcpStream::connect(at).await?;
        let connected = client.connect(&format!("{host}:{}", at.port()), alpn, stream).await?;
        Ok(connected.get_ref().1.alpn_protocol().map(<[u8]>::to_vec))
    })
}

/// A folder with the CA's certificate.
fn folder(ca: &Ca) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("ca.pem"), ca.pem()).expect("written");
    folder
}

#[test]
fn a_server_is_who_it_is_called_or_is_not_spoken_to() {
    let (ca, others) = (Ca::new("ours"), Ca::new("others"));
    let folder = folder(&ca);
    let good = || ca.issue(&["app.internal", "10.0.0.7", "2001:db8::7"]);
    let table = [
        ("ca = \"ca.pem\"", good(), "app.internal", None),
        ("ca = \"ca.pem\"", good(), "10.0.0.7", None),
        ("ca = \"ca.pem\"", good(), "[2001:db8::7]", None),
        ("ca = \"ca.pem\"", good(), "other.internal", Some("NotValidForName")),
        ("ca = \"ca.pem\"", good(), "10.0.0.8", Some("NotValidForName")),
        ("ca = \"ca.pem\"", others.issue(&["app.internal"]), "app.internal", Some("UnknownIssuer")),
        (
            "ca = \"ca.pem\"",
            ca.issue_until(2020, &["app.internal"]),
            "app.internal",
            Some("Expired"),
        ),
        // The CA of the tests is not one that the machine trusts; `ca` alone makes the difference.
        ("verify = false", others.issue_until(2020, &["x"]), "app.internal", None),
        ("ca = \"ca.pem\"\nserver_name = \"app.internal\"", good(), "10.1.1.1", None),
        (
            "ca = \"ca.pem\"\nserver_name = \"x.internal\"",
            good(),
            "app.internal",
            Some("NotValidForName"),
        ),
    ];
    for (tls, shows, host, refused) in table {
        let (at, served) = server(&shows, None);
        let shaken = shake(&client(folder.path(), tls), at, host, Alpn::Http1);
        match refused {
            None => {
                assert_eq!(shaken.expect(tls), Some(b"http/1.1".to_vec()), "{tls} {host}");
                let (asked, _) = served.join().expect("no panic").expect("a handshake");
                let name = if tls.contains("server_name") { "app.internal" } else { host };
                let is_name = name.contains("internal");
                assert_eq!(asked, is_name.then(|| name.to_owned()), "{tls}");
            }
            Some(why) => {
                let fault = shaken.expect_err(tls);
                assert_eq!(fault.kind(), io::ErrorKind::InvalidData, "{tls}: {fault}");
                let told = format!("{fault:?}");
                assert!(told.contains(why), "{tls} {host}: {told}");
                assert!(served.join().expect("no panic").is_err());
            }
        }
    }
}

#[test]
fn the_protocols_are_those_that_are_offered() {
    let ca = Ca::new("ours");
    let folder = folder(&ca);
    let client = client(folder.path(), "ca = \"ca.pem\"");
    for (alpn, agreed) in [(Alpn::Http1, "http/1.1"), (Alpn::H2, "h2"), (Alpn::Either, "h2")] {
        let (at, served) = server(&ca.issue(&["app.internal"]), None);
        let shaken = shake(&client, at, "app.internal", alpn).expect("a handshake");
        assert_eq!(shaken.as_deref(), Some(agreed.as_bytes()));
        served.join().expect("no panic").expect("a handshake");
    }
}

#[test]
fn a_server_that_asks_is_shown_a_certificate() {
    let ca = Ca::new("ours");
    let folder = folder(&ca);
    ca.issue(&["proxy"]).write(folder.path(), "own");
    let own = "ca = \"ca.pem\"\ncertificate = \"own.pem\"\nkey = \"own.key\"";
    for (tls, shown) in [(own, true), ("ca = \"ca.pem\"", false)] {
        let (at, served) = server(&ca.issue(&["app.internal"]), Some(&ca));
        // In TLS 1.3 the client is done before the server has looked at its certificate.
        let _ = shake(&client(folder.path(), tls), at, "app.internal", Alpn::H2);
        let served = served.join().expect("no panic");
        assert_eq!(served.is_ok_and(|(_, shown)| shown), shown, "{tls}");
    }
}

#[test]
fn files_that_do_not_serve_refuse_the_config() {
    let ca = Ca::new("ours");
    let folder = folder(&ca);
    ca.issue(&["a"]).write(folder.path(), "a");
    ca.issue(&["b"]).write(folder.path(), "b");
    std::fs::write(folder.path().join("empty.pem"), "").expect("written");
    let listen = "[listen]\nhttps = [\"127.0.0.1:0\"]\n";
    let shown = "[[tls.certificate]]\nchain = \"a.pem\"\nkey = \"a.key\"\n";
    let table = [
        (
            format!("{listen}[[tls.certificate]]\nchain = \"a.pem\"\nkey = \"b.key\""),
            "do not belong together",
        ),
        (
            format!("{listen}[[tls.certificate]]\nchain = \"empty.pem\"\nkey = \"a.key\""),
            "holds no certificate",
        ),
        (
            format!("{listen}[[tls.certificate]]\nchain = \"a.pem\"\nkey = \"a.pem\""),
            "holds no private key",
        ),
        (
            format!("{listen}[[tls.certificate]]\nchain = \"a.pem\"\nkey = \"absent.key\""),
            "absent.key cannot be read",
        ),
        (
            format!("{listen}[tls]\nclient_ca = \"absent.pem\"\n{shown}"),
            "absent.pem cannot be read",
        ),
        (format!("{listen}[tls]\nclient_ca = \"empty.pem\"\n{shown}"), "holds no certificate"),
        (format!("{listen}[tls]\nclient_certificate = \"optional\"\n{shown}"), "nobody is known"),
        ("[upstream.tls]\nca = \"absent.pem\"".to_owned(), "absent.pem cannot be read"),
        ("[upstream.tls]\nca = \"empty.pem\"".to_owned(), "holds no certificate"),
        ("[upstream.tls]\nca = \"a.key\"".to_owned(), "holds no certificate"),
        (
            "[upstream.tls]\nca = \"ca.pem\"\ncertificate = \"a.pem\"\nkey = \"b.key\"".to_owned(),
            "do not belong together",
        ),
        ("[upstream.tls]\nca = \"ca.pem\"\ncertificate = \"a.pem\"".to_owned(), "without `key`"),
        (
            "[upstream.tls]\nca = \"ca.pem\"\nserver_name = \"a b\"".to_owned(),
            "neither a host name nor an address",
        ),
    ];
    for (more, what) in table {
        let text = format!(
            "[[route]]\nname = \"app\"\npaths = [\"/*\"]\nupstream = \"app\"\n\
             [[upstream]]\nname = \"app\"\nservers = [\"127.0.0.1:9000\"]\n{more}\n"
        );
        let Err(problems) = config::load_text("c.toml", &text, folder.path()) else {
            panic!("{text} was accepted");
        };
        assert_eq!(problems.len(), 1, "{}", problems.render(Color::Plain));
        assert!(problems.iter().any(|one| one.what.contains(what)), "{problems:?} for {text}");
    }
}
