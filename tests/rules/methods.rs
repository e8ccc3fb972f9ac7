//! Windows that name methods, windows that hold, and hard limits: what governs a cell then.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use intermission::clock::Wall;
use intermission::region::RegionIx;
use intermission::route::RouteIx;
use intermission::snapshot::{Cells, Closure, Reads};
use intermission::window::plan::Hold;
use intermission::window::state::{Event, Mode, Window};

use super::cells::{compute, names, site, step, window};

const CLAIMS: (RouteIx, RegionIx) = (RouteIx(0), RegionIx(0));

fn at_time<'a>(cells: &'a Cells, method: &str, now: i64) -> Option<&'a Arc<Closure>> {
    let method: Method = method.parse().expect("a method");
    cells.closure_for(CLAIMS.0, CLAIMS.1, &method, Wall::from_millis(now))
}

fn at<'a>(cells: &'a Cells, method: &str) -> Option<&'a Arc<Closure>> {
    at_time(cells, method, 0)
}

fn of(methods: &[&str], window: Window) -> Window {
    let mut window = window;
    window.scope.methods = names(methods);
    window
}

fn limited(seconds: u64, window: Window) -> Window {
    let mut window = window;
    window.plan.hard_limit = Some(Duration::from_secs(seconds));
    window
}

#[test]
fn a_window_closes_the_methods_that_it_names_and_no_others() {
    let site = site();
    let posts = of(&["POST", "PUT"], window(0, Mode::Page, &["claims"], &[], None));
    let cells = compute(&site, &[&posts], None);
    for (method, closed) in
        [("POST", true), ("PUT", true), ("GET", false), ("HEAD", false), ("PROPFIND", false)]
    {
        assert_eq!(at(&cells, method).is_some(), closed, "{method}");
    }
    assert!(cells.tells_methods_apart(CLAIMS.0, CLAIMS.1));
    assert!(!cells.tells_methods_apart(RouteIx(1), CLAIMS.1), "another route is open");
    assert_eq!(cells.closed_count(), 2, "a cell that is closed for some is no open one");
}

#[test]
fn head_is_closed_with_get() {
    let site = site();
    let gets = of(&["GET"], window(0, Mode::Page, &["claims"], &[], None));
    let cells = compute(&site, &[&gets], None);
    assert!(at(&cells, "HEAD").is_some() && at(&cells, "GET").is_some());
    let heads = of(&["HEAD"], window(0, Mode::Page, &["claims"], &[], None));
    let cells = compute(&site, &[&heads], None);
    assert!(at(&cells, "HEAD").is_some() && at(&cells, "GET").is_none());
}

#[test]
fn each_method_has_the_strictest_mode_and_the_latest_end_of_its_own_windows() {
    let site = site();
    let all = window(0, Mode::ReadOnly, &["claims"], &[], Some(1_000));
    let posts = of(&["POST"], window(1, Mode::Page, &["claims"], &[], Some(9_000)));
    let deletes = of(&["DELETE"], window(2, Mode::Page, &["claims"], &[], None));
    let cells = compute(&site, &[&all, &posts, &deletes], None);
    let told = |method: &str| at(&cells, method).map(|closure| (closure.mode, closure.until));
    let until = |end| Some(Wall::from_millis(end));
    assert_eq!(told("GET"), Some((Mode::ReadOnly, until(1_000))));
    assert_eq!(told("PATCH"), Some((Mode::ReadOnly, until(1_000))));
    assert_eq!(told("POST"), Some((Mode::Page, until(9_000))));
    assert_eq!(told("DELETE"), Some((Mode::Page, None)));
    let strictest = cells.closure(CLAIMS.0, CLAIMS.1).expect("closed");
    assert_eq!((strictest.mode, strictest.windows.len()), (Mode::Page, 3));
}

#[test]
fn the_return_follows_windows_that_are_extended_end_early_or_overlap() {
    let site = site();
    let (first, second) = (
        window(0, Mode::Page, &["claims"], &[], Some(1_000)),
        window(1, Mode::Page, &["claims"], &[], Some(2_000)),
    );
    let until = |windows: &[&Window]| {
        at(&compute(&site, windows, None), "GET").expect("closed").until.map(Wall::millis)
    };
    assert_eq!(until(&[&first, &second]), Some(2_000));
    let extended = step(&first, &Event::Extend(Some(Wall::from_millis(7_000))), 5);
    assert_eq!(until(&[&extended, &second]), Some(7_000));
    let shortened = step(&extended, &Event::Extend(Some(Wall::from_millis(500))), 6);
    assert_eq!(until(&[&shortened, &second]), Some(2_000));
    let unknown = step(&shortened, &Event::Extend(None), 7);
    assert_eq!(until(&[&unknown, &second]), None);
    assert_eq!(until(&[&second]), Some(2_000));
}

#[test]
fn what_a_window_that_holds_allows_is_the_least_that_any_allows() {
    let site = site();
    let holding = |most, secs, began| {
        let mut window = window(began, Mode::Hold, &["claims"], &[], None);
        window.plan.hold = Hold { most, longest: Duration::from_secs(secs) };
        window
    };
    let (one, other) = (holding(5, 60, 0), holding(50, 6, 1));
    let cells = compute(&site, &[&one, &other], None);
    let closure = at(&cells, "GET").expect("closed");
    assert_eq!(closure.hold, Some(Hold { most: 5, longest: Duration::from_secs(6) }));
    assert!(closure.holds() && closure.drain_deadline(Reads::Only).is_some());
    let reading = window(2, Mode::ReadOnly, &["claims"], &[], None);
    let cells = compute(&site, &[&one, &reading], None);
    let closure = at(&cells, "GET").expect("closed");
    assert!(closure.holds() && closure.mode == Mode::ReadOnly, "reading waits, writing does not");
    let closed = window(2, Mode::Page, &["claims"], &[], None);
    let cells = compute(&site, &[&one, &closed], None);
    assert!(!at(&cells, "GET").expect("closed").holds(), "nobody waits for what is not the last");
}

#[test]
fn a_hard_limit_opens_a_cell_that_nobody_opens() {
    let site = site();
    let (page, reading) = (
        limited(10, window(0, Mode::Page, &["claims"], &[], None)),
        limited(20, window(0, Mode::ReadOnly, &["claims"], &[], None)),
    );
    let cells = compute(&site, &[&page, &reading], None);
    let mode = |now| at_time(&cells, "GET", now).map(|closure| closure.mode);
    assert_eq!(mode(9_999), Some(Mode::Page));
    assert_eq!(mode(10_000), Some(Mode::ReadOnly), "the other window is still there");
    assert_eq!(mode(19_999), Some(Mode::ReadOnly));
    assert_eq!(mode(20_000), None);
    let forever = window(0, Mode::Page, &["claims"], &[], None);
    let cells = compute(&site, &[&forever, &reading], None);
    assert!(at_time(&cells, "GET", i64::MAX).is_some(), "one without a limit has none");
}

#[test]
fn many_hard_limits_never_open_a_cell_too_soon() {
    let site = site();
    let windows: Vec<Window> =
        (1..=40).map(|at| limited(at, window(0, Mode::Page, &["claims"], &[], None))).collect();
    let cells = compute(&site, &windows.iter().collect::<Vec<_>>(), None);
    for now in (0..40_000).step_by(500) {
        assert!(at_time(&cells, "GET", now).is_some(), "{now}");
    }
    assert!(at_time(&cells, "GET", 40_000).is_none());
    assert!(cells.closure_count() < 40, "{}", cells.closure_count());
}
