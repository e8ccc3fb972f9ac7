//! Certificates that are exchanged while visitors come. The swaps under load are few here; the
//! bench makes a thousand.

use std::sync::atomic::{AtomicBool, Ordering};

use intermission::clock::Wall;

use super::node::{Node, get};
use crate::support::eventually;
use crate::support::tls::Issued;

/// Swaps under load.
const SWAPS: usize = 40;
/// Visitors meanwhile, each on one new connection after the other.
const VISITORS: usize = 3;
/// Visits of one of them at most.
const VISITS_MAX: usize = 20_000;

/// Puts a certificate in the place of another, as those do who know that it is read: each file is
/// whole at every moment, though the two are not exchanged at once.
fn replace(node: &Node, issued: &Issued, name: &str) {
    issued.write(node.folder.path(), "next");
    for kind in ["pem", "key"] {
        let next = node.folder.path().join(format!("next.{kind}"));
        std::fs::rename(next, node.folder.path().join(format!("{name}.{kind}"))).expect("moved");
    }
}

#[test]
fn nobody_notices_that_certificates_are_exchanged() {
    let node = Node::start();
    let done = AtomicBool::new(false);
    let mut long_lived = node.visitor().connect(node.https(), "site.test");
    let visits = std::thread::scope(|scope| {
        let visit = || {
            let mut visits = 0;
            // Whoever remembers no session is shown a certificate each time.
            while !done.load(Ordering::Relaxed) && visits < VISITS_MAX {
                let mut connection = node.visitor().connect(node.https(), "site.test");
                assert_eq!(connection.ask(get("site.test")).status(), 200);
                visits += 1;
            }
            visits
        };
        let visitors: Vec<_> = (0..VISITORS).map(|_| scope.spawn(visit)).collect();
        for _ in 0..SWAPS {
            let issued = node.ca.issue(&["site.test"]);
            replace(&node, &issued, "site");
            node.reload();
            let shown = node.visitor().connect(node.https(), "site.test").shown();
            assert_eq!(shown, issued.der(), "the reload is in force when it is answered");
            assert_eq!(long_lived.ask(get("site.test")).status(), 200);
        }
        done.store(true, Ordering::Relaxed);
        visitors.into_iter().map(|visitor| visitor.join().expect("no visit failed")).sum::<usize>()
    });
    assert!(visits >= SWAPS, "{visits} visits meanwhile");
    let old = long_lived.shown();
    assert_ne!(old, node.certificate("site"), "the connection of the first one went on");
}

#[test]
fn a_certificate_that_is_replaced_is_shown_unasked() {
    let node = Node::start();
    let issued = node.ca.issue(&["site.test"]);
    replace(&node, &issued, "site");
    eventually("the new one is shown", || {
        let shown = node.visitor().connect(node.https(), "site.test").shown();
        (shown == issued.der()).then_some(())
    });
}

#[test]
fn a_certificate_without_its_key_changes_nothing_until_it_has_it() {
    let node = Node::start();
    let old = node.certificate("site");
    let issued = node.ca.issue(&["site.test"]);
    std::fs::write(node.folder.path().join("site.pem"), &issued.certificate).expect("written");
    node.comes_to("intermission_reload_total{result=\"failed\"}", 1);
    let shown = || node.visitor().connect(node.https(), "site.test").shown();
    assert_eq!(shown(), old);
    let told = node.admin("GET /api/v1/status").text();
    assert!(told.contains("do not belong together"), "{told}");
    std::fs::write(node.folder.path().join("site.key"), &issued.key).expect("written");
    eventually("both are in force", || (shown() == issued.der()).then_some(()));
}

#[test]
fn the_end_of_each_certificate_is_told() {
    let node = Node::start();
    let ends = |when: &str| Wall::parse(when).expect("an instant").secs().unsigned_abs();
    let series = |name: &str| {
        format!("intermission_tls_certificate_expiry_timestamp_seconds{{name=\"{name}\"}}")
    };
    for name in ["default.test", "site.test", "*.wild.test"] {
        node.comes_to(&series(name), ends("2096-01-01T00:00:00Z"));
    }
    // Years from 2050 on are written otherwise in a certificate.
    replace(&node, &node.ca.issue_until(2049, &["site.test"]), "site");
    node.reload();
    let then = ends("2049-01-01T00:00:00Z");
    eventually("the new end", || (node.metric(&series("site.test")) == then).then_some(()));
    let told = node.admin("GET /api/v1/status").text();
    assert!(told.contains("2049-01-01T00:00:00.000Z"), "{told}");
}

#[test]
fn a_reload_does_not_take_the_last_certificate_from_a_listener_that_stays() {
    let node = Node::start();
    let config = node.folder.path().join("intermission.toml");
    let text = std::fs::read_to_string(&config).expect("the config");
    let (before, _) = text.split_once("[tls]").expect("the section");
    std::fs::write(&config, before.replace("https = [\"127.0.0.1:0\"]", "")).expect("written");
    let answer = node.admin("POST /api/v1/config/reload");
    assert_eq!(answer.status(), 422, "{}", answer.text());
    assert!(answer.text().contains("speaks TLS until the next start"), "{}", answer.text());
    let mut connection = node.visitor().connect(node.https(), "site.test");
    assert_eq!(connection.ask(get("site.test")).status(), 200);
}
