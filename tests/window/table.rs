//! The states × events table, kept as a file: a change of behaviour is a change of that file.
//! `BLESS=1 cargo test window::` writes it anew.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use intermission::clock::Wall;
use intermission::id::Id;
use intermission::window::maintenance::Phase;
use intermission::window::plan::{Plan, Ramp, RampBy, Reopen, Verification};
use intermission::window::scope::{Scope, Selection};
use intermission::window::state::{Author, Checks, Event, Gate, Mode, Order, State, Texts, Window};

pub(super) fn order() -> Order {
    Order {
        scope: Scope::default(),
        mode: Mode::Page,
        texts: Texts::default(),
        promised_end: Some(seconds(60)),
        plan: Plan { starts: seconds(0), ..Plan::draining(Duration::from_secs(30)) },
    }
}

/// A window that was to begin at 0, drains until 30 s and is promised to end at 60 s.
pub(super) fn window(state: State) -> Window {
    window_of(order(), state)
}

pub(super) fn window_of(order: Order, state: State) -> Window {
    let phase = Phase { maintenance: Id::from_bytes([1; 20]), number: 1, name: String::new() };
    let id = Id::from_bytes([7; 20]);
    let planned = Window::planned(id, phase, order, &author(), seconds(-60)).window;
    let since = if state == State::Planned { seconds(-60) } else { seconds(0) };
    let began = (state.in_force() || state == State::Ended).then_some(seconds(0));
    Window { state, since, began, ..planned }
}

pub(super) fn author() -> Author {
    Author { by: "ops".to_owned(), why: "upgrade".to_owned() }
}

pub(super) fn seconds(at: i64) -> Wall {
    Wall::from_millis(at * 1000)
}

/// The courses that a window can take, each a part of the table.
fn courses() -> [(&'static str, Order); 5] {
    let of = |change: fn(&mut Plan)| {
        let mut order = order();
        change(&mut order.plan);
        order
    };
    let within = |secs| Some(Verification { within: Duration::from_secs(secs), ..<_>::default() });
    let verified = Order { plan: Plan { verification: within(20), ..order().plan }, ..order() };
    let all = Order {
        plan: Plan {
            verification: within(20),
            ramp: Some(Ramp { over: Duration::from_secs(40), by: RampBy::Share }),
            reopen: Reopen::Auto,
            ..order().plan
        },
        ..order()
    };
    [
        ("left by an order", order()),
        ("reopen = auto", of(|plan| plan.reopen = Reopen::Auto)),
        ("verified within 20 s", verified),
        ("verified within 20 s, ramp over 40 s, reopen = auto", all),
        ("hard limit 45 s", of(|plan| plan.hard_limit = Some(Duration::from_secs(45)))),
    ]
}

fn events(order: &Order) -> Vec<(&'static str, Event, Wall)> {
    let amended = |change: fn(&mut Order)| {
        let mut order = order.clone();
        change(&mut order);
        Event::Amend(Box::new(order))
    };
    let tick = Event::Tick;
    vec![
        ("tick, before its start", tick(Gate::Open), seconds(-1)),
        ("tick, start", tick(Gate::Open), seconds(0)),
        ("tick, start, gate waits", tick(Gate::Waiting), seconds(0)),
        ("tick, gate failed", tick(Gate::Failed), seconds(-1)),
        ("tick, at 19 s", tick(Gate::Open), seconds(19)),
        ("tick, at 20 s", tick(Gate::Open), seconds(20)),
        ("tick, drain deadline", tick(Gate::Open), seconds(30)),
        ("tick, at 45 s", tick(Gate::Open), seconds(45)),
        ("tick, promised end", tick(Gate::Open), seconds(60)),
        ("tick, promised end, gate waits", tick(Gate::Waiting), seconds(60)),
        ("start", Event::Begin, seconds(10)),
        ("amend, other texts", amended(|order| order.texts.reason = "disks".into()), seconds(10)),
        (
            "amend, other scope",
            amended(|order| {
                order.scope.routes = Selection::of(["claims".to_owned()]);
            }),
            seconds(10),
        ),
        (
            "amend, a later end",
            amended(|order| order.promised_end = Some(seconds(90))),
            seconds(70),
        ),
        ("drained", Event::Drained, seconds(10)),
        ("extend to later", Event::Extend(Some(seconds(90))), seconds(70)),
        ("extend to the past", Event::Extend(Some(seconds(65))), seconds(70)),
        ("extend to unknown", Event::Extend(None), seconds(70)),
        ("end", Event::End(Checks::Planned), seconds(10)),
        ("end, checks skipped", Event::End(Checks::Skipped), seconds(10)),
        ("verified", Event::Verified, seconds(10)),
        ("failed", Event::Failed, seconds(10)),
        ("cancel", Event::Cancel, seconds(10)),
    ]
}

fn cell(window: Window, event: &Event, now: Wall) -> String {
    let state = window.state;
    match window.step(event, &author(), now) {
        Ok(None) => "-".to_owned(),
        Err(illegal) => {
            assert_eq!(illegal.state, state);
            "illegal".to_owned()
        }
        Ok(Some(step)) if step.window.state == state => "same".to_owned(),
        Ok(Some(step)) => step.window.state.name().to_owned(),
    }
}

fn rendered() -> String {
    let mut text = String::from(
        "A window is to begin at 0 s, drains until 30 s, is promised to end at 60 s; it came to its\n\
         state at 0 s.\n\
         -: nothing changes; same: the state stays, the version counts.\n",
    );
    let mut line = |name: &str, cells: [String; 9]| {
        let line =
            cells.iter().fold(format!("{name:31}"), |line, cell| line + &format!("{cell:10}"));
        writeln!(text, "{}", line.trim_end()).expect("a string takes everything");
    };
    for (course, order) in courses() {
        line("", [const { String::new() }; 9]);
        line(&format!("{course}:"), [const { String::new() }; 9]);
        line("", State::ALL.map(|state| state.name().to_owned()));
        for (name, event, now) in events(&order) {
            let cells = State::ALL.map(|state| cell(window_of(order.clone(), state), &event, now));
            line(name, cells);
        }
    }
    text
}

#[test]
fn the_table_is_the_one_on_file() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/window_table.txt");
    let now = rendered();
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder for the table");
        std::fs::write(&file, &now).expect("the table is written");
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(now, kept, "if this is meant, write it with BLESS=1");
}
