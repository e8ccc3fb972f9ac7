//! How long it takes from an operator's word until every worker judges by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use intermission::clock::{Clock, Tick};
use intermission::pages::Pages;
use intermission::snapshot::{self, Cells, Live};
use intermission::window::scope::{Scope, Selection};
use intermission::window::state::Mode;

use super::{began, site};

const SWITCHES: usize = 400;
/// Between two switches, so that workers are met in the middle of their work.
const PAUSE: Duration = Duration::from_millis(2);

/// Has a thread for each core take views as workers do, one for each request, and closes all of
/// so many routes and opens them again. Prints the time from the windows in force to the last
/// worker that judges by them, and the part of it after the publish.
pub(super) fn seen(routes: u32) {
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let (site, pages) = (Arc::new(site(routes)), Arc::new(Pages::builtin()));
    let named = (0..routes).map(|route| format!("route{route}"));
    let window = began(0, Mode::Page, Scope { routes: Selection::of(named), ..Scope::default() });
    let open = Cells::open(&site);
    let (mut publisher, live) = snapshot::seam(Arc::clone(&site), open, Arc::clone(&pages));
    let (began, done) = (Clock::System.tick(), AtomicBool::new(false));
    let seen: Vec<Seen> = (0..workers).map(|_| Seen::default()).collect();
    let (mut whole, mut after) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        for one in &seen {
            scope.spawn(|| one.look(&live, began, &done));
        }
        for switch in 0..SWITCHES {
            thread::sleep(PAUSE);
            let told = since(began);
            let in_force: &[_] = if switch % 2 == 0 { &[&window] } else { &[] };
            let cells = Cells::compute(&site, in_force, &pages, None);
            let compiled = since(began);
            let generation = publisher.publish(Arc::clone(&site), cells, Arc::clone(&pages));
            let last = seen.iter().map(|one| one.wait_for(generation)).max().unwrap_or_default();
            whole.push(last.saturating_sub(told));
            after.push(last.saturating_sub(compiled));
        }
        done.store(true, Ordering::Relaxed);
    });
    for (what, mut times) in [("from the order", whole), ("after the compile", after)] {
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 100];
        println!(
            "{routes} routes switched, until all of {workers} workers judge by it, {what}: half \
             within {:?}, 99 of 100 within {:?}",
            at(50),
            at(99)
        );
    }
}

/// What one worker has seen, and since when.
#[derive(Default)]
struct Seen {
    generation: AtomicU64,
    nanos: AtomicU64,
}

impl Seen {
    fn look(&self, live: &Live, began: Tick, done: &AtomicBool) {
        let mut view = live.view();
        let mut known = 0;
        while !done.load(Ordering::Relaxed) {
            let generation = view.snapshot().generation;
            if generation == known {
                thread::yield_now();
                continue;
            }
            known = generation;
            let nanos = u64::try_from(since(began).as_nanos()).unwrap_or(u64::MAX);
            self.nanos.store(nanos, Ordering::Relaxed);
            self.generation.store(generation, Ordering::Release);
        }
    }

    fn wait_for(&self, generation: u64) -> Duration {
        while self.generation.load(Ordering::Acquire) < generation {
            thread::yield_now();
        }
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }
}

fn since(began: Tick) -> Duration {
    Clock::System.tick().since(began)
}
