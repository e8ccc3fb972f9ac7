//! The life of a maintenance, told to the reconciler: phases, gates, verification, ramp, series.

use std::sync::atomic::Ordering;
use std::time::Duration;

use intermission::clock::Wall;
use intermission::config::Loaded;
use intermission::control::{Draft, Expected, Refused, Which};
use intermission::grant::Bypass;
use intermission::id::Id;
use intermission::store::{Store as _, StoreError};
use intermission::window::plan::{Ramp, RampBy, Reopen, Verification};
use intermission::window::scope::Scope;
use intermission::window::state::{Checks, State};
use serde_json::json;

use super::bench::{Bench, compiled, drafted, on_a_bench};
use super::desk::{START, is_closed, loaded, ops, order};

fn minute(at: u64) -> Wall {
    START.plus(Duration::from_secs(at * 60))
}

/// Two phases: eu from minute 10 to 20, apac from minute 20 to 40, both left by an order.
fn two_phases() -> Draft {
    let mut draft = drafted(&[("eu", "eu", 10, 20), ("apac", "apac", 20, 40)]);
    for (_, order) in &mut draft.phases {
        (order.plan.reopen, order.plan.drain) = (Reopen::Manual, Duration::ZERO);
    }
    draft
}

fn closed(bench: &Bench) -> [bool; 2] {
    let snapshot = bench.live().snapshot();
    ["eu", "apac"].map(|region| is_closed(&snapshot, "claims", region))
}

#[test]
fn each_phase_closes_its_scope_after_the_one_before_has_ended() {
    on_a_bench(async |mut bench| {
        let windows = bench.plan(two_phases()).await;
        assert_eq!(bench.states(&windows).await, [State::Planned; 2]);
        bench.pass_to(minute(10).minus(Duration::from_millis(1))).await;
        assert_eq!(closed(&bench), [false; 2], "not a millisecond too early");
        bench.pass_to(minute(10)).await;
        assert_eq!(closed(&bench), [true, false]);
        assert_eq!(bench.why(windows[0]).await, "the time to drain is over");
        bench.pass_to(minute(25)).await;
        assert_eq!(bench.states(&windows).await, [State::Overrun, State::Planned], "it waits");
        bench.end(windows[0]).await;
        assert_eq!(closed(&bench), [false, true], "the next one began in the same round");
        let second = bench.window(windows[1]).await;
        assert_eq!(second.promised_end, Some(minute(45)), "late, and as long as was promised");
        bench.end(windows[1]).await;
        assert_eq!(closed(&bench), [false; 2]);
        assert!(bench.handle().standing().maintenances.is_empty());
        assert_eq!(bench.engine.maintenances().await, Ok(vec![]));
        assert_eq!(bench.engine.ended_maintenances(9).await.expect("readable").len(), 1);
    });
}

#[test]
fn a_phase_that_waits_too_long_is_stalled_until_an_operator_starts_it() {
    on_a_bench(async |mut bench| {
        let windows = bench.plan(two_phases()).await;
        bench.pass_to(minute(10)).await;
        bench.pass_to(minute(40)).await;
        assert_eq!(bench.states(&windows).await, [State::Overrun, State::Stalled]);
        assert_eq!(bench.why(windows[1]).await, "the phase before it has not ended in time");
        bench.end(windows[0]).await;
        assert_eq!(bench.state(windows[1]).await, State::Stalled, "nothing begins by surprise");
        bench.done(async |handle| handle.start(windows[1], Expected::Any, ops()).await).await;
        assert_eq!(closed(&bench), [false, true]);
    });
}

#[test]
fn a_phase_that_was_cancelled_holds_the_rest_until_somebody_plans_it_anew() {
    on_a_bench(async |mut bench| {
        let draft = two_phases();
        let second = draft.phases[1].1.clone();
        let windows = bench.plan(draft).await;
        let cancel = async |handle: intermission::control::Handle| {
            handle.cancel(windows[0], Expected::Version(1), ops()).await
        };
        bench.done(cancel).await;
        assert_eq!(bench.states(&windows).await, [State::Cancelled, State::Stalled]);
        assert_eq!(bench.why(windows[1]).await, "the phase before it was cancelled");
        bench.pass(Duration::from_secs(1)).await;
        bench
            .done(async |handle| handle.amend(windows[1], Expected::Any, second, ops()).await)
            .await;
        assert_eq!(bench.state(windows[1]).await, State::Planned, "it may do without");
        bench.pass_to(minute(20)).await;
        assert_eq!(closed(&bench), [false, true]);
    });
}

#[test]
fn nothing_reopens_before_it_was_verified_and_everybody_was_let_in() {
    on_a_bench(async |mut bench| {
        let mut draft = drafted(&[("eu", "eu", 10, 20)]);
        let plan = &mut draft.phases[0].1.plan;
        (plan.reopen, plan.drain) = (Reopen::Auto, Duration::ZERO);
        plan.verification = Some(Verification::default());
        plan.ramp = Some(Ramp { over: Duration::from_secs(600), by: RampBy::Share });
        let id = bench.plan(draft).await[0];
        bench.pass_to(minute(10)).await;
        bench.pass_to(minute(20)).await;
        assert_eq!(bench.state(id).await, State::Verifying, "by itself, at the promised end");
        let version = bench.window(id).await.version;
        bench.done(async |handle| handle.failed(id, version, "503".to_owned()).await).await;
        assert_eq!(
            (bench.state(id).await, bench.why(id).await),
            (State::Overrun, "503".to_owned())
        );
        let stale = bench.refused(async |handle| handle.verified(id, version).await).await;
        assert!(matches!(stale, Refused::Version { .. }), "{stale}");
        bench.end(id).await;
        let version = bench.window(id).await.version;
        bench.done(async |handle| handle.verified(id, version).await).await;
        assert_eq!((bench.state(id).await, closed(&bench)[0]), (State::Reopening, true));
        let later = Some(minute(60));
        bench.done(async |handle| handle.extend(id, Expected::Any, later, ops()).await).await;
        assert_eq!(bench.state(id).await, State::Closed, "extended while it reopened");
        bench.end(id).await;
        let version = bench.window(id).await.version;
        bench.done(async |handle| handle.verified(id, version).await).await;
        bench.pass(Duration::from_secs(599)).await;
        assert!(closed(&bench)[0]);
        bench.pass(Duration::from_secs(1)).await;
        assert_eq!((bench.state(id).await, closed(&bench)[0]), (State::Ended, false));
        assert_eq!(bench.why(id).await, "everybody is let in again");
    });
}

#[test]
fn a_hard_limit_ends_what_everybody_forgot() {
    on_a_bench(async |mut bench| {
        let mut order = order(&["eu"], &[]);
        order.plan.hard_limit = Some(Duration::from_secs(3_600));
        order.plan.verification = Some(Verification::default());
        let change = bench.done(async |handle| handle.switch(order, ops()).await).await;
        bench.pass_to(minute(60).minus(Duration::from_millis(1))).await;
        assert!(closed(&bench)[0]);
        bench.pass_to(minute(60)).await;
        assert!(!closed(&bench)[0]);
        assert_eq!(bench.why(change.windows[0].id).await, "its hard limit has passed");
    });
}

#[test]
fn a_restart_knows_which_phases_have_ended() {
    on_a_bench(async |mut bench| {
        let windows = bench.plan(two_phases()).await;
        bench.pass_to(minute(10)).await;
        bench.end(windows[0]).await;
        bench.boot().await;
        assert!(bench.handle().standing().window(windows[0]).is_some(), "still told of");
        bench.clock.set(minute(21));
        bench.boot().await;
        assert_eq!(closed(&bench), [false, true], "begun while nobody ran, one minute late");
        assert_eq!(bench.window(windows[1]).await.promised_end, Some(minute(41)));
    });
}

#[test]
fn a_window_whose_route_is_gone_does_not_pretend_to_close_it() {
    on_a_bench(async |mut bench| {
        let mut draft = drafted(&[("eu", "eu", 10, 20)]);
        draft.phases[0].1.scope = super::desk::scope(&["eu"], &["quotes"]);
        let id = bench.plan(draft).await[0];
        let Loaded { site, pages, .. } = loaded(&["claims", "news"]);
        let reloaded = bench.ask(async |handle| handle.reload(site, pages).await).await;
        reloaded.expect("no crash").expect("nothing is closed yet");
        bench.pass_to(minute(10)).await;
        assert_eq!(bench.state(id).await, State::Stalled);
        assert_eq!(bench.why(id).await, "the config does not have what it is to close");
        let start = bench.refused(async |handle| handle.start(id, Expected::Any, ops()).await);
        assert!(matches!(start.await, Refused::Unknown(_)));
    });
}

#[test]
fn what_recurs_is_planned_again_with_the_end_of_the_last_window() {
    on_a_bench(async |mut bench| {
        let weekly = json!({
            "title": "weekly", "recurrence": { "rule": "FREQ=WEEKLY", "zone": "UTC" },
            "phases": [{ "name": "eu", "regions": ["eu"], "starts": minute(10).rfc3339(),
                         "lasts": "10m", "drain": "0s", "reopen": "auto" }],
        });
        let week = Duration::from_secs(7 * 24 * 3_600);
        let first = bench.plan(compiled(weekly, START)).await[0];
        bench.pass_to(minute(10)).await;
        bench.pass_to(minute(20)).await;
        assert_eq!(bench.state(first).await, State::Ended);
        let standing = bench.handle().standing();
        let (next, window) = (&standing.maintenances[0], &standing.windows[0]);
        assert_eq!((window.state, window.plan.starts), (State::Planned, minute(10).plus(week)));
        assert_eq!(window.promised_end, Some(minute(20).plus(week)));
        assert_eq!(
            next.series,
            Some(bench.window(first).await.phase.expect("a phase").maintenance)
        );
        let id = next.id;
        let cancel = async |handle: intermission::control::Handle| {
            handle.cancel_maintenance(id, Expected::Any, ops()).await
        };
        bench.done(cancel).await;
        assert!(bench.handle().standing().windows.is_empty(), "cancelled, the series is over");
    });
}

#[test]
fn a_plan_that_cannot_be_stored_leaves_nothing_and_the_clock_tries_again() {
    on_a_bench(async |mut bench| {
        let windows = bench.plan(two_phases()).await;
        bench.store.fill();
        let refused = bench.refused(async |handle| handle.plan(two_phases()).await).await;
        assert_eq!(refused, Refused::Store(StoreError::Full));
        bench.pass_to(minute(10)).await;
        assert_eq!(closed(&bench), [false; 2], "what is not stored is not shown");
        assert_eq!(bench.handle().standing().windows.len(), 2);
        bench.store.free();
        bench.pass(Duration::from_secs(1)).await;
        assert_eq!(closed(&bench), [true, false]);
        bench.end(windows[0]).await;
    });
}

#[test]
fn who_is_let_through_survives_a_restart_until_it_is_revoked() {
    on_a_bench(async |mut bench| {
        let id = Id::new(START, intermission::id::NodeTag(1));
        let bypass = Bypass {
            id,
            hash: intermission::digest::sha256(b"secret"),
            networks: Vec::new(),
            scope: Scope::default(),
            window: None,
            created: START,
            not_after: minute(60),
            by: "ops".to_owned(),
            why: "testers".to_owned(),
            revoked: None,
        };
        let granted = bench.ask(async |handle| handle.grant(bypass.clone(), ops()).await).await;
        assert_eq!(*granted.expect("no crash").expect("done").bypass, bypass);
        bench.boot().await;
        assert_eq!(bench.handle().standing().bypasses.len(), 1);
        let revoke = async |handle: intermission::control::Handle| handle.revoke(id, ops()).await;
        let revoked = bench.ask(revoke).await.expect("no crash").expect("done");
        assert_eq!(revoked.bypass.revoked, Some(START));
        assert!(bench.handle().standing().bypasses.is_empty());
        let again = bench.ask(revoke).await.expect("no crash").expect_err("it is revoked");
        assert_eq!(again, Refused::NoBypass(id));
        bench.boot().await;
        assert!(bench.handle().standing().bypasses.is_empty());
    });
}

#[test]
fn an_end_that_skips_the_checks_reopens_at_once_and_off_leaves_a_verification_alone() {
    on_a_bench(async |mut bench| {
        let mut verified = order(&["eu"], &[]);
        verified.plan.verification = Some(Verification::default());
        let first = bench.done(async |handle| handle.switch(verified, ops()).await).await;
        let first = first.windows[0].id;
        bench.end(first).await;
        let second =
            bench.done(async |handle| handle.switch(order(&["eu"], &[]), ops()).await).await;
        bench.traffic.0.store(0, Ordering::SeqCst);
        let off = async |handle: intermission::control::Handle| {
            let which = Which::Scope(super::desk::scope(&["eu"], &[]));
            handle.end(which, Checks::Planned, ops()).await
        };
        bench.done(off).await;
        assert_eq!(bench.state(second.windows[0].id).await, State::Ended);
        assert_eq!((bench.state(first).await, closed(&bench)[0]), (State::Verifying, true));
        let skip = async |handle: intermission::control::Handle| {
            handle.end(Which::Window(first, Expected::Any), Checks::Skipped, ops()).await
        };
        bench.done(skip).await;
        assert!(!closed(&bench)[0]);
    });
}
