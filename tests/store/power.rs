//! Syncs that fail and power that is cut, by a small library preloaded into the child.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use intermission::clock::Clock;
use intermission::digest;
use intermission::id::Id;
use intermission::store::{Store, open};
use intermission::vault::item::State;

use super::child::{Keeper, Role, Said};
use super::{assert_whole, skip};

const FAILS: &str = "INTERMISSION_TEST_SYNC_FAILS";
const DISK: &str = "INTERMISSION_TEST_DISK";
const SKIPS: &str = "INTERMISSION_TEST_DISK_SKIPS";

/// Builds the library; none where there is no C compiler, which then is said.
fn library(directory: &Path, test: &str) -> Option<PathBuf> {
    let library = directory.join("faulty_sync.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store/faulty_sync.c");
    let compiled = Command::new("cc")
        .args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .args([source, "-ldl"])
        .status();
    match compiled {
        Ok(status) => {
            assert!(status.success(), "{source} does not compile");
            Some(library)
        }
        Err(error) => {
            skip(test, &format!("cc, which builds the preloaded library, did not run: {error}"));
            None
        }
    }
}

#[tokio::test]
async fn a_failed_sync_is_never_acknowledged_and_passes() {
    let directory = tempfile::tempdir().expect("a directory");
    let test = "a_failed_sync_is_never_acknowledged_and_passes";
    let Some(library) = library(directory.path(), test) else { return };
    let (place, fails) = (directory.path().join("store"), directory.path().join("fails"));
    let env = [("LD_PRELOAD", library.as_path()), (FAILS, fails.as_path())];
    let mut child = Keeper::start(Role::Keep, &place, &env);
    let (mut kept, mut not_kept) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        hear_until(&mut child, &mut kept, &mut not_kept, |said| matches!(said, Said::Kept(_)));
        fs::write(&fails, b"").expect("written");
        hear_until(&mut child, &mut kept, &mut not_kept, |said| matches!(said, Said::NotKept(..)));
        fs::remove_file(&fails).expect("removed");
    }
    hear_until(&mut child, &mut kept, &mut not_kept, |said| matches!(said, Said::Kept(_)));
    for said in child.kill() {
        sort(said, &mut kept, &mut not_kept);
    }
    for (id, error) in &not_kept {
        assert!(error.contains("store failed"), "{id}: {error}");
    }
    let store = open(&place, Clock::System).expect("it opens");
    for id in &kept {
        assert_whole(&store, *id).await;
    }
    for (id, _) in &not_kept {
        assert_eq!(store.item(*id).await, Ok(None), "{id} was refused and is there");
    }
}

#[tokio::test]
async fn what_was_refused_does_not_come_back_though_nothing_follows() {
    let directory = tempfile::tempdir().expect("a directory");
    let test = "what_was_refused_does_not_come_back_though_nothing_follows";
    let Some(library) = library(directory.path(), test) else { return };
    let (place, fails) = (directory.path().join("store"), directory.path().join("fails"));
    let env = [("LD_PRELOAD", library.as_path()), (FAILS, fails.as_path())];
    let mut child = Keeper::start(Role::Rest, &place, &env);
    let mut said = vec![child.hear().expect("it keeps")];
    fs::write(&fails, b"").expect("written");
    while !matches!(said.last(), Some(Said::NotKept(..))) {
        said.push(child.hear().expect("it fails at last"));
    }
    fs::remove_file(&fails).expect("removed");
    assert_eq!(child.hear(), Some(Said::Mended));
    child.kill();
    let store = open(&place, Clock::System).expect("it opens");
    for said in said {
        match said {
            Said::Kept(id) => assert_whole(&store, id).await,
            Said::NotKept(id, _) => assert_eq!(store.item(id).await, Ok(None), "it came back"),
            Said::Mended => {}
        }
    }
}

/// Listens until 40 things that `wanted` names were said in a row of at most 20,000.
fn hear_until(
    child: &mut Keeper,
    kept: &mut Vec<Id>,
    not_kept: &mut Vec<(Id, String)>,
    wanted: impl Fn(&Said) -> bool,
) {
    let mut heard = 0;
    for _ in 0..20_000 {
        let said = child.hear().expect("the child goes on");
        heard += u32::from(wanted(&said));
        sort(said, kept, not_kept);
        if heard == 40 {
            return;
        }
    }
    panic!("heard {heard} of 40");
}

fn sort(said: Said, kept: &mut Vec<Id>, not_kept: &mut Vec<(Id, String)>) {
    match said {
        Said::Kept(id) => kept.push(id),
        Said::NotKept(id, error) => not_kept.push((id, error)),
        Said::Mended => {}
    }
}

/// Cuts the power at some moment; gives how many were acknowledged, and how many are lost.
async fn cut_power(library: &Path, place: &Path, env: &[(&str, &Path)]) -> (usize, usize) {
    let disk = place.join("disk");
    fs::create_dir_all(&disk).expect("made");
    let mut all = vec![("LD_PRELOAD", library), (DISK, disk.as_path())];
    all.extend(env);
    let mut child = Keeper::start(Role::Keep, &place.join("store"), &all);
    let moment = 20 + u32::from(digest::random::<1>()[0]);
    let (mut kept, mut not_kept) = (Vec::new(), Vec::new());
    for _ in 0..moment {
        sort(child.hear().expect("the child goes on"), &mut kept, &mut not_kept);
    }
    for said in child.kill() {
        sort(said, &mut kept, &mut not_kept);
    }
    assert_eq!(not_kept, []);
    let store = open(&disk, Clock::System).expect("what is on the disk opens");
    let mut lost = 0;
    for id in &kept {
        lost += usize::from(store.item(*id).await.expect("reads").is_none());
    }
    for item in store.items_in(State::Held).await.expect("reads") {
        assert_whole(&store, item.id).await;
    }
    (kept.len(), lost)
}

#[tokio::test]
async fn no_acknowledged_submission_is_lost_to_a_power_cut() {
    let directory = tempfile::tempdir().expect("a directory");
    let test = "no_acknowledged_submission_is_lost_to_a_power_cut";
    let Some(library) = library(directory.path(), test) else { return };
    for round in 0..10 {
        let place = directory.path().join(format!("{round}"));
        let (kept, lost) = cut_power(&library, &place, &[]).await;
        assert_eq!(lost, 0, "of {kept} acknowledged");
    }
}

/// The control: were the log not synced at commit (`synchronous=NORMAL`), the same look shows it.
#[tokio::test]
async fn a_log_that_is_not_synced_would_be_found_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let test = "a_log_that_is_not_synced_would_be_found_out";
    let Some(library) = library(directory.path(), test) else { return };
    let skips = [(SKIPS, Path::new("-wal"))];
    let (kept, lost) = cut_power(&library, directory.path(), &skips).await;
    assert!(lost > 0, "none of {kept} was lost: the check cannot see a loss");
}
