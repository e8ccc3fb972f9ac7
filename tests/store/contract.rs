//! What any engine promises, told to the trait alone.

use std::time::Duration;

use intermission::clock::Wall;
use intermission::duty::{Duty, Posting};
use intermission::id::{Id, NodeTag};
use intermission::store::{Commit, Kept, Quota, Store, StoreError};
use intermission::vault::item::{Item, State};
use intermission::window::maintenance::{Maintenance, Phase};
use intermission::window::plan::Plan;
use intermission::window::scope::Scope;
use intermission::window::state::{Author, Checks, Event, Mode, Order, Step, Texts, Window};

pub(super) use super::codes::{
    a_code_is_counted_void_and_gone_with_the_content, a_reference_is_like_no_other,
    wrapped_keys_change_under_a_submission_and_nothing_else_does,
};
pub(super) use super::grants::{
    a_key_belongs_to_one_creation_until_its_time_is_over,
    only_what_has_expired_makes_room_for_a_bypass, the_audit_is_numbered_and_read_in_pages,
    tokens_and_bypasses_are_kept_and_changed, what_was_revoked_makes_room_too,
};
pub(super) use super::tallies::{a_window_s_forms_are_counted, tallies_are_kept};
use super::{NOON, browser, content, item, quota, sealed};

pub(super) fn begin(at: Wall) -> Step {
    let order = Order {
        scope: Scope::default(),
        mode: Mode::Page,
        texts: Texts { reason: "database upgrade".to_owned(), ..Texts::default() },
        promised_end: Some(at.plus(Duration::from_secs(900))),
        plan: Plan::draining(Duration::from_secs(30)),
    };
    Window::begin(Id::new(at, NodeTag(1)), order, &operator(), at)
}

fn operator() -> Author {
    Author { by: "ops".to_owned(), why: "as announced".to_owned() }
}

fn end(window: &Window, at: Wall) -> Step {
    let step =
        window.clone().step(&Event::End(Checks::Planned), &operator(), at).expect("it is in force");
    step.expect("ending changes it")
}

pub(super) async fn a_window_moves_from_force_to_the_past_with_its_history(store: &dyn Store) {
    let (first, second) = (begin(NOON), begin(NOON.plus(Duration::from_secs(1))));
    store.commit(first.clone().into()).await.expect("a new window");
    store.commit(second.clone().into()).await.expect("a new window");
    let both = vec![first.window.clone(), second.window.clone()];
    assert_eq!(store.windows().await, Ok(both));
    assert_eq!(store.ended_windows(9).await, Ok(vec![]));

    let ended = end(&first.window, NOON.plus(Duration::from_secs(60)));
    store.commit(ended.clone().into()).await.expect("the version before is stored");
    assert_eq!(store.windows().await, Ok(vec![second.window.clone()]));
    assert_eq!(store.ended_windows(9).await, Ok(vec![ended.window.clone()]));
    assert_eq!(store.window(first.window.id).await, Ok(Some(ended.window.clone())));
    assert_eq!(store.window(Id::new(NOON, NodeTag(9))).await, Ok(None));

    let history = store.history_of(first.window.id).await;
    assert_eq!(history, Ok(vec![first.entry.clone(), ended.entry.clone()]));
    assert_eq!(store.history(2).await, Ok(vec![ended.entry, second.entry]));
}

pub(super) async fn a_window_that_changed_meanwhile_is_a_conflict(store: &dyn Store) {
    let first = begin(NOON);
    store.commit(first.clone().into()).await.expect("a new window");
    assert_eq!(store.commit(first.clone().into()).await, Err(StoreError::Conflict), "begun twice");
    let (won, lost) = (end(&first.window, NOON), end(&first.window, NOON));
    store.commit(won.clone().into()).await.expect("the first to end it");
    assert_eq!(store.commit(lost.into()).await, Err(StoreError::Conflict));
    assert_eq!(store.history_of(first.window.id).await, Ok(vec![first.entry, won.entry]));
}

fn phase_of(maintenance: Id, number: u32) -> Step {
    let at = NOON.plus(Duration::from_secs(u64::from(number)));
    let order = Order {
        scope: Scope::default(),
        mode: Mode::Page,
        texts: Texts::default(),
        promised_end: None,
        plan: Plan::draining(Duration::from_secs(30)),
    };
    let phase = Phase { maintenance, number, name: String::new() };
    Window::planned(Id::new(at, NodeTag(1)), phase, order, &operator(), at)
}

fn cancel(window: &Window) -> Step {
    let step = window.clone().step(&Event::Cancel, &operator(), NOON).expect("it is planned");
    step.expect("that changes it")
}

pub(super) async fn a_maintenance_is_kept_with_its_windows_or_not_at_all(store: &dyn Store) {
    let id = Id::new(NOON, NodeTag(1));
    let steps = [phase_of(id, 1), phase_of(id, 2)];
    let document = serde_json::json!({
        "id": id, "version": 1, "title": "upgrade", "kind": "planned", "severity": "major",
        "owner": "", "texts": {}, "created": NOON, "by": "ops",
        "windows": steps.each_ref().map(|step| step.window.id),
    });
    let first: Maintenance = serde_json::from_value(document).expect("a maintenance");
    let whole = Commit { steps: steps.to_vec(), maintenances: vec![first.clone()] };
    store.commit(whole.clone()).await.expect("all of it is new");
    assert_eq!(store.maintenances().await, Ok(vec![first.clone()]));
    assert_eq!(store.maintenance(id).await, Ok(Some(first.clone())));
    assert_eq!(store.windows().await.expect("readable").len(), 2);
    // One part that does not fit, and nothing is kept of the others.
    let third = phase_of(id, 3);
    let late = Commit { steps: vec![third.clone()], maintenances: vec![first.clone()] };
    assert_eq!(store.commit(late).await, Err(StoreError::Conflict));
    assert_eq!(store.window(third.window.id).await, Ok(None));
    let told = Maintenance { version: 2, owner: "dba".to_owned(), ..first };
    let stale = Commit { steps: vec![steps[0].clone()], maintenances: vec![told.clone()] };
    assert_eq!(store.commit(stale).await, Err(StoreError::Conflict));
    assert_eq!(store.maintenance(id).await.expect("readable").expect("kept").version, 1);
    let alone = Commit { steps: Vec::new(), maintenances: vec![told.clone()] };
    store.commit(alone).await.expect("the version before is stored");
    // It is over with its last window.
    store.commit(cancel(&steps[0].window).into()).await.expect("planned");
    assert_eq!(store.ended_maintenances(9).await, Ok(vec![]));
    store.commit(cancel(&steps[1].window).into()).await.expect("planned");
    assert_eq!(store.maintenances().await, Ok(vec![]));
    assert_eq!(store.ended_maintenances(9).await, Ok(vec![told]));
}

fn posting(server: &str, version: u64, state: Duty) -> Posting {
    let [upstream, server, by] = ["app", server, "ops"].map(str::to_owned);
    Posting { upstream, server, version, state, at: NOON, by, why: "new disks".to_owned() }
}

pub(super) async fn the_newest_decision_about_a_server_holds_and_all_are_kept(store: &dyn Store) {
    assert_eq!(store.postings().await, Ok(vec![]));
    let a = [posting("a:1", 1, Duty::Drain), posting("a:1", 2, Duty::Maint)];
    let b = posting("b:1", 1, Duty::Ready);
    let elsewhere = Posting { upstream: "other".to_owned(), ..posting("a:1", 1, Duty::Maint) };
    for one in [&a[0], &b, &a[1], &elsewhere] {
        store.post(one.clone()).await.expect("the version before is stored");
    }
    let newest = vec![a[1].clone(), b.clone(), elsewhere];
    assert_eq!(store.postings().await, Ok(newest.clone()));
    for late in [a[1].clone(), posting("a:1", 4, Duty::Ready), posting("c:1", 2, Duty::Ready)] {
        assert_eq!(store.post(late).await, Err(StoreError::Conflict));
    }
    assert_eq!(store.postings().await, Ok(newest));
    let [first, second] = a;
    let all = store.postings_of("app".to_owned(), 9).await;
    assert_eq!(all, Ok(vec![second.clone(), b, first]), "newest first, of this upstream only");
    assert_eq!(store.postings_of("app".to_owned(), 1).await, Ok(vec![second]));
}

pub(super) async fn what_is_kept_comes_back_as_it_was(store: &dyn Store) {
    let mut kept = item("ada", NOON, 3);
    kept.ticket = Some(browser("ticket"));
    kept.answer = Some(503);
    kept.size = 1 << 40;
    let frames = sealed(3, 70_000);
    assert_eq!(store.keep(kept.clone(), frames.clone(), quota()).await, Ok(Kept::New));
    assert_eq!(store.item(kept.id).await, Ok(Some(kept.clone())));
    assert_eq!(store.frames(kept.id, 1, 1).await, Ok(vec![frames[1].1.clone()]));
    assert_eq!(store.frames(kept.id, 1, 9).await.expect("frames").len(), 2);
    assert_eq!(store.keep(kept.clone(), frames, quota()).await, Err(StoreError::Conflict));
    let census = store.census().await.expect("counts");
    assert_eq!((census.submissions, census.bytes), (vec![(State::Held, 1)], 210_000));
}

pub(super) async fn an_upload_arrives_frame_by_frame(store: &dyn Store) {
    let kept = item("ada", NOON, 40);
    for frame in 0..39 {
        store.append(kept.id, frame, content(frame, 65_552)).await.expect("a frame");
    }
    assert_eq!(store.append(kept.id, 3, vec![1]).await, Err(StoreError::Conflict));
    assert_eq!(store.item(kept.id).await, Ok(None), "not a submission yet");
    let roomy = Quota { bytes_per_browser: 1 << 30, ..quota() };
    let last = vec![(39, content(39, 17))];
    assert_eq!(store.keep(kept.clone(), last, roomy).await, Ok(Kept::New));
    super::assert_whole(store, kept.id).await;
    assert_eq!(store.append(kept.id, 40, vec![1]).await, Err(StoreError::Conflict));
    store.drop_frames(kept.id).await.expect("nothing to drop");
    super::assert_whole(store, kept.id).await;
    assert_eq!(store.census().await.expect("counts").bytes, 39 * 65_552 + 17);
}

pub(super) async fn half_a_submission_is_never_kept(store: &dyn Store) {
    let torn = item("ada", NOON, 3);
    store.append(torn.id, 0, vec![1; 10]).await.expect("a frame");
    let answer = store.keep(torn.clone(), vec![(2, vec![1; 10])], quota()).await;
    assert!(matches!(answer, Err(StoreError::Failed(_))), "{answer:?}");
    assert_eq!(store.item(torn.id).await, Ok(None));
    assert_eq!(store.frames(torn.id, 0, 9).await.expect("frames").len(), 1, "undone alone");
    store.drop_frames(torn.id).await.expect("given up");
    assert_eq!(store.frames(torn.id, 0, 9).await, Ok(vec![]));
    assert_eq!(store.census().await.expect("counts").bytes, 0);
}

pub(super) async fn a_double_click_is_one_submission(store: &dyn Store) {
    let first = item("ada", NOON, 1);
    store.keep(first.clone(), sealed(1, 100), quota()).await.expect("room");
    let again = Item { id: Id::new(NOON, NodeTag(1)), ..first.clone() };
    store.append(again.id, 0, vec![1; 50]).await.expect("a frame");
    assert_eq!(store.keep(again.clone(), vec![], quota()).await, Ok(Kept::Same(first.id)));
    assert_eq!(store.frames(again.id, 0, 9).await, Ok(vec![]), "its frames are dropped");
    assert_eq!(store.census().await.expect("counts").bytes, 100);

    let other = Item { browser: browser("bob"), ..again.clone() };
    assert_eq!(store.keep(other, sealed(1, 100), quota()).await, Ok(Kept::New), "another's");
    let later = Quota { same_since: NOON.plus(Duration::from_millis(1)), ..quota() };
    let again = Item { id: Id::new(NOON, NodeTag(1)), ..again };
    assert_eq!(store.keep(again, sealed(1, 100), later).await, Ok(Kept::New), "too long ago");

    let over = Item { version: 2, state: State::Accepted, ..item("eve", NOON, 1) };
    store
        .keep(Item { version: 1, state: State::Held, ..over.clone() }, sealed(1, 9), quota())
        .await
        .expect("room");
    store.update(over.clone()).await.expect("accepted");
    let anew = Item { id: Id::new(NOON, NodeTag(1)), version: 1, state: State::Held, ..over };
    assert_eq!(store.keep(anew, sealed(1, 9), quota()).await, Ok(Kept::New), "answered: over");
}

pub(super) async fn quotas_hold_and_content_that_is_gone_frees_them(store: &dyn Store) {
    let tight = Quota { per_browser: 2, bytes_per_browser: 100, bytes: 150, ..quota() };
    let first = item("ada", NOON, 1);
    store.keep(first.clone(), sealed(1, 60), tight).await.expect("room");
    let refused = |answer| assert!(matches!(answer, Err(StoreError::Quota(_))), "{answer:?}");
    refused(store.keep(item("ada", NOON, 1), sealed(1, 41), tight).await);
    store.keep(item("ada", NOON, 1), sealed(1, 40), tight).await.expect("exactly full");
    refused(store.keep(item("ada", NOON, 1), sealed(1, 0), tight).await);
    let upload = item("bob", NOON, 2);
    store.append(upload.id, 0, vec![1; 45]).await.expect("a frame");
    refused(store.keep(upload.clone(), vec![(1, vec![1; 6])], tight).await);
    assert_eq!(store.item(upload.id).await, Ok(None));
    store.keep(upload, vec![(1, vec![1; 5])], tight).await.expect("exactly full");

    store.update(Item { version: 2, state: State::Discarded, ..first }).await.expect("discarded");
    assert_eq!(store.census().await.expect("counts").bytes, 90);
    store.keep(item("ada", NOON, 1), sealed(1, 60), tight).await.expect("room again");
}

pub(super) async fn only_the_version_before_can_be_changed(store: &dyn Store) {
    let held = item("ada", NOON, 1);
    store.keep(held.clone(), sealed(1, 100), quota()).await.expect("room");
    let armed = Item {
        version: 2,
        state: State::Armed,
        ticket: Some(browser("ticket")),
        sends: 1,
        due: NOON,
        ..held.clone()
    };
    store.update(armed.clone()).await.expect("armed");
    assert_eq!(store.item(held.id).await, Ok(Some(armed.clone())));
    assert_eq!(store.update(armed).await, Err(StoreError::Conflict), "armed twice");
    let stranger = Item { version: 2, ..item("ada", NOON, 1) };
    assert_eq!(store.update(stranger).await, Err(StoreError::Conflict), "never kept");
}

pub(super) async fn content_goes_with_the_last_state(store: &dyn Store) {
    for state in [State::Done, State::Discarded, State::Expired] {
        let kept = item("ada", NOON, 2);
        store.keep(kept.clone(), sealed(2, 100), quota()).await.expect("room");
        store.update(Item { version: 2, state, ..kept.clone() }).await.expect("erased");
        assert_eq!(store.frames(kept.id, 0, 9).await, Ok(vec![]));
        let left = store.item(kept.id).await.expect("reads").expect("a tombstone");
        assert_eq!((left.state, left.wrapped_key, left.sealed_head), (state, vec![], vec![]));
        assert_eq!((left.size, left.route), (kept.size, kept.route));
    }
    assert_eq!(store.census().await.expect("counts").bytes, 0);
}

pub(super) async fn submissions_are_found_by_owner_state_and_time(store: &dyn Store) {
    let at = |secs| NOON.plus(Duration::from_secs(secs));
    let items: Vec<_> = (0..5).map(|n| Item { due: at(n), ..item("ada", at(n), 1) }).collect();
    for item in items.iter().cloned() {
        store.keep(item, sealed(1, 10), quota()).await.expect("room");
    }
    store.keep(item("bob", at(9), 1), sealed(1, 10), quota()).await.expect("room");
    let done = Item { version: 2, state: State::Done, due: at(90), ..items[2].clone() };
    store.update(done).await.expect("done");
    let ids = |items: Result<Vec<Item>, StoreError>| -> Vec<Id> {
        items.expect("reads").into_iter().map(|item| item.id).collect()
    };
    let newest_first: Vec<_> = items.iter().rev().map(|item| item.id).collect();
    assert_eq!(ids(store.items_of(browser("ada")).await), newest_first);
    assert_eq!(ids(store.items_in(State::Done).await), [items[2].id]);
    assert_eq!(ids(store.due(at(3), 9).await), [items[0].id, items[1].id, items[3].id]);
    assert_eq!(ids(store.due(at(3), 2).await), [items[0].id, items[1].id]);

    let answer = store.bury(items[0].id).await;
    assert!(matches!(answer, Err(StoreError::Failed(_))), "it has content: {answer:?}");
    store.bury(items[2].id).await.expect("a tombstone");
    store.bury(items[2].id).await.expect("nothing to do");
    assert_eq!(store.item(items[2].id).await, Ok(None));
    assert_eq!(store.census().await.expect("counts").submissions, [(State::Held, 5)]);
}
