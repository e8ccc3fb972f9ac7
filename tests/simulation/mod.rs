//! Operators, clocks, disks and crashes at random, over the real reconciler and the real store:
//! whatever happens, what must hold of windows holds.
//!
//! `SEED=17 cargo test simulation::` runs one seed; a failure prints the seed that it came from.

mod acts;
mod dice;
mod truth;
mod world;

use std::panic::AssertUnwindSafe;

use world::{Bug, World};

/// Seeds of one run, unless one is given.
const SEEDS: u64 = 256;
/// What happens in each.
const ACTS: u32 = 40;

fn simulate(seed: u64, bug: Bug) {
    let world = AssertUnwindSafe(|| {
        crate::control::desk::run(async {
            let mut world = World::begin(seed, bug).await;
            for _ in 0..ACTS {
                world.act().await;
            }
            world.end().await;
        });
    });
    if let Err(panic) = std::panic::catch_unwind(world) {
        eprintln!("in the simulation of seed {seed}: SEED={seed} cargo test simulation::");
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn whatever_happens_windows_begin_and_end_once_and_nothing_is_lost() {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        return simulate(seed, Bug::None);
    }
    // Two threads: the seeds are independent, and a store waits more than it works.
    std::thread::scope(|scope| {
        let half =
            |from: u64| move || (from..SEEDS).step_by(2).for_each(|s| simulate(s, Bug::None));
        let both = [scope.spawn(half(0)), scope.spawn(half(1))];
        for one in both {
            one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

/// The controls: bugs that are planted are found, and soon.
fn is_found(bug: Bug) {
    // What is expected to panic need not say so.
    let found = (0..32)
        .any(|seed| std::panic::catch_unwind(AssertUnwindSafe(|| simulate(seed, bug))).is_err());
    assert!(found, "{bug:?} was not found in 32 seeds");
}

#[test]
fn a_store_that_acknowledges_what_it_did_not_keep_is_found() {
    is_found(Bug::StoreLies);
}

#[test]
fn a_clock_that_is_believed_when_it_jumps_is_found() {
    is_found(Bug::JumpsStay);
}

#[test]
fn a_snapshot_that_forgot_a_window_is_found() {
    is_found(Bug::StaleSnapshot);
}
