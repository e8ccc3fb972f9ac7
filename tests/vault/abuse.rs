//! Bodies made to fill memory, disk or logs.

use std::time::Duration;

use bytes::Bytes;
use intermission::control::chores::Steady;
use intermission::limit;
use intermission::vault::form::Kind;
use intermission::vault::item::State;
use intermission::vault::retention::Erasing;
use intermission::vault::summary::{Field, Shown, Summary};
use intermission::vault::{Bounds, NotKept, Owner};

use super::house::{House, MULTIPART};

/// The beginning of an upload, long enough for a frame to be stored.
fn beginning() -> Bytes {
    let head = "--b0undary\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n";
    Bytes::from([head.as_bytes(), &vec![b'x'; 2 * limit::FRAME_BYTES]].concat())
}

#[tokio::test]
async fn room_is_taken_before_a_body_is_read_and_given_back() {
    let house = House::with(Bounds { bytes: 10_000, ..Bounds::default() });
    let first = house.vault.reserve(Some(6_000), 9_999).expect("room");
    assert!(house.vault.reserve(Some(6_000), 9_999).is_err(), "two do not fit");
    assert!(house.vault.reserve(None, 9_999).is_err(), "nobody knows how long it gets");
    let second = house.vault.reserve(Some(4_000), 9_999).expect("that fits");
    drop((first, second));
    let owner = Owner::generate();
    house.keep(&owner, b"name=Ana").await;
    house.vault.sweep().await.expect("swept");
    assert!(house.vault.reserve(None, 9_999).is_err(), "what is held counts");
    house.vault.reserve(Some(9_000), 9_999).map(drop).expect("room again");
}

#[tokio::test]
async fn uploads_that_are_let_go_leave_nothing_however_many_there_are() {
    let house = House::with(Bounds { abandoned: 3, ..Bounds::default() });
    let owner = Owner::generate();
    for _ in 0..4 {
        let mut vanishing = Vec::new();
        for _ in 0..3 {
            let mut form = house.receive(&owner, Kind::Multipart, MULTIPART);
            form.push(beginning()).await.expect("taken");
            vanishing.push(form);
        }
        let mut late = house.receive(&owner, Kind::Multipart, MULTIPART);
        let refused = late.push(beginning()).await;
        assert!(matches!(refused, Err(NotKept::Quota(_))), "{refused:?}: it could not be cleared");
        drop(late);
        // A small form needs no place: nothing of it is stored before it is whole.
        house.keep(&owner, b"name=Ana").await;
        drop(vanishing);
        assert_eq!(house.vault.sweep().await.expect("swept").dropped, 3);
    }
    let left = house.census().await;
    assert_eq!(left.submissions.len(), 1);
    assert!(left.bytes < 1_000, "{} bytes", left.bytes);
}

#[tokio::test]
async fn an_upload_gives_its_place_back_when_it_is_kept() {
    let house = House::with(Bounds { abandoned: 1, ..Bounds::default() });
    let owner = Owner::generate();
    for round in 0..3 {
        let mut form = house.receive(&owner, Kind::Multipart, MULTIPART);
        form.push(beginning()).await.expect("taken");
        form.push(Bytes::from(format!("{round}\r\n--b0undary--\r\n"))).await.expect("taken");
        form.finish().await.expect("kept");
    }
    assert_eq!(house.vault.sweep().await.expect("swept").dropped, 0);
}

#[tokio::test]
async fn names_fill_no_receipt() {
    let house = House::new();
    let owner = Owner::generate();
    let name = "n".repeat(limit::FIELD_NAME_BYTES_MAX - 100);
    let part =
        format!("--b0undary\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\nv\r\n");
    let file = part.replace("; name=", "; name=\"f\"; filename=");
    for part in [part, file] {
        let mut form = house.receive(&owner, Kind::Multipart, MULTIPART);
        let mut taken = Ok(());
        for _ in 0..=limit::FORM_NAMES_BYTES_MAX / name.len() {
            taken = form.push(Bytes::from(part.clone())).await;
        }
        assert!(matches!(taken, Err(NotKept::Size)), "{taken:?}");
    }
    let mut form = house.receive(&owner, Kind::Urlencoded, "application/x-www-form-urlencoded");
    let pairs = format!("{name}=v&").repeat(limit::FORM_NAMES_BYTES_MAX / name.len() + 1);
    assert!(matches!(form.push(Bytes::from(pairs)).await, Err(NotKept::Size)));
}

#[tokio::test]
async fn a_clock_that_jumped_erases_nothing() {
    let house = House::new();
    let owner = Owner::generate();
    let held = house.keep(&owner, b"name=Ana").await.id;
    let mut steady = Steady::from(house.clock.now(), house.clock.tick());
    let began = house.clock.tick();
    let ran = |span: Duration| began.plus(span);
    let settles = limit::CLOCK_SETTLES;
    assert_eq!(steady.look(house.clock.now(), ran(Duration::ZERO)), Erasing::Nothing, "a start");
    house.pass(settles);
    assert_eq!(steady.look(house.clock.now(), ran(settles)), Erasing::Due, "it ran evenly");
    // Somebody sets the year wrong, and right again.
    let year = Duration::from_secs(365 * 24 * 3600);
    let before = house.clock.now();
    house.pass(year);
    let erasing = steady.look(house.clock.now(), ran(settles));
    assert_eq!(house.vault.sweep_as(erasing).await.expect("swept").moved, 0);
    house.clock.set(before);
    assert_eq!(steady.look(before, ran(settles)), Erasing::Nothing, "a step back is a step");
    assert_eq!(house.state(&owner, held).await, State::Held);
    // It was right after all.
    house.pass(year);
    assert_eq!(steady.look(house.clock.now(), ran(settles)), Erasing::Nothing);
    house.pass(settles);
    let erasing = steady.look(house.clock.now(), ran(settles * 2));
    assert_eq!(house.vault.sweep_as(erasing).await.expect("swept").moved, 1);
    assert_eq!(house.state(&owner, held).await, State::Expired);
}

#[test]
fn what_was_typed_is_in_no_debug_text() {
    let shown = Shown::Whole("canary".to_owned());
    let field = Field { name: "canary".to_owned(), bytes: 6, shown: shown.clone() };
    let summary = Summary { fields: vec![field.clone()] };
    assert_eq!(format!("{shown:?} {field:?} {summary:?}"), "[sealed] [sealed] [sealed]");
}
