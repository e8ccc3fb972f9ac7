//! What only we do, with nobody to compare with: forms kept while a route is closed, and storms
//! of switches.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::compare::{FORM_BYTES, Spread};
use super::drive::Stage;
use super::load::{Load, Request};
use super::machine;
use super::options::Options;
use super::proxy::{BYSTANDERS, Bench, Ours, TOKEN};

/// Connections of visitors whose forms are kept: how many can share one write to the disk.
const VISITORS: usize = 128;
/// Writes by which the disk is known.
const FSYNCS: usize = 200;
/// How long the storm of switches lasts.
const STORM: Duration = Duration::from_secs(10);
/// What the design asks for.
const FORMS_PER_CPU_SECOND_MIN: f64 = 20_000.0;
const FSYNCS_PER_P99_MAX: f64 = 10.0;
const SWITCHES_PER_SECOND_MIN: f64 = 1_000.0;

/// Forms of 2 KiB, each sealed and durable before its answer. Tells whether all were kept.
pub(crate) fn capture(ours: &Ours, bench: &Bench, options: &Options, runtime: &Runtime) -> bool {
    let to = ours.proxy.open;
    let request = Request::form(to, "/forms/1", FORM_BYTES);
    let span = options.span;
    let mut load = Load { to, request, expected: 303, connections: 1, span };
    let (mut rates, mut cpu, mut p50, mut p99) = (vec![], vec![], vec![], vec![]);
    let (mut disk, mut slowest, mut alone) = (vec![], vec![], vec![]);
    let mut kept = true;
    for _ in 0..options.rounds {
        let Ok((median, high)) = machine::fsync(&bench.folder, FSYNCS) else {
            println!("\nforms: the disk could not be measured");
            return false;
        };
        disk.push(millis(median));
        slowest.push(millis(high));
        load.connections = 1;
        let one = load.run(runtime);
        alone.push(millis(one.within(0.5)));
        load.connections = VISITORS;
        let before = ours.proxy.cpu();
        let many = load.run(runtime);
        let used = ours.proxy.cpu().since(before).total().as_secs_f64().max(1e-9);
        rates.push(many.per_second());
        cpu.push(many.answers as f64 / used);
        p50.push(millis(many.within(0.5)));
        p99.push(millis(many.within(0.99)));
        kept &= one.is_clean() && many.is_clean();
    }
    let (disk, slowest) = (Spread::of(disk), Spread::of(slowest));
    let (p50, p99, cpu) = (Spread::of(p50), Spread::of(p99), Spread::of(cpu));
    println!(
        "\nforms of 2 KiB kept, durable before the answer: {} rounds of {span:?}, {VISITORS} connections",
        options.rounds
    );
    row("forms/s", Spread::of(rates), 0);
    row("forms per second of CPU", cpu, 0);
    row("answered within, half of them, ms", p50, 2);
    row("answered within, 99 of 100, ms", p99, 2);
    row("one connection: half within, ms", Spread::of(alone), 2);
    row("one fsync here, median, ms", disk, 2);
    row("one fsync here, 99 of 100, ms", slowest, 2);
    verdict(
        cpu.median >= FORMS_PER_CPU_SECOND_MIN,
        &format!("≥ {FORMS_PER_CPU_SECOND_MIN} forms per second of CPU: {:.0}", cpu.median),
    );
    let ratio = p99.median / disk.median;
    verdict(
        ratio < FSYNCS_PER_P99_MAX,
        &format!("99 of 100 within {FSYNCS_PER_P99_MAX} fsyncs: {ratio:.1}"),
    );
    if !kept {
        println!("  NOT EVERY FORM WAS KEPT");
    }
    kept
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

fn row(what: &str, figures: Spread, decimals: usize) {
    let Spread { median, min, max } = figures;
    println!("  {what:<35} {median:>10.decimals$}  ({min:.decimals$} – {max:.decimals$})");
}

fn verdict(met: bool, what: &str) {
    println!("  target {what}: {}", if met { "met" } else { "MISSED" });
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
