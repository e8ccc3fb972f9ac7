//! What only we do, with nobody to compare with: forms kept while a route is closed, and storms
//! of switches.

use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::compare::{FORM_BYTES, Spread};
use super::drive::Stage;
use super::load::{Load, Manner, Request};
use super::machine;
use super::options::Options;
use super::proxy::{BYSTANDERS, Bench, Ours, TOKEN};

/// Connections of visitors whose forms are kept: alone, a few, and as many as share one write.
const VISITORS: [usize; 3] = [1, 16, 128];
/// Writes by which the disk is known.
const FSYNCS: usize = 200;
/// How long the storm of switches lasts.
const STORM: Duration = Duration::from_secs(10);
/// What the design asks for.
const FORMS_PER_CPU_SECOND_MIN: f64 = 20_000.0;
const FSYNCS_PER_P99_MAX: f64 = 10.0;
const SWITCHES_PER_SECOND_MIN: f64 = 1_000.0;

/// What was measured with one number of visitors.
struct Level {
    visitors: usize,
    per_second: Vec<f64>,
    per_cpu_second: Vec<f64>,
    half: Vec<f64>,
    most: Vec<f64>,
}

impl Level {
    fn of(visitors: usize) -> Self {
        let (per_second, per_cpu_second) = (Vec::new(), Vec::new());
        Self { visitors, per_second, per_cpu_second, half: Vec::new(), most: Vec::new() }
    }

    /// One measurement; tells whether every form was kept.
    fn measure(&mut self, load: &Load, ours: &Ours, runtime: &Runtime) -> bool {
        let before = ours.proxy.cpu();
        let tally = Load { connections: self.visitors, ..load.clone() }.run(runtime);
        let used = ours.proxy.cpu().since(before).total().as_secs_f64().max(1e-9);
        self.per_second.push(tally.per_second());
        self.per_cpu_second.push(tally.answers as f64 / used);
        self.half.push(millis(tally.within(0.5)));
        self.most.push(millis(tally.within(0.99)));
        tally.is_clean()
    }

    fn print(&self) {
        println!("  connections: {}", self.visitors);
        row("forms/s", &self.per_second, 0);
        row("forms per second of CPU", &self.per_cpu_second, 0);
        row("answered within, half, ms", &self.half, 2);
        row("answered within, 99 of 100, ms", &self.most, 2);
    }
}

/// Forms of 2 KiB, each sealed and durable before its answer. Tells whether all were kept.
pub(crate) fn capture(
    ours: &Ours,
    bench: &Bench,
    options: &Options,
    runtime: &Runtime,
) -> io::Result<bool> {
    let (to, span) = (ours.proxy.open, options.span);
    let request = Request::form(to, "/forms/1", FORM_BYTES);
    let load = Load { to, request, expected: 303, connections: 1, span, manner: Manner::Kept };
    let mut levels = VISITORS.map(Level::of);
    let (mut disk, mut slowest, mut kept) = (vec![], vec![], true);
    for _ in 0..options.rounds {
        let (median, high) = machine::fsync(&bench.folder, FSYNCS)?;
        disk.push(millis(median));
        slowest.push(millis(high));
        for level in &mut levels {
            kept &= level.measure(&load, ours, runtime);
        }
    }
    let rounds = options.rounds;
    println!("\nforms of 2 KiB kept, durable before the answer: {rounds} rounds of {span:?}");
    levels.iter().for_each(Level::print);
    println!("  the disk");
    row("one fsync, half within, ms", &disk, 2);
    row("one fsync, 99 of 100 within, ms", &slowest, 2);
    let [_, some, many] = &levels;
    let (bound, rate) = (FORMS_PER_CPU_SECOND_MIN, Spread::of(many.per_cpu_second.clone()).median);
    let what = format!("≥ {bound} forms per second of CPU: {rate:.0}");
    verdict(rate >= bound, &what);
    let ratios = some.most.iter().zip(&disk).map(|(most, fsync)| most / fsync);
    let (bound, ratio) = (FSYNCS_PER_P99_MAX, Spread::of(ratios.collect()).median);
    let what =
        format!("99 of 100 within {bound} fsyncs, {} connections: {ratio:.1}", some.visitors);
    verdict(ratio < bound, &what);
    if !kept {
        println!("  NOT EVERY FORM WAS KEPT");
    }
    Ok(kept)
}

/// Operators and visitors, all as fast as they can. Tells whether nothing failed.
pub(crate) fn storm(ours: &Ours) -> bool {
    let stage = Stage {
        visitors: ours.proxy.open,
        admin: ours.admin,
        token: TOKEN,
        span: STORM,
        bystanders: BYSTANDERS,
    };
    let report = stage.storm();
    let mut calls = report.calls;
    calls.sort_unstable();
    let within = |part: f64| calls.get((calls.len() as f64 * part) as usize).copied();
    let rate = report.switches as f64 / STORM.as_secs_f64();
    println!("\nswitches for {STORM:?}: {} operators, 4 visitors, no pause", BYSTANDERS + 1);
    println!("  switches/s                          {rate:>10.0}");
    for (part, what) in [(0.5, "half"), (0.99, "99 of 100")] {
        let within = within(part).map_or(f64::NAN, millis);
        let what = format!("a call is answered within, {what}, ms");
        println!("  {what:<35} {within:>9.2}");
    }
    let (answers, pages, settled) = (report.answers, report.pages, report.settled);
    println!("  answers to visitors {answers}, of which closed pages {pages}");
    println!(
        "  answers that had to be one or the other {settled}, of which wrong or torn, or failed requests {}",
        report.faults
    );
    report.told.iter().for_each(|fault| println!("  {fault}"));
    let bound = SWITCHES_PER_SECOND_MIN;
    verdict(rate >= bound && report.faults == 0, &format!("≥ {bound} a second, no fault"));
    report.faults == 0
}

fn row(what: &str, figures: &[f64], decimals: usize) {
    let Spread { median, min, max } = Spread::of(figures.to_vec());
    println!("    {what:<33} {median:>10.decimals$}  ({min:.decimals$} – {max:.decimals$})");
}

fn verdict(met: bool, what: &str) {
    println!("  target {what}: {}", if met { "met" } else { "MISSED" });
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
