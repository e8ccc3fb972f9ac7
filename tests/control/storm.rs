//! Many operators at once: whatever they did, the snapshot is what the windows imply.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use intermission::clock::Clock;
use intermission::control::{Expected, Handle, Which};
use intermission::region::RegionIx;
use intermission::route::RouteIx;
use intermission::store::Store as _;
use intermission::window::scope::Scope;
use intermission::window::state::Checks;

use super::desk::{Desk, ROUTES, ops, order, run, scope};
use super::node::Node;

/// One operator of the storm: switches, extends and ends at random, and remembers nothing.
async fn operate(handle: Handle, mut seed: u64) {
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..60 {
        let regions: &[&str] = [&["eu"][..], &["apac"], &[]][random(3) as usize];
        let route = ROUTES[random(3) as usize];
        let standing = handle.standing();
        let any = standing.windows.get(random(8) as usize).map(|window| window.id);
        let end = Some(Clock::System.now().plus(Duration::from_secs(random(900))));
        // Refusals are part of the storm: the others were faster.
        let _ = match (random(4), any) {
            (0, _) => {
                handle.end(Which::Scope(scope(regions, &[route])), Checks::Planned, ops()).await
            }
            (1, Some(id)) => {
                handle.end(Which::Window(id, Expected::Any), Checks::Planned, ops()).await
            }
            (2, Some(id)) => handle.extend(id, Expected::Any, end, ops()).await,
            _ => handle.switch(order(regions, &[route]), ops()).await,
        };
    }
}

#[test]
fn operators_at_once_end_in_what_the_windows_imply() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Desk::over(&folder, Clock::System).await;
        let operators: Vec<_> =
            (0..8).map(|seed| tokio::spawn(operate(desk.handle.clone(), seed))).collect();
        for operator in operators {
            operator.await.expect("no panic");
        }
        let standing = desk.handle.standing();
        let snapshot = desk.live.snapshot();
        assert_eq!(snapshot.generation, standing.generation);
        for route in 0..3 {
            for region in 0..2_u16 {
                let name = snapshot.site.regions.name(RegionIx(region));
                let covers = |scope: &Scope| {
                    scope.routes.covers(ROUTES[route as usize]) && scope.regions.covers(name)
                };
                let implied = standing.windows.iter().any(|window| covers(&window.scope));
                let closed = snapshot.cells.closure(RouteIx(route), RegionIx(region)).is_some();
                assert_eq!(closed, implied, "route {route} in {name}");
            }
        }
        let stored = desk.engine.windows().await.expect("readable");
        let stored: BTreeMap<_, _> = stored.into_iter().map(|w| (w.id, w)).collect();
        let told = standing.windows.iter().map(|w| (w.id, (**w).clone())).collect();
        assert_eq!(stored, told, "memory is what the store has");
        let mut versions = BTreeMap::new();
        let mut history = desk.engine.history(1_000).await.expect("readable");
        history.reverse();
        for entry in history {
            let last = versions.insert(entry.window, entry.version);
            assert_eq!(entry.version, last.unwrap_or(0) + 1, "one entry per change, in order");
        }
        desk.close().await;
    });
}

#[test]
fn what_waits_together_is_published_together() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Desk::over(&folder, Clock::System).await;
        let switches: Vec<_> = (0..200)
            .map(|_| {
                let handle = desk.handle.clone();
                tokio::spawn(async move { handle.switch(order(&["eu"], &["news"]), ops()).await })
            })
            .collect();
        let mut generations = BTreeSet::new();
        for switch in switches {
            generations.insert(switch.await.expect("no panic").expect("done").generation);
        }
        assert!(
            generations.len() < 20,
            "200 switches were shown by {} publishes",
            generations.len()
        );
        assert_eq!(desk.engine.windows().await.expect("readable").len(), 200);
        desk.close().await;
    });
}

#[test]
fn visitors_meet_one_state_or_the_other_and_never_a_fault() {
    let node = Node::start();
    let body = r#"{"regions":["apac"],"routes":["claims"],"reason":"x","drain":"0s"}"#;
    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let visitors: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut raw = crate::support::raw::Raw::connect(node.visitors());
                    let mut seen = BTreeMap::new();
                    let mut last = 0;
                    for _ in 0..400 {
                        raw.send("GET /claims/1 HTTP/1.1\r\nHost: apac.localhost\r\n\r\n");
                        let answer = raw.response();
                        *seen.entry(answer.status()).or_insert(0) += 1;
                        // Answers of our own tell the generation that judged them.
                        if let Some(generation) = answer.field("intermission-generation") {
                            let generation: u64 = generation.parse().expect("a number");
                            assert!(generation >= last, "time runs backwards");
                            last = generation;
                        }
                    }
                    seen
                })
            })
            .collect();
        let operator = scope.spawn(|| {
            let mut switches = 0;
            while !done.load(Ordering::SeqCst) {
                assert_eq!(node.operator("POST /api/v1/switches", body).0, 201);
                let off = r#"{"regions":["apac"],"routes":["claims"]}"#;
                assert_eq!(node.operator("POST /api/v1/switches/off", off).0, 200);
                switches += 2;
            }
            switches
        });
        let joined: Vec<_> = visitors.into_iter().map(|visitor| visitor.join()).collect();
        done.store(true, Ordering::SeqCst);
        let seen: Vec<_> = joined.into_iter().map(|seen| seen.expect("no panic")).collect();
        assert!(operator.join().expect("no panic") > 0);
        seen
    });
    for statuses in seen {
        assert!(statuses.keys().all(|status| [200, 503].contains(status)), "{statuses:?}");
    }
    assert_eq!(node.visit("apac.localhost", "/claims/1"), 200);
}
