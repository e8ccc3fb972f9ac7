//! Switches as fast as they go, under visitors who ask as fast as they can. How fast that is, the
//! bench `peers` tells; here it has to be right.

mod drive;

use std::time::Duration;

use intermission::clock::Clock;
use intermission::serve::{self, Options, Running, Signals};
use intermission::{config, digest};

use crate::support::origin::Origin;
use drive::{HELLO, Stage};

const TOKEN: &str = "im_of-the-storm";
const BYSTANDERS: usize = 4;

#[test]
fn a_storm_of_switches_fails_no_request_and_tears_no_answer() {
    let origin = Origin::replying(HELLO);
    let folder = tempfile::tempdir().expect("a folder");
    let hash = digest::hex(&digest::sha256(TOKEN.as_bytes()));
    let text = format!(
        "[node]\nname = \"n\"\nregion = \"eu\"\nworkers = 1\n[listen]\nhttp = [\"127.0.0.1:0\"]\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n[[admin.token]]\nname = \"ops\"\nsha256 = \"{hash}\"\n\
         [store]\ndirectory = \"store\"\n[log]\naccess = \"off\"\n\
         [[region]]\nname = \"eu\"\n[[region]]\nname = \"apac\"\nhosts = [\"apac.localhost\"]\n\
         [[upstream]]\nname = \"app\"\nservers = [\"{}\"]\n{}",
        origin.address(),
        drive::routes(BYSTANDERS)
    );
    let loaded = config::load_text("storm.toml", &text, folder.path());
    let loaded = loaded.expect("a config without problems");
    let (file, clock, signals) = (None, Clock::System, Signals::Ignored);
    let node: Running =
        serve::start(Options { loaded, file, clock, signals }).expect("a node that starts");
    let stage = Stage {
        visitors: node.proxy_addresses()[0],
        admin: node.admin_address(),
        token: TOKEN,
        span: Duration::from_secs(2),
        bystanders: BYSTANDERS,
    };
    let report = stage.storm();
    node.stop();
    assert_eq!(report.faults, 0, "{:#?}", report.told);
    assert!(report.switches > 1 && report.pages > 0, "there was a storm");
    assert!(report.answers > report.pages, "the application was seen as well");
    assert_eq!(report.calls.len() as u64, report.switches, "every call was answered");
    assert!(report.settled > report.switches / 4, "answers were held against what was known");
}
