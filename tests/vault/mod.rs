//! The life of a submission.

/// Bodies made to fill memory, disk or logs.
mod abuse;
/// What opens a submission without the browser that sent it.
mod codes;
/// Bytes of forms: exact, bounded, in any chunks.
mod form;
/// A vault over the real store, and a clock that a test turns.
mod house;
/// Every state with every event, and what must hold on any way through them.
mod item;
/// One node key after another.
mod keys;
/// From capture to the outcome, over the real store.
mod life;
/// What is never kept.
mod policy;
/// Fresh tokens from live pages.
mod refresh;
/// What a thief, a flipped bit and another browser can open.
mod seal;

use intermission::clock::Wall;
use intermission::id::{Id, NodeTag, Reference};
use intermission::vault::item::{Item, State};

/// A submission in this state, captured long before `now`.
fn item(state: State, now: Wall) -> Item {
    Item {
        id: Id::new(now, NodeTag(1)),
        reference: Reference::random(),
        version: 7,
        state,
        browser: [1; 32],
        fingerprint: [2; 32],
        route: "claims".into(),
        region: "apac".into(),
        window: Some(Id::new(now, NodeTag(1))),
        captured: now,
        expires: Wall::from_millis(now.millis() + 1_000_000),
        due: now,
        size: 10,
        frames: 1,
        sends: 0,
        answer: None,
        ticket: None,
        wrapped_key: vec![3; 8],
        sealed_head: vec![4; 8],
    }
}
