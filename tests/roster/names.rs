//! Names that lead elsewhere after a while, and name servers that fail.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use intermission::control::names::Resolver;
use intermission::control::roster::Place;

use super::stage::{Stage, run};

/// A name server that says what the test tells it to.
#[derive(Clone, Default)]
struct Zone(Arc<(Mutex<Option<Vec<SocketAddr>>>, AtomicUsize)>);

impl Zone {
    fn says(&self, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        *self.0.0.lock().expect("not poisoned") = Some(addresses);
    }

    fn fails(&self) {
        *self.0.0.lock().expect("not poisoned") = None;
    }

    fn resolver(&self) -> Resolver {
        let zone = self.clone();
        Arc::new(move |name| {
            assert_eq!(name, "localhost:9000", "addresses are not looked up");
            zone.0.1.fetch_add(1, Ordering::SeqCst);
            let answer = zone.0.0.lock().expect("not poisoned").clone();
            answer.ok_or_else(|| io::Error::other("the name server is down"))
        })
    }

    /// Waits for this many look-ups more.
    async fn asked(&self, more: usize) {
        let until = self.0.1.load(Ordering::SeqCst) + more;
        while self.0.1.load(Ordering::SeqCst) < until {
            // SLEEP: the pause between two looks at a counter, which announces nothing.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
}

const TEXT: &str = "servers = [\"localhost:9000\", \"127.0.0.9:9000\"]\nresolve_every = \"20ms\"";

fn lead_to(wanted: &[&str]) -> impl Fn(&[Place]) -> bool {
    let wanted: Vec<SocketAddr> = wanted.iter().map(|t| t.parse().expect("an address")).collect();
    move |places| places.iter().map(|place| place.address.0).eq(wanted.iter().copied())
}

#[test]
fn a_name_that_moves_takes_the_roster_with_it() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let zone = Zone::default();
        zone.says(&["10.0.0.1:9000", "10.0.0.2:9000"]);
        let stage = Stage::over(&folder, TEXT, zone.resolver()).await;
        let last = "127.0.0.9:9000";
        stage.until(lead_to(&["10.0.0.1:9000", "10.0.0.2:9000", last])).await;
        let generation = stage.handle.standing().generation;
        zone.says(&["10.0.0.2:9000", "10.0.0.1:9000"]);
        zone.asked(3).await;
        assert_eq!(stage.handle.standing().generation, generation, "another order is no change");

        zone.says(&["10.0.0.3:9000", "10.0.0.2:9000"]);
        stage.until(lead_to(&["10.0.0.2:9000", "10.0.0.3:9000", last])).await;
        let members = stage.members();
        let fresh: Vec<_> = members.iter().map(|member| member.since.is_some()).collect();
        assert_eq!(fresh, [true, true, false], "both came after the start");
        assert!(members[0].since < members[1].since, "what stays stays as it was");
        stage.close().await;
    });
}

#[test]
fn a_name_server_that_fails_changes_nothing() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let zone = Zone::default();
        zone.says(&["10.0.0.1:9000"]);
        let stage = Stage::over(&folder, TEXT, zone.resolver()).await;
        stage.until(lead_to(&["10.0.0.1:9000", "127.0.0.9:9000"])).await;
        let stale = |stage: &Stage| {
            stage.metrics.render().contains("\nintermission_upstream_names_stale 1\n")
        };
        for broken in
            [Zone::fails as fn(&Zone), |zone| zone.says(&[]), |zone| zone.says(&["0.0.0.0:9000"])]
        {
            broken(&zone);
            zone.asked(3).await;
            assert!(lead_to(&["10.0.0.1:9000", "127.0.0.9:9000"])(&stage.places()));
            assert!(stale(&stage));
        }
        zone.says(&["10.0.0.7:9000"]);
        stage.until(lead_to(&["10.0.0.7:9000", "127.0.0.9:9000"])).await;
        zone.asked(1).await;
        assert!(!stale(&stage));
        stage.close().await;
    });
}
