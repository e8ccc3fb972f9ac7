//! What a TLS handshake may take, and who is told of a failure.

use std::path::Path;
use std::time::Duration;

use intermission::proxy::Pace;

use super::node::{Node, Setup, get};
use crate::support::eventually;
use crate::support::origin::Origin;
use crate::support::raw::Raw;
use crate::support::tls::{Ca, Visitor};

/// A node that waits this long for a handshake. It listens by TLS behind its first listener.
fn node(folder: &Path, ca: &Ca, handshake: Duration) -> Node {
    ca.issue(&["site.test"]).write(folder, "site");
    let folder = folder.display();
    let setup = Setup {
        listen: "https = [\"127.0.0.1:0\"]",
        more: format!(
            "[[tls.certificate]]\nchain = \"{folder}/site.pem\"\nkey = \"{folder}/site.key\"\n"
        ),
        pace: Pace { handshake, ..Pace::default() },
        ..Setup::default()
    };
    Node::start(Origin::replying("a"), &setup)
}

const LATE: &str = "intermission_tls_handshakes_total{outcome=\"late\"";

#[test]
fn a_handshake_that_stalls_is_cut() {
    let (folder, ca) = (tempfile::tempdir().expect("a folder"), Ca::new("ours"));
    let node = node(folder.path(), &ca, Duration::from_millis(200));
    // Nothing at all, and the beginning of a record.
    for beginning in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01"] {
        let mut raw = Raw::connect(node.addresses()[1]);
        raw.send(beginning);
        assert_eq!(raw.rest(), b"", "{beginning:?}");
    }
    eventually("all three are counted", || (node.metric(LATE) == 3).then_some(()));
    // Who is not late is served, and for as long as it likes.
    let mut connection = Visitor::trusting(&ca).connect(node.addresses()[1], "site.test");
    assert_eq!(connection.ask(get("/")).status(), 200);
}

#[test]
fn a_handshake_may_take_its_time() {
    let (folder, ca) = (tempfile::tempdir().expect("a folder"), Ca::new("ours"));
    let node = node(folder.path(), &ca, Duration::from_secs(60));
    let mut raw = Raw::connect(node.addresses()[1]);
    raw.send(b"\x16\x03\x01");
    assert!(raw.is_silent_for(Duration::from_millis(500)), "as long as it is in time");
    assert_eq!(node.metric(LATE), 0);
}
