//! The log of the process's own life, on standard error: starts, reloads, switches, faults.
//!
//! Requests do not write here; they have their access lines.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// The environment variable that chooses what is logged, such as `debug` or `intermission=debug`.
pub const FILTER_VARIABLE: &str = "INTERMISSION_LOG";

/// How the log looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts the log; what is logged is in [`FILTER_VARIABLE`], otherwise `info`.
///
/// Fails if the process has a log already.
pub fn init(format: Format) -> Result<(), TryInitError> {
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE)
        .unwrap_or_else(|_| EnvFilter::new(tracing::Level::INFO.as_str()));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // It would tell of a log that cannot be written on standard error, where the log is, and
        // panic: whoever logged, be it the store, would be gone because a disk is full.
        .log_internal_errors(false);
    match format {
        Format::Text => log.with_ansi(ansi()).finish().try_init(),
        Format::Json => log.json().flatten_event(true).finish().try_init(),
    }
}

/// Colours on a terminal only.
fn ansi() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}
