//! When clients are told to come back.

use intermission::clock::Wall;
use intermission::decide::retry_after;
use proptest::prelude::*;

fn at(millis: i64) -> Wall {
    Wall::from_millis(millis)
}

#[test]
fn no_promise_no_header() {
    assert_eq!(retry_after(None, at(0), 7), None);
    assert_eq!(retry_after(Some(at(5_000)), at(5_000), 7), None);
    assert_eq!(retry_after(Some(at(5_000)), at(9_000), 7), None);
}

#[test]
fn seconds_are_rounded_up_and_spread_by_a_tenth() {
    assert_eq!(retry_after(Some(at(1)), at(0), 0), Some(1));
    assert_eq!(retry_after(Some(at(1_001)), at(0), 99), Some(2));
    assert_eq!(retry_after(Some(at(900_000)), at(0), 0), Some(900));
    assert_eq!(retry_after(Some(at(900_000)), at(0), 90), Some(990));
    assert_eq!(retry_after(Some(at(900_000)), at(0), 91), Some(900));
}

proptest! {
    #[test]
    fn never_before_the_end_and_never_a_tenth_after_it(
        left in 1i64..10_000_000_000, jitter in any::<u64>(),
    ) {
        let seconds = retry_after(Some(at(left)), at(0), jitter).expect("an end ahead");
        let least = left.unsigned_abs().div_ceil(1000);
        prop_assert!(least <= seconds && seconds <= least + least / 10);
    }
}
