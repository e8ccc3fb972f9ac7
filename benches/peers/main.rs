//! Intermission beside nginx and HAProxy: CPU time per request, in the same run, on one core.
//!
//! `cargo bench --bench peers` compares with those that are installed. `benches/README.md` says
//! what is measured, and how fair it is.

mod calls;
mod chat;
mod compare;
#[path = "../../tests/storm/drive.rs"]
mod drive;
mod h2load;
mod idle;
mod kept;
mod latency;
mod load;
mod machine;
mod options;
mod origin;
mod ours;
mod page;
mod proxy;
mod reload;
mod rpc;
mod secure;
mod syslog;

use std::io;
use std::process::ExitCode;

use tokio::runtime::Runtime;

use compare::CASES;
use machine::Cores;
use options::{CAPTURE, IDLE, LATENCY, Options, RELOAD, RESUME, SWITCH, TEE, UPLOAD, USAGE};
use origin::Origin;
use page::Page;
use proxy::{Bench, Ours, Proxy};
use syslog::Syslog;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if origin::is_role(&arguments) {
        return ended(origin::serve().map(|()| Outcome::Right));
    }
    // Cargo says so when it measures; a test run of all targets does not, and measures nothing.
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("nothing is measured without --bench\n{USAGE}");
        return ExitCode::SUCCESS;
    }
    match Options::parse(&arguments) {
        Ok(options) => ended(run(&options)),
        Err(fault) => {
            println!("{fault}\n{USAGE}");
            ExitCode::from(64)
        }
    }
}

/// Whether every answer in every case was right. Targets are told, not enforced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Right,
    Wrong,
}

fn ended(outcome: io::Result<Outcome>) -> ExitCode {
    match outcome {
        Ok(Outcome::Right) => ExitCode::SUCCESS,
        Ok(Outcome::Wrong) => {
            println!("\nnot every answer was right: the figures mean little");
            ExitCode::FAILURE
        }
        Err(fault) => {
            println!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let cores = Cores::take();
    println!("{}", machine::described());
    println!("{}", told(cores));
    cores.settle();
    let folder = tempfile::Builder::new().prefix("peers").tempdir()?;
    // ORDER: what is dropped first ends first: the proxies, then the origin, then the folder.
    let origin = Origin::start()?;
    let (folder_path, access) = (folder.path().to_owned(), options.access);
    let bench =
        Bench { folder: folder_path, cores, origin: origin.address, rpc: origin.rpc, access };
    secure::identity(&bench.folder)?;
    let syslog = Syslog::start(&bench.folder)?;
    let ours = Ours::start(&bench)?;
    ours.close("closed")?;
    ours.close("forms")?;
    ours.close("replay")?;
    let peers = peers(&bench, &ours, &syslog, &runtime)?;
    let proxies: Vec<&Proxy> = std::iter::once(&ours.proxy).chain(&peers).collect();
    let mut right = true;
    for case in CASES.iter().filter(|case| options.has(case.name)) {
        right &= case.run(&proxies, &bench, options, &runtime);
    }
    if syslog.lines() > 0 {
        println!("\nHAProxy's log lines that were taken: {}", syslog.lines());
    }
    if options.has(LATENCY) {
        right &= latency::run(&proxies, &bench, options, &runtime);
    }
    if options.has(IDLE) {
        right &= idle::run(&proxies, &bench, &runtime);
    }
    if options.has(CAPTURE) {
        right &= ours::capture(&ours, &bench, options, &runtime)?;
    }
    if options.has(TEE) {
        right &= kept::tee(&ours, options, &runtime);
    }
    if options.has(UPLOAD) {
        right &= kept::upload(&ours, &runtime)?;
    }
    if options.has(RESUME) {
        right &= kept::resume(&ours, &runtime)?;
    }
    if options.has(RELOAD) {
        right &= reload::run(&ours, &bench, &runtime)?;
    }
    if options.has(SWITCH) {
        right &= ours::storm(&ours);
    }
    Ok(if right { Outcome::Right } else { Outcome::Wrong })
}

/// The proxies to compare with, as far as they are installed.
fn peers(bench: &Bench, ours: &Ours, syslog: &Syslog, runtime: &Runtime) -> io::Result<Vec<Proxy>> {
    let page = Page::taken_from(ours, runtime)?;
    let nginx = proxy::nginx(bench);
    let haproxy = proxy::haproxy(bench, &syslog.path, &page);
    let installed = [("nginx", "-v", nginx), ("haproxy", "-v", haproxy)];
    let mut peers = Vec::new();
    for (program, flag, started) in installed {
        match started {
            Some(proxy) => {
                println!("{}", machine::version(program, flag).unwrap_or_default());
                peers.push(proxy?);
            }
            None => println!("{program} is not installed: our figures stand alone"),
        }
    }
    Ok(peers)
}

fn told(cores: Cores) -> String {
    let build = if cfg!(debug_assertions) { "A DEBUG BUILD; " } else { "" };
    match (cores.proxy, cores.rest) {
        (Some(proxy), Some(rest)) => {
            format!("{build}each proxy on core {proxy}; load, origin and log reader on core {rest}")
        }
        _ => format!("{build}nothing is pinned: that takes two cores and `taskset`"),
    }
}
