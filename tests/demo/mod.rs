//! The demo: its application is strict, and its walk keeps every promise.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use intermission::cli::demo::app::{App, Ledger};
use intermission::cli::demo::visitor::{Form, Page, Sender, Visitor};
use intermission::clock::Clock;
use intermission::digest;

const ANYWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn portal() -> (Arc<Ledger>, App) {
    let ledger = Arc::new(Ledger::default());
    let app = App::start(Arc::clone(&ledger), ANYWHERE, Clock::System).expect("a free port");
    (ledger, app)
}

fn details(visitor: &mut Visitor) -> (Page, Form) {
    let page = visitor.open("/claims/new").expect("the first step");
    let form = Form::find(&page, "/claims/new").expect("its form");
    let form = form.with("policy", "HM-1").with("story", "The <sea> rose & \"rose\".");
    (page, form)
}

#[test]
fn a_claim_goes_through_three_steps_and_shows_what_arrived() {
    let (ledger, app) = portal();
    let mut visitor = Visitor::new(app.address(), "harbour.localhost");
    let (page, form) = details(&mut visitor);
    let page = visitor.submit(&page, &form).expect("the second step");
    assert_eq!(page.at, "/claims/1001/documents");

    let photo: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
    let form = Form::find(&page, "/documents").expect("its form");
    let page = visitor.submit(&page, &form.with_file("paper", "photo.jpg", &photo)).expect("sent");
    assert!(page.answer.text().contains(&digest::hex(&digest::sha256(&photo))));
    assert!(page.answer.text().contains("The &lt;sea&gt; rose"), "{}", page.answer.text());

    let form = Form::find(&page, "/review").expect("its form");
    let page = visitor.submit(&page, &form).expect("handed in");
    assert_eq!(page.at, "/claims/1001");
    assert_eq!(ledger.all()[0].handed_in, 1);
    assert_eq!(ledger.all()[0].details.story, "The <sea> rose & \"rose\".");
}

#[test]
fn a_post_is_refused_without_session_origin_or_a_fresh_token() {
    let (ledger, app) = portal();
    let address = app.address();
    let mut visitor = Visitor::new(address, "harbour.localhost");
    let (page, form) = details(&mut visitor);

    let mut stranger = Visitor::new(address, "harbour.localhost");
    assert_eq!(stranger.submit(&page, &form).expect("an answer").answer.status, 403);
    let forged = visitor.post("/claims/new", &form, Sender::CrossSite);
    assert_eq!(visitor.send(&forged).expect("an answer").status, 403);

    drop(app);
    let _app = App::start(Arc::clone(&ledger), address, Clock::System).expect("the same port");
    let stale = visitor.submit(&page, &form).expect("an answer");
    assert_eq!(stale.answer.status, 403);
    assert!(stale.answer.text().contains("stale"));
    assert!(ledger.all().is_empty(), "nothing was entered");

    let (page, form) = details(&mut visitor);
    assert_eq!(visitor.submit(&page, &form).expect("the second step").answer.status, 200);
    assert_eq!(ledger.all().len(), 1, "the session outlived the restart");
}

#[test]
fn the_walk_keeps_every_promise_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let walk = Command::new(env!("CARGO_BIN_EXE_intermission"))
        .args(["demo", "--walk", "--phases"])
        .env("TMPDIR", folder.path())
        .output()
        .expect("the built binary");
    let told = String::from_utf8_lossy(&walk.stdout);
    assert!(walk.status.success(), "{told}{}", String::from_utf8_lossy(&walk.stderr));
    assert!(told.contains("promises held"), "{told}");
    // An upgrade in three phases: gates, one that is extended, one that fails its verification
    // first, a ramp, and the report on it.
    assert!(told.contains("phase 3"), "{told}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("the folder").collect();
    assert!(left.is_empty(), "{left:?}");
}
