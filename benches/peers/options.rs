//! What may be said after `cargo bench --bench peers --`.

use std::time::Duration;

use super::compare::CASES;
use super::proxy::Access;

/// Cases without a peer.
pub(crate) const CAPTURE: &str = "capture";
/// See [`CAPTURE`].
pub(crate) const SWITCH: &str = "switch";
/// Measured in another way than by CPU time.
pub(crate) const LATENCY: &str = "latency";
/// See [`LATENCY`].
pub(crate) const IDLE: &str = "idle";
/// See [`CAPTURE`].
pub(crate) const RELOAD: &str = "reload";

/// See [`CAPTURE`].
pub(crate) const TEE: &str = "tee";
/// See [`CAPTURE`].
pub(crate) const UPLOAD: &str = "upload";
/// See [`CAPTURE`].
pub(crate) const RESUME: &str = "resume";

pub(crate) const USAGE: &str = "\
cargo bench --bench peers -- [OPTION]…
--rounds N, --seconds S, --connections N: how much is measured
--cases NAME,NAME: these alone
(the cases are small, big, form, closed, fresh, tls, h2, handshake, resumed, websocket, grpc,
latency, idle, capture, tee, upload, resume, reload and switch)
--calls: count system calls as well, after the measurement, where strace is installed
--no-log: without access lines";

/// How much is measured.
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) span: Duration,
    pub(crate) connections: usize,
    /// Whether system calls are counted as well.
    pub(crate) calls: bool,
    /// Whether the proxies write access lines.
    pub(crate) access: Access,
    cases: Option<Vec<String>>,
}

impl Options {
    /// From the arguments; those that cargo adds are passed over.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let span = Duration::from_secs(2);
        let access = Access::Logged;
        let mut options =
            Self { rounds: 7, span, connections: 32, calls: false, access, cases: None };
        let mut rest = arguments.iter().filter(|argument| *argument != "--bench");
        while let Some(name) = rest.next() {
            match name.as_str() {
                "--calls" => {
                    options.calls = true;
                    continue;
                }
                "--no-log" => {
                    options.access = Access::Silent;
                    continue;
                }
                _ => {}
            }
            let value = rest.next().ok_or_else(|| format!("{name} wants a value"))?;
            let count = || within(name, value, 1.0, 1_000.0);
            match name.as_str() {
                "--rounds" => options.rounds = count()? as usize,
                "--connections" => options.connections = count()? as usize,
                "--seconds" => {
                    options.span = Duration::from_secs_f64(within(name, value, 0.1, 600.0)?);
                }
                "--cases" => options.cases = Some(cases(value)?),
                _ => return Err(format!("{name} is not known")),
            }
        }
        Ok(options)
    }

    /// Whether this case is asked for.
    pub(crate) fn has(&self, case: &str) -> bool {
        self.cases.as_ref().is_none_or(|cases| cases.iter().any(|name| name == case))
    }
}

fn within(name: &str, value: &str, min: f64, max: f64) -> Result<f64, String> {
    let number = value.parse().ok().filter(|number: &f64| (min..=max).contains(number));
    number.ok_or_else(|| format!("{name} wants a number from {min} to {max}, not {value:?}"))
}

fn cases(list: &str) -> Result<Vec<String>, String> {
    let known = |name: &str| {
        CASES.iter().any(|case| case.name == name)
            || [CAPTURE, TEE, UPLOAD, RESUME, SWITCH, LATENCY, IDLE, RELOAD].contains(&name)
    };
    let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().find(|name| !known(name)) {
        Some(name) => Err(format!("there is no case {name:?}")),
        None => Ok(names),
    }
}
