//! Reloads and new certificates under load: five hundred of the one and a thousand of the other,
//! and no request may fail. For a promise of ours, with nobody to compare with.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use intermission::clock::Clock;
use tokio::runtime::{Builder, Runtime};

use super::load::{self, Load, Manner, Request, Tally};
use super::proxy::{Bench, Ours, TOKEN};
use super::secure::{self, Sessions, Visitor};

const RELOADS: usize = 500;
const SWAPS: usize = 1_000;
/// Connections of each kind of visitor.
const CONNECTIONS: usize = 4;
/// Each kind of visitor looks that often whether it is over.
const TURN: Duration = Duration::from_millis(500);
/// All of it takes no longer.
const PATIENCE: Duration = Duration::from_secs(300);

/// Tells whether nothing failed.
pub(crate) fn run(ours: &Ours, bench: &Bench, runtime: &Runtime) -> io::Result<bool> {
    let began = Clock::System.tick();
    let over = AtomicBool::new(false);
    let visitor = Visitor::new(&bench.folder, Sessions::Forgotten, "http/1.1")?;
    let (open, closed) = (ours.proxy.open, ours.proxy.secure);
    let kinds = [
        ("kept connections", open, Request::get(open, "/small", "*/*"), Manner::Kept),
        ("new connections", open, Request::last(open, "/small"), Manner::Fresh),
        ("new TLS connections", closed, Request::last(closed, "/small"), Manner::Shaken(visitor)),
    ];
    let (changed, told) = std::thread::scope(|scope| {
        let visitors: Vec<_> = kinds
            .into_iter()
            .map(|(kind, to, request, manner)| {
                let (connections, span) = (CONNECTIONS, TURN);
                let load = Load { to, request, expected: 200, connections, span, manner };
                let over = &over;
                (kind, scope.spawn(move || visit(&load, over)))
            })
            .collect();
        let late = || Clock::System.tick().since(began) > PATIENCE;
        let changed = change(ours, &bench.folder, runtime, late);
        over.store(true, Ordering::Relaxed);
        let told: Vec<_> = visitors
            .into_iter()
            .map(|(kind, visitor)| (kind, visitor.join().map_err(drop).and_then(|t| t.ok_or(()))))
            .collect();
        (changed, told)
    });
    let (reloads, swaps) = changed?;
    let span = Clock::System.tick().since(began);
    println!("\n{reloads} reloads and {swaps} new certificates in {span:.1?}, under load");
    let mut right = reloads == RELOADS && swaps == SWAPS;
    for (kind, tally) in told {
        let Ok(tally) = tally else {
            println!("  {kind}: THE LOAD FAILED");
            right = false;
            continue;
        };
        let failed = tally.others + tally.faults;
        println!("  {kind:<22} {:>9} answers, {failed} failed", tally.answers);
        right &= tally.is_clean();
    }
    Ok(right)
}

fn visit(load: &Load, over: &AtomicBool) -> Option<Tally> {
    let runtime = Builder::new_current_thread().enable_all().build().ok()?;
    let mut sum = Tally::default();
    while !over.load(Ordering::Relaxed) {
        sum.add(load.run(&runtime));
        sum.latencies.clear();
    }
    Some(sum)
}

/// One reload after the other; two new certificates before each. Gives how many there were.
fn change(
    ours: &Ours,
    folder: &Path,
    runtime: &Runtime,
    late: impl Fn() -> bool,
) -> io::Result<(usize, usize)> {
    let reload = Request::command(ours.admin, "/api/v1/config/reload", TOKEN);
    let call = || {
        let answer = load::ask(runtime, ours.admin, &reload)?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        (answer.status == 200).then_some(()).ok_or_else(|| io::Error::other(text))
    };
    let key = fs::read_to_string(folder.join("site.key"))?;
    let (mut reloads, mut swaps) = (0, 0);
    while reloads + swaps < RELOADS + SWAPS && !late() {
        // Two of three changes are new certificates, taken by a reload of their own.
        if swaps < 2 * (reloads + 1) && swaps < SWAPS {
            secure::renew(folder, &key)?;
            swaps += 1;
        } else {
            reloads += 1;
        }
        call()?;
    }
    Ok((reloads, swaps))
}
