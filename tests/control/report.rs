//! What is told afterwards: the arithmetic of a report, and that what visitors met is counted,
//! survives, and stands in it.

use std::time::Duration;

use intermission::clock::Wall;
use intermission::id::Id;
use intermission::window::history::Entry;
use intermission::window::maintenance::{
    Aftermath, Kind, Maintenance, Phase, Severity, Source, Update,
};
use intermission::window::plan::{Plan, Ramp, RampBy, Verification};
use intermission::window::report::{Report, Submissions, Told};
use intermission::window::state::{Author, Checks, Event, Gate, Mode, Order, Texts, Window};
use intermission::window::tally::{Pages, Tally};

use super::desk::{order, scope};
use super::stage::{Stage, config_text, plan};
use crate::support::http1::Message;
use crate::support::origin::Origin;
use crate::support::raw;

/// Minutes after 2026-11-29 16:00 UTC.
fn at(minutes: i64) -> Wall {
    Wall::parse("2026-11-29T16:00:00Z").expect("an instant").plus(minute(minutes))
}

fn minute(minutes: i64) -> Duration {
    Duration::from_secs(u64::try_from(minutes).expect("no time before") * 60)
}

fn id(number: u8) -> Id {
    Id::from_bytes([number; 20])
}

/// A window under way, and everything that happened to it.
struct Life {
    window: Window,
    history: Vec<Entry>,
}

impl Life {
    fn planned(number: u8, name: &str, regions: &[&str], from: i64, to: i64) -> Self {
        let phase = Phase { maintenance: id(9), number: number.into(), name: name.to_owned() };
        let order = Order {
            scope: scope(regions, &[]),
            mode: Mode::Page,
            texts: Texts::default(),
            promised_end: Some(at(to)),
            plan: Plan {
                starts: at(from),
                verification: Some(Verification::default()),
                ramp: Some(Ramp { over: minute(10), by: RampBy::Share }),
                ..Plan::draining(Duration::from_secs(30))
            },
        };
        let author = Author { by: "ana".to_owned(), why: "planned: Database upgrade".to_owned() };
        let step = Window::planned(id(number), phase, order, &author, at(0));
        Self { window: step.window, history: vec![step.entry] }
    }

    fn then(mut self, minutes: i64, event: Event, by: &str, why: &str) -> Self {
        let author = Author { by: by.to_owned(), why: why.to_owned() };
        let step = self.window.step(&event, &author, at(minutes)).expect("it is possible");
        let step = step.expect("it changes");
        self.history.push(step.entry);
        Self { window: step.window, ..self }
    }

    fn told(self, tally: Tally, submissions: Submissions) -> Told {
        Told { window: self.window, history: self.history, tally, submissions }
    }
}

fn tally(html: u64, visitors: std::ops::Range<u64>) -> Tally {
    let mut tally = Tally {
        pages: Pages { html, problem: 3, ..Pages::default() },
        not_kept: 1,
        ..Tally::default()
    };
    for visitor in visitors {
        let hash = intermission::digest::sha256(&visitor.to_be_bytes());
        tally.visitors.note(u64::from_be_bytes(hash[..8].try_into().expect("eight bytes")));
    }
    tally
}

fn maintenance() -> Maintenance {
    Maintenance {
        id: id(9),
        version: 4,
        title: "Database upgrade <b>*now*</b>".to_owned(),
        kind: Kind::Planned,
        severity: Severity::Major,
        owner: "platform".to_owned(),
        texts: Texts::default(),
        windows: vec![id(1), id(2)],
        announce: Vec::new(),
        recurrence: None,
        series: None,
        source: Source::Operator,
        document: None,
        updates: vec![Update {
            at: at(70),
            by: "ana".to_owned(),
            text: "still | copying".to_owned(),
        }],
        aftermath: Some(Aftermath {
            text: "The copy took longer than measured.".to_owned(),
            link: "https://status.example/incidents/7".to_owned(),
        }),
        created: at(0),
        by: "ana".to_owned(),
    }
}

/// Two phases: one extended while it ran, whose verification fails first; one that began late.
fn told() -> Vec<Told> {
    let closed = Event::Drained;
    let first = Life::planned(1, "production APAC", &["apac"], 10, 60)
        .then(10, Event::Tick(Gate::Open), "intermission", "its time has come")
        .then(11, closed.clone(), "intermission", "nothing is in flight")
        .then(50, Event::Extend(Some(at(80))), "ana", "the copy is slow")
        .then(75, Event::End(Checks::Planned), "ana", "done")
        .then(78, Event::Failed, "intermission", "verification: 0 of 3 rounds")
        .then(95, Event::End(Checks::Planned), "ana", "mended")
        .then(96, Event::Verified, "intermission", "verified")
        .then(106, Event::Tick(Gate::Open), "intermission", "everybody is let in again");
    let second = Life::planned(2, "production EU", &["eu"], 100, 160)
        .then(106, Event::Tick(Gate::Open), "intermission", "its time has come")
        .then(107, closed, "intermission", "nothing is in flight")
        .then(120, Event::End(Checks::Skipped), "ben", "trivial");
    let forms =
        Submissions { kept: 7, sent: 4, refused: 1, waiting: 1, expired: 1, ..Default::default() };
    vec![
        first.told(tally(120, 0..80), forms),
        second.told(tally(40, 60..100), Submissions::default()),
    ]
}

#[test]
fn a_report_compares_what_was_planned_with_what_was() {
    let report = Report::of(Some(&maintenance()), &told(), at(200));
    let [first, second] = &report.windows[..] else { panic!("two windows") };
    assert_eq!((first.extensions, first.failures), (1, 1));
    assert_eq!(first.overrun, minute(106 - 80), "after the end that was promised last");
    assert_eq!((first.late, second.late), (Duration::ZERO, minute(6)));
    assert_eq!((first.in_force, second.in_force), (minute(96), minute(14)));
    assert_eq!(first.planned.to, Some(at(60)), "the end that was promised first");
    assert_eq!(second.planned.to, Some(at(160)), "not what moved because it began late");
    assert_eq!((second.extensions, second.overrun), (0, Duration::ZERO), "late is not extended");
    assert_eq!((report.real.from, report.real.to), (Some(at(10)), Some(at(120))));
    let longest: Vec<_> = report.disruptions.iter().map(|one| one.longest).collect();
    assert_eq!(longest, [minute(96), minute(14)]);
    assert_eq!(report.totals.refused, 166);
    let visitors = report.totals.visitors;
    assert!((90..=110).contains(&visitors), "100, of whom 20 met both windows: {visitors}");
    assert_eq!(report.totals.submissions.kept, 7);
    let json = serde_json::to_string_pretty(&report).expect("JSON");
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("report_json", json);
        insta::assert_snapshot!("report_markdown", report.markdown());
    });
}

#[test]
fn a_report_of_what_goes_on_ends_now_and_of_what_never_began_nowhere() {
    let closed = Life::planned(1, "", &["apac"], 10, 60).then(
        10,
        Event::Tick(Gate::Open),
        "intermission",
        "its time has come",
    );
    let waiting = Life::planned(2, "", &["apac"], 70, 80);
    let told = [closed, waiting].map(|life| life.told(Tally::default(), Submissions::default()));
    let report = Report::of(Some(&maintenance()), &told, at(65));
    assert_eq!(report.windows[0].in_force, minute(55));
    assert_eq!(report.windows[0].overrun, minute(5));
    assert_eq!((report.windows[1].in_force, report.windows[1].late), Default::default());
    assert_eq!((report.real.to, report.disruptions.len()), (None, 1));
}

/// What a client with these fields is answered by closed claims.
fn meet(stage: &Stage, fields: &str) -> Message {
    let head = format!("GET / HTTP/1.1\r\nHost: claims.test\r\n{fields}\r\n");
    raw::exchange(stage.visitors, head)
}

#[test]
fn who_met_a_window_is_counted_over_restarts_and_stands_in_its_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let origin = Origin::replying("hello");
    let text = config_text(origin.address(), origin.address(), "");
    let stage = Stage::over(folder.path(), &text);
    let window = stage.close(&[], &["claims"], plan(None, None)).id;
    for fields in ["Accept: text/html\r\n", "Accept: application/json\r\n", "Accept: */*\r\n"] {
        assert_eq!(meet(&stage, fields).status(), 503);
    }
    let post = "POST / HTTP/1.1\r\nHost: claims.test\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(raw::exchange(stage.visitors, post).status(), 503);
    let report = stage.report(window);
    assert_eq!(report.totals.refused, 4, "{:?}", report.totals);
    drop(stage);
    let stage = Stage::over(folder.path(), &text);
    assert_eq!(meet(&stage, "Accept: text/html\r\n").status(), 503);
    stage.end(window);
    assert_eq!(meet(&stage, "").status(), 200, "what is open is not counted");
    let report = stage.report(window);
    let Pages { html, problem, .. } = report.totals.pages;
    assert_eq!((report.totals.refused, html, problem), (5, 2, 1), "{:?}", report.totals);
    assert_eq!((report.totals.visitors, report.totals.forms_not_kept), (1, 1));
    assert_eq!(report.title, "");
    assert!(report.markdown().contains("| requests refused | 5 ("), "{}", report.markdown());
}

#[test]
fn who_waited_for_a_window_is_counted_apart_from_who_was_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let origin = Origin::replying("hello");
    let text = config_text(origin.address(), origin.address(), "");
    let stage = Stage::over(folder.path(), &text);
    let hold = Order { mode: Mode::Hold, plan: plan(None, None), ..order(&[], &["claims"]) };
    let window = stage.switch(hold).id;
    let visitors = stage.visitors;
    let waiting = std::thread::spawn(move || {
        raw::exchange(visitors, "GET / HTTP/1.1\r\nHost: claims.test\r\n\r\n").status()
    });
    stage.until_metric("intermission_held_requests 1");
    stage.end(window);
    assert_eq!(waiting.join().expect("a visitor"), 200);
    stage.until_metric("intermission_held_requests 0");
    let totals = stage.report(window).totals;
    assert_eq!((totals.held, totals.released, totals.refused), (1, 1, 0), "{totals:?}");
}
