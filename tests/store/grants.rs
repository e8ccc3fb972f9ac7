//! What any engine promises of tokens, bypasses, the audit and answers to creations.

use std::time::Duration;

use intermission::digest::{self, Hash};
use intermission::grant::reply::{Answer, Reply};
use intermission::grant::{Audit, Bypass, Role, Token};
use intermission::id::{Id, NodeTag};
use intermission::limit;
use intermission::store::{Store, StoreError};
use intermission::window::scope::{Scope, Selection};
use serde_json::json;

use super::NOON;

const HOUR: Duration = Duration::from_secs(3600);

fn token(name: &str) -> Token {
    let routes = Selection::of(["claims".to_owned()]);
    Token {
        id: Id::new(NOON, NodeTag(1)),
        name: name.to_owned(),
        hash: digest::random(),
        role: Role::Operator,
        scope: Scope { routes, ..Scope::default() },
        created: NOON,
        by: "ops".to_owned(),
        not_after: None,
        revoked: None,
    }
}

fn bypass(at: u64) -> Bypass {
    let created = NOON.plus(HOUR * u32::try_from(at).expect("few"));
    Bypass {
        id: Id::new(created, NodeTag(1)),
        hash: digest::random(),
        networks: vec!["10.0.0.0/8".parse().expect("a network")],
        scope: Scope::default(),
        window: None,
        created,
        not_after: created.plus(Duration::from_secs(1)),
        by: "ops".to_owned(),
        why: "to look".to_owned(),
        revoked: None,
    }
}

fn entry(subject: &str) -> Audit {
    Audit {
        seq: 99,
        at: NOON,
        by: "ops".to_owned(),
        action: "POST /api/v1/switches".to_owned(),
        subject: subject.to_owned(),
        refused: None,
        before: None,
        after: Some(json!({ "window": { "id": "1" } })),
        from: "127.0.0.1".to_owned(),
    }
}

fn begun(key: Hash, asked: &str) -> Reply {
    let asked = digest::sha256(asked.as_bytes());
    Reply { key, asked, at: NOON, not_after: NOON.plus(limit::REPLY_KEPT), answer: None }
}

fn answered(reply: &Reply) -> Reply {
    let fields = vec![("etag".to_owned(), "\"1\"".to_owned())];
    let answer = Answer { status: 201, fields, body: b"{}".to_vec() };
    Reply { answer: Some(answer), ..reply.clone() }
}

pub(super) async fn tokens_and_bypasses_are_kept_and_changed(store: &dyn Store) {
    let (one, other) = (token("ada"), token("bob"));
    for kept in [&one, &other] {
        store.keep_token(kept.clone()).await.expect("room");
    }
    let revoked = Token { revoked: Some(NOON.plus(HOUR)), ..one.clone() };
    store.keep_token(revoked.clone()).await.expect("room");
    let tokens = store.tokens().await.expect("a sound store reads");
    assert!(tokens.len() == 2 && tokens.contains(&revoked) && tokens.contains(&other));

    let one = bypass(0);
    store.keep_bypass(one.clone()).await.expect("room");
    let revoked = Bypass { revoked: Some(NOON), ..one };
    store.keep_bypass(revoked.clone()).await.expect("room");
    assert_eq!(store.bypasses().await, Ok(vec![revoked]));
}

pub(super) async fn only_what_has_expired_makes_room_for_a_bypass(store: &dyn Store) {
    let most = u64::from(limit::BYPASSES_KEPT_MAX);
    for at in 0..=most {
        store.keep_bypass(bypass(at)).await.expect("those before it have expired");
    }
    let kept = store.bypasses().await.expect("a sound store reads");
    assert_eq!(kept.len() as u64, most);
    assert_eq!(kept[0].created, bypass(1).created, "the oldest was forgotten");
    // The control: made at a time when none of the others has expired.
    let early = bypass(0);
    let refused = store.keep_bypass(early).await;
    assert!(matches!(refused, Err(StoreError::Quota(_))), "{refused:?}");
    assert_eq!(store.bypasses().await.map(|kept| kept.len() as u64), Ok(most));
}

pub(super) async fn the_audit_is_numbered_and_read_in_pages(store: &dyn Store) {
    for number in 1..=5 {
        let noted = store.note(entry(&format!("/{number}"))).await;
        assert_eq!(noted, Ok(number), "the store gives the numbers");
    }
    let page = store.audit(None, 2).await.expect("a sound store reads");
    let told: Vec<_> = page.iter().map(|entry| (entry.seq, &*entry.subject)).collect();
    assert_eq!(told, [(5, "/5"), (4, "/4")], "newest first");
    assert_eq!(page[0], Audit { seq: 5, ..entry("/5") });
    let rest = store.audit(Some(4), 9).await.expect("a sound store reads");
    assert_eq!(rest.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(store.audit(Some(1), 9).await, Ok(vec![]));
}

pub(super) async fn a_key_belongs_to_one_creation_until_its_time_is_over(store: &dyn Store) {
    let key = digest::random();
    assert_eq!(store.reply(key).await, Ok(None));
    let first = begun(key, "one");
    store.keep_reply(first.clone()).await.expect("a new key");
    for taken in [first.clone(), begun(key, "other"), answered(&begun(key, "other"))] {
        assert_eq!(store.keep_reply(taken).await, Err(StoreError::Conflict));
    }
    assert_eq!(store.reply(key).await, Ok(Some(first.clone())), "under way");
    let done = answered(&first);
    store.keep_reply(done.clone()).await.expect("it was under way");
    assert_eq!(store.reply(key).await, Ok(Some(done.clone())));
    assert_eq!(store.keep_reply(done).await, Err(StoreError::Conflict), "answered once");

    let late = Reply { at: first.not_after, ..begun(key, "other") };
    store.keep_reply(late.clone()).await.expect("a day has passed");
    assert_eq!(store.reply(key).await, Ok(Some(late)));
    store.drop_reply(key).await.expect("forgotten");
    assert_eq!(store.reply(key).await, Ok(None));
}

pub(super) async fn what_was_revoked_makes_room_too(store: &dyn Store) {
    let first = token("first");
    store.keep_token(first.clone()).await.expect("room");
    for at in 1..limit::TOKENS_KEPT_MAX {
        store.keep_token(token(&format!("{at}"))).await.expect("room");
    }
    let late = || Token { created: NOON.plus(HOUR), ..token("late") };
    let refused = store.keep_token(late()).await;
    assert!(matches!(refused, Err(StoreError::Quota(_))), "all of them hold: {refused:?}");
    let revoked = Token { revoked: Some(NOON), ..first.clone() };
    store.keep_token(revoked).await.expect("it is there already");
    store.keep_token(late()).await.expect("one is over");
    let kept = store.tokens().await.expect("a sound store reads");
    assert!(kept.iter().all(|token| token.id != first.id));
}
