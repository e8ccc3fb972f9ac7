//! One node key after another, while forms come and go.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use intermission::digest;
use intermission::id::NodeTag;
use intermission::limit;
use intermission::store::Store;
use intermission::vault::capture::Fresh;
use intermission::vault::form::Kind;
use intermission::vault::item::{Checked, State};
use intermission::vault::keys::{KeySource, Keys, NodeKey, NodeKeyError};
use intermission::vault::rekey::NotTurned;
use intermission::vault::resume::{Leads, Outcome};
use intermission::vault::{Mode, Owner, Vault};

use super::house::{House, arrival, body};

/// A vault over the same store with these keys.
fn with_keys(house: &House, keys: impl Into<Keys>) -> Vault {
    let store: Arc<dyn Store> = Arc::clone(&house.store) as _;
    Vault::new(store, keys, house.clock.clone(), NodeTag(1))
}

#[tokio::test]
async fn a_new_key_seals_and_the_one_before_goes_when_nothing_needs_it() {
    let house = House::new();
    let owner = Owner::generate();
    let before = house.keep(&owner, b"name=Ana").await.id;
    let token = owner.page_token(before, 1);
    let (item, code) = house.vault.code(&owner, before, &token).await.expect("a code");
    let copied = fs::read(house.dir.path().join("node.key")).expect("a key");
    let standing = house.vault.turn_key().expect("a new key");
    assert_eq!(standing.former.len(), 1);
    assert!(matches!(house.vault.turn_key(), Err(NotTurned::Unfinished { .. })), "one at a time");
    let after = house.keep(&owner, b"name=Bea").await.id;
    for id in [before, after] {
        assert!(house.vault.open(&owner, id).await.expect("open").record.is_some());
    }
    assert_eq!(house.vault.rewrap().await.expect("done").left, Some(0));
    let former = house.dir.path().join("node.key.former");
    house.vault.rewrap().await.expect("done");
    assert!(former.exists(), "a capture that began before may still come in");
    house.pass(limit::FORMER_KEY_HELD);
    assert_eq!(house.vault.rewrap().await.expect("done").former, []);
    assert!(!former.exists());
    let house = house.restart();
    for id in [before, after] {
        assert!(house.vault.open(&owner, id).await.expect("open").record.is_some());
    }
    let (reference, code) = (item.reference.to_string(), code.text());
    let address = [192, 0, 2, 1].into();
    assert!(house.vault.by_code(address, &reference, &code).await.is_ok(), "codes go along");
    let thief = NodeKey::from_bytes(copied.try_into().expect("32 bytes"));
    let opened = with_keys(&house, thief).open(&owner, after).await.expect("its owner's");
    assert!(opened.record.is_none(), "the old key opens nothing any more");
}

#[tokio::test]
async fn a_key_that_is_lost_spoils_what_it_sealed_and_nothing_else() {
    let house = House::new();
    let owner = Owner::generate();
    let sealed = house.keep(&owner, b"name=Ana").await.id;
    let wrong = with_keys(&house, NodeKey::from_bytes([9; 32]));
    let standing = wrong.rewrap().await.expect("looked at");
    assert_eq!((standing.lost, standing.left), (1, Some(0)));
    let shown = wrong.open(&owner, sealed).await.expect("its owner's");
    assert_eq!((shown.item.state, shown.record), (State::Unreadable, None));
    assert_eq!(wrong.list(&owner).await.expect("listed").len(), 1);
    let mut form = house.receive(&owner, Kind::Urlencoded, "application/x-www-form-urlencoded");
    form.push(Bytes::from_static(b"name=Bea")).await.expect("taken");
    form.finish().await.expect("kept");
    assert_eq!(house.state(&owner, sealed).await, State::Held, "with its key back it opens again");
    let lent = Keys::new(NodeKey::from_bytes([9; 32]), vec![key_of(house.dir.path())]);
    let both = with_keys(&house, lent);
    assert_eq!(both.rewrap().await.expect("done").left, Some(0));
    assert!(both.open(&owner, sealed).await.expect("open").record.is_some());
    assert!(matches!(both.turn_key(), Err(NotTurned::Configured)));
    let alone = with_keys(&house, NodeKey::from_bytes([9; 32]));
    assert!(alone.open(&owner, sealed).await.expect("open").record.is_some(), "wrapped anew");
}

fn key_of(dir: &Path) -> NodeKey {
    NodeKey::from_source(&KeySource::File(dir.join("node.key"))).expect("the key")
}

#[tokio::test]
async fn a_second_click_is_known_whatever_became_of_the_nodes_key() {
    let house = House::new();
    let owner = Owner::generate();
    let first = house.keep(&owner, b"name=Ana").await;
    house.vault.turn_key().expect("a new key");
    let again = house.keep(&owner, b"name=Ana").await;
    assert_eq!((again.id, again.kept), (first.id, Fresh::Same));
    house.vault.rewrap().await.expect("done");
    assert_eq!(house.keep(&owner, b"name=Ana").await.id, first.id);
    assert_ne!(house.keep(&owner, b"name=Bea").await.id, first.id, "other answers");
    let other = house.keep(&Owner::generate(), b"name=Ana").await;
    assert_ne!(other.id, first.id, "another browser");
}

#[tokio::test]
async fn of_many_former_keys_that_nothing_needs_the_oldest_goes() {
    let house = House::new();
    let mut ids = vec![house.vault.key_standing().first];
    for _ in 0..=limit::FORMER_KEYS_MAX {
        ids.push(house.vault.turn_key().expect("a new key").first);
        house.vault.rewrap().await.expect("done");
    }
    let standing = house.vault.key_standing();
    assert_eq!(standing.former.len(), limit::FORMER_KEYS_MAX);
    assert!(!standing.former.contains(&ids[0]) && standing.former.contains(&ids[1]));
    let kept = house.restart().vault.key_standing();
    assert_eq!((kept.first, kept.former), (standing.first, standing.former));
}

/// One visitor: captures, is armed, sends, and gets what was typed.
async fn visit(house: &House, number: u32) {
    let owner = Owner::generate();
    let typed = format!("name=Ana&number={number}");
    let mut form = house.receive(&owner, Kind::Urlencoded, "application/x-www-form-urlencoded");
    form.push(Bytes::from(typed.clone())).await.expect("taken");
    let id = form.finish().await.expect("kept").id;
    let version = house.vault.open(&owner, id).await.expect("open").item.version;
    let (token, ticket) = (owner.page_token(id, version), owner.ticket(id, version));
    let armed = house.vault.arm(&owner, id, &token, Mode::Replay, Checked::No).await;
    armed.unwrap_or_else(|error| panic!("{number}: {error}"));
    let claim = house.vault.claim(&owner, &ticket, arrival(Mode::Replay)).await.expect("a claim");
    let sending = claim.sending(Vec::new()).await.expect("marked");
    assert_eq!(body(&sending).await, typed.as_bytes());
    let settled = sending.settle(Outcome::Answered(200, Leads::Onwards)).await;
    assert_eq!(settled.expect("settled"), State::Accepted);
    assert!(house.vault.open(&owner, id).await.expect("open").record.is_some());
}

#[tokio::test]
async fn a_key_turns_under_captures_and_sends_and_loses_nothing() {
    let house = Arc::new(House::new());
    for round in 0..3 {
        let first = house.vault.key_standing().first;
        let visits = (0..40).map(|number| {
            let house = Arc::clone(&house);
            tokio::spawn(async move { visit(&house, round * 100 + number).await })
        });
        let visits: Vec<_> = visits.collect();
        house.vault.turn_key().expect("a new key");
        while !visits.iter().all(tokio::task::JoinHandle::is_finished) {
            house.vault.rewrap().await.expect("done");
            tokio::task::yield_now().await;
        }
        for visit in visits {
            visit.await.expect("whole");
        }
        assert_ne!(house.vault.key_standing().first, first);
        assert_eq!(house.vault.rewrap().await.expect("done").lost, 0);
        house.pass(limit::FORMER_KEY_HELD);
        house.vault.rewrap().await.expect("done");
        assert_eq!(house.vault.rewrap().await.expect("done").former, [], "round {round}");
    }
    assert_eq!(house.census().await.submissions, [(State::Accepted, 120)]);
}

#[test]
fn a_key_may_be_text_and_must_be_private_in_a_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let (path, key) = (dir.path().join("key"), [7; 32]);
    let read = || NodeKey::from_source(&KeySource::File(path.clone()));
    let texts = [digest::hex(&key) + "\n", digest::base64(&key), digest::base64url(&key)];
    for text in texts.map(String::into_bytes).into_iter().chain([key.to_vec()]) {
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changed");
        assert_eq!(read().expect("a key").id(), NodeKey::from_bytes(key).id());
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
    assert!(matches!(read(), Err(NodeKeyError::Permissions { mode: 0o644, .. })));
    fs::write(&path, "not a key").expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changed");
    assert!(matches!(read(), Err(NodeKeyError::Size { len: 9, .. })));
}

const VARIABLE: &str = "INTERMISSION_TEST_NODE_KEY";

/// Runs itself again, since a process's environment is not to be changed while tests read it.
#[test]
fn a_key_may_be_in_the_environment_or_a_credential() {
    let wanted = NodeKey::from_bytes([5; 32]).id();
    let env = NodeKey::from_source(&KeySource::Env(VARIABLE.to_owned()));
    let credential = NodeKey::from_source(&KeySource::Credential("seal".to_owned()));
    if std::env::var_os(VARIABLE).is_some() {
        assert_eq!(env.expect("a key").id(), wanted);
        assert_eq!(credential.expect("a key").id(), wanted);
        return;
    }
    assert!(matches!(env, Err(NodeKeyError::Variable { .. })), "nobody has set it here");
    let credentials = tempfile::tempdir().expect("a folder");
    fs::write(credentials.path().join("seal"), [5; 32]).expect("written");
    let mut again = Command::new(std::env::current_exe().expect("this binary"));
    let name = "vault::keys::a_key_may_be_in_the_environment_or_a_credential";
    again.args([name, "--exact"]).env("CREDENTIALS_DIRECTORY", credentials.path());
    let ran = |value: &str| again.env(VARIABLE, value).output().expect("it runs");
    let mut ran = ran;
    assert!(ran(&digest::hex(&[5; 32])).status.success());
    assert!(!ran(&digest::hex(&[6; 32])).status.success(), "another key is found out");
}
