//! Nothing reopens unverified: probes through the node's own path, health, time, and ramps that
//! are watched.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use intermission::control::verify::Of;
use intermission::window::plan::{Probe, Verification as Wanted};
use intermission::window::state::{Checks, State};

use super::stage::{Stage, config_text, plan, probe, wanted};
use crate::support::eventually;
use crate::support::origin::{Act, Origin, answer};
use crate::support::tls::Ca;

/// An application that answers with this status, and the status that it will answer with.
fn app(body: &'static str) -> (Origin, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let says = Arc::clone(&status);
    let script = move |_: &crate::support::http1::Message| {
        Act::Send(answer(&format!("{} x", says.load(Ordering::SeqCst)), &[], body))
    };
    (Origin::acting(script), status)
}

struct House {
    eu: (Origin, Arc<AtomicU16>),
    apac: (Origin, Arc<AtomicU16>),
    folder: tempfile::TempDir,
    more: String,
}

impl House {
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { eu: app("europe"), apac: app("asia"), folder, more: more.to_owned() }
    }

    fn text(&self) -> String {
        config_text(self.eu.0.address(), self.apac.0.address(), &self.more)
    }

    fn stage(&self) -> Stage {
        Stage::over(self.folder.path(), &self.text())
    }
}

#[test]
fn probes_pass_while_visitors_do_not_and_success_reopens() {
    let house = House::new("");
    let stage = house.stage();
    house.eu.1.store(500, Ordering::SeqCst);
    let window = stage.close(&[], &["claims"], plan(Some(wanted(vec![probe("/up")])), None));
    stage.end(window.id);
    stage.until(window.id, State::Verifying);
    let view = eventually("a failed round", || stage.view(window.id).filter(|v| v.rounds > 0));
    let last = view.last_failure.expect("a failure");
    assert_eq!(last.faults, ["GET /up of claims.test in eu: 200 was expected, 500 came"]);
    assert_eq!((view.of, view.wanted), (Of::Verification, 2));
    assert_eq!(stage.visit("claims.test", "/", ""), 503, "closed for visitors all the while");
    house.eu.1.store(200, Ordering::SeqCst);
    stage.until(window.id, State::Ended);
    assert_eq!(stage.visit("claims.test", "/", ""), 200);
    let (life, why) = stage.life(window.id);
    assert_eq!(&life[life.len() - 2..], ["verifying", "ended"]);
    assert_eq!(why, "verified");
    let asked = house.eu.0.requests();
    for field in ["intermission-bypass", "intermission-region"] {
        assert!(asked.iter().all(|request| request.field(field).is_none()), "kept here");
    }
    assert!(
        asked.iter().filter(|r| r.field("user-agent") == Some("intermission-verify")).count() > 2
    );
    assert!(!house.apac.0.requests().is_empty(), "each upstream of the scope is asked");
    eventually("nothing looked at", || stage.view(window.id).is_none().then_some(()));
}

#[test]
fn a_region_that_only_balancers_tell_is_asked_behind_its_own_upstream() {
    let house = House::new("");
    let stage = house.stage();
    house.eu.1.store(500, Ordering::SeqCst);
    let asia = Probe { contains: "asia".to_owned(), ..probe("/up?x=1") };
    let window = stage.close(&["apac"], &["claims"], plan(Some(wanted(vec![asia])), None));
    stage.end(window.id);
    stage.until(window.id, State::Ended);
    assert_eq!(house.eu.0.requests().len(), 0, "europe is none of this window's business");
    assert_eq!(
        stage.visit(
            "claims.test",
            "/",
            "Intermission-Bypass: guess\r\nIntermission-Region: apac\r\n"
        ),
        500
    );
    assert_eq!(house.eu.0.requests().len(), 1, "who guesses gets the region of everybody");
}

#[test]
fn what_does_not_come_in_time_keeps_it_closed_and_says_why() {
    let house = House::new("");
    let stage = house.stage();
    for (probe, why) in [
        (Probe { status: 204, ..probe("/up") }, "204 was expected, 200 came"),
        (
            Probe { contains: "africa".to_owned(), ..probe("/up") },
            "\"africa\" was expected in the body, whose first 6 bytes do not have it",
        ),
    ] {
        let short = Wanted { within: Duration::from_millis(300), ..wanted(vec![probe]) };
        let window = stage.close(&["eu"], &["claims"], plan(Some(short), None));
        stage.end(window.id);
        stage.until(window.id, State::Overrun);
        let (life, told) = stage.life(window.id);
        assert!(life.ends_with(&["verifying", "overrun"]), "{life:?}");
        let wanted = format!(
            "verification: 0 of 2 rounds in a row were well within 300 ms: GET /up of claims.test \
             in eu: {why}"
        );
        assert_eq!(told, wanted);
        assert_eq!(stage.visit("claims.test", "/", ""), 503);
        // An operator who knows better.
        stage.leave(window.id, Checks::Skipped);
        stage.until(window.id, State::Ended);
        assert_eq!(stage.visit("claims.test", "/", ""), 200);
    }
}

#[test]
fn a_slow_answer_is_late_however_right_it_is() {
    let late =
        Origin::acting(|_| Act::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal".to_vec()));
    let house = House::new("");
    let text = config_text(late.address(), house.apac.0.address(), "");
    let stage = Stage::over(house.folder.path(), &text);
    let slow = Probe { within: Duration::from_millis(50), ..probe("/up") };
    let short = Wanted { within: Duration::from_millis(300), ..wanted(vec![slow]) };
    let window = stage.close(&["eu"], &["claims"], plan(Some(short), None));
    stage.end(window.id);
    stage.until(window.id, State::Overrun);
    assert!(stage.life(window.id).1.ends_with("no whole answer within 50 ms"));
}

const CHECKED: &str =
    "[upstream.health]\npath = \"/health\"\ninterval = \"20ms\"\nfall = 2\nrise = 1\n";

#[test]
fn servers_that_fail_their_checks_keep_it_closed_until_they_do_not() {
    let house = House::new(CHECKED);
    let stage = house.stage();
    house.eu.1.store(500, Ordering::SeqCst);
    let window = stage.close(&["eu"], &["quotes"], plan(Some(wanted(Vec::new())), None));
    stage.end(window.id);
    let seen = eventually("a round that finds it ill", || {
        let fault = stage.view(window.id)?.last_failure?.faults.pop()?;
        fault.contains("fails its checks").then_some(fault)
    });
    assert!(seen.starts_with("upstream app-eu: 0 of 1 servers are well; server 127."), "{seen}");
    assert!(seen.ends_with("answered 500"), "{seen}");
    house.eu.1.store(200, Ordering::SeqCst);
    stage.until(window.id, State::Ended);
}

#[test]
fn a_verification_begins_anew_after_a_restart_and_lives_through_reloads() {
    let house = House::new("");
    house.eu.1.store(500, Ordering::SeqCst);
    let stage = house.stage();
    let window = stage.close(&[], &["quotes"], plan(Some(wanted(vec![probe("/quotes/")])), None));
    stage.end(window.id);
    eventually("a round", || stage.view(window.id).filter(|view| view.rounds > 0));
    drop(stage);
    let stage = house.stage();
    stage.until(window.id, State::Verifying);
    let view = eventually("a round", || stage.view(window.id).filter(|view| view.rounds > 2));
    stage.reload(house.folder.path(), &house.text());
    eventually("rounds go on", || {
        stage.view(window.id).filter(|now| now.rounds > view.rounds && now.began == view.began)
    });
    house.eu.1.store(200, Ordering::SeqCst);
    stage.until(window.id, State::Ended);
}

#[test]
fn an_operator_who_is_faster_is_not_overruled() {
    let house = House::new("");
    house.eu.1.store(500, Ordering::SeqCst);
    let stage = house.stage();
    let short = Wanted { within: Duration::from_millis(400), ..wanted(vec![probe("/up")]) };
    let window = stage.close(&["eu"], &["claims"], plan(Some(short), None));
    stage.end(window.id);
    stage.until(window.id, State::Verifying);
    let end = intermission::clock::Clock::System.now().plus(Duration::from_secs(3600));
    stage.extend(window.id, end);
    stage.until(window.id, State::Closed);
    let other = stage.close(&["eu"], &["quotes"], plan(Some(wanted(Vec::new())), None));
    stage.end(other.id);
    stage.until(other.id, State::Ended);
    let (life, _) = stage.life(window.id);
    assert!(life.ends_with(&["verifying", "closed"]), "{life:?}");
    // The old news of that verification, told late.
    assert!(stage.fail_late(window.id, window.version + 1).is_err());
    assert!(stage.life(window.id).0.ends_with(&["verifying", "closed"]));
}

#[test]
fn a_server_that_dies_in_the_ramp_closes_the_scope_again() {
    let house = House::new(CHECKED);
    let stage = house.stage();
    let ramp = Some(Duration::from_secs(60));
    let window = stage.close(&["eu"], &["quotes"], plan(None, ramp));
    stage.end(window.id);
    stage.until(window.id, State::Reopening);
    let view = eventually("a look", || stage.view(window.id));
    assert_eq!(view.of, Of::Ramp);
    house.eu.1.store(500, Ordering::SeqCst);
    stage.until(window.id, State::Overrun);
    let (_, why) = stage.life(window.id);
    assert!(why.starts_with("reopening: upstream app-eu: 0 of 1 servers are well"), "{why}");
    assert_eq!(stage.visit("localhost", "/quotes/", ""), 503);
}

#[test]
fn a_ramp_that_goes_well_ends() {
    let house = House::new(CHECKED);
    let stage = house.stage();
    let ramp = Some(Duration::from_millis(1_500));
    let wanted = wanted(vec![probe("/quotes/up")]);
    let window = stage.close(&["eu"], &["quotes"], plan(Some(wanted), ramp));
    stage.end(window.id);
    stage.until(window.id, State::Reopening);
    let view = eventually("two looks", || {
        stage.view(window.id).filter(|view| view.of == Of::Ramp && view.rounds > 1)
    });
    assert_eq!(view.last_failure, None);
    stage.until(window.id, State::Ended);
    let (life, _) = stage.life(window.id);
    assert!(life.ends_with(&["verifying", "reopening", "ended"]), "{life:?}");
}

#[test]
fn a_node_that_speaks_tls_alone_asks_itself_by_tls() {
    let house = House::new("");
    let names = ["visitors.example"];
    Ca::new("a").issue(&names).write(house.folder.path(), "a");
    let https = "https = [\"127.0.0.1:0\"]";
    let text = house.text().replace("http = [\"127.0.0.1:0\"]", https);
    let text = text + "[[tls.certificate]]\nchain = \"a.pem\"\nkey = \"a.key\"\n";
    let stage = Stage::over(house.folder.path(), &text);
    let window = stage.close(&["eu"], &["claims"], plan(Some(wanted(vec![probe("/up")])), None));
    stage.end(window.id);
    stage.until(window.id, State::Ended);
    let asked = house.eu.0.requests();
    assert!(asked.iter().any(|request| request.field("x-forwarded-proto") == Some("https")));
}

/// Two windows verify while the config is exchanged again and again: bounded in rounds and time.
#[test]
fn reloads_in_a_row_disturb_no_verification() {
    let house = House::new("");
    let stage = house.stage();
    house.eu.1.store(500, Ordering::SeqCst);
    let probes = ["/up", "/quotes/up"].map(probe);
    let [claims, quotes] = [("claims", 0), ("quotes", 1)].map(|(route, at)| {
        let plan = plan(Some(wanted(vec![probes[at].clone()])), None);
        let window = stage.close(&["eu"], &[route], plan).id;
        stage.end(window);
        window
    });
    let more = "[[route]]\nname = \"more\"\npaths = [\"/more/*\"]\nupstream = \"app-eu\"\n";
    let other = house.text() + more;
    let text = house.text();
    let rounds = |window| stage.view(window).map_or(0, |view| view.rounds);
    for number in 0..40 {
        let before = [claims, quotes].map(rounds);
        stage.reload(house.folder.path(), if number % 2 == 0 { &other } else { &text });
        eventually("both go on", || {
            let now = [claims, quotes].map(rounds);
            (now[0] > before[0] && now[1] > before[1]).then_some(())
        });
        assert_eq!(stage.visit("claims.test", "/", ""), 503);
    }
    house.eu.1.store(200, Ordering::SeqCst);
    for window in [claims, quotes] {
        stage.until(window, State::Ended);
        let (life, _) = stage.life(window);
        assert_eq!(life.iter().filter(|state| **state == "verifying").count(), 1, "{life:?}");
        assert_eq!(life.iter().filter(|state| **state == "ended").count(), 1, "{life:?}");
    }
}
