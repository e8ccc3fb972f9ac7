//! Certificates by ACME: asked for, proved, shown, and asked for again. Needs the feature `acme`.

/// A CA of the tests.
mod ca;

use intermission::clock::Clock;

use self::ca::{FakeCa, Looks};
use super::node::{Node, get};
use crate::support::eventually;
use crate::support::origin::Origin;
use crate::support::tls::{Ca, Visitor};

/// A node that asks this CA for the certificate of `acme.test`.
fn node(ca: &FakeCa, challenge: &str, prepare: impl FnOnce(&std::path::Path)) -> Node {
    let acme = format!(
        "[acme]\ndomains = [\"acme.test\"]\nterms_agreed = true\nca = \"acme-ca.pem\"\n\
         contact = [\"mailto:ops@acme.test\"]\ndirectory = \"{}\"\nchallenge = \"{challenge}\"\n",
        ca.directory()
    );
    let node = Node::before(Origin::replying("hello"), "", &acme, |folder| {
        std::fs::write(folder.join("acme-ca.pem"), ca.server_ca().pem()).expect("written");
        prepare(folder);
    });
    ca.look_at(node.http(), node.https());
    node
}

/// Waits until the node shows a certificate of the CA for `acme.test`, and gives it.
#[track_caller]
fn shown(node: &Node, ca: &FakeCa) -> rustls_pki_types::CertificateDer<'static> {
    let visitor = Visitor::trusting(ca.issuer());
    eventually("a certificate of the CA", || {
        let mut connection = visitor.try_connect(node.https(), "acme.test").ok()?;
        assert_eq!(connection.ask(get("acme.test")).status(), 200);
        Some(connection.shown())
    })
}

#[test]
fn a_certificate_is_asked_for_proved_and_shown() {
    for (challenge, looks) in [("http-01", Looks::Http), ("tls-alpn-01", Looks::Tls)] {
        let ca = FakeCa::start(looks);
        let node = node(&ca, challenge, |_| {});
        shown(&node, &ca);
        assert_eq!(ca.issued(), 1, "{challenge}");
        // What proved it is gone, and the others are still shown for their names.
        let folder = node.folder.path().join("store/acme");
        for proofs in ["http-01", "tls-alpn-01"] {
            eventually("no proof is left", || {
                let left = std::fs::read_dir(folder.join(proofs)).expect("a folder").count();
                (left == 0).then_some(())
            });
        }
        node.visitor().connect(node.https(), "site.test").ask(get("site.test"));
        for file in ["acme.test.pem", "account-"] {
            let entries = std::fs::read_dir(&folder).expect("a folder").flatten();
            let mut named =
                entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(file));
            let entry = named.next().expect(file);
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &entry.metadata().expect("a file").permissions(),
            );
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }
}

#[test]
fn a_certificate_that_is_not_due_is_left_alone_and_one_that_is_due_is_replaced() {
    let year = Clock::System.now().timestamp().strftime("%Y").to_string();
    let year: i32 = year.parse().expect("a year");
    // From 1975 on: of the one less than two thirds have passed, of the other more.
    for (until, orders) in [(year + 90, 0), (year + 1, 1)] {
        let ca = FakeCa::start(Looks::Http);
        let old = ca.issuer().issue_until(until, &["acme.test"]);
        let node = node(&ca, "http-01", |folder| {
            std::fs::create_dir_all(folder.join("store/acme")).expect("a folder");
            let both = format!("{}\n{}", old.key, old.certificate);
            std::fs::write(folder.join("store/acme/acme.test.pem"), both).expect("written");
        });
        if orders == 0 {
            assert_eq!(shown(&node, &ca), old.der());
            node.reload();
            assert_eq!(shown(&node, &ca), old.der());
        } else {
            eventually("another one", || (shown(&node, &ca) != old.der()).then_some(()));
        }
        assert_eq!(ca.issued(), orders, "until {until}");
    }
}

#[test]
fn what_is_not_proved_is_not_given_and_what_was_shown_is_shown_on() {
    let ca = FakeCa::start(Looks::Nowhere);
    let node = node(&ca, "http-01", |_| {});
    eventually("the CA has looked", || (ca.refused() > 0).then_some(()));
    assert_eq!(ca.issued(), 0);
    let visitor = Visitor::trusting(ca.issuer());
    assert!(visitor.try_connect(node.https(), "acme.test").is_err());
    node.visitor().connect(node.https(), "site.test").ask(get("site.test"));
    let strange = Visitor::trusting(&Ca::new("another"));
    assert!(strange.try_connect(node.https(), "site.test").is_err(), "a control");
}

#[test]
fn nobody_is_answered_at_a_token_that_is_not_being_proved() {
    let ca = FakeCa::start(Looks::Http);
    let node = node(&ca, "http-01", |_| {});
    shown(&node, &ca);
    let asked = node.origin.requests().len();
    let path = "GET /.well-known/acme-challenge/a-token HTTP/1.1\r\nHost: acme.test\r\n\r\n";
    node.visitor().connect(node.https(), "site.test").ask(path);
    assert_eq!(node.origin.requests().len(), asked + 1, "it is a path as any other");
}
