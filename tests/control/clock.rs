//! Clocks that jump: what is taken back moved nothing, what stays is believed.

use std::time::Duration;

use intermission::clock::steady::Steady;
use intermission::clock::{Clock, Tick, Wall};
use intermission::limit;
use intermission::window::plan::Reopen;
use intermission::window::state::State;
use proptest::prelude::*;

use super::bench::{drafted, on_a_bench};
use super::desk::START;

const HOUR: i64 = 3_600_000;

fn at(offset: i64) -> Wall {
    Wall::from_millis(START.millis() + offset)
}

#[test]
fn a_jump_that_is_taken_back_begins_and_ends_nothing() {
    for jump in [-24 * HOUR, -HOUR, HOUR, 24 * HOUR] {
        on_a_bench(async |mut bench| {
            let mut draft = drafted(&[("eu", "eu", 60, 120), ("apac", "apac", 180, 240)]);
            for (_, order) in &mut draft.phases {
                (order.plan.reopen, order.plan.drain) = (Reopen::Auto, Duration::ZERO);
            }
            let windows = bench.plan(draft).await;
            let mut ran = 0;
            // Each minute of five hours, of which every tenth is told wrong for two minutes.
            for minute in 0..300i64 {
                let wrong = if minute % 10 < 2 { jump } else { 0 };
                bench.clock.jump(at(ran + wrong));
                bench.turn().await;
                ran += 60_000;
                bench.pass_to(at(ran + wrong)).await;
                let wanted = [60..120, 180..240].map(|force| force.contains(&(minute + 1)));
                let states = bench.states(&windows).await;
                let found = states.iter().map(|state| state.in_force()).collect::<Vec<_>>();
                assert_eq!(found, wanted, "minute {} of a clock off by {jump}", minute + 1);
            }
            assert_eq!(bench.states(&windows).await, [State::Ended; 2]);
        });
    }
}

#[test]
fn a_jump_that_stays_is_believed_in_the_end() {
    on_a_bench(async |mut bench| {
        let id = bench.plan(drafted(&[("eu", "eu", 60, 120)])).await[0];
        bench.clock.jump(at(HOUR));
        bench.turn().await;
        assert_eq!(bench.state(id).await, State::Planned, "not at once");
        bench.pass(limit::WINDOW_CLOCK_SETTLES).await;
        assert!(bench.state(id).await.in_force(), "it has stood long enough");
    });
}

fn later(tick: Tick, millis: u64) -> Tick {
    tick.plus(Duration::from_millis(millis))
}

proptest! {
    /// Whatever a clock tells for less than the time to settle, time goes on evenly.
    #[test]
    fn time_is_steady_under_every_short_jump(
        jumps in prop::collection::vec((any::<i32>(), 0u64..200_000, 1u64..2_000_000), 1..20)
    ) {
        let start = Clock::System.tick();
        let (mut steady, mut ran) = (Steady::from(START, start), 0u64);
        for (off, wrong, right) in jumps {
            let off = i64::from(off);
            ran += 1;
            let told = steady.look(at(ran as i64 + off), later(start, ran));
            prop_assert!(told.millis().abs_diff(at(ran as i64).millis()) <= 60_000);
            ran += wrong;
            let told = steady.look(at(ran as i64 + off), later(start, ran));
            prop_assert!(told.millis().abs_diff(at(ran as i64).millis()) <= 60_000);
            ran += right;
            let told = steady.look(at(ran as i64), later(start, ran));
            prop_assert_eq!(told, at(ran as i64), "right again");
        }
    }

    /// A jump that stays is believed after the time to settle, and not before.
    #[test]
    fn what_stays_is_believed(off in 60_001i64..1_000_000_000, ahead in any::<bool>()) {
        let off = if ahead { off } else { -off };
        let settles = limit::WINDOW_CLOCK_SETTLES.as_millis() as u64;
        let start = Clock::System.tick();
        let mut steady = Steady::from(START, start);
        prop_assert_eq!(steady.look(at(off), start), START);
        let before = settles as i64 - 1;
        prop_assert_eq!(steady.look(at(off + before), later(start, settles - 1)), at(before));
        let after = at(off + settles as i64);
        prop_assert_eq!(steady.look(after, later(start, settles)), after);
    }
}
