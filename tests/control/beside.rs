//! What lies beside the cells of a snapshot: bypasses and announcements, as soon as they are
//! answered, and again after a restart.

use std::sync::Arc;
use std::time::Duration;

use intermission::clock::{Clock, Wall};
use intermission::control::{Draft, Expected};
use intermission::grant::{Bypass, bypass};
use intermission::id::{Id, NodeTag};
use intermission::region::RegionIx;
use intermission::route::RouteIx;
use intermission::window::maintenance::{Announce, Kind, Maintenance, Severity, Source};
use intermission::window::plan::Plan;
use intermission::window::state::{Order, Texts};

use super::desk::{Desk, START, loaded, ops, order, run};

const DAY: Duration = Duration::from_secs(86_400);

fn granted(hash: intermission::digest::Hash) -> Bypass {
    Bypass {
        id: Id::new(START, NodeTag(1)),
        hash,
        networks: Vec::new(),
        scope: order(&[], &["claims"]).scope,
        window: None,
        created: START,
        not_after: START.plus(DAY),
        by: "ops".to_owned(),
        why: "a test".to_owned(),
        revoked: None,
    }
}

fn knows(desk: &Desk, secret: &str) -> bool {
    desk.live.snapshot().beside.grants.by_secret(secret, desk.clock.now()).is_some()
}

#[test]
fn a_bypass_holds_when_it_is_answered_after_a_restart_and_until_it_is_revoked() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Clock::manual(START);
        let desk = Desk::over(&folder, clock.clone()).await;
        let (secret, hash) = bypass::new_secret();
        let own = desk.live.snapshot().beside.grants.own_secret().to_owned();
        assert!(!knows(&desk, &secret));
        let made = desk.handle.grant(granted(hash), ops()).await.expect("done");
        assert!(knows(&desk, &secret));
        assert_eq!(desk.live.snapshot().generation, made.generation);
        assert_eq!(desk.live.snapshot().beside.grants.own_secret(), own, "verifications go on");
        desk.close().await;
        let desk = Desk::over(&folder, clock.clone()).await;
        assert!(knows(&desk, &secret), "in the first snapshot that anybody sees");
        clock.set(START.plus(DAY));
        assert!(!knows(&desk, &secret), "its time is over, whether or not anybody looks");
        clock.set(START);
        desk.handle.revoke(made.bypass.id, ops()).await.expect("done");
        assert!(!knows(&desk, &secret));
        desk.close().await;
    });
}

fn draft(starts: Wall) -> Draft {
    let maintenance = Maintenance {
        id: Id::new(START, NodeTag(1)),
        version: 0,
        title: "Database upgrade".to_owned(),
        kind: Kind::Planned,
        severity: Severity::Major,
        owner: String::new(),
        texts: Texts::default(),
        windows: Vec::new(),
        announce: vec![Announce(DAY)],
        recurrence: None,
        series: None,
        source: Source::Operator,
        updates: Vec::new(),
        aftermath: None,
        document: None,
        created: START,
        by: "ops".to_owned(),
    };
    let plan = Plan { starts, ..Plan::default() };
    let promised_end = Some(starts.plus(Duration::from_secs(3600)));
    let order = Order { plan, promised_end, ..order(&[], &["claims"]) };
    Draft { maintenance, phases: vec![("all".to_owned(), order)] }
}

/// The title of what is announced for a route.
fn told(desk: &Desk, route: &str) -> Option<String> {
    let snapshot = desk.live.snapshot();
    let route: RouteIx = snapshot.site.route_named(route).expect("a route");
    let note = snapshot.beside.announced.note(route, RegionIx(0), desk.clock.now());
    note.map(|note| note.title.clone())
}

#[test]
fn an_announcement_begins_by_the_clock_alone_and_follows_every_change() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Clock::manual(START);
        let desk = Desk::over(&folder, clock.clone()).await;
        let change = desk.handle.plan(draft(START.plus(DAY * 2))).await.expect("planned");
        let window = change.windows[0].id;
        assert_eq!(told(&desk, "claims"), None, "two days ahead");
        let before = desk.live.snapshot();
        clock.set(START.plus(DAY));
        assert_eq!(told(&desk, "claims").as_deref(), Some("Database upgrade"));
        assert_eq!(told(&desk, "quotes"), None);
        desk.handle.switch(order(&[], &["quotes"]), ops()).await.expect("done");
        let after = desk.live.snapshot();
        assert!(after.generation > before.generation);
        assert!(
            Arc::ptr_eq(&after.beside.announced, &before.beside.announced),
            "a switch computes no announcement anew"
        );
        let site = loaded(&["news", "quotes", "claims"]);
        desk.handle.reload(site.site, site.pages).await.expect("done");
        assert_eq!(told(&desk, "claims").as_deref(), Some("Database upgrade"), "at its new place");
        assert_eq!(told(&desk, "news"), None);
        desk.handle.cancel(window, Expected::Any, ops()).await.expect("done");
        assert_eq!(told(&desk, "claims"), None);
        desk.close().await;
    });
}
