//! A control plane that panics begins anew from the store; visitors notice nothing.

use std::sync::atomic::Ordering;

use intermission::clock::Clock;
use intermission::control::{Expected, Refused, Which};
use intermission::window::state::{Checks, State};

use super::bench::Bench;
use super::desk::{Desk, PANIC, START, is_closed, ops, order, run};

#[test]
fn a_panic_of_the_reconciler_leaves_the_last_snapshot_and_it_begins_anew() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Desk::over(&folder, Clock::manual(START)).await;
        desk.traffic.0.store(1, Ordering::SeqCst);
        let change = desk.handle.switch(order(&["apac"], &["claims"]), ops()).await.expect("done");
        // Who counts requests panics at the next look at the draining window.
        desk.traffic.0.store(PANIC, Ordering::SeqCst);
        let before = desk.live.snapshot().generation;
        assert!(is_closed(&desk.live.snapshot(), "claims", "apac"), "the last snapshot holds");
        // Nothing else publishes: nobody asks, and something is always in flight.
        desk.until(|now| now.generation > before).await;
        desk.traffic.0.store(0, Ordering::SeqCst);
        assert!(is_closed(&desk.live.snapshot(), "claims", "apac"), "read anew from the store");
        desk.until(|now| now.windows[0].state == State::Closed).await;
        let which = Which::Window(change.windows[0].id, Expected::Any);
        let ended = loop {
            match desk.handle.end(which.clone(), Checks::Planned, ops()).await {
                Err(Refused::Lost) => {}
                other => break other,
            }
        };
        assert_eq!(ended.expect("it is heard").windows[0].state, State::Ended);
        assert!(!is_closed(&desk.live.snapshot(), "claims", "apac"));
        desk.close().await;
    });
}

/// The control: without the guard around it, the same panic ends the reconciler.
#[test]
fn the_panic_is_a_real_one() {
    run(async {
        let mut bench = Bench::start().await;
        bench.traffic.0.store(PANIC, Ordering::SeqCst);
        bench.done(async |handle| handle.switch(order(&["apac"], &["claims"]), ops()).await).await;
        let task = tokio::task::LocalSet::new();
        let panicked = task.run_until(async {
            tokio::task::spawn_local(async move { bench.drain().await }).await
        });
        assert!(panicked.await.expect_err("it panics").is_panic());
    });
}
