//! What a closure tells: whose words, which promise, which stage.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use intermission::clock::Wall;
use intermission::id::{Id, NodeTag};
use intermission::pages::{Notice, Pages, Stage};
use intermission::region::RegionIx;
use intermission::route::RouteIx;
use intermission::snapshot::Cells;
use intermission::window::maintenance::{Kind, Maintenance, Phase, Severity, Source, Update};
use intermission::window::plan::{Ramp, RampBy, Verification};
use intermission::window::state::{Checks, Event, Gate, Mode, Texts, Window};

use super::cells::{site, step, window};

fn texts(reason: &str, languages: &[(&str, &str)]) -> Texts {
    let plain = |reason: &str| Texts { reason: reason.to_owned(), ..Texts::default() };
    let languages = languages.iter().map(|(tag, said)| ((*tag).to_owned(), plain(said)));
    Texts { languages: languages.collect::<BTreeMap<_, _>>(), ..plain(reason) }
}

fn maintenance(window: &mut Window) -> Maintenance {
    let id = Id::new(Wall::from_millis(0), NodeTag(9));
    window.phase = Some(Phase { maintenance: id, number: 2, name: "APAC".to_owned() });
    Maintenance {
        id,
        version: 1,
        title: "Database upgrade".to_owned(),
        kind: Kind::Planned,
        severity: Severity::Major,
        owner: String::new(),
        texts: Texts::default(),
        windows: vec![window.id],
        announce: Vec::new(),
        recurrence: None,
        series: None,
        source: Source::Operator,
        updates: Vec::new(),
        aftermath: None,
        document: None,
        created: Wall::from_millis(0),
        by: "ops".to_owned(),
    }
}

fn cells(windows: &[&Window], of: &[&Maintenance], before: Option<&Cells>) -> Cells {
    Cells::compute_with(&site(), windows, of, &Pages::builtin(), before)
}

fn told(cells: &Cells) -> Notice {
    let now = Wall::from_millis(0);
    let closure = cells.closure_for(RouteIx(0), RegionIx(0), &Method::GET, now);
    closure.expect("closed").notice.clone()
}

#[test]
fn a_window_speaks_for_itself_and_else_its_maintenance_does() {
    let mut window = window(0, Mode::Page, &["claims"], &[], None);
    let mut maintenance = maintenance(&mut window);
    window.texts = texts("The phase", &[("fr", "La phase")]);
    window.texts.impact = "No claims".to_owned();
    maintenance.texts = texts("The whole", &[("fr", "Tout"), ("de", "Alles")]);
    maintenance.texts.benefit = "Faster".to_owned();
    let notice = told(&cells(&[&window], &[&maintenance], None));
    let words = &notice.words;
    let all = [&words.title, &words.reason, &words.impact, &words.benefit];
    assert_eq!(all, ["Database upgrade", "The phase", "No claims", "Faster"]);
    let phase = notice.phase.as_ref().expect("a phase");
    assert_eq!((phase.number, phase.name.as_str()), (2, "APAC"));
    assert_eq!(notice.maintenance, Some(maintenance.id));
    let french = &notice.languages["fr"];
    assert_eq!((french.reason.as_str(), french.impact.as_str()), ("La phase", "No claims"));
    assert_eq!(notice.languages["de"].reason, "The phase", "it says it in some language");
}

#[test]
fn an_update_renews_the_pages_of_its_windows() {
    let mut window = window(0, Mode::Page, &["claims"], &[], None);
    let mut maintenance = maintenance(&mut window);
    let before = cells(&[&window], &[&maintenance], None);
    assert_eq!(told(&before).updates, []);
    for minute in 1..=5 {
        let at = Wall::from_millis(minute * 60_000);
        let text = format!("minute {minute}");
        maintenance.updates.push(Update { at, by: "ops".to_owned(), text });
    }
    maintenance.version += 1;
    let after = told(&cells(&[&window], &[&maintenance], Some(&before)));
    let updates: Vec<&str> = after.updates.iter().map(|news| news.text.as_str()).collect();
    assert_eq!(updates, ["minute 5", "minute 4", "minute 3"]);
}

#[test]
fn a_disruption_is_told_where_it_is_less_than_the_whole() {
    let minutes = |span: u64, end: Option<i64>| {
        let mut window = window(0, Mode::Page, &["claims"], &[], end);
        window.plan.disruption = Some(Duration::from_secs(span));
        told(&cells(&[&window], &[], None)).disruption
    };
    assert_eq!(minutes(900, Some(7_200_000)), Some(15));
    assert_eq!(minutes(61, None), Some(2));
    assert_eq!(minutes(7_200, Some(7_200_000)), None);
}

#[test]
fn each_stage_promises_what_is_true() {
    let mut window = window(0, Mode::Page, &["claims"], &[], Some(100_000));
    window.plan.verification = Some(Verification::default());
    window.plan.ramp = Some(Ramp { over: Duration::from_secs(60), by: RampBy::Share });
    let seen = |window: &Window| {
        let notice = told(&cells(&[window], &[], None));
        (notice.stage, notice.until.map(Wall::millis), notice.overrun)
    };
    assert_eq!(seen(&window), (Stage::Closed, Some(100_000), false));
    let early = step(&window, &Event::End(Checks::Planned), 40_000);
    assert_eq!(seen(&early), (Stage::Verifying, Some(100_000), false), "done before its time");
    let late = step(&window, &Event::End(Checks::Planned), 100_000);
    assert_eq!(seen(&late), (Stage::Verifying, None, false), "no promise is left to be told");
    let reopening = step(&late, &Event::Verified, 130_000);
    assert_eq!(seen(&reopening), (Stage::Reopening, Some(190_000), false));
    let failed = step(&reopening, &Event::Failed, 150_000);
    assert_eq!(seen(&failed), (Stage::Overrun, None, true));
    let again = step(&failed, &Event::Extend(Some(Wall::from_millis(300_000))), 160_000);
    assert_eq!(seen(&again), (Stage::Closed, Some(300_000), false));
    let drained = step(&window, &Event::Drained, 1);
    let overrun = step(&drained, &Event::Tick(Gate::Open), 100_000);
    assert_eq!(seen(&overrun), (Stage::Overrun, None, true));
}
