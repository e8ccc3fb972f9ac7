//! What a plan would meet: other windows over the same cells, blackouts, and how much is looked at.

use intermission::id::Id;
use intermission::limit;
use intermission::window::maintenance::{Phase, Recurrence};
use intermission::window::schedule::{Blackout, Series, With, conflicts};
use intermission::window::scope::Selection;
use intermission::window::state::{Author, Order, Window};

use super::{at, compiled, fields, noon};

fn plan(phase: &str) -> Vec<(String, Order)> {
    compiled(&format!("title = \"x\"\n[[phase]]\n{phase}\n")).phases
}

const SUNDAY: &str =
    "regions = [\"apac\"]\nstarts = \"2026-11-29T16:00:00Z\"\nends = \"2026-11-29T20:00:00Z\"";

fn planned(number: u8, order: &Order) -> Window {
    let author = Author { by: "mara".to_owned(), why: String::new() };
    let phase = Phase { maintenance: Id::from_bytes([200; 20]), number: 1, name: String::new() };
    Window::planned(Id::from_bytes([number; 20]), phase, order.clone(), &author, noon()).window
}

fn other(phase: &str) -> Window {
    planned(1, &plan(phase)[0].1)
}

#[test]
fn windows_over_the_same_cells_at_the_same_time_are_told() {
    let others = [other(
        "regions = [\"apac\", \"eu\"]\nroutes = [\"claims\"]\nstarts = \"2026-11-29T19:00:00Z\"\nends = \"2026-11-29T22:00:00Z\"",
    )];
    let report = conflicts(&plan(SUNDAY), &others, &[], None);
    let [conflict] = &report.conflicts[..] else { panic!("{report:?}") };
    assert_eq!(conflict.field, "phases[0]");
    assert_eq!(
        (conflict.from, conflict.until),
        (at("2026-11-29T19:00:00Z"), Some(at("2026-11-29T20:00:00Z")))
    );
    assert_eq!(conflict.scope.regions, Selection::of(["apac".to_owned()]));
    assert_eq!(conflict.scope.routes, Selection::of(["claims".to_owned()]));
    assert!(matches!(&conflict.with, With::Window { by, .. } if by == "mara"));
    assert!(report.faults().is_empty() && fields(&report.warnings()) == ["phases[0]"]);
    assert!(conflict.sentence().contains("mara"), "{}", conflict.sentence());
    // Of the maintenance that is laid down anew nothing is told.
    let own = Some(Id::from_bytes([200; 20]));
    assert!(conflicts(&plan(SUNDAY), &others, &[], own).conflicts.is_empty());
}

#[test]
fn windows_beside_it_in_time_or_place_are_not() {
    for beside in [
        "regions = [\"apac\"]\nstarts = \"2026-11-29T20:00:00Z\"\nends = \"2026-11-29T22:00:00Z\"",
        "regions = [\"apac\"]\nstarts = \"2026-11-29T12:00:00Z\"\nends = \"2026-11-29T16:00:00Z\"",
        "regions = [\"eu\"]\nstarts = \"2026-11-29T16:00:00Z\"\nends = \"2026-11-29T22:00:00Z\"",
    ] {
        let report = conflicts(&plan(SUNDAY), &[other(beside)], &[], None);
        assert!(report.conflicts.is_empty(), "{beside}: {report:?}");
    }
    // Nobody knows when this one ends.
    let open = other("regions = [\"apac\"]\nstarts = \"2026-11-29T12:00:00Z\"");
    assert_eq!(conflicts(&plan(SUNDAY), &[open], &[], None).conflicts.len(), 1);
}

fn blackout(from: &str, to: &str, regions: Selection) -> Blackout {
    let name = "year-end".to_owned();
    Blackout { name, from: at(from), to: at(to), regions, series: None }
}

#[test]
fn a_blackout_is_a_fault_that_names_it() {
    let apac = Selection::of(["apac".to_owned()]);
    let meets = |from: &str, to: &str, regions: &Selection| {
        let blackouts = [blackout(from, to, regions.clone())];
        conflicts(&plan(SUNDAY), [], &blackouts, None).faults()
    };
    let told = meets("2026-11-29T19:59:59Z", "2026-12-01T00:00:00Z", &apac);
    assert_eq!(fields(&told), ["phases[0].starts"]);
    assert!(told[0].what.contains("year-end"), "{told:?}");
    // Half open at both ends, and in other regions it does not hold.
    assert!(meets("2026-11-29T20:00:00Z", "2026-12-01T00:00:00Z", &apac).is_empty());
    assert!(meets("2026-11-01T20:00:00Z", "2026-11-29T16:00:00Z", &apac).is_empty());
    let eu = Selection::of(["eu".to_owned()]);
    assert!(meets("2026-11-01T20:00:00Z", "2026-12-29T16:00:00Z", &eu).is_empty());
}

#[test]
fn a_blackout_comes_again_by_its_rule() {
    let from = at("2020-11-29T17:00:00Z");
    let rule = "FREQ=YEARLY".to_owned();
    let recurrence = Recurrence { rule, zone: String::new(), except: Vec::new(), at: None };
    let series = Series::of(&recurrence, from, "blackout").expect("a rule");
    let mut yearly = blackout("2020-11-29T17:00:00Z", "2020-12-02T00:00:00Z", Selection::All);
    yearly.series = Some(series);
    let during = |from: &str, to: &str| {
        yearly.meets(at(from), Some(at(to)), &Selection::All).map(|(from, _)| from)
    };
    let this_year = Some(at("2026-11-29T17:00:00Z"));
    assert_eq!(during("2026-11-29T16:00:00Z", "2026-11-29T20:00:00Z"), this_year);
    assert_eq!(during("2026-12-01T23:00:00Z", "2026-12-03T00:00:00Z"), this_year);
    assert_eq!(during("2026-12-02T00:00:00Z", "2026-12-03T00:00:00Z"), None);
    assert_eq!(during("2019-11-29T16:00:00Z", "2019-11-30T20:00:00Z"), None);
}

#[test]
fn ten_thousand_windows_are_each_looked_at_once_for_each_phase_and_the_report_is_bounded() {
    let order = &plan(SUNDAY)[0].1;
    let window = |number: u16| {
        let mut window = planned(7, order);
        let [high, low] = number.to_be_bytes();
        window.id =
            Id::from_bytes([high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        // Every second one is over before the plan begins.
        if number.is_multiple_of(2) {
            window.plan.starts = at("2026-11-28T16:00:00Z");
            window.promised_end = Some(at("2026-11-28T17:00:00Z"));
        }
        window
    };
    let windows: Vec<Window> = (0..10_000).map(window).collect();
    let phases: Vec<_> = (0..100).map(|_| plan(SUNDAY)[0].clone()).collect();
    let report = conflicts(&phases, &windows, &[], None);
    assert_eq!(report.conflicts.len(), limit::CONFLICTS_TOLD_MAX);
    assert_eq!(report.conflicts.len() + report.more, 5_000 * 100);
    // Those that are over cost one look, not one for each phase.
    assert_eq!(report.looked, 5_000 * 100 + 5_000);
}
