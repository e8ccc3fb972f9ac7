//! A disk that is full: first the reserve, then nothing, then room again.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::Command;

use intermission::clock::Clock;
use intermission::store::{Quota, Store, StoreError, embedded, open};
use intermission::vault::item::{Item, State};

use super::child::{Role, play};
use super::{NOON, assert_whole, contract, item, quota, sealed, skip};

const MEBIBYTES: u32 = 8;

/// Mounts in a mount namespace of the child's own, so that nothing is left however it ends.
fn on_small_disk(place: &Path, namespaces: &[&str], then: &str) -> Command {
    let mut command = Command::new("unshare");
    let script =
        format!("mount -t tmpfs -o size={MEBIBYTES}m tmpfs \"$1\" || exit 77; shift; {then}",);
    command.args(namespaces).args(["sh", "-c", &script, "sh"]).arg(place);
    command
}

#[test]
fn a_full_disk_refuses_what_grows_then_everything_and_then_works_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path();
    let mountable = |namespaces: &&&[&str]| {
        on_small_disk(place, namespaces, "exit 0").output().is_ok_and(|ran| ran.status.success())
    };
    let ways: [&[&str]; 2] = [&["--mount"], &["--mount", "--map-root-user"]];
    let Some(namespaces) = ways.iter().find(mountable) else {
        let test = "a_full_disk_refuses_what_grows_then_everything_and_then_works_again";
        skip(test, "neither root nor a user namespace may mount a small tmpfs here");
        return;
    };
    let mut command = on_small_disk(place, namespaces, "exec \"$@\"");
    command.arg(std::env::current_exe().expect("this binary"));
    play(&mut command, Role::FillDisk, place);
    let ran = command.output().expect("the child runs");
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn what_is_to_stay_free_is_the_operator_s_to_say() {
    let directory = tempfile::tempdir().expect("a directory");
    let form = item("ada", NOON, 1);
    let frames = || sealed(1, 100);
    let strict = embedded::open_with(directory.path(), Clock::System, Some(u64::MAX));
    let strict = strict.expect("it opens");
    assert_eq!(strict.latency().is_full, 1);
    assert_eq!(strict.keep(form.clone(), frames(), quota()).await, Err(StoreError::Full));
    assert_eq!(strict.append(form.id, 0, vec![1; 10]).await, Err(StoreError::Full));
    strict.commit(contract::begin(NOON).into()).await.expect("a switch works");
    assert_eq!(strict.windows().await.expect("reads").len(), 1);
    drop(strict);
    let lax = embedded::open_with(directory.path(), Clock::System, Some(1)).expect("it opens");
    assert_eq!((lax.latency().is_full, lax.latency().failures), (0, 0));
    lax.keep(form, frames(), quota()).await.expect("kept where the reserve is small");
}

/// The child's part, on its small disk.
pub(super) fn fill(place: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(fill_and_free(place));
}

async fn fill_and_free(place: &Path) {
    let store = open(&place.join("store"), Clock::System).expect("it opens");
    let many = Quota { per_browser: u32::MAX, bytes_per_browser: u64::MAX, ..quota() };
    let mut kept = Vec::new();
    let refused = loop {
        let next = item("ada", NOON, 1);
        match store.keep(next.clone(), sealed(1, 65_552), many).await {
            Ok(_) => kept.push(next),
            Err(error) => break error,
        }
        assert!(kept.len() < 200, "more was kept than the disk can hold");
    };
    assert_eq!(refused, StoreError::Full);
    assert!(kept.len() > 10, "only {} were kept", kept.len());
    let upload = item("bob", NOON, 2);
    assert_eq!(store.append(upload.id, 0, vec![1; 65_552]).await, Err(StoreError::Full));
    assert_eq!(store.latency().failures, 0, "the reserve held: no commit has failed");
    store.commit(contract::begin(NOON).into()).await.expect("a switch works on the reserve");
    let gone = kept.pop().expect("one");
    let discarded = Item { version: 2, state: State::Discarded, ..gone };
    store.update(discarded).await.expect("content can be erased on the reserve");

    let ballast = place.join("ballast");
    fill_up(&ballast);
    let mut windows = 0;
    let refused = loop {
        match store.commit(contract::begin(NOON).into()).await {
            Ok(()) => windows += 1,
            Err(error) => break error,
        }
        assert!(windows < 5_000, "the disk is full, yet nothing failed");
    };
    assert_eq!(refused, StoreError::Full);
    assert!(store.latency().failures > 0);
    assert_eq!(store.windows().await.expect("reading goes on").len(), 1 + windows);
    assert_whole(&store, kept[0].id).await;

    std::fs::remove_file(&ballast).expect("removed");
    store.commit(contract::begin(NOON).into()).await.expect("it works again at once");
    for discarded in kept.drain(..6) {
        let discarded = Item { version: 2, state: State::Discarded, ..discarded };
        store.update(discarded).await.expect("erased");
    }
    drop(store);
    let store = open(&place.join("store"), Clock::System).expect("it opens");
    assert_eq!(store.windows().await.expect("reads").len(), 2 + windows);
    for item in &kept {
        assert_whole(&store, item.id).await;
    }
}

/// Writes until not one byte more fits.
fn fill_up(ballast: &Path) {
    let mut file = File::create(ballast).expect("a name still fits");
    let mut bytes = vec![0; 4096];
    for _ in 0..u64::from(MEBIBYTES) * 1024 {
        match file.write_all(&bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull && bytes.len() > 1 => {
                bytes.truncate(bytes.len() / 2);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::StorageFull);
                return;
            }
        }
    }
    panic!("the disk does not fill");
}
