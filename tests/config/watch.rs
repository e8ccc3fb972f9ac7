//! The watch tells of every change of content, and of nothing else. Real directories.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use intermission::config::watch::{Pace, Watch, watch, watch_at};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Long enough for any machine; a test that passes does not wait for it.
const SOON: Duration = Duration::from_secs(30);
/// Events alone: the poll comes after the test would have failed.
const BY_EVENT: Pace = Pace { quiet: Duration::from_millis(20), poll: Duration::from_secs(600) };
/// The poll alone finds it in time.
const BY_POLL: Pace = Pace { quiet: Duration::from_millis(20), poll: Duration::from_millis(50) };

struct Watched {
    dir: TempDir,
    told: mpsc::Receiver<()>,
    watch: Watch,
}

impl Watched {
    /// A directory that `prepare` fills, with a watch on its file `name`.
    fn new(pace: Pace, name: &str, prepare: impl FnOnce(&Path)) -> Self {
        let dir = TempDir::new().expect("a directory");
        prepare(dir.path());
        let (tx, told) = mpsc::channel(1);
        let watch = watch_at(pace, &dir.path().join(name), tx).expect("a thread");
        Self { dir, told, watch }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    async fn is_told(&mut self, of: &str) {
        let told = timeout(SOON, self.told.recv()).await;
        assert_eq!(told.ok().flatten(), Some(()), "nothing was told of: {of}");
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("writing");
}

#[tokio::test]
async fn a_file_that_is_written_again_is_told_once_per_content() {
    let mut watched = Watched::new(BY_EVENT, "c.toml", |dir| write(&dir.join("c.toml"), "one"));
    let file = watched.path().join("c.toml");
    write(&file, "two");
    watched.is_told("other content").await;
    // The same content, and a neighbour: neither is news. What is told next is the third content.
    write(&file, "two");
    write(&watched.path().join("neighbour"), "x");
    write(&file, "three");
    watched.is_told("third content").await;
    assert!(watched.told.try_recv().is_err());
}

#[tokio::test]
async fn a_file_that_is_replaced_by_a_rename_is_told() {
    let mut watched = Watched::new(BY_EVENT, "c.toml", |dir| write(&dir.join("c.toml"), "one"));
    for text in ["two", "three"] {
        let new = watched.path().join("c.toml.new");
        write(&new, text);
        fs::rename(&new, watched.path().join("c.toml")).expect("a rename");
        watched.is_told(text).await;
    }
}

#[tokio::test]
async fn a_file_that_is_deleted_and_made_again_is_told_when_it_is_back() {
    let mut watched = Watched::new(BY_EVENT, "c.toml", |dir| write(&dir.join("c.toml"), "one"));
    let file = watched.path().join("c.toml");
    for text in ["two", "three"] {
        fs::remove_file(&file).expect("removing");
        write(&file, text);
        watched.is_told(text).await;
    }
}

/// What Kubernetes does: the file is a link into `..data`, which is a link to a dated folder, and
/// an update renames a new `..data` over the old one.
fn mount(dir: &Path, version: &str, text: &str) {
    fs::create_dir(dir.join(version)).expect("a folder");
    write(&dir.join(version).join("c.toml"), text);
    symlink(version, dir.join("..data_tmp")).expect("a link");
    fs::rename(dir.join("..data_tmp"), dir.join("..data")).expect("a rename");
    if !dir.join("c.toml").is_symlink() {
        symlink("..data/c.toml", dir.join("c.toml")).expect("a link");
    }
}

#[tokio::test]
async fn a_config_map_that_is_swapped_is_told_each_time() {
    let mut watched = Watched::new(BY_EVENT, "c.toml", |dir| mount(dir, "..2026_1", "one"));
    for (at, text) in [(2, "two"), (3, "three"), (4, "four")] {
        mount(watched.path(), &format!("..2026_{at}"), text);
        fs::remove_dir_all(watched.path().join(format!("..2026_{}", at - 1))).expect("removing");
        watched.is_told(text).await;
    }
}

#[tokio::test]
async fn a_change_that_no_event_tells_of_is_found_by_the_poll() {
    // The link in the middle is neither in the file's own folder nor in that of its content.
    let mut watched = Watched::new(BY_POLL, "etc/c.toml", |dir| {
        for folder in ["etc", "middle", "a", "b"] {
            fs::create_dir(dir.join(folder)).expect("a folder");
        }
        write(&dir.join("a/c.toml"), "one");
        write(&dir.join("b/c.toml"), "two");
        symlink(dir.join("a/c.toml"), dir.join("middle/c.toml")).expect("a link");
        symlink(dir.join("middle/c.toml"), dir.join("etc/c.toml")).expect("a link");
    });
    symlink(watched.path().join("b/c.toml"), watched.path().join("middle/new")).expect("a link");
    fs::rename(watched.path().join("middle/new"), watched.path().join("middle/c.toml"))
        .expect("a rename");
    watched.is_told("the other end of the link").await;
}

#[tokio::test]
async fn a_folder_that_is_deleted_and_made_again_is_watched_again() {
    let mut watched = Watched::new(BY_POLL, "etc/c.toml", |dir| {
        fs::create_dir(dir.join("etc")).expect("a folder");
        write(&dir.join("etc/c.toml"), "one");
    });
    let etc = watched.path().join("etc");
    for text in ["two", "three"] {
        fs::remove_dir_all(&etc).expect("removing");
        fs::create_dir(&etc).expect("a folder");
        write(&etc.join("c.toml"), text);
        watched.is_told(text).await;
    }
}

#[tokio::test]
async fn a_file_that_stays_away_is_told_once_and_again_when_it_is_back() {
    let mut watched = Watched::new(BY_POLL, "c.toml", |dir| write(&dir.join("c.toml"), "one"));
    let file = watched.path().join("c.toml");
    fs::remove_file(&file).expect("removing");
    watched.is_told("a file that is gone").await;
    write(&file, "one");
    watched.is_told("a file that is back").await;
    assert!(watched.told.try_recv().is_err());
}

#[tokio::test]
async fn templates_are_watched_with_the_file() {
    let mut watched = Watched::new(BY_EVENT, "c.toml", |dir| {
        write(&dir.join("c.toml"), "one");
        fs::create_dir_all(dir.join("pages/catalog")).expect("a folder");
        write(&dir.join("pages/closed.html"), "<p>one");
    });
    let pages = watched.path().join("pages");
    watched.watch.pages(Some(pages.clone()));
    // The watch takes one thing after the other: when it tells of the file, it knows the pages.
    write(&watched.path().join("c.toml"), "two");
    watched.is_told("the file").await;
    write(&pages.join("closed.html"), "<p>two");
    watched.is_told("a template").await;
    write(&pages.join("catalog/en.toml"), "x = 1");
    watched.is_told("a catalog").await;
    fs::remove_file(pages.join("closed.html")).expect("removing");
    watched.is_told("a template that is gone").await;
}

#[tokio::test]
async fn the_thread_ends_with_its_owner_and_with_its_listener() {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("c.toml");
    write(&file, "one");
    let (tx, mut told) = mpsc::channel(1);
    let watching = watch(&file, tx).expect("a thread");
    drop(watching);
    // The thread held the only sender; it is gone.
    assert_eq!(timeout(SOON, told.recv()).await.expect("an end"), None);

    let (tx, told) = mpsc::channel(1);
    let watching = watch_at(BY_POLL, &file, tx).expect("a thread");
    drop(told);
    write(&file, "two");
    drop(watching);
}

#[tokio::test]
async fn certificates_that_the_config_names_are_watched_however_they_are_replaced() {
    let config = |file: &str| format!("[[tls.certificate]]\nchain = \"{file}\"\nkey = \"x.key\"\n");
    let mut watched = Watched::new(BY_EVENT, "c.toml", |dir| {
        for (version, text) in [("v1", "one"), ("v2", "two")] {
            fs::create_dir_all(dir.join("secret").join(version)).expect("a folder");
            write(&dir.join("secret").join(version).join("tls.crt"), text);
        }
        symlink("v1", dir.join("secret/..data")).expect("a link");
        symlink("..data/tls.crt", dir.join("secret/tls.crt")).expect("a link");
        write(&dir.join("c.toml"), &config("secret/tls.crt"));
    });
    // As the secrets of Kubernetes are swapped: a link beside the file becomes another.
    symlink("v2", watched.path().join("secret/..next")).expect("a link");
    let (next, data) = (watched.path().join("secret/..next"), watched.path().join("secret/..data"));
    fs::rename(next, data).expect("a rename");
    watched.is_told("a swapped secret").await;
    // The config names another file now, which is in a folder that was not watched before.
    fs::create_dir(watched.path().join("other")).expect("a folder");
    write(&watched.path().join("other/a.pem"), "one");
    write(&watched.path().join("c.toml"), &config("other/a.pem"));
    watched.is_told("another file").await;
    write(&watched.path().join("other/a.pem"), "two");
    watched.is_told("its other content").await;
    write(&watched.path().join("x.key"), "a key");
    watched.is_told("a file that was missing").await;
    assert!(watched.told.try_recv().is_err());
}

#[tokio::test]
async fn a_maintenance_that_is_declared_beside_the_config_is_told() {
    let config = "[maintenances]\ndirectory = \"planned\"\n";
    let mut watched = Watched::new(BY_EVENT, "c.toml", |dir| {
        fs::create_dir(dir.join("planned")).expect("a directory");
        write(&dir.join("c.toml"), config);
    });
    let file = watched.path().join("planned/upgrade.toml");
    write(&file, "one");
    watched.is_told("a new file").await;
    write(&file, "two");
    watched.is_told("a changed one").await;
    fs::remove_file(&file).expect("removing");
    watched.is_told("one that is gone").await;
}
