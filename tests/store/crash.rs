//! SIGKILL at any moment: what was acknowledged is there, whole, and nothing is there in part.
//!
//! A killed process leaves the system's page cache behind, so this says nothing of a power cut;
//! `power` does.

use std::fs;
use std::path::Path;

use intermission::clock::Clock;
use intermission::digest;
use intermission::id::Id;
use intermission::store::{Store, open};
use intermission::vault::item::State;

use super::assert_whole;
use super::child::{Keeper, Role, Said};

/// Runs a child until it said `said` more ids, then kills it.
fn killed_after(said: u8, role: Role, place: &Path) -> Vec<Id> {
    let mut child = Keeper::start(role, place, &[]);
    let mut heard: Vec<_> = (0..said).filter_map(|_| child.hear()).collect();
    heard.extend(child.kill());
    heard
        .into_iter()
        .map(|said| match said {
            Said::Kept(id) => id,
            other @ (Said::NotKept(..) | Said::Mended) => panic!("nothing failed, but {other:?}"),
        })
        .collect()
}

#[tokio::test]
async fn no_acknowledged_submission_is_lost_to_thirty_kills() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut acknowledged = Vec::new();
    for _ in 0..30 {
        let moment = digest::random::<1>()[0] / 4;
        acknowledged.extend(killed_after(moment, Role::Keep, directory.path()));
        let store = open(directory.path(), Clock::System).expect("it opens after a kill");
        let stored = store.items_in(State::Held).await.expect("reads");
        for item in &stored {
            assert_whole(&store, item.id).await;
        }
        for id in &acknowledged {
            assert!(stored.iter().any(|item| item.id == *id), "{id} was acknowledged and is lost");
        }
        let census = store.census().await.expect("counts");
        assert_eq!(census.submissions, [(State::Held, stored.len() as u64)]);
        let bytes: u64 = stored.iter().map(|item| u64::from(item.frames) * 1_500).sum();
        assert_eq!(census.bytes, bytes, "frames without a submission are gone");
    }
    assert!(acknowledged.len() > 300, "only {} were acknowledged", acknowledged.len());
}

/// A damaged log is cut where the damage begins, as a torn one is: what it held from there on is
/// lost, and that cannot be told from a power cut; but nothing is there in part.
#[tokio::test]
async fn a_flipped_bit_in_the_log_leaves_no_half_submission() {
    let directory = tempfile::tempdir().expect("a directory");
    let (left, copy) = (directory.path().join("left"), directory.path().join("copy"));
    let acknowledged = killed_after(60, Role::Keep, &left);
    let read = |name: &str| fs::read(left.join(name)).expect("left by the kill");
    let (main, log) = (read("intermission.db"), read("intermission.db-wal"));
    let mut cut = 0;
    for _ in 0..40 {
        let place = u64::from_be_bytes(digest::random()) as usize % (log.len() * 8);
        let mut log = log.clone();
        log[place / 8] ^= 1 << (place % 8);
        fs::create_dir_all(&copy).expect("made");
        fs::write(copy.join("intermission.db"), &main).expect("written");
        fs::write(copy.join("intermission.db-wal"), &log).expect("written");
        let store = open(&copy, Clock::System).expect("what is before the damage opens");
        let stored = store.items_in(State::Held).await.expect("reads");
        for item in &stored {
            assert_whole(&store, item.id).await;
        }
        cut += usize::from(stored.len() < acknowledged.len());
        drop(store);
        fs::remove_dir_all(&copy).expect("removed");
    }
    assert!(cut > 0, "no flip was seen");
}

/// The control: a child that says "kept" too early is found out by the same look.
#[tokio::test]
async fn an_early_acknowledgement_would_be_found_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut lost = 0;
    for _ in 0..10 {
        let boasted = killed_after(20, Role::Boast, directory.path());
        let store = open(directory.path(), Clock::System).expect("it opens after a kill");
        for id in boasted {
            lost += u32::from(store.item(id).await.expect("reads").is_none());
        }
    }
    assert!(lost > 0, "the check cannot see a loss");
}
