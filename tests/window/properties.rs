//! What holds for a window whatever happens to it.

use std::time::Duration;

use intermission::window::plan::{Ramp, RampBy, Reopen, Verification};
use intermission::window::scope::Selection;
use intermission::window::state::{Checks, Event, Gate, Order, State, Window};
use proptest::prelude::*;

use super::table::{author, order, seconds, window_of};

fn gate() -> impl Strategy<Value = Gate> {
    prop_oneof![4 => Just(Gate::Open), 1 => Just(Gate::Waiting), 1 => Just(Gate::Failed)]
}

/// An order with any course.
fn any_order() -> impl Strategy<Value = Order> {
    let length = || 0u64..60;
    let optional = || prop::option::of(0u64..60);
    let parts = (-20i64..20, length(), optional(), optional(), optional(), any::<bool>());
    let end = (prop::option::of(-20i64..100), any::<bool>());
    (parts, end).prop_map(|((starts, drain, verify, ramp, limit, auto), (end, narrow))| {
        let mut order = order();
        let plan = &mut order.plan;
        (plan.starts, plan.drain) = (seconds(starts), Duration::from_secs(drain));
        plan.reopen = if auto { Reopen::Auto } else { Reopen::Manual };
        plan.hard_limit = limit.map(Duration::from_secs);
        plan.ramp = ramp.map(|over| Ramp { over: Duration::from_secs(over), by: RampBy::Share });
        plan.verification = verify.map(|within| Verification {
            within: Duration::from_secs(within),
            ..Verification::default()
        });
        order.promised_end = end.map(seconds);
        if narrow {
            order.scope.routes = Selection::of(["claims".to_owned()]);
        }
        order
    })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => gate().prop_map(Event::Tick),
        1 => Just(Event::Begin),
        1 => any_order().prop_map(|order| Event::Amend(Box::new(order))),
        1 => Just(Event::Drained),
        1 => prop::option::of(0i64..200).prop_map(|end| Event::Extend(end.map(seconds))),
        1 => Just(Event::End(Checks::Planned)),
        1 => Just(Event::End(Checks::Skipped)),
        1 => Just(Event::Verified),
        1 => Just(Event::Failed),
        1 => Just(Event::Cancel),
    ]
}

fn life() -> impl Strategy<Value = (Order, Vec<(Event, i64)>)> {
    (any_order(), prop::collection::vec((event(), 0i64..20), 0..30))
}

/// Each step of a life: the window before, the event, when, and the window after.
fn steps((order, events): (Order, Vec<(Event, i64)>)) -> Vec<(Window, Event, i64, Window)> {
    let (mut now, mut steps) = (0, Vec::new());
    let mut window = window_of(order, State::Planned);
    for (event, passed) in events {
        now += passed;
        let told = window.clone().step(&event, &author(), seconds(now));
        let Ok(Some(step)) = told else { continue };
        let entry = step.entry;
        assert_eq!((entry.window, entry.version), (window.id, window.version + 1));
        assert_eq!((entry.from, entry.to), (Some(window.state), step.window.state));
        assert_eq!((entry.at, entry.promised_end), (seconds(now), step.window.promised_end));
        assert_eq!((&entry.by, &entry.why), (&author().by, &author().why));
        assert_eq!(entry.version, step.window.version);
        steps.push((window, event, now, step.window.clone()));
        window = step.window;
    }
    steps
}

proptest! {
    #[test]
    fn each_change_is_counted_and_told_and_only_an_amendment_changes_the_scope(life in life()) {
        for (before, event, _, after) in steps(life) {
            if !matches!(event, Event::Amend(_)) {
                prop_assert_eq!((&after.scope, &after.plan), (&before.scope, &before.plan));
            }
            prop_assert_eq!((&after.phase, &after.by), (&before.phase, &before.by));
            let since = if after.state == before.state { before.since } else { after.since };
            prop_assert_eq!(after.since, since);
        }
    }

    #[test]
    fn it_begins_once_and_ends_once_and_is_left_by_its_end_only(life in life()) {
        for (before, event, now, after) in steps(life) {
            prop_assert!(!before.state.is_over(), "{:?} moved {:?}", event, before);
            let (was, is) = (before.state.in_force(), after.state.in_force());
            if is && !was {
                prop_assert_eq!((before.began, after.began), (None, Some(seconds(now))));
            } else {
                prop_assert_eq!(after.began, before.began);
            }
            if was && !is {
                prop_assert_eq!(after.state, State::Ended);
            }
            prop_assert_eq!(after.ended, after.state.is_over().then(|| seconds(now)));
            prop_assert_eq!(after.state == State::Ended, after.ended.is_some() && was);
        }
    }

    /// What is to be verified reopens after that, or by who skips it, or by the hard limit.
    #[test]
    fn nothing_reopens_unverified(life in life()) {
        for (before, event, now, after) in steps(life) {
            let reopens = matches!(after.state, State::Reopening | State::Ended);
            let was = matches!(before.state, State::Draining | State::Closed | State::Overrun
                | State::Verifying);
            if reopens && was && before.plan.verification.is_some() {
                let limit = before.hard_limit().is_some_and(|limit| limit <= seconds(now));
                let tick = matches!(event, Event::Tick(_));
                let allowed = matches!(event, Event::Verified | Event::End(Checks::Skipped));
                prop_assert!(allowed || tick && limit, "{:?} reopened {:?}", event, before);
            }
        }
    }

    #[test]
    fn time_alone_reaches_a_rest_and_tells_when_it_goes_on(
        order in any_order(), state in 0usize..9, gate in gate(), now in 0i64..200
    ) {
        let mut window = window_of(order, State::ALL[state]);
        let now = seconds(now);
        let mut seen = vec![window.state];
        while let Some(step) =
            window.clone().step(&Event::Tick(gate), &author(), now).expect("always legal")
        {
            window = step.window;
            prop_assert!(!seen.contains(&window.state), "{:?} came back to it", window);
            seen.push(window.state);
        }
        let due = window.next_deadline(gate).is_some_and(|deadline| deadline <= now);
        prop_assert!(!due, "{:?} should have moved at {:?}", window, now);
    }

    /// The timer asks for nothing else: before its deadline a tick does nothing.
    #[test]
    fn before_its_deadline_nothing_happens(
        order in any_order(), state in 0usize..9, gate in gate(), early in 1i64..50
    ) {
        let window = window_of(order, State::ALL[state]);
        let deadline = window.next_deadline(gate).unwrap_or(seconds(1_000_000));
        let before = deadline.minus(Duration::from_millis(early.unsigned_abs()));
        prop_assert_eq!(window.step(&Event::Tick(gate), &author(), before), Ok(None));
    }
}
