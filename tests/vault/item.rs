//! Every state with every event, and what must hold on any way through them.

use std::fmt::Write as _;

use intermission::clock::Wall;
use intermission::limit;
use intermission::vault::item::{Checked, Event, Item, State};
use proptest::prelude::*;

use super::item;

const NOW: Wall = Wall::from_millis(1_000_000);

const EVENTS: [Event; 16] = [
    Event::Completed,
    Event::Arm([9; 32], Checked::No),
    Event::Arm([9; 32], Checked::NotThere),
    Event::Arm([9; 32], Checked::Honoured),
    Event::CallBack,
    Event::Send,
    Event::NeverSent,
    Event::Accept(302),
    Event::Refuse(403),
    Event::Lose,
    Event::Settle,
    Event::Discard,
    Event::Remain(Wall::from_millis(NOW.millis() + 300_000_000)),
    Event::Expire,
    Event::Spoil,
    Event::Mend,
];

/// A submission in this state as it is the first time it gets there.
fn fresh(state: State) -> Item {
    let sends = match state {
        State::Sending | State::Accepted | State::Refused | State::Unknown => 1,
        State::Receiving
        | State::Held
        | State::Armed
        | State::Done
        | State::Discarded
        | State::Expired
        | State::Unreadable => 0,
    };
    Item { sends, ..item(state, NOW) }
}

#[test]
fn the_table_of_states_and_events_is_as_reviewed() {
    let mut table = String::from("Each row: a state, and where each event leads from it.\n");
    for state in State::ALL {
        writeln!(table, "\n{}", state.name()).expect("a string takes text");
        for event in EVENTS {
            if let Ok(next) = fresh(state).step(event, NOW) {
                let due = next.due.since(NOW).as_secs();
                let (event, next) = (event.name(), next.state.name());
                writeln!(table, "  {event:<14} -> {next:<10} looked at again after {due} s")
                    .expect("a string takes text");
            }
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots/item_table.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &table).expect("the snapshot can be written");
    }
    let reviewed = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(table, reviewed, "run with BLESS=1 and review the difference");
}

#[test]
fn what_may_have_arrived_is_not_sent_again_unless_its_owner_looked() {
    let unknown = fresh(State::Unknown);
    let refused = unknown.clone().step(Event::Arm([9; 32], Checked::No), NOW);
    assert!(refused.is_err());
    let armed = unknown.step(Event::Arm([9; 32], Checked::NotThere), NOW).expect("checked");
    let back = armed.step(Event::CallBack, NOW).expect("armed");
    assert_eq!(back.state, State::Unknown, "a ticket that was not used changes nothing");
}

#[test]
fn a_never_sent_attempt_does_not_count() {
    let sending = fresh(State::Armed).step(Event::Send, NOW).expect("armed");
    assert_eq!((sending.sends, sending.ticket), (1, None));
    let back = sending.step(Event::NeverSent, NOW).expect("sending");
    assert_eq!((back.state, back.sends), (State::Held, 0));
}

#[test]
fn it_is_sent_no_more_often_than_the_bound() {
    let often = Item { sends: limit::SENDS_MAX, answer: Some(403), ..fresh(State::Refused) };
    assert!(often.step(Event::Arm([9; 32], Checked::No), NOW).is_err());
}

proptest! {
    /// FORMS §9.1: (a) a body goes out at most once for each arming, (c) what is erased holds
    /// nothing, (e) versions only grow, by one, and the dead stay dead.
    #[test]
    fn any_way_through_the_states_keeps_the_promises(
        ways in prop::collection::vec(0..EVENTS.len(), 1..60),
    ) {
        let mut now = item(State::Receiving, NOW);
        let (mut armings, mut sends) = (0, 0);
        for way in ways {
            let event = EVENTS[way];
            let before = now.clone();
            let Ok(next) = now.clone().step(event, NOW) else { continue };
            armings += usize::from(matches!(event, Event::Arm(..)));
            sends += usize::from(matches!(event, Event::Send));
            prop_assert!(sends <= armings);
            prop_assert_eq!(next.version, before.version + 1);
            prop_assert!(!before.state.is_erased(), "nothing follows {:?}", before.state);
            prop_assert!(next.due > NOW, "{:?} would be forgotten", next.state);
            prop_assert_eq!(next.ticket.is_some(), next.state == State::Armed);
            prop_assert_eq!(next.wrapped_key.is_empty(), next.state.is_erased());
            prop_assert_eq!(next.sealed_head.is_empty(), next.state.is_erased());
            prop_assert!(next.sends <= limit::SENDS_MAX);
            if before.state == State::Unknown && next.state == State::Armed {
                let told = Checked::NotThere;
                let known = Checked::Honoured;
                prop_assert!(matches!(event, Event::Arm(_, by) if by == told || by == known));
            }
            now = next;
        }
    }
}
