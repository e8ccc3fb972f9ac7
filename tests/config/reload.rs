//! What a reload may not do.

use std::path::Path;
use std::time::Duration;

use intermission::clock::Wall;
use intermission::config::{self, Loaded, Process};
use intermission::id::{Id, NodeTag};
use intermission::window::plan::Plan;
use intermission::window::scope::{Scope, Selection};
use intermission::window::state::{Author, Checks, Event, Mode, Order, Texts, Window};

const NOW: Wall = Wall::from_millis(1_795_262_400_000);

fn loaded(text: &str) -> Loaded {
    let text = format!(
        "{text}\n[[upstream]]\nname = \"app\"\nservers = [\"127.0.0.1:9000\"]\n\
         [[route]]\nname = \"claims\"\npaths = [\"/claims/*\"]\nupstream = \"app\"\n"
    );
    config::load_text("c.toml", &text, Path::new("/etc/intermission")).expect("a good config")
}

fn process(text: &str) -> Process {
    loaded(text).process
}

fn window(regions: &[&str], routes: &[&str]) -> Window {
    let names = |names: &[&str]| Selection::of(names.iter().map(|name| (*name).to_owned()));
    let order = Order {
        scope: Scope { regions: names(regions), routes: names(routes), ..Scope::default() },
        mode: Mode::Page,
        texts: Texts::default(),
        promised_end: None,
        plan: Plan::draining(Duration::from_secs(30)),
    };
    Window::begin(Id::new(NOW, NodeTag(1)), order, &author(), NOW).window
}

fn author() -> Author {
    Author { by: "ops".to_owned(), why: "a test".to_owned() }
}

#[test]
fn the_same_config_needs_no_restart() {
    assert_eq!(config::compatible(&process(""), &process("")), Vec::<String>::new());
    let reloadable = "[pages]\noperator = \"Other\"\n[limits]\nconnections = 7\n[timeouts]\nhead = \"1s\"\n[node]\nname = \"b\"";
    assert_eq!(config::compatible(&process(""), &process(reloadable)), Vec::<String>::new());
}

#[test]
fn every_key_of_the_process_is_named_when_it_differs() {
    let token = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let changes = [
        ("listen.http", "[listen]\nhttp = [\"127.0.0.1:8081\"]".to_owned()),
        ("node.workers", "[node]\nworkers = 99".to_owned()),
        ("admin.listen", "[admin]\nlisten = \"127.0.0.1:7071\"".to_owned()),
        ("admin.hosts", "[admin]\nhosts = [\"a.example.com\"]".to_owned()),
        ("admin.token", format!("[[admin.token]]\nname = \"ops\"\nsha256 = \"{token}\"")),
        ("store.directory", "[store]\ndirectory = \"state\"".to_owned()),
        ("log.access", "[log]\naccess = \"off\"".to_owned()),
        ("log.format", "[log]\nformat = \"logfmt\"".to_owned()),
        ("window.drain", "[window]\ndrain = \"5s\"".to_owned()),
        ("stop", "[stop]\nlame_duck = \"5s\"".to_owned()),
    ];
    for (key, text) in changes {
        let warnings = config::compatible(&process(""), &process(&text));
        assert_eq!(warnings.len(), 1, "{key}: {warnings:?}");
        assert!(warnings[0].starts_with(&format!("`{key}`")), "{key}: {warnings:?}");
    }
}

#[test]
fn relative_paths_are_meant_from_the_config() {
    let process = process("[store]\ndirectory = \"state\"\n[log]\naccess = \"./a.log\"");
    assert_eq!(process.store_dir, Path::new("/etc/intermission/state"));
    let told = format!("{:?}", process.access_target);
    assert!(told.contains("/etc/intermission/./a.log"), "{told}");
}

#[test]
fn a_closed_route_or_region_cannot_be_taken_away() {
    let site = loaded("[node]\nregion = \"eu\"\n[[region]]\nname = \"eu\"").site;
    let covered = [window(&[], &[]), window(&["eu"], &["claims"])];
    assert_eq!(config::uncovered(&site, &covered), Vec::<String>::new());

    let lost = config::uncovered(&site, &[window(&["apac", "eu"], &["billing", "claims"])]);
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert!(lost[0].contains("the route `billing`"), "{lost:?}");
    assert!(lost[1].contains("the region `apac`"), "{lost:?}");
    assert!(lost.iter().all(|told| told.contains("intermission off")), "{lost:?}");
}

#[test]
fn a_window_that_has_ended_holds_nothing_back() {
    let site = loaded("").site;
    let open = window(&[], &["billing"]);
    let ended = open
        .clone()
        .step(&Event::End(Checks::Planned), &author(), NOW)
        .expect("legal")
        .expect("a step");
    assert_eq!(config::uncovered(&site, &[open]).len(), 1);
    assert_eq!(config::uncovered(&site, &[ended.window]), Vec::<String>::new());
}
