//! What holds for a window whatever happens to it.

use intermission::window::state::{Checks, Event, Gate, State, Window};
use proptest::prelude::*;

use super::table::{author, seconds, window};

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Tick(Gate::Open)),
        Just(Event::Drained),
        prop::option::of(0i64..200).prop_map(|end| Event::Extend(end.map(seconds))),
        Just(Event::End(Checks::Planned)),
    ]
}

fn life() -> impl Strategy<Value = Vec<(Event, i64)>> {
    prop::collection::vec((event(), 0i64..20), 0..30)
}

proptest! {
    #[test]
    fn each_change_is_counted_and_told(life in life()) {
        let mut now = 0;
        let mut window = window(State::Draining);
        for (event, passed) in life {
            now += passed;
            let before = window.clone();
            let told = window.clone().step(&event, &author(), seconds(now));
            let Ok(Some(step)) = told else { continue };
            window = step.window;
            let entry = step.entry;
            prop_assert_eq!(window.version, before.version + 1);
            prop_assert_eq!((entry.window, entry.version), (window.id, window.version));
            prop_assert_eq!((entry.from, entry.to), (Some(before.state), window.state));
            prop_assert_eq!((entry.at, entry.promised_end), (seconds(now), window.promised_end));
            prop_assert_eq!((&entry.by, &entry.why), (&author().by, &author().why));
            prop_assert_eq!((&window.scope, window.mode, window.began),
                (&before.scope, before.mode, before.began));
        }
    }

    #[test]
    fn what_has_ended_stays_ended(life in life()) {
        let mut window = window(State::Draining);
        let mut now = 0;
        let mut ended: Option<Window> = None;
        for (event, passed) in life {
            now += passed;
            let told = window.clone().step(&event, &author(), seconds(now));
            if let Some(ended) = &ended {
                prop_assert!(!matches!(told, Ok(Some(_))), "{:?} moved {:?}", event, ended);
            }
            let Ok(Some(step)) = told else { continue };
            // In force until it is ended, and never again.
            prop_assert!(window.state.in_force());
            let ends = matches!(event, Event::End(_));
            prop_assert_eq!(step.window.state == State::Ended, ends);
            prop_assert_eq!(step.window.ended, ends.then(|| seconds(now)));
            window = step.window;
            if window.state == State::Ended {
                ended = Some(window.clone());
            }
        }
    }

    #[test]
    fn time_alone_reaches_a_rest(now in 0i64..200) {
        let mut window = window(State::Draining);
        for _ in 0..3 {
            match window.clone().step(&Event::Tick(Gate::Open), &author(), seconds(now)) {
                Ok(Some(step)) => window = step.window,
                Ok(None) => break,
                Err(illegal) => prop_assert!(false, "{}", illegal),
            }
        }
        prop_assert!(window.state.in_force(), "time alone reopened it");
        let now = seconds(now);
        let due = window.next_deadline(Gate::Open).is_some_and(|deadline| deadline <= now);
        prop_assert!(!due, "{:?} should have moved at {:?}", window.state, now);
    }
}
