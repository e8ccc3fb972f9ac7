//! What is told of a place: ahead of a window, by a field; and at any time, by asking or listening.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use intermission::clock::{Clock, Wall};
use intermission::id::{Id, NodeTag};
use intermission::snapshot::{Announced, Beside, Site};
use intermission::window::maintenance::{Announce, Kind, Maintenance, Phase, Severity, Source};
use intermission::window::plan::{Plan, RampBy};
use intermission::window::scope::{Scope, Selection};
use intermission::window::state::{Author, Mode, Order, State, Texts, Window};
use serde_json::{Value, json};

use super::bypass::closing;
use super::node::{Node, Setup, get};
use super::ramp::reopening;
use crate::support::PATIENCE;
use crate::support::http1::Message;
use crate::support::origin::Origin;

const DAY: Duration = Duration::from_secs(86_400);

fn maintenance(announce: &[Duration]) -> Arc<Maintenance> {
    let now = Clock::System.now();
    Arc::new(Maintenance {
        id: Id::new(now, NodeTag(1)),
        version: 1,
        title: "Database upgrade".to_owned(),
        kind: Kind::Planned,
        severity: Severity::Major,
        owner: "ops".to_owned(),
        texts: Texts::default(),
        windows: Vec::new(),
        announce: announce.iter().copied().map(Announce).collect(),
        recurrence: None,
        series: None,
        source: Source::Operator,
        updates: Vec::new(),
        aftermath: None,
        document: None,
        created: now,
        by: "ops".to_owned(),
    })
}

/// A phase that begins then and takes an hour.
fn phase(of: &Maintenance, number: u32, regions: &[&str], starts: Wall) -> Window {
    let regions = Selection::of(regions.iter().map(|name| (*name).to_owned()));
    let order = Order {
        scope: Scope { regions, ..Scope::default() },
        mode: Mode::Page,
        texts: Texts::default(),
        promised_end: Some(starts.plus(Duration::from_secs(3600))),
        plan: Plan { starts, ..Plan::default() },
    };
    let phase = Phase { maintenance: of.id, number, name: String::new() };
    let (id, now) = (Id::new(starts, NodeTag(1)), Clock::System.now());
    Window::planned(id, phase, order, &Author::intermission("a test"), now).window
}

fn announcing(site: &Site, windows: &[&Window], of: &Arc<Maintenance>) -> Beside {
    let announced = Announced::compute(site, windows.iter().copied(), &[Arc::clone(of)]);
    Beside { announced: Arc::new(announced), ..Beside::default() }
}

fn announce(node: &Node, windows: &[&Window], of: &Arc<Maintenance>) {
    node.show(windows, |site| announcing(site, windows, of));
}

fn at_host(host: &str) -> String {
    get("/claims").replace("site.test", host)
}

fn state(node: &Node, fields: &str) -> Message {
    node.ask(format!(
        "GET /.intermission/v1/state?p=/claims%3Fx HTTP/1.1\r\nHost: site.test\r\n{fields}\r\n"
    ))
}

fn told(node: &Node) -> Value {
    serde_json::from_slice(&state(node, "").body).expect("JSON")
}

#[test]
fn the_next_window_is_told_of_where_it_closes_and_from_its_time_on() {
    let node = Node::before(Origin::replying("open"));
    let of = maintenance(&[DAY, DAY * 7]);
    let starts = Clock::System.now().plus(DAY * 6);
    let (first, second) =
        (phase(&of, 1, &["apac"], starts), phase(&of, 2, &[], starts.plus(DAY / 2)));
    let far = phase(&of, 3, &["eu"], starts.plus(DAY * 2));
    announce(&node, &[&second, &far, &first], &of);
    let ends = starts.plus(Duration::from_secs(3600));
    let wanted = format!("starts=\"{starts}\", ends=\"{ends}\", maintenance=\"{}\"", of.id);
    let got = node.ask(at_host("apac.test"));
    assert_eq!(got.field("intermission-next"), Some(wanted.as_str()));
    let here = node.ask(at_host("site.test")).field("intermission-next").map(str::to_owned);
    assert!(here.is_some_and(|next| next.contains(&starts.plus(DAY / 2).to_string())));
    announce(&node, &[&far], &of);
    assert_eq!(node.ask(get("/claims")).field("intermission-next"), None, "eight days ahead");
    let silent = maintenance(&[]);
    announce(&node, &[&phase(&silent, 1, &[], starts)], &silent);
    assert_eq!(node.ask(get("/claims")).field("intermission-next"), None, "nobody asked for it");
    let begun = Window { state: State::Ended, ..first };
    announce(&node, &[&begun], &of);
    assert_eq!(node.ask(at_host("apac.test")).field("intermission-next"), None);
}

#[test]
fn the_field_can_be_left_out() {
    let more = "[announce]\nheader = false\n".to_owned();
    let node = Node::start(Origin::replying("open"), &Setup { more, ..Setup::default() });
    let of = maintenance(&[DAY]);
    announce(&node, &[&phase(&of, 1, &[], Clock::System.now().plus(DAY / 2))], &of);
    assert_eq!(node.ask(get("/claims")).field("intermission-next"), None);
    assert_eq!(told(&node)["state"], "announced", "who asks is told all the same");
}

#[test]
fn many_windows_over_one_place_are_told_one_after_the_other() {
    let node = Node::before(Origin::replying("open"));
    let of = maintenance(&[DAY * 365]);
    let starts = Clock::System.now().plus(DAY);
    let windows: Vec<Window> =
        (0..40).map(|day| phase(&of, day + 1, &[], starts.plus(DAY * day))).collect();
    let backwards: Vec<&Window> = windows.iter().rev().collect();
    announce(&node, &backwards, &of);
    assert_eq!(told(&node)["next"]["starts_at"], json!(starts));
}

#[test]
fn each_state_has_its_name() {
    let node = Node::before(Origin::replying("open"));
    node.show(&[], |_| Beside::default());
    assert_eq!(told(&node)["state"], "open");
    let closing = closing(Plan::default());
    let rows = [
        (State::Draining, Mode::Page, "closed"),
        (State::Closed, Mode::Page, "closed"),
        (State::Closed, Mode::ReadOnly, "read_only"),
        (State::Closed, Mode::Hold, "hold"),
        (State::Overrun, Mode::Page, "overrun"),
        (State::Verifying, Mode::Page, "verifying"),
    ];
    for (state, mode, name) in rows {
        node.show(&[&Window { state, mode, ..closing.clone() }], |_| Beside::default());
        let told = told(&node);
        assert_eq!((&told["state"], &told["ends_at"]), (&name.into(), &Value::Null));
        assert_eq!(told["starts_at"], json!(closing.began));
        assert!(told["poll_after_ms"].as_u64().is_some_and(|pause| pause > 0));
    }
    let window = reopening(RampBy::Share, DAY, Duration::ZERO);
    node.show(&[&window], |_| Beside::default());
    let turn = told(&node);
    assert_eq!(turn["state"], "reopening");
    let at = Wall::parse(turn["ends_at"].as_str().expect("a turn")).expect("an instant");
    assert!(window.since < at && at <= window.since.plus(DAY), "{at}");
    node.show(&[&reopening(RampBy::Share, DAY, DAY)], |_| Beside::default());
    assert_eq!(told(&node)["state"], "open", "it is this visitor's turn");
}

#[test]
fn what_has_not_changed_is_not_told_again() {
    let node = Node::before(Origin::replying("open"));
    node.show(&[], |_| Beside::default());
    let tag = state(&node, "").field("etag").expect("a tag").to_owned();
    let known = format!("If-None-Match: {tag}\r\n");
    assert_eq!(state(&node, &known).status(), 304);
    let of = maintenance(&[DAY]);
    announce(&node, &[&phase(&of, 1, &[], Clock::System.now().plus(DAY / 2))], &of);
    assert_eq!(state(&node, &known).status(), 200, "it is announced");
    let tag = state(&node, "").field("etag").expect("a tag").to_owned();
    announce(&node, &[&phase(&of, 1, &[], Clock::System.now().plus(DAY / 3))], &of);
    let got = state(&node, &format!("If-None-Match: {tag}\r\n"));
    assert_eq!(got.status(), 200, "it was moved");
}

/// A visitor who listens.
struct Listener {
    stream: TcpStream,
    heard: String,
}

impl Listener {
    fn at(node: &Node, fields: &str) -> Self {
        let mut stream = TcpStream::connect(node.address()).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
        let request = format!(
            "GET /.intermission/v1/events?p=/claims HTTP/1.1\r\nHost: site.test\r\n\
             Accept: text/event-stream\r\n{fields}\r\n"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        Self { stream, heard: String::new() }
    }

    /// Waits until this was said, and forgets what came before it.
    #[track_caller]
    fn hears(&mut self, wanted: &str) {
        let mut piece = [0; 4096];
        while !self.heard.contains(wanted) {
            let read = self.stream.read(&mut piece).expect("in time");
            assert!(read > 0, "ended without {wanted:?}: {}", self.heard);
            self.heard.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
        self.heard = self.heard.split_off(self.heard.find(wanted).expect("it is there"));
    }
}

#[test]
fn who_listens_hears_each_change_and_the_end() {
    let node = Node::before(Origin::replying("open"));
    node.show(&[], |_| Beside::default());
    let mut listener = Listener::at(&node, "");
    listener.hears("text/event-stream");
    listener.hears("\"state\":\"open\"");
    let window = closing(Plan::default());
    node.show(&[&window], |_| Beside::default());
    listener.hears("\"state\":\"closed\"");
    let later = Window { promised_end: Some(Clock::System.now().plus(DAY)), version: 2, ..window };
    node.show(&[&later], |_| Beside::default());
    listener.hears("event: state\ndata: {\"state\":\"closed\"");
    assert!(listener.heard.contains(&format!(
        "\"ends_at\":\"{}",
        later.promised_end.expect("told").rfc3339().trim_end_matches('Z')
    )));
    let id = format!("closed-{}-0-0", later.promised_end.map_or(0, Wall::millis));
    let mut again = Listener::at(&node, &format!("Last-Event-ID: {id}\r\n"));
    again.hears("\r\n\r\n");
    again.hears(":\n\n");
    node.show(&[], |_| Beside::default());
    again.hears("event: state");
    assert!(again.heard.contains("\"state\":\"open\""), "nothing old was told: {}", again.heard);
    listener.hears("\"state\":\"open\"");
    let stopping = node.stop(Duration::from_secs(20));
    listener.hears("retry: ");
    assert_eq!(stopping.join().expect("stopped"), 0, "no connection had to be cut");
}

#[test]
fn a_balancer_is_told_at_a_listener_of_its_own() {
    let listen = "probe = [\"127.0.0.1:0\"]";
    let node = Node::start(Origin::untouched(), &Setup { listen, ..Setup::default() });
    let probe = node.addresses()[1];
    let ask = |request: &str| crate::support::raw::exchange(probe, request);
    for state in State::ALL.into_iter().filter(|state| state.in_force()) {
        node.show(&[&Window { state, ..closing(Plan::default()) }], |_| Beside::default());
        let got = ask("GET /whatever HTTP/1.0\r\n\r\n");
        assert_eq!((got.status(), got.text()), (200, "ok\n".to_owned()), "{}", state.name());
    }
    node.leave();
    assert_eq!(ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").status(), 503);
    assert_eq!(node.ask(get("/claims")).status(), 503, "visitors are served on, with the page");
}
