//! From capture to the outcome, over the real store.

use std::time::Duration;

use bytes::Bytes;
use intermission::limit;
use intermission::store::{Census, Store};
use intermission::vault::capture::Fresh;
use intermission::vault::form::Kind;
use intermission::vault::item::{Checked, State};
use intermission::vault::receipt::Denied;
use intermission::vault::resume::{Arrival, Leads, NoClaim, Outcome};
use intermission::vault::{Bounds, Mode, NotKept, Owner};

use super::house::{House, MULTIPART, arrival, body};

#[tokio::test]
async fn a_form_is_kept_and_sent_exactly_once() {
    let house = House::new();
    let owner = Owner::generate();
    let kept = house.keep(&owner, b"name=Ana&csrf=old").await;
    assert_eq!(kept.kept, Fresh::New);
    let house = house.restart();
    let listed = house.vault.list(&owner).await.expect("listed");
    assert_eq!(listed.len(), 1);
    let record = listed[0].record.as_ref().expect("readable");
    assert_eq!(record.head.target, "/claims/new?step=2");
    assert_eq!(record.summary.tokens().collect::<Vec<_>>(), ["csrf"]);

    let ticket = house.arm(&owner, kept.id, Mode::Confirm).await;
    let other_mode = house.vault.claim(&owner, &ticket, arrival(Mode::Replay)).await;
    assert!(matches!(other_mode, Err(NoClaim::Spent(_))), "the mode is part of the ticket");
    let first = house.vault.claim(&owner, &ticket, arrival(Mode::Confirm)).await.expect("a claim");
    let second = house.vault.claim(&owner, &ticket, arrival(Mode::Confirm)).await.expect("a claim");
    let sending = first.sending(vec![("csrf".into(), "fresh".into())]).await.expect("marked");
    let twice = second.sending(Vec::new()).await;
    assert!(matches!(twice, Err(NoClaim::Spent(_))), "two claims, one send");
    assert_eq!(body(&sending).await, b"name=Ana&csrf=fresh");
    let state = sending.settle(Outcome::Answered(302, Leads::Onwards)).await.expect("settled");
    assert_eq!(state, State::Accepted);
    let again = house.vault.claim(&owner, &ticket, arrival(Mode::Confirm)).await;
    assert!(matches!(again, Err(NoClaim::Spent(id)) if id == kept.id));
}

#[tokio::test]
async fn an_upload_is_sealed_in_frames_and_comes_out_byte_for_byte() {
    let house = House::new();
    let owner = Owner::generate();
    let content: Vec<u8> =
        (0..300_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut whole =
        b"--b0undary\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n"
            .to_vec();
    whole.extend_from_slice(&content);
    whole.extend_from_slice(b"\r\n--b0undary--\r\n");
    // Exactly full frames, too: the last one must know that it is the last.
    for length in [whole.len(), 2 * limit::FRAME_BYTES] {
        let cut = whole.len() - length;
        let middle = 100..100 + cut;
        let mut sent = whole.clone();
        sent.drain(middle);
        let mut form = house.receive(&owner, Kind::Multipart, MULTIPART);
        for chunk in sent.chunks(10_007) {
            form.push(Bytes::copy_from_slice(chunk)).await.expect("taken");
        }
        let kept = form.finish().await.expect("kept");
        let item = house.vault.open(&owner, kept.id).await.expect("opened").item;
        assert_eq!(item.frames as usize, length.div_ceil(limit::FRAME_BYTES));
        let sending = house.send(&owner, kept.id, &[]).await;
        assert!(body(&sending).await == sent, "{length} bytes");
        sending.settle(Outcome::NeverSent).await.expect("settled");
        assert_eq!(house.state(&owner, kept.id).await, State::Held);
    }
}

#[tokio::test]
async fn an_empty_form_is_a_form() {
    let house = House::new();
    let owner = Owner::generate();
    let kept = house.keep(&owner, b"").await;
    let sending = house.send(&owner, kept.id, &[]).await;
    assert_eq!(body(&sending).await, b"");
}

#[tokio::test]
async fn a_client_that_vanishes_leaves_nothing_behind() {
    let house = House::new();
    let owner = Owner::generate();
    let mut form = house.receive(&owner, Kind::Urlencoded, "");
    let long = Bytes::from(vec![b'a'; 5_000]);
    form.push(Bytes::from_static(b"text=")).await.expect("taken");
    for _ in 0..50 {
        form.push(long.clone()).await.expect("taken");
    }
    assert!(house.census().await.bytes > 0, "frames were stored on the way");
    drop(form);
    assert_eq!(house.vault.sweep().await.expect("swept").dropped, 1);
    assert_eq!(house.census().await, Census::default());
    assert!(house.vault.list(&owner).await.expect("listed").is_empty());
}

#[tokio::test]
async fn a_double_click_is_one_submission() {
    let house = House::new();
    let (owner, other) = (Owner::generate(), Owner::generate());
    let first = house.keep(&owner, b"a=1").await;
    let second = house.keep(&owner, b"a=1").await;
    assert_eq!((second.id, second.kept), (first.id, Fresh::Same));
    assert_ne!(house.keep(&other, b"a=1").await.id, first.id, "another browser's is another");
    assert_ne!(house.keep(&owner, b"a=2").await.id, first.id, "an edited one is another");
    house.pass(limit::SAME_SUBMISSION + Duration::from_secs(1));
    assert_ne!(house.keep(&owner, b"a=1").await.id, first.id, "later it is meant");
}

#[tokio::test]
async fn what_is_not_to_be_kept_is_not() {
    let bounds = Bounds { per_browser: 1, ..Bounds::default() };
    let house = House::with(bounds);
    let owner = Owner::generate();
    let mut secret = house.receive(&owner, Kind::Urlencoded, "");
    assert_eq!(secret.push(Bytes::from_static(b"password=x")).await, Err(NotKept::Secret));
    drop(secret);
    let mut large = house.receive(&owner, Kind::Urlencoded, "");
    let chunk = Bytes::from(vec![b'a'; limit::FORM_BYTES_MAX as usize + 1]);
    assert_eq!(large.push(chunk).await, Err(NotKept::Size));
    drop(large);
    let mut cut = house.receive(&owner, Kind::Multipart, MULTIPART);
    cut.push(Bytes::from_static(b"--b0undary\r\n")).await.expect("taken");
    assert!(matches!(cut.finish().await, Err(NotKept::Broken(_))));
    assert_eq!(house.vault.admit(&owner, None).await, Ok(()));
    house.keep(&owner, b"a=1").await;
    assert!(matches!(house.vault.admit(&owner, None).await, Err(NotKept::Quota(_))));
    let mut second = house.receive(&owner, Kind::Urlencoded, "");
    second.push(Bytes::from_static(b"a=2")).await.expect("taken");
    assert!(matches!(second.finish().await, Err(NotKept::Quota(_))));
    assert_eq!(house.census().await.submissions, [(State::Held, 1)]);
}

#[tokio::test]
async fn nothing_is_called_kept_that_the_store_did_not_take() {
    let house = House::new();
    let owner = Owner::generate();
    let mut form = house.receive(&owner, Kind::Urlencoded, "");
    form.push(Bytes::from_static(b"a=1")).await.expect("taken");
    house.store.shutdown();
    assert!(matches!(form.finish().await, Err(NotKept::Store(_))));
    assert!(matches!(house.vault.admit(&owner, None).await, Err(NotKept::Store(_))));
}

#[tokio::test]
async fn strangers_learn_nothing() {
    let house = House::new();
    let (owner, stranger) = (Owner::generate(), Owner::generate());
    let kept = house.keep(&owner, b"a=1").await;
    let token = stranger.page_token(kept.id, 1);
    let armed = house.vault.arm(&stranger, kept.id, &token, Mode::Replay, Checked::No).await;
    assert_eq!(armed, Err(Denied::NotYours));
    assert_eq!(house.vault.discard(&stranger, kept.id, &token).await, Err(Denied::NotYours));
    assert!(house.vault.list(&stranger).await.expect("listed").is_empty());
    let ticket = house.arm(&owner, kept.id, Mode::Replay).await;
    let claim = house.vault.claim(&stranger, &ticket, arrival(Mode::Replay)).await;
    assert!(matches!(claim, Err(NoClaim::Unknown)));
    let elsewhere = Arrival { target: "/claims/new", ..arrival(Mode::Replay) };
    let claim = house.vault.claim(&owner, &ticket, elsewhere).await;
    assert!(matches!(claim, Err(NoClaim::Spent(_))), "the ticket is for one place");
    assert!(house.vault.claim(&owner, &ticket, arrival(Mode::Replay)).await.is_ok());
}

#[tokio::test]
async fn an_old_page_does_nothing_to_a_newer_state() {
    let house = House::new();
    let owner = Owner::generate();
    let kept = house.keep(&owner, b"a=1").await;
    let token = owner.page_token(kept.id, 1);
    let arm = || house.vault.arm(&owner, kept.id, &token, Mode::Replay, Checked::No);
    arm().await.expect("armed");
    arm().await.expect("a double click is armed already");
    let otherwise = house.vault.arm(&owner, kept.id, &token, Mode::Confirm, Checked::No).await;
    assert_eq!(otherwise, Err(Denied::UnderWay));
    house.pass(limit::TICKET_LIFE);
    let late = house.vault.claim(&owner, &owner.ticket(kept.id, 1), arrival(Mode::Replay)).await;
    assert!(matches!(late, Err(NoClaim::Spent(_))), "a ticket is good for its time");
    house.vault.sweep().await.expect("swept");
    assert_eq!(house.state(&owner, kept.id).await, State::Held);
    assert_eq!(arm().await, Err(Denied::NotNow(State::Held)));
    let discarded = house.vault.discard(&owner, kept.id, &token).await;
    assert_eq!(discarded, Err(Denied::NotNow(State::Held)), "an older page of its own");
    assert_eq!(house.vault.discard(&owner, kept.id, "other").await, Err(Denied::Stale));
    assert_eq!(house.state(&owner, kept.id).await, State::Held);
}

#[tokio::test]
async fn a_crash_while_sending_leaves_a_doubt_and_not_a_second_send() {
    let house = House::new();
    let owner = Owner::generate();
    let kept = house.keep(&owner, b"a=1").await;
    let sending = house.send(&owner, kept.id, &[]).await;
    std::mem::forget(sending);
    let house = house.restart();
    assert_eq!(house.vault.recover().await.expect("recovered").moved, 1);
    assert_eq!(house.state(&owner, kept.id).await, State::Unknown);
    let version = house.vault.open(&owner, kept.id).await.expect("opened").item.version;
    let token = owner.page_token(kept.id, version);
    let unchecked = house.vault.arm(&owner, kept.id, &token, Mode::Replay, Checked::No).await;
    assert_eq!(unchecked, Err(Denied::Unchecked));
    house.arm(&owner, kept.id, Mode::Replay).await;
}

#[tokio::test]
async fn a_send_that_is_let_go_becomes_unknown() {
    let house = House::new();
    let owner = Owner::generate();
    let kept = house.keep(&owner, b"a=1").await;
    drop(house.send(&owner, kept.id, &[]).await);
    house.vault.sweep().await.expect("swept");
    assert_eq!(house.state(&owner, kept.id).await, State::Unknown);
}

#[tokio::test]
async fn a_claim_that_is_called_back_can_be_armed_again() {
    let house = House::new();
    let owner = Owner::generate();
    let kept = house.keep(&owner, b"a=1").await;
    let ticket = house.arm(&owner, kept.id, Mode::Replay).await;
    let claim = house.vault.claim(&owner, &ticket, arrival(Mode::Replay)).await.expect("a claim");
    claim.call_back().await.expect("back");
    assert_eq!(house.state(&owner, kept.id).await, State::Held);
    house.arm(&owner, kept.id, Mode::Replay).await;
}

#[tokio::test]
async fn outcomes_are_told_apart() {
    let cases = [
        (Outcome::Answered(200, Leads::Onwards), State::Accepted),
        (Outcome::Answered(303, Leads::Onwards), State::Accepted),
        (Outcome::Answered(302, Leads::ToSignIn), State::Refused),
        (Outcome::Answered(403, Leads::Onwards), State::Refused),
        (Outcome::Answered(422, Leads::Onwards), State::Refused),
        (Outcome::Answered(503, Leads::Onwards), State::Refused),
        (Outcome::Answered(500, Leads::Onwards), State::Unknown),
        (Outcome::Answered(502, Leads::Onwards), State::Unknown),
        (Outcome::Answered(504, Leads::Onwards), State::Unknown),
        (Outcome::Unanswered, State::Unknown),
        (Outcome::NeverSent, State::Held),
    ];
    let house = House::new();
    for (outcome, want) in cases {
        let owner = Owner::generate();
        let kept = house.keep(&owner, b"a=1").await;
        let state = house.send(&owner, kept.id, &[]).await.settle(outcome).await;
        assert_eq!(state, Ok(want), "{outcome:?}");
    }
}

#[tokio::test]
async fn another_node_key_makes_it_unreadable_and_the_right_one_mends_it() {
    let house = House::new();
    let owner = Owner::generate();
    let kept = house.keep(&owner, b"a=1").await;
    let path = house.dir.path().join("node.key");
    let right = std::fs::read(&path).expect("a key");
    std::fs::write(&path, [9; 32]).expect("written");
    let house = house.restart();
    let opened = house.vault.open(&owner, kept.id).await.expect("its owner's");
    assert_eq!((opened.item.state, opened.record), (State::Unreadable, None));
    std::fs::write(&path, right).expect("written");
    let house = house.restart();
    assert_eq!(house.state(&owner, kept.id).await, State::Held);
}

#[tokio::test]
async fn a_damaged_frame_is_found_before_a_byte_is_sent() {
    let house = House::new();
    let owner = Owner::generate();
    let (hurt, sound) = (house.keep(&owner, b"a=1").await, house.keep(&owner, b"a=2").await);
    house.store.shutdown();
    let file =
        rusqlite::Connection::open(house.dir.path().join("intermission.db")).expect("opened");
    let sql = "UPDATE frames SET sealed = zeroblob(19) WHERE submission = ?1";
    assert_eq!(file.execute(sql, [hurt.id.bytes()]).expect("changed"), 1);
    drop(file);
    let house = house.restart();
    let ticket = house.arm(&owner, hurt.id, Mode::Replay).await;
    let claim = house.vault.claim(&owner, &ticket, arrival(Mode::Replay)).await.expect("a claim");
    let sent = claim.sending(Vec::new()).await;
    assert!(matches!(sent, Err(NoClaim::Unreadable(_))), "{sent:?}");
    assert_eq!(body(&house.send(&owner, sound.id, &[]).await).await, b"a=2", "the rest works");
}

#[tokio::test]
async fn nothing_that_was_typed_is_in_the_store() {
    let house = House::new();
    let owner = Owner::generate();
    house.keep(&owner, b"name=CANARYvalue&CANARYname=x").await;
    house.send(&owner, house.keep(&owner, b"csrf=CANARYtoken").await.id, &[]).await;
    house.store.shutdown();
    let secret = owner.cookie_value().rsplit('.').next().expect("a secret").to_owned();
    for file in std::fs::read_dir(house.dir.path()).expect("a folder") {
        let path = file.expect("a file").path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        for canary in ["CANARY", "/claims/new", "step=2", "example.org", secret.as_str()] {
            let found = memchr::memmem::find(&bytes, canary.as_bytes());
            assert_eq!(found, None, "{canary} in {}", path.display());
        }
    }
}

#[tokio::test]
async fn what_nobody_comes_for_expires_and_is_forgotten() {
    let house = House::new();
    let owner = Owner::generate();
    let kept = house.keep(&owner, b"a=1").await;
    house.pass(limit::SUBMISSION_LIFE - Duration::from_secs(1));
    house.vault.sweep().await.expect("swept");
    assert_eq!(house.state(&owner, kept.id).await, State::Held, "looked at, and not in force");
    house.pass(Duration::from_secs(1));
    house.vault.sweep().await.expect("swept");
    let opened = house.vault.open(&owner, kept.id).await.expect("a tombstone");
    assert_eq!((opened.item.state, opened.record), (State::Expired, None));
    assert!(opened.item.wrapped_key.is_empty() && opened.item.sealed_head.is_empty());
    assert!(house.store.frames(kept.id, 0, 9).await.expect("read").is_empty());
    house.pass(limit::TOMBSTONE_LIFE);
    assert_eq!(house.vault.sweep().await.expect("swept").buried, 1);
    let gone = house.vault.open(&owner, kept.id).await;
    assert!(matches!(gone, Err(Denied::NotYours)));
}

#[tokio::test]
async fn nothing_runs_out_while_its_window_is_in_force() {
    let house = House::new();
    let owner = Owner::generate();
    let kept = house.keep(&owner, b"a=1").await;
    let id = house.vault.open(&owner, kept.id).await.expect("opened").item.window;
    let id = id.expect("it was captured in a window");
    house.begin_window(id).await;
    let longest = house.clock.now().plus(limit::SUBMISSION_LIFE_MAX);
    for _ in 0..6 {
        house.pass(limit::PROLONG_AHEAD);
        house.vault.sweep().await.expect("swept");
        let item = house.vault.open(&owner, kept.id).await.expect("opened").item;
        let left = item.expires.since(house.clock.now());
        let bound = longest.since(house.clock.now());
        assert_eq!(item.state, State::Held);
        assert!(left >= limit::PROLONG_AHEAD.min(bound), "{left:?}");
    }
    house.pass(limit::PROLONG_AHEAD);
    house.vault.sweep().await.expect("swept");
    assert_eq!(house.state(&owner, kept.id).await, State::Expired, "no life is without end");
}

#[tokio::test]
async fn an_accepted_one_is_kept_for_its_grace_and_a_deleted_one_not_at_all() {
    let house = House::new();
    let owner = Owner::generate();
    let accepted = house.keep(&owner, b"a=1").await;
    let sending = house.send(&owner, accepted.id, &[]).await;
    sending.settle(Outcome::Answered(200, Leads::Onwards)).await.expect("settled");
    house.vault.sweep().await.expect("swept");
    assert!(house.vault.open(&owner, accepted.id).await.expect("opened").record.is_some());
    house.pass(limit::ACCEPTED_GRACE);
    house.vault.sweep().await.expect("swept");
    assert_eq!(house.state(&owner, accepted.id).await, State::Done);

    let deleted = house.keep(&owner, b"a=2").await;
    house.vault.discard(&owner, deleted.id, &owner.page_token(deleted.id, 1)).await.expect("gone");
    assert_eq!(house.state(&owner, deleted.id).await, State::Discarded);
    assert_eq!(house.census().await.bytes, 0);
    let again = house.vault.discard(&owner, deleted.id, &owner.page_token(deleted.id, 2)).await;
    assert_eq!(again, Err(Denied::Gone(State::Discarded)));
}

#[tokio::test]
async fn it_can_be_sent_again_after_a_refusal_but_not_for_ever() {
    let house = House::new();
    let owner = Owner::generate();
    let kept = house.keep(&owner, b"a=1").await;
    for _ in 0..limit::SENDS_MAX {
        let sending = house.send(&owner, kept.id, &[]).await;
        sending.settle(Outcome::Answered(403, Leads::Onwards)).await.expect("settled");
    }
    let version = house.vault.open(&owner, kept.id).await.expect("opened").item.version;
    let token = owner.page_token(kept.id, version);
    let more = house.vault.arm(&owner, kept.id, &token, Mode::Replay, Checked::No).await;
    assert_eq!(more, Err(Denied::TooOften));
}
