//! Bypasses: shown as a field, a cookie or a link, or held by a network; where they hold, how long,
//! and what is told of them.

use std::sync::Arc;
use std::time::Duration;

use intermission::clock::Clock;
use intermission::grant::{Bypass, bypass};
use intermission::id::{Id, NodeTag};
use intermission::snapshot::{Beside, Grants};
use intermission::window::plan::Plan;
use intermission::window::scope::{Scope, Selection};
use intermission::window::state::{Author, Mode, Order, Texts, Window};

use super::node::{Node, Setup, get, post};
use super::tunnel::{switching_to, upgrade};
use crate::support::http1::Message;
use crate::support::origin::{Act, Origin, answer};

const HOUR: Duration = Duration::from_secs(3600);

/// A window over everything, from now on.
pub(super) fn closing(plan: Plan) -> Window {
    let now = Clock::System.now();
    let (scope, mode, texts) = (Scope::default(), Mode::Page, Texts::default());
    let order = Order { scope, mode, texts, promised_end: None, plan };
    Window::begin(Id::new(now, NodeTag(1)), order, &Author::intermission("a test"), now).window
}

/// A bypass of everything for an hour, and its secret.
fn granted() -> (Bypass, String) {
    let (secret, hash) = bypass::new_secret();
    let now = Clock::System.now();
    let bypass = Bypass {
        id: Id::new(now, NodeTag(1)),
        hash,
        networks: Vec::new(),
        scope: Scope::default(),
        window: None,
        created: now,
        not_after: now.plus(HOUR),
        by: "ops".to_owned(),
        why: "a test".to_owned(),
        revoked: None,
    };
    (bypass, secret)
}

fn beside(bypasses: &[&Bypass]) -> Beside {
    let bypasses: Vec<_> = bypasses.iter().map(|bypass| Arc::new((*bypass).clone())).collect();
    let grants = Arc::new(Grants::of(&bypasses, &Grants::default()));
    Beside { grants, ..Beside::default() }
}

/// A node that is closed for everybody but those with one of these.
fn closed_but_for(origin: Origin, bypasses: &[&Bypass]) -> Node {
    let node = Node::before(origin);
    node.show(&[&closing(Plan::draining(Duration::ZERO))], |_| beside(bypasses));
    node
}

fn with(field: &str) -> String {
    format!("GET /claims HTTP/1.1\r\nHost: site.test\r\n{field}\r\n\r\n")
}

fn shown(secret: &str) -> String {
    with(&format!("Intermission-Bypass: {secret}"))
}

fn cookie(secret: &str) -> String {
    with(&format!("Cookie: a=1; intermission-bypass={secret}; b=2"))
}

fn status(node: &Node, request: impl AsRef<[u8]>) -> u16 {
    node.ask(request).status()
}

#[test]
fn a_secret_lets_in_as_a_field_and_as_a_cookie_and_stays_with_the_proxy() {
    let (bypass, secret) = granted();
    let node = closed_but_for(Origin::replying("behind"), &[&bypass]);
    assert_eq!(status(&node, get("/claims")), 503, "the control: others see the page");
    for request in [shown(&secret), cookie(&secret)] {
        let got = node.ask(&request);
        assert_eq!((got.status(), got.text()), (200, "behind".to_owned()), "{request}");
    }
    for seen in node.origin.requests() {
        let text = String::from_utf8_lossy(&seen.raw).into_owned();
        assert!(!text.contains(&secret) && !text.contains("bypass"), "{text}");
    }
    assert_eq!(node.origin.requests()[1].field("cookie"), Some("a=1; b=2"), "others' cookies pass");
}

#[test]
fn each_use_is_told_by_the_bypass_and_never_by_its_secret() {
    let (bypass, secret) = granted();
    let node = closed_but_for(Origin::replying("behind"), &[&bypass]);
    node.ask(get("/claims"));
    node.ask(shown(&secret));
    node.ask(get(&format!("/.intermission/bypass?token={secret}&to=/claims")));
    let lines = node.lines(3);
    assert_eq!(lines[0].get("bypass"), None);
    assert_eq!(lines[1]["bypass"], bypass.id.to_string());
    assert_eq!((&lines[1]["verdict"], &lines[1]["status"]), (&"forward".into(), &200.into()));
    assert!(lines.iter().all(|line| !line.to_string().contains(&secret)));
    assert_eq!(node.metric("intermission_bypassed_requests_total"), 1);
}

#[test]
fn nothing_else_opens_what_is_closed() {
    let now = Clock::System.now();
    let (bypass, secret) = granted();
    let past = Bypass { not_after: now, ..bypass.clone() };
    let revoked = Bypass { revoked: Some(now), ..bypass.clone() };
    let another_window = Bypass { window: Some(Id::new(now, NodeTag(2))), ..bypass.clone() };
    let named = |name: &str| Selection::of([name.to_owned()]);
    let routes = Scope { routes: named("other"), ..Scope::default() };
    let regions = Scope { regions: named("apac"), ..Scope::default() };
    let methods = Scope { methods: named("HEAD"), ..Scope::default() };
    let rows = [
        ("it is over", past),
        ("it was revoked", revoked),
        ("for another window", another_window),
        ("for another route", Bypass { scope: routes, ..bypass.clone() }),
        ("for another region", Bypass { scope: regions, ..bypass.clone() }),
        ("for another method", Bypass { scope: methods, ..bypass.clone() }),
    ];
    let node = Node::before(Origin::replying("behind"));
    for (why, bypass) in rows {
        node.show(&[&closing(Plan::default())], |_| beside(&[&bypass]));
        assert_eq!(status(&node, shown(&secret)), 503, "{why}");
    }
    node.show(&[&closing(Plan::default())], |_| beside(&[&bypass]));
    assert_eq!(status(&node, shown(&secret)), 200, "the control: as it was granted");
    for wrong in [secret.to_uppercase(), secret[..secret.len() - 1].to_owned(), String::new()] {
        assert_eq!(status(&node, shown(&wrong)), 503, "{wrong}");
    }
    let hash = intermission::digest::hex(&bypass.hash);
    assert_eq!(status(&node, shown(&hash)), 503, "what is stored opens nothing");
    node.show(&[&closing(Plan::default())], |_| beside(&[]));
    assert_eq!(status(&node, shown(&secret)), 503, "the next publish revokes it");
}

#[test]
fn a_bypass_of_one_window_does_not_open_another_over_the_same_place() {
    let (bypass, secret) = granted();
    let (first, second) = (closing(Plan::default()), closing(Plan::default()));
    let bypass = Bypass { window: Some(first.id), ..bypass };
    let node = Node::before(Origin::replying("behind"));
    node.show(&[&first], |_| beside(&[&bypass]));
    assert_eq!(status(&node, shown(&secret)), 200);
    node.show(&[&first, &second], |_| beside(&[&bypass]));
    assert_eq!(status(&node, shown(&secret)), 503);
}

#[test]
fn a_network_lets_in_by_the_address_that_is_believed() {
    let (bypass, _) = granted();
    let network = |text: &str| vec![text.parse().expect("a network")];
    let office = Bypass { networks: network("203.0.113.0/24"), ..bypass.clone() };
    let loopback = Bypass { networks: network("127.0.0.0/8"), ..bypass };
    let said = with("X-Forwarded-For: 203.0.113.9");
    let stranger = closed_but_for(Origin::replying("behind"), &[&office]);
    assert_eq!(status(&stranger, &said), 503, "a stranger says what it likes");
    let setup = Setup { listen: "trusted = [\"127.0.0.0/8\"]", ..Setup::default() };
    let node = Node::start(Origin::replying("behind"), &setup);
    node.show(&[&closing(Plan::default())], |_| beside(&[&office]));
    assert_eq!(status(&node, &said), 200);
    assert_eq!(status(&node, get("/claims")), 503);
    let near = closed_but_for(Origin::replying("behind"), &[&loopback]);
    assert_eq!(status(&near, get("/claims")), 200);
}

#[test]
fn probes_are_answered_here_even_from_a_network_that_is_let_in() {
    let (bypass, _) = granted();
    let loopback = Bypass { networks: vec!["127.0.0.0/8".parse().expect("a network")], ..bypass };
    let more = "[[probe]]\npath = \"/healthz\"\n".to_owned();
    let node = Node::start(Origin::untouched(), &Setup { more, ..Setup::default() });
    node.show(&[&closing(Plan::default())], |_| beside(&[&loopback]));
    assert_eq!(node.ask(get("/healthz")).text(), "ok\n");
}

#[test]
fn an_answer_behind_the_page_is_kept_from_shared_caches() {
    let (bypass, secret) = granted();
    let origin = Origin::acting(|request| {
        let told = match request.target() {
            "/secret" => "no-store, max-age=0",
            _ => "public, max-age=600",
        };
        let fields = [("Cache-Control", told), ("CDN-Cache-Control", "max-age=600")];
        Act::Send(answer("200 OK", &fields, "behind"))
    });
    let node = closed_but_for(origin, &[&bypass]);
    let got = node.ask(shown(&secret));
    assert_eq!(got.field("cache-control"), Some("private, no-cache"));
    assert_eq!(
        (got.field("cdn-cache-control"), got.field("intermission-state")),
        (None, Some("bypassed"))
    );
    let got = node.ask(shown(&secret).replace("/claims", "/secret"));
    assert_eq!(got.field("cache-control"), Some("no-store, max-age=0"), "it is stricter already");
    node.reopen();
    let got = node.ask(shown(&secret));
    assert_eq!(got.field("cache-control"), Some("public, max-age=600"), "open: as everybody's");
}

fn link(node: &Node, secret: &str, to: &str) -> Message {
    node.ask(get(&format!("/.intermission/bypass?token={secret}&to={to}")))
}

#[test]
fn a_link_becomes_a_cookie_and_leads_to_a_page_of_this_site() {
    let (bypass, secret) = granted();
    let node = closed_but_for(Origin::replying("behind"), &[&bypass]);
    let got = link(&node, &secret, "%2Fclaims%3Fx%3D1");
    assert_eq!((got.status(), got.field("location")), (303, Some("/claims?x=1")));
    assert_eq!(got.field("referrer-policy"), Some("no-referrer"));
    assert_eq!(got.field("cache-control"), Some("no-store"));
    let set = got.field("set-cookie").expect("a cookie");
    let (pair, attributes) = set.split_once("; ").expect("attributes");
    assert_eq!(pair, format!("intermission-bypass={secret}"));
    let life = attributes.strip_prefix("Path=/; Max-Age=").expect("a life");
    let (life, rest) = life.split_once("; ").expect("more attributes");
    assert_eq!(rest, "HttpOnly; SameSite=Lax");
    assert!((3_500..=3_600).contains(&life.parse().unwrap_or(0)), "it ends with the grant: {life}");
    assert_eq!(status(&node, cookie(&secret)), 200);
    for elsewhere in ["//evil.example", "https://evil.example", "/%5Cevil.example", "/%09/evil"] {
        assert_eq!(link(&node, &secret, elsewhere).field("location"), Some("/"), "{elsewhere}");
    }
    let got = link(&node, "imb_wrong", "/claims");
    assert_eq!((got.status(), got.field("set-cookie")), (404, None));
}

#[test]
fn a_form_that_comes_through_is_sent_and_not_kept() {
    let (bypass, secret) = granted();
    let node = closed_but_for(Origin::replying("taken"), &[&bypass]);
    let request = post("/claims", "name=Ann").replacen(
        "\r\n\r\n",
        &format!(
            "\r\nContent-Type: application/x-www-form-urlencoded\r\nOrigin: http://site.test\r\n\
             Intermission-Bypass: {secret}\r\n\r\n"
        ),
        1,
    );
    assert_eq!(node.ask(&request).text(), "taken");
    assert_eq!(node.origin.requests()[0].body, b"name=Ann");
}

#[test]
fn a_websocket_that_came_through_lives_as_long_as_its_bypass() {
    let (bypass, secret) = granted();
    let window = closing(Plan::draining(Duration::ZERO));
    let node = Node::before(switching_to(b"\x81\x02hi"));
    node.show(&[&window], |_| beside(&[&bypass]));
    let request = upgrade().replacen("\r\n", &format!("\r\nIntermission-Bypass: {secret}\r\n"), 1);
    let mut client = node.connect();
    client.send(request);
    assert_eq!(client.response().status(), 101);
    assert_eq!(client.bytes(4), b"\x81\x02hi");
    // Longer than the sweep that would end it.
    assert!(client.is_silent_for(Duration::from_millis(700)), "the window lets it be");
    node.show(&[&window], |_| beside(&[]));
    let left = client.rest();
    assert_eq!(left.first(), Some(&0x88), "a close frame, once it is revoked: {left:?}");
}

#[test]
fn a_verification_takes_the_same_way_with_a_secret_of_this_process() {
    let node = Node::before(Origin::replying("behind"));
    let grants = Grants::default();
    let secret = grants.own_secret().to_owned();
    let renewed = Arc::new(Grants::of(&[], &grants));
    node.show(&[&closing(Plan::default())], |_| Beside { grants: renewed, ..Beside::default() });
    assert_eq!(status(&node, shown(&secret)), 200);
    assert_eq!(node.lines(1)[0]["bypass"], "verification");
    assert_eq!(status(&node, shown(Grants::default().own_secret())), 503, "of another process");
    assert_eq!(link(&node, &secret, "/").status(), 404, "it is nobody's link");
}
