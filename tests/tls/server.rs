//! What is agreed on in a handshake: certificate, protocol, key exchange, version, session.

use rustls::NamedGroup;
use rustls::version::{TLS12, TLS13};

use super::node::{CERTIFICATES, Node, get, handshakes};
use crate::support::tls::Visitor;

/// The name of the certificate file that was shown.
fn shown(node: &Node, name: &str) -> Option<&'static str> {
    let shown = Visitor::trusting_anybody().connect(node.https(), name).shown();
    let files = CERTIFICATES.iter().map(|(file, _)| *file);
    files.into_iter().find(|file| node.certificate(file) == shown)
}

#[test]
fn the_certificate_is_the_one_for_the_name() {
    let node = Node::start();
    let table = [
        ("site.test", "site"),
        ("SITE.test", "site"),
        ("www.site.test", "site"),
        ("a.wild.test", "wild"),
        ("A.WILD.TEST", "wild"),
        // A wildcard stands for one label, and not for none.
        ("a.b.wild.test", "default"),
        ("wild.test", "default"),
        ("default.test", "default"),
        ("unknown.test", "default"),
        ("test", "default"),
        // An address is no name: nothing is asked for.
        ("127.0.0.1", "default"),
    ];
    for (name, wanted) in table {
        assert_eq!(shown(&node, name), Some(wanted), "{name}");
    }
}

#[test]
fn the_protocol_is_agreed_on_or_there_is_none() {
    let node = Node::start();
    let table: [(&[&str], Option<&[u8]>); 4] = [
        (&["h2", "http/1.1"], Some(b"h2")),
        (&["http/1.1"], Some(b"http/1.1")),
        (&["http/1.1", "h2"], Some(b"h2")),
        (&[], None),
    ];
    for (offered, agreed) in table {
        let visitor = node.visitor().offering(offered);
        let connection = visitor.connect(node.https(), "site.test");
        assert_eq!(connection.connection().alpn_protocol(), agreed, "{offered:?}");
    }
    let refused = node.visitor().offering(&["imap"]).try_connect(node.https(), "site.test");
    let fault = refused.err().expect("a refusal").to_string();
    assert!(fault.contains("NoApplicationProtocol"), "{fault}");
}

#[test]
fn the_key_exchange_withstands_quantum_computers() {
    let node = Node::start();
    let connection = node.visitor().connect(node.https(), "site.test");
    let group = connection.connection().negotiated_key_exchange_group().expect("a group");
    assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
}

#[test]
fn versions_older_than_wanted_are_refused() {
    let node = Node::start();
    for version in [&TLS12, &TLS13] {
        let visitor = Visitor::speaking(&node.ca, version);
        assert_eq!(visitor.connect(node.https(), "site.test").ask(get("site.test")).status(), 200);
    }
    let node = Node::with("min_version = \"1.3\"", |_| {});
    let refused = Visitor::speaking(&node.ca, &TLS12).try_connect(node.https(), "site.test");
    let fault = refused.err().expect("a refusal").to_string();
    assert!(fault.contains("ProtocolVersion"), "{fault}");
    node.visitor().connect(node.https(), "site.test").ask(get("site.test"));
}

#[test]
fn sessions_are_taken_up_again_by_every_worker_and_after_a_reload() {
    for (version, name) in [(&TLS12, "1.2"), (&TLS13, "1.3")] {
        let node = Node::start();
        let visitor = Visitor::speaking(&node.ca, version);
        let visit = || {
            let mut connection = visitor.connect(node.https(), "site.test");
            connection.ask(get("site.test"));
            connection.is_resumed()
        };
        assert!(!visit(), "there is no session yet");
        // The system deals connections to two workers by their ports: both are met.
        assert!((0..16).all(|_| visit()), "TLS {name}");
        let config = node.folder.path().join("intermission.toml");
        let text = std::fs::read_to_string(&config).expect("the config");
        std::fs::write(&config, format!("{text}\n# another\n")).expect("written");
        node.reload();
        assert!((0..16).all(|_| visit()), "TLS {name} after a reload");
        assert_eq!(node.metric(&handshakes("full", name)), 1);
        assert_eq!(node.metric(&handshakes("resumed", name)), 32);
        // A session belongs to the name that it was begun for.
        assert!(!visitor.connect(node.https(), "www.site.test").is_resumed());
    }
}
