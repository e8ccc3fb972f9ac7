//! The one writer over the real store: what is answered is in force, and what is in force survives.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use intermission::clock::Clock;
use intermission::config::Loaded;
use intermission::control::{Expected, Refused, Standing, Which};
use intermission::store::{Store as _, StoreError};
use intermission::window::plan::Plan;
use intermission::window::state::{Author, Checks, Event, Order, State};

use super::desk::{Desk, START, is_closed, loaded, ops, order, run, scope};

#[test]
fn a_switch_is_durable_and_seen_by_every_reader_before_it_is_answered() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Desk::over(&folder, Clock::System).await;
        let mut view = desk.live.view();
        assert!(!is_closed(view.snapshot(), "claims", "apac"));
        let change = desk.handle.switch(order(&["apac"], &["claims"]), ops()).await.expect("done");
        assert_eq!(view.snapshot().generation, change.generation);
        assert!(is_closed(view.snapshot(), "claims", "apac"));
        assert!(!is_closed(view.snapshot(), "claims", "eu"));
        assert!(!is_closed(view.snapshot(), "quotes", "apac"));
        let stored = desk.engine.windows().await.expect("readable");
        assert_eq!(stored, [(*change.windows[0]).clone()]);
        let ended = desk
            .handle
            .end(Which::Window(stored[0].id, Expected::Any), Checks::Planned, ops())
            .await;
        assert_eq!(ended.expect("done").windows[0].state, State::Ended);
        assert!(!is_closed(view.snapshot(), "claims", "apac"));
        let again = desk
            .handle
            .end(Which::Window(stored[0].id, Expected::Any), Checks::Planned, ops())
            .await;
        assert!(matches!(again, Err(Refused::Illegal(illegal)) if illegal.state == State::Ended));
        desk.close().await;
    });
}

#[test]
fn what_is_closed_is_closed_in_the_first_snapshot_after_a_restart() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Clock::manual(START);
        let desk = Desk::over(&folder, clock.clone()).await;
        let promise = Some(START.plus(Duration::from_secs(600)));
        let order = Order { promised_end: promise, ..order(&["apac"], &["claims"]) };
        desk.handle.switch(order, ops()).await.expect("done");
        desk.close().await;
        // The drain deadline and the promised end pass while nobody runs.
        clock.set(START.plus(Duration::from_secs(3_600)));
        let desk = Desk::over(&folder, clock).await;
        assert!(is_closed(&desk.live.snapshot(), "claims", "apac"));
        let standing = desk.handle.standing();
        assert_eq!(standing.windows[0].state, State::Overrun);
        let history = desk.engine.history_of(standing.windows[0].id).await.expect("readable");
        let states: Vec<_> = history.iter().map(|entry| entry.to).collect();
        assert_eq!(states, [State::Draining, State::Closed, State::Overrun]);
        desk.close().await;
    });
}

#[test]
fn a_node_does_not_start_without_the_route_that_is_closed() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Desk::over(&folder, Clock::System).await;
        desk.handle.switch(order(&[], &["claims"]), ops()).await.expect("done");
        desk.close().await;
        let Err(error) = Desk::boot(&folder, Clock::System, &["quotes"]).await else {
            panic!("it booted with the closed route gone");
        };
        let text = error.to_string();
        assert!(text.contains("route `claims` is closed by window"), "{text}");
        let desk = Desk::over(&folder, Clock::System).await;
        assert!(is_closed(&desk.live.snapshot(), "claims", "eu"));
        desk.close().await;
    });
}

#[test]
fn who_read_an_old_version_is_refused() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Desk::over(&folder, Clock::System).await;
        let change = desk.handle.switch(order(&["apac"], &["claims"]), ops()).await.expect("done");
        let id = change.windows[0].id;
        let read = Expected::Version(change.windows[0].version);
        let end = Some(Clock::System.now().plus(Duration::from_secs(900)));
        let extended = desk.handle.extend(id, read, end, ops()).await.expect("done");
        assert_eq!((extended.windows[0].version, extended.windows[0].promised_end), (2, end));
        let late = desk.handle.end(Which::Window(id, read), Checks::Planned, ops()).await;
        assert_eq!(late, Err(Refused::Version { window: id, expected: 1, actual: 2 }));
        assert!(is_closed(&desk.live.snapshot(), "claims", "apac"));
        desk.handle
            .end(Which::Window(id, Expected::Version(2)), Checks::Planned, ops())
            .await
            .expect("done");
        desk.close().await;
    });
}

#[test]
fn a_change_behind_our_back_is_a_conflict_and_then_what_holds() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Desk::over(&folder, Clock::System).await;
        let change = desk.handle.switch(order(&["apac"], &["claims"]), ops()).await.expect("done");
        let window = (*change.windows[0]).clone();
        let id = window.id;
        let other = Author { by: "another process".to_owned(), why: String::new() };
        let step =
            window.step(&Event::End(Checks::Planned), &other, Clock::System.now()).expect("legal");
        desk.engine.commit(step.expect("a step").into()).await.expect("stored");
        let refused = desk.handle.extend(id, Expected::Any, None, ops()).await;
        assert_eq!(refused, Err(Refused::Store(StoreError::Conflict)));
        assert!(!is_closed(&desk.live.snapshot(), "claims", "apac"), "the store's word holds");
        assert!(desk.handle.standing().windows.is_empty());
        desk.close().await;
    });
}

#[test]
fn what_cannot_be_stored_is_not_done() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Desk::over(&folder, Clock::System).await;
        let change = desk.handle.switch(order(&["eu"], &["news"]), ops()).await.expect("done");
        let before = desk.live.snapshot();
        desk.store.fill();
        let refused = desk.handle.switch(order(&["apac"], &["claims"]), ops()).await;
        assert_eq!(refused, Err(Refused::Store(StoreError::Full)));
        let refused =
            desk.handle.end(Which::Scope(scope(&["eu"], &["news"])), Checks::Planned, ops()).await;
        assert_eq!(refused, Err(Refused::Store(StoreError::Full)));
        assert!(Arc::ptr_eq(&before, &desk.live.snapshot()), "nothing was published");
        assert_eq!(desk.handle.standing().windows, change.windows);
        desk.store.free();
        desk.handle
            .end(Which::Scope(scope(&["eu"], &["news"])), Checks::Planned, ops())
            .await
            .expect("done now");
        assert!(!is_closed(&desk.live.snapshot(), "news", "eu"));
        desk.close().await;
    });
}

#[test]
fn a_broken_promise_is_told_and_nothing_reopens_by_itself() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Desk::over(&folder, Clock::manual(START)).await;
        let end = START.plus(Duration::from_secs(900));
        let order = Order {
            promised_end: Some(end),
            plan: Plan::draining(Duration::ZERO),
            ..order(&[], &[])
        };
        let id = desk.handle.switch(order, ops()).await.expect("done").windows[0].id;
        let closed = desk.until(|now| now.windows[0].state == State::Closed).await;
        assert_eq!(closed.closed_cells, 6);
        desk.clock.set(end);
        let overrun = desk.until(|now| now.windows[0].state == State::Overrun).await;
        assert_eq!(overrun.closed_cells, 6, "still closed");
        let later = end.plus(Duration::from_secs(60));
        desk.handle.extend(id, Expected::Any, Some(later), ops()).await.expect("done");
        assert_eq!(desk.handle.standing().windows[0].state, State::Closed);
        // A clock that jumps back breaks nothing, and one that jumps ahead is noticed.
        desk.clock.set(START);
        desk.handle.extend(id, Expected::Any, Some(later), ops()).await.expect("done");
        desk.clock.set(later);
        desk.until(|now| now.windows[0].state == State::Overrun).await;
        desk.close().await;
    });
}

#[test]
fn a_scope_is_drained_when_nothing_is_in_flight_in_it() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Desk::over(&folder, Clock::manual(START)).await;
        desk.traffic.0.store(3, Ordering::SeqCst);
        let busy = desk.handle.switch(order(&["apac"], &["claims"]), ops()).await.expect("done");
        let idle = desk.handle.switch(order(&["eu"], &["claims"]), ops()).await.expect("done");
        let (busy, idle) = (busy.windows[0].id, idle.windows[0].id);
        let state = |now: &Standing, id| {
            now.windows.iter().find(|window| window.id == id).expect("in force").state
        };
        let now = desk.until(|now| state(now, idle) == State::Closed).await;
        assert_eq!(state(&now, busy), State::Draining, "three requests are under way there");
        desk.traffic.0.store(0, Ordering::SeqCst);
        desk.until(|now| state(now, busy) == State::Closed).await;
        let history = desk.engine.history_of(busy).await.expect("readable");
        assert_eq!(history[1].why, "nothing is in flight");
        desk.close().await;
    });
}

#[test]
fn who_does_not_finish_in_time_does_not_hold_the_window_up() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Desk::over(&folder, Clock::manual(START)).await;
        desk.traffic.0.store(1, Ordering::SeqCst);
        let change = desk.handle.switch(order(&["apac"], &["claims"]), ops()).await.expect("done");
        desk.clock.set(START.plus(Duration::from_secs(30)));
        desk.until(|now| now.windows[0].state == State::Closed).await;
        let history = desk.engine.history_of(change.windows[0].id).await.expect("readable");
        assert_eq!(history[1].why, "the time to drain is over");
        desk.close().await;
    });
}

#[test]
fn off_ends_what_lies_in_the_scope_and_refuses_to_end_a_part() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Desk::over(&folder, Clock::System).await;
        let on = async |regions: &[&str], routes: &[&str]| {
            desk.handle.switch(order(regions, routes), ops()).await.expect("done").windows[0].id
        };
        let off = async |regions: &[&str], routes: &[&str]| {
            let which = Which::Scope(scope(regions, routes));
            desk.handle
                .end(which, Checks::Planned, ops())
                .await
                .map(|change| change.windows.iter().map(|window| window.id).collect::<Vec<_>>())
        };
        let one = on(&["apac"], &["claims"]).await;
        let two = on(&["apac"], &["claims", "quotes"]).await;
        let other = on(&["eu"], &["news"]).await;
        let refused = off(&["apac"], &["claims"]).await.expect_err("a part of the second");
        assert!(matches!(&refused, Refused::Broader { window, .. } if *window == two), "{refused}");
        assert!(refused.to_string().contains(&two.to_string()));
        assert_eq!(desk.handle.standing().windows.len(), 3, "nothing was ended");
        assert_eq!(off(&["apac"], &[]).await, Ok(vec![one, two]));
        let nothing = off(&["apac"], &[]).await;
        assert!(matches!(nothing, Err(Refused::NothingClosed(_))));
        assert!(matches!(off(&["mars"], &[]).await, Err(Refused::Unknown(_))));
        assert_eq!(off(&[], &[]).await, Ok(vec![other]));
        desk.close().await;
    });
}

#[test]
fn a_reload_keeps_windows_and_may_not_take_a_closed_route_away() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Desk::over(&folder, Clock::System).await;
        desk.handle.switch(order(&["apac"], &["claims"]), ops()).await.expect("done");
        let Loaded { site, pages, .. } = loaded(&["quotes", "news"]);
        let refused = desk.handle.reload(site, pages).await;
        assert!(matches!(refused, Err(Refused::Uncovered(_))), "{refused:?}");
        assert_eq!(desk.live.snapshot().site.rules.len(), 3);
        let Loaded { site, pages, .. } = loaded(&["first", "claims"]);
        let generation = desk.handle.reload(site, pages).await.expect("done");
        let snapshot = desk.live.snapshot();
        assert_eq!(snapshot.generation, generation);
        assert!(is_closed(&snapshot, "claims", "apac") && !is_closed(&snapshot, "first", "apac"));
        assert!(desk.handle.standing().windows[0].state.in_force());
        desk.close().await;
    });
}
