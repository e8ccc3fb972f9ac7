//! Letting visitors in little by little: by share, by number, holders of receipts first.

use std::collections::BTreeSet;
use std::time::Duration;

use intermission::clock::Clock;
use intermission::digest;
use intermission::snapshot::Beside;
use intermission::window::plan::{Plan, Ramp, RampBy};
use intermission::window::state::{Mode, State, Window};
use serde_json::Value;

use super::bypass::closing;
use super::node::{Node, Setup, get};
use crate::support::http1::Message;
use crate::support::origin::{Act, Origin, answer};

const OVER: Duration = Duration::from_secs(1_000);

/// A window that has been reopening for this long.
pub(super) fn reopening(by: RampBy, over: Duration, since: Duration) -> Window {
    let plan = Plan { ramp: Some(Ramp { over, by }), ..Plan::draining(Duration::ZERO) };
    let window = closing(plan);
    let since = Clock::System.now().minus(since);
    Window { state: State::Reopening, since, ..window }
}

/// The same one after more time.
fn later(window: &Window, by: Duration) -> Window {
    Window { since: window.since.minus(by), version: window.version + 1, ..window.clone() }
}

fn node(origin: Origin) -> Node {
    let setup = Setup { listen: "trusted = [\"127.0.0.0/8\"]", ..Setup::default() };
    Node::start(origin, &setup)
}

fn show(node: &Node, windows: &[&Window]) {
    node.show(windows, |_| Beside::default());
}

fn ask(node: &Node, client: u8, fields: &str) -> Message {
    node.ask(format!(
        "GET /claims HTTP/1.1\r\nHost: site.test\r\nX-Forwarded-For: 203.0.113.{client}\r\n\
         {fields}\r\n"
    ))
}

/// Those of some client addresses that are let in.
fn inside(node: &Node) -> BTreeSet<u8> {
    (0..60).filter(|client| ask(node, *client, "").status() == 200).collect()
}

fn seconds(of: &Message) -> u64 {
    of.field("retry-after").and_then(|text| text.parse().ok()).expect("Retry-After")
}

const BROWSER: &str = "Accept: text/html\r\n";

/// The cookie that an answer sets, as its browser sends it back.
fn cookie(got: &Message) -> String {
    let set = got.field("set-cookie").expect("a cookie");
    let (pair, attributes) = set.split_once("; ").expect("attributes");
    assert!(attributes.starts_with("Path=/; Max-Age="), "{attributes}");
    assert!(attributes.ends_with("; HttpOnly; SameSite=Lax"), "{attributes}");
    format!("Cookie: {pair}\r\n")
}

#[test]
fn the_share_grows_and_who_is_in_stays_in() {
    let node = node(Origin::replying("open"));
    let window = reopening(RampBy::Share, OVER, OVER / 4);
    show(&node, &[&window]);
    let quarter = inside(&node);
    show(&node, &[&later(&window, OVER / 2)]);
    let three = inside(&node);
    assert!(!quarter.is_empty() && quarter.len() < three.len() && three.len() < 60, "{quarter:?}");
    assert!(quarter.is_subset(&three), "{quarter:?} {three:?}");
    show(&node, &[&later(&window, OVER * 3 / 4)]);
    assert_eq!(inside(&node).len(), 60, "everybody, even if control never says so");
}

#[test]
fn who_is_not_in_is_told_exactly_when_and_is_let_in_then() {
    let node = node(Origin::replying("open"));
    let window = reopening(RampBy::Share, OVER, Duration::ZERO);
    show(&node, &[&window]);
    let turns: Vec<u64> = (0..20).map(|client| seconds(&ask(&node, client, ""))).collect();
    assert!(turns.iter().all(|turn| *turn <= OVER.as_secs()), "{turns:?}");
    for (client, turn) in (0..).zip(&turns).take(5).filter(|(_, turn)| **turn > 40) {
        show(&node, &[&later(&window, Duration::from_secs(turn - 30))]);
        let got = ask(&node, client, "");
        assert_eq!(got.status(), 503);
        assert!(seconds(&got) <= 31, "the same turn, nearer: {}", seconds(&got));
        show(&node, &[&later(&window, Duration::from_secs(*turn))]);
        assert_eq!(ask(&node, client, "").status(), 200, "{client} at {turn}");
    }
}

#[test]
fn a_browser_that_is_in_stays_in_at_another_address() {
    let node = node(Origin::acting(|_| {
        let fields = [("Cache-Control", "public"), ("Set-Cookie", "intermission-admitted=planted")];
        Act::Send(answer("200 OK", &fields, "open"))
    }));
    let window = reopening(RampBy::Share, OVER, OVER / 2);
    show(&node, &[&window]);
    let all = inside(&node);
    let (first, out) =
        (*all.first().expect("one"), (0..60).find(|c| !all.contains(c)).expect("one"));
    let script = ask(&node, first, "Accept: */*\r\n");
    assert_eq!(script.field("set-cookie"), None, "neither ours for a script nor a planted one");
    assert_eq!(script.field("cache-control"), Some("public"));
    let page = ask(&node, first, BROWSER);
    assert_eq!(page.field("cache-control"), Some("private, no-cache"), "it holds a cookie");
    let mine = cookie(&page);
    assert_eq!(ask(&node, out, "").status(), 503, "the control: out by its address");
    let got = ask(&node, out, &mine);
    assert_eq!((got.status(), got.field("set-cookie")), (200, None));
    let seen = node.origin.requests().pop().expect("a request");
    assert_eq!(seen.field("cookie"), None, "{seen:?}");

    let proof = mine.trim().rsplit('.').next().expect("a proof").to_owned();
    let made_up = digest::base64url(&[9; 32]);
    for forged in [mine.replace(&proof, &made_up), mine.replace(&proof, "")] {
        assert_eq!(ask(&node, out, &forged).status(), 503, "{forged}");
    }
    let another = reopening(RampBy::Share, OVER, Duration::ZERO);
    show(&node, &[&another]);
    assert_eq!(ask(&node, out, &mine).status(), 503, "it was for another window");
    let rewritten = mine.replace(&window.id.to_string(), &another.id.to_string());
    assert_eq!(ask(&node, out, &rewritten).status(), 503, "nor does another name help");
}

#[test]
fn so_many_new_ones_a_minute_come_in_by_number() {
    let node = node(Origin::replying("open"));
    let window = reopening(RampBy::PerMinute(6), OVER, Duration::ZERO);
    show(&node, &[&window]);
    let first = inside(&node);
    assert!((1..=3).contains(&first.len()), "six a minute, and this takes seconds: {first:?}");
    let known = *first.first().expect("one");
    assert_eq!(ask(&node, known, "").status(), 200, "who is in stays in");
    let out = (0..60).find(|client| !first.contains(client)).expect("one");
    let got = ask(&node, out, "");
    assert_eq!(got.status(), 503);
    assert!((10..=60).contains(&seconds(&got)), "{}", seconds(&got));
    show(&node, &[&later(&window, OVER)]);
    assert_eq!(ask(&node, out, "").status(), 200, "everybody at the end");
}

#[test]
fn a_place_that_another_window_closes_lets_nobody_in() {
    let node = node(Origin::replying("open"));
    let window = reopening(RampBy::Share, OVER, OVER);
    show(&node, &[&window]);
    assert_eq!(ask(&node, 1, "").status(), 200, "the control");
    show(&node, &[&window, &closing(Plan::default())]);
    assert_eq!(ask(&node, 1, "").status(), 503);
    let failed = Window { state: State::Overrun, ..window.clone() };
    show(&node, &[&failed]);
    assert_eq!(ask(&node, 1, "").status(), 503, "a ramp that failed closes again");
}

#[test]
fn probes_stay_green_in_every_state() {
    let more = "[[probe]]\npath = \"/healthz\"\n".to_owned();
    let node = Node::start(Origin::untouched(), &Setup { more, ..Setup::default() });
    for state in State::ALL.into_iter().filter(|state| state.in_force()) {
        for mode in [Mode::Page, Mode::Hold] {
            let window = reopening(RampBy::Share, OVER, Duration::ZERO);
            show(&node, &[&Window { state, mode, ..window }]);
            assert_eq!(node.ask(get("/healthz")).text(), "ok\n", "{}", state.name());
        }
    }
}

/// The state that this browser is told.
fn state(node: &Node, fields: &str) -> (Message, String) {
    let got = node.ask(format!(
        "GET /.intermission/v1/state?p=/claims HTTP/1.1\r\nHost: site.test\r\n\
         X-Forwarded-For: 203.0.113.1\r\n{fields}\r\n"
    ));
    let told: Value = serde_json::from_slice(&got.body).expect("JSON");
    let state = told["state"].as_str().expect("a state").to_owned();
    (got, state)
}

#[test]
fn holders_of_receipts_are_let_in_first() {
    let node = node(Origin::replying("open"));
    show(&node, &[&closing(Plan::default())]);
    let form = "name=Ann";
    let got = node.ask(format!(
        "POST /claims HTTP/1.1\r\nHost: site.test\r\nOrigin: http://site.test\r\n\
         Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\
         Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    ));
    assert_eq!(got.status(), 303, "it was kept");
    let set = got.field("set-cookie").expect("a key");
    let key = format!("Cookie: {}\r\n", set.split(';').next().expect("a pair"));

    show(&node, &[&reopening(RampBy::Share, OVER * 1_000, Duration::ZERO)]);
    let (got, told) = state(&node, "");
    assert_eq!((told.as_str(), got.field("set-cookie")), ("reopening", None), "the control");
    let id = digest::base64url(&digest::random::<16>());
    let secret = digest::base64url(&digest::random::<32>());
    let (got, told) = state(&node, &format!("Cookie: intermission=v1.{id}.{secret}\r\n"));
    assert_eq!((told.as_str(), got.field("set-cookie")), ("reopening", None), "made up");
    let (got, told) = state(&node, &key);
    assert_eq!(told, "open");
    assert_eq!(ask(&node, 1, &key).status(), 503, "the key alone says nothing");
    assert_eq!(ask(&node, 1, &cookie(&got)).text(), "open");
}
