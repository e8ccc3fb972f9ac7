//! The states × events table, kept as a file: a change of behaviour is a change of that file.
//! `BLESS=1 cargo test window::` writes it anew.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use intermission::clock::Wall;
use intermission::id::Id;
use intermission::window::plan::Plan;
use intermission::window::scope::Scope;
use intermission::window::state::{Author, Checks, Event, Gate, Mode, Order, State, Texts, Window};

/// A window began at 0, drains until 30 s and is promised to end at 60 s.
pub(super) fn window(state: State) -> Window {
    let order = Order {
        scope: Scope::default(),
        mode: Mode::Page,
        texts: Texts::default(),
        promised_end: Some(seconds(60)),
        plan: Plan::draining(Duration::from_secs(30)),
    };
    let begun = Window::begin(Id::from_bytes([7; 20]), order, &author(), seconds(0)).window;
    Window { state, ..begun }
}

pub(super) fn author() -> Author {
    Author { by: "ops".to_owned(), why: "upgrade".to_owned() }
}

pub(super) fn seconds(at: i64) -> Wall {
    Wall::from_millis(at * 1000)
}

const STATES: [State; 4] = [State::Draining, State::Closed, State::Overrun, State::Ended];

fn cell(state: State, event: &Event, now: Wall) -> String {
    match window(state).step(event, &author(), now) {
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
    let events = [
        ("tick, draining goes on", Event::Tick(Gate::Open), seconds(29)),
        ("tick, drain deadline", Event::Tick(Gate::Open), seconds(30)),
        ("tick, before promised end", Event::Tick(Gate::Open), seconds(59)),
        ("tick, promised end", Event::Tick(Gate::Open), seconds(60)),
        ("drained", Event::Drained, seconds(10)),
        ("extend to later", Event::Extend(Some(seconds(90))), seconds(70)),
        ("extend to the past", Event::Extend(Some(seconds(65))), seconds(70)),
        ("extend to unknown", Event::Extend(None), seconds(70)),
        ("end", Event::End(Checks::Planned), seconds(10)),
    ];
    let mut text = String::from(
        "A window began at 0 s, drains until 30 s, is promised to end at 60 s.\n\
         -: nothing changes; same: the state stays, the version counts.\n\n",
    );
    let mut line = |name: &str, cells: [String; 4]| {
        let line =
            cells.iter().fold(format!("{name:27}"), |line, cell| line + &format!("{cell:10}"));
        writeln!(text, "{}", line.trim_end()).expect("a string takes everything");
    };
    line("", STATES.map(|state| state.name().to_owned()));
    for (name, event, now) in events {
        line(name, STATES.map(|state| cell(state, &event, now)));
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
