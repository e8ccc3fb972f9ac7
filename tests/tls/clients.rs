//! Visitors who prove who they are by a certificate, and those who do not.

use intermission::digest;

use super::node::{Node, get, handshakes};
use crate::support::http1::Message;
use crate::support::tls::{Ca, Visitor};

const REQUIRED: &str = "client_ca = \"clients.pem\"";
const OPTIONAL: &str = "client_ca = \"clients.pem\"\nclient_certificate = \"optional\"";

/// A node that asks clients for certificates of this CA.
fn node(tls: &str, clients: &Ca) -> Node {
    Node::with(tls, |folder| {
        std::fs::write(folder.join("clients.pem"), clients.pem()).expect("written");
    })
}

/// What a visitor gets who also claims a certificate by a field.
fn visit(node: &Node, visitor: &Visitor) -> std::io::Result<Message> {
    let request = "GET / HTTP/1.1\r\nHost: site.test\r\nClient-Cert: :Zm9yZ2Vk:\r\n\
                   Client-Cert-Chain: :Zm9yZ2Vk:\r\n\r\n";
    visitor.try_connect(node.https(), "site.test")?.try_ask(request)
}

/// What the application was told of the last visitor.
fn told(node: &Node) -> (Option<String>, Option<String>) {
    let seen = node.origin.requests();
    let last = seen.last().expect("a request");
    let field = |name| last.field(name).map(str::to_owned);
    (field("client-cert"), field("client-cert-chain"))
}

#[test]
fn who_must_prove_it_and_cannot_is_not_let_in() {
    let (clients, others) = (Ca::new("clients"), Ca::new("others"));
    let node = node(REQUIRED, &clients);
    let refused = [
        ("nobody", node.visitor(), "CertificateRequired"),
        ("a stranger", Visitor::showing(&node.ca, &others.issue(&["me"])), "UnknownCA"),
        (
            "one of the past",
            Visitor::showing(&node.ca, &clients.issue_until(2020, &["me"])),
            "Expired",
        ),
    ];
    for (who, visitor, why) in refused {
        let fault = visit(&node, &visitor).expect_err(who).to_string();
        assert!(fault.contains(why), "{who}: {fault}");
    }
    assert!(node.origin.requests().is_empty());
    node.comes_to(&handshakes("failed", ""), 3);
    let own = clients.issue(&["me"]);
    let answer = visit(&node, &Visitor::showing(&node.ca, &own)).expect("an answer");
    assert_eq!(answer.status(), 200);
    let wanted = format!(":{}:", digest::base64(&own.der()));
    assert_eq!(told(&node), (Some(wanted), None), "what was claimed is gone");
}

#[test]
fn who_may_prove_it_is_let_in_without() {
    let (clients, others) = (Ca::new("clients"), Ca::new("others"));
    let node = node(OPTIONAL, &clients);
    assert_eq!(visit(&node, &node.visitor()).expect("an answer").status(), 200);
    assert_eq!(told(&node), (None, None), "who showed nothing is nobody");
    let own = clients.issue(&["me"]);
    visit(&node, &Visitor::showing(&node.ca, &own)).expect("an answer");
    assert_eq!(told(&node).0, Some(format!(":{}:", digest::base64(&own.der()))));
    // To show a false one is not the same as to show none.
    let stranger = Visitor::showing(&node.ca, &others.issue(&["me"]));
    assert!(visit(&node, &stranger).is_err());
}

#[test]
fn nobody_claims_a_certificate_by_a_field_where_none_is_asked_for() {
    let node = Node::start();
    assert_eq!(visit(&node, &node.visitor()).expect("an answer").status(), 200);
    assert_eq!(told(&node), (None, None));
}

#[test]
fn who_proves_it_proves_it_each_time() {
    let clients = Ca::new("clients");
    for tls in [REQUIRED, OPTIONAL] {
        let node = node(tls, &clients);
        let visitor = Visitor::showing(&node.ca, &clients.issue(&["me"]));
        for _ in 0..4 {
            let mut connection = visitor.connect(node.https(), "site.test");
            connection.ask(get("site.test"));
            assert!(!connection.is_resumed());
        }
    }
}

#[test]
fn what_was_proved_to_one_site_is_not_taken_to_another() {
    let clients = Ca::new("clients");
    let node = node(REQUIRED, &clients);
    let visitor = Visitor::showing(&node.ca, &clients.issue(&["me"]));
    let ask = |name: &str, host: &str| visitor.connect(node.https(), name).ask(get(host)).status();
    assert_eq!(ask("site.test", "site.test:8443"), 200);
    assert_eq!(ask("site.test", "www.site.test"), 200, "the certificate shown is for both");
    assert_eq!(ask("site.test", "default.test"), 421);
    assert_eq!(ask("site.test", "a.wild.test"), 421);
    assert_eq!(ask("site.test", "unknown.test"), 421);
    assert_eq!(ask("default.test", "default.test"), 200);
    // Where nobody has to prove anything, a connection serves every host.
    let open = Node::start();
    let visitor = open.visitor();
    assert_eq!(visitor.connect(open.https(), "site.test").ask(get("a.wild.test")).status(), 200);
}
