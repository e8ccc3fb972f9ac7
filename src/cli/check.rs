//! `intermission check`: whether a config file can be served, and if not, everything that is wrong.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use crate::clock::Clock;
use crate::config::maintenances::{self, Planned};
use crate::config::{self, Color, Loaded, Problem, Problems};

/// The exit code for a config that cannot be served, as for a wrong command line.
pub const USAGE: u8 = 64;

/// Reads a config exactly as `serve` does, and tells all of its problems at once.
///
/// Exits with 0 if the file can be served, with 64 if not.
#[derive(clap::Args, Clone, Debug)]
pub struct Check {
    /// The config file. It counts before `--config`.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The config file, written as for `serve`.
    #[arg(
        long,
        short,
        value_name = "FILE",
        default_value = "intermission.toml",
        env = "INTERMISSION_CONFIG"
    )]
    pub config: PathBuf,
    /// Tell it as JSON, for machines.
    #[arg(long)]
    pub json: bool,
}

/// What a check has to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// For standard output.
    pub out: String,
    /// For standard error, with colours.
    pub err: String,
    /// 0 or [`USAGE`].
    pub code: u8,
}

impl Check {
    /// Checks, prints, and tells how it went.
    pub fn run(self) -> ExitCode {
        let report = self.report();
        anstream::print!("{}", report.out);
        anstream::eprint!("{}", report.err);
        ExitCode::from(report.code)
    }

    /// Checks without printing.
    pub fn report(&self) -> Report {
        let path = self.file.as_ref().unwrap_or(&self.config);
        let result = config::load(path);
        let code = if result.is_ok() { 0 } else { USAGE };
        if self.json {
            return Report { out: json(path, &result) + "\n", err: String::new(), code };
        }
        match result {
            Ok(loaded) => {
                let mut out = format!("{}: ok: {}\n", path.display(), summary(&loaded));
                for plan in plans(&loaded) {
                    out += &line(&plan);
                }
                Report { out, err: String::new(), code }
            }
            Err(problems) => {
                Report { out: String::new(), err: problems.render(Color::Styled), code }
            }
        }
    }
}

/// One line about a config that can be served.
pub fn summary(loaded: &Loaded) -> String {
    let counts = Counts::of(loaded);
    let count = |number: usize, one: &str| match number {
        1 => format!("1 {one}"),
        many => format!("{many} {one}s"),
    };
    format!(
        "{}, {}, {} of {}, fingerprint {}",
        count(counts.routes, "route"),
        count(counts.regions, "region"),
        count(counts.upstreams, "upstream"),
        count(counts.servers, "server"),
        loaded.site.fingerprint
    )
}

#[derive(Serialize)]
struct Counts {
    routes: usize,
    regions: usize,
    upstreams: usize,
    servers: usize,
}

impl Counts {
    fn of(loaded: &Loaded) -> Self {
        let site = &loaded.site;
        Self {
            routes: site.rules.len(),
            regions: site.regions.len(),
            upstreams: site.upstreams.len(),
            servers: site.upstreams.iter().map(|upstream| upstream.servers.len()).sum(),
        }
    }
}

fn plans(loaded: &Loaded) -> Vec<Planned<'_>> {
    maintenances::plans(loaded, Clock::System.now())
}

fn line(plan: &Planned<'_>) -> String {
    let Planned { file, title, next } = plan;
    let Some(next) = next else { return format!("  {file}: {title}: nothing is to come\n") };
    let phases = next.phases.iter().map(|phase| {
        let ends = phase.local_ends.as_deref().unwrap_or("an end nobody knows");
        format!("{} until {ends}", phase.local_starts)
    });
    format!("  {file}: {title}: {}\n", phases.collect::<Vec<_>>().join(", then "))
}

/// What `--json` prints.
#[derive(Serialize)]
struct Told<'a> {
    file: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a str>,
    #[serde(flatten)]
    counts: Option<Counts>,
    /// What files of the directory of maintenances plan.
    maintenances: Vec<Planned<'a>>,
    problems: Vec<&'a Problem>,
}

fn json(path: &Path, result: &Result<Loaded, Problems>) -> String {
    let loaded = result.as_ref().ok();
    let told = Told {
        file: path.display().to_string(),
        ok: loaded.is_some(),
        fingerprint: loaded.map(|loaded| loaded.site.fingerprint.as_str()),
        counts: loaded.map(Counts::of),
        maintenances: loaded.into_iter().flat_map(plans).collect(),
        problems: result.as_ref().err().into_iter().flatten().collect(),
    };
    serde_json::to_string_pretty(&told).expect("texts and numbers have a JSON form")
}
