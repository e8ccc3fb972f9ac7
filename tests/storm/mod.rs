//! Switches as fast as they go, under visitors who ask as fast as they can. How fast that is, the
//! bench `peers` tells; here it has to be right.

mod drive;

use std::net::SocketAddr;
use std::time::Duration;

use intermission::clock::Clock;
use intermission::serve::{self, Options, Running, Signals, Takeover};
use intermission::{config, digest};

use crate::support::origin::Origin;
use drive::{HELLO, Report, Stage, Truth};

const TOKEN: &str = "im_of-the-storm";
const BYSTANDERS: usize = 4;

#[test]
fn a_storm_of_switches_fails_no_request_and_tears_no_answer() {
    let application = Origin::replying(HELLO);
    let report = storm(&application, Duration::from_secs(2), |node| node.proxy_addresses()[0]);
    assert_eq!(report.faults, 0, "{:#?}", report.told);
    assert!(report.switches > 1 && report.pages > 0, "there was a storm");
    assert!(report.answers > report.pages, "the application was seen as well");
    assert_eq!(report.calls.len() as u64, report.switches, "every call was answered");
    assert!(report.settled > report.switches / 4, "answers were held against what was known");
}

#[test]
fn a_proxy_that_heeds_no_switch_is_found() {
    let application = Origin::replying(HELLO);
    let report = storm(&application, Duration::from_millis(200), |_| application.address());
    assert!(report.faults > 0 && report.told[0].starts_with("Closed"), "{:?}", report.told);
}

#[test]
fn a_page_of_another_generation_than_its_own_is_found() {
    let truth = Truth::default();
    truth.shown(0, 7, 9);
    truth.shown(1, 12, 15);
    for (generation, number) in [(7, 0), (8, 0), (12, 1), (14, 1)] {
        truth.seen(generation, Some(number));
    }
    for (generation, number) in [(6, 0), (9, 0), (12, 0), (15, 1)] {
        truth.seen(generation, Some(number));
    }
    let report = truth.judge(Report::default());
    assert_eq!(report.faults, 4, "{:?}", report.told);
}

/// Storms a node of its own. Visitors ask whoever is named by the third argument.
fn storm(
    application: &Origin,
    span: Duration,
    visited: impl FnOnce(&Running) -> SocketAddr,
) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    let hash = digest::hex(&digest::sha256(TOKEN.as_bytes()));
    let text = format!(
        "[node]\nname = \"n\"\nregion = \"eu\"\nworkers = 1\n[listen]\nhttp = [\"127.0.0.1:0\"]\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n[[admin.token]]\nname = \"ops\"\nsha256 = \"{hash}\"\n\
         [store]\ndirectory = \"store\"\n[log]\naccess = \"off\"\n\
         [[region]]\nname = \"eu\"\n[[region]]\nname = \"apac\"\nhosts = [\"apac.localhost\"]\n\
         [[upstream]]\nname = \"app\"\nservers = [\"{}\"]\n{}",
        application.address(),
        drive::routes(BYSTANDERS)
    );
    let loaded = config::load_text("storm.toml", &text, folder.path());
    let loaded = loaded.expect("a config without problems");
    let (file, clock, signals) = (None, Clock::System, Signals::Ignored);
    let node = serve::start(Options { loaded, file, clock, signals, takeover: Takeover::No })
        .expect("a node that starts");
    let (visitors, admin) = (visited(&node), node.admin_address());
    let stage = Stage { visitors, admin, token: TOKEN, span, bystanders: BYSTANDERS };
    let report = stage.storm();
    node.stop();
    report
}
