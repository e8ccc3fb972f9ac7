//! What governs each route × region.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use intermission::addr::{HostPattern, Networks};
use intermission::clock::Wall;
use intermission::id::{Id, NodeTag};
use intermission::pages::Pages;
use intermission::region::{RegionIx, RegionRule, RegionTable};
use intermission::route::{PathPattern, RouteIx, RouteTable};
use intermission::snapshot::{
    Cells, Closure, Csp, FormPolicy, ForwardedBy, Limits, Overrun, Pace, Privacy, Programs,
    ResumeMode, RouteRules, Site,
};
use intermission::window::plan::Plan;
use intermission::window::scope::{Scope, Selection};
use intermission::window::state::{Author, Checks, Event, Gate, Mode, Order, Texts, Window};
use proptest::prelude::*;

const ROUTES: [&str; 3] = ["claims", "quotes", "pay"];
const REGIONS: [&str; 2] = ["eu", "apac"];

pub(super) fn site() -> Site {
    let row = |name: &&str| {
        let path = PathPattern::parse(&format!("/{name}/*")).expect("a pattern");
        (vec![HostPattern::Any], vec![path])
    };
    let rows: Vec<_> = ROUTES.iter().map(row).collect();
    let regions = REGIONS.map(|name| RegionRule {
        name: name.to_owned(),
        header: None,
        hosts: Vec::new(),
        networks: Networks::default(),
    });
    let named = |(name, at): (&&str, u32)| (Arc::from(*name), RouteIx(at));
    Site {
        fingerprint: String::new(),
        node: "node".to_owned(),
        node_tag: NodeTag(1),
        routes: RouteTable::build(&rows).unwrap_or_else(|conflicts| panic!("{conflicts:?}")),
        rules: ROUTES.iter().map(|name| rules(name)).collect(),
        route_names: ROUTES.iter().zip(0..).map(named).collect::<HashMap<_, _>>(),
        regions: RegionTable::new(regions.into(), RegionIx(0)),
        upstreams: Vec::new(),
        tls: None,
        acme: None,
        answers: std::collections::BTreeMap::new(),
        trusted: Networks::default(),
        forwarded: ForwardedBy::XForwarded,
        proxy_protocol: Networks::default(),
        probes: Vec::new(),
        via: None,
        begin_traces: None,
        announce_header: true,
        limits: Limits::default(),
        pace: Pace::default(),
        privacy: Privacy::default(),
        operator: "Example Ltd".to_owned(),
        blackouts: Vec::new(),
    }
}

fn rules(name: &str) -> RouteRules {
    RouteRules {
        name: name.into(),
        title: name.to_uppercase(),
        upstreams: Vec::new(),
        answer_timeout: Duration::ZERO,
        idle_timeout: Duration::ZERO,
        encoded_slashes: false,
        websocket: false,
        forms: FormPolicy {
            keep: true,
            resume: ResumeMode::Confirm,
            life: Duration::ZERO,
            body_bytes_max: 0,
            upload_bytes_max: 0,
            csrf_fields: Arc::new([]),
            never_kept: Arc::new([]),
            sign_in_paths: Arc::new([]),
            session_cookies: Arc::new([]),
            script: false,
            csp: Csp::Amend,
            tee: false,
            idempotency_key: false,
            programs: Programs::Refuse,
        },
        edge: None,
    }
}

pub(super) fn names(names: &[&str]) -> Selection {
    Selection::of(names.iter().map(|name| (*name).to_owned()))
}

pub(super) fn window(
    began: i64,
    mode: Mode,
    routes: &[&str],
    regions: &[&str],
    end: Option<i64>,
) -> Window {
    let order = Order {
        scope: Scope { regions: names(regions), routes: names(routes), ..Scope::default() },
        mode,
        texts: Texts::default(),
        promised_end: end.map(Wall::from_millis),
        plan: Plan::draining(Duration::from_secs(30)),
    };
    let now = Wall::from_millis(began);
    Window::begin(Id::new(now, NodeTag(1)), order, &Author::intermission("test"), now).window
}

pub(super) fn step(window: &Window, event: &Event, now: i64) -> Window {
    let author = Author::intermission("test");
    let step = window.clone().step(event, &author, Wall::from_millis(now));
    step.expect("a legal step").expect("a change").window
}

pub(super) fn compute(site: &Site, windows: &[&Window], before: Option<&Cells>) -> Cells {
    static PAGES: LazyLock<Pages> = LazyLock::new(Pages::builtin);
    Cells::compute(site, windows, &PAGES, before)
}

fn at(cells: &Cells, route: u32, region: u16) -> Option<&Arc<Closure>> {
    cells.closure(RouteIx(route), RegionIx(region))
}

#[test]
fn a_scope_closes_its_cells_and_no_others() {
    let site = site();
    let window = window(0, Mode::Page, &["claims", "gone"], &["apac"], None);
    let cells = compute(&site, &[&window], None);
    assert_eq!(at(&cells, 0, 1).map(|closure| closure.windows.clone()), Some(vec![window.id]));
    assert_eq!(cells.closed_count(), 1);
    let ended = step(&window, &Event::End(Checks::Planned), 1);
    assert_eq!(compute(&site, &[&ended], None).closed_count(), 0);
}

#[test]
fn the_strictest_mode_wins_and_names_the_window_told_of() {
    let site = site();
    let reading = window(0, Mode::ReadOnly, &[], &[], None);
    let closed = window(9, Mode::Page, &["claims"], &[], None);
    let cells = compute(&site, &[&reading, &closed], None);
    let closure = at(&cells, 0, 0).expect("closed");
    assert_eq!((closure.mode, &closure.windows), (Mode::Page, &vec![closed.id, reading.id]));
    assert_eq!(closure.since, Wall::from_millis(0));
    assert_eq!(at(&cells, 1, 0).expect("closed").mode, Mode::ReadOnly);
}

#[test]
fn the_latest_end_wins_and_an_unknown_end_over_all() {
    let site = site();
    let sooner = window(0, Mode::Page, &[], &[], Some(1_000));
    let later = window(1, Mode::ReadOnly, &["claims", "quotes"], &[], Some(2_000));
    let unknown = window(2, Mode::ReadOnly, &["claims"], &[], None);
    let cells = compute(&site, &[&sooner, &later, &unknown], None);
    let until = |route| at(&cells, route, 0).expect("closed").until;
    assert_eq!(
        [until(0), until(1), until(2)],
        [None, Some(Wall::from_millis(2_000)), Some(Wall::from_millis(1_000))]
    );
}

#[test]
fn a_broken_promise_is_not_repeated() {
    let site = site();
    let first = step(&window(0, Mode::Page, &["claims"], &[], Some(50)), &Event::Drained, 10);
    let overrun = step(&first, &Event::Tick(Gate::Open), 60);
    let later = window(1, Mode::Page, &[], &[], Some(2_000));
    let cells = compute(&site, &[&overrun, &later], None);
    let closure = at(&cells, 0, 0).expect("closed");
    assert_eq!((closure.overrun, closure.until), (Overrun::Yes, None));
    let closure = at(&cells, 1, 0).expect("closed");
    assert_eq!((closure.overrun, closure.until), (Overrun::No, later.promised_end));
}

#[test]
fn pages_of_unchanged_windows_are_taken_over() {
    let site = site();
    let kept = window(0, Mode::Page, &["claims"], &[], Some(1_000));
    let changed = window(1, Mode::Page, &["pay"], &[], Some(1_000));
    let before = compute(&site, &[&kept, &changed], None);
    let changed = step(&changed, &Event::Extend(None), 2);
    let added = window(3, Mode::Page, &["quotes"], &[], None);
    let after = compute(&site, &[&added, &changed, &kept], Some(&before));
    let same = |route: u32| match (at(&before, route, 0), at(&after, route, 0)) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => panic!("{one:?} {other:?}"),
    };
    assert!(same(0), "an untouched window is rendered again");
    assert!(!same(2), "an extended window keeps its old page");
}

#[test]
fn cells_under_the_same_windows_and_title_share_a_closure() {
    let site = site();
    let all = window(0, Mode::Page, &[], &[], None);
    let also = window(1, Mode::ReadOnly, &[], &[], None);
    let cells = compute(&site, &[&all, &also], None);
    let cell = |route, region| at(&cells, route, region).expect("closed");
    assert!(Arc::ptr_eq(cell(0, 0), cell(0, 1)), "two regions of one route");
    assert!(!Arc::ptr_eq(cell(0, 0), cell(1, 0)), "two routes with different titles");
}

fn some_of(names: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(names.to_vec(), 0..=names.len())
}

proptest! {
    #[test]
    fn a_cell_lies_under_exactly_the_windows_whose_scope_covers_it(
        scopes in prop::collection::vec((some_of(&ROUTES), some_of(&REGIONS), any::<bool>()), 0..9),
    ) {
        let site = site();
        let windows: Vec<Window> = scopes
            .iter()
            .zip(0..)
            .map(|((routes, regions, over), began)| {
                let window = window(began, Mode::Page, routes, regions, None);
                if *over { step(&window, &Event::End(Checks::Planned), began) } else { window }
            })
            .collect();
        let cells = compute(&site, &windows.iter().collect::<Vec<_>>(), None);
        for (route, ix) in ROUTES.iter().zip(0..) {
            for (region, column) in REGIONS.iter().zip(0..) {
                let over = windows.iter().filter(|window| {
                    window.state.in_force()
                        && window.scope.routes.covers(route)
                        && window.scope.regions.covers(region)
                });
                let wanted: Vec<Id> = over.map(|window| window.id).collect();
                let closure = at(&cells, ix, column);
                let found = closure.map_or(vec![], |closure| closure.windows.clone());
                prop_assert_eq!(found, wanted, "{} {}", route, region);
            }
        }
    }
}
