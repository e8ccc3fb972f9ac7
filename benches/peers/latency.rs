//! What a proxy adds to the time of an answer at half of what it can carry: requests come at a
//! fixed rate, each is timed from when it was due, and the origin alone is measured the same way.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use intermission::clock::{Clock, Tick};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::compare::Spread;
use super::load::{self, Load, Manner, Request};
use super::options::Options;
use super::proxy::{Bench, Name, Proxy};

/// What is looked at of all latencies.
const PARTS: [(f64, &str); 3] = [(0.5, "p50"), (0.99, "p99"), (0.999, "p99.9")];
/// How long the fastest possible rate is looked for.
const PROBE: Duration = Duration::from_secs(1);
/// How long a paced measurement may go on after its end.
const GRACE: Duration = Duration::from_secs(10);

/// Measures every proxy in turn; tells whether every answer was right.
pub(crate) fn run(proxies: &[&Proxy], bench: &Bench, options: &Options, runtime: &Runtime) -> bool {
    let at_most = |to| {
        let (request, manner) = (Request::get(to, "/small", "*/*"), Manner::Kept);
        let connections = options.connections;
        let load = Load { to, request, expected: 200, connections, span: PROBE, manner };
        load.run(runtime).per_second()
    };
    let slowest = proxies.iter().map(|proxy| at_most(proxy.open)).fold(f64::INFINITY, f64::min);
    let rate = (slowest / 2.0).max(1.0);
    println!(
        "\nadded latency of a small GET at {rate:.0} requests/s, half of what the slowest carries, µs"
    );
    println!("  {:<13} {:>9} {:>9} {:>9} {:>6}", "proxy", "p50", "p99", "p99.9", "wrong");
    let mut direct = Vec::new();
    let mut through: Vec<(Name, Vec<[f64; 3]>, u64)> =
        proxies.iter().map(|proxy| (proxy.name, Vec::new(), 0)).collect();
    for _ in 0..options.rounds {
        direct.push(parts(&paced(bench.origin, rate, options, runtime).0));
        for (proxy, (_, rounds, wrong)) in proxies.iter().zip(&mut through) {
            let (latencies, faults) = paced(proxy.open, rate, options, runtime);
            rounds.push(parts(&latencies));
            *wrong += faults;
        }
    }
    let median = |rounds: &[[f64; 3]], part: usize| {
        Spread::of(rounds.iter().map(|round| round[part]).collect()).median
    };
    let base: Vec<f64> = (0..PARTS.len()).map(|part| median(&direct, part)).collect();
    println!("  {:<13} {:>9.0} {:>9.0} {:>9.0}  the origin alone", "-", base[0], base[1], base[2]);
    for (name, rounds, wrong) in &through {
        let added: Vec<f64> =
            base.iter().enumerate().map(|(part, base)| median(rounds, part) - base).collect();
        println!(
            "  {:<13} {:>9.0} {:>9.0} {:>9.0} {wrong:>6}",
            name.text(),
            added[0],
            added[1],
            added[2]
        );
    }
    through.iter().all(|(_, _, wrong)| *wrong == 0)
}

fn parts(latencies: &[Duration]) -> [f64; 3] {
    PARTS.map(|(part, _)| {
        let at = (latencies.len().saturating_sub(1) as f64 * part).round() as usize;
        latencies.get(at).map_or(f64::NAN, |span| span.as_secs_f64() * 1e6)
    })
}

/// Latencies in order of size, and how many requests went wrong.
fn paced(to: SocketAddr, rate: f64, options: &Options, runtime: &Runtime) -> (Vec<Duration>, u64) {
    let lanes = options.connections;
    let every = Duration::from_secs_f64(lanes as f64 / rate);
    let began = Clock::System.tick();
    let turns = (options.span.as_secs_f64() / every.as_secs_f64()).ceil() as u32;
    runtime.block_on(async {
        let mut all = JoinSet::new();
        for lane in 0..lanes {
            // The lanes take turns: requests come evenly.
            let first = began.plus(every.mul_f64(lane as f64 / lanes as f64));
            all.spawn(walk(to, first, every, turns));
        }
        let (mut latencies, mut wrong) = (Vec::new(), 0);
        let joined = async {
            while let Some(lane) = all.join_next().await {
                match lane {
                    Ok(Ok(spans)) => latencies.extend(spans),
                    Ok(Err(_)) | Err(_) => wrong += 1,
                }
            }
        };
        if tokio::time::timeout(options.span + GRACE, joined).await.is_err() {
            wrong += 1;
        }
        latencies.sort_unstable();
        (latencies, wrong)
    })
}

/// One connection: a request is due every so often, and is timed from then, even if the one
/// before it was late (so that a stall counts for everybody whom it keeps waiting).
async fn walk(
    to: SocketAddr,
    first: Tick,
    every: Duration,
    turns: u32,
) -> io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let request = Request::get(to, "/small", "*/*");
    let mut spans = Vec::with_capacity(turns as usize);
    for turn in 0..turns {
        let mut due = first.plus(every * turn);
        let now = Clock::System.tick();
        if now < due {
            tokio::time::sleep(due.since(now)).await;
            // The timer's own lateness is nobody's whom we measure.
            due = Clock::System.tick();
        }
        load::once(&mut stream, &request).await?;
        spans.push(Clock::System.tick().since(due));
    }
    Ok(spans)
}
