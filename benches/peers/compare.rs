//! One case for all proxies in turn, round after round, and what their figures say together.

use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::calls;
use super::h2load::{self, H2load};
use super::load::{Load, Manner, Request, Tally};
use super::options::Options;
use super::page;
use super::proxy::{Bench, Name, Proxy};
use super::secure::{Sessions, Visitor};
use super::{chat, rpc};

/// Bytes of the posted form.
pub(crate) const FORM_BYTES: usize = 2 * 1024;
/// Load before the first measurement, so that connections and pages are there.
const WARM_UP: Duration = Duration::from_millis(300);

/// A bound on our figure over another's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    peer: Name,
    ratio_max: f64,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    title: &'static str,
    kind: Kind,
    targets: &'static [Target],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Get(&'static str),
    Form,
    Closed,
    Fresh,
    Secure(Version),
    Handshake(Sessions),
    Talk,
    Call,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    Http1,
    Http2,
}

/// What one proxy is loaded with.
pub(crate) enum Work {
    Own(Load),
    H2load(H2load),
}

impl Work {
    fn run(&self, runtime: &Runtime) -> Tally {
        match self {
            Self::Own(load) => load.run(runtime),
            Self::H2load(load) => load.run(),
        }
    }

    /// For as long as that.
    pub(crate) fn run_for(&mut self, span: Duration, runtime: &Runtime) -> Tally {
        match self {
            Self::Own(load) => load.span = span,
            Self::H2load(load) => load.span = span,
        }
        self.run(runtime)
    }
}

/// Requests at once on one connection of HTTP/2.
const STREAMS: usize = 10;

const fn target(peer: Name, ratio_max: f64) -> Target {
    Target { peer, ratio_max }
}

/// The issue's: at most what the better of the two takes.
const BOTH: &[Target] = &[target(Name::Nginx, 1.0), target(Name::Haproxy, 1.0)];

pub(crate) const CASES: [Case; 11] = [
    Case {
        name: "small",
        title: "small GET, an answer of 119 bytes",
        kind: Kind::Get("/small"),
        targets: &[target(Name::Nginx, 1.0), target(Name::Haproxy, 1.0)],
    },
    Case {
        name: "big",
        title: "GET, an answer of 64 KiB",
        kind: Kind::Get("/big"),
        targets: &[target(Name::Haproxy, 0.8)],
    },
    Case { name: "form", title: "POST of a form of 2 KiB", kind: Kind::Form, targets: &[] },
    Case {
        name: "closed",
        title: "the closed page",
        kind: Kind::Closed,
        targets: &[target(Name::Haproxy, 1.0)],
    },
    Case {
        name: "fresh",
        title: "small GET, a connection for each",
        kind: Kind::Fresh,
        targets: BOTH,
    },
    Case {
        name: "tls",
        title: "small GET over TLS 1.3, HTTP/1.1",
        kind: Kind::Secure(Version::Http1),
        targets: BOTH,
    },
    Case {
        name: "h2",
        title: "small GET over TLS 1.3, HTTP/2, 10 at once on a connection",
        kind: Kind::Secure(Version::Http2),
        targets: BOTH,
    },
    Case {
        name: "handshake",
        title: "full TLS 1.3 handshake and a small GET",
        kind: Kind::Handshake(Sessions::Forgotten),
        targets: BOTH,
    },
    Case {
        name: "resumed",
        title: "resumed TLS 1.3 handshake and a small GET",
        kind: Kind::Handshake(Sessions::Kept),
        targets: BOTH,
    },
    Case {
        name: "websocket",
        title: "WebSocket, a message of 64 bytes there and back",
        kind: Kind::Talk,
        targets: BOTH,
    },
    Case {
        name: "grpc",
        title: "gRPC unary call over TLS, 10 at once on a connection",
        kind: Kind::Call,
        targets: BOTH,
    },
];

/// One proxy's rounds.
struct Rounds {
    name: Name,
    samples: Vec<Sample>,
    /// System calls per request, if they were counted.
    calls: Option<f64>,
}

/// One measurement.
struct Sample {
    /// Microseconds of CPU per request, of which in user mode.
    cpu: f64,
    user: f64,
    per_second: f64,
    wrong: u64,
}

impl Case {
    /// Measures, prints, and tells whether every answer was right.
    pub(crate) fn run(
        &self,
        proxies: &[&Proxy],
        bench: &Bench,
        options: &Options,
        runtime: &Runtime,
    ) -> bool {
        let mut all: Vec<(Work, &Proxy, Rounds)> = Vec::new();
        if self.needs_h2load() && !h2load::is_installed() {
            println!("\n{}: h2load is not installed (nghttp2-client)", self.title);
            return true;
        }
        for proxy in proxies {
            let Some(mut load) = self.work(proxy, bench, options) else { continue };
            load.run_for(WARM_UP, runtime);
            all.push((load, proxy, Rounds { name: proxy.name, samples: Vec::new(), calls: None }));
        }
        for round in 0..options.rounds {
            let count = all.len();
            // Each round begins with another proxy, so that none is always after the same one.
            for turn in 0..count {
                let (load, proxy, rounds) = &mut all[(round + turn) % count];
                rounds.samples.push(sample(load, proxy, options.span, runtime));
            }
        }
        if options.calls {
            for (load, proxy, rounds) in &mut all {
                rounds.calls = calls::per_request(proxy, load, &bench.folder, runtime);
            }
        }
        let all: Vec<Rounds> = all.into_iter().map(|(_, _, rounds)| rounds).collect();
        self.print(&all, options);
        all.iter().all(|rounds| rounds.samples.iter().all(|sample| sample.wrong == 0))
    }

    fn needs_h2load(&self) -> bool {
        matches!(self.kind, Kind::Secure(_) | Kind::Call)
    }

    /// None if this proxy has no part in the case.
    fn work(&self, proxy: &Proxy, bench: &Bench, options: &Options) -> Option<Work> {
        let (open, secure) = (proxy.open, proxy.secure);
        let (to, request, expected, manner) = match self.kind {
            Kind::Get(path) => (open, Request::get(open, path, "*/*"), 200, Manner::Kept),
            Kind::Form => (open, Request::form(open, "/post", FORM_BYTES), 200, Manner::Kept),
            Kind::Closed => {
                let to = proxy.closed?;
                (to, Request::get(to, page::PATH, page::ACCEPT), 503, Manner::Kept)
            }
            Kind::Fresh => (open, Request::last(open, "/small"), 200, Manner::Fresh),
            Kind::Handshake(sessions) => {
                let visitor = Visitor::new(&bench.folder, sessions, "http/1.1").ok()?;
                (secure, Request::last(secure, "/small"), 200, Manner::Shaken(visitor))
            }
            Kind::Talk => (open, Request::get(open, chat::PATH, "*/*"), 101, Manner::Talk),
            Kind::Secure(version) => return Some(h2load(proxy, version, None, options)),
            Kind::Call => {
                let message = rpc::message(&bench.folder).ok()?;
                return Some(h2load(proxy, Version::Http2, Some(message), options));
            }
        };
        let connections = options.connections;
        Some(Work::Own(Load { to, request, expected, connections, span: options.span, manner }))
    }

    fn print(&self, all: &[Rounds], options: &Options) {
        let Options { rounds, span, connections, .. } = options;
        println!("\n{}: {rounds} rounds of {span:?}, {connections} connections", self.title);
        println!(
            "  {:<13} {:>10} {:>15} {:>8} {:>8} {:>12} {:>6} {:>9}",
            "proxy",
            "µs CPU/req",
            "min – max",
            "user",
            "system",
            "requests/s",
            "wrong",
            "calls/req"
        );
        for rounds in all {
            println!("  {}", rounds.row());
        }
        let Some(ours) = all.iter().find(|rounds| rounds.name == Name::Intermission) else {
            return;
        };
        for peer in all.iter().filter(|rounds| rounds.name != Name::Intermission) {
            println!("  {}", self.verdict(ours, peer));
        }
        for target in self.targets {
            if !all.iter().any(|rounds| rounds.name == target.peer) {
                println!("  {} is not here: no ratio to it", target.peer.text());
            }
        }
    }

    /// The ratio of each round, in which both had the same machine, and what is aimed at.
    fn verdict(&self, ours: &Rounds, peer: &Rounds) -> String {
        let pairs = ours.samples.iter().zip(&peer.samples);
        let ratios = Spread::of(pairs.map(|(ours, theirs)| ours.cpu / theirs.cpu).collect());
        let Spread { median, min, max } = ratios;
        let named = format!("Intermission / {}", peer.name.text());
        let told = format!("{named:<23} {median:.2} ({min:.2} – {max:.2})");
        match self.targets.iter().find(|target| target.peer == peer.name) {
            None => told,
            Some(Target { ratio_max, .. }) => {
                let verdict = if median <= *ratio_max { "met" } else { "MISSED" };
                format!("{told}, target ≤ {ratio_max:.2}: {verdict}")
            }
        }
    }
}

impl Rounds {
    fn row(&self) -> String {
        let of = |figure: fn(&Sample) -> f64| Spread::of(self.samples.iter().map(figure).collect());
        let (cpu, user, rate) = (of(|s| s.cpu), of(|s| s.user), of(|s| s.per_second));
        let system = of(|s| s.cpu - s.user);
        let calls = self.calls.map_or("-".to_owned(), |calls| format!("{calls:.2}"));
        let wrong: u64 = self.samples.iter().map(|sample| sample.wrong).sum();
        format!(
            "{:<13} {:>10.2} {:>15} {:>8.2} {:>8.2} {:>12.0} {wrong:>6} {calls:>9}",
            self.name.text(),
            cpu.median,
            format!("{:.2} – {:.2}", cpu.min, cpu.max),
            user.median,
            system.median,
            rate.median,
        )
    }
}

fn h2load(proxy: &Proxy, version: Version, message: Option<PathBuf>, options: &Options) -> Work {
    Work::H2load(H2load {
        to: proxy.secure,
        path: if message.is_some() { rpc::PATH } else { "/small" },
        h1: version == Version::Http1,
        message,
        connections: options.connections,
        streams: if version == Version::Http1 { 1 } else { STREAMS },
        span: options.span,
    })
}

fn sample(load: &mut Work, proxy: &Proxy, span: Duration, runtime: &Runtime) -> Sample {
    let before = proxy.cpu();
    let tally = load.run_for(span, runtime);
    let used = proxy.cpu().since(before);
    let wrong = tally.others + tally.faults;
    let requests = (tally.answers + tally.others).max(1) as f64;
    let micros = |span: Duration| span.as_secs_f64() * 1e6 / requests;
    let wrong = if tally.is_clean() { 0 } else { wrong.max(1) };
    let (cpu, user) = (micros(used.total()), micros(used.user));
    Sample { cpu, user, per_second: tally.per_second(), wrong }
}

/// The middle of some figures, and their ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_unstable_by(f64::total_cmp);
        let at = |at: usize| figures.get(at).copied().unwrap_or(f64::NAN);
        let middle = figures.len() / 2;
        let median = if figures.len().is_multiple_of(2) && middle > 0 {
            f64::midpoint(at(middle - 1), at(middle))
        } else {
            at(middle)
        };
        Self { median, min: at(0), max: at(figures.len().saturating_sub(1)) }
    }
}
