//! Load over TLS and HTTP/2 by `h2load`, which speaks them with another library than ours.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::load::Tally;
use super::machine;

/// What is asked of whom.
#[derive(Clone, Debug)]
pub(crate) struct H2load {
    pub(crate) to: SocketAddr,
    pub(crate) path: &'static str,
    /// HTTP/1.1 instead of HTTP/2.
    pub(crate) h1: bool,
    /// A gRPC message that is posted.
    pub(crate) message: Option<PathBuf>,
    pub(crate) connections: usize,
    /// Requests at once on one connection.
    pub(crate) streams: usize,
    pub(crate) span: Duration,
}

/// Whether the program is there.
pub(crate) fn is_installed() -> bool {
    machine::version("h2load", "--version").is_some()
}

impl H2load {
    /// Asks for the span, and counts.
    pub(crate) fn run(&self) -> Tally {
        self.ask().unwrap_or_else(|fault| {
            println!("  h2load: {fault}");
            Tally { faults: 1, ..Tally::default() }
        })
    }

    fn ask(&self) -> io::Result<Tally> {
        let mut command = Command::new("h2load");
        command.args(["-t", "1", "-c", &self.connections.to_string()]);
        // It takes whole seconds.
        let seconds = self.span.as_secs_f64().ceil();
        command.args(["-D", &format!("{seconds:.0}")]);
        command.args(["-m", &self.streams.to_string()]);
        if self.h1 {
            command.arg("--h1");
        }
        if let Some(message) = &self.message {
            command.arg("-d").arg(message);
            command.args(["-H", "content-type: application/grpc", "-H", "te: trailers"]);
        }
        command.arg(format!("https://localhost:{}{}", self.to.port(), self.path));
        let output = command.stdin(Stdio::null()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        read(&text).ok_or_else(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            io::Error::other(format!("no figures in {text}{said}"))
        })
    }
}

/// The counts and the time in what it prints at its end.
fn read(text: &str) -> Option<Tally> {
    let line = |begin: &str| text.lines().find_map(|line| line.strip_prefix(begin));
    let number = |list: &str, name: &str| {
        let part = list.split(',').find(|part| part.trim().ends_with(name))?;
        part.trim().split(' ').next()?.parse::<u64>().ok()
    };
    let requests = line("requests: ")?;
    let codes = line("status codes: ")?;
    let answers = number(codes, "2xx")?;
    let others = number(codes, "3xx")? + number(codes, "4xx")? + number(codes, "5xx")?;
    let faults = number(requests, "errored")? + number(requests, "timeout")?;
    let span = line("finished in ")?.split(',').next()?;
    let span = match (span.strip_suffix("ms"), span.strip_suffix('s')) {
        (Some(millis), _) => millis.parse::<f64>().ok()? / 1e3,
        (None, Some(seconds)) => seconds.parse().ok()?,
        (None, None) => return None,
    };
    let span = Duration::from_secs_f64(span);
    Some(Tally { answers, others, faults, latencies: Vec::new(), full: 0, span })
}
