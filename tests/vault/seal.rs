//! What a thief, a flipped bit and another browser can open.

use std::os::unix::fs::PermissionsExt;

use intermission::clock::Wall;
use intermission::digest;
use intermission::id::{Id, NodeTag};
use intermission::vault::keys::{NodeKey, NodeKeyError};
use intermission::vault::owner::{Mode, Owner, Ticket};
use intermission::vault::seal::{ContentKey, Place, Unreadable};
use proptest::prelude::*;

fn id() -> Id {
    Id::new(Wall::from_millis(1), NodeTag(1))
}

#[test]
fn frames_open_in_their_place_and_nowhere_else() {
    let (here, key) = (id(), ContentKey::generate());
    let frames = key.frames(here);
    let first = frames.seal(0, Place::Inner, b"first".to_vec());
    let last = frames.seal(1, Place::Last, b"last".to_vec());
    assert_eq!(frames.open(0, Place::Inner, first.clone()).as_deref(), Ok(&b"first"[..]));
    assert_eq!(frames.open(1, Place::Last, last.clone()).as_deref(), Ok(&b"last"[..]));
    assert_eq!(frames.open(1, Place::Inner, first.clone()), Err(Unreadable), "moved");
    assert_eq!(frames.open(0, Place::Last, first.clone()), Err(Unreadable), "cut off");
    let cut = first[..first.len() - 1].to_vec();
    assert_eq!(frames.open(0, Place::Inner, cut), Err(Unreadable), "shortened");
    assert_eq!(frames.open(0, Place::Inner, Vec::new()), Err(Unreadable), "emptied");
    let elsewhere = key.frames(id());
    assert_eq!(elsewhere.open(0, Place::Inner, first), Err(Unreadable), "swapped");
}

#[test]
fn the_same_body_is_sealed_differently_each_time() {
    let here = id();
    let seal = || ContentKey::generate().frames(here).seal(0, Place::Last, b"body".to_vec());
    assert_ne!(seal(), seal());
}

#[test]
fn only_this_browser_and_this_node_together_unwrap_a_key() {
    let (here, node) = (id(), NodeKey::from_bytes([1; 32]));
    let (mine, theirs) = ([5; 32], [6; 32]);
    let key = ContentKey::generate();
    let sealed = key.frames(here).seal(0, Place::Last, b"body".to_vec());
    let wrapped = key.wrap(&node, &mine, here);
    let opened = ContentKey::unwrap(&wrapped, &node, &mine, here).expect("the right keys");
    assert!(opened.frames(here).open(0, Place::Last, sealed).is_ok());
    assert!(ContentKey::unwrap(&wrapped, &node, &theirs, here).is_err(), "another cookie");
    let other = NodeKey::from_bytes([2; 32]);
    assert!(ContentKey::unwrap(&wrapped, &other, &mine, here).is_err(), "another node");
    assert!(ContentKey::unwrap(&wrapped, &node, &mine, id()).is_err(), "another submission");
    assert!(ContentKey::unwrap(&[], &node, &mine, here).is_err(), "erased");
}

proptest! {
    #[test]
    fn a_flipped_bit_is_found(
        bit in 0usize..8,
        at in 0usize..1000,
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (here, key) = (id(), ContentKey::generate());
        let mut sealed = key.frames(here).seal(3, Place::Last, body.clone());
        let at = at % sealed.len();
        sealed[at] ^= 1 << bit;
        prop_assert_eq!(key.frames(here).open(3, Place::Last, sealed), Err(Unreadable));
        let mut head = key.seal_head(here, &body);
        let at = at % head.len();
        head[at] ^= 1 << bit;
        prop_assert!(key.open_head(here, &head).is_err());
    }

    #[test]
    fn no_cookie_and_no_ticket_panics(text in "\\PC{0,120}") {
        prop_assert!(Owner::from_cookie(&text).is_none());
        prop_assert!(Ticket::parse(&text).is_none());
        let _ = Owner::from_cookie(&format!("v1.{text}"));
    }
}

#[test]
fn a_node_key_is_made_once_and_read_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("node.key");
    let made = NodeKey::load_or_create(dir.path()).expect("made");
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let read = NodeKey::load_or_create(dir.path()).expect("read");
    let here = id();
    let wrapped = ContentKey::generate().wrap(&made, &[1; 32], here);
    assert!(ContentKey::unwrap(&wrapped, &read, &[1; 32], here).is_ok());
    assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 1, "nothing is left over");
}

#[test]
fn a_node_key_that_is_open_to_others_or_cut_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("node.key");
    std::fs::write(&path, [7; 31]).expect("written");
    let shut = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
    shut(0o640).expect("changed");
    let open = NodeKey::load_or_create(dir.path());
    assert!(matches!(open, Err(NodeKeyError::Permissions { mode: 0o640, .. })), "{open:?}");
    shut(0o600).expect("changed");
    let cut = NodeKey::load_or_create(dir.path());
    assert!(matches!(cut, Err(NodeKeyError::Size { len: 31, .. })), "{cut:?}");
}

#[test]
fn a_browser_is_known_by_its_cookie_and_says_nothing_in_logs() {
    let owner = Owner::generate();
    let cookie = owner.cookie_value().to_string();
    let again = Owner::from_cookie(&cookie).expect("our own cookie");
    assert_eq!(again.browser(), owner.browser());
    let secret = cookie.rsplit('.').next().expect("a secret");
    assert!(!format!("{owner:?}{:?}", owner.ticket(id(), 1)).contains(secret));
    assert_ne!(Owner::generate().browser(), owner.browser());
}

#[test]
fn browsers_met_after_one_another_are_neighbours_and_older_cookies_mean_what_they_did() {
    let (first, second) = (Wall::from_millis(1 << 40), Wall::from_millis((1 << 40) + 1));
    let met: Vec<Owner> = [first, first, second].map(Owner::met).into();
    let browsers: Vec<_> = met.iter().map(Owner::browser).collect();
    assert_eq!(browsers[0][..6], browsers[1][..6]);
    assert_ne!(browsers[0][6..], browsers[1][6..]);
    assert!(browsers[0] < browsers[2] && browsers[1] < browsers[2]);
    for owner in &met {
        let again = Owner::from_cookie(&owner.cookie_value()).expect("our own cookie");
        assert_eq!(again.browser(), owner.browser());
        let here = id();
        let (named, program) = Owner::from_capability(&owner.capability(here)).expect("our own");
        assert_eq!((named, program.browser()), (here, owner.browser()));
    }
    let (id, secret) = ("AAECAwQFBgcICQoLDA0ODw", "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8");
    let before = Owner::from_cookie(&format!("v1.{id}.{secret}")).expect("as it was");
    let verifier = digest::derive(
        &digest::unbase64url(secret).expect("text"),
        &digest::unbase64url(id).expect("text"),
        &[b"intermission/v1/verifier"],
    );
    assert_eq!(before.browser(), verifier);
    for length in [0, 15, 17, 21, 23] {
        let id = digest::base64url(&vec![1; length]);
        assert!(Owner::from_cookie(&format!("v1.{id}.{secret}")).is_none(), "{length} bytes");
    }
}

#[test]
fn page_tokens_are_good_for_one_version_of_one_submission() {
    let (owner, here) = (Owner::generate(), id());
    let token = owner.page_token(here, 3);
    assert!(owner.is_page_token(&token, here, 3));
    assert!(!owner.is_page_token(&token, here, 4));
    assert!(!owner.is_page_token(&token, id(), 3));
    assert!(owner.was_page_token(&token, here, 4) && owner.was_page_token(&token, here, 35));
    assert!(!owner.was_page_token(&token, here, 3) && !owner.was_page_token(&token, here, 36));
    assert!(!Owner::generate().is_page_token(&token, here, 3));
    let ticket = owner.ticket(here, 3);
    assert_eq!(Ticket::parse(&ticket.text()), Some(ticket));
    assert_ne!(ticket.text(), token);
    assert_eq!(Mode::named("replay"), Some(Mode::Replay));
}
