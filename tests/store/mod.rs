//! The contract that every store engine keeps, and what the embedded one adds to it.
//!
//! `contract` knows the trait alone; another engine is tested by naming it in one more list like
//! the one in `embedded`. `crash`, `power` and `disk` run this binary again as a child (see
//! `child`) that is killed, whose power is cut, or whose disk fails.

mod child;
mod codes;
mod contract;
mod crash;
mod disk;
mod embedded;
mod grants;
mod power;
mod tallies;

use std::io::Write as _;
use std::time::Duration;

use intermission::clock::Wall;
use intermission::digest::{self, Hash};
use intermission::id::{Id, NodeTag, Reference};
use intermission::store::{Quota, Same, Store};
use intermission::vault::item::{Item, State};

const NOON: Wall = Wall::from_millis(1_795_262_400_000);

fn browser(name: &str) -> Hash {
    digest::sha256(name.as_bytes())
}

/// A held submission with `frames` frames, like no other.
fn item(owner: &str, captured: Wall, frames: u32) -> Item {
    Item {
        id: Id::new(captured, NodeTag(1)),
        reference: Reference::random(),
        version: 1,
        state: State::Held,
        browser: browser(owner),
        fingerprint: digest::random(),
        route: "claims".to_owned(),
        region: "eu".to_owned(),
        window: Some(Id::new(NOON, NodeTag(1))),
        captured,
        expires: captured.plus(Duration::from_secs(48 * 3600)),
        due: captured.plus(Duration::from_secs(48 * 3600)),
        size: 2_000,
        frames,
        sends: 0,
        answer: None,
        ticket: None,
        wrapped_key: vec![7; 60],
        sealed_head: vec![9; 300],
    }
}

fn quota() -> Quota {
    let (per_browser, bytes_per_browser, bytes) = (20, 1 << 20, 1 << 30);
    Quota { per_browser, bytes_per_browser, bytes, same_since: NOON, same: Same::Waiting }
}

/// Frames 0, 1, … of `bytes` each, every one telling its number.
fn sealed(frames: u32, bytes: usize) -> Vec<(u32, Vec<u8>)> {
    (0..frames).map(|frame| (frame, content(frame, bytes))).collect()
}

fn content(frame: u32, bytes: usize) -> Vec<u8> {
    frame.to_be_bytes().into_iter().cycle().take(bytes).collect()
}

/// Fails unless the submission is there with every frame that it should have.
async fn assert_whole(store: &dyn Store, id: Id) {
    let item = store.item(id).await.expect("a sound store reads");
    let item = item.unwrap_or_else(|| panic!("{id} was acknowledged and is lost"));
    let frames = store.frames(id, 0, u32::MAX).await.expect("a sound store reads");
    assert_eq!(frames.len(), item.frames as usize, "{id} lacks frames");
    for (at, frame) in (0..).zip(&frames) {
        assert_eq!(*frame, content(at, frame.len()), "frame {at} of {id}");
    }
}

/// Tells of a test that this machine cannot run, past the capture of test output.
fn skip(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: 1 test: {what}: {why}");
}
