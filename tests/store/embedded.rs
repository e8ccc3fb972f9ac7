//! The embedded engine: it keeps the contract, and what only an engine with files must show.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use intermission::clock::Clock;
use intermission::digest;
use intermission::id::Reference;
use intermission::store::embedded::Embedded;
use intermission::store::{Quota, Store, StoreError, open};
use intermission::vault::item::{Item, State};

use super::{NOON, assert_whole, browser, contract, item, quota, sealed};

macro_rules! keeps_the_contract {
    ($($promise:ident,)*) => {$(
        #[tokio::test]
        async fn $promise() {
            let directory = tempfile::tempdir().expect("a directory");
            let store = open_in(directory.path());
            contract::$promise(&store).await;
        }
    )*};
}

keeps_the_contract! {
    a_window_moves_from_force_to_the_past_with_its_history,
    a_window_that_changed_meanwhile_is_a_conflict,
    a_maintenance_is_kept_with_its_windows_or_not_at_all,
    the_newest_decision_about_a_server_holds_and_all_are_kept,
    what_is_kept_comes_back_as_it_was,
    an_upload_arrives_frame_by_frame,
    half_a_submission_is_never_kept,
    a_double_click_is_one_submission,
    quotas_hold_and_content_that_is_gone_frees_them,
    only_the_version_before_can_be_changed,
    content_goes_with_the_last_state,
    submissions_are_found_by_owner_state_and_time,
    tokens_and_bypasses_are_kept_and_changed,
    only_what_has_expired_makes_room_for_a_bypass,
    the_audit_is_numbered_and_read_in_pages,
    what_was_revoked_makes_room_too,
    a_key_belongs_to_one_creation_until_its_time_is_over,
    tallies_are_kept,
    a_window_s_forms_are_counted,
    a_reference_is_like_no_other,
    a_code_is_counted_void_and_gone_with_the_content,
    wrapped_keys_change_under_a_submission_and_nothing_else_does,
}

fn open_in(directory: &Path) -> Embedded {
    open(directory, Clock::System).expect("a sound store opens")
}

fn why_not(directory: &Path) -> String {
    match open(directory, Clock::System) {
        Ok(_) => panic!("the store opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn everything_is_there_after_reopening_but_orphans() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().join("new/store");
    let store = open_in(&place);
    let (kept, orphan, step) = (item("ada", NOON, 2), item("ada", NOON, 1), contract::begin(NOON));
    store.keep(kept.clone(), sealed(2, 65_552), quota()).await.expect("room");
    store.append(orphan.id, 0, vec![1; 500]).await.expect("a frame");
    store.commit(step.clone().into()).await.expect("a new window");
    drop(store);
    assert!(!place.join("intermission.db-wal").exists(), "shutdown leaves no log");

    let store = open_in(&place);
    assert_eq!(store.item(kept.id).await, Ok(Some(kept.clone())));
    assert_whole(&store, kept.id).await;
    assert_eq!(store.windows().await, Ok(vec![step.window]));
    assert_eq!(store.frames(orphan.id, 0, 9).await, Ok(vec![]));
    assert_eq!(store.census().await.expect("counts").bytes, 2 * 65_552);
    store.shutdown();
    assert!(matches!(store.item(kept.id).await, Err(StoreError::Failed(_))), "it is closed");
    store.shutdown();
}

#[tokio::test]
async fn the_files_are_private_and_one_process_has_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().join("store");
    let store = open_in(&place);
    store.keep(item("ada", NOON, 1), sealed(1, 9), quota()).await.expect("room");
    let mode = |path: &Path| fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
    assert_eq!(mode(&place), 0o700);
    for file in fs::read_dir(&place).expect("files") {
        let path = file.expect("a file").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let error = why_not(&place);
    assert!(error.contains("in use by another process"), "{error}");
    drop(store);
    open_in(&place);
}

#[tokio::test]
async fn erased_content_is_in_no_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open_in(directory.path());
    let canary = b"what-the-canary-typed";
    let anywhere = || {
        let mut files = fs::read_dir(directory.path()).expect("files");
        files.any(|file| {
            let bytes = fs::read(file.expect("a file").path()).expect("a file");
            memchr::memmem::find(&bytes, canary).is_some()
        })
    };
    let frame: Vec<u8> = canary.iter().copied().cycle().take(60_000).collect();
    let head = canary.to_vec();
    let small = Item { sealed_head: head.clone(), ..item("ada", NOON, 1) };
    let large = Item { wrapped_key: head, ..item("ada", NOON, 3) };
    store.keep(small.clone(), vec![(0, canary.to_vec())], quota()).await.expect("room");
    let frames = (0..3).map(|n| (n, frame.clone())).collect();
    store.keep(large.clone(), frames, quota()).await.expect("room");
    store.keep_code(small.id, canary.to_vec()).await.expect("it has content");
    assert!(anywhere(), "the search must be able to find it");
    let orphan = item("ada", NOON, 1);
    store.append(orphan.id, 0, frame).await.expect("a frame");
    store.drop_frames(orphan.id).await.expect("dropped");
    for (item, state) in [(small, State::Discarded), (large, State::Expired)] {
        store.update(Item { version: 2, state, ..item }).await.expect("erased");
    }
    store.shutdown();
    assert!(!anywhere());
}

#[test]
fn what_is_queued_together_is_committed_together() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Arc::new(open_in(directory.path()));
    let clients: Vec<_> = (0..2)
        .map(|worker| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                runtime.expect("a runtime").block_on(async {
                    let clients = (0..32).map(|client| {
                        let owner = format!("{worker}.{client}");
                        let store = Arc::clone(&store);
                        tokio::spawn(async move {
                            for _ in 0..10 {
                                let kept = item(&owner, NOON, 1);
                                let answer = store.keep(kept.clone(), sealed(1, 2_000), quota());
                                answer.await.expect("room");
                                assert_whole(&*store, kept.id).await;
                            }
                        })
                    });
                    for client in clients.collect::<Vec<_>>() {
                        client.await.expect("no panic");
                    }
                });
            })
        })
        .collect();
    for client in clients {
        client.join().expect("no panic");
    }
    let gauges = store.latency();
    assert_eq!((gauges.jobs, gauges.failures), (640, 0));
    assert!(gauges.batches < 320, "{} commits for 640 jobs", gauges.batches);
    assert!(gauges.commit_p50 <= gauges.commit_p99 && gauges.commit_last.as_micros() > 0);
}

#[tokio::test]
async fn a_refused_job_takes_nobody_along() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open_in(directory.path());
    let small = Quota { per_browser: 1, ..quota() };
    let items: Vec<_> = (0..40).map(|n| item(&format!("{}", n / 2), NOON, 1)).collect();
    let jobs: Vec<_> = items.iter().cloned().map(|i| store.keep(i, sealed(1, 9), small)).collect();
    let tasks: Vec<_> = jobs.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("no panic"));
    }
    for (item, answer) in items.iter().zip(&answers) {
        assert_eq!(store.item(item.id).await.expect("reads").is_some(), answer.is_ok());
    }
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 20, "one per browser");
    assert!(store.latency().batches < 40, "they shared commits");
    assert_eq!(store.latency().failures, 0);
}

#[tokio::test]
async fn a_form_that_is_refused_leaves_nothing_behind() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open_in(directory.path());
    let torn = item("ada", NOON, 1);
    store.append(torn.id, 0, vec![1; 50]).await.expect("a frame");
    let answer = store.keep(torn.clone(), sealed(1, 9), quota()).await;
    assert_eq!(answer, Err(StoreError::Conflict), "its frame is there already");
    assert_eq!(store.item(torn.id).await, Ok(None));
    assert_eq!(store.frames(torn.id, 0, 9).await, Ok(vec![vec![1; 50]]));
    let answered = Item { state: State::Accepted, ..item("ada", NOON, 1) };
    assert!(store.keep(answered, sealed(1, 9), quota()).await.is_err());
    assert_eq!(store.census().await.expect("counts").bytes, 50, "the frame that waits");
    assert_eq!(store.latency().failures, 0, "and no commit failed");
}

#[test]
fn a_foreign_or_bereft_file_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let main = directory.path().join("intermission.db");
    let log = directory.path().join("intermission.db-wal");
    fs::write(&main, b"not a database, but somebody's notes").expect("written");
    let error = why_not(directory.path());
    assert!(error.contains("is damaged") && error.contains("Nothing was changed"), "{error}");
    assert_eq!(fs::read(&main).expect("read"), b"not a database, but somebody's notes");

    fs::write(&main, b"").expect("written");
    fs::write(&log, b"the only copy of something").expect("written");
    let error = why_not(directory.path());
    assert!(error.contains("missing or empty"), "{error}");
    assert_eq!(fs::read(&log).expect("read"), b"the only copy of something");

    fs::remove_file(&log).expect("removed");
    let other = rusqlite::Connection::open(&main).expect("opens");
    other.execute_batch("CREATE TABLE notes (text)").expect("created");
    drop(other);
    let error = why_not(directory.path());
    assert!(error.contains("another program's"), "{error}");

    fs::remove_file(&main).expect("removed");
    drop(open_in(directory.path()));
    let ours = rusqlite::Connection::open(&main).expect("opens");
    ours.pragma_update(None, "user_version", 99).expect("set");
    drop(ours);
    let error = why_not(directory.path());
    assert!(error.contains("later release"), "{error}");
}

#[tokio::test]
async fn a_store_of_the_first_release_learns_about_servers_and_keeps_its_windows() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open_in(directory.path());
    let begun = contract::begin(NOON);
    store.commit(begun.clone().into()).await.expect("a new window");
    let kept = item("ada", NOON, 1);
    store.keep(kept.clone(), sealed(1, 100), quota()).await.expect("room");
    store.shutdown();
    let main = rusqlite::Connection::open(directory.path().join("intermission.db"));
    let main = main.expect("opens");
    let later = "DROP TABLE duties; DROP TABLE tokens; DROP TABLE bypasses; DROP TABLE audit;
                 DROP TABLE replies; DROP TABLE maintenances; DROP INDEX windows_by_maintenance;
                 DROP TABLE tallies; DROP INDEX submissions_by_window;
                 DROP TABLE codes; DROP INDEX submissions_by_reference;
                 ALTER TABLE submissions DROP COLUMN reference;
                 ALTER TABLE windows DROP COLUMN maintenance; PRAGMA user_version = 1";
    main.execute_batch(later).expect("as it was then");
    drop(main);
    let store = open_in(directory.path());
    assert_eq!(store.postings().await, Ok(vec![]));
    assert_eq!(store.windows().await, Ok(vec![begun.window]));
    let told = Reference::from_bytes(kept.id.bytes()[15..].try_into().expect("five bytes"));
    let found = store.referred(told).await.expect("readable").expect("as its receipt tells");
    assert_eq!(found.item, Item { reference: told, ..kept });
}

#[tokio::test]
async fn a_flipped_bit_is_an_error_or_one_damaged_frame_never_a_panic() {
    let directory = tempfile::tempdir().expect("a directory");
    let (sound, copy) = (directory.path().join("sound"), directory.path().join("copy"));
    let store = open_in(&sound);
    store.commit(contract::begin(NOON).into()).await.expect("a new window");
    let items: Vec<_> = (0..30).map(|n| item(&format!("{}", n / 10), NOON, 1 + n % 3)).collect();
    for item in items.iter().cloned() {
        let frames = sealed(item.frames, 3_000);
        store.keep(item, frames, quota()).await.expect("room");
    }
    store.shutdown();
    let whole = fs::read(sound.join("intermission.db")).expect("read");
    let (mut refused, mut read) = (0, 0);
    for round in 0..200 {
        // Half of them anywhere, half in the head of a page, which holds its tree together.
        let anywhere = u64::from_be_bytes(digest::random()) as usize % (whole.len() * 8);
        let in_page = anywhere % (8 * 8192);
        let place = if round % 2 == 0 { anywhere } else { anywhere - in_page + in_page % 128 };
        let mut bytes = whole.clone();
        bytes[place / 8] ^= 1 << (place % 8);
        fs::create_dir_all(&copy).expect("made");
        fs::write(copy.join("intermission.db"), &bytes).expect("written");
        match open(&copy, Clock::System) {
            Err(error) => {
                let error = error.to_string();
                let told = ["is damaged", "another program's", "later release", "local disk"];
                assert!(told.iter().any(|what| error.contains(what)), "bit {place}: {error}");
                refused += 1;
            }
            Ok(store) => {
                read += 1;
                for item in &items {
                    // Errors are fine; an answer of the wrong shape or a dead thread is not.
                    let _ = store.item(item.id).await;
                    let _ = store.frames(item.id, 0, 9).await;
                    let _ = store.items_of(item.browser).await;
                }
                let _ = store.windows().await;
                let answer = store.update(Item { version: 2, ..items[0].clone() }).await;
                let dead = "shut down";
                assert!(!format!("{answer:?}").contains(dead), "bit {place}: {answer:?}");
                let answer = store.census().await;
                assert!(!format!("{answer:?}").contains(dead), "bit {place}: {answer:?}");
            }
        }
        fs::remove_dir_all(&copy).expect("removed");
    }
    assert!(refused > 0 && read > 0, "{refused} refused, {read} read");
}

#[tokio::test]
async fn one_browsers_list_is_bounded_and_its_content_comes_first() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open_in(directory.path());
    let most = intermission::limit::SUBMISSIONS_LISTED_MAX;
    let first = item("ada", NOON, 1);
    store.keep(first.clone(), sealed(1, 9), quota()).await.expect("room");
    for n in 0..u64::from(most) {
        let later = item("ada", NOON.plus(std::time::Duration::from_secs(n + 1)), 1);
        store.keep(later.clone(), sealed(1, 9), quota()).await.expect("room");
        store.update(Item { version: 2, state: State::Done, ..later }).await.expect("erased");
    }
    let listed = store.items_of(browser("ada")).await.expect("reads");
    assert_eq!(listed.len(), most as usize);
    assert_eq!(listed.last().map(|item| item.id), Some(first.id), "the oldest, but it has content");
    assert!(listed.is_sorted_by(|a, b| a.captured >= b.captured));
}
