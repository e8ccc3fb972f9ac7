//! SIGKILL at any moment: what was acknowledged is there, whole, and nothing is there in part.
//!
//! A killed process leaves the system's page cache behind, so this says nothing of a power cut;
//! `power` does.

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
