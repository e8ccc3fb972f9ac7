//! References, resume codes, and keys that are wrapped anew.

use intermission::id::Id;
use intermission::limit;
use intermission::store::{Holder, Kept, Store, StoreError, Wrap};
use intermission::vault::item::{Item, State};

use super::{NOON, item, quota, sealed};

async fn kept(store: &dyn Store) -> Item {
    let item = item("ada", NOON, 1);
    let done = store.keep(item.clone(), sealed(1, 100), quota()).await;
    assert_eq!(done, Ok(Kept::New));
    item
}

pub(super) async fn a_reference_is_like_no_other(store: &dyn Store) {
    let first = kept(store).await;
    let twin = Item { reference: first.reference, ..item("bob", NOON, 1) };
    assert_eq!(store.keep(twin.clone(), sealed(1, 100), quota()).await, Ok(Kept::New));
    let stored = store.item(twin.id).await.expect("readable").expect("kept");
    assert_ne!(stored.reference, first.reference, "taken, so it got another one");
    for item in [&first, &stored] {
        let found = store.referred(item.reference).await.expect("readable").expect("found");
        assert_eq!((&found.item, found.code), (item, None));
    }
    assert_eq!(store.referred(item("eve", NOON, 1).reference).await, Ok(None));
}

pub(super) async fn a_code_is_counted_void_and_gone_with_the_content(store: &dyn Store) {
    let item = kept(store).await;
    let code = async || {
        let found = store.referred(item.reference).await.expect("readable");
        found.expect("kept").code
    };
    store.keep_code(item.id, vec![1; 100]).await.expect("it has content");
    assert_eq!(code().await, Some(vec![1; 100]));
    store.keep_code(item.id, vec![2; 100]).await.expect("in place of the first");
    for _ in 1..limit::CODE_WRONG_MAX {
        store.wrong_code(item.id).await.expect("counted");
    }
    assert_eq!(code().await, Some(vec![2; 100]), "one is left");
    store.wrong_code(item.id).await.expect("counted");
    assert_eq!(code().await, None, "void");
    store.wrong_code(item.id).await.expect("counted");
    store.keep_code(item.id, vec![3; 100]).await.expect("its owner may have another");
    assert_eq!(code().await, Some(vec![3; 100]));
    let discarded = Item { version: 2, state: State::Discarded, ..item.clone() };
    store.update(discarded).await.expect("erased");
    assert_eq!(code().await, None);
    assert_eq!(store.keep_code(item.id, vec![4; 100]).await, Err(StoreError::Conflict));
    let stranger = Id::from_bytes([9; 20]);
    assert_eq!(store.keep_code(stranger, vec![4; 100]).await, Err(StoreError::Conflict));
    assert_eq!(store.wrong_code(stranger).await, Ok(()), "nothing to count");
}

pub(super) async fn wrapped_keys_change_under_a_submission_and_nothing_else_does(
    store: &dyn Store,
) {
    let (old, new) = ([2, 0, 0, 0, 1], [2, 0, 0, 0, 2]);
    let mut items = Vec::new();
    for n in 0..5u8 {
        let wrapped_key = [&old[..], &[n; 60]].concat();
        let next = Item { wrapped_key, ..item("ada", NOON, 1) };
        store.keep(next.clone(), sealed(1, 100), quota()).await.expect("room");
        store.keep_code(next.id, [&old[..], &[n + 10; 60]].concat()).await.expect("a code");
        items.push(next);
    }
    items.sort_by_key(|item| item.id);
    for holder in [Holder::Browser, Holder::Code] {
        let all = store.wraps_unlike(holder, new, None, 9).await.expect("readable");
        let ids: Vec<_> = all.iter().map(|wrap| wrap.submission).collect();
        assert_eq!(ids, items.iter().map(|item| item.id).collect::<Vec<_>>());
        let page = store.wraps_unlike(holder, new, Some(ids[1]), 2).await.expect("readable");
        assert_eq!(page, all[2..4], "in pages");
        assert_eq!(store.wraps_unlike(holder, old, None, 9).await, Ok(Vec::new()));
        let anew = |wrap: &Wrap| {
            let rest = &wrap.wrapped_key[5..];
            (wrap.clone(), [&new[..], rest].concat())
        };
        let stale = Wrap { wrapped_key: vec![7; 65], ..all[0].clone() };
        let mut wraps: Vec<_> = all[1..].iter().map(anew).collect();
        wraps.push((stale, vec![8; 65]));
        store.rewrap(holder, wraps).await.expect("done");
        let left = store.wraps_unlike(holder, new, None, 9).await.expect("readable");
        assert_eq!(left, all[..1], "one had changed meanwhile, and stays");
    }
    // Somebody who read the submission before changes its state: the new key stays.
    let before = items.pop().expect("five");
    let armed = Item { version: 2, state: State::Armed, ..before.clone() };
    store.update(armed).await.expect("its version is the same");
    let after = store.item(before.id).await.expect("readable").expect("kept");
    assert_eq!(after.wrapped_key, [&new[..], &before.wrapped_key[5..]].concat());
    assert_eq!((after.version, after.state), (2, State::Armed));
}
