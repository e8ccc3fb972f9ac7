//! Each row of the states × events table, driven through the reconciler: what becomes of the
//! window, what the history tells, and what is closed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use intermission::clock::Wall;
use intermission::control::{Change, Draft, Expected, Handle, Refused, Which};
use intermission::id::Id;
use intermission::store::Store as _;
use intermission::window::plan::{Ramp, RampBy, Reopen, Verification};
use intermission::window::state::{Checks, Event, Gate, Order, State, Window};

use super::bench::{Bench, drafted, on_a_bench};
use super::desk::{is_closed, ops};

/// What is done to a window, and what that is to `Window::step`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    Wait,
    Begin,
    Amend,
    Widen,
    Drained,
    Later,
    Unknown,
    End,
    Skip,
    Verified,
    Failed,
    Cancel,
}

const ACTS: [Act; 12] = [
    Act::Wait,
    Act::Begin,
    Act::Amend,
    Act::Widen,
    Act::Drained,
    Act::Later,
    Act::Unknown,
    Act::End,
    Act::Skip,
    Act::Verified,
    Act::Failed,
    Act::Cancel,
];

/// How a window is left: at once, or by everything there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leaving {
    Plain,
    Checked,
}

fn draft(leaving: Leaving, now: Wall) -> Draft {
    let mut draft = drafted(&[("eu", "eu", 1, 10)]);
    let order = &mut draft.phases[0].1;
    order.plan.starts = now.plus(Duration::from_secs(60));
    order.promised_end = Some(now.plus(Duration::from_secs(600)));
    order.plan.reopen = Reopen::Manual;
    order.plan.start_within = Duration::from_secs(120);
    if leaving == Leaving::Checked {
        order.plan.verification = Some(Verification::default());
        order.plan.ramp = Some(Ramp { over: Duration::from_secs(60), by: RampBy::Share });
    }
    draft
}

/// Brings a window to this state, by nothing but orders and time.
async fn reach(bench: &mut Bench, state: State, leaving: Leaving) -> Id {
    bench.traffic.0.store(1, Ordering::SeqCst);
    // Verification and ramp are needed to come to the states that are named after them.
    let needs = matches!(state, State::Verifying | State::Reopening);
    let leaving = if needs { Leaving::Checked } else { leaving };
    let mut draft = draft(leaving, bench.now());
    // What is under way is on claims in apac.
    draft.phases[0].1.scope = super::desk::scope(&["eu", "apac"], &["claims"]);
    let id = bench.plan(draft).await[0];
    let minute = Duration::from_secs(60);
    if state == State::Planned {
        return id;
    }
    if state == State::Cancelled {
        bench.done(async |handle| handle.cancel(id, Expected::Any, ops()).await).await;
        return id;
    }
    bench.pass(if state == State::Stalled { 4 * minute } else { minute }).await;
    if matches!(state, State::Stalled | State::Draining) {
        return id;
    }
    bench.pass(minute).await;
    match state {
        State::Overrun => bench.pass(10 * minute).await,
        State::Verifying | State::Reopening => bench.end(id).await,
        State::Ended => {
            let which = Which::Window(id, Expected::Any);
            bench.done(async |handle| handle.end(which, Checks::Skipped, ops()).await).await;
        }
        State::Closed | State::Planned | State::Stalled | State::Draining | State::Cancelled => {}
    }
    if state == State::Reopening {
        let version = bench.window(id).await.version;
        bench.done(async |handle| handle.verified(id, version).await).await;
    }
    id
}

fn amended(window: &Window, act: Act) -> Order {
    let Window { mut scope, mode, texts, promised_end, plan, .. } = window.clone();
    if act == Act::Widen {
        scope = super::desk::scope(&["eu", "apac"], &["claims", "quotes"]);
    }
    Order { scope, mode, texts, promised_end, plan }
}

fn event(window: &Window, act: Act, later: Wall) -> Event {
    match act {
        Act::Wait => Event::Tick(Gate::Open),
        Act::Begin => Event::Begin,
        Act::Amend | Act::Widen => Event::Amend(Box::new(amended(window, act))),
        Act::Drained => Event::Drained,
        Act::Later => Event::Extend(Some(later)),
        Act::Unknown => Event::Extend(None),
        Act::End => Event::End(Checks::Planned),
        Act::Skip => Event::End(Checks::Skipped),
        Act::Verified => Event::Verified,
        Act::Failed => Event::Failed,
        Act::Cancel => Event::Cancel,
    }
}

/// Does it, the way it is done in life.
async fn act(
    bench: &mut Bench,
    window: &Window,
    act: Act,
    later: Wall,
) -> Option<Result<Change, Refused>> {
    let (id, any, version) = (window.id, Expected::Any, window.version);
    let order = amended(window, act);
    let asked = async |handle: Handle| match act {
        Act::Wait | Act::Drained => None,
        Act::Begin => Some(handle.start(id, any, ops()).await),
        Act::Amend | Act::Widen => Some(handle.amend(id, any, order, ops()).await),
        Act::Later => Some(handle.extend(id, any, Some(later), ops()).await),
        Act::Unknown => Some(handle.extend(id, any, None, ops()).await),
        Act::End => Some(handle.end(Which::Window(id, any), Checks::Planned, ops()).await),
        Act::Skip => Some(handle.end(Which::Window(id, any), Checks::Skipped, ops()).await),
        Act::Verified => Some(handle.verified(id, version).await),
        Act::Failed => Some(handle.failed(id, version, "503".to_owned()).await),
        Act::Cancel => Some(handle.cancel(id, any, ops()).await),
    };
    match act {
        Act::Wait => bench.pass(Duration::from_secs(24 * 3_600)).await,
        Act::Drained => {
            bench.traffic.0.store(0, Ordering::SeqCst);
            bench.drain().await;
        }
        Act::Begin
        | Act::Amend
        | Act::Widen
        | Act::Later
        | Act::Unknown
        | Act::End
        | Act::Skip
        | Act::Verified
        | Act::Failed
        | Act::Cancel => {}
    }
    bench.ask(asked).await.expect("no crash")
}

/// What the pure table says of it: the states it goes through, or that it is not possible.
fn wanted(window: &Window, event: &Event, now: Wall) -> Result<Vec<State>, ()> {
    let (mut window, mut states) = (window.clone(), Vec::new());
    // What the clock makes of it follows in the same round.
    let ticks = std::iter::repeat(Event::Tick(Gate::Open));
    for event in std::iter::once(event.clone()).chain(ticks) {
        match window.clone().step(&event, &ops(), now) {
            Ok(Some(step)) => {
                states.push(step.window.state);
                window = step.window;
            }
            Ok(None) if matches!(event, Event::Tick(_)) => break,
            Ok(None) => {}
            Err(_) => return Err(()),
        }
    }
    Ok(states)
}

async fn row(bench: &mut Bench, state: State, leaving: Leaving, one: Act) {
    let told = format!("{} × {one:?}, left {leaving:?}", state.name());
    let id = reach(bench, state, leaving).await;
    let before = bench.window(id).await;
    assert_eq!(before.state, state, "{told}");
    let history = bench.engine.history_of(id).await.expect("readable").len();
    let later = bench.now().plus(Duration::from_secs(24 * 3_600));
    let happened = event(&before, one, later);
    let answer = act(bench, &before, one, later).await;
    let wanted = wanted(&before, &happened, bench.now());
    let states: Vec<State> = bench.engine.history_of(id).await.expect("readable")[history..]
        .iter()
        .map(|entry| entry.to)
        .collect();
    match wanted {
        Ok(wanted) => assert_eq!(states, wanted, "{told}"),
        Err(()) => {
            assert!(matches!(answer, Some(Err(Refused::Illegal(_)))), "{told}: {answer:?}");
            assert_eq!(states, [], "{told}");
        }
    }
    if let Some(Ok(change)) = answer {
        assert_eq!(Some(&change.windows[0].state), states.first(), "{told}");
    }
    let after = bench.window(id).await;
    assert_eq!(after.version, before.version + states.len() as u64, "{told}");
    let snapshot = bench.live().snapshot();
    for (route, region) in [("claims", "eu"), ("claims", "apac"), ("quotes", "eu")] {
        let covered = after.scope.routes.covers(route) && after.scope.regions.covers(region);
        let closed = is_closed(&snapshot, route, region);
        assert_eq!(closed, covered && after.state.in_force(), "{told}: {route} in {region}");
    }
    if !after.state.is_over() {
        let asked = async |handle: Handle| match after.state.in_force() {
            true => handle.end(Which::Window(id, Expected::Any), Checks::Skipped, ops()).await,
            false => handle.cancel(id, Expected::Any, ops()).await,
        };
        bench.done(asked).await;
    }
}

#[test]
fn every_row_of_the_table_is_what_happens() {
    for leaving in [Leaving::Plain, Leaving::Checked] {
        on_a_bench(async |mut bench| {
            for state in State::ALL {
                for one in ACTS {
                    row(&mut bench, state, leaving, one).await;
                }
            }
        });
    }
}
